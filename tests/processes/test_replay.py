"""Datagrams that were sent before, come back, or are put together: nothing changes, all go on.

The attacker stands between the bank and its customers (relay.py). That nothing counts twice is seen
in the programs' traces as well: each datagram that was opened has an id of its own there.
"""

import collections
import json
import unittest

from relay import (
    Copy,
    Flips,
    Relay,
    RelayedWorld,
    Splices,
    Stranger,
    sent_by,
    udp_socket,
    wait_taken,
)

SLOW = True

NAMES = ["alice", "bob"]
FLIPS = 4  # of each datagram


class TracedWorld(RelayedWorld):
    """All programs write traces."""

    def __init__(self, **relay_options):
        super().__init__()
        self._relay_options = relay_options

    def make_relay(self):
        return Relay(self.bank.port, **self._relay_options)

    def __enter__(self):
        self.bank_options["flags"] = self.trace_of("bank")
        return super().__enter__()

    def trace_of(self, name):
        return ("--trace", self.folder / f"{name}.trace")

    def pcap_of(self, name):
        return self.folder / f"{name}.pcap"

    def restart_bank(self):
        return super().restart_bank(flags=self.trace_of("bank"))

    def all(self):
        return [self.customers[name] for name in NAMES]

    def live(self):
        """An ordinary life, of which the relay has everything that goes to the bank and back."""
        self.bank.ok("add-product pen Pen 1.50 100 office")
        alice, bob = [
            self.customer(name, flags=(*self.trace_of(name), "--pcap", self.pcap_of(name)))
            for name in NAMES
        ]
        alice.ok("open alice 100")
        bob.ok("open bob 100")
        alice.ok("buy pen 2")
        alice.ok("deposit 10")
        alice.ok("new-cohort alice 2")
        alice.ok("transfer 5 bob")
        bob.ok("checkpoint")
        bob.ok("buy pen 4")
        bob.ok("transfer 1 alice")
        alice.ok("rollback")
        bob.ok("transfer 2 alice")
        alice.ok("checkpoint")
        bob.ok("delete-cohort bob")
        bob.ok("withdrawal 3")
        bob.ok("new-cohort bob 2")
        alice.ok("transfer 20 bob")
        bob.ok("checkpoint")
        return alice, bob

    def standing(self):
        """What must not change, as everybody sees it."""
        return {
            "rows": self.rows(),
            "audit": self.bank.audit(),
            "stock": self.bank.ok("products").lines,
            "balances": [customer.balance() for customer in self.all()],
            "history": [customer.ok("history").lines for customer in self.all()],
        }

    def all_go_on(self):
        alice, bob = self.all()
        before = [float(customer.balance()) for customer in (alice, bob)]
        alice.ok("deposit 7")
        alice.ok("transfer 2 bob")
        bob.ok("transfer 1 alice")
        bob.ok("checkpoint")
        alice.ok("checkpoint")
        alice.ok("rollback")
        after = [float(customer.balance()) for customer in (alice, bob)]
        if after != [before[0] + 7 - 2 + 1, before[1] + 2 - 1]:
            alice.fail(f"from {before} to {after}")
        self.audit_adds_up()

    def nothing_counted_twice(self):
        """Nobody opened a datagram twice, or one of its own."""
        for name in ["bank", *NAMES]:
            ids = {"sent": [], "received": []}
            for line in (self.folder / f"{name}.trace").read_text().splitlines():
                event = json.loads(line)
                if event["kind"] in ids:
                    ids[event["kind"]].append(event["id"])
            counts = collections.Counter(ids["received"])
            twice = [id for id, count in counts.items() if count > 1]
            own = sorted(counts.keys() & set(ids["sent"]))
            if twice or own or not counts:
                self.bank.fail(f"{name} took twice: {twice[:10]}; of its own: {own[:10]}")


class Replay(unittest.TestCase):
    def test_everything_again_in_the_same_run(self):
        with TracedWorld() as world:
            world.live()
            copies = list(world.relay.copies)
            before = world.standing()
            for _ in range(2):
                world.relay.send_all(copies)
            self.assertEqual(world.standing(), before)
            world.all_go_on()
            world.nothing_counted_twice()

    def test_everything_again_after_all_were_killed_and_started_again(self):
        with TracedWorld() as world:
            world.live()
            copies = list(world.relay.copies)
            before = world.standing()
            for program in (world.bank, *world.all()):
                program.kill()
            # So that no other test gets their ports meanwhile.
            held = [udp_socket(port) for one in world.all() for port in one.ports]
            world.restart_bank()
            # Nobody is there but the bank: it has to take the attacker for somebody it has not met.
            world.relay.forget_traffic()
            for _ in range(2):
                world.relay.send_all([copy for copy in copies if copy.to_bank])
            world.bank.ok("customers")  # and so all has been answered
            for to_bank, from_bank in world.relay.traffic():
                self.assertGreater(to_bank, 0)
                self.assertLessEqual(from_bank, to_bank)
            for own in held:
                own.close()
            for name in NAMES:
                world.resume(name)
            for _ in range(2):
                world.relay.send_all(copies)
            self.assertEqual(world.standing(), before)
            world.all_go_on()
            world.nothing_counted_twice()

    def test_what_a_peer_sent_again_from_its_own_address(self):
        """All that alice ever said to bob, while she is not there; and then the other way round."""
        with TracedWorld() as world:
            world.live()
            before = world.standing()
            for name, other in (NAMES, reversed(NAMES)):
                victim = world.customers[other].ports[1]
                own = world.customers[name].ports[1]
                world.customers[name].kill()
                payloads = [said for to, said in sent_by(world.pcap_of(name), own) if to == victim]
                self.assertGreater(len(payloads), 5)
                with udp_socket(own) as attacker:
                    for payload in 2 * payloads:
                        attacker.sendto(payload, ("127.0.0.1", victim))
                        wait_taken(victim)
                world.resume(name)
                self.assertEqual(world.standing(), before)
            world.all_go_on()
            world.nothing_counted_twice()


class Changed(unittest.TestCase):
    def changes_nothing(self, meddle):
        """In front of each genuine datagram comes what is made of it."""
        with TracedWorld(meddle=meddle) as world:
            world.live()
            world.all_go_on()
            world.nothing_counted_twice()

    def test_back_to_whoever_sent_it(self):
        with TracedWorld() as world:
            world.live()
            before = world.standing()
            copies = list(world.relay.copies)
            world.relay.send_all([Copy(c.customer, not c.to_bank, c.payload) for c in copies])
            self.assertEqual(world.standing(), before)
            world.all_go_on()
            world.nothing_counted_twice()

    def test_the_header_of_one_with_the_body_of_another(self):
        self.changes_nothing(Splices())

    def test_with_one_bit_changed(self):
        self.changes_nothing(Flips(5, FLIPS))

    def test_a_stranger_gets_no_more_than_it_sends(self):
        with TracedWorld() as world:
            world.live()
            before = world.standing()
            copies = list(world.relay.copies)
            makers = (lambda copy: [copy], Flips(6, FLIPS), Splices())
            payloads = [made.payload for make in makers for copy in copies for made in make(copy)]
            ports = [world.bank.port, *(port for one in world.all() for port in one.ports)]
            stranger = Stranger(ports)
            try:
                for port in ports:
                    stranger.send_all(port, payloads)
                self.assertEqual(world.standing(), before)  # and so all has been answered
                stranger.check()
                self.assertGreater(stranger.got(world.bank.port), 0)
            finally:
                stranger.close()
            world.all_go_on()
            world.nothing_counted_twice()


if __name__ == "__main__":
    unittest.main()
