"""The shop: products, purchases, and the files in which both come and go."""

import csv
import unittest

from harness import World

LAMP = 'add-product lamp "Desk lamp" 249.99 10 home,light'
PEN = "add-product pen Pen 1.50 100 office"
INVENTORY = "id,name,price,quantity,categories\n"
PURCHASES = "order,date,customer,product,quantity,amount,state\n"


def shop(world, *lines):
    for line in lines or (LAMP, PEN):
        world.bank.ok(line)


def stock(program):
    """What `products` shows, as {id: quantity}."""
    rows = program.ok("products").lines[1:]
    found = {}
    for row in rows:
        # id, name ..., price, quantity, categories
        words = row.split()
        found[words[0]] = int(words[-2])
    return found


def import_text(world, text):
    path = world.folder / "import.csv"
    path.write_text(text)
    return world.bank.cmd(f"import {path}")


class Products(unittest.TestCase):
    def test_add_list_and_search(self):
        with World() as world:
            shop(world)
            alice = world.customer("alice")
            for program in (world.bank, alice):
                answer = program.expect("SUCCESS products 2", "products")
                self.assertEqual(
                    [line.split() for line in answer.lines],
                    [
                        ["id", "name", "price", "quantity", "categories"],
                        ["lamp", "Desk", "lamp", "249.99", "10", "home,light"],
                        ["pen", "Pen", "1.50", "100", "office"],
                    ],
                )
                for part in ("light", "LIGHT", "igh", "hom"):
                    answer = program.expect("SUCCESS search 1", f"search {part}")
                    self.assertIn("Desk lamp", answer.lines[1])
                program.expect("SUCCESS search 0", "search garden")

    def test_edit_restock_and_remove(self):
        with World() as world:
            shop(world)
            bank = world.bank
            bank.expect("SUCCESS edit-product lamp price 199", "edit-product lamp --price 199")
            bank.ok('edit-product lamp --name "Lamp de luxe" --categories home,office')
            bank.expect("SUCCESS search 2", "search office")
            bank.expect("SUCCESS restock lamp quantity 35", "restock lamp 25")
            line = bank.ok("products").lines[1]
            self.assertEqual(line.split(), "lamp Lamp de luxe 199 35 home,office".split())
            bank.ok("remove-product pen")
            bank.expect("SUCCESS products 1", "products")
            bank.refuses("unknown-product", "restock pen 1")

    def test_bad_input_is_refused_and_changes_nothing(self):
        with World() as world:
            shop(world)
            before = world.bank.ok("products").lines
            for code, line in (
                ("product-exists", "add-product pen Other 1 1 office"),
                ("bad-quantity", "add-product cup Cup 1 -1 kitchen"),
                ("bad-quantity", "add-product cup Cup 1 1.5 kitchen"),
                ("bad-quantity", "add-product cup Cup 1 many kitchen"),
                ("bad-quantity", "add-product cup Cup 1 99999999999 kitchen"),
                ("bad-amount", "add-product cup Cup -1 1 kitchen"),
                ("bad-amount", "add-product cup Cup 0 1 kitchen"),
                ("bad-amount", "add-product cup Cup 1.999 1 kitchen"),
                ("bad-amount", "add-product cup Cup 1000000000000001 1 kitchen"),
                ("bad-category", "add-product cup Cup 1 1 ,"),
                ("bad-category", 'add-product cup Cup 1 1 ""'),
                ("bad-category", "add-product cup Cup 1 1 kitchen,,home"),
                ("bad-category", "add-product cup Cup 1 1 kitchen,Kitchen"),
                ("bad-text", 'add-product cup "" 1 1 kitchen'),
                ("bad-text", 'add-product cup "C\x07up" 1 1 kitchen'),
                ("bad-category", 'add-product cup Cup 1 1 "kit\x1bchen"'),
                ("bad-product-id", 'add-product "c p" Cup 1 1 kitchen'),
                ("usage", "add-product cup Cup 1 1"),
                ("usage", "edit-product pen"),
                ("usage", "edit-product pen --colour blue"),
                ("unknown-product", "edit-product cup --price 1"),
                ("bad-amount", "edit-product pen --price free"),
                ("bad-category", "edit-product pen --categories a,A"),
                ("unknown-product", "restock cup 1"),
                ("bad-quantity", "restock pen 0"),
                ("bad-quantity", "restock pen -5"),
                ("bad-quantity", "restock pen 0.5"),
                ("unknown-product", "remove-product cup"),
                ("usage", "search"),
            ):
                with self.subTest(line=line):
                    world.bank.refuses(code, line)
            self.assertEqual(world.bank.ok("products").lines, before)

    def test_products_survive_kill_9_of_the_bank(self):
        with World() as world:
            shop(world)
            before = world.bank.ok("products").lines
            world.bank.kill()
            world.restart_bank()
            self.assertEqual(world.bank.ok("products").lines, before)


class Buying(unittest.TestCase):
    def test_outside_of_a_cohort_a_purchase_settles_at_once(self):
        with World() as world:
            shop(world)
            alice = world.customer("alice", opening="1000")
            alice.expect(
                "SUCCESS buy lamp quantity 2 amount 499.98 order 1 settled balance 500.02",
                "buy lamp 2",
            )
            self.assertEqual(stock(alice), {"lamp": 8, "pen": 100})
            self.assertEqual(world.rows()["alice"]["balance"], "500.02")
            world.audit_adds_up(balances="500.02", bank="499.98", expected="1000")

    def test_what_cannot_be_bought_changes_nothing(self):
        with World() as world:
            shop(world, LAMP, PEN, "add-product gold Gold 999999999999999 1000000 metal")
            alice = world.customer("alice", opening="500")
            alice.refuses("out-of-stock", "buy lamp 11")
            answer = alice.refuses("overdraft", "buy lamp 3")
            self.assertIn("249.97 short", answer.text)
            alice.refuses("unknown-product", "buy cup 1")
            for quantity in ("0", "-1", "1.5", "one", "1e3", "99999999999999999999"):
                alice.refuses("bad-quantity", f"buy pen {quantity}")
            alice.refuses("price-overflow", "buy gold 1000000")
            alice.refuses("usage", "buy pen")
            alice.expect("SUCCESS balance 500", "balance")
            self.assertEqual(stock(alice), {"lamp": 10, "pen": 100, "gold": 1000000})
            alice.expect("SUCCESS purchases 0", "purchases")
            world.audit_adds_up(balances="500", expected="500")

    def test_without_an_account_nothing_is_bought(self):
        with World() as world:
            shop(world)
            world.customer("nobody").refuses("no-account", "buy pen 1")

    def test_in_a_cohort_a_rollback_brings_stock_and_money_back(self):
        with World() as world:
            shop(world)
            alice, _ = world.cohort("alice", "bob", opening="1000")
            answer = alice.expect(
                "SUCCESS buy lamp quantity 2 amount 499.98 order 1 pending balance 500.02",
                "buy lamp 2",
            )
            self.assertIn("a rollback cancels it", "\n".join(answer.lines))
            self.assertEqual(stock(world.bank)["lamp"], 8)
            self.assertRegex(alice.ok("purchases").lines[1], r" pending$")
            world.audit_adds_up(balances="2000", expected="2000")
            alice.ok("rollback")
            alice.expect("SUCCESS balance 1000", "balance")
            self.assertEqual(stock(world.bank)["lamp"], 10)
            self.assertRegex(alice.ok("purchases").lines[1], r" cancelled$")
            self.assertRegex("\n".join(alice.ok("statement").lines), r"bought lamp .* rolled back")
            alice.ok("checkpoint")
            self.assertRegex("\n".join(alice.ok("activity").lines), r"purchase .* rolled back")
            world.audit_adds_up(balances="2000", expected="2000")

    def test_in_a_cohort_a_checkpoint_settles_it(self):
        with World() as world:
            shop(world)
            alice, bob = world.cohort("alice", "bob", opening="1000")
            alice.ok("buy lamp 1")
            alice.ok("checkpoint")
            alice.ok("rollback")
            alice.expect("SUCCESS balance 750.01", "balance")
            self.assertRegex(alice.ok("purchases").lines[1], r" settled$")
            self.assertEqual(stock(bob)["lamp"], 9)
            world.audit_adds_up(balances="1750.01", bank="249.99", expected="2000")

    def test_the_rollback_of_another_cancels_what_was_bought_with_its_money(self):
        with World() as world:
            shop(world)
            alice, bob = world.cohort("alice", "bob", opening="200")
            alice.ok("transfer 100 bob")
            bob.ok("buy lamp 1")
            alice.expect("SUCCESS rollback alice (sent 1 transfer to bob), bob", "rollback")
            bob.becomes("SUCCESS balance 200", "balance")
            self.assertEqual(stock(world.bank)["lamp"], 10)
            world.audit_adds_up(balances="400", expected="400")

    def test_a_price_that_changes_does_not_change_what_was_bought(self):
        with World() as world:
            shop(world)
            alice, _ = world.cohort("alice", "bob", opening="1000")
            alice.ok("buy pen 2")
            world.bank.ok("edit-product pen --price 5 --name Biro")
            alice.expect(
                "SUCCESS buy pen quantity 1 amount 5 order 2 pending balance 992", "buy pen 1"
            )
            alice.ok("rollback")
            alice.expect("SUCCESS balance 1000", "balance")
            self.assertEqual(stock(world.bank)["pen"], 100)

    def test_history_of_a_customer_and_of_a_product(self):
        with World() as world:
            shop(world)
            alice = world.customer("alice", opening="1000")
            bob = world.customer("bob", opening="1000")
            alice.ok("buy pen 1")
            bob.ok("buy pen 2")
            bob.ok("buy lamp 1")
            alice.expect("SUCCESS purchases 1", "purchases")
            bob.expect("SUCCESS purchases 2", "purchases")
            bank = world.bank
            bank.expect("SUCCESS purchases 3", "purchases")
            bank.expect("SUCCESS purchases 2", "purchases bob")
            answer = bank.expect("SUCCESS purchases 2", "purchases --product pen")
            self.assertEqual([line.split()[3] for line in answer.lines[1:]], ["bob", "alice"])
            bank.refuses("unknown-customer", "purchases carol")

    def test_what_has_purchases_can_be_removed_and_its_history_stays(self):
        with World() as world:
            shop(world)
            alice = world.customer("alice", opening="1000")
            alice.ok("buy pen 1")
            world.bank.ok("remove-product pen")
            world.bank.expect("SUCCESS purchases 1", "purchases --product pen")
            alice.refuses("unknown-product", "buy pen 1")
            world.audit_adds_up(balances="998.50", bank="1.50", expected="1000")


class Files(unittest.TestCase):
    def test_export_and_import_into_another_bank(self):
        with World() as world, World() as other:
            shop(world, LAMP, PEN, 'add-product cup "Cup, \\"big\\"" 3 7 kitchen')
            alice = world.customer("alice", opening="1000")
            alice.ok("buy pen 3")
            alice.ok("buy lamp 1")
            exported = world.folder / "exported"
            world.bank.ok(f"export {exported}")
            other.bank.expect("SUCCESS import products 3 new 3",
                              f"import {exported}/inventory.csv")  # fmt: skip
            other.bank.expect("SUCCESS import purchases 2", f"import {exported}/purchases.csv")
            self.assertEqual(other.bank.ok("products").lines, world.bank.ok("products").lines)
            again = other.folder / "again"
            other.bank.ok(f"export {again}")
            name = "inventory.csv"
            self.assertEqual((again / name).read_text(), (exported / name).read_text())

            def purchases(folder):
                rows = csv.DictReader((folder / "purchases.csv").read_text().splitlines())
                return [{**row, "order": ""} for row in rows]

            self.assertEqual(purchases(again), purchases(exported))
            self.assertEqual(len(purchases(again)), 2)
            sales = [line for line in world.bank.ok("report").lines if line.startswith("sales ")]
            self.assertEqual(
                [line for line in other.bank.ok("report").lines if line.startswith("sales ")],
                sales,
            )
            world.audit_adds_up()
            other.audit_adds_up()

    def test_files_as_spreadsheets_save_them(self):
        with World() as world:
            inventory = "\ufeff" + INVENTORY + "cup,Cup,3,7,kitchen\n"
            self.assertEqual(
                str(import_text(world, inventory.replace("\n", "\r\n"))),
                "SUCCESS import products 1 new 1",
            )
            purchases = "\ufeff" + PURCHASES + "1,2026-11-01 10:00:00,ann,cup,2,6,settled\n"
            self.assertEqual(
                str(import_text(world, purchases.replace("\n", "\r\n"))),
                "SUCCESS import purchases 1",
            )

    def test_an_imported_file_with_anything_wrong_is_refused_with_line_and_reason(self):
        with World() as world:
            shop(world)
            before = world.bank.ok("products").lines
            good = "cup,Cup,3,7,kitchen\n"
            for line, reason in (
                ("cup,Cup,3,7,kitchen", "twice"),
                ("mug,Mug,3,-7,kitchen", "not a quantity"),
                ("mug,Mug,3,1.5,kitchen", "not a quantity"),
                ("mug,Mug,0,7,kitchen", "not an amount"),
                ("mug,Mug,-3,7,kitchen", "not an amount"),
                ("mug,Mug,99999999999999999999,7,kitchen", "not an amount"),
                ("mug,Mug,3,7,", "category is empty"),
                ("mug,Mug,3,7,kitchen;;home", "category is empty"),
                ("mug,Mug,3,7,kitchen;KITCHEN", "twice"),
                ("mug,,3,7,kitchen", "empty"),
                ("mug,M\x07ug,3,7,kitchen", "control character"),
                ('mug,"Mug,3,7,kitchen', "quoted field"),
                ("mug,Mug,3,7", "4 columns instead of 5"),
                ("mug,Mug,3,7,kitchen,more", "6 columns instead of 5"),
            ):
                with self.subTest(line=line):
                    answer = import_text(world, INVENTORY + good + line + "\n")
                    self.assertEqual(answer.code, "bad-csv", str(answer))
                    self.assertIn("line 3", answer.text)
                    self.assertIn(reason, answer.text)
                    self.assertEqual(world.bank.ok("products").lines, before)
            for text in ("", "\n", "name,price\nCup,3\n"):
                self.assertIn("line 1", import_text(world, text).text)
            world.bank.refuses("not-found", f"import {world.folder}/none.csv")
            world.bank.refuses("usage", "import")

    def test_what_is_there_already_is_not_imported_again_by_mistake(self):
        with World() as world:
            shop(world)
            text = INVENTORY + "cup,Cup,3,7,kitchen\npen,Biro,2,5,office\n"
            before = world.bank.ok("products").lines
            answer = import_text(world, text)
            self.assertEqual(answer.code, "bad-csv", str(answer))
            self.assertIn("there is a product pen already", answer.text)
            self.assertIn("line 3", answer.text)
            self.assertEqual(world.bank.ok("products").lines, before)
            world.bank.expect(
                "SUCCESS import products 2 new 1", f"import {world.folder}/import.csv --replace"
            )
            self.assertEqual(stock(world.bank), {"cup": 7, "lamp": 10, "pen": 5})
            text = PURCHASES + "1,2025-03-01 10:00:00,carol,pen,2,3,settled\n"
            self.assertEqual(import_text(world, text).first, "SUCCESS import purchases 1")
            world.bank.kill()
            world.restart_bank()
            self.assertEqual(import_text(world, text).code, "imported-already")
            world.bank.expect("SUCCESS purchases 1", "purchases")

    def test_a_product_with_pending_purchases_is_not_replaced(self):
        with World() as world:
            shop(world)
            alice, _ = world.cohort("alice", "bob")
            alice.ok("buy pen 1")
            path = world.folder / "import.csv"
            path.write_text(INVENTORY + "pen,Biro,2,5,office\n")
            answer = world.bank.refuses("bad-csv", f"import {path} --replace")
            self.assertIn("line 2: purchases of pen are pending", answer.text)
            world.bank.refuses("busy", "remove-product pen")
            alice.ok("rollback")
            world.bank.ok(f"import {path} --replace")
            self.assertEqual(stock(world.bank)["pen"], 5)

    def test_imported_purchases_with_anything_wrong_are_refused(self):
        with World() as world:
            shop(world)
            good = "1,2025-03-01 10:00:00,carol,pen,2,3,settled\n"
            for line in (
                "2,2025-03-01 10:00:00,carol,cup,2,3,settled",
                "2,2025-03-01 10:00:00,carol,pen,0,3,settled",
                "2,2025-03-01 10:00:00,carol,pen,-2,3,settled",
                "2,2025-03-01 10:00:00,carol,pen,2,-3,settled",
                "2,2025-02-30 10:00:00,carol,pen,2,3,settled",
                "2,yesterday,carol,pen,2,3,settled",
                "2,2025-03-01 10:00:00,c rol,pen,2,3,settled",
                "2,2025-03-01 10:00:00,carol,pen,2,3,lost",
                "2,2025-03-01 10:00:00,carol,pen,2,3",
            ):
                with self.subTest(line=line):
                    answer = import_text(world, PURCHASES + good + line + "\n")
                    self.assertEqual(answer.code, "bad-csv", str(answer))
                    self.assertIn("line 3", answer.text)
            world.bank.expect("SUCCESS purchases 0", "purchases")

    def test_save_writes_text_that_people_read(self):
        with World() as world:
            shop(world)
            alice = world.customer("alice", opening="1000")
            alice.ok("buy pen 3")
            world.bank.expect(
                f"SUCCESS save {world.folder}/saved products 2", f"save {world.folder}/saved"
            )
            inventory = (world.folder / "saved" / "inventory.txt").read_text()
            purchases = (world.folder / "saved" / "purchases.txt").read_text()
            self.assertRegex(inventory, r"(?m)^lamp +Desk lamp +249\.99 +10 +home,light$")
            self.assertRegex(inventory, r"(?m)^pen +Pen +1\.50 +97 +office$")
            self.assertRegex(purchases, r"(?m)^ *1 .* alice +pen +3 +4\.50 +settled$")

    def test_a_folder_that_cannot_be_written_is_said(self):
        with World() as world:
            shop(world)
            for verb in ("export", "save"):
                answer = world.bank.cmd(f"{verb} {world.data}/folder")
                self.assertEqual(answer.outcome, "FAILURE")
                self.assertIn("data.csv", answer.text)

    def test_text_that_a_spreadsheet_would_run_is_defused_in_exports_only(self):
        with World() as world:
            shop(world, "add-product evil =1+1 1 5 @home,+sum")
            alice = world.customer("alice", opening="1000")
            alice.ok("deposit 1 --note =HYPERLINK(1)")
            alice.ok("checkpoint")
            self.assertIn("=1+1", world.bank.ok("products").lines[1])
            self.assertNotIn("'=1+1", world.bank.ok("products").lines[1])
            world.bank.ok(f"export {world.folder}/out")
            row = (world.folder / "out" / "inventory.csv").read_text().splitlines()[1]
            for cell in next(csv.reader([row])):
                self.assertNotIn(cell[0], "=+-@")
            for program, line in ((alice, "statement"), (world.bank, "statement alice")):
                self.assertRegex("\n".join(program.ok(line).lines), r" =HYPERLINK")
                self.assertIn(",'=HYPERLINK(1)", "\n".join(program.ok(line + " --csv").lines))


if __name__ == "__main__":
    unittest.main()
