/*
 * model - the same order by the plainest means: arrays, scanned from end to end. One job and one stream a tenant; who
 * is over a cap is found by looking at all of them.
 * It shares the cost table and the window with the product, and nothing of its data structures.
 */
#ifndef REEVE_TESTS_AGENT_FAIRIO_MODEL_H
#define REEVE_TESTS_AGENT_FAIRIO_MODEL_H

#include "tests/agent/fairio/device.h"

#define MODEL_TENANTS 12
#define MODEL_REQUESTS 64
#define MODEL_CAPS 6
#define MODEL_V 65536

enum model_place { M_NOWHERE, M_WAITING, M_ELIGIBLE, M_LIMITED };

struct model_tenant {
    struct fq_share share;
    enum model_place place;
    int64_t start, finish, reserve, turn, charged, flight;
    int cap, parked, let_out; /* -1 */
    struct fq_request requests[MODEL_REQUESTS];
    uint64_t granted; /* of the first */
    unsigned pending, out;
};

struct model_cap {
    struct fq_limits limits;
    int under; /* -1 */
    int64_t paid[FQ_LIMIT_COUNT], turn_now;
};

struct model {
    struct model_tenant t[MODEL_TENANTS];
    struct model_cap caps[MODEL_CAPS];
    unsigned count, caps_count;
    struct window window;
    int64_t v, in_flight, served;
    int seen, other;
    int64_t seen_ns, other_ns;
};

struct model_grant {
    unsigned tenant;
    uint64_t bytes, offset;
    int64_t cost;
    enum io_dir dir;
    bool random;
};

static inline int64_t model_virtual(int64_t cost, uint32_t weight)
{
    return (int64_t)((fq_wide)cost * MODEL_V / weight);
}

static inline int64_t model_chunk_cost(void)
{
    return io_cost_of(&disk_cost, IO_READ, true, FQ_CHUNK_CONTENDED);
}

static inline bool model_contended(const struct model *m, int64_t now)
{
    unsigned working = 0;
    for (unsigned i = 0; i < m->count; i++)
        working += m->t[i].pending > 0 || m->t[i].out > 0;
    return working > 1 || (m->other >= 0 && now - m->other_ns < FQ_CONTENDED_NS);
}

static inline void model_note(struct model *m, unsigned i, int64_t now)
{
    if (m->seen != (int)i) {
        m->other = m->seen;
        m->other_ns = m->seen_ns;
        m->seen = (int)i;
    }
    m->seen_ns = now;
}

static inline uint64_t model_bytes(const struct model *m, const struct model_tenant *t, int64_t now)
{
    uint64_t most = model_contended(m, now) ? FQ_CHUNK_CONTENDED : FQ_CHUNK_ALONE;
    most = MIN(most, io_cost_bytes_in(&disk_cost, t->requests[0].dir, m->window.limit_ns / 4));
    return MIN(most, t->requests[0].bytes - t->granted);
}

static inline int64_t model_cost(const struct model *m, const struct model_tenant *t, int64_t now)
{
    return io_cost_of(&disk_cost, t->requests[0].dir, t->requests[0].random, model_bytes(m, t, now));
}

static inline int64_t model_unlock(const struct model_cap *c)
{
    int64_t unlock = INT64_MIN;
    if (c->limits.bytes_per_s > 0)
        unlock = MAX(unlock, c->paid[FQ_LIMIT_BYTES]);
    if (c->limits.ops_per_s > 0)
        unlock = MAX(unlock, c->paid[FQ_LIMIT_OPS]);
    if (c->limits.ppm > 0)
        unlock = MAX(unlock, c->paid[FQ_LIMIT_TIME]);
    return unlock;
}

static inline int model_over(const struct model *m, const struct model_tenant *t, int64_t now)
{
    int over = -1;
    for (int i = t->cap; i >= 0; i = m->caps[i].under)
        if (model_unlock(&m->caps[i]) > (over < 0 ? now : model_unlock(&m->caps[over])))
            over = i;
    return over;
}

static inline void model_park(struct model *m, struct model_tenant *t, int cap)
{
    t->place = M_LIMITED;
    t->parked = cap;
    t->turn = MAX(t->turn, m->caps[cap].turn_now);
}

static inline void model_leave(struct model_tenant *t)
{
    t->place = M_NOWHERE;
    t->parked = t->let_out = -1;
}

static inline void model_enter(struct model *m, struct model_tenant *t, int64_t now)
{
    if (t->place != M_NOWHERE || t->pending == 0)
        return;
    t->start = MAX(t->start, m->v);
    int over = model_over(m, t, now);
    if (over >= 0)
        model_park(m, t, over);
    else
        t->place = M_WAITING;
}

static inline void model_set(struct model *m, unsigned i, struct fq_share share, uint32_t cap, int64_t now)
{
    struct model_tenant *t = &m->t[i];
    int64_t turn_now = t->cap >= 0 ? m->caps[t->cap].turn_now : 0;
    model_leave(t);
    if (t->start > m->v)
        t->start = m->v + (int64_t)((fq_wide)(t->start - m->v) * t->share.weight / share.weight);
    if (t->turn > turn_now)
        t->turn = turn_now + (int64_t)((fq_wide)(t->turn - turn_now) * t->share.weight / share.weight);
    if (t->share.reserved_ppm == 0)
        t->reserve = MAX(t->reserve, m->served);
    t->share = share;
    t->cap = (int)cap - 1;
    model_enter(m, t, now);
}

static inline void model_caps(struct model *m, const struct fq_cap *caps, unsigned count, int64_t now)
{
    struct model_cap made[MODEL_CAPS];
    for (unsigned i = 0; i < count; i++) {
        made[i] = (struct model_cap){.paid = {INT64_MIN, INT64_MIN, INT64_MIN}};
        if (caps[i].was > 0)
            made[i] = m->caps[caps[i].was - 1];
        made[i].limits = caps[i].limits;
        made[i].under = (int)caps[i].under - 1;
    }
    memcpy(m->caps, made, sizeof made);
    m->caps_count = count;
    for (unsigned i = 0; i < m->count; i++) {
        if (m->t[i].place == M_LIMITED)
            model_leave(&m->t[i]);
        m->t[i].let_out = m->t[i].cap = -1;
    }
    for (unsigned i = 0; i < m->count; i++)
        model_enter(m, &m->t[i], now);
}

/* The cap that is paid off first, of those with somebody parked and nobody let out. */
static inline int model_open(const struct model *m, int64_t now)
{
    int first = -1;
    for (unsigned k = 0; k < m->caps_count; k++) {
        bool parked = false, out = false;
        for (unsigned i = 0; i < m->count; i++) {
            parked |= m->t[i].place == M_LIMITED && m->t[i].parked == (int)k;
            out |= m->t[i].let_out == (int)k;
        }
        if (parked && !out && model_unlock(&m->caps[k]) <= now &&
            (first < 0 || model_unlock(&m->caps[k]) < model_unlock(&m->caps[first])))
            first = (int)k;
    }
    return first;
}

static inline void model_release(struct model *m, int64_t now)
{
    for (int cap; (cap = model_open(m, now)) >= 0;) {
        int next = -1, behind = -1;
        for (unsigned i = 0; i < m->count; i++) {
            const struct model_tenant *t = &m->t[i];
            if (t->place != M_LIMITED || t->parked != cap)
                continue;
            if (next < 0 || t->turn < m->t[next].turn)
                next = (int)i;
            if (t->share.reserved_ppm > 0 && (behind < 0 || t->reserve < m->t[behind].reserve))
                behind = (int)i;
        }
        if (behind >= 0 && m->t[behind].reserve <= m->served)
            next = behind;
        struct model_tenant *t = &m->t[next];
        model_leave(t);
        model_enter(m, t, now);
        t->let_out = t->place == M_WAITING ? cap : -1;
    }
}

static inline void model_post(struct model *m, unsigned i, const struct fq_request *r, int64_t now)
{
    struct model_tenant *t = &m->t[i];
    if (t->pending == 0 && t->out == 0)
        t->reserve = MAX(t->reserve, m->served);
    t->requests[t->pending++] = *r;
    model_note(m, i, now);
    model_enter(m, t, now);
}

static inline bool model_is_ready(const struct model_tenant *t)
{
    return t->place == M_WAITING || t->place == M_ELIGIBLE;
}

static inline int model_first(struct model *m, int64_t now, bool *reserved)
{
    int64_t least = INT64_MAX, weights = 0, ready = 0;
    int best = -1;
    for (unsigned i = 0; i < m->count; i++)
        if (model_is_ready(&m->t[i])) {
            least = MIN(least, m->t[i].start);
            weights += m->t[i].share.weight;
            ready++;
        }
    if (ready == 0)
        return -1;
    m->v = MAX(m->v, least);
    for (unsigned i = 0; i < m->count; i++)
        if (model_is_ready(&m->t[i]) && m->t[i].share.reserved_ppm > 0 &&
            (best < 0 || m->t[i].reserve < m->t[best].reserve))
            best = (int)i;
    *reserved = best >= 0 && m->t[best].reserve <= m->served;
    if (*reserved)
        return best;
    int64_t horizon = m->v + (int64_t)((fq_wide)model_chunk_cost() * MODEL_V * ready / weights);
    best = -1;
    for (unsigned i = 0; i < m->count; i++)
        if (m->t[i].place == M_WAITING && m->t[i].start <= horizon) {
            m->t[i].place = M_ELIGIBLE;
            m->t[i].finish = m->t[i].start + model_virtual(model_cost(m, &m->t[i], now), m->t[i].share.weight);
        }
    for (unsigned i = 0; i < m->count; i++)
        if (m->t[i].place == M_ELIGIBLE && (best < 0 || m->t[i].finish < m->t[best].finish))
            best = (int)i;
    return best;
}

static inline int model_pick(struct model *m, int64_t now, bool *reserved)
{
    for (;;) {
        int i = model_first(m, now, reserved), over = i < 0 ? -1 : model_over(m, &m->t[i], now);
        if (over < 0)
            return i;
        model_leave(&m->t[i]);
        model_park(m, &m->t[i], over);
        model_release(m, now);
    }
}

static inline void model_pay(int64_t *at, int64_t now, fq_wide amount, fq_wide rate)
{
    if (rate > 0)
        *at = (int64_t)(MAX(*at, now - FQ_BURST_NS) + (amount * SECOND + rate - 1) / rate);
}

static inline void model_pay_all(struct model *m, struct model_tenant *t, uint64_t bytes, int64_t cost, int64_t now)
{
    for (int i = t->cap; i >= 0; i = m->caps[i].under) {
        struct model_cap *c = &m->caps[i];
        model_pay(&c->paid[FQ_LIMIT_BYTES], now, (fq_wide)bytes, (fq_wide)c->limits.bytes_per_s);
        model_pay(&c->paid[FQ_LIMIT_OPS], now, 1, (fq_wide)c->limits.ops_per_s);
        model_pay(&c->paid[FQ_LIMIT_TIME], now, (fq_wide)cost * PPM, (fq_wide)c->limits.ppm * SECOND);
        c->turn_now = MAX(c->turn_now, t->turn);
    }
    t->turn += model_virtual(cost, t->share.weight);
}

static inline bool model_next(struct model *m, int64_t now, struct model_grant *ret)
{
    model_release(m, now);
    bool reserved = false;
    int i = model_pick(m, now, &reserved);
    if (i < 0)
        return false;
    struct model_tenant *t = &m->t[i];
    uint64_t bytes = model_bytes(m, t, now);
    int64_t cost = model_cost(m, t, now);
    bool little = t->flight + cost <= m->window.limit_ns / 16 && m->in_flight + cost <= m->window.limit_ns * 9 / 8;
    if (m->in_flight > 0 && m->in_flight + cost > m->window.limit_ns && !little)
        return false;
    *ret = (struct model_grant){(unsigned)i, bytes, t->granted, cost, t->requests[0].dir, t->requests[0].random};
    m->in_flight += cost;
    t->flight += cost;
    model_leave(t);
    t->start += model_virtual(cost, t->share.weight);
    if (reserved) {
        t->start = MIN(t->start, m->v + 20 * model_virtual(model_chunk_cost(), t->share.weight));
        t->reserve += (int64_t)((fq_wide)cost * PPM / (fq_wide)t->share.reserved_ppm);
        t->reserve = MAX(t->reserve, m->served);
    }
    m->served += cost;
    model_pay_all(m, t, bytes, cost, now);
    t->charged += cost;
    t->out++;
    model_note(m, (unsigned)i, now);
    t->granted += bytes;
    if (t->granted == t->requests[0].bytes) {
        memmove(t->requests, t->requests + 1, --t->pending * sizeof t->requests[0]);
        t->granted = 0;
    }
    model_enter(m, t, now);
    return true;
}

static inline bool model_is_used(const struct model *m)
{
    bool ready = false;
    for (unsigned i = 0; i < m->count; i++)
        ready |= model_is_ready(&m->t[i]);
    return m->in_flight > 0 || ready;
}

static inline void model_done(struct model *m, const struct model_grant *g, uint64_t moved, int64_t now)
{
    struct model_tenant *t = &m->t[g->tenant];
    int64_t cost = io_cost_of(&disk_cost, g->dir, g->random, moved);
    int64_t back = model_virtual(g->cost - cost, t->share.weight), lower = t->start - back;
    if (t->cap >= 0 && g->cost > cost && t->turn - back >= m->caps[t->cap].turn_now)
        t->turn -= back;
    m->in_flight -= g->cost;
    t->flight -= g->cost;
    window_done(&m->window, cost);
    if (g->cost > cost && lower >= m->v) {
        t->finish -= t->start - lower;
        t->start = lower;
        t->charged -= g->cost - cost;
    }
    t->out--;
    model_enter(m, t, now);
    if (!model_is_used(m))
        window_idle(&m->window);
    else if (m->in_flight == 0)
        window_drained(&m->window);
}

#endif
