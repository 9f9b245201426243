/* Steps that some of the mistakes change. */

/* --- crash and restart, in one step: a program that is down for long is one that is late. */

inline crash(p) {
    crashes--;
    printf("{%d} crashes and starts again\n", p);
#ifdef VOTE_NOT_DURABLE
    if
    :: in[p] != NONE -> leave(p)
    :: else
    fi;
#endif
    if
    :: in[p] != NONE ->
        take_no_more_votes(p, in[p]);
        stage[p] = FOUND
    :: else
    fi;
#ifdef CRASH_FORGETS
    epoch[p]++;
    if
    :: IN_KIND(p, CHECKPOINT) -> restore_due = restore_due | ONE(p)
    :: else
    fi;
    restore(p);
#ifndef NO_RECOVERY
    recovering = recovering | ONE(p);
#else
    send_again(p);
#endif
#endif
    skip
}

/* --- properties that would hide what else a mistake does */

inline assert_no_alarm() {
#ifdef NO_ALARM
    skip
#else
    assert(no_false_alarm)
#endif
}

inline assert_vote() {
#ifdef NO_HOLD_BACK
    skip
#else
    assert(no_commit_without_a_vote)
#endif
}

/* --- decisions */

#ifdef COMMIT_BEFORE_RECORD
#define MAY_ABORT(o) (SAYS_NOTHING(o) && (to_commit[o] == 0 || bank_crashed || !BIT(said, o)))
#define COMMIT_IS_TOLD(o) (SAYS_COMMIT(o) || BIT(said, o))
byte said; /* COMMITs that were told */
bool bank_crashed;
#else
#ifdef NO_QUESTION
#define MAY_ABORT(o) false
#else
#define MAY_ABORT(o) SAYS_NOTHING(o)
#endif
#define COMMIT_IS_TOLD(o) SAYS_COMMIT(o)
#endif

/* --- requests */

inline heard_request(o, x) {
#ifdef EPOCH_AT_REQUEST
    raise_known(p, o, ONE(x))
#else
    skip
#endif
}

inline asks_bank(p, o) {
#ifdef ABORT_NOT_RECORDED
    ends_with_abort(p, o)
#else
    record_abort(o)
#endif
}

#ifdef COMMIT_BEFORE_RECORD
#define DECISION_REQUEST(o)                                                              \
    ::d_step {                                                                           \
        o < operations && to_commit[o] && SAYS_NOTHING(o) && !BIT(said, o) &&            \
            IS_COMMITTABLE(o) ->                                                         \
        said = said | ONE(o);                                                            \
        printf("bank tells COMMIT of operation %d\n", o)                                 \
    }                                                                                    \
    ::d_step {                                                                           \
        o < operations && BIT(said, o) && SAYS_NOTHING(o) && !bank_crashed ->            \
        record_commit(o);                                                                \
        skip                                                                             \
    }                                                                                    \
    ::d_step {                                                                           \
        o < operations && BIT(said, o) && !bank_crashed ->                               \
        bank_crashed = true;                                                             \
        printf("bank crashes and starts again\n")                                        \
    }                                                                                    \
    ::d_step {                                                                           \
        o < operations && to_commit[o] && SAYS_NOTHING(o) && !IS_COMMITTABLE(o) ->       \
        record_abort(o);                                                                 \
        skip                                                                             \
    }
#else
#define DECISION_REQUEST(o)                                                              \
    ::d_step {                                                                           \
        o < operations && to_commit[o] && SAYS_NOTHING(o) && IS_COMMITTABLE(o) ->        \
        record_commit(o);                                                                \
        skip                                                                             \
    }                                                                                    \
    ::d_step {                                                                           \
        o < operations && to_commit[o] && SAYS_NOTHING(o) && !IS_COMMITTABLE(o) ->       \
        record_abort(o);                                                                 \
        skip                                                                             \
    }
#endif

/* At once, when somebody is asked who is in the operation already: it must have sent that before
   its checkpoint. */
inline check_label(o, x) {
#ifdef NO_BLOCK
    skip
#else
    no_orphan_in_a_cut = (kind[o] == ROLLBACK ||
                          LABEL_FOR(o, x, p) - 1 <= LAST_SENT(tentative[p], CHANNEL(p, x)));
    assert(no_orphan_in_a_cut)
#endif
}
