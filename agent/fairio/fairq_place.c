/*
 * fairq_place - the order of tenants: start tags with slack, earliest finish within it, reservations before; who is
 * over a cap is not in it.
 */
#include "agent/fairio/state.h"

/* Ties by number: rows of one table. */
#define COMPARE(field)                                                                             \
    static int by_##field(const void *a, const void *b)                                            \
    {                                                                                              \
        const struct tenant *x = a, *y = b;                                                        \
        if (x->field != y->field)                                                                  \
            return x->field < y->field ? -1 : 1;                                                   \
        return (x > y) - (x < y);                                                                  \
    }
COMPARE(start)
COMPARE(finish)
COMPARE(reserve_ns)
static const struct heap_kind start_first = {by_start, offsetof(struct tenant, at), NULL},
                              finish_first = {by_finish, offsetof(struct tenant, at_finish), NULL};
const struct heap_kind place_behind_first = {by_reserve_ns, offsetof(struct tenant, at_reserved), NULL};

int64_t virtual_of(int64_t cost_ns, uint32_t weight)
{
    return (int64_t)((fq_wide)cost_ns * VIRTUAL / weight);
}

/* One chunk at the mean weight of those that have work. */
int64_t place_slack(const struct fairq *q)
{
    uint32_t count = q->waiting.count + q->eligible.count;
    return q->weights == 0 ? 0 : (int64_t)((fq_wide)q->chunk_ns * VIRTUAL * count / (fq_wide)q->weights);
}

static void make_eligible(struct fairq *q, struct tenant *t, int64_t now_ns)
{
    t->place = ELIGIBLE;
    t->finish = t->start + virtual_of(work_head(q, t, now_ns).cost_ns, t->share.weight);
    heap_add(&q->eligible, &start_first, t);
    heap_add(&q->finish, &finish_first, t);
}

void place_enter(struct fairq *q, struct tenant *t, int64_t now_ns)
{
    bool waits = t->seen.late_ns > 0 || (t->in_flight > 0 && now_ns < t->slow_until_ns);
    if (t->place != NOWHERE || waits || !work_is_there(t))
        return;
    t->start = MAX(t->start, q->virtual_now); /* no credit is kept */
    struct cap *over = cap_over(q, t, now_ns);
    if (over != NULL) {
        cap_park(q, over, t);
        return;
    }
    q->weights += t->share.weight;
    if (t->share.reserved_ppm > 0)
        heap_add(&q->reserved, &place_behind_first, t);
    t->place = WAITING;
    heap_add(&q->waiting, &start_first, t);
}

void place_leave(struct fairq *q, struct tenant *t)
{
    if (t->place == LIMITED)
        cap_unpark(q, t);
    if (t->place == WAITING || t->place == ELIGIBLE) {
        heap_remove(t->place == WAITING ? &q->waiting : &q->eligible, &start_first, t);
        q->weights -= t->share.weight;
    }
    if (t->place == ELIGIBLE)
        heap_remove(&q->finish, &finish_first, t);
    if (t->at_reserved != HEAP_NOWHERE)
        heap_remove(&q->reserved, &place_behind_first, t);
    t->place = NOWHERE;
    cap_out_is_back(q, t);
}

void place_move_start(struct fairq *q, struct tenant *t, int64_t by)
{
    t->start += by;
    if (t->place == WAITING)
        heap_moved(&q->waiting, &start_first, t);
    if (t->place != ELIGIBLE)
        return;
    t->finish += by;
    heap_moved(&q->eligible, &start_first, t);
    heap_moved(&q->finish, &finish_first, t);
}

void place_release(struct fairq *q, int64_t now_ns)
{
    for (struct tenant *t; (t = cap_let_out(q, now_ns)) != NULL;) {
        place_enter(q, t, now_ns);
        if (t->place != WAITING) /* another one holds it: then it is somebody else's turn here */
            cap_out_is_back(q, t);
    }
}

static struct tenant *first(struct fairq *q, int64_t now_ns, bool *ret_reserved)
{
    const struct tenant *least = heap_top(&q->eligible), *next = heap_top(&q->waiting);
    if (least == NULL && next == NULL)
        return NULL;
    int64_t m = least == NULL ? next->start : next == NULL ? least->start : MIN(least->start, next->start);
    q->virtual_now = MAX(q->virtual_now, m);
    struct tenant *behind = heap_top(&q->reserved);
    *ret_reserved = behind != NULL && behind->reserve_ns <= q->served_ns;
    if (*ret_reserved)
        return behind;
    int64_t horizon = q->virtual_now + place_slack(q);
    for (struct tenant *t; (t = heap_top(&q->waiting)) != NULL && t->start <= horizon;) {
        heap_remove(&q->waiting, &start_first, t);
        make_eligible(q, t, now_ns);
    }
    return heap_top(&q->finish);
}

/* Who was in the order when somebody else closed its cap is taken out when its turn comes. */
struct tenant *place_pick(struct fairq *q, int64_t now_ns, bool *ret_reserved)
{
    for (;;) {
        struct tenant *t = first(q, now_ns, ret_reserved);
        struct cap *over = t != NULL ? cap_over(q, t, now_ns) : NULL;
        if (over == NULL)
            return t;
        place_leave(q, t);
        cap_park(q, over, t);
        place_release(q, now_ns); /* who waited for it to go */
    }
}
