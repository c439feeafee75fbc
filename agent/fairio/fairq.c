#include "agent/fairio/fairq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/fairio/state.h"

#define RESERVED_LEAD 20 /* chunks: how far a reservation may run ahead of the weights before it owes them no more */
#define LITTLE_PARTS 16 /* of the window: what a tenant may have in flight although it is full */
#define OVER_PARTS 8    /* and all of them together */
#define BOUND_MAX (UINT32_C(1) << 24)

/* ---- slots and ids ---- */

/* Those never taken follow one another behind the list: a large table costs memory only as it is used. */
static uint32_t pool_look(const struct pool *p, uint32_t bound)
{
    return p->first != NONE ? p->first : p->fresh < bound ? p->fresh : NONE;
}

static void pool_take(struct pool *p, uint32_t next_free)
{
    if (p->first != NONE)
        p->first = next_free;
    else
        p->fresh++;
}

static fq_id id_of(const struct slot *s, size_t index)
{
    return (uint64_t)s->generation << 32 | (uint32_t)(index + 1);
}

static bool is_live(const struct slot *s, fq_id id)
{
    return s->generation == (uint32_t)(id >> 32) && (s->generation & 1) != 0;
}

static uint32_t index_of(fq_id id, uint32_t count)
{
    uint32_t index = (uint32_t)id - 1;
    return index < count ? index : NONE;
}

#define FIND(name, type, table, bound)                                                             \
    static struct type *name(const struct fairq *q, fq_id id)                                      \
    {                                                                                              \
        uint32_t i = index_of(id, q->with.bound);                                                  \
        return i != NONE && is_live(&q->table[i].slot, id) ? &q->table[i] : NULL;                  \
    }
FIND(tenant_of, tenant, tenants, tenants_max)
FIND(job_of, job, jobs, jobs_max)
FIND(stream_of, stream, streams, streams_max)
FIND(grant_of, grant, grants, grants_max)

/* ---- birth ---- */

static bool setup_is_valid(const struct fairq_setup *s)
{
    const uint32_t bounds[] = {s->tenants_max, s->jobs_max, s->streams_max, s->requests_max, s->grants_max};
    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        if (bounds[i] == 0 || bounds[i] > BOUND_MAX)
            return false;
    return io_cost_is_valid(&s->cost) && s->contended_ns >= 0 && s->alone_ns >= s->contended_ns;
}

static int allocate(struct fairq *q)
{
    const struct fairq_setup *s = &q->with;
    q->tenants = calloc(s->tenants_max, sizeof *q->tenants);
    q->jobs = calloc(s->jobs_max, sizeof *q->jobs);
    q->streams = calloc(s->streams_max, sizeof *q->streams);
    q->requests = calloc(s->requests_max, sizeof *q->requests);
    q->grants = calloc(s->grants_max, sizeof *q->grants);
    if (q->tenants == NULL || q->jobs == NULL || q->streams == NULL || q->requests == NULL || q->grants == NULL)
        return -ENOMEM;
    struct heap *const heaps[] = {&q->waiting, &q->eligible, &q->finish, &q->reserved};
    for (size_t i = 0; i < COUNT_OF(heaps); i++)
        if (heap_reserve(heaps[i], s->tenants_max) < 0)
            return -ENOMEM;
    struct pool *const pools[] = {&q->free_tenants, &q->free_jobs, &q->free_streams, &q->free_requests,
                                  &q->free_grants};
    for (size_t i = 0; i < COUNT_OF(pools); i++)
        pools[i]->first = NONE;
    return 0;
}

static int64_t dearer(const struct io_cost *c)
{
    return MAX(io_cost_of(c, IO_READ, true, FQ_CHUNK_CONTENDED), io_cost_of(c, IO_WRITE, true, FQ_CHUNK_CONTENDED));
}

int fairq_new(struct fairq **ret, const struct fairq_setup *setup, int64_t now_ns)
{
    if (!setup_is_valid(setup))
        return -EINVAL;
    struct fairq *q = calloc(1, sizeof *q);
    if (q == NULL)
        return -ENOMEM;
    q->with = *setup;
    if (allocate(q) < 0) {
        fairq_free(q);
        return -ENOMEM;
    }
    window_init(&q->window, setup->contended_ns, setup->alone_ns, now_ns);
    q->chunk_ns = dearer(&setup->cost);
    q->oldest = q->newest = q->seen_tenant = q->other_tenant = NONE;
    *ret = q;
    return 0;
}

void fairq_free(struct fairq *q)
{
    if (q == NULL)
        return;
    for (uint32_t i = 0; q->tenants != NULL && i < q->with.tenants_max; i++)
        heap_fini(&q->tenants[i].jobs);
    caps_free(q->caps, q->caps_count);
    struct heap *const heaps[] = {&q->waiting, &q->eligible, &q->finish, &q->reserved, &q->closed};
    for (size_t i = 0; i < COUNT_OF(heaps); i++)
        heap_fini(heaps[i]);
    free(q->tenants);
    free(q->jobs);
    free(q->streams);
    free(q->requests);
    free(q->grants);
    free(q);
}

/* ---- tenants, jobs, streams ---- */

bool fairq_share_is_valid(const struct fq_share *s)
{
    return s->weight >= 1 && s->weight <= FQ_WEIGHT_MAX && s->reserved_ppm <= PPM;
}

int fairq_tenant_add(struct fairq *q, const struct fq_share *share, uint32_t cap, fq_id *ret)
{
    uint32_t i = pool_look(&q->free_tenants, q->with.tenants_max);
    if (!fairq_share_is_valid(share) || cap > q->caps_count)
        return -EINVAL;
    if (i == NONE)
        return -ENOSPC;
    struct tenant *t = &q->tenants[i];
    pool_take(&q->free_tenants, t->slot.next_free);
    struct slot slot = {t->slot.generation + 1, NONE};
    struct heap jobs = t->jobs;
    *t = (struct tenant){.slot = slot, .share = *share, .jobs = jobs, .start = q->virtual_now,
                         .reserve_ns = q->served_ns, .cap = cap - 1, .parked_at = NONE, .let_out_by = NONE};
    t->at = t->at_finish = t->at_reserved = HEAP_NOWHERE;
    *ret = id_of(&t->slot, i);
    return 0;
}

/* It owes device time, not virtual time. */
static void reweigh(struct fairq *q, struct tenant *t, uint32_t weight)
{
    cap_reweigh(q, t, weight);
    if (t->start > q->virtual_now)
        t->start = q->virtual_now + (int64_t)((fq_wide)(t->start - q->virtual_now) * t->share.weight / weight);
    t->share.weight = weight;
}

int fairq_tenant_set(struct fairq *q, fq_id tenant, const struct fq_share *share, uint32_t cap, int64_t now_ns)
{
    struct tenant *t = tenant_of(q, tenant);
    if (t == NULL || !fairq_share_is_valid(share) || cap > q->caps_count)
        return t == NULL ? -ENOENT : -EINVAL;
    place_leave(q, t);
    reweigh(q, t, share->weight);
    if (t->share.reserved_ppm == 0)
        t->reserve_ns = MAX(t->reserve_ns, q->served_ns);
    t->share.reserved_ppm = share->reserved_ppm;
    t->cap = cap - 1;
    place_enter(q, t, now_ns);
    return 0;
}

#define FREE(table, object, list)                                                                  \
    do {                                                                                           \
        (object)->slot.generation++;                                                               \
        (object)->slot.next_free = q->list.first;                                                  \
        q->list.first = (uint32_t)((object)-q->table);                                             \
    } while (0)

int fairq_tenant_drop(struct fairq *q, fq_id tenant)
{
    struct tenant *t = tenant_of(q, tenant);
    if (t == NULL || t->jobs_count > 0)
        return t == NULL ? -ENOENT : -EBUSY;
    FREE(tenants, t, free_tenants);
    return 0;
}

int fairq_job_add(struct fairq *q, fq_id tenant, fq_id *ret)
{
    struct tenant *t = tenant_of(q, tenant);
    uint32_t i = pool_look(&q->free_jobs, q->with.jobs_max);
    if (t == NULL || i == NONE)
        return t == NULL ? -ENOENT : -ENOSPC;
    uint32_t room = MAX(t->jobs.size, 4u);
    if (heap_reserve(&t->jobs, t->jobs_count < room ? room : room * 2) < 0)
        return -ENOMEM;
    struct job *j = &q->jobs[i];
    pool_take(&q->free_jobs, j->slot.next_free);
    *j = (struct job){.slot = {j->slot.generation + 1, NONE}, .tenant = (uint32_t)(t - q->tenants), .first = NONE,
                      .tag = t->job_now};
    j->at = HEAP_NOWHERE;
    t->jobs_count++;
    *ret = id_of(&j->slot, i);
    return 0;
}

int fairq_job_drop(struct fairq *q, fq_id job)
{
    struct job *j = job_of(q, job);
    if (j == NULL || j->streams_count > 0)
        return j == NULL ? -ENOENT : -EBUSY;
    q->tenants[j->tenant].jobs_count--;
    FREE(jobs, j, free_jobs);
    return 0;
}

int fairq_stream_add(struct fairq *q, fq_id job, uint32_t out_max, fq_id *ret)
{
    struct job *j = job_of(q, job);
    uint32_t i = pool_look(&q->free_streams, q->with.streams_max);
    if (out_max == 0)
        return -EINVAL;
    if (j == NULL || i == NONE)
        return j == NULL ? -ENOENT : -ENOSPC;
    struct stream *s = &q->streams[i];
    pool_take(&q->free_streams, s->slot.next_free);
    *s = (struct stream){.slot = {s->slot.generation + 1, NONE}, .job = (uint32_t)(j - q->jobs), .out_max = out_max,
                         .first = NONE, .last = NONE, .before = NONE, .after = NONE};
    j->streams_count++;
    *ret = id_of(&s->slot, i);
    return 0;
}

static bool has_work(const struct tenant *t)
{
    return t->pending > 0 || t->in_flight > 0;
}

/* Whom others share the disk with: not who is stuck, and takes nothing. */
static bool is_working(const struct tenant *t)
{
    return has_work(t) && t->seen.stuck_ns == 0;
}

static struct tenant *tenant_of_stream(struct fairq *q, const struct stream *s)
{
    return &q->tenants[q->jobs[s->job].tenant];
}

void fairq_stream_clear(struct fairq *q, fq_id stream)
{
    struct stream *s = stream_of(q, stream);
    if (s == NULL)
        return;
    struct tenant *t = tenant_of_stream(q, s);
    bool had = is_working(t);
    work_unlist(q, s);
    while (s->first != NONE) {
        uint32_t next = q->requests[s->first].next;
        q->requests[s->first].next = q->free_requests.first;
        q->free_requests.first = s->first;
        s->first = next;
        t->pending--;
    }
    s->last = NONE;
    if (!work_is_there(t))
        place_leave(q, t);
    q->working -= had && !is_working(t);
}

int fairq_stream_drop(struct fairq *q, fq_id stream)
{
    struct stream *s = stream_of(q, stream);
    if (s == NULL || s->out > 0)
        return s == NULL ? -ENOENT : -EBUSY;
    fairq_stream_clear(q, stream);
    q->jobs[s->job].streams_count--;
    FREE(streams, s, free_streams);
    return 0;
}

/* ---- work ---- */

int fairq_post(struct fairq *q, fq_id stream, const struct fq_request *request, int64_t now_ns)
{
    struct stream *s = stream_of(q, stream);
    uint32_t i = pool_look(&q->free_requests, q->with.requests_max);
    if (request->bytes > IO_BYTES_MAX || request->dir >= IO_DIR_COUNT)
        return -EINVAL;
    if (s == NULL || i == NONE)
        return s == NULL ? -ENOENT : -ENOSPC;
    pool_take(&q->free_requests, q->requests[i].next);
    q->requests[i] = (struct request){.next = NONE, .what = *request, .posted_ns = now_ns};
    if (s->first == NONE)
        s->first = i;
    else
        q->requests[s->last].next = i;
    s->last = i;
    struct tenant *t = tenant_of_stream(q, s);
    if (!has_work(t))
        t->reserve_ns = MAX(t->reserve_ns, q->served_ns);
    bool had = is_working(t);
    t->pending++;
    q->working += !had && is_working(t);
    work_note(q, (uint32_t)(t - q->tenants), now_ns);
    work_list(q, s);
    place_enter(q, t, now_ns);
    return 0;
}

static void charge_start(struct fairq *q, struct tenant *t, int64_t cost_ns, bool reserved)
{
    t->start += virtual_of(cost_ns, t->share.weight);
    if (reserved) {
        t->start = MIN(t->start, q->virtual_now + RESERVED_LEAD * virtual_of(q->chunk_ns, t->share.weight));
        fq_wide slice = (fq_wide)cost_ns * PPM / (fq_wide)t->share.reserved_ppm;
        /* Who was kept from it for longer than this chunk stands for has not saved that up. */
        t->reserve_ns = MAX(t->reserve_ns + (int64_t)slice, q->served_ns);
    }
    q->served_ns += cost_ns;
}

static struct grant *new_grant(struct fairq *q, const struct work *w, int64_t now_ns)
{
    uint32_t i = pool_look(&q->free_grants, q->with.grants_max);
    struct grant *g = &q->grants[i];
    pool_take(&q->free_grants, g->slot.next_free);
    *g = (struct grant){.slot = {g->slot.generation + 1, NONE}, .stream = (uint32_t)(w->stream - q->streams),
                        .older = q->newest, .newer = NONE, .cost_ns = w->cost_ns, .since_ns = now_ns,
                        .bytes = w->bytes, .dir = w->request->what.dir, .random = w->request->what.random};
    if (q->newest != NONE)
        q->grants[q->newest].newer = i;
    else
        q->oldest = i;
    q->newest = i;
    q->in_flight++;
    q->in_flight_ns += w->cost_ns;
    return g;
}

static void serve(struct fairq *q, struct tenant *t, struct work *w, bool reserved, int64_t now_ns,
                  struct fq_grant *ret)
{
    struct grant *g = new_grant(q, w, now_ns);
    *ret = (struct fq_grant){.id = id_of(&g->slot, (size_t)(g - q->grants)),
                             .stream = id_of(&w->stream->slot, (size_t)(w->stream - q->streams)),
                             .dir = w->request->what.dir,
                             .token = w->request->what.token,
                             .offset = w->request->granted,
                             .bytes = w->bytes,
                             .cost_ns = w->cost_ns,
                             .last = w->request->granted + w->bytes == w->request->what.bytes};
    if (w->request->posted_ns >= 0)
        latency_add(&q->times.waited, now_ns - w->request->posted_ns);
    w->request->posted_ns = -1;
    place_leave(q, t);
    charge_start(q, t, w->cost_ns, reserved);
    cap_pay(q, t, &(struct fq_taken){w->cost_ns, 1, w->bytes}, now_ns);
    cap_served(q, t, w->cost_ns);
    t->in_flight++;
    t->seen.in_flight_ns += w->cost_ns;
    t->seen.charged_ns += w->cost_ns;
    t->seen.granted_ops++;
    work_note(q, (uint32_t)(t - q->tenants), now_ns);
    work_take(q, t, w);
    place_enter(q, t, now_ns);
}

/* A full window is as good as empty to who has next to nothing in it: a disk that ends its operations in bunches would
 * else have it wait for one bunch before, and for another in the device. */
static bool fits(const struct fairq *q, const struct tenant *t, int64_t cost_ns)
{
    int64_t over_ns = q->in_flight_ns + cost_ns - q->window.limit_ns;
    return q->in_flight_ns == 0 || over_ns <= 0 ||
           (t->seen.in_flight_ns + cost_ns <= q->window.limit_ns / LITTLE_PARTS &&
            over_ns <= q->window.limit_ns / OVER_PARTS);
}

bool fairq_next(struct fairq *q, int64_t now_ns, struct fq_grant *ret)
{
    place_release(q, now_ns);
    if (pool_look(&q->free_grants, q->with.grants_max) == NONE)
        return false;
    bool reserved = false;
    struct tenant *t = place_pick(q, now_ns, &reserved);
    if (t == NULL)
        return false;
    struct work w = work_head(q, t, now_ns);
    if (!fits(q, t, w.cost_ns))
        return false;
    serve(q, t, &w, reserved, now_ns, ret);
    return true;
}

/* Empty between an answer and the next grant is not idle: then the device waits for us, and that is to be seen. */
static bool is_used(const struct fairq *q)
{
    return q->in_flight_ns > 0 || q->waiting.count + q->eligible.count > 0;
}

/* What was asked for and not moved is given back, but never so much that its start falls behind V. */
static void give_back(struct fairq *q, struct tenant *t, int64_t refund_ns)
{
    int64_t back = virtual_of(refund_ns, t->share.weight);
    cap_give_back(q, t, refund_ns);
    if (refund_ns <= 0 || t->start - back < q->virtual_now)
        return;
    t->seen.charged_ns -= refund_ns;
    place_move_start(q, t, -back);
}

static void unlink_grant(struct fairq *q, struct grant *g)
{
    uint32_t *after = g->older != NONE ? &q->grants[g->older].newer : &q->oldest;
    uint32_t *before = g->newer != NONE ? &q->grants[g->newer].older : &q->newest;
    *after = g->newer;
    *before = g->older;
    q->in_flight--;
}

static void note_done(struct fairq *q, uint32_t tenant, int64_t now_ns)
{
    if (q->done_tenant != tenant)
        q->done_other_ns = q->done_ns;
    q->done_tenant = tenant;
    q->done_ns = now_ns;
}

bool fairq_done(struct fairq *q, fq_id grant, uint64_t moved_bytes, int64_t now_ns)
{
    struct grant *g = grant_of(q, grant);
    if (g == NULL)
        return false;
    struct stream *s = &q->streams[g->stream];
    struct tenant *t = tenant_of_stream(q, s);
    bool had = is_working(t);
    moved_bytes = MIN(moved_bytes, g->bytes);
    int64_t cost_ns = io_cost_of(&q->with.cost, g->dir, g->random, moved_bytes);
    *(g->late ? &t->seen.late_ns : &t->seen.in_flight_ns) -= g->cost_ns;
    q->in_flight_ns -= g->late ? 0 : g->cost_ns;
    t->seen.stuck_ns -= g->stuck ? g->cost_ns : 0;
    q->times.stuck -= g->stuck;
    latency_add(&q->times.served, now_ns - g->since_ns);
    window_done(&q->window, cost_ns);
    note_done(q, (uint32_t)(t - q->tenants), now_ns);
    give_back(q, t, g->cost_ns - cost_ns);
    t->seen.moved_bytes += moved_bytes;
    t->in_flight--;
    s->out--;
    unlink_grant(q, g);
    FREE(grants, g, free_grants);
    if (had != is_working(t))
        q->working += had ? -1u : 1u;
    work_list(q, s);
    place_enter(q, t, now_ns);
    if (!is_used(q))
        window_idle(&q->window);
    else if (q->in_flight_ns == 0)
        window_drained(&q->window);
    return true;
}

void fairq_charge(struct fairq *q, fq_id tenant, const struct fq_taken *taken, int64_t now_ns)
{
    struct tenant *t = tenant_of(q, tenant);
    int64_t cost_ns = taken->cost_ns;
    if (t == NULL || cost_ns <= 0)
        return;
    t->seen.charged_ns += MIN(cost_ns, INT64_MAX - t->seen.charged_ns);
    int64_t most = q->virtual_now + virtual_of(FQ_DEBT_NS, t->share.weight);
    int64_t start = MIN(MAX(t->start, q->virtual_now) + virtual_of(MIN(cost_ns, FQ_DEBT_NS), t->share.weight), most);
    place_leave(q, t);
    cap_pay_direct(q, t, taken, now_ns);
    t->start = MAX(t->start, start);
    place_enter(q, t, now_ns);
}

/* ---- time ---- */

/* How long whatever is in a full window may take. */
static int64_t patience(const struct fairq *q)
{
    return MAX(q->window.limit_ns * FQ_LATE_FACTOR * PPM / q->window.speed_ppm, FQ_LATE_MIN_NS);
}

static void leave_window(struct fairq *q, struct grant *g, struct tenant *t, int64_t now_ns)
{
    g->late = true;
    g->late_ns = now_ns;
    q->in_flight_ns -= g->cost_ns;
    t->seen.in_flight_ns -= g->cost_ns;
    t->seen.late_ns += g->cost_ns;
    place_leave(q, t);
}

/* It is late, and what others were granted is done, then and a while after that: it isn't the disk. */
static void find_slow(struct fairq *q, struct grant *g, struct tenant *t, int64_t now_ns)
{
    int64_t others_ns = q->done_tenant == (uint32_t)(t - q->tenants) ? q->done_other_ns : q->done_ns;
    if (others_ns <= g->late_ns)
        return;
    if (g->passed_ns == 0)
        g->passed_ns = others_ns;
    if (others_ns - g->passed_ns >= FQ_SLOW_SEEN_NS)
        t->slow_until_ns = now_ns + FQ_SLOW_NS;
}

static bool is_stuck(const struct fairq *q, const struct grant *g, int64_t now_ns)
{
    int64_t should = (int64_t)((fq_wide)g->cost_ns * FQ_STUCK_FACTOR * PPM / q->window.speed_ppm);
    return now_ns - g->since_ns >= MAX(should, FQ_STUCK_MIN_NS);
}

static void find_late(struct fairq *q, int64_t now_ns)
{
    int64_t since_ns = now_ns - patience(q);
    for (uint32_t i = q->oldest; i != NONE && q->grants[i].since_ns <= since_ns; i = q->grants[i].newer) {
        struct grant *g = &q->grants[i];
        struct tenant *t = tenant_of_stream(q, &q->streams[g->stream]);
        if (!g->late)
            leave_window(q, g, t, now_ns);
        find_slow(q, g, t, now_ns);
        if (g->stuck || !is_stuck(q, g, now_ns))
            continue;
        q->working -= is_working(t);
        g->stuck = true;
        q->times.stuck++;
        q->times.stuck_total++;
        t->seen.stuck_ns += g->cost_ns;
    }
}

void fairq_tick(struct fairq *q, int64_t now_ns)
{
    find_late(q, now_ns);
    window_tick(&q->window, now_ns, is_used(q), work_is_contended(q, now_ns));
}

/* When the next is late, and somebody waits for its place. */
static int64_t late_at_ns(const struct fairq *q)
{
    uint32_t i = q->waiting.count + q->eligible.count > 0 ? q->oldest : NONE;
    while (i != NONE && q->grants[i].late)
        i = q->grants[i].newer;
    return i == NONE ? INT64_MAX : q->grants[i].since_ns + patience(q);
}

int64_t fairq_wake_ns(const struct fairq *q)
{
    const struct cap *c = heap_top(&q->closed);
    return MIN(c == NULL ? INT64_MAX : c->unlock_ns, late_at_ns(q));
}

int fairq_view(const struct fairq *q, fq_id tenant, struct fq_view *ret)
{
    const struct tenant *t = tenant_of(q, tenant);
    if (t == NULL)
        return -ENOENT;
    *ret = t->seen;
    ret->slow_until_ns = t->slow_until_ns;
    if (t->place == LIMITED) {
        ret->until_ns = q->caps[t->parked_at].unlock_ns;
        ret->cap = t->parked_at + 1;
        ret->limit = q->caps[t->parked_at].limit;
    }
    int64_t ahead = t->start > q->virtual_now ? t->start - q->virtual_now : 0;
    ret->ahead_ns = (int64_t)((fq_wide)ahead * t->share.weight / VIRTUAL);
    ret->standing = t->seen.stuck_ns > 0   ? FQ_STUCK
                    : t->place == LIMITED  ? FQ_LIMITED
                    : t->place != NOWHERE  ? FQ_READY
                    : t->pending > 0       ? FQ_FULL
                                           : FQ_IDLE;
    return 0;
}

bool fairq_is_busy(const struct fairq *q)
{
    return q->working > 0 || q->in_flight > 0;
}

const struct fq_times *fairq_times(const struct fairq *q)
{
    return &q->times;
}

const struct window *fairq_window(const struct fairq *q)
{
    return &q->window;
}

int64_t fairq_in_flight_ns(const struct fairq *q)
{
    return q->in_flight_ns;
}

int64_t fairq_slack(const struct fairq *q)
{
    return place_slack(q) / VIRTUAL;
}
