/*
 * The order as a whole: the heaps against a linear scan, the bound of fairq.h on every prefix of random runs, the cost
 * table and the window by themselves.
 */
#include <errno.h>

#include "tests/agent/fairio/model.h"
#include "tests/random.h"
#include "tests/run.h"

#define RUNS 40
#define STEPS 20000
#define FLIGHT_MAX 256
#define CLIENTS 12

/* ---- against the model ---- */

struct pair_in_flight {
    fq_id id;
    struct model_grant model;
};

static struct fq_share random_share(uint64_t *r)
{
    struct fq_share s = {.weight = (uint32_t)(1 + random_below(r, random_below(r, 4) == 0 ? 10000 : 10))};
    if (random_below(r, 4) == 0)
        s.reserved_ppm = (uint32_t)(1 + random_below(r, 500000));
    return s;
}

static struct fq_limits random_limits(uint64_t *r)
{
    struct fq_limits l = {0};
    if (random_below(r, 2) == 0)
        l.ppm = (uint32_t)(1000 + random_below(r, 900000));
    if (random_below(r, 2) == 0)
        l.bytes_per_s = 1 + random_below(r, 1 << 30);
    if (random_below(r, 2) == 0)
        l.ops_per_s = 1 + random_below(r, 20000);
    return l;
}

/* Other caps, each in the place of one of those before or new, and tenants anywhere under them. */
static void random_caps(struct fairq *q, struct model *m, const fq_id *tenants, uint64_t *r, int64_t now)
{
    struct fq_cap caps[MODEL_CAPS] = {0};
    unsigned count = (unsigned)random_below(r, MODEL_CAPS + 1);
    for (unsigned i = 0; i < count; i++)
        caps[i] = (struct fq_cap){random_limits(r), (uint32_t)random_below(r, i + 1),
                                  random_below(r, 3) > 0 && i < m->caps_count ? i + 1 : 0};
    ck_assert_int_eq(fairq_caps(q, caps, count, now), 0);
    model_caps(m, caps, count, now);
    for (unsigned i = 0; i < m->count; i++) {
        uint32_t cap = (uint32_t)random_below(r, count + 1);
        ck_assert_int_eq(fairq_tenant_set(q, tenants[i], &m->t[i].share, cap, now), 0);
        model_set(m, i, m->t[i].share, cap, now);
    }
}

static void compare_next(struct fairq *q, struct model *m, const fq_id *streams, int64_t now,
                         struct pair_in_flight *flight, unsigned *count, uint64_t seed)
{
    struct fq_grant g = {0};
    struct model_grant mg = {0};
    bool one = fairq_next(q, now, &g), two = model_next(m, now, &mg);
    if (one != two)
        ck_abort_msg("REEVE_SEED=%" PRIu64 ": %s grants, the other doesn't", seed, one ? "the queue" : "the model");
    if (!one)
        return;
    if (g.stream != streams[mg.tenant] || g.bytes != mg.bytes || g.cost_ns != mg.cost || g.offset != mg.offset)
        ck_abort_msg("REEVE_SEED=%" PRIu64 ": %" PRIu64 " bytes, the model: tenant %u, %" PRIu64, seed, g.bytes,
                     mg.tenant, mg.bytes);
    flight[(*count)++] = (struct pair_in_flight){g.id, mg};
}

static void against_the_model(uint64_t seed)
{
    static struct model m;
    static struct pair_in_flight flight[FLIGHT_MAX];
    uint64_t r = seed;
    struct fairq *q = new_queue();
    fq_id tenants[MODEL_TENANTS], streams[MODEL_TENANTS], job;
    unsigned count = 0;
    int64_t now = 0;
    m = (struct model){.count = (unsigned)(2 + random_below(&r, MODEL_TENANTS - 1)), .seen = -1, .other = -1};
    window_init(&m.window, 0, 0, 0);
    for (unsigned i = 0; i < m.count; i++) {
        struct fq_share s = random_share(&r);
        ck_assert_int_eq(fairq_tenant_add(q, &s, 0, &tenants[i]), 0);
        ck_assert_int_eq(fairq_job_add(q, tenants[i], &job), 0);
        ck_assert_int_eq(fairq_stream_add(q, job, FLIGHT_MAX, &streams[i]), 0);
        m.t[i] = (struct model_tenant){.share = s, .cap = -1, .parked = -1, .let_out = -1};
    }
    random_caps(q, &m, tenants, &r, now);
    for (int step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)random_below(&r, m.count);
        uint64_t what = random_below(&r, 10);
        if (what < 3 && m.t[i].pending < MODEL_REQUESTS - 1) {
            struct fq_request one = {.dir = (enum io_dir)random_below(&r, 2), .random = random_below(&r, 2) == 0,
                                     .bytes = random_below(&r, 3) == 0 ? random_below(&r, 4 << 20) : 4096};
            ck_assert_int_eq(fairq_post(q, streams[i], &one, now), 0);
            model_post(&m, i, &one, now);
        } else if (what < 7 && count < FLIGHT_MAX) {
            compare_next(q, &m, streams, now, flight, &count, seed);
        } else if (what < 9 && count > 0) {
            unsigned k = (unsigned)random_below(&r, count);
            uint64_t all = flight[k].model.bytes, moved = random_below(&r, 5) == 0 ? random_below(&r, all + 1) : all;
            fairq_done(q, flight[k].id, moved, now);
            model_done(&m, &flight[k].model, moved, now);
            flight[k] = flight[--count];
        } else if (random_below(&r, 8) == 0) {
            struct fq_share s = random_share(&r);
            uint32_t cap = (uint32_t)random_below(&r, m.caps_count + 1);
            ck_assert_int_eq(fairq_tenant_set(q, tenants[i], &s, cap, now), 0);
            model_set(&m, i, s, cap, now);
        } else if (random_below(&r, 100) == 0) {
            random_caps(q, &m, tenants, &r, now);
        } else {
            now += (int64_t)random_below(&r, 400000);
            fairq_tick(q, now);
            window_tick(&m.window, now, model_is_used(&m), model_contended(&m, now));
        }
        if (charged(q, tenants[i]) != m.t[i].charged || fairq_in_flight_ns(q) != m.in_flight)
            ck_abort_msg("REEVE_SEED=%" PRIu64 ": step %d: charged or in flight differ", seed, step);
    }
    fairq_free(q);
}

START_TEST(heaps_and_a_linear_scan_agree)
{
    uint64_t seed = random_seed("order");
    for (int run = 0; run < RUNS; run++)
        against_the_model(seed + (uint64_t)run);
}
END_TEST

/* ---- the bound ---- */

struct bounded {
    struct client client;
    uint32_t weight;
    int64_t largest; /* virtual: its largest chunk's cost over its weight */
};

/* Over any interval: the difference's own range, from the first moment to the last, is the worst of all intervals. */
struct range {
    int64_t least, most;
};

static void check_bound(struct fairq *q, const struct bounded *b, unsigned count, struct range *ranges, int64_t slack,
                        int64_t now_ns, uint64_t seed)
{
    int64_t got[CLIENTS];
    bool late = false;
    for (unsigned i = 0; i < count; i++) {
        struct fq_view v;
        if (fairq_view(q, b[i].client.tenant, &v) < 0)
            ck_abort();
        got[i] = v.charged_ns * MODEL_V / b[i].weight;
        late |= v.late_ns > 0 || now_ns < v.slow_until_ns;
    }
    for (unsigned i = 0; late && i < CLIENTS * CLIENTS; i++) /* granted less meanwhile: the interval is over */
        ranges[i] = (struct range){INT64_MAX, INT64_MIN};
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < i; k++) {
            struct range *r = &ranges[i * CLIENTS + k];
            int64_t apart = got[i] - got[k];
            r->least = MIN(r->least, apart);
            r->most = MAX(r->most, apart);
            int64_t bound = b[i].largest + b[k].largest + 2 * slack + 2 * STEPS / 1000;
            if (r->most - r->least > bound) /* an assertion each time would tell Check a million times */
                ck_abort_msg("REEVE_SEED=%" PRIu64 ": %u and %u: %" PRId64 " > %" PRId64, seed, i, k,
                             r->most - r->least, bound);
        }
}

static void stay_within_the_bound(uint64_t seed)
{
    static struct range ranges[CLIENTS * CLIENTS];
    uint64_t r = seed;
    struct fairq *q = new_queue();
    struct bounded b[CLIENTS];
    struct device d;
    unsigned count = (unsigned)(2 + random_below(&r, CLIENTS - 2));
    memset(ranges, 0, sizeof ranges);
    device_init(&d, q, (unsigned)(1 + random_below(&r, 4)));
    for (unsigned i = 0; i < count; i++) {
        b[i].weight = (uint32_t)(1 + random_below(&r, 20));
        b[i].client = new_client(q, (struct fq_share){.weight = b[i].weight}, random_below(&r, 2) == 0 ? 4096 : 1 << 20,
                                 random_below(&r, 2) == 0);
        b[i].client.dir = (enum io_dir)random_below(&r, 2);
        b[i].largest = io_cost_of(&disk_cost, b[i].client.dir, b[i].client.random,
                                  MIN(b[i].client.chunk, FQ_CHUNK_CONTENDED)) * MODEL_V / b[i].weight;
        for (int k = 0; k < 256; k++)
            client_post(q, &b[i].client, 0);
    }
    int64_t slack = fairq_slack(q) * MODEL_V;
    for (int step = 0; step < STEPS / 4; step++) {
        device_fill(&d);
        slack = MAX(slack, fairq_slack(q) * MODEL_V); /* of those that aren't late */
        check_bound(q, b, count, ranges, slack, d.now_ns, seed);
        struct fq_grant g;
        ck_assert_msg(device_step(&d, &g), "REEVE_SEED=%" PRIu64 ": idle with work waiting", seed);
        uint64_t fate = random_below(&r, 50); /* an error, a short completion, a stall, another speed */
        fairq_done(q, g.id, fate == 0 ? 0 : fate == 1 ? g.bytes / 2 : g.bytes, d.now_ns);
        for (unsigned i = 0; i < count; i++)
            if (g.last && g.stream == b[i].client.stream)
                client_post(q, &b[i].client, d.now_ns);
        if (fate == 2)
            d.now_ns += (int64_t)random_below(&r, 20 * MS);
        if (fate == 3)
            d.slow_percent = (int64_t)(50 + random_below(&r, 400));
        device_tick(&d);
        check_bound(q, b, count, ranges, slack, d.now_ns, seed);
    }
    fairq_free(q);
}

START_TEST(service_stays_within_the_bound_on_every_prefix)
{
    uint64_t seed = random_seed("bound");
    for (int run = 0; run < RUNS; run++)
        stay_within_the_bound(seed + (uint64_t)run);
}
END_TEST

/* ---- caps ---- */

/* What passed under a cap beyond what time has paid for, since whenever that is most: of all intervals that end now. */
struct passed {
    double bytes, ops, cost;
    int64_t at_ns;
};

static double pass(double before, double rate, double elapsed_s, double amount)
{
    return MAX(before - rate * elapsed_s, 0.0) + amount;
}

static void check_cap(struct passed *p, const struct fq_limits *l, const struct fq_grant *g, int64_t now, uint64_t seed)
{
    double elapsed_s = (double)(now - p->at_ns) / 1e9, burst_s = (double)FQ_BURST_NS / 1e9;
    p->at_ns = now;
    p->bytes = pass(p->bytes, (double)l->bytes_per_s, elapsed_s, (double)g->bytes);
    p->ops = pass(p->ops, (double)l->ops_per_s, elapsed_s, 1);
    p->cost = pass(p->cost, (double)l->ppm / 1e6, elapsed_s, (double)g->cost_ns / 1e9);
    const struct {
        double passed, rate, chunk;
    } all[] = {{p->bytes, (double)l->bytes_per_s, FQ_CHUNK_ALONE},
               {p->ops, (double)l->ops_per_s, 1},
               {p->cost, (double)l->ppm / 1e6, (double)WINDOW_ALONE_NS / 1e9}};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i].rate > 0 && all[i].passed > all[i].rate * burst_s + all[i].chunk * 1.0001)
            ck_abort_msg("REEVE_SEED=%" PRIu64 ": %.6f of limit %zu, at most %.6f", seed, all[i].passed, i,
                         all[i].rate * burst_s + all[i].chunk);
}

struct capped {
    struct client client;
    uint32_t under;
    unsigned waiting;
};

/* A grant, and all caps that it counts for. */
static void passed_caps(struct capped *clients, const struct fq_cap *caps, struct passed *passed,
                        const struct fq_grant *g, int64_t now, uint64_t seed)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (clients[i].client.stream != g->stream)
            continue;
        clients[i].waiting -= g->last;
        for (uint32_t c = clients[i].under; c > 0; c = caps[c - 1].under)
            check_cap(&passed[c - 1], &caps[c - 1].limits, g, now, seed);
    }
}

static void stay_below_the_caps(uint64_t seed)
{
    uint64_t r = seed;
    struct fairq *q = new_queue();
    struct fq_cap caps[MODEL_CAPS] = {0};
    struct passed passed[MODEL_CAPS] = {0};
    struct capped clients[CLIENTS];
    struct fq_grant flight[FLIGHT_MAX], g;
    unsigned count = 0;
    int64_t now = 0;
    for (unsigned i = 0; i < MODEL_CAPS; i++)
        caps[i] = (struct fq_cap){random_limits(&r), (uint32_t)random_below(&r, i + 1), 0};
    ck_assert_int_eq(fairq_caps(q, caps, MODEL_CAPS, 0), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        uint32_t under = 1 + (uint32_t)random_below(&r, MODEL_CAPS);
        uint64_t bytes = random_below(&r, 2) == 0 ? 4096 : 1 << 20;
        clients[i] = (struct capped){new_client_under(q, under, random_share(&r), bytes, false), under, 0};
    }
    for (int step = 0; step < STEPS; step++) {
        struct capped *c = &clients[random_below(&r, CLIENTS)];
        if (c->waiting < 64) {
            client_post(q, &c->client, now);
            c->waiting++;
        }
        while (count < FLIGHT_MAX && fairq_next(q, now, &g)) {
            passed_caps(clients, caps, passed, &g, now, seed);
            flight[count++] = g;
        }
        now += (int64_t)random_below(&r, random_below(&r, 50) == 0 ? (uint64_t)(300 * MS) : (uint64_t)MS);
        while (count > 0 && random_below(&r, 4) > 0) {
            count--;
            fairq_done(q, flight[count].id, flight[count].bytes, now);
        }
        fairq_tick(q, now);
    }
    fairq_free(q);
}

START_TEST(all_under_a_cap_stay_below_it_on_every_window)
{
    uint64_t seed = random_seed("caps");
    for (int run = 0; run < RUNS; run++)
        stay_below_the_caps(seed + (uint64_t)run);
}
END_TEST

/* ---- parts ---- */

static const struct cost_row {
    const char *sentence;
    enum io_dir dir;
    bool random;
    uint64_t bytes;
    int64_t ns;
} cost_rows[] = {
    {"no bytes cost their base", IO_WRITE, false, 0, 9400},
    {"4 KiB read", IO_READ, true, 4096, 9400 + 3531},
    {"rounded up", IO_READ, false, 1, 9401},
    {"1 MiB read", IO_READ, false, 1 << 20, 9400 + 903873},
    {"the largest there is", IO_READ, false, IO_BYTES_MAX, 9400 + INT64_C(947779023143)},
};

START_TEST(a_cost_is_base_and_slope)
{
    const struct cost_row *r = &cost_rows[_i];
    ck_assert_msg(io_cost_of(&disk_cost, r->dir, r->random, r->bytes) == r->ns, "%s: %" PRId64, r->sentence,
                  io_cost_of(&disk_cost, r->dir, r->random, r->bytes));
    uint64_t back = io_cost_bytes_in(&disk_cost, r->dir, r->ns);
    ck_assert_msg(back <= MAX(r->bytes, 4096) && back % 4096 == 0, "%s: %" PRIu64, r->sentence, back);
}
END_TEST

START_TEST(nothing_completing_is_slow_never_healthy)
{
    struct window w;
    window_init(&w, 0, 0, 0);
    window_tick(&w, WINDOW_TICK_NS, true, true); /* from here on it is busy */
    for (int i = 2; i < 40; i++)
        window_tick(&w, i * WINDOW_TICK_NS, true, true);
    ck_assert_int_eq(w.speed_ppm, SPEED_MIN_PPM);
    for (int i = 40; i < 80; i++) {
        window_done(&w, WINDOW_TICK_NS / 2);
        window_tick(&w, i * WINDOW_TICK_NS, true, true);
    }
    ck_assert_int_gt(w.speed_ppm, PPM * 49 / 100);
    ck_assert_int_le(w.speed_ppm, PPM / 2);
    window_idle(&w);
    window_tick(&w, 80 * WINDOW_TICK_NS, false, true); /* an idle interval says nothing */
    ck_assert_int_gt(w.speed_ppm, PPM * 49 / 100);
}
END_TEST

static const struct widen_row {
    const char *sentence;
    bool drained;
    int64_t completed_percent; /* of the interval before */
    bool widens;
} widen_rows[] = {
    {"a device that ran dry and did less", true, 50, true},
    {"one that is just slower", false, 50, false},
    {"one that ran dry and lost nothing by it", true, 100, false},
    {"one that does as ever", false, 100, false},
};

START_TEST(the_window_widens_only_when_the_device_runs_dry_for_it)
{
    const struct widen_row *r = &widen_rows[_i];
    struct window w;
    window_init(&w, 0, 0, 0);
    for (int i = 1; i < 4; i++) {
        window_done(&w, WINDOW_TICK_NS);
        window_tick(&w, i * WINDOW_TICK_NS, true, true);
    }
    ck_assert_int_eq(w.limit_ns, WINDOW_CONTENDED_NS);
    int64_t done = WINDOW_TICK_NS * r->completed_percent / 100;
    window_done(&w, done);
    for (int64_t n = 0; r->drained && n < done / WINDOW_CONTENDED_NS / 4; n++)
        window_drained(&w);
    window_tick(&w, 4 * WINDOW_TICK_NS, true, true);
    ck_assert_msg((w.limit_ns > WINDOW_CONTENDED_NS) == r->widens, "%s: %" PRId64, r->sentence, w.limit_ns);
    for (int i = 5; i < 40; i++) {
        window_done(&w, WINDOW_TICK_NS);
        window_tick(&w, i * WINDOW_TICK_NS, true, true);
    }
    ck_assert_int_lt(w.limit_ns, WINDOW_CONTENDED_NS * 101 / 100); /* and drifts back */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/order");
    TCase *t = tcase_create("order");
    tcase_add_test(t, heaps_and_a_linear_scan_agree);
    tcase_add_test(t, service_stays_within_the_bound_on_every_prefix);
    tcase_add_test(t, all_under_a_cap_stay_below_it_on_every_window);
    tcase_add_loop_test(t, a_cost_is_base_and_slope, 0, (int)COUNT_OF(cost_rows));
    tcase_add_loop_test(t, the_window_widens_only_when_the_device_runs_dry_for_it, 0, (int)COUNT_OF(widen_rows));
    tcase_add_test(t, nothing_completing_is_slow_never_healthy);
    suite_add_tcase(s, t);
    return run_suite(s);
}
