"""The worlds that run.py has Spin search: what may happen in each. README.md has the table."""

import dataclasses

CUSTOMERS = ["alice", "bob", "carol"]


@dataclasses.dataclass
class World:
    """What may happen in one search. `commands` are (who, what), each typed once, at any time."""

    name: str
    commands: list
    transfers: int
    operations: int = 0  # with those that recoveries begin
    crashes: int = 0
    defines: tuple = ()
    channels: str = "1"  # an expression of a and b: who may send to whom
    cycles: bool = False  # look for runs that never end
    large: bool = False  # many states: worth an optimized build
    long: bool = False  # with --long only
    caught_by: tuple = ()  # of a mistake: the properties that may show it

    @property
    def is_mistake(self):
        return bool(self.caught_by)

    def source(self):
        lines = [f"#define {word}" for word in self.defines]
        lines += [
            f"#define OPERATIONS {self.operations or len(self.commands)}",
            f"#define TRANSFERS {self.transfers}",
            f"#define CRASHES {self.crashes}",
            f"#define COMMANDS {len(self.commands)}",
            f"#define CHANNELS(a, b) ({self.channels})",
        ]
        begins = [
            f"BEGIN({i}, {CUSTOMERS.index(who)}, {what.upper()})"
            for i, (who, what) in enumerate(self.commands)
        ]
        lines += ["#define ALL_COMMANDS " + " ".join(begins), '#include "model.pml"', ""]
        return "\n".join(lines)


CHECKPOINT_A = ("alice", "checkpoint")
CHECKPOINT_B = ("bob", "checkpoint")
ROLLBACK_A = ("alice", "rollback")
ROLLBACK_B = ("bob", "rollback")

JOURNAL = ()  # a crash loses what is volatile only
FORGETS = ("CRASH_FORGETS",)  # `checkpoint` mode: also everything since the permanent checkpoint

BOTH = [CHECKPOINT_A, ROLLBACK_B]


def mistake(define, text, caught_by, commands, transfers, **more):
    defines = (define, *more.pop("defines", ()))
    return World(
        f"mistake: {text}",
        commands,
        transfers,
        defines=defines,
        caught_by=tuple(caught_by.split()),
        **more,
    )


RING = "b == (a + 1) % 3"  # alice to bob, bob to carol, carol to alice
LINE = "a + b != 2"  # alice with bob, bob with carol

RIGHT = [
    World("a checkpoint and a rollback", BOTH, 2),
    World("two checkpoints", [CHECKPOINT_A, CHECKPOINT_B], 2),
    World("two rollbacks", [ROLLBACK_A, ROLLBACK_B], 2),
    World("three transfers in a ring", BOTH, 3, channels=RING, large=True),
    World("three operations", [*BOTH, CHECKPOINT_A], 2, channels=RING),
    World("a crash", BOTH, 2, crashes=1, large=True),
    World("two crashes", BOTH, 2, crashes=2, channels=RING),
    World("a crash, two rollbacks", [ROLLBACK_A, ROLLBACK_B], 2, crashes=1, channels=LINE),
    World(
        "a crash that forgets, a checkpoint",
        [CHECKPOINT_A],
        2,
        operations=2,
        crashes=1,
        channels=RING,
        defines=FORGETS,
        large=True,
    ),
    World(
        "a crash that forgets, a rollback",
        [ROLLBACK_B],
        2,
        operations=2,
        crashes=1,
        channels=RING,
        defines=FORGETS,
        large=True,
    ),
    World(
        "a crash that forgets, two of three operations",
        BOTH,
        1,
        operations=2,
        crashes=1,
        defines=FORGETS,
        large=True,
    ),
    World("no run without end", BOTH, 1, crashes=1, cycles=True),
    World(
        "no run without end, a crash that forgets",
        [CHECKPOINT_A],
        1,
        operations=2,
        crashes=1,
        cycles=True,
        defines=FORGETS,
        large=True,
    ),
]

LONG = [
    World("three transfers", BOTH, 3, large=True, long=True),
]

MISTAKES = [
    mistake("NO_BLOCK", "transfers while tentative", "no_orphan_in_a_cut", BOTH, 2),
    mistake(
        "INFINITY_IF_NONE",
        "a rollback request says infinity if nothing was sent before",
        "no_orphan_in_a_cut no_orphan_at_the_end",
        BOTH,
        2,
        defines=("NO_ALARM",),
    ),
    mistake(
        "NO_EPOCH",
        "transfers of older epochs are credited",
        "no_orphan_in_a_cut no_orphan_at_the_end",
        BOTH,
        2,
        defines=("NO_ALARM",),
    ),
    mistake(
        "FIRST_LABEL_OVERWRITTEN",
        "later transfers overwrite the first label sent",
        "no_orphan_in_a_cut",
        BOTH,
        2,
    ),
    mistake(
        "COMMIT_BEFORE_RECORD",
        "the bank tells a COMMIT that it has not recorded",
        "all_decide_alike",
        BOTH,
        2,
    ),
    mistake(
        "ABORT_NOT_RECORDED",
        "the bank tells an ABORT that it has not recorded",
        "all_decide_alike no_commit_without_a_vote",
        BOTH,
        2,
    ),
    mistake(
        "VOTE_NOT_DURABLE",
        "a crash forgets the tentative checkpoint",
        "no_commit_without_a_vote all_decide_alike",
        [CHECKPOINT_A],
        1,
        crashes=1,
    ),
    mistake(
        "NO_HOLD_BACK",
        "who need not roll back promises nothing",
        "no_orphan_in_a_cut no_orphan_at_the_end",
        BOTH,
        2,
        defines=("NO_ALARM",),
    ),
    mistake(
        "EPOCH_AT_REQUEST",
        "a new epoch counts from the request on, COMMIT or not",
        "everything_arrives",
        BOTH,
        2,
        defines=("NO_ALARM",),
    ),
    mistake("NO_LABEL_CHECK", "labels are not looked at", "nothing_twice", BOTH, 2),
    mistake(
        "DROPPED_AT_ACK",
        "an acknowledged transfer is not kept",
        "everything_arrives",
        BOTH,
        2,
    ),
    mistake("NOT_BUSY", "two operations at once", "one_tentative_at_most", BOTH, 2),
    mistake(
        "NO_RECOVERY",
        "who forgets what it sent tells nobody",
        "no_orphan_in_a_cut no_orphan_at_the_end",
        [CHECKPOINT_A],
        2,
        crashes=1,
        defines=(*FORGETS, "NO_ALARM"),
    ),
    mistake(
        "NO_QUESTION",
        "who is in doubt waits for its initiator and does not ask the bank",
        "every_operation_ends",
        [CHECKPOINT_A],
        1,
        crashes=1,
    ),
    mistake(
        "NOT_REFUSED",
        "what has ended is not remembered",
        "no_run_without_end",
        [CHECKPOINT_A],
        1,
        cycles=True,
    ),
]

WORLDS = RIGHT + LONG + MISTAKES
