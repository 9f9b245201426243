"""The same program files on several hosts, each with its own address and disk, and bad networks."""

import shutil
import time
import unittest

import hosts
from harness import World
from programs import BIN, SLOWNESS, START_DEADLINE_S, Bank, Customer

SLOW = True
REASON = hosts.why_not()


class Site:
    """A World whose programs run on the hosts of a Network: the bank on the first, customers on the
    others in turn. Each host has its own copy of the program files and its own folder."""

    def __init__(self, world, network):
        self.world, self.network = world, network
        self.folders = {}
        for host in network.hosts:
            folder = world.folder / host.address
            folder.mkdir()
            for program in ("bank", "customer"):
                shutil.copy2(BIN / program, folder / program)
            self.folders[host] = folder
        self.places = {}
        self.members = {}

    def start_bank(self, port=8500):
        host = self.network.hosts[0]
        folder = self.folders[host]
        command = [folder / "bank", "--port", port, "--data", "data/data.csv"]
        (folder / "data").mkdir(exist_ok=True)
        self.world.data = folder / "data" / "data.csv"
        bank = self.world.add(Bank("bank", host.command(command), cwd=folder))
        bank.wait_log(r"ready on port 8500", START_DEADLINE_S)
        self.world.bank = bank
        return bank

    def customer(self, name, host, *, opening=None, resume=False, flags=()):
        folder = self.folders[host]
        bank = f"{self.network.hosts[0].address}:8500"
        ports = self.places.setdefault(name, (host, 9001 + 2 * len(self.places)))[1]
        command = [folder / "customer", "--bank", bank, "--port1", ports, "--port2", ports + 1]
        command += ["--name", name] if resume else []
        customer = self.world.add(Customer(name, host.command([*command, *flags]), cwd=folder))
        customer.wait_log(r"ready on ports", START_DEADLINE_S)
        self.members[name] = customer
        if opening:
            customer.expect(f"SUCCESS open {name} balance {opening}", f"open {name} {opening}")
        return customer

    def resume(self, name):
        return self.customer(name, self.places[name][0], resume=True)

    def until_ok(self, program, line):
        """Types the command again until it succeeds: on a bad network a deadline may pass first."""
        deadline = time.monotonic() + 90 * SLOWNESS
        while not (answer := program.cmd(line)).ok:
            if time.monotonic() > deadline:
                program.fail(f"{line!r} should succeed in the end: {answer}")
        return answer


@unittest.skipIf(REASON, REASON or "")
class Hosts(unittest.TestCase):
    def play(self, network):
        with network, World(start=False) as world:
            site = Site(world, network)
            site.start_bank()
            one, two, three = network.hosts
            alice = site.customer("alice", two, opening="100")
            bob = site.customer("bob", three, opening="100")
            carol = site.customer("carol", three, opening="100")
            rows = world.rows()
            self.assertEqual(
                [rows[name]["ip_address"] for name in ("alice", "bob", "carol")],
                [two.address, three.address, three.address],
            )
            site.until_ok(alice, "new-cohort alice 3")
            tickets = alice.type(*["transfer 1 bob"] * 50)
            for ticket in tickets:
                self.assertIn(alice.answer(ticket).outcome, ("SUCCESS", "UNKNOWN"))
            bob.becomes("SUCCESS balance 150", "balance")
            bob.cmd("transfer 25 carol")
            carol.becomes("SUCCESS balance 125", "balance")
            site.until_ok(carol, "checkpoint")
            world.audit_adds_up(balances="300", in_transit="0", expected="300")
            rows = world.rows()
            self.assertEqual(
                [rows[name]["balance"] for name in ("alice", "bob", "carol")], ["50", "125", "125"]
            )
            alice.ok("lost-transfer 10 bob")
            site.until_ok(alice, "checkpoint")
            world.audit_adds_up(balances="290", in_transit="10", expected="300")
            site.until_ok(alice, "rollback")
            bob.becomes("SUCCESS balance 135", "balance")
            alice.kill()
            alice = site.resume("alice")
            alice.becomes("SUCCESS balance 40", "balance")
            site.until_ok(bob, "checkpoint")
            world.bank.kill()
            site.start_bank()
            world.audit_adds_up(balances="300", in_transit="0", expected="300")
            site.until_ok(carol, "delete-cohort carol")
            world.audit_adds_up(balances="300", expected="300")
            return network

    def test_three_hosts_do_the_same_as_one(self):
        self.play(hosts.Network(3))

    def test_a_network_that_loses_duplicates_and_reorders(self):
        network = self.play(hosts.Network(3, loss=0.15, duplicates=0.1, delays=0.3))
        self.assertGreater(network.lost, 0)

    def test_a_host_that_is_cut_off_and_comes_back(self):
        with hosts.Network(3) as network, World(start=False) as world:
            site = Site(world, network)
            site.start_bank()
            one, two, three = network.hosts
            alice = site.customer("alice", two, opening="100")
            bob = site.customer("bob", three, opening="100")
            alice.ok("new-cohort alice 2")
            alice.ok("transfer 1 bob")
            network.cut_off.add(three.address)
            alice.expect("UNKNOWN transfer 10 to bob label 2 balance 89", "transfer 10 bob")
            alice.expect("SUCCESS checkpoint alice", "checkpoint")
            # Neither the bank nor alice, who has to sign for what he received, can be reached.
            self.assertIn(bob.cmd("checkpoint").code, ("bank-unreachable", "unreachable"))
            bob.expect("SUCCESS balance 101", "balance")
            network.cut_off.clear()
            bob.becomes("SUCCESS balance 111", "balance")
            site.until_ok(bob, "checkpoint")
            world.audit_adds_up(balances="200", in_transit="0", expected="200")

    def test_the_address_is_found_without_being_told(self):
        with hosts.Network(2) as network, World(start=False) as world:
            site = Site(world, network)
            site.start_bank()
            site.customer("alice", network.hosts[1], opening="100")
            self.assertEqual(world.rows()["alice"]["ip_address"], network.hosts[1].address)
            told = ["--ip", network.hosts[1].address]
            site.customer("bob", network.hosts[1], opening="5", flags=told)
            self.assertEqual(world.rows()["bob"]["ip_address"], network.hosts[1].address)


if __name__ == "__main__":
    unittest.main()
