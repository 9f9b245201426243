/* The bank (docs/protocol.md, The bank's decisions): settlements, decisions, and what is checked at
   every cut. */

/* The cut fits together by who sent what, and not only by labels and sums; and the money in it,
   with what is on the way, is what was put in. */
inline check_cut(of_now) {
    sum = (of_now -> balance[0] + balance[1] + balance[2]
                  : row_balance[0] + row_balance[1] + row_balance[2]);
    no_orphan_in_a_cut = true;
    i = 0;
    do
    :: i < 4 ->
        if
        :: channel[i] != NOBODY ->
            j = (of_now -> live[channel[i] / 3] : row[channel[i] / 3]);
            k = (of_now -> live[channel[i] % 3] : row[channel[i] % 3]);
            if
            :: BIT(k, i) && !BIT(j, i) -> no_orphan_in_a_cut = false
            :: else
            fi;
            if
            :: BIT(j, i) && !HAS_LABEL(k, channel[i], label[i]) -> sum = sum + ONE(i)
            :: else
            fi
        :: else
        fi;
        i++
    :: else -> break
    od;
    money_is_conserved = (sum == 3 * OPENING)
}

inline record_commit(o) {
    decision[o] = COMMIT;
    all_decide_alike = (aborted[o] == 0);
    assert(all_decide_alike);
    i = 0;
    do
    :: i < 3 ->
        if
        :: BIT(to_commit[o], i) ->
            no_commit_without_a_vote = (IN_DOUBT(i, o) || HOLDS(i, o) || BIT(committed[o], i));
            assert_vote()
        :: else
        fi;
        if
        :: BIT(settled[o], i) ->
            row[i] = settled_history[3 * o + i];
            row_balance[i] = settled_balance[3 * o + i]
        :: else
        fi;
        i++
    :: else -> break
    od;
    drop_settlements(o);
    printf("bank records COMMIT of operation %d\n", o);
    check_cut(false);
    assert(no_orphan_in_a_cut);
    assert(money_is_conserved)
}

inline record_abort(o) {
    decision[o] = ABORT;
    printf("bank records ABORT of operation %d\n", o);
    drop_settlements(o);
    settled[o] = 0;
    tidy(o)
}

inline drop_settlements(o) {
    k = 0;
    do
    :: k < 3 ->
        settled_history[3 * o + k] = 0;
        settled_balance[3 * o + k] = 0;
        k++
    :: else -> break
    od
}

/* A checkpoint: the bank holds the settlements of exactly the named. A rollback: it has begun. */
#define IS_COMMITTABLE(o) (kind[o] == ROLLBACK || to_commit[o] == settled[o])
