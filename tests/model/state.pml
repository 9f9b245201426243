/* What the customers and the bank keep, the messages that have been sent, and words for them.

   A history is a set of transfers, one bit each: of a customer it has those that it sent and those
   that it received. So a checkpoint is one byte. Transfer s has the amount 2^s; its channel and its
   label are in tables that are written once.

   Datagrams are facts that stay: what was sent may arrive at any time from then on, any number of
   times, in any order, or never. */

#define NOBODY 15
#define NONE 15
#define OPENING 20 /* more than all transfers together */

#define CHECKPOINT 1
#define ROLLBACK 2

#define COMMIT 1
#define ABORT 2

/* States of a customer towards its operation (docs/protocol.md, Operations). */
#define ASKING 1
#define VOTED 2
#define ASKED 3
#define FOUND 4

/* Votes: bits, because all that were sent may arrive. */
#define NO 1
#define YES 2        /* nobody else takes part below */
#define YES_HOLDS 4  /* who says it holds back */
#define YES_ALL 8    /* with the set of those who take part or hold back at and below it */

#define BIT(set, i) (((set) >> (i)) & 1)
#define ONE(i) (1 << (i))

/* --- transfers */

byte transfers;  /* how many there were */
byte channel[4]; /* 3 * sender + receiver */
byte label[4];
byte sent_in[4]; /* the sender's epochs in which datagrams with it went out */
#ifdef DROPPED_AT_ACK
byte dropped; /* transfers that the sender keeps no more */
#else
#define dropped 0
#endif

#define CHANNEL(a, b) (3 * (a) + (b))

#define ON(s, set, c) (channel[s] == (c) && BIT(set, s))
#define ANY4(f, a, b, c) (f(0, a, b, c) || f(1, a, b, c) || f(2, a, b, c) || f(3, a, b, c))
#define ABOVE_(s, set, c, l) (ON(s, set, c) && label[s] > (l))
#define SAME_(s, set, c, l) (ON(s, set, c) && label[s] == (l))
/* Is there a transfer on channel c above label l in this history; and is there label l? */
#define HAS_ABOVE(set, c, l) ANY4(ABOVE_, set, c, l)
#define HAS_LABEL(set, c, l) ANY4(SAME_, set, c, l)
/* Of a sender's history: labels follow each other, so the last one is how many there are. */
#define LAST_SENT(set, c) (ON(0, set, c) + ON(1, set, c) + ON(2, set, c) + ON(3, set, c))

/* --- customers. Durable, but for what stands behind "volatile". */

byte live[3], balance[3];         /* with CRASH_FORGETS: volatile */
byte permanent[3], permanent_balance[3];
byte tentative[3], tentative_balance[3];
byte epoch[3];
byte known_epoch[9];              /* CHANNEL(a, b): the newest of b that a knows */
byte in[3];                       /* the operation that it is in, or NONE */
byte parent[3];
byte askers[3];                   /* of the rollback that it is in: a set of customers */
short held[3];                    /* hold-backs: the set of 3 * operation + asker */
byte over[3];                     /* operations that are over for it: it says no to them */
byte recovering, restore_due;     /* sets of customers */

byte stage[3];                    /* volatile: ASKING ... FOUND */
byte unanswered[3];               /* volatile: children that have not answered */
byte participants[3];             /* volatile: those named in their answers */

#define IN(p, o) (in[p] == (o))
#define HOLDS(p, o) ((held[p] >> (3 * (o))) & 7)
#define IS_OVER(p, o) BIT(over[p], o)
#define IN_KIND(p, k) (in[p] != NONE && kind[in[p]] == (k))
#define RECOVERS(p) BIT(recovering, p)
#define WAITS_TO_RESTORE(p) BIT(restore_due, p)
/* Neither sends nor credits transfers. */
#define SUSPENDED(p) (RECOVERS(p) || WAITS_TO_RESTORE(p) || IN_KIND(p, ROLLBACK))
/* Not asked any more, so only the bank's word or an ABORT from an asker ends it. */
#define IN_DOUBT(p, o) (IN(p, o) && stage[p] != ASKING)

/* --- operations, in the order in which they began */

byte operations;
byte initiator[OPERATIONS], kind[OPERATIONS];
byte committed[OPERATIONS], aborted[OPERATIONS]; /* for whom: sets of customers */

/* Datagrams that have been sent: */
byte asked_label[OPERATIONS * 9];  /* request from a to b: 1 + its label; 0: none */
byte asked_epoch[OPERATIONS * 3];  /* the epoch of a in its requests. After COMMIT: one more */
byte votes[OPERATIONS * 9];        /* from a to b */
byte vote_names[OPERATIONS * 3];   /* of the YES_ALL of a */
byte told_abort[OPERATIONS];       /* who has told its children ABORT: a set of customers */
byte to_commit[OPERATIONS];        /* DecisionRequest: the named; 0: none */

#define LABEL_FOR(o, a, b) asked_label[9 * (o) + CHANNEL(a, b)]
#define EPOCH_OF(o, a) asked_epoch[3 * (o) + (a)]
#define VOTES(o, a, b) votes[9 * (o) + CHANNEL(a, b)]
#define IS_ASKING(p, o) (IN(p, o) && stage[p] == ASKING)

/* --- the bank. All of it is durable: see README.md. */

byte row[3], row_balance[3];           /* the cut: what data.csv shows */
byte settled[OPERATIONS];              /* a set of customers */
byte settled_history[OPERATIONS * 3], settled_balance[OPERATIONS * 3];
byte decision[OPERATIONS];             /* 0: none */

/* The bank keeps the newest operation of each initiator that it has heard of. */
#define HEARD_OF(o) (kind[o] == ROLLBACK || settled[o] || decision[o])
#define NEWER_(o, n) \
    ((n) > (o) && (n) < operations && initiator[n] == initiator[o] && HEARD_OF(n))
/* A COMMIT that all have acknowledged is forgotten; of rollbacks 1024 are remembered. */
#define FORGOTTEN(o) \
    (decision[o] == COMMIT && kind[o] == CHECKPOINT && (settled[o] & ~committed[o]) == 0)
#define SAYS_COMMIT(o) (decision[o] == COMMIT && !FORGOTTEN(o))
#define SAYS_ABORT(o) \
    (decision[o] == ABORT || FORGOTTEN(o) || (decision[o] == 0 && SUPERSEDED(o)))
#define SAYS_NOTHING(o) (decision[o] == 0 && !SUPERSEDED(o))

/* --- what is left to happen */

byte to_begin = ONE(COMMANDS) - 1; /* commands that nobody has typed yet: a set */
byte crashes = CRASHES;

/* --- repetition for each operation and transfer, and for each of the other two customers */

#if OPERATIONS == 1
#define EACH_OPERATION(f) f(0)
#define EACH_OPERATION2(f, q) f(0, q)
#define SUPERSEDED(o) false
#define MAY_NOT_CREDIT(p, q, s) HELD_BACK_(p, q, s, 0)
#elif OPERATIONS == 2
#define EACH_OPERATION(f) f(0) f(1)
#define EACH_OPERATION2(f, q) f(0, q) f(1, q)
#define SUPERSEDED(o) NEWER_(o, 1)
#define MAY_NOT_CREDIT(p, q, s) (HELD_BACK_(p, q, s, 0) || HELD_BACK_(p, q, s, 1))
#elif OPERATIONS == 3
#define EACH_OPERATION(f) f(0) f(1) f(2)
#define EACH_OPERATION2(f, q) f(0, q) f(1, q) f(2, q)
#define SUPERSEDED(o) (NEWER_(o, 1) || NEWER_(o, 2))
#define MAY_NOT_CREDIT(p, q, s) \
    (HELD_BACK_(p, q, s, 0) || HELD_BACK_(p, q, s, 1) || HELD_BACK_(p, q, s, 2))
#elif OPERATIONS == 4
#define EACH_OPERATION(f) f(0) f(1) f(2) f(3)
#define EACH_OPERATION2(f, q) f(0, q) f(1, q) f(2, q) f(3, q)
#define SUPERSEDED(o) (NEWER_(o, 1) || NEWER_(o, 2) || NEWER_(o, 3))
#define MAY_NOT_CREDIT(p, q, s)                            \
    (HELD_BACK_(p, q, s, 0) || HELD_BACK_(p, q, s, 1) ||   \
     HELD_BACK_(p, q, s, 2) || HELD_BACK_(p, q, s, 3))
#endif
#define HELD_BACK_(p, q, s, o) \
    (BIT(held[p], 3 * (o) + (q)) && label[s] > LABEL_FOR(o, q, p) - 1)

/* Of no account in the state: scratch of one step. */
hidden byte i, j, k;
hidden int sum;
hidden byte no_orphan_in_a_cut, money_is_conserved, all_decide_alike, one_tentative_at_most;
hidden byte nothing_twice, every_operation_ends, everything_arrives, no_orphan_at_the_end;
hidden byte no_false_alarm, no_commit_without_a_vote;
