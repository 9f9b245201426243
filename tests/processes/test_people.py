"""People: registration, verification, signing in and out, passwords, roles, the bank's key."""

import time
import unittest

from harness import World
from persons import PASSWORD, code_for, has_role, make_known, register, sign_in
from programs import run_program

ALICE = "alice@example.org"


class Registration(unittest.TestCase):
    def test_register_verify_and_sign_in(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            register(alice, ALICE, "Alice Adams")
            world.bank.expect("SUCCESS people 1", "people")
            answer = sign_in(alice, ALICE)
            self.assertIn("not verified", "\n".join(answer.lines))
            alice.expect(f"SUCCESS verify {ALICE}", f"verify {code_for(world.bank, ALICE).lower()}")
            answer = sign_in(alice, ALICE)
            self.assertEqual((answer.first, answer.lines), (f"SUCCESS sign-in {ALICE}", []))
            people = world.bank.expect("SUCCESS people 1", "people").lines
            self.assertEqual(people, [f"{ALICE}  Alice Adams  customer"])

    def test_an_email_is_registered_once_however_it_is_written(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            register(alice, ALICE)
            alice.whisper("Somebody else", PASSWORD, PASSWORD)
            alice.refuses("email-taken", "register Alice@Example.ORG")

    def test_what_cannot_be_registered_is_refused(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            for email in ("nonsense", "a@", "@b.org", "a@b", "a b@c.org", "a@b..org"):
                words = f"'{email}'" if " " in email else email
                alice.whisper("Alice", PASSWORD, PASSWORD)
                answer = alice.cmd(f"register {words}")
                self.assertIn(answer.code, ("bad-email", "usage"), str(answer))
                if "@" not in email or " " in email:
                    # Refused before anything was asked for: what was whispered is used now.
                    alice.refuses("bad-email", "register also@wrong")
            for secrets, code in (
                (("Alice", "seven77", "seven77"), "bad-password"),
                (("Alice", PASSWORD, PASSWORD + "!"), "passwords-differ"),
                (("Alice", ALICE, ALICE), "bad-password"),
                (("Ali\tce", PASSWORD, PASSWORD), "bad-text"),
                (("", PASSWORD, PASSWORD), "bad-text"),
                (("x" * 300, PASSWORD, PASSWORD), "bad-text"),
            ):
                alice.whisper(*secrets)
                alice.refuses(code, f"register {ALICE}")
            world.bank.expect("SUCCESS people 0", "people")
            register(alice, ALICE)

    def test_a_wrong_code_verifies_nobody_and_a_right_one_once(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            register(alice, ALICE)
            code = code_for(world.bank, ALICE)
            alice.refuses("wrong-code", "verify 22222222")
            alice.refuses("usage", "verify")
            alice.ok(f"verify {code}")
            alice.refuses("wrong-code", f"verify {code}")

    def test_passwords_are_never_taken_from_the_command_line(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            alice.refuses("usage", f"register {ALICE} {PASSWORD.split()[0]}")
            alice.refuses("usage", f"sign-in {ALICE} {PASSWORD.split()[0]}")
            alice.refuses("usage", "passwd secret")

    def test_without_a_descriptor_or_a_terminal_nobody_can_be_asked(self):
        with World() as world:
            alice = world.customer("alice")
            answer = alice.cmd(f"register {ALICE}")
            self.assertEqual(answer.outcome, "FAILURE")
            self.assertIn("--password-fd", answer.text)

    def test_a_descriptor_that_has_another_use_is_refused(self):
        with World() as world:
            for number in (0, 1, 2, 77, -1, "x"):
                status, _, text = run_program(
                    "customer", "--bank", world.bank_address, "--port1", 0, "--port2", 0,
                    "--password-fd", number,
                )  # fmt: skip
                self.assertEqual(status, 2, number)
                self.assertIn("--password-fd", text)

    def test_registrations_survive_kill_9_of_the_bank(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            make_known(world, alice, ALICE)
            world.bank.ok(f"role {ALICE} teller")
            world.bank.kill()
            world.restart_bank()
            people = world.bank.expect("SUCCESS people 1", "people").lines
            self.assertIn("teller", people[0])
            sign_in(alice, ALICE)


class SigningIn(unittest.TestCase):
    def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            register(alice, ALICE)
            alice.whisper("wrong")
            wrong = alice.cmd(f"sign-in {ALICE}")
            alice.whisper(PASSWORD)
            unknown = alice.cmd("sign-in nobody@example.org")
            self.assertEqual(str(wrong), str(unknown))
            self.assertEqual(wrong.code, "wrong-credentials")

    def test_failures_are_followed_by_a_growing_delay_for_known_and_unknown(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            register(alice, ALICE)
            for email in (ALICE, "nobody@example.org"):
                for _ in range(4):
                    alice.whisper("wrong")
                    alice.refuses("wrong-credentials", f"sign-in {email}")
                alice.whisper(PASSWORD)
                answer = alice.refuses("too-many-attempts", f"sign-in {email}")
                self.assertEqual(answer.text, "wait 1 s")
            deadline = time.monotonic() + 20
            while True:  # the delay passes, and the next failure doubles it
                alice.whisper("wrong")
                answer = alice.cmd(f"sign-in {ALICE}")
                if answer.code == "wrong-credentials" or time.monotonic() > deadline:
                    break
            alice.whisper(PASSWORD)
            answer = alice.refuses("too-many-attempts", f"sign-in {ALICE}")
            self.assertEqual(answer.text, "wait 2 s")

    def test_sign_out_ends_it(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            make_known(world, alice, ALICE)
            alice.ok("open alice 100")
            alice.expect(f"SUCCESS sign-out {ALICE}", "sign-out")
            alice.refuses("not-signed-in", "sign-out")
            alice.refuses("not-signed-in", "passwd")

    def test_an_account_that_belongs_to_a_person_deals_for_that_person_only(self):
        with World() as world:
            world.bank.ok("add-product pen Pen 1 10 office")
            alice = world.customer("alice", secrets=True)
            make_known(world, alice, ALICE)
            alice.ok("open alice 100")
            alice.ok("buy pen 1")
            alice.ok("sign-out")
            for line in ("buy pen 1", "pay Netflix 5", "loan 1000 12", "purchases", "tokens",
                         "loans", "activity"):  # fmt: skip
                alice.refuses("not-signed-in", line)
            make_known(world, alice, "mallory@example.org")
            for line in ("buy pen 1", "purchases", "loans"):
                alice.refuses("not-allowed|not-yours", line)
            alice.expect("SUCCESS balance 99", "balance")
            sign_in(alice, ALICE)
            alice.expect("SUCCESS purchases 1", "purchases")

    def test_a_person_may_have_several_accounts(self):
        with World() as world:
            one = world.customer("one", secrets=True)
            make_known(world, one, ALICE)
            one.ok("open savings 10")
            two = world.customer("two", secrets=True)
            sign_in(two, ALICE)
            two.ok("open travel 20")
            report = "\n".join(world.bank.ok("report").lines)
            self.assertRegex(report, r"(?m)^customers +accounts +2$")
            self.assertRegex(report, r"(?m)^customers +unique names +1$")

    def test_a_new_password(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            make_known(world, alice, ALICE)
            alice.whisper("wrong", "a new password", "a new password")
            alice.refuses("wrong-credentials", "passwd")
            alice.whisper(PASSWORD, "a new password", "another new one")
            alice.refuses("passwords-differ", "passwd")
            alice.whisper(PASSWORD, "short", "short")
            alice.refuses("bad-password", "passwd")
            alice.whisper(PASSWORD, "a new password", "a new password")
            alice.expect(f"SUCCESS passwd {ALICE}", "passwd")
            alice.ok("sign-out")
            alice.whisper(PASSWORD)
            alice.refuses("wrong-credentials", f"sign-in {ALICE}")
            sign_in(alice, ALICE, "a new password")

    def test_a_new_password_ends_the_sessions_elsewhere(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            has_role(world, alice, ALICE, "admin")
            elsewhere = world.customer("elsewhere", secrets=True)
            sign_in(elsewhere, ALICE)
            elsewhere.ok("people")
            alice.whisper(PASSWORD, "a new password", "a new password")
            alice.ok("passwd")
            elsewhere.refuses("not-signed-in", "people")
            alice.ok("people")


class RequireVerified(unittest.TestCase):
    def test_accounts_are_for_verified_people_only(self):
        with World(flags=("--require-verified",)) as world:
            alice = world.customer("alice", secrets=True)
            alice.refuses("not-signed-in", "open alice 100")
            register(alice, ALICE)
            sign_in(alice, ALICE)
            alice.refuses("not-verified", "open alice 100")
            alice.ok(f"verify {code_for(world.bank, ALICE)}")
            alice.expect("SUCCESS open alice balance 100", "open alice 100")
            self.assertEqual(list(world.rows()), ["alice"])


class Roles(unittest.TestCase):
    TELLERS = (
        "add-product cup Cup 3 5 kitchen",
        "edit-product cup --price 4",
        "restock cup 1",
        "report",
        "settings",
        "purchases --product cup",
        "remove-product cup",
    )
    ADMINS = (
        "people",
        f"role {ALICE} admin",
        "set loan-rate 9",
        "add-biller Parking service",
        "remove-biller Parking",
        "refusals",
    )

    def test_each_command_needs_its_role_and_refusals_are_logged(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            for line in (*self.TELLERS, *self.ADMINS):
                alice.refuses("not-signed-in", line)
            make_known(world, alice, ALICE)
            for line in (*self.TELLERS, *self.ADMINS):
                alice.refuses("not-allowed", line)
            refusals = "\n".join(world.bank.ok("refusals").lines)
            for line in (*self.TELLERS, *self.ADMINS):
                verb = line.split()[0]
                self.assertRegex(refusals, rf"{ALICE} +{verb}( --product)? +not-allowed")
                self.assertRegex(
                    world.bank.log, rf"refused {ALICE}: {verb}( --product)? \(not-allowed\)"
                )
            self.assertEqual(alice.ok("products").first, "SUCCESS products 0")

    def test_a_teller_may_do_what_tellers_do(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            has_role(world, alice, ALICE, "teller")
            for line in self.TELLERS:
                alice.ok(line)
            for line in self.ADMINS:
                alice.refuses("not-allowed", line)

    def test_an_admin_may_do_what_tellers_and_admins_do(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            has_role(world, alice, ALICE, "admin")
            for line in (*self.TELLERS, *self.ADMINS):
                alice.ok(line)

    def test_nobody_looks_into_the_account_of_somebody_else(self):
        with World() as world:
            bob = world.customer("bob", opening="500")
            bob.ok("loan 100 1")
            alice = world.customer("alice", secrets=True)
            make_known(world, alice, ALICE)
            alice.refuses("not-allowed", "purchases bob")
            alice.refuses("unknown-loan", "schedule 1")
            world.bank.ok(f"role {ALICE} teller")
            alice.ok("purchases bob")
            alice.ok("schedule 1")

    def test_what_is_no_role_and_who_is_nobody(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            register(alice, ALICE)
            world.bank.refuses("bad-role", f"role {ALICE} boss")
            world.bank.refuses("unknown-person", "role nobody@example.org teller")
            world.bank.refuses("bad-email", "role nobody teller")
            world.bank.refuses("usage", f"role {ALICE}")


class Secrets(unittest.TestCase):
    def test_no_password_is_written_anywhere(self):
        with World(flags=("--trace", "/dev/stderr", "--log-level", "debug")) as world:
            trace = world.folder / "alice.trace"
            flags = ("--trace", trace, "--log-level", "debug")
            alice = world.customer("alice", secrets=True, flags=flags)
            make_known(world, alice, ALICE, "Alice", "open sesame 12345")
            alice.ok("open alice 100")
            alice.whisper("open sesame 12345", "close sesame 54321", "close sesame 54321")
            alice.ok("passwd")
            alice.whisper("wrong sesame")
            alice.refuses("wrong-credentials", f"sign-in {ALICE}")
            alice.end()
            world.bank.end()
            texts = [world.bank.log, world.bank.output(), alice.log, alice.output()]
            texts += [path.read_bytes().decode("latin-1")
                      for path in world.folder.rglob("*") if path.is_file()]  # fmt: skip
            self.assertGreater(len(texts), 8)
            self.assertTrue(any("argon2id" in text for text in texts))
            for text in texts:
                self.assertNotIn("sesame", text)

    def test_files_with_secrets_are_their_owners_only(self):
        with World() as world:
            alice = world.customer("alice", secrets=True)
            make_known(world, alice, ALICE)
            for name in ("bank.key", "bank.db", "data.csv.journal"):
                mode = (world.data.parent / name).stat().st_mode
                self.assertEqual(mode & 0o077, 0, name)


class TheBanksKey(unittest.TestCase):
    def test_the_bank_shows_its_fingerprint_and_the_customer_remembers_it(self):
        with World() as world:
            shown = world.bank.wait_log(r"the key of this bank is (\S+)").group(1)
            alice = world.customer("alice", secrets=True)
            alice.ok("products")  # it hears the key with the bank's first word
            remembered = alice.wait_log(r"remembered the key of the bank at \S+: ([0-9a-f-]+)")
            self.assertEqual(remembered.group(1), shown)
            alice.end()
            again = world.customer("alice", secrets=True)
            register(again, ALICE)
            self.assertNotIn("remembered the key", again.log)

    def test_a_bank_with_another_key_is_told_no_secret(self):
        with World() as world:
            alice = world.customer("alice", opening="100", secrets=True)
            alice.wait_log("remembered the key")
            alice.end()
            world.bank.end()
            (world.data.parent / "bank.key").unlink()
            world.restart_bank(flags=("--new-key",)).wait_log("bank.key is missing")
            alice = world.resume("alice")
            alice.refuses("bank-key-changed", "products")
            alice.wait_log("shows another key: [0-9a-f-]+ instead of [0-9a-f-]+")
            alice.refuses("bank-key-changed", f"register {ALICE}")
            alice.expect("SUCCESS balance 100", "balance")
            remembered = list((world.state / "banks").iterdir())
            self.assertEqual(len(remembered), 1)
            alice.end()
            remembered[0].unlink()
            register(world.resume("alice"), ALICE)

    def test_a_damaged_key_is_refused_and_left_alone(self):
        with World() as world:
            world.bank.end()
            key = world.data.parent / "bank.key"
            key.write_text("nonsense\n")
            bank = world.start_bank(wait=False)
            self.assertEqual(bank.wait_end(), 2)
            self.assertIn("bank.key", bank.log)
            self.assertEqual(key.read_text(), "nonsense\n")


if __name__ == "__main__":
    unittest.main()
