"""docs/wireshark.lua: what the dissector shows of recorded sessions is what the programs said."""

import json
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

from harness import World
from programs import BIN, ROOT

sys.path += [str(ROOT / "scripts"), str(ROOT / "tests" / "bench")]
import flood  # noqa: E402
import wireshark_schema  # noqa: E402

MESSAGES, ENUMS = wireshark_schema.schema()

# In a Datagram: what every one has, and what one may be about.
HEAD = [field for field in MESSAGES["Datagram"] if field[0] < 10]
BODIES = [field for field in MESSAGES["Datagram"] if field[0] >= 10]

# Amounts that nothing else in a datagram looks like: 98765432101.23 and as it goes over the wire.
OPENING, AMOUNT = "99999999999999.99", "98765432101.23"


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


AMOUNT_ON_WIRE = varint(round(float(AMOUNT) * 100))


class Maker:
    """Random datagrams of every kind, encoded by the schema alone."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self):
        large = self.random.randrange(1 << self.random.choice((8, 32, 62, 64)))
        return self.random.choice((0, 1, 2, 3, self.random.randrange(100), large))

    def scalar(self, kind):
        """(wire type, bytes)"""
        if kind == "string":
            text = self.random.choice(("alice", "bob", "", "Zoë", "x" * 30)).encode()
            return 2, varint(len(text)) + text
        if kind == "bytes":
            data = self.random.randbytes(self.random.choice((0, 1, 32, 64)))
            return 2, varint(len(data)) + data
        if kind == "fixed64":
            return 1, struct.pack("<Q", self.number())
        if kind == "fixed32":
            return 5, struct.pack("<I", self.number() % 2**32)
        if kind == "uint32":
            return 0, varint(self.number() % 2**32)
        most = {"bool": 2, **{name: len(values) for name, values in ENUMS.items()}}
        return 0, varint(self.number() % most.get(kind, 2**64))

    def field(self, number, kind, many, depth):
        out = b""
        for _ in range(self.random.randrange(4) if many else 1):
            if kind in MESSAGES:
                inner = self.message(MESSAGES[kind], depth + 1)
                out += varint(number << 3 | 2) + varint(len(inner)) + inner
                continue
            wire_type, data = self.scalar(kind)
            if many and wire_type != 2 and self.random.random() < 0.7:
                data = b"".join(self.scalar(kind)[1] for _ in range(self.random.randrange(6)))
                wire_type, data = 2, varint(len(data)) + data
            out += varint(number << 3 | wire_type) + data
        return out

    def message(self, fields, depth=0):
        out = b""
        for number, _, kind, many in fields:
            if self.random.random() < 0.8 and (depth < 5 or kind not in MESSAGES):
                out += self.field(number, kind, many, depth)
        return out

    def datagram(self, body):
        number, _, kind, many = body
        return self.message(HEAD) + self.field(number, kind, many, 0)

    def damaged(self, data):
        data = bytearray(data)
        for _ in range(self.random.randrange(1, 4)):
            data[self.random.randrange(len(data))] = self.random.randrange(256)
        return bytes(data[: self.random.randrange(1, len(data) + 1)])


def write_recording(path, payloads):
    """A recording of UDP datagrams from one port of this machine to another."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for number, payload in enumerate(payloads):
            size = len(payload) + 28
            file.write(struct.pack("<IIII", number, 0, size, size))
            file.write(struct.pack(">BBHHHBBH", 0x45, 0, size, number, 0, 64, 17, 0))
            file.write(bytes((127, 0, 0, 1)) * 2)
            file.write(struct.pack(">HHHH", 40000, 40001, size - 20, 0) + payload)


def in_clear(datagram):
    return b"PB\1\0" + struct.pack("<I", zlib.crc32(datagram)) + datagram


def tshark(recording, *flags):
    """What tshark prints; fails if the dissector does."""
    command = ["tshark", "-X", f"lua_script:{ROOT / 'docs' / 'wireshark.lua'}", "-r", recording]
    command += ["-o", "udp.try_heuristic_first:TRUE", *flags]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, errors="replace"
    )
    wrong = re.search(r"lua.*error|error.*lua|tshark: .*", done.stdout + done.stderr, re.IGNORECASE)
    assert done.returncode == 0 and not wrong, f"{command}\n{done.stderr}\n{wrong}"
    return done.stdout


def columns(recording, fields, *flags):
    """One list for each datagram: of each field, all values that it has there."""
    flags = [*flags, "-T", "fields", *(word for field in fields for word in ("-e", field))]
    lines = tshark(recording, *flags, "-E", "separator=/t", "-E", "aggregator=|").splitlines()
    return [[values.split("|") if values else [] for values in line.split("\t")] for line in lines]


def values(recording, field, *flags):
    return {value for (found,) in columns(recording, [field], *flags) for value in found}


class Schema(unittest.TestCase):
    def test_the_dissector_knows_the_messages_as_they_are(self):
        block = wireshark_schema.BEGIN + wireshark_schema.block() + wireshark_schema.END
        known = block in wireshark_schema.SCRIPT.read_text()
        self.assertTrue(known, "the messages have changed: run scripts/wireshark_schema.py")

    def test_the_dissector_knows_the_packets_as_they_are(self):
        text = wireshark_schema.SCRIPT.read_text()
        sizes = re.search(r"^local SIZES = \{(.*)\}$", text, re.MULTILINE)[1]
        known = {int(kind): int(size) for kind, size in re.findall(r"\[(\d)\] = (\d+)", sizes)}
        right = {kind: size for kind, size in flood.packet_sizes().items() if size}
        self.assertEqual(known, right)
        # The parts of each follow each other and fill it.
        layouts = re.search(r"^local LAYOUTS = \{\n(.*?)^\}$", text, re.MULTILINE | re.DOTALL)[1]
        for kind, layout in re.findall(r"\[(\d)\] = (.*?)(?=\n    \[|\n$)", layouts, re.DOTALL):
            end = 4
            for begin, size in re.findall(r'"\w+", (\d+), (\d+)', layout):
                self.assertEqual(int(begin), end, layout)
                end += int(size)
            self.assertEqual(end, right.pop(int(kind)), layout)
        self.assertEqual(right, {})


@unittest.skipUnless(shutil.which("tshark"), "tshark is not installed")
class Words(unittest.TestCase):
    """Datagrams that no session would bring, against the programs' own parser and words."""

    def compare(self, datagrams):
        """[(what the programs say, what the dissector says)]"""
        lines = "".join(datagram.hex() + "\n" for datagram in datagrams)
        program = [BIN / "describe_datagrams"]
        done = subprocess.run(program, input=lines, capture_output=True, text=True, check=True)
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / "a.pcap"
            write_recording(recording, [in_clear(datagram) for datagram in datagrams])
            # The first is the datagram itself; behind it is what it made whole.
            shown = [(what or ["malformed"])[0] for (what,) in columns(recording, ["p2pbank.what"])]
            tshark(recording, "-V")
        return list(zip(done.stdout.splitlines(), shown, strict=True))

    def test_every_kind_of_message(self):
        maker = Maker(1)
        datagrams = [maker.datagram(body) for body in BODIES for _ in range(20)]
        said = self.compare(datagrams)
        self.assertEqual([a for a, b in said if a != b], [b for a, b in said if a != b])
        # All but those that have no words of their own are told apart.
        self.assertGreater(len({words.split()[0] for words, _ in said}), 20)

    def test_damaged_datagrams(self):
        maker = Maker(2)
        datagrams = [maker.damaged(maker.datagram(body)) for body in BODIES for _ in range(20)]
        said = self.compare(datagrams)
        # The programs also refuse text that is no UTF-8.
        differ = [(a, b) for a, b in said if a != b and a != "malformed"]
        self.assertEqual(differ, [])
        self.assertGreater(sum(b == "malformed" for _, b in said), len(said) // 10)


@unittest.skipUnless(shutil.which("tshark"), "tshark is not installed")
class Parts(unittest.TestCase):
    def test_a_message_is_put_together_whatever_the_order(self):
        told = b"".join(
            varint(4 << 3 | 2) + varint(len(line)) + line for line in [b"line of an answer"] * 200
        )
        answer = varint(2 << 3 | 2) + varint(len(told)) + told
        message = varint(78 << 3 | 2) + varint(len(answer)) + answer
        parts = [message[at : at + 1000] for at in range(0, len(message), 1000)]

        def datagram(index):
            fragment = varint(1 << 3 | 1) + struct.pack("<Q", 77) + varint(2 << 3) + varint(index)
            fragment += varint(3 << 3) + varint(len(parts)) + varint(4 << 3 | 2)
            fragment += varint(len(parts[index])) + parts[index]
            return in_clear(varint(11 << 3 | 2) + varint(len(fragment)) + fragment)

        self.assertEqual(len(parts), 4)
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / "a.pcap"
            write_recording(recording, [datagram(index) for index in (2, 0, 0, 3, 1, 2)])
            # Looked at once, and twice as in the window.
            for flags in ([], ["-2"]):
                info = tshark(recording, "-T", "fields", "-e", "_ws.col.Info", *flags).splitlines()
                whole = [line.partition(": ")[2] for line in info]
                self.assertEqual(whole, ["", "", "", "", "told", "told"])
                self.assertEqual(info[4], "part 2 of 4: told")
            self.assertEqual(tshark(recording, "-V").count("line of an answer"), 400)


@unittest.skipUnless(shutil.which("tshark"), "tshark is not installed")
class Session(unittest.TestCase):
    """A small session of real programs: what is on the wire, against what they said."""

    def record(self, world, *, sealed):
        """Runs the session; returns the names of the programs."""
        self.folder = world.folder
        mode = [] if sealed else ["--insecure"]

        def flags(name):
            found = [*mode, "--trace", world.folder / f"{name}.trace"]
            found += ["--pcap", world.folder / f"{name}.pcap"]
            return [*found, "--key-log", world.folder / "keys"] if sealed else found

        world.start_bank(flags=flags("bank"))
        alice, bob = (
            world.customer(name, opening=OPENING, flags=flags(name)) for name in ("alice", "bob")
        )
        alice.ok("new-cohort alice 2")
        for amount in (AMOUNT, "2", "3.50"):
            alice.ok(f"transfer {amount} bob")
        bob.ok("checkpoint")
        bob.ok("transfer 7 alice")
        alice.ok("rollback")
        alice.ok("transfer 1 bob")
        for program in (alice, bob, world.bank):
            program.end()
        return ("bank", "alice", "bob")

    def recording(self, name):
        return self.folder / f"{name}.pcap"

    def trace(self, name):
        lines = (self.folder / f"{name}.trace").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def check(self, names, *flags):
        """Every program's recording against its own trace, and some numbers that were typed."""
        for name in names:
            events = self.trace(name)
            said = {e["id"]: e["what"] for e in events if e["kind"] in ("sent", "received")}
            shown = columns(self.recording(name), ["p2pbank.id", "p2pbank.what"], *flags)
            self.assertEqual({ids[0]: what[0] for ids, what in shown if ids}, said)
            operations = {e["operation"] for e in events if "operation" in e}
            self.assertTrue(operations)
            self.assertLessEqual(
                operations, values(self.recording(name), "p2pbank.operation", *flags)
            )
        alice = self.recording("alice")
        only = ["-Y", 'p2pbank.sender == "alice" && p2pbank.transfers', *flags]
        self.assertLessEqual({"1", "2", "3"}, values(alice, "p2pbank.label", *only))
        amounts = values(alice, "p2pbank.transfers.amounts", *only)
        self.assertLessEqual({str(round(float(AMOUNT) * 100)), "200", "350", "100"}, amounts)
        self.assertIn(f": {AMOUNT}", tshark(alice, "-V", *only))
        # The rollback took alice to her second epoch.
        self.assertEqual(values(alice, "p2pbank.epoch", *only), {"1", "2"})
        self.assertEqual(values(alice, "p2pbank.cohort", *only), {"1"})
        operation = next(e["operation"] for e in self.trace("alice") if "operation" in e)
        match = ["-Y", f'p2pbank.operation == "{operation}"', *flags]
        self.assertTrue(columns(alice, ["frame.number"], *match))

    def test_in_clear(self):
        with World(start=False) as world:
            names = self.record(world, sealed=False)
            self.check(names)
            self.assertIn(AMOUNT_ON_WIRE, self.recording("alice").read_bytes())

    def test_sealed(self):
        with World(start=False) as world:
            names = self.record(world, sealed=True)
            keys = self.folder / "keys"
            self.check(names, "-o", f"p2pbank.keylog:{keys}")
            for name in names:
                recorded = self.recording(name).read_bytes()
                for secret in (b"alice", b"bob", AMOUNT_ON_WIRE):
                    self.assertNotIn(secret, recorded)
                # Without the keys, or with those of others, only headers are shown.
                others = self.folder / "others"
                others.write_text(
                    re.sub(r" (\w{64})$", lambda m: " " + m[1][::-1], keys.read_text(), flags=re.M)
                )
                for flags in ([], ["-o", f"p2pbank.keylog:{others}"]):
                    shown = columns(self.recording(name), ["p2pbank.type", "p2pbank.what"], *flags)
                    self.assertEqual({what for _, found in shown for what in found}, set())
                    types = {kind for found, _ in shown for kind in found}
                    self.assertLessEqual({"1", "2", "4"}, types)


if __name__ == "__main__":
    unittest.main()
