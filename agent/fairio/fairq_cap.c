/*
 * fairq_cap - limits that tenants are under together: who of them waits, and who is let out.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/fairio/state.h"

#define NS_PER_S INT64_C(1000000000)

/* Ties by number: rows of one table. */
static int by_turn(const void *a, const void *b)
{
    const struct tenant *x = a, *y = b;
    if (x->turn != y->turn)
        return x->turn < y->turn ? -1 : 1;
    return (x > y) - (x < y);
}
static const struct heap_kind turn_first = {by_turn, offsetof(struct tenant, at), NULL};

static int by_unlock(const void *a, const void *b)
{
    const struct cap *x = a, *y = b;
    if (x->unlock_ns != y->unlock_ns)
        return x->unlock_ns < y->unlock_ns ? -1 : 1;
    return (x > y) - (x < y);
}
static const struct heap_kind unlock_first = {by_unlock, offsetof(struct cap, at), NULL};

/* ---- what is owed ---- */

static void find_unlock(struct cap *c)
{
    const bool is_there[FQ_LIMIT_COUNT] = {[FQ_LIMIT_BYTES] = c->limits.bytes_per_s > 0,
                                           [FQ_LIMIT_OPS] = c->limits.ops_per_s > 0,
                                           [FQ_LIMIT_TIME] = c->limits.ppm > 0};
    c->unlock_ns = INT64_MIN;
    for (enum fq_limit i = 0; i < FQ_LIMIT_COUNT; i++)
        if (is_there[i] && c->paid_ns[i] > c->unlock_ns) {
            c->unlock_ns = c->paid_ns[i];
            c->limit = i;
        }
}

/* A limit is a time at which what was let through is paid off; a burst may be owed. */
static void pay(int64_t *at_ns, int64_t now_ns, fq_wide amount, fq_wide rate_per_s)
{
    if (rate_per_s == 0)
        return;
    fq_wide end = MAX(*at_ns, now_ns - FQ_BURST_NS) + (amount * NS_PER_S + rate_per_s - 1) / rate_per_s;
    *at_ns = end > INT64_MAX ? INT64_MAX : (int64_t)end;
}

static void pay_all(struct fairq *q, const struct tenant *t, const struct fq_taken *took, int64_t now_ns,
                    int64_t latest_ns)
{
    for (uint32_t i = t->cap; i != NONE; i = q->caps[i].under) {
        struct cap *c = &q->caps[i];
        pay(&c->paid_ns[FQ_LIMIT_BYTES], now_ns, (fq_wide)took->bytes, (fq_wide)c->limits.bytes_per_s);
        pay(&c->paid_ns[FQ_LIMIT_OPS], now_ns, (fq_wide)took->ops, (fq_wide)c->limits.ops_per_s);
        pay(&c->paid_ns[FQ_LIMIT_TIME], now_ns, (fq_wide)took->cost_ns * PPM, (fq_wide)c->limits.ppm * NS_PER_S);
        for (enum fq_limit k = 0; k < FQ_LIMIT_COUNT; k++)
            c->paid_ns[k] = MIN(c->paid_ns[k], latest_ns);
        find_unlock(c);
        if (c->at != HEAP_NOWHERE)
            heap_moved(&q->closed, &unlock_first, c);
    }
}

void cap_pay(struct fairq *q, const struct tenant *t, const struct fq_taken *took, int64_t now_ns)
{
    pay_all(q, t, took, now_ns, INT64_MAX);
}

/* What a turn is ahead of. */
static int64_t turn_now(const struct fairq *q, const struct tenant *t)
{
    return t->cap != NONE ? q->caps[t->cap].turn_now : 0;
}

void cap_pay_direct(struct fairq *q, struct tenant *t, const struct fq_taken *took, int64_t now_ns)
{
    pay_all(q, t, took, now_ns, now_ns + FQ_DEBT_NS);
    int64_t least = turn_now(q, t), most = least + virtual_of(FQ_DEBT_NS, t->share.weight);
    int64_t turn = MAX(t->turn, least) + virtual_of(MIN(took->cost_ns, FQ_DEBT_NS), t->share.weight);
    t->turn = MAX(t->turn, MIN(turn, most));
}

struct cap *cap_over(struct fairq *q, const struct tenant *t, int64_t now_ns)
{
    struct cap *longest = NULL;
    for (uint32_t i = t->cap; i != NONE; i = q->caps[i].under)
        if (q->caps[i].unlock_ns > (longest != NULL ? longest->unlock_ns : now_ns))
            longest = &q->caps[i];
    return longest;
}

/* ---- who waits ---- */

static void list(struct fairq *q, struct cap *c)
{
    bool should = c->parked.count > 0 && c->out == NONE;
    if (should && c->at == HEAP_NOWHERE)
        heap_add(&q->closed, &unlock_first, c);
    else if (!should && c->at != HEAP_NOWHERE)
        heap_remove(&q->closed, &unlock_first, c);
}

void cap_park(struct fairq *q, struct cap *c, struct tenant *t)
{
    t->place = LIMITED;
    t->parked_at = (uint32_t)(c - q->caps);
    t->turn = MAX(t->turn, c->turn_now); /* no credit is kept here either */
    t->seen.limited_total[c->limit] += c->unlock_ns != t->counted_ns; /* not again for being weighed anew */
    t->counted_ns = c->unlock_ns;
    heap_add(&c->parked, &turn_first, t);
    if (t->share.reserved_ppm > 0)
        heap_add(&c->behind, &place_behind_first, t);
    list(q, c);
}

void cap_unpark(struct fairq *q, struct tenant *t)
{
    struct cap *c = &q->caps[t->parked_at];
    heap_remove(&c->parked, &turn_first, t);
    if (t->at_reserved != HEAP_NOWHERE)
        heap_remove(&c->behind, &place_behind_first, t);
    t->parked_at = NONE;
    list(q, c);
}

struct tenant *cap_let_out(struct fairq *q, int64_t now_ns)
{
    struct cap *c = heap_top(&q->closed);
    if (c == NULL || c->unlock_ns > now_ns)
        return NULL;
    struct tenant *behind = heap_top(&c->behind);
    struct tenant *t = behind != NULL && behind->reserve_ns <= q->served_ns ? behind : heap_top(&c->parked);
    cap_unpark(q, t);
    t->place = NOWHERE;
    t->let_out_by = (uint32_t)(c - q->caps);
    c->out = (uint32_t)(t - q->tenants);
    list(q, c);
    return t;
}

void cap_out_is_back(struct fairq *q, struct tenant *t)
{
    if (t->let_out_by == NONE)
        return;
    struct cap *c = &q->caps[t->let_out_by];
    t->let_out_by = NONE;
    c->out = NONE;
    list(q, c);
}

void cap_served(struct fairq *q, struct tenant *t, int64_t cost_ns)
{
    for (uint32_t i = t->cap; i != NONE; i = q->caps[i].under)
        q->caps[i].turn_now = MAX(q->caps[i].turn_now, t->turn);
    t->turn += virtual_of(cost_ns, t->share.weight);
}

void cap_give_back(struct fairq *q, struct tenant *t, int64_t cost_ns)
{
    int64_t lower = t->turn - virtual_of(cost_ns, t->share.weight);
    if (t->cap == NONE || cost_ns <= 0 || lower < turn_now(q, t))
        return;
    t->turn = lower;
    if (t->place == LIMITED)
        heap_moved(&q->caps[t->parked_at].parked, &turn_first, t);
}

void cap_reweigh(struct fairq *q, struct tenant *t, uint32_t weight)
{
    int64_t now = turn_now(q, t);
    if (t->turn > now)
        t->turn = now + (int64_t)((fq_wide)(t->turn - now) * t->share.weight / weight);
}

/* ---- the list ---- */

bool fairq_limits_are_valid(const struct fq_limits *l)
{
    return l->ppm <= PPM && l->bytes_per_s <= IO_BYTES_MAX && l->ops_per_s <= (uint64_t)NS_PER_S;
}

void caps_free(struct cap *caps, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        heap_fini(&caps[i].parked);
        heap_fini(&caps[i].behind);
    }
    free(caps);
}

static bool list_is_valid(const struct fairq *q, const struct fq_cap *caps, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!fairq_limits_are_valid(&caps[i].limits) || caps[i].under > i || caps[i].was > q->caps_count)
            return false;
    return true;
}

static struct cap made_of(const struct fairq *q, const struct fq_cap *from)
{
    struct cap c = {.limits = from->limits, .under = from->under - 1, .out = NONE, .at = HEAP_NOWHERE,
                    .paid_ns = {INT64_MIN, INT64_MIN, INT64_MIN}};
    const struct cap *was = from->was > 0 ? &q->caps[from->was - 1] : NULL;
    for (enum fq_limit i = 0; was != NULL && i < FQ_LIMIT_COUNT; i++)
        c.paid_ns[i] = was->paid_ns[i];
    c.turn_now = was != NULL ? was->turn_now : 0;
    find_unlock(&c);
    return c;
}

/* Under none of the old ones. */
static void leave_caps(struct fairq *q)
{
    for (uint32_t i = 0; i < q->free_tenants.fresh; i++) {
        struct tenant *t = &q->tenants[i];
        if ((t->slot.generation & 1) == 0)
            continue;
        if (t->place == LIMITED)
            place_leave(q, t);
        cap_out_is_back(q, t);
        t->cap = NONE;
    }
}

int fairq_caps(struct fairq *q, const struct fq_cap *caps, uint32_t count, int64_t now_ns)
{
    if (!list_is_valid(q, caps, count))
        return -EINVAL;
    struct cap *made = calloc((size_t)count + 1, sizeof *made);
    if (made == NULL || heap_reserve(&q->closed, count) < 0) {
        free(made);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++)
        made[i] = made_of(q, &caps[i]);
    leave_caps(q);
    caps_free(q->caps, q->caps_count);
    q->caps = made;
    q->caps_count = count;
    for (uint32_t i = 0; i < q->free_tenants.fresh; i++)
        if ((q->tenants[i].slot.generation & 1) != 0)
            place_enter(q, &q->tenants[i], now_ns);
    return 0;
}
