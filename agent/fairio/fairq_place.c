/*
 * fairq_place - the order of tenants: start tags with slack, earliest finish within it, reservations before, limits.
 */
#include "agent/fairio/state.h"

/* Ties by number: rows of one table. */
#define ORDER(name, field, where)                                                                  \
    static int by_##name(const void *a, const void *b)                                             \
    {                                                                                              \
        const struct tenant *x = a, *y = b;                                                        \
        if (x->field != y->field)                                                                  \
            return x->field < y->field ? -1 : 1;                                                   \
        return (x > y) - (x < y);                                                                  \
    }                                                                                              \
    static const struct heap_kind name = {by_##name, offsetof(struct tenant, where)}
ORDER(start_first, start, at);
ORDER(unlock_first, unlock_ns, at);
ORDER(finish_first, finish, at_finish);
ORDER(behind_first, reserve_ns, at_reserved);

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

static int64_t paid_off(const struct tenant *t, enum fq_limit *ret)
{
    const struct {
        bool is_there;
        int64_t at_ns;
    } limits[FQ_LIMIT_COUNT] = {[FQ_LIMIT_BYTES] = {t->share.bytes_per_s > 0, t->bytes_ns},
                                [FQ_LIMIT_OPS] = {t->share.ops_per_s > 0, t->ops_ns},
                                [FQ_LIMIT_TIME] = {t->share.limit_ppm > 0, t->time_ns}};
    int64_t at = INT64_MIN;
    for (enum fq_limit i = 0; i < FQ_LIMIT_COUNT; i++)
        if (limits[i].is_there && limits[i].at_ns > at) {
            at = limits[i].at_ns;
            *ret = i;
        }
    return at;
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
    if (t->place != NOWHERE || t->seen.stuck_ns > 0 || !work_is_there(t))
        return;
    t->start = MAX(t->start, q->virtual_now); /* no credit is kept */
    t->unlock_ns = paid_off(t, &t->seen.limit);
    if (t->unlock_ns > now_ns) {
        t->place = LIMITED;
        t->seen.limited_total[t->seen.limit] += t->unlock_ns != t->counted_ns; /* not again for being weighed anew */
        t->counted_ns = t->unlock_ns;
        heap_add(&q->limited, &unlock_first, t);
        return;
    }
    q->weights += t->share.weight;
    if (t->share.reserved_ppm > 0)
        heap_add(&q->reserved, &behind_first, t);
    t->place = WAITING;
    heap_add(&q->waiting, &start_first, t);
}

void place_leave(struct fairq *q, struct tenant *t)
{
    if (t->place == LIMITED)
        heap_remove(&q->limited, &unlock_first, t);
    if (t->place == WAITING || t->place == ELIGIBLE) {
        heap_remove(t->place == WAITING ? &q->waiting : &q->eligible, &start_first, t);
        q->weights -= t->share.weight;
    }
    if (t->place == ELIGIBLE)
        heap_remove(&q->finish, &finish_first, t);
    if (t->at_reserved != HEAP_NOWHERE)
        heap_remove(&q->reserved, &behind_first, t);
    t->place = NOWHERE;
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
    for (struct tenant *t; (t = heap_top(&q->limited)) != NULL && t->unlock_ns <= now_ns;) {
        place_leave(q, t);
        t->reserve_ns = MAX(t->reserve_ns, q->served_ns);
        place_enter(q, t, now_ns);
    }
}

struct tenant *place_pick(struct fairq *q, int64_t now_ns, bool *ret_reserved)
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
