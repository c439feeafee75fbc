/*
 * The profile against a table of every instant, and the promise itself: whatever is put beside a reservation, its head
 * starts no later than was promised first, unless something ran on beyond its expected end.
 */
#include <check.h>
#include <string.h>

#include "policies/backfill.h"
#include "tests/random.h"
#include "tests/run.h"

#define INSTANTS 120 /* what lies at or beyond the last one is for ever */
#define RESOURCES 3
#define LIVE_MAX 12

/* ---- an oracle: what is free at every instant ---- */
struct oracle {
    struct capacity free[INSTANTS];
    bool closed[INSTANTS];
};

static struct capacity random_capacity(uint64_t *r, uint64_t below)
{
    struct capacity c = {0};
    for (size_t i = 0; i < RESOURCES; i++)
        c.v[i] = random_below(r, below);
    c.features = random_below(r, 4);
    return c;
}

/* The oracle's last instant stands for all later ones. */
static int64_t instant_of(uint64_t drawn)
{
    return drawn >= INSTANTS - 1 ? INT64_MAX : (int64_t)drawn;
}

static bool covers(int64_t from, int64_t to, int64_t at)
{
    return at >= from && (at < to || to == INT64_MAX);
}

static bool oracle_fits(const struct oracle *o, const struct backfill_ask *ask, int64_t at)
{
    for (int64_t t = at; t < INSTANTS && t < backfill_after(at, ask->run_us); t++) {
        if (!capacity_fits(&ask->need, &o->free[t]))
            return false;
        if (o->closed[t] && t < backfill_after(at, ask->clear_us))
            return false;
    }
    return true;
}

static int64_t oracle_earliest(const struct oracle *o, const struct backfill_ask *ask, int64_t from)
{
    for (int64_t t = from; t < INSTANTS; t++)
        if (oracle_fits(o, ask, t))
            return t;
    return INT64_MAX;
}

static void draw_live(uint64_t *r, struct backfill *b, struct oracle *o, int64_t now)
{
    struct capacity total = random_capacity(r, 16), used = {0};
    struct backfill_end ends[LIVE_MAX];
    size_t count = random_below(r, LIVE_MAX);
    for (size_t i = 0; i < count; i++) {
        ends[i] = (struct backfill_end){instant_of(random_below(r, INSTANTS + 10)), random_capacity(r, 4)};
        capacity_add(&used, &ends[i].need);
    }
    for (int64_t t = 0; t < INSTANTS; t++) {
        struct capacity still = {0};
        o->free[t] = total;
        for (size_t i = 0; i < count; i++)
            if (ends[i].at_us > t && ends[i].at_us > now)
                capacity_add(&still, &ends[i].need);
        capacity_take(&o->free[t], &still);
    }
    backfill_begin(b, now, &total, &used, ends, count);
}

static void draw_change(uint64_t *r, struct backfill *b, struct oracle *o)
{
    int64_t from = (int64_t)random_below(r, INSTANTS - 1);
    int64_t to = instant_of((uint64_t)from + random_below(r, 40));
    struct capacity held = random_capacity(r, 4);
    bool close = random_below(r, 3) == 0;
    for (int64_t t = 0; t < INSTANTS; t++)
        if (covers(from, to, t) && close)
            o->closed[t] = true;
        else if (covers(from, to, t))
            capacity_take(&o->free[t], &held);
    if (close)
        backfill_close(b, from, to);
    else
        backfill_hold(b, from, to, &held);
}

START_TEST(the_profile_answers_as_a_table_of_all_instants)
{
    uint64_t seed = random_seed("backfill") + (uint64_t)_i, r = seed;
    struct backfill b = {0};
    for (int world = 0; world < 400; world++) {
        struct oracle o = {0};
        int64_t now = (int64_t)random_below(&r, 10);
        draw_live(&r, &b, &o, now);
        for (uint64_t i = random_below(&r, 6); i > 0; i--)
            draw_change(&r, &b, &o);
        for (int asked = 0; asked < 40; asked++) {
            int64_t run = random_below(&r, 4) == 0 ? INT64_MAX : 1 + (int64_t)random_below(&r, 40);
            struct backfill_ask ask = {random_capacity(&r, 8), run, random_below(&r, 3) == 0 ? MIN(run, 20) : run};
            int64_t from = now + (int64_t)random_below(&r, INSTANTS - 30);
            ck_assert_msg(backfill_fits(&b, &ask, from) == oracle_fits(&o, &ask, from), "seed %llu, world %d",
                          (unsigned long long)seed, world);
            int64_t is = backfill_earliest(&b, &ask, from), should = oracle_earliest(&o, &ask, from);
            ck_assert_msg(is == should, "seed %llu, world %d: %lld, not %lld", (unsigned long long)seed, world,
                          (long long)is, (long long)should);
        }
    }
    backfill_fini(&b);
}
END_TEST

/* ---- the promise ---- */
struct one {
    struct capacity need;
    int64_t limit, end; /* expected, and its real end */
};
struct node {
    struct capacity total, used;
    struct one live[256];
    size_t count;
};

static void profile_of(const struct node *n, int64_t now, struct backfill *b)
{
    struct backfill_end ends[256];
    for (size_t i = 0; i < n->count; i++)
        ends[i] = (struct backfill_end){n->live[i].limit, n->live[i].need};
    backfill_begin(b, now, &n->total, &n->used, ends, n->count);
}

static void start(struct node *n, const struct backfill_ask *ask, int64_t now, int64_t run)
{
    ck_assert_uint_lt(n->count, 256);
    n->live[n->count++] = (struct one){ask->need, backfill_after(now, ask->run_us), now + run};
    capacity_add(&n->used, &ask->need);
}

static void end_due(struct node *n, int64_t now)
{
    for (size_t i = 0; i < n->count;)
        if (n->live[i].end <= now) {
            capacity_take(&n->used, &n->live[i].need);
            n->live[i] = n->live[--n->count];
        } else {
            i++;
        }
}

/* Some have no limit: they end all the same, but nobody counts on it. */
static struct backfill_ask draw_job(uint64_t *r, uint64_t most, int64_t *ret_run)
{
    struct backfill_ask ask = {.need = {.v = {1 + random_below(r, most), random_below(r, most)}}};
    bool unlimited = random_below(r, 8) == 0;
    ask.run_us = ask.clear_us = unlimited ? INT64_MAX : 1 + (int64_t)random_below(r, 30);
    *ret_run = 1 + (int64_t)random_below(r, unlimited ? 30 : (uint64_t)ask.run_us);
    return ask;
}

/* One node, a head that is promised a start whenever there is none, and small ones that always want to go first. */
START_TEST(the_heads_start_moves_never_later_and_comes)
{
    uint64_t seed = random_seed("backfill") + (uint64_t)_i, r = seed;
    struct node n = {.total = {.v = {16, 16}}};
    struct backfill b = {0};
    struct backfill_ask head = {0};
    int64_t head_run = 0, promised = 0;
    size_t heads = 0, beside = 0;
    bool waits = false;
    for (int64_t now = 0; now < 4000; now++) {
        end_due(&n, now);
        if (!waits) {
            head = draw_job(&r, 16, &head_run);
            promised = INT64_MAX;
            waits = true;
        }
        profile_of(&n, now, &b);
        int64_t earliest = backfill_earliest(&b, &head, now);
        ck_assert_msg(earliest <= promised, "seed %llu: promised %lld, now %lld", (unsigned long long)seed,
                      (long long)promised, (long long)earliest);
        promised = earliest;
        if (promised == now) {
            start(&n, &head, now, head_run);
            waits = false;
            heads++;
            continue;
        }
        for (int i = 0; i < 8; i++) {
            int64_t run;
            struct backfill_ask small = draw_job(&r, 4, &run);
            profile_of(&n, now, &b);
            if (promised < INT64_MAX)
                backfill_hold(&b, promised, backfill_after(promised, head.run_us), &head.need);
            if (!backfill_fits(&b, &small, now))
                continue;
            start(&n, &small, now, run);
            beside++;
        }
    }
    ck_assert_uint_gt(heads, 20);
    ck_assert_uint_gt(beside, 20);
    backfill_fini(&b);
}
END_TEST

START_TEST(a_demand_of_nothing_fits_always_and_one_too_large_never)
{
    struct backfill b = {0};
    struct capacity total = {.v = {4, 4}}, none = {0};
    backfill_begin(&b, 5, &total, &none, NULL, 0);
    struct backfill_ask ask = {.run_us = INT64_MAX, .clear_us = INT64_MAX};
    ck_assert_int_eq(backfill_earliest(&b, &ask, 0), 5);
    ask.need.v[0] = 5;
    ck_assert_int_eq(backfill_earliest(&b, &ask, 5), INT64_MAX);
    ask.need.v[0] = 4;
    backfill_close(&b, 100, INT64_MAX);
    ck_assert_int_eq(backfill_earliest(&b, &ask, 5), INT64_MAX);
    ask.clear_us = 95;
    ck_assert_int_eq(backfill_earliest(&b, &ask, 5), 5);
    ck_assert_int_eq(backfill_earliest(&b, &ask, 6), INT64_MAX);
    backfill_fini(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("backfill");
    TCase *t = tcase_create("profile");
    tcase_add_loop_test(t, the_profile_answers_as_a_table_of_all_instants, 0, 8);
    tcase_add_loop_test(t, the_heads_start_moves_never_later_and_comes, 0, 8);
    tcase_add_test(t, a_demand_of_nothing_fits_always_and_one_too_large_never);
    suite_add_tcase(s, t);
    return run_suite(s);
}
