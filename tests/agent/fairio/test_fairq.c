#include <errno.h>

#include "tests/agent/fairio/device.h"
#include "tests/run.h"

#define CLIENTS_MAX 16
#define BACKLOG 128 /* requests each keeps waiting: more than the window holds */

/* Runs `seconds` with every client backlogged; what each was charged, in parts per million of all. */
static void run_backlogged(struct device *d, struct client *clients, unsigned count, int64_t until_ns,
                           int64_t shares_ppm[CLIENTS_MAX])
{
    int64_t before[CLIENTS_MAX], all = 0;
    for (unsigned i = 0; i < count; i++) {
        before[i] = charged(d->q, clients[i].tenant);
        struct fq_view v;
        ck_assert_int_eq(fairq_view(d->q, clients[i].tenant, &v), 0);
        for (int k = 0; v.standing == FQ_IDLE && k < BACKLOG; k++)
            client_post(d->q, &clients[i], d->now_ns);
    }
    while (d->now_ns < until_ns) {
        device_fill(d);
        struct fq_grant g;
        if (!device_step(d, &g)) {
            d->now_ns = MIN(fairq_wake_ns(d->q), until_ns);
            continue;
        }
        fairq_done(d->q, g.id, g.bytes, d->now_ns);
        for (unsigned i = 0; i < count; i++)
            if (g.last && clients[i].stream == g.stream)
                client_post(d->q, &clients[i], d->now_ns);
        device_tick(d);
    }
    for (unsigned i = 0; i < count; i++)
        all += charged(d->q, clients[i].tenant) - before[i];
    for (unsigned i = 0; i < count; i++)
        shares_ppm[i] = all == 0 ? 0 : (charged(d->q, clients[i].tenant) - before[i]) * PPM / all;
}

static const struct share_row {
    const char *sentence;
    unsigned count;
    struct fq_share shares[4];
    struct fq_limits limits[4];
    uint64_t bytes[4];
    int64_t want_ppm[4];
    int64_t slow_percent; /* 0 = 100 */
} share_rows[] = {
    {"equal weights, equal shares", 2, {{.weight = 1}, {.weight = 1}}, {{0}}, {1 << 20, 1 << 20}, {500000, 500000}, 0},
    {"4 KiB and 1 MiB share device time, not operations", 2, {{.weight = 1}, {.weight = 1}}, {{0}}, {4096, 1 << 20},
     {500000, 500000}, 0},
    {"1 to 10", 2, {{.weight = 1}, {.weight = 10}}, {{0}}, {4096, 1 << 20}, {90909, 909091}, 0},
    {"1 to 2 to 7", 3, {{.weight = 1}, {.weight = 2}, {.weight = 7}}, {{0}}, {65536, 1 << 20, 4096},
     {100000, 200000, 700000}, 0},
    {"a reservation holds against a large weight", 2, {{.weight = 1, .reserved_ppm = 500000}, {.weight = 9}}, {{0}},
     {1 << 20, 1 << 20}, {500000, 500000}, 0},
    {"and on a device at half its speed", 2, {{.weight = 1, .reserved_ppm = 500000}, {.weight = 9}}, {{0}},
     {1 << 20, 1 << 20}, {500000, 500000}, 200},
    {"a reservation below its share changes nothing", 2, {{.weight = 1, .reserved_ppm = 200000}, {.weight = 1}}, {{0}},
     {1 << 20, 1 << 20}, {500000, 500000}, 0},
    {"reservation, weight and limit together", 3,
     {{.weight = 1, .reserved_ppm = 300000}, {.weight = 2}, {.weight = 1}}, {{0}, {0}, {.ppm = 100000}},
     {1 << 20, 1 << 20, 1 << 20}, {300000, 600000, 100000}, 0},
};

START_TEST(shares_of_device_time_are_as_configured)
{
    const struct share_row *r = &share_rows[_i];
    struct fairq *q = new_queue();
    struct client clients[CLIENTS_MAX];
    int64_t got[CLIENTS_MAX];
    struct device d;
    device_init(&d, q, 1);
    d.slow_percent = r->slow_percent == 0 ? 100 : r->slow_percent;
    struct fq_cap caps[4] = {0};
    for (unsigned i = 0; i < r->count; i++)
        caps[i].limits = r->limits[i];
    ck_assert_int_eq(fairq_caps(q, caps, r->count, 0), 0);
    for (unsigned i = 0; i < r->count; i++)
        clients[i] = new_client_under(q, i + 1, r->shares[i], r->bytes[i], r->bytes[i] <= 4096);
    run_backlogged(&d, clients, r->count, 2 * SECOND, got); /* until the speed is known */
    run_backlogged(&d, clients, r->count, 12 * SECOND, got);
    for (unsigned i = 0; i < r->count; i++)
        ck_assert_msg(got[i] > r->want_ppm[i] - 12000 && got[i] < r->want_ppm[i] + 12000,
                      "%s: tenant %u has %" PRId64 " ppm of %" PRId64, r->sentence, i, got[i], r->want_ppm[i]);
    fairq_free(q);
}
END_TEST

/* What somebody is ahead of the others is device time, whatever it is counted in. */
START_TEST(weights_that_all_grow_alike_change_nothing)
{
    struct fairq *q = new_queue();
    const uint32_t weights[2] = {1, 10};
    struct client clients[2];
    struct device d;
    int64_t got[CLIENTS_MAX], least = PPM, most = 0;
    for (int i = 0; i < 2; i++)
        clients[i] = new_client(q, (struct fq_share){.weight = weights[i]}, 1 << 20, false);
    device_init(&d, q, 1);
    for (int turn = 0; turn < 400; turn++) {
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(
                fairq_tenant_set(q, clients[i].tenant,
                                 &(struct fq_share){.weight = weights[i] * (turn % 2 ? 10000u : 1u)}, 0, d.now_ns),
                0);
        run_backlogged(&d, clients, 2, d.now_ns + 20 * MS, got);
        least = MIN(least, got[0]);
        most = MAX(most, got[0]);
    }
    /* 20 ms are 160 chunks: one more or less of the lighter one */
    ck_assert_msg(least > 80000 && most < 102000, "%" PRId64 "..%" PRId64 " ppm of 90909", least, most);
    fairq_free(q);
}
END_TEST

/* As a disk behind a token bucket does: full speed, then nothing for longer than an interval of the measurement. */
START_TEST(a_reservation_holds_on_a_device_that_works_in_bursts)
{
    struct fairq *q = new_queue();
    struct client clients[2] = {new_client(q, (struct fq_share){.weight = 1, .reserved_ppm = 500000}, 1 << 20, false),
                                new_client(q, (struct fq_share){.weight = 9}, 1 << 20, false)};
    struct device d;
    int64_t got[CLIENTS_MAX];
    device_init(&d, q, 1);
    d.stall_every_ns = 200 * MS;
    d.stall_ns = 100 * MS;
    run_backlogged(&d, clients, 2, 2 * SECOND, got);
    run_backlogged(&d, clients, 2, 22 * SECOND, got);
    ck_assert_msg(got[0] > 470000 && got[0] < 560000, "%" PRId64 " ppm", got[0]);
    fairq_free(q);
}
END_TEST

/* All that was in flight comes back at once, and only then is the queue asked again: that is no idleness. */
START_TEST(a_window_that_is_empty_between_two_turns_is_busy)
{
    struct fairq *q = new_queue();
    struct client c = new_client(q, (struct fq_share){.weight = 1}, 64 << 10, false);
    struct fq_grant g[64];
    int64_t now = 0;
    for (int turn = 0; turn < 100; turn++) {
        unsigned count = 0;
        for (int k = 0; k < 64; k++)
            client_post(q, &c, now);
        while (fairq_next(q, now, &g[count]))
            count++;
        now += 10 * MS; /* far longer than its cost */
        for (unsigned i = 0; i < count; i++)
            fairq_done(q, g[i].id, g[i].bytes, now);
        fairq_tick(q, now);
    }
    ck_assert_int_lt(fairq_window(q)->speed_ppm, 300000); /* 2 ms of device time in each 10 ms */
    fairq_free(q);
}
END_TEST

START_TEST(a_lone_tenant_has_the_whole_device)
{
    struct fairq *q = new_queue();
    struct client c = new_client(q, (struct fq_share){.weight = 3}, 1 << 20, false);
    struct device d;
    int64_t got[CLIENTS_MAX];
    device_init(&d, q, 1);
    run_backlogged(&d, &c, 1, 5 * SECOND, got);
    ck_assert_int_gt(d.busy_ns, 4990 * MS);
    ck_assert_int_eq(fairq_window(q)->limit_ns, WINDOW_ALONE_NS);
    fairq_free(q);
}
END_TEST

static const struct limit_row {
    const char *sentence;
    struct fq_limits limits;
    int64_t most_ns; /* of ten seconds; 0 = by bytes or operations */
    uint64_t most_bytes, most_ops;
} limit_rows[] = {
    {"a tenth of the device's time", {.ppm = 100000}, SECOND + 30 * MS, 0, 0},
    {"ten megabytes a second", {.bytes_per_s = 10 << 20}, 0, (uint64_t)103 << 20, 0},
    {"a hundred operations a second", {.ops_per_s = 100}, 0, 0, 1020},
};

START_TEST(a_limit_is_kept_even_alone)
{
    const struct limit_row *r = &limit_rows[_i];
    struct fairq *q = new_queue();
    ck_assert_int_eq(fairq_caps(q, &(struct fq_cap){.limits = r->limits}, 1, 0), 0);
    struct client c = new_client_under(q, 1, (struct fq_share){.weight = 1}, 64 << 10, false);
    struct device d;
    struct fq_view v;
    int64_t got[CLIENTS_MAX];
    device_init(&d, q, 1);
    run_backlogged(&d, &c, 1, 10 * SECOND, got);
    ck_assert_int_eq(fairq_view(q, c.tenant, &v), 0);
    ck_assert_int_eq(v.standing, FQ_LIMITED);
    ck_assert_int_gt(v.until_ns, d.now_ns - SECOND);
    if (r->most_ns > 0)
        ck_assert_msg(v.charged_ns <= r->most_ns && v.charged_ns > r->most_ns * 9 / 10, "%s: %" PRId64, r->sentence,
                      v.charged_ns);
    if (r->most_bytes > 0)
        ck_assert_msg(v.moved_bytes <= r->most_bytes && v.moved_bytes > r->most_bytes * 9 / 10, "%s: %" PRIu64,
                      r->sentence, v.moved_bytes);
    if (r->most_ops > 0)
        ck_assert_msg(v.granted_ops <= r->most_ops && v.granted_ops > r->most_ops * 9 / 10, "%s: %" PRIu64,
                      r->sentence, v.granted_ops);
    fairq_free(q);
}
END_TEST

/* The first is under no cap and always has work: V runs on with it. */
static const struct cap_row {
    const char *sentence;
    struct fq_cap caps[2];
    struct fq_share shares[3];
    uint32_t under[3];
    bool idle[3];
    int64_t want_ppm[3]; /* of all device time */
} cap_rows[] = {
    {"a cap holds for all under it together, and they share it by their weights",
     {{.limits.ppm = 200000}}, {{.weight = 50}, {.weight = 100}, {.weight = 300}}, {0, 1, 1}, {0},
     {800000, 50000, 150000}},
    {"who doesn't want it leaves it to the others under it",
     {{.limits.ppm = 200000}}, {{.weight = 50}, {.weight = 100}, {.weight = 300}}, {0, 1, 1}, {0, 0, 1},
     {800000, 200000, 0}},
    {"a cap under a cap: the tighter one holds",
     {{.limits.ppm = 200000}, {.limits.ppm = 50000, .under = 1}}, {{.weight = 1}, {.weight = 1}, {.weight = 1}},
     {0, 1, 2}, {0}, {800000, 150000, 50000}},
    {"a cap under a tighter one changes nothing",
     {{.limits.ppm = 100000}, {.limits.ppm = 300000, .under = 1}}, {{.weight = 1}, {.weight = 1}, {.weight = 1}},
     {0, 1, 2}, {0}, {900000, 50000, 50000}},
    {"a reservation holds under a cap, whatever the weights there",
     {{.limits.ppm = 400000}}, {{.weight = 50}, {.weight = 1, .reserved_ppm = 300000}, {.weight = 300}}, {0, 1, 1}, {0},
     {600000, 300000, 100000}},
};

START_TEST(a_cap_holds_all_under_it)
{
    const struct cap_row *r = &cap_rows[_i];
    struct fairq *q = new_queue();
    struct client clients[3];
    struct device d;
    int64_t got[CLIENTS_MAX] = {0};
    unsigned count = 0;
    ck_assert_int_eq(fairq_caps(q, r->caps, 2, 0), 0);
    for (int i = 0; i < 3 && !r->idle[i]; i++)
        clients[count++] = new_client_under(q, r->under[i], r->shares[i], 1 << 20, false);
    device_init(&d, q, 1);
    run_backlogged(&d, clients, count, SECOND, got);
    run_backlogged(&d, clients, count, 11 * SECOND, got);
    for (unsigned i = 0; i < count; i++)
        ck_assert_msg(got[i] > r->want_ppm[i] - 8000 && got[i] < r->want_ppm[i] + 8000,
                      "%s: tenant %u has %" PRId64 " ppm of %" PRId64, r->sentence, i, got[i], r->want_ppm[i]);
    fairq_free(q);
}
END_TEST

/* What was used while nothing held it is no debt among those under a cap. */
START_TEST(who_comes_under_a_cap_has_no_credit)
{
    struct fairq *q = new_queue();
    struct device d;
    int64_t got[CLIENTS_MAX];
    ck_assert_int_eq(fairq_caps(q, &(struct fq_cap){.limits.ppm = 200000}, 1, 0), 0);
    struct client clients[2] = {new_client_under(q, 1, (struct fq_share){.weight = 1}, 1 << 20, false),
                                new_client_under(q, 1, (struct fq_share){.weight = 1}, 1 << 20, false)};
    device_init(&d, q, 1);
    run_backlogged(&d, clients, 1, 20 * SECOND, got);
    run_backlogged(&d, clients, 2, 21 * SECOND, got);
    ck_assert_msg(got[0] > 480000 && got[0] < 520000, "%" PRId64, got[0]);
    fairq_free(q);
}
END_TEST

START_TEST(what_is_owed_stays_when_caps_change)
{
    struct fairq *q = new_queue();
    struct fq_cap caps[2] = {{.limits.bytes_per_s = 1 << 20}, {.limits.ops_per_s = 10, .under = 1}};
    struct fq_grant g;
    ck_assert_int_eq(fairq_caps(q, caps, 2, 0), 0);
    struct client c = new_client_under(q, 2, (struct fq_share){.weight = 1}, 512 << 10, false);
    for (int i = 0; i < 4; i++)
        client_post(q, &c, 0);
    ck_assert(fairq_next(q, 0, &g));
    ck_assert(!fairq_next(q, 0, &g));
    int64_t wake = fairq_wake_ns(q);
    ck_assert(wake > 300 * MS && wake < 500 * MS);
    const struct fq_cap now[2] = {{.limits.ops_per_s = 1000000}, {.limits.bytes_per_s = 1 << 20, .was = 1}};
    ck_assert_int_eq(fairq_caps(q, now, 2, 0), 0);
    ck_assert_int_eq(fairq_tenant_set(q, c.tenant, &(struct fq_share){.weight = 1}, 2, 0), 0);
    ck_assert(!fairq_next(q, 0, &g));
    ck_assert_int_eq(fairq_wake_ns(q), wake);
    const struct fq_cap wrong[2] = {{.limits.ops_per_s = 1, .under = 1}, {.was = 3}};
    ck_assert_int_eq(fairq_caps(q, wrong, 1, 0), -EINVAL);
    ck_assert_int_eq(fairq_caps(q, wrong + 1, 1, 0), -EINVAL);
    ck_assert_int_eq(fairq_wake_ns(q), wake); /* nothing has changed */
    ck_assert_int_eq(fairq_caps(q, NULL, 0, 0), 0);
    ck_assert(fairq_next(q, 0, &g));
    fairq_free(q);
}
END_TEST

START_TEST(nothing_is_saved_up_while_idle)
{
    struct fairq *q = new_queue();
    struct client clients[2] = {new_client(q, (struct fq_share){.weight = 1}, 1 << 20, false),
                                new_client(q, (struct fq_share){.weight = 1}, 1 << 20, false)};
    struct device d;
    int64_t got[CLIENTS_MAX];
    device_init(&d, q, 1);
    run_backlogged(&d, clients, 1, 5 * SECOND, got);
    run_backlogged(&d, clients, 2, 5 * SECOND + 100 * MS, got);
    ck_assert_msg(got[0] > 470000 && got[0] < 530000, "%" PRId64, got[0]);
    fairq_free(q);
}
END_TEST

/* The point of the whole: it waits about as long as the window is, however many are noisy. */
START_TEST(a_small_operation_passes_the_noisy)
{
    struct fairq *q = new_queue();
    struct client noisy[CLIENTS_MAX], victim = new_client(q, (struct fq_share){.weight = 1}, 4096, true);
    struct device d;
    int64_t worst = 0, posted = -1;
    device_init(&d, q, 1);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        noisy[i] = new_client(q, (struct fq_share){.weight = 1}, 1 << 20, false);
        for (int k = 0; k < 32; k++)
            client_post(q, &noisy[i], 0);
    }
    while (d.now_ns < 3 * SECOND) {
        if (posted < 0) {
            posted = d.now_ns;
            client_post(q, &victim, posted);
        }
        device_fill(&d);
        struct fq_grant g;
        ck_assert(device_step(&d, &g));
        fairq_done(q, g.id, g.bytes, d.now_ns);
        if (g.stream == victim.stream) {
            worst = d.now_ns > SECOND ? MAX(worst, d.now_ns - posted) : worst;
            posted = -1;
        }
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
            if (g.last && g.stream == noisy[i].stream)
                client_post(q, &noisy[i], d.now_ns);
        device_tick(&d);
    }
    ck_assert_msg(worst > 0 && worst < 2 * MS, "%" PRId64 " ns", worst);
    fairq_free(q);
}
END_TEST

/* Small ones don't wait for a full window, as long as they are few. */
START_TEST(who_has_little_in_flight_passes_a_full_window)
{
    struct fairq *q = new_queue();
    struct client noisy = new_client(q, (struct fq_share){.weight = 1}, 1 << 20, false), small[16];
    struct fq_grant g;
    unsigned passed = 0;
    for (int i = 0; i < 16; i++)
        small[i] = new_client(q, (struct fq_share){.weight = 1}, 4096, true);
    client_post(q, &small[0], 0); /* so that it is contended */
    for (int k = 0; k < 4; k++)
        client_post(q, &noisy, 0);
    fairq_tick(q, 0);
    while (fairq_next(q, 0, &g))
        continue;
    int64_t full = fairq_in_flight_ns(q), limit = fairq_window(q)->limit_ns;
    ck_assert(full <= limit && full > limit / 2);
    for (int i = 1; i < 16; i++)
        for (int k = 0; k < 8; k++)
            client_post(q, &small[i], 0);
    for (; fairq_next(q, 0, &g); passed++)
        ck_assert_uint_ne(g.stream, noisy.stream);
    ck_assert_int_gt(fairq_in_flight_ns(q), limit);
    ck_assert_int_le(fairq_in_flight_ns(q), limit * 9 / 8);
    for (int i = 1; i < 16; i++) {
        struct fq_view v;
        ck_assert_int_eq(fairq_view(q, small[i].tenant, &v), 0);
        ck_assert_int_le(v.in_flight_ns, limit / 16);
    }
    ck_assert_uint_ge(passed, 4);
    fairq_free(q);
}
END_TEST

START_TEST(what_was_not_moved_is_given_back_once)
{
    struct fairq *q = new_queue();
    struct client c = new_client(q, (struct fq_share){.weight = 1}, 64 << 10, false);
    struct fq_grant g, other;
    struct fq_view v;
    client_post(q, &c, 0);
    client_post(q, &c, 0);
    ck_assert(fairq_next(q, 0, &g));
    ck_assert(fairq_next(q, 0, &other));
    int64_t before = charged(q, c.tenant);
    fairq_done(q, g.id, 4096, 1);
    int64_t refund =
        io_cost_of(&disk_cost, IO_READ, false, 64 << 10) - io_cost_of(&disk_cost, IO_READ, false, 4096);
    ck_assert_int_eq(charged(q, c.tenant), before - refund);
    int64_t after = charged(q, c.tenant);
    fairq_done(q, g.id, 0, 2); /* said twice */
    ck_assert_int_eq(charged(q, c.tenant), after);
    ck_assert_int_eq(fairq_view(q, c.tenant, &v), 0);
    ck_assert_uint_eq(v.moved_bytes, 4096);
    ck_assert_int_eq(v.in_flight_ns, other.cost_ns);
    fairq_free(q);
}
END_TEST

START_TEST(jobs_of_a_tenant_share_evenly_and_streams_take_turns)
{
    struct fairq *q = new_queue();
    struct client c = new_client(q, (struct fq_share){.weight = 1}, 1 << 20, false);
    fq_id small, streams[2];
    uint64_t bytes[3] = {0};
    ck_assert_int_eq(fairq_job_add(q, c.tenant, &small), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(fairq_stream_add(q, small, 8, &streams[i]), 0);
    struct fq_request r = {.bytes = 16 << 20};
    ck_assert_int_eq(fairq_post(q, c.stream, &r, 0), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(fairq_post(q, streams[i], &r, 0), 0);
    for (int i = 0; i < 40; i++) {
        struct fq_grant g;
        ck_assert(fairq_next(q, i, &g));
        bytes[g.stream == c.stream ? 0 : g.stream == streams[0] ? 1 : 2] += g.bytes;
        fairq_done(q, g.id, g.bytes, i);
    }
    ck_assert_uint_eq(bytes[0], bytes[1] + bytes[2]);
    ck_assert_uint_eq(bytes[1], bytes[2]);
    fairq_free(q);
}
END_TEST

START_TEST(a_stream_with_one_in_flight_keeps_its_order)
{
    struct fairq *q = new_queue();
    struct client c = new_client(q, (struct fq_share){.weight = 1}, 0, false);
    fq_id ordered;
    struct fq_grant g;
    uint64_t next = 0;
    ck_assert_int_eq(fairq_stream_add(q, c.job, 1, &ordered), 0);
    struct fq_request r = {.dir = IO_WRITE, .bytes = 5 << 20, .token = 7};
    ck_assert_int_eq(fairq_post(q, ordered, &r, 0), 0);
    while (next < r.bytes) {
        ck_assert(fairq_next(q, 0, &g));
        ck_assert_uint_eq(g.offset, next);
        ck_assert_uint_eq(g.token, 7);
        next += g.bytes;
        ck_assert_int_eq(g.last, next == r.bytes);
        struct fq_grant none;
        ck_assert(!fairq_next(q, 0, &none));
        fairq_done(q, g.id, g.bytes, 0);
    }
    ck_assert(!fairq_next(q, 0, &g));
    fairq_free(q);
}
END_TEST

START_TEST(the_window_is_narrow_only_while_it_is_contended)
{
    struct fairq *q = new_queue();
    struct client a = new_client(q, (struct fq_share){.weight = 1}, 1 << 20, false),
                  b = new_client(q, (struct fq_share){.weight = 1}, 1 << 20, false);
    struct client both[2] = {a, b};
    struct device d;
    int64_t got[CLIENTS_MAX];
    device_init(&d, q, 1);
    run_backlogged(&d, &a, 1, SECOND, got);
    ck_assert_int_eq(fairq_window(q)->limit_ns, WINDOW_ALONE_NS);
    run_backlogged(&d, both, 2, 2 * SECOND, got);
    ck_assert_int_lt(fairq_window(q)->limit_ns, 2 * WINDOW_CONTENDED_NS);
    ck_assert_int_ge(fairq_window(q)->limit_ns, WINDOW_CONTENDED_NS);
    fairq_free(q);
}
END_TEST

START_TEST(bounds_and_ids_are_kept)
{
    struct fairq *q = NULL;
    struct fairq_setup setup = {.cost = disk_cost, .tenants_max = 1, .jobs_max = 1, .streams_max = 1,
                                .requests_max = 1, .grants_max = 1};
    struct fq_share share = {.weight = 1}, none = {.weight = 0}, heavy = {.weight = FQ_WEIGHT_MAX + 1};
    struct fq_request r = {.bytes = 4096}, huge = {.bytes = IO_BYTES_MAX + 1};
    struct fq_grant g, more;
    struct fq_view v;
    fq_id t, j, s, other;
    ck_assert_int_eq(fairq_new(&q, &(struct fairq_setup){.cost = disk_cost}, 0), -EINVAL);
    ck_assert_int_eq(fairq_new(&q, &setup, 0), 0);
    ck_assert_int_eq(fairq_tenant_add(q, &none, 0, &t), -EINVAL);
    ck_assert_int_eq(fairq_tenant_add(q, &heavy, 0, &t), -EINVAL);
    ck_assert_int_eq(fairq_tenant_add(q, &share, 1, &t), -EINVAL); /* no such cap */
    ck_assert_int_eq(fairq_tenant_add(q, &share, 0, &t), 0);
    ck_assert_int_eq(fairq_tenant_add(q, &share, 0, &other), -ENOSPC);
    ck_assert_int_eq(fairq_job_add(q, t, &j), 0);
    ck_assert_int_eq(fairq_job_add(q, t, &other), -ENOSPC);
    ck_assert_int_eq(fairq_stream_add(q, j, 0, &s), -EINVAL);
    ck_assert_int_eq(fairq_stream_add(q, j, 1, &s), 0);
    ck_assert_int_eq(fairq_post(q, s, &huge, 0), -EINVAL);
    ck_assert_int_eq(fairq_post(q, s, &r, 0), 0);
    ck_assert_int_eq(fairq_post(q, s, &r, 0), -ENOSPC);
    ck_assert(fairq_next(q, 0, &g));
    ck_assert_int_eq(fairq_post(q, s, &r, 0), 0); /* granted whole: its place is free again */
    ck_assert(!fairq_next(q, 0, &more));          /* all grants are out */
    ck_assert_int_eq(fairq_stream_drop(q, s), -EBUSY);
    ck_assert_int_eq(fairq_job_drop(q, j), -EBUSY);
    ck_assert_int_eq(fairq_tenant_drop(q, t), -EBUSY);
    fairq_done(q, g.id, 4096, 1);
    ck_assert_int_eq(fairq_view(q, t, &v), 0);
    ck_assert_int_eq(v.standing, FQ_READY);
    ck_assert_int_eq(fairq_stream_drop(q, s), 0);
    ck_assert_int_eq(fairq_view(q, t, &v), 0);
    ck_assert_int_eq(v.standing, FQ_IDLE);
    ck_assert_int_eq(fairq_post(q, s, &r, 0), -ENOENT);
    ck_assert_int_eq(fairq_job_drop(q, j), 0);
    ck_assert_int_eq(fairq_tenant_drop(q, t), 0);
    ck_assert_int_eq(fairq_view(q, t, &v), -ENOENT);
    ck_assert_int_eq(fairq_tenant_add(q, &share, 0, &other), 0);
    ck_assert_uint_ne(other, t);
    fairq_done(q, g.id, 4096, 1); /* late: finds nothing */
    fairq_free(q);
}
END_TEST

START_TEST(direct_use_waits_its_turn)
{
    struct fairq *q = new_queue();
    struct client a = new_client(q, (struct fq_share){.weight = 1}, 64 << 10, false),
                  b = new_client(q, (struct fq_share){.weight = 1}, 64 << 10, false);
    struct fq_grant g;
    for (int i = 0; i < 100; i++) {
        client_post(q, &a, 0);
        client_post(q, &b, 0);
    }
    const struct fq_taken taken = {.cost_ns = 20 * io_cost_of(&disk_cost, IO_READ, false, 64 << 10)};
    fairq_charge(q, a.tenant, &taken, 0);
    unsigned of_b = 0;
    for (int i = 0; i < 20; i++) {
        ck_assert(fairq_next(q, 0, &g));
        of_b += g.stream == b.stream;
        fairq_done(q, g.id, g.bytes, 0);
    }
    ck_assert_uint_ge(of_b, 18);
    fairq_free(q);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/fairq");
    TCase *t = tcase_create("fairq");
    tcase_add_loop_test(t, shares_of_device_time_are_as_configured, 0, (int)COUNT_OF(share_rows));
    tcase_add_test(t, weights_that_all_grow_alike_change_nothing);
    tcase_add_test(t, a_reservation_holds_on_a_device_that_works_in_bursts);
    tcase_add_test(t, a_window_that_is_empty_between_two_turns_is_busy);
    tcase_add_test(t, a_lone_tenant_has_the_whole_device);
    tcase_add_loop_test(t, a_limit_is_kept_even_alone, 0, (int)COUNT_OF(limit_rows));
    tcase_add_loop_test(t, a_cap_holds_all_under_it, 0, (int)COUNT_OF(cap_rows));
    tcase_add_test(t, who_comes_under_a_cap_has_no_credit);
    tcase_add_test(t, what_is_owed_stays_when_caps_change);
    tcase_add_test(t, nothing_is_saved_up_while_idle);
    tcase_add_test(t, a_small_operation_passes_the_noisy);
    tcase_add_test(t, who_has_little_in_flight_passes_a_full_window);
    tcase_add_test(t, what_was_not_moved_is_given_back_once);
    tcase_add_test(t, jobs_of_a_tenant_share_evenly_and_streams_take_turns);
    tcase_add_test(t, a_stream_with_one_in_flight_keeps_its_order);
    tcase_add_test(t, the_window_is_narrow_only_while_it_is_contended);
    tcase_add_test(t, bounds_and_ids_are_kept);
    tcase_add_test(t, direct_use_waits_its_turn);
    suite_add_tcase(s, t);
    return run_suite(s);
}
