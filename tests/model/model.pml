/* Checkpoints and rollbacks of three customers and a bank (docs/protocol.md). README.md says what
   is modelled and what is not; run.py runs it. Every choice of a step, and so every order of events,
   every delay and every loss, is up to Spin. */

#include "state.pml"
#include "mistakes.pml"
#include "steps.pml"
#include "bank.pml"

/* --- the commands: COMMANDS of them, COMMAND_i is (initiator, kind) */

#define BEGIN(n, who, what)                                                              \
    ::d_step {                                                                           \
        p == (who) && BIT(to_begin, n) && in[p] == NONE && !RECOVERS(p) &&               \
            operations < OPERATIONS ->                                                   \
        to_begin = to_begin & ~ONE(n);                                                   \
        begin(p, what);                                                                  \
        skip                                                                             \
    }

inline begin(p, what) {
    initiator[operations] = p;
    kind[operations] = what;
    operations++;
    if
    :: what == CHECKPOINT -> begin_checkpoint(operations - 1, p, NOBODY)
    :: else -> begin_rollback(operations - 1, p, NOBODY)
    fi
}

/* --- transfers */

#ifdef NO_BLOCK
#define MAY_SEND(p) (!SUSPENDED(p))
#else
#define MAY_SEND(p) (!SUSPENDED(p) && in[p] == NONE)
#endif

#define TRANSFER(q)                                                                      \
    ::d_step {                                                                           \
        transfers < TRANSFERS && CHANNELS(p, q) && MAY_SEND(p) ->                        \
        label[transfers] = LAST_SENT(live[p], CHANNEL(p, q)) + 1;                        \
        channel[transfers] = CHANNEL(p, q);                                              \
        live[p] = live[p] | ONE(transfers);                                              \
        balance[p] = balance[p] - ONE(transfers);                                        \
        sent_in[transfers] = ONE(epoch[p]);                                              \
        printf("{%d} sends %d to {%d} as label %d\n", p, ONE(transfers), q,              \
               label[transfers]);                                                        \
        transfers++                                                                      \
    }

#define SENDER(s) (channel[s] / 3)

#ifdef NO_EPOCH
#define IS_OF_NEWEST_EPOCH(p, s) (sent_in[s] != 0)
#else
#define IS_OF_NEWEST_EPOCH(p, s) BIT(sent_in[s], known_epoch[CHANNEL(p, SENDER(s))])
#endif
#ifdef NO_LABEL_CHECK
#define HAS_ALREADY(p, s) 0
#else
#define HAS_ALREADY(p, s) HAS_LABEL(live[p], channel[s], label[s])
#endif

#define CREDIT(s)                                                                        \
    ::d_step {                                                                           \
        channel[s] != NOBODY && channel[s] % 3 == p && !HAS_ALREADY(p, s) &&             \
            !SUSPENDED(p) && IS_OF_NEWEST_EPOCH(p, s) &&                                 \
            !MAY_NOT_CREDIT(p, SENDER(s), s) ->                                          \
        nothing_twice = !BIT(live[p], s);                                                \
        printf("{%d} credits %d from {%d}, label %d\n", p, ONE(s), SENDER(s), label[s]); \
        assert(nothing_twice);                                                           \
        live[p] = live[p] | ONE(s);                                                      \
        balance[p] = balance[p] + ONE(s);                                                \
        acknowledge(s);                                                                  \
        nobody_is_alarmed(p);                                                            \
        skip                                                                             \
    }

inline acknowledge(s) {
#ifdef DROPPED_AT_ACK
    dropped = dropped | ONE(s);
    sent_in[s] = 0
#else
    skip
#endif
}

/* --- requests, from x */

#define REQUEST(o, x)                                                                    \
    (o < operations && LABEL_FOR(o, x, p) &&                                             \
     EPOCH_OF(o, x) >= known_epoch[CHANNEL(p, x)] && !IS_OVER(p, o))
#define NOT_SAID(o, x, vote) (IS_ASKING(x, o) && !(VOTES(o, p, x) & (vote)))
#define HAS_MORE(o, x) HAS_ABOVE(live[p], CHANNEL(x, p), LABEL_FOR(o, x, p) - 1)
#define LABEL_UNKNOWN(o, x) (LABEL_FOR(o, x, p) - 1 > LAST_SENT(live[p], CHANNEL(p, x)))
#ifdef FIRST_LABEL_OVERWRITTEN
#define IS_COVERED(o, x)                                                                 \
    (LABEL_FOR(o, x, p) - 1 < LAST_SENT(live[p], CHANNEL(p, x)) ||                       \
     LABEL_FOR(o, x, p) - 1 <= LAST_SENT(permanent[p], CHANNEL(p, x)))
#else
#define IS_COVERED(o, x)                                                                 \
    (LABEL_FOR(o, x, p) - 1 <= LAST_SENT(permanent[p], CHANNEL(p, x)))
#endif
#ifdef NO_HOLD_BACK
#define HOLD(o, x) 0
#else
#define HOLD(o, x) ONE(3 * (o) + (x))
#endif
#define IS_STOPPED (RECOVERS(p) || WAITS_TO_RESTORE(p))
/* Who recovers and stands at its permanent checkpoint holds back. */
#define MAY_HOLD(o, x)                                                                   \
    (kind[o] == ROLLBACK && !WAITS_TO_RESTORE(p) && (RECOVERS(p) || in[p] == NONE) &&    \
     !HAS_MORE(o, x))
#ifdef NOT_BUSY
#define IS_BUSY(o) (in[p] != NONE && kind[o] != CHECKPOINT)
#define IS_FREE(o) (!IS_STOPPED && (in[p] == NONE || kind[o] == CHECKPOINT))
#else
#define IS_BUSY(o) (in[p] != NONE)
#define IS_FREE(o) (!IS_STOPPED && in[p] == NONE)
#endif
#define IS_REFUSED(o) (IS_BUSY(o) || IS_STOPPED)

#define ASKED_BY(o, x)                                                                   \
    ::d_step {                                                                           \
        o < operations && LABEL_FOR(o, x, p) && IS_OVER(p, o) && NOT_SAID(o, x, NO) ->   \
        say(o, p, x, NO);                                                                \
        printf("{%d} says no to {%d}: operation %d is over for it\n", p, x, o)           \
    }                                                                                    \
    ::d_step {                                                                           \
        REQUEST(o, x) && IN(p, o) && parent[p] != x &&                                   \
            (kind[o] == CHECKPOINT -> NOT_SAID(o, x, YES) : !BIT(askers[p], x)) ->       \
        check_label(o, x);                                                               \
        askers[p] = askers[p] | (kind[o] == ROLLBACK -> ONE(x) : 0);                     \
        say(o, p, x, YES);                                                               \
        printf("{%d} says yes to {%d}, it is in operation %d already\n", p, x, o)        \
    }                                                                                    \
    ::d_step {                                                                           \
        REQUEST(o, x) && !IN(p, o) && MAY_HOLD(o, x) &&                                  \
            ((HOLD(o, x) & ~held[p]) || NOT_SAID(o, x, YES_HOLDS)) ->                    \
        held[p] = held[p] | HOLD(o, x);                                                  \
        heard_request(o, x);                                                             \
        say(o, p, x, YES_HOLDS);                                                         \
        printf("{%d} need not roll back in %d: it holds back for {%d}\n", p, o, x)       \
    }                                                                                    \
    ::d_step {                                                                           \
        REQUEST(o, x) && !IN(p, o) && !MAY_HOLD(o, x) && IS_REFUSED(o) ->                \
        is_over_now(p, o);                                                               \
        say(o, p, x, NO);                                                                \
        printf("{%d} says no to {%d} in operation %d: busy or recovering\n", p, x, o)    \
    }                                                                                    \
    ::d_step {                                                                           \
        REQUEST(o, x) && !IN(p, o) && kind[o] == CHECKPOINT && IS_FREE(o) &&             \
            LABEL_UNKNOWN(o, x) ->                                                       \
        is_over_now(p, o);                                                               \
        say(o, p, x, NO);                                                                \
        printf("{%d} says no to {%d} in operation %d: the label is unknown\n", p, x, o)  \
    }                                                                                    \
    ::d_step {                                                                           \
        REQUEST(o, x) && !IN(p, o) && kind[o] == CHECKPOINT && IS_FREE(o) &&             \
            !LABEL_UNKNOWN(o, x) && IS_COVERED(o, x) && NOT_SAID(o, x, YES) ->           \
        say(o, p, x, YES);                                                               \
        printf("{%d} says yes to {%d}, and need not take part in %d\n", p, x, o)         \
    }                                                                                    \
    ::d_step {                                                                           \
        REQUEST(o, x) && !IN(p, o) && kind[o] == CHECKPOINT && IS_FREE(o) &&             \
            !LABEL_UNKNOWN(o, x) && !IS_COVERED(o, x) ->                                 \
        begin_checkpoint(o, p, x);                                                       \
        skip                                                                             \
    }                                                                                    \
    ::d_step {                                                                           \
        REQUEST(o, x) && kind[o] == ROLLBACK && IS_FREE(o) && HAS_MORE(o, x) ->          \
        begin_rollback(o, p, x);                                                         \
        askers[p] = ONE(x)                                                               \
    }

/* --- votes, from y */

#define VOTE_COMES(y, vote)                                                              \
    (in[p] != NONE && stage[p] == ASKING && BIT(unanswered[p], y) &&                     \
     (VOTES(in[p], y, p) & (vote)))

#define VOTE_OF(y)                                                                       \
    ::d_step { VOTE_COMES(y, NO) -> gives_up(p); skip }                                  \
    ::d_step { VOTE_COMES(y, YES) -> answered(p, y, 0); skip }                           \
    ::d_step { VOTE_COMES(y, YES_HOLDS) -> answered(p, y, ONE(y)); skip }                \
    ::d_step {                                                                           \
        VOTE_COMES(y, YES_ALL) && EPOCH_OF(in[p], y) >= known_epoch[CHANNEL(p, y)] ->    \
        answered(p, y, vote_names[3 * in[p] + y]);                                       \
        skip                                                                             \
    }

inline answered(p, y, names) {
    participants[p] = participants[p] | names;
    unanswered[p] = unanswered[p] & ~ONE(y);
    advance(p)
}

/* --- decisions */

#define DECISION_OF(o)                                                                   \
    ::d_step { /* who is in doubt asks the bank: no COMMIT after that */                 \
        o < operations && MAY_ABORT(o) &&                                                \
            ((IN(p, o) && (stage[p] == VOTED || stage[p] == FOUND)) || HOLDS(p, o)) ->   \
        printf("{%d} asks the bank about operation %d\n", p, o);                         \
        asks_bank(p, o);                                                                 \
        skip                                                                             \
    }                                                                                    \
    ::d_step {                                                                           \
        o < operations && SAYS_ABORT(o) && (IN(p, o) || HOLDS(p, o)) ->                  \
        ends_with_abort(p, o);                                                           \
        skip                                                                             \
    }                                                                                    \
    ::d_step {                                                                           \
        o < operations && COMMIT_IS_TOLD(o) &&                                           \
            (IN(p, o) -> stage[p] != ASKING : HOLDS(p, o)) ->                            \
        ends_with_commit(p, o);                                                          \
        skip                                                                             \
    }

#define ABORT_FROM(o, x)                                                                 \
    ::d_step {                                                                           \
        o < operations && BIT(told_abort[o], x) && LABEL_FOR(o, x, p) &&                 \
            (IN(p, o) || HOLDS(p, o)) ->                                                 \
        ends_with_abort(p, o);                                                           \
        skip                                                                             \
    }

/* --- epochs */

#define EPOCH_NOTICE_OF(y)                                                               \
    ::d_step {                                                                           \
        known_epoch[CHANNEL(p, y)] < epoch[y] && !IN_KIND(p, ROLLBACK) &&                \
            !WAITS_TO_RESTORE(p) &&                                                      \
            !(WAITS_TO_RESTORE(y) && known_epoch[CHANNEL(p, y)] + 1 == epoch[y]) ->      \
        known_epoch[CHANNEL(p, y)] = known_epoch[CHANNEL(p, y)] + 1;                     \
        printf("{%d} hears that {%d} is in epoch %d\n", p, y,                            \
               known_epoch[CHANNEL(p, y)]);                                              \
        tidy_transfers();                                                                \
        nobody_is_alarmed(p);                                                            \
        skip                                                                             \
    }

/* --- a customer, with q and r as its peers */

#define PEER(q)                                                                          \
    TRANSFER(q) VOTE_OF(q) EPOCH_NOTICE_OF(q)                                            \
    EACH_OPERATION2(ASKED_BY, q) EACH_OPERATION2(ABORT_FROM, q)

proctype Customer(byte p; byte q; byte r) {
end:
    do
    PEER(q)
    PEER(r)
    CREDIT(0) CREDIT(1) CREDIT(2) CREDIT(3)
    EACH_OPERATION(DECISION_OF)
    ALL_COMMANDS
    ::d_step { /* its settlement reaches the bank, which acknowledges it */
        in[p] != NONE && stage[p] == ASKING && kind[in[p]] == CHECKPOINT && unanswered[p] == 0 &&
            !BIT(settled[in[p]], p) && SAYS_NOTHING(in[p]) ->
        settled_history[3 * in[p] + p] = tentative[p];
        settled_balance[3 * in[p] + p] = tentative_balance[p];
        settled[in[p]] = settled[in[p]] | ONE(p);
        printf("{%d} settles with the bank in operation %d\n", p, in[p]);
        advance(p);
        skip
    }
    ::d_step { /* a deadline has passed */
        in[p] != NONE && stage[p] == ASKING -> gives_up(p);
        skip
    }
    ::d_step { /* recovery: tried again until it succeeds, or the model has no operation left */
        RECOVERS(p) && !WAITS_TO_RESTORE(p) && in[p] == NONE && operations < OPERATIONS ->
        begin(p, ROLLBACK);
        skip
    }
    ::d_step { crashes > 0 -> crash(p); skip }
    od
}

proctype Bank() {
end:
    do
    EACH_OPERATION(DECISION_REQUEST)
    od
}

/* Where nothing can happen any more, everything has to be over and everything has arrived. */
proctype Judge() {
end:
    timeout ->
    d_step {
        every_operation_ends =
            (in[0] == NONE && in[1] == NONE && in[2] == NONE && held[0] == 0 && held[1] == 0 &&
             held[2] == 0 && restore_due == 0 && (to_begin == 0 || operations == OPERATIONS));
        assert(every_operation_ends);
        if
        :: recovering == 0 ->
            check_cut(true);
            no_orphan_at_the_end = no_orphan_in_a_cut;
            assert(no_orphan_at_the_end);
            assert(money_is_conserved);
            everything_arrives = (balance[0] + balance[1] + balance[2] == 3 * OPENING);
            assert(everything_arrives)
        :: else
        fi;
        skip
    }
}

init {
    d_step {
        i = 0;
        do
        :: i < 3 ->
            balance[i] = OPENING;
            permanent_balance[i] = OPENING;
            row_balance[i] = OPENING;
            epoch[i] = 1;
            in[i] = NONE;
            parent[i] = NOBODY;
            i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < 9 -> known_epoch[i] = 1; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < 4 -> channel[i] = NOBODY; i++
        :: else -> break
        od;
        i = 0
    }
    atomic {
        run Customer(0, 1, 2);
        run Customer(1, 2, 0);
        run Customer(2, 0, 1);
        run Bank();
        run Judge()
    }
}
