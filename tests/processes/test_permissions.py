"""Files and folders that others could get at: refused with a message that says how to mend it, and
never made so."""

import os
import re
import subprocess
import unittest

from harness import World
from programs import run_program


class Refused(unittest.TestCase):
    """Each that is too open: the program does not start, and does once its own advice is taken."""

    def refused_and_mended(self, path, mode, program, *flags):
        before = path.stat().st_mode & 0o777
        path.chmod(mode)
        status, out, err = run_program(program, *flags)
        self.assertEqual((status, out), (2, ""), f"{path} with {mode:o}: {err}")
        advice = re.search(r"(chmod \S+ .+)$", err.strip())
        self.assertTrue(advice and str(path) in advice[1], err)
        self.assertEqual(subprocess.run(advice[1], shell=True).returncode, 0)
        self.assertEqual(path.stat().st_mode & 0o777, before)
        status, _, err = run_program(program, *flags)
        self.assertEqual(status, 0, err)

    def test_of_the_bank(self):
        with World() as world:
            world.customer("alice", opening="10").end()
            world.bank.end()
            flags = ("--port", 0, "--any-port", "--data", world.data)
            data = world.data.parent
            found = {path.name for path in data.iterdir()}
            private = {"bank.key", "bank.db", "data.csv.journal", "data.csv.lock"}
            self.assertLessEqual({"data.csv", *private}, found)
            for name in sorted(private):
                for mode in (0o640, 0o604, 0o602):
                    self.refused_and_mended(data / name, mode, "bank", *flags)
            for mode in (0o620, 0o602):
                self.refused_and_mended(world.data, mode, "bank", *flags)
            for mode in (0o720, 0o702):
                self.refused_and_mended(data, mode, "bank", *flags)
            # Its user may let others read the table, and look into the folder.
            world.data.chmod(0o644)
            data.chmod(0o755)
            self.assertEqual(run_program("bank", *flags)[0], 0)

    def test_of_a_customer(self):
        with World() as world:
            world.customer("alice", opening="10").end()
            flags = ("--bank", world.bank_address, "--port1", 0, "--port2", 0)
            flags = (*flags, "--state", world.state, "--name", "alice")
            account = world.state / "alice"
            self.assertEqual({p.name for p in account.iterdir()}, {"journal", "key", "lock"})
            for name in ("journal", "key", "lock"):
                for mode in (0o640, 0o604, 0o602):
                    self.refused_and_mended(account / name, mode, "customer", *flags)
            for mode in (0o710, 0o701, 0o777):
                self.refused_and_mended(account, mode, "customer", *flags)
            for mode in (0o720, 0o702):
                self.refused_and_mended(world.state, mode, "customer", *flags)
            (known,) = (world.state / "banks").iterdir()
            self.refused_and_mended(known, 0o622, "customer", *flags)

    def test_of_those_who_watch(self):
        with World() as world:
            for flag in ("--key-log", "--pcap"):
                path = world.folder / "watched"
                path.write_bytes(b"")
                flags = ("--bank", world.bank_address, "--port1", 0, "--port2", 0)
                path.chmod(0o600)
                self.refused_and_mended(path, 0o644, "customer", *flags, flag, path)
                path.unlink()


class Made(unittest.TestCase):
    """Whatever the umask, nothing is made that others could read."""

    def session(self, umask):
        with World(start=False) as world:
            before = os.umask(umask)
            try:
                world.start_bank()
                self.files_of_a_session(world)
            finally:
                os.umask(before)

    def files_of_a_session(self, world):
        watch = {
            name: [
                word
                for what in ("trace", "pcap", "key-log")
                for word in (f"--{what}", world.folder / f"{name}.{what}")
            ]
            for name in ("again", "alice")
        }
        alice = world.customer("alice", opening="100", flags=watch["alice"])
        bob = world.customer("bob", opening="100")
        alice.ok("new-cohort alice 2")
        alice.ok("transfer 5 bob")
        bob.ok("checkpoint")
        world.bank.end()
        world.restart_bank(flags=watch["again"])
        world.bank.ok(f"export {world.folder / 'exported'}")
        alice.expect("SUCCESS transfer 1 to bob label 2 balance 94", "transfer 1 bob")
        found = set()
        for folder, folders, files in os.walk(world.folder):
            for name in [*folders, *files]:
                path = os.path.join(folder, name)
                mode = os.stat(path).st_mode & 0o777
                self.assertEqual(mode, 0o700 if name in folders else 0o600, path)
                found.add(name)
        wanted = {"bank.key", "bank.db", "bank.db-wal", "data.csv", "data.csv.journal", "alice"}
        wanted |= {"journal", "key", "lock", "banks", "exported"}
        wanted |= {f"{name}.{what}" for name in watch for what in ("trace", "pcap", "key-log")}
        self.assertLessEqual(wanted, found)

    def test_with_an_open_umask(self):
        self.session(0)

    def test_with_a_closed_umask(self):
        self.session(0o777)


if __name__ == "__main__":
    unittest.main()
