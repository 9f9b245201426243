"""Keys of accounts: bound to a new program, to an owner, and let go."""

import shutil
import unittest

from harness import World
from persons import make_known, sign_in

OWNER = "carol@example.org"


def elsewhere(world, name, *, flags=()):
    """A program on another machine: with a state folder of its own."""
    here, world.state = world.state, world.folder / "elsewhere"
    world.state.mkdir(mode=0o700, exist_ok=True)
    try:
        return world.customer(name, secrets=True, flags=flags)
    finally:
        world.state = here


class OldCopies(unittest.TestCase):
    def test_an_old_copy_takes_the_account_from_nobody_and_says_what_to_do(self):
        with World() as world:
            carol = world.customer("carol", secrets=True)
            make_known(world, carol, OWNER)
            carol.ok("open carol 100")
            carol.ok("checkpoint")
            carol.end()
            other = world.folder / "elsewhere"
            other.mkdir(mode=0o700)
            shutil.copytree(world.state / "carol", other / "carol")
            carol = world.resume("carol")
            sign_in(carol, OWNER)
            carol.ok("withdrawal 90")
            carol.ok("checkpoint")
            # The copy has lost its key, as one on another machine may have.
            (other / "carol" / "key").unlink()
            copy = elsewhere(world, "copy", flags=("--name", "carol", "--new-key"))
            copy.wait_log("with another key")
            sign_in(copy, OWNER)
            refused = copy.refuses("old-state", "bind carol")
            self.assertIn("statement 1 here, 2 at the bank", refused.text)
            # The good program goes on.
            carol.ok("deposit 1")
            carol.ok("checkpoint")
            carol.expect("SUCCESS balance 11", "balance")
            # And what the text says works.
            copy.end()
            carol.end()
            (other / "carol").rename(other / "carol.old")
            copy = elsewhere(world, "copy", flags=("--name", "carol"))
            sign_in(copy, OWNER)
            copy.ok("bind carol")
            copy.expect("SUCCESS balance 11", "balance")
            copy.ok("withdrawal 11")
            copy.ok("checkpoint")

    def test_without_a_state_where_there_is_one_nothing_is_changed(self):
        with World() as world:
            carol = world.customer("carol", secrets=True)
            make_known(world, carol, OWNER)
            carol.ok("open carol 100")
            shutil.copytree(world.state / "carol", world.folder / "elsewhere" / "carol")
            (world.folder / "elsewhere").chmod(0o700)
            other = elsewhere(world, "other")
            answer = other.refuses("no-account", "balance")
            self.assertIn("the state of carol", answer.text)
            sign_in(other, OWNER)
            refused = other.refuses("state-exists", "bind carol")
            self.assertIn("elsewhere/carol holds", refused.text)
            carol.ok("checkpoint")  # the bank still knows its key


class Owners(unittest.TestCase):
    def test_an_account_that_was_opened_before_signing_in_gets_an_owner(self):
        with World() as world:
            bob = world.customer("bob", secrets=True)
            bob.ok("open bob 50")
            stranger = elsewhere(world, "stranger")
            make_known(world, stranger, "mallory@example.org")
            refused = stranger.refuses("not-allowed", "bind bob")
            self.assertIn("signs in there and types `bind bob`", refused.text)
            make_known(world, bob, "bob@example.org")
            answer = bob.expect("SUCCESS bind bob", "bind bob")
            self.assertEqual(answer.lines, ["bob belongs to bob@example.org from now on"])
            self.assertIn("signed in   bob@example.org", "\n".join(bob.ok("status").lines))
            world.bank.ok("add-product pen Pen 1 10 office")
            bob.ok("buy pen 1")
            # The owner comes back without its state.
            bob.end()
            shutil.rmtree(world.state / "bob")
            bob = world.customer("bob", secrets=True, flags=("--name", "bob"))
            bob.wait_log("then bind bob")
            taken = bob.refuses("name-taken", "open bob 5")
            self.assertIn("sign-in <email>, then bind bob", taken.text)
            sign_in(bob, "bob@example.org")
            bob.ok("bind bob")
            bob.expect("SUCCESS balance 49", "balance")


class Unbind(unittest.TestCase):
    def test_a_running_program_keeps_its_account_but_for_force(self):
        with World() as world:
            alice = world.customer("alice", opening="10")
            refused = world.bank.refuses("running", "unbind alice")
            self.assertIn("--force", refused.text)
            alice.ok("checkpoint")
            alice.end()
            answer = world.bank.expect("SUCCESS unbind alice", "unbind alice")
            self.assertEqual(answer.lines[0], "no program answers for it now")
            self.assertIn("starts at 127.0.0.1 takes it", answer.lines[1])
            shutil.rmtree(world.state / "alice")
            again = world.customer("alice", flags=("--name", "alice"))
            again.wait_log("has taken over account alice")
            again.expect("SUCCESS balance 10", "balance")
            world.bank.ok("unbind alice --force")
            again.end()


if __name__ == "__main__":
    unittest.main()
