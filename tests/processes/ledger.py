"""What the balances of customers may be, as far as the answers to their commands tell.

A command that was answered with SUCCESS has happened, one with FAILURE has not, and one without an
answer may have happened or not: so there are several states that are possible. What is seen later
rules some of them out. At least one has to be left.
"""

import copy
from dataclasses import dataclass, field

from programs import Failed


def cents(text):
    units, _, rest = text.partition(".")
    return int(units) * 100 + int((rest + "00")[:2])


@dataclass
class Sent:
    """A transfer that no rollback has undone, until both ends have it in a permanent checkpoint."""

    sender: str
    receiver: str
    amount: int
    in_senders: bool = False  # permanent checkpoint
    in_receivers: bool = False


@dataclass
class State:
    permanent: dict = field(default_factory=dict)  # name -> cents at its permanent checkpoint
    since: dict = field(default_factory=dict)  # name -> cents in and out since then, no transfers
    transfers: list = field(default_factory=list)

    def balance(self, name):
        """At rest, when every transfer has arrived."""
        balance = self.permanent[name] + self.since[name]
        for one in self.transfers:
            if one.sender == name and not one.in_senders:
                balance -= one.amount
            if one.receiver == name and not one.in_receivers:
                balance += one.amount
        return balance

    # What commands do. Each changes the state.

    def open(self, name, amount):
        self.permanent[name], self.since[name] = amount, 0

    def cash(self, name, amount):
        self.since[name] += amount

    def transfer(self, sender, receiver, amount):
        self.transfers.append(Sent(sender, receiver, amount))

    def checkpoint(self, *names):
        """With everybody from whom one of them has what that one's checkpoint does not show."""
        part = self._closed(names, lambda one: (one.receiver, one.sender), "in_senders")
        for name in part:
            self.permanent[name], self.since[name] = self.balance(name), 0
        for one in self.transfers:
            one.in_senders |= one.sender in part
            one.in_receivers |= one.receiver in part
        self.transfers = [
            one for one in self.transfers if not (one.in_senders and one.in_receivers)
        ]

    def give_back(self, receiver):
        """What this one has not in its permanent checkpoint is its senders' again."""
        back = [one for one in self.transfers if one.receiver == receiver and not one.in_receivers]
        for one in back:
            if one.in_senders:
                self.permanent[one.sender] += one.amount
        self.transfers = [one for one in self.transfers if one not in back]

    def rollback(self, *names):
        """With everybody who has received what one of them has not sent any more."""
        part = self._closed(names, lambda one: (one.sender, one.receiver), "in_senders")
        for name in part & set(self.since):
            self.since[name] = 0
        self.transfers = [one for one in self.transfers if one.in_senders or one.sender not in part]

    def _closed(self, names, way, covered):
        part = set(names)
        while True:
            ways = [way(one) for one in self.transfers if not getattr(one, covered)]
            more = {second for first, second in ways if first in part} - part
            if not more:
                return part
            part |= more


class Ledger:
    """All states that are possible. Effects are functions that change a State; an effect of several
    steps is a list of them, of which only the first ones may have happened."""

    def __init__(self):
        self.states = [State()]

    def happened(self, *steps):
        self.states = [self._after(state, steps) for state in self.states]

    def happened_around(self, crash, steps):
        """All of it, and somewhere before, between or after it the steps of `crash`."""
        self._become(self._around(crash, steps))

    def may_have_happened_around(self, crash, steps):
        """The same where only the first ones may have happened."""
        self._become(
            order for count in range(len(steps) + 1) for order in self._around(crash, steps[:count])
        )

    @staticmethod
    def _around(crash, steps):
        return [[*steps[:at], *crash, *steps[at:]] for at in range(len(steps) + 1)]

    def _become(self, orders):
        orders = list(orders)
        self.states = [self._after(state, order) for state in self.states for order in orders]
        self._forget_twins()

    @staticmethod
    def _after(state, steps):
        state = copy.deepcopy(state)
        for step in steps:
            step(state)
        return state

    def _forget_twins(self):
        kept = []
        for state in self.states:
            if state not in kept:
                kept.append(state)
        self.states = kept

    def fits(self, balances):
        """Whether these balances, name to cents, are those of a state that is possible."""
        return any(self._has(state, balances) for state in self.states)

    def seen(self, balances):
        """These are the balances at rest: what does not fit has not happened."""
        left = [state for state in self.states if self._has(state, balances)]
        if not left:
            raise Failed(f"balances {balances} cannot be, but {self.possible(balances)}")
        self.states = left

    def possible(self, names):
        found = [
            {name: state.balance(name) for name in names if name in state.permanent}
            for state in self.states
        ]
        return [one for number, one in enumerate(found) if one not in found[:number]]

    @staticmethod
    def _has(state, balances):
        return all(
            name in state.permanent and state.balance(name) == amount
            for name, amount in balances.items()
        )
