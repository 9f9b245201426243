"""A network between all programs that loses, doubles, delays, reorders and changes datagrams, seeded;
customers and bank are killed meanwhile. Then the network is good again, and everything is as it
should be.

What is changed arrives: the checksum of UDP is taken out, so that the programs have to notice.
"""

import time
import unittest

import hosts
from harness import World
from programs import SLOWNESS
from test_hosts import Site
from test_kills import cents, seeded, settle, until

SLOW = True
REASON = hosts.why_not()
NAMES = ["alice", "bob", "carol", "dave"]
OPENING = 1000
UDP = 17


class BadNetwork(hosts.Network):
    """Every program is on a host of its own, so that all datagrams pass through here."""

    RATES = {"loss": 0.15, "duplicates": 0.15, "delays": 0.3}

    def __init__(self, chance):
        super().__init__(1 + len(NAMES), seed=chance.random(), **self.RATES)
        self.changes = 0.15
        self.changed = 0

    def become_good(self):
        self.loss = self.duplicates = self.delays = self.changes = 0.0

    def become_bad(self):
        self.__dict__.update(self.RATES, changes=0.15)

    def _read_all(self, device):
        for packet in hosts.Network._read_all(device):
            yield self._changed(packet) if self.chance.random() < self.changes else packet

    def _changed(self, packet):
        udp = 4 * (packet[0] & 15)
        payload = udp + 8
        if packet[9] != UDP or len(packet) <= payload:
            return packet
        self.changed += 1
        changed = bytearray(packet)
        changed[udp + 6 : payload] = bytes(2)  # a checksum of zero is none
        for _ in range(self.chance.choice([1, 1, 2, 50])):
            bit = self.chance.randrange(8 * payload, 8 * len(changed))
            changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)


@unittest.skipIf(REASON, REASON or "")
class BadNetworks(unittest.TestCase):
    def begin(self, network, world):
        site = Site(world, network)
        site.start_bank()
        for name, host in zip(NAMES, network.hosts[1:]):
            site.customer(name, host)
            self.open(site, name)
        world.customers = site.members
        alice = world.customers["alice"]

        def together():
            answer = alice.cmd(f"new-cohort alice {len(NAMES)}")
            return answer.ok or answer.code == "in-cohort", answer

        until(together, "there should be a cohort")
        return site

    def open(self, site, name):
        customer = site.members[name]

        def opened():
            answer = customer.cmd(f"open {name} {OPENING}")
            return answer.ok or answer.code == "has-account", answer

        until(opened, "the account should be open")

    def transfers(self, chance, name, count):
        peers = [other for other in NAMES if other != name]
        return [f"transfer {chance.randrange(1, 4)} {chance.choice(peers)}" for _ in range(count)]

    @seeded
    def test_every_transfer_arrives_once_while_several_take_checkpoints(self, chance):
        with BadNetwork(chance) as network, World(start=False) as world:
            self.begin(network, world)
            balances = {name: OPENING for name in NAMES}
            for _ in range(2):
                typed = {}
                for name in NAMES:
                    lines = self.transfers(chance, name, 60)
                    for _ in range(2):
                        lines.insert(chance.randrange(60), "checkpoint")
                    typed[name] = lines, world.customers[name].type(*lines)
                for name, (lines, tickets) in typed.items():
                    for line, ticket in zip(lines, tickets):
                        outcome = world.customers[name].answer(ticket).outcome
                        if line != "checkpoint" and outcome != "FAILURE":
                            _, amount, receiver = line.split()
                            balances[name] -= int(amount)
                            balances[receiver] += int(amount)
            for name in NAMES:
                world.customers[name].becomes(f"SUCCESS balance {balances[name]}", "balance")
            network.become_good()
            settle(world, NAMES, OPENING * len(NAMES))
            for name in NAMES:
                world.customers[name].expect(f"SUCCESS balance {balances[name]}", "balance")
            self.assertGreater(min(network.lost, network.changed), 50)

    @seeded
    def test_rollbacks_and_kills(self, chance):
        with BadNetwork(chance) as network, World(start=False) as world:
            network.become_good()
            site = self.begin(network, world)
            for _ in range(3):
                network.become_bad()
                for name in NAMES:
                    lines = self.transfers(chance, name, 40)
                    for line in chance.sample(["checkpoint", "rollback", "rollback"], 2):
                        lines.insert(chance.randrange(len(lines)), line)
                    world.customers[name].type(*lines)
                victims = chance.sample([*NAMES, "bank"], 2)
                for victim in victims:
                    time.sleep(chance.choice([0, 0.01, 0.05, 0.2]))
                    (world.bank if victim == "bank" else world.customers[victim]).kill()
                for victim in victims:
                    site.start_bank() if victim == "bank" else site.resume(victim)
                network.become_good()
                settle(world, NAMES, OPENING * len(NAMES))
            self.all_is_well(world)
            self.assertGreater(min(network.lost, network.changed), 20)

    def all_is_well(self, world):
        """On a good network nothing of the bad one is left: everything succeeds at once."""
        before = {name: cents(world.customers[name].balance()) for name in NAMES}
        for name, peer in zip(NAMES, [*NAMES[1:], NAMES[0]]):
            world.customers[name].ok(f"transfer 1 {peer}", 5 * SLOWNESS)
        settle(world, NAMES, OPENING * len(NAMES))
        after = {name: cents(world.customers[name].balance()) for name in NAMES}
        self.assertEqual(after, before)
        world.customers["dave"].ok("delete-cohort dave")
        world.audit_adds_up(
            balances=str(OPENING * len(NAMES)), expected=str(OPENING * len(NAMES)), in_transit="0"
        )


if __name__ == "__main__":
    unittest.main()
