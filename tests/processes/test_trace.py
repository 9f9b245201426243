"""scripts/trace: from files of events to one picture, with clocks that hold."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import re
import tempfile
import unittest

from harness import World
from programs import ROOT


def load_script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


trace = load_script("trace")


def line(time_us, node, kind, **facts):
    return json.dumps({"time_us": time_us, "node": node, "kind": kind, **facts}) + "\n"


def run(*texts, flags=()):
    """What the script prints for files with these contents: (standard output, standard error)."""
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(err):
        paths = []
        for number, text in enumerate(texts):
            path = pathlib.Path(folder) / f"{number}.trace"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            paths.append(str(path))
        status = trace.main([*flags, *paths], out)
    assert status == 0, err.getvalue()
    return out.getvalue(), err.getvalue()


def parse(output):
    """What ShiViz makes of a log: a list of (host, clock, event)."""
    expression, delimiter, rest = output.split("\n", 2)
    assert delimiter == ""
    python = expression.replace("(?<", "(?P<").replace("{", r"\{").replace("}", r"\}")
    found = [(m["host"], json.loads(m["clock"]), m["event"]) for m in re.finditer(python, rest)]
    assert 2 * len(found) == len(rest.splitlines()), "ShiViz would skip some of it"
    return found


def before(one, other):
    """Happened before, by the clocks."""
    return one != other and all(other.get(host, 0) >= count for host, count in one.items())


def check_rules_of_shiviz(events):
    last = {}
    for host, clock, _ in events:
        assert clock[host] == last.get(host, 0) + 1, "a host's own count rises by one"
        assert all(count > 0 for count in clock.values())
        last[host] = clock[host]
    for _, clock, _ in events:
        assert all(count <= last[host] for host, count in clock.items()), "a clock of no event"


ALICE = (
    line(1, "alice", "command", text="transfer 5 bob")
    + line(2, "alice", "durable")
    + line(3, "alice", "sent", id="alice/1/1", to="127.0.0.1:2", what="transfer 1")
    + line(9, "alice", "received", id="bob/1/1", **{"from": "127.0.0.1:2"}, what="ack 1")
    + line(10, "alice", "answer", text="SUCCESS transfer 5 to bob label 1 balance 95")
)
BOB = (
    line(5, "bob", "received", id="alice/1/1", **{"from": "127.0.0.1:1"}, what="transfer 1")
    + line(6, "bob", "durable")
    + line(7, "bob", "sent", id="bob/1/1", to="127.0.0.1:1", what="ack 1")
)


class ShiViz(unittest.TestCase):
    def events(self, *texts, flags=()):
        events = parse(run(*texts, flags=flags)[0])
        check_rules_of_shiviz(events)
        return events

    def clock_of(self, events, host, number):
        return [clock for h, clock, _ in events if h == host][number]

    def test_cause_comes_before_effect(self):
        events = self.events(ALICE, BOB)
        self.assertEqual(len(events), 8)
        self.assertEqual(self.clock_of(events, "bob", 0), {"alice": 3, "bob": 1})
        self.assertEqual(self.clock_of(events, "alice", 3), {"alice": 4, "bob": 3})
        self.assertEqual(self.clock_of(events, "alice", 2), {"alice": 3})

    def test_clocks_of_machines_that_differ_do_not_matter(self):
        early = re.sub(r'"time_us": (\d+)', lambda m: f'"time_us": {int(m[1]) - 1000}', BOB)
        events = self.events(early, ALICE)
        self.assertEqual(self.clock_of(events, "bob", 0), {"alice": 3, "bob": 1})
        hosts = [host for host, _, _ in events]
        self.assertEqual(hosts, ["alice"] * 3 + ["bob"] * 3 + ["alice"] * 2)

    def test_what_is_independent_is_concurrent(self):
        events = self.events(
            line(1, "alice", "durable"), line(1, "bob", "durable"), line(2, "carol", "durable")
        )
        clocks = [clock for _, clock, _ in events]
        self.assertFalse(any(before(a, b) for a in clocks for b in clocks))

    def test_an_event_shows_what_it_was(self):
        events = self.events(ALICE)
        self.assertEqual(events[0][2], "command text=transfer 5 bob")
        self.assertEqual(events[2][2], "sent transfer 1 id=alice/1/1 to=127.0.0.1:2")

    def test_a_datagram_that_came_twice(self):
        twice = BOB + line(8, "bob", "received", id="alice/1/1", what="transfer 1")
        events = self.events(ALICE, twice)
        self.assertEqual(
            [t.split()[0] for _, _, t in events if t.endswith("(again)")], ["received"]
        )

    def test_an_arrival_whose_sending_is_in_no_file(self):
        events = self.events(BOB)
        self.assertEqual(self.clock_of(events, "bob", 0), {"bob": 1})

    def test_torn_and_strange_lines_are_left_out_and_counted(self):
        torn = ALICE + '{"time_us":11,"node":"ali'
        strange = (
            b'\xff\xfe\n[]\n"x"\n5\nnull\n{}\n{"time_us":"x","node":"a","kind":"b"}\n\n'
            + BOB.encode()
        )
        out, err = run(torn, strange)
        self.assertEqual(len(parse(out)), 8)
        self.assertRegex(err, r"0\.trace: 1 unreadable line left out")
        self.assertRegex(err, r"1\.trace: 7 unreadable lines left out")

    def test_an_empty_file_is_no_error(self):
        self.assertEqual(self.events("", ALICE, "\n"), self.events(ALICE))

    def test_one_file_with_all_nodes_as_the_simulator_writes(self):
        mixed = "".join(
            sorted((ALICE + BOB).splitlines(True), key=lambda l: json.loads(l)["time_us"])
        )
        self.assertEqual(self.events(mixed), self.events(ALICE, BOB))

    def test_a_node_that_was_started_again_goes_on(self):
        again = line(20, "alice", "command", text="balance")
        for files in ((ALICE, again), (again, ALICE), (ALICE + again,)):
            events = self.events(*files)
            self.assertEqual(events[-1][1], {"alice": 6})

    def test_a_program_that_has_no_account_yet_is_the_one_that_it_opens(self):
        events = self.events(line(1, "customer@0", "command", text="open alice 5") + ALICE)
        self.assertEqual(events[-1][:2], ("alice", {"alice": 6}))
        both = (
            line(1, "customer@1", "durable")
            + line(1, "alice", "durable")
            + line(2, "bob", "durable")
        )
        self.assertEqual({host for host, _, _ in self.events(both)}, {"customer@1", "alice", "bob"})

    def test_files_that_contradict_themselves_still_give_a_picture(self):
        # Each received what the other sent later: no order exists.
        one = line(1, "alice", "received", id="bob/1/1") + line(2, "alice", "sent", id="alice/1/1")
        two = line(1, "bob", "received", id="alice/1/1") + line(2, "bob", "sent", id="bob/1/1")
        self.assertEqual(len(self.events(one, two)), 4)

    def test_datagrams_without_a_name_are_told_apart_by_their_addresses(self):
        # alice and carol both use the id /1/1; bob hears carol's.
        alice = line(1, "alice", "sent", id="/1/1", to="127.0.0.1:2", what="hello")
        carol = line(1, "carol", "sent", id="/1/1", to="127.0.0.1:2", what="hello") + line(
            9, "carol", "sent", id="carol/1/2", to="127.0.0.1:2", what="vote"
        )
        bob = line(5, "bob", "received", id="/1/1", **{"from": "127.0.0.1:3"}, what="hello") + line(
            10, "bob", "received", id="carol/1/2", **{"from": "127.0.0.1:3"}, what="vote"
        )
        events = self.events(alice, bob, carol)
        self.assertEqual(self.clock_of(events, "bob", 0), {"carol": 1, "bob": 1})

    def test_showing_only_some_kinds_keeps_the_order(self):
        events = self.events(ALICE, BOB, flags=["--kind", "durable", "--kind", "answer"])
        self.assertEqual([host for host, _, _ in events], ["alice", "bob", "alice"])
        self.assertEqual(events[1][1], {"alice": 1, "bob": 1})
        self.assertEqual(events[2][1], {"alice": 2, "bob": 1})
        events = self.events(ALICE, BOB, flags=["--grep", "ack 1"])
        self.assertEqual([text.split()[0] for _, _, text in events], ["sent", "received"])

    def test_odd_names_are_one_word(self):
        self.assertEqual(self.events(line(1, "a b", "durable"))[0][0], "a_b")
        self.assertEqual(self.events(line(1, "", "durable"))[0][0], "unnamed")


class Mermaid(unittest.TestCase):
    def test_arrows_and_notes(self):
        out, _ = run(ALICE, BOB, flags=["--mermaid"])
        self.assertEqual(
            out,
            "sequenceDiagram\n"
            "    participant p0 as alice\n"
            "    participant p1 as bob\n"
            "    Note over p0: command text=transfer 5 bob\n"
            "    Note over p0: durable\n"
            "    p0->>p1: transfer 1\n"
            "    Note over p1: durable\n"
            "    p1->>p0: ack 1\n"
            "    Note over p0: answer text=SUCCESS transfer 5 to bob label 1 balance 95\n",
        )

    def test_what_was_lost_ends_in_a_cross(self):
        lost = line(11, "alice", "sent", id="alice/1/2", to="127.0.0.1:2", what="transfer 2")
        out, _ = run(ALICE + lost, BOB, flags=["--mermaid"])
        self.assertIn("    p0-xp1: transfer 2 (lost)\n", out)
        out, _ = run(lost, flags=["--mermaid"])
        self.assertIn(
            "participant p1 as 127.0.0.1:2\n    p0--)p1: transfer 2 (no trace of the receiver)\n",
            out,
        )

    def test_text_that_mermaid_would_read_is_escaped(self):
        out, _ = run(line(1, "alice", "command", text="a;b #1 <x>"), flags=["--mermaid"])
        self.assertIn("a#59;b #35;1 #60;x#62;", out)


class RealTraces(unittest.TestCase):
    def test_a_transfer_and_a_checkpoint_of_real_programs(self):
        with World(start=False) as world:
            paths = {name: world.folder / f"{name}.trace" for name in ("bank", "alice", "bob")}
            world.start_bank(flags=["--trace", paths["bank"]])
            for name in ("alice", "bob"):
                world.customer(name, opening="100", flags=["--trace", paths[name]])
            alice, bob = world.customers.values()
            alice.ok("new-cohort alice 2")
            alice.ok("transfer 10 bob")
            bob.ok("checkpoint")
            for program in (alice, bob, world.bank):
                program.end()
            texts = [path.read_text() for path in paths.values()]
            out, err = run(*texts)
            self.assertEqual(err, "")
            events = parse(out)
            check_rules_of_shiviz(events)
            kinds = {text.split()[0] for _, _, text in events}
            self.assertLessEqual(
                {"sent", "received", "durable", "command", "answer", "checkpoint-tentative",
                 "checkpoint-permanent"},
                kinds,
            )  # fmt: skip

            def clock(host, pattern):
                for h, c, text in events:
                    if h == host and re.search(pattern, text):
                        return c
                self.fail(f"{host} has no event like {pattern}")

            self.assertTrue(
                before(
                    clock("alice", r"^command.*transfer 10 bob"),
                    clock("bob", "^answer.*checkpoint"),
                )
            )
            # bob's command was the cause of alice's checkpoint: he had received her money.
            asked = clock("bob", "^command.*checkpoint")
            self.assertTrue(
                any(before(asked, c) for h, c, t in events if (h, t.split()[0]) ==
                    ("alice", "checkpoint-permanent"))
            )  # fmt: skip
            diagram, _ = run(*texts, flags=["--mermaid"])
            self.assertGreater(diagram.count("->>"), 10)


if __name__ == "__main__":
    unittest.main()
