"""A large shop: 100,000 products and 1,000,000 purchases, for measuring that nothing takes longer
because there were more purchases."""

import datetime
import time

from programs import World

CUSTOMERS = 100
BOUGHT = 1_000  # products that somebody has bought
FILES = 10  # a purchases.csv each


def write_inventory(path, products):
    with open(path, "w") as out:
        out.write("id,name,price,quantity,categories\n")
        for i in range(products):
            out.write(f"p{i},Product {i},{i % 900 + 1}.50,{i % 50 + 100000},c{i % 200};all\n")


def write_purchases(path, first, count, products):
    begin = datetime.date(2025, 1, 1)
    with open(path, "w") as out:
        out.write("order,date,customer,product,quantity,amount,state\n")
        for i in range(first, first + count):
            day = begin + datetime.timedelta(days=i % 600)
            out.write(
                f"{i + 1},{day},c{i % CUSTOMERS},p{i * 7919 % min(BOUGHT, products)},1,2.50,settled\n"
            )


class Shop:
    """A bank with products, `purchases` of the past, and one customer, c0."""

    def __init__(self, world: World, products, purchases):
        self.world = world
        bank = world.start_bank()
        bank.wait_ready()
        inventory = world.folder / "inventory.csv"
        write_inventory(inventory, products)
        bank.ok(f"import {inventory}")
        for index in range(FILES if purchases else 0):
            path = world.folder / f"purchases-{index}.csv"
            each = purchases // FILES
            write_purchases(path, index * each, each, products)
            bank.ok(f"import {path}")
        bank.ok("report")  # behind everything that the history has to write
        self.customer = world.start_customer()
        self.customer.wait_ready()
        self.customer.ok("open c0 1000000000")

    def ms(self, command, times=20, at_bank=False):
        """How long the command takes, in the middle."""
        program = self.world.bank if at_bank else self.customer
        took = []
        for _ in range(times):
            began = time.perf_counter()
            program.ok(command)
            took.append(time.perf_counter() - began)
        return sorted(took)[len(took) // 2] * 1000

    def restart_s(self):
        bank = self.world.bank
        bank.process.stdin.close()
        bank.process.wait()
        bank = self.world.start_bank()
        bank.wait_ready()
        bank.ok("bills")
        took = time.perf_counter() - bank.started
        self.world.bank = bank
        return took
