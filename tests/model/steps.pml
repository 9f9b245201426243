/* What a customer does within one step. Each is made of what is durable before anything leaves
   (docs/protocol.md), so a crash comes between steps. */

/* --- votes */

/* Only who still asks takes a vote, and it asks only once in an operation. */
inline say(o, from, to, vote) {
    if
    :: to != NOBODY && IS_ASKING(to, o) -> VOTES(o, from, to) = VOTES(o, from, to) | vote
    :: else
    fi
}

inline take_no_more_votes(p, o) {
    VOTES(o, 0, p) = 0;
    VOTES(o, 1, p) = 0;
    VOTES(o, 2, p) = 0;
    unanswered[p] = 0;
    participants[p] = 0
}

/* The newest id of each initiator that is over is kept: older ones are over with it. */
inline is_over_now(p, o) {
#ifndef NOT_REFUSED
    remember(p, o);
#endif
    tidy(o)
}

inline remember(p, o) {
    i = 0;
    do
    :: i <= o ->
        if
        :: initiator[i] == initiator[o] -> over[p] = over[p] | ONE(i)
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* Makes states alike that differ in nothing that matters any more: nobody is in the operation or
   holds back for it, and whoever was asked would say no. */
inline tidy(o) {
    j = (to_commit[o] == 0 || decision[o] != 0);
    i = 0;
    do
    :: i < 3 ->
        j = j && !IN(i, o) && HOLDS(i, o) == 0 &&
            (IS_OVER(i, o) || (LABEL_FOR(o, 0, i) == 0 && LABEL_FOR(o, 1, i) == 0 &&
                               LABEL_FOR(o, 2, i) == 0));
        i++
    :: else -> break
    od;
    if
    :: j ->
        i = 0;
        do
        :: i < 9 ->
            asked_label[9 * (o) + i] = 0;
            i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < 3 ->
            EPOCH_OF(o, i) = 0;
            vote_names[3 * (o) + i] = 0;
            settled_history[3 * (o) + i] = 0;
            settled_balance[3 * (o) + i] = 0;
            over[i] = over[i] | ONE(o);
            i++
        :: else -> break
        od;
        told_abort[o] = 0;
        to_commit[o] = 0;
        settled[o] = 0;
        committed[o] = 0;
        aborted[o] = 0;
        decision[o] = ABORT /* it has the same effect by now: none */
    :: else
    fi
}

/* The same for transfers: datagrams of older epochs, and transfers that nobody has. */
inline tidy_transfers() {
#ifndef NO_EPOCH
    i = 0;
    do
    :: i < 4 ->
        if
        :: channel[i] != NOBODY ->
            j = known_epoch[CHANNEL(channel[i] % 3, channel[i] / 3)];
            sent_in[i] = sent_in[i] & ~(ONE(j) - 1);
            if
            :: sent_in[i] == 0 &&
                !BIT(live[0] | live[1] | live[2] | permanent[0] | permanent[1] | permanent[2] |
                     tentative[0] | tentative[1] | tentative[2] | row[0] | row[1] | row[2], i) ->
                channel[i] = NOBODY;
                label[i] = 0
            :: else
            fi
        :: else
        fi;
        i++
    :: else -> break
    od
#else
    skip
#endif
}

/* All children have answered, and the bank has its settlement: one final answer. */
inline advance(p) {
    if
    :: unanswered[p] == 0 && (kind[in[p]] == ROLLBACK || BIT(settled[in[p]], p)) ->
        if
        :: initiator[in[p]] == p ->
            to_commit[in[p]] = participants[p];
            stage[p] = ASKED;
            printf("{%d} has all answers for operation %d and asks the bank for COMMIT\n", p,
                   in[p])
        :: else ->
            vote_names[3 * in[p] + p] = participants[p];
            stage[p] = VOTED;
            say(in[p], p, parent[p], YES_ALL);
            printf("{%d} votes yes in operation %d\n", p, in[p])
        fi;
        take_no_more_votes(p, in[p])
    :: else
    fi
}

/* --- beginning and taking part */

inline enter(o, p, asker) {
    one_tentative_at_most = (in[p] == NONE);
    assert(one_tentative_at_most);
    in[p] = o;
    parent[p] = asker;
    stage[p] = ASKING;
    EPOCH_OF(o, p) = epoch[p];
    participants[p] = ONE(p);
    unanswered[p] = 0
}

/* The highest label received from each of whom anything was received since the permanent one. */
inline begin_checkpoint(o, p, asker) {
    enter(o, p, asker);
    tentative[p] = live[p];
    tentative_balance[p] = balance[p];
    printf("{%d} takes a tentative checkpoint for operation %d\n", p, o);
    i = 0;
    do
    :: i < 3 ->
        if
        :: i != p && HAS_ABOVE(live[p] ^ permanent[p], CHANNEL(i, p), 0) ->
            LABEL_FOR(o, p, i) = 1;
            j = 0;
            do
            :: j < 4 ->
                if
                :: ON(j, live[p], CHANNEL(i, p)) && label[j] + 1 > LABEL_FOR(o, p, i) ->
                    LABEL_FOR(o, p, i) = label[j] + 1
                :: else
                fi;
                j++
            :: else -> break
            od;
            unanswered[p] = unanswered[p] | ONE(i);
            printf("{%d} asks {%d} to take part in %d: received up to label %d\n", p, i, o,
                   LABEL_FOR(o, p, i) - 1)
        :: else
        fi;
        i++
    :: else -> break
    od;
    advance(p)
}

/* The last label sent at the permanent checkpoint, 0 if none; to all when it does not know. */
inline begin_rollback(o, p, asker) {
    enter(o, p, asker);
    printf("{%d} begins to roll back in operation %d\n", p, o);
    i = 0;
    do
    :: i < 3 ->
        if
        :: i != p && (RECOVERS(p) ||
                      LAST_SENT(live[p], CHANNEL(p, i)) > LAST_SENT(permanent[p], CHANNEL(p, i)))
            ->
            LABEL_FOR(o, p, i) = 1 + LAST_SENT(permanent[p], CHANNEL(p, i));
#ifdef INFINITY_IF_NONE
            if
            :: LABEL_FOR(o, p, i) == 1 -> LABEL_FOR(o, p, i) = 1 + 99
            :: else
            fi;
#endif
            unanswered[p] = unanswered[p] | ONE(i);
            printf("{%d} asks {%d} to roll back in %d what is above label %d\n", p, i, o,
                   LABEL_FOR(o, p, i) - 1)
        :: else
        fi;
        i++
    :: else -> break
    od;
    advance(p)
}

/* --- the end of an operation */

inline leave(p) {
    take_no_more_votes(p, in[p]);
    in[p] = NONE;
    stage[p] = 0;
    parent[p] = NOBODY;
    askers[p] = 0;
    tentative[p] = 0;
    tentative_balance[p] = 0
}

inline restore(p) {
    live[p] = permanent[p];
    balance[p] = permanent_balance[p]
}

/* Undone, with ABORT to its children. */
inline undo(p, o) {
    i = 0;
    do
    :: i < 3 ->
        if
        :: LABEL_FOR(o, p, i) -> told_abort[o] = told_abort[o] | ONE(p)
        :: else
        fi;
        i++
    :: else -> break
    od;
    leave(p);
    if
    :: WAITS_TO_RESTORE(p) ->
        restore_due = restore_due & ~ONE(p);
        restore(p)
    :: else
    fi
}

inline ends_with_abort(p, o) {
    printf("{%d} hears ABORT of operation %d\n", p, o);
    aborted[o] = aborted[o] | ONE(p);
    if
    :: IN(p, o) -> undo(p, o)
    :: else
    fi;
    held[p] = held[p] & ~(7 << (3 * o));
    all_decide_alike = (committed[o] == 0);
    assert(all_decide_alike);
    is_over_now(p, o)
}

/* Before its vote a participant, and before its question the initiator, may abort alone. */
inline gives_up(p) {
    k = in[p];
    printf("{%d} gives up operation %d\n", p, k);
    aborted[k] = aborted[k] | ONE(p);
    if
    :: initiator[k] != p -> say(k, p, parent[p], NO)
    :: else
    fi;
    all_decide_alike = (decision[k] != COMMIT && committed[k] == 0);
    assert(all_decide_alike);
    undo(p, k);
    is_over_now(p, k)
}

/* The epochs that those who asked said that they would have. */
inline raise_known(p, o, who) {
    i = 0;
    do
    :: i < 3 ->
        if
        :: BIT(who, i) && EPOCH_OF(o, i) + 1 > known_epoch[CHANNEL(p, i)] ->
            known_epoch[CHANNEL(p, i)] = EPOCH_OF(o, i) + 1;
            no_false_alarm = (EPOCH_OF(o, i) + 1 <= epoch[i] || IN_KIND(i, ROLLBACK));
            assert_no_alarm()
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* Everything in its sent log goes out again, in its present epoch. */
inline send_again(p) {
    i = 0;
    do
    :: i < 4 ->
        if
        :: channel[i] != NOBODY && channel[i] / 3 == p && BIT(live[p], i) && !BIT(dropped, i) ->
            sent_in[i] = sent_in[i] | ONE(epoch[p])
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* Within the present epochs of both nobody may claim a label that was not sent: the sender would
   take its own storage for an old copy, and stop. */
inline nobody_is_alarmed(p) {
    i = 0;
    do
    :: i < 3 ->
        if
        :: i != p && known_epoch[CHANNEL(i, p)] == epoch[p] &&
            known_epoch[CHANNEL(p, i)] == epoch[i] && !SUSPENDED(p) && !SUSPENDED(i) ->
            no_false_alarm =
                !HAS_ABOVE(live[i], CHANNEL(p, i), LAST_SENT(live[p], CHANNEL(p, i))) &&
                !HAS_ABOVE(live[p], CHANNEL(i, p), LAST_SENT(live[i], CHANNEL(i, p)));
            assert_no_alarm()
        :: else
        fi;
        i++
    :: else -> break
    od
}

inline ends_with_commit(p, o) {
    committed[o] = committed[o] | ONE(p);
    all_decide_alike = (aborted[o] == 0);
    assert(all_decide_alike);
    if
    :: IN(p, o) && kind[o] == CHECKPOINT ->
        printf("{%d} makes its checkpoint of operation %d permanent\n", p, o);
        permanent[p] = tentative[p];
        permanent_balance[p] = tentative_balance[p];
        leave(p);
        if
        :: WAITS_TO_RESTORE(p) ->
            restore_due = restore_due & ~ONE(p);
            restore(p)
        :: else
        fi
    :: IN(p, o) && kind[o] == ROLLBACK ->
        printf("{%d} rolls back in operation %d, to epoch %d\n", p, o,
               (EPOCH_OF(o, p) + 1 > epoch[p] -> EPOCH_OF(o, p) + 1 : epoch[p]));
        raise_known(p, o, askers[p]);
        leave(p);
        restore(p);
        if
        :: initiator[o] == p && EPOCH_OF(o, p) == epoch[p] -> recovering = recovering & ~ONE(p)
        :: else
        fi;
        if
        :: EPOCH_OF(o, p) + 1 > epoch[p] -> epoch[p] = EPOCH_OF(o, p) + 1
        :: else
        fi;
        if
        :: !RECOVERS(p) -> send_again(p)
        :: else
        fi
    :: else -> printf("{%d} hears COMMIT of operation %d and holds back no longer\n", p, o)
    fi;
    raise_known(p, o, HOLDS(p, o));
    held[p] = held[p] & ~(7 << (3 * o));
    is_over_now(p, o);
    tidy_transfers();
    nobody_is_alarmed(p)
}
