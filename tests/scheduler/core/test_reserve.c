/*
 * What waits for room is promised a node and a start, and nothing that is let past it makes that later.
 */
#include <check.h>

#include "scheduler/core/claims.h"
#include "scheduler/core/reserve.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 1000, 0);
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule = world_rule(&p, "globex");
    rule = world_rule(&p, "tight");
    rule->quota.max.cpu_milli = 2000;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
}

static uint64_t submit(const char *tenant, uint64_t cpu_milli, int64_t limit_us)
{
    struct job_spec spec = world_spec(cpu_milli, GIB);
    spec.time_limit_ms = (uint64_t)limit_us / 1000;
    return world_submit(&w, tenant, spec);
}

static bool is_live(uint64_t job)
{
    struct attempt_id id = {job, 0, 0};
    return world_node_of(&w, &id) != NULL;
}

static uint64_t start(const char *tenant, uint64_t cpu_milli, int64_t limit_us)
{
    uint64_t job = submit(tenant, cpu_milli, limit_us);
    (void)world_decide(&w);
    ck_assert(is_live(job) && world_run(&w, job, 0));
    return job;
}

/* NEVER_US: nothing is promised to it. */
static int64_t promised(uint64_t job)
{
    int64_t start_utc_us = NEVER_US;
    const struct node *n;
    (void)reserve_promised(w.core, job_find(w.core, job)->shape, &start_utc_us, &n);
    return start_utc_us;
}

static const char *kept(uint64_t job)
{
    int64_t start_utc_us;
    const struct node *n;
    return reserve_promised(w.core, job_find(w.core, job)->shape, &start_utc_us, &n) ? n->name : NULL;
}

/* A turn in which somebody small can start: only then does it matter who is promised what. */
static void turn(void)
{
    uint64_t small = submit("acme", 10, MINUTE);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(small));
}

static void verify(void)
{
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err.text);
}

static int64_t longest(int64_t limit_us)
{
    return limit_us + (int64_t)(w.core->limits.grace_ms + w.core->limits.kill_ms) * 1000;
}

START_TEST(what_would_delay_the_large_one_waits_and_what_ends_before_it_goes)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    uint64_t first = start("acme", 3000, HOUR), large = submit("acme", 4000, HOUR);
    uint64_t longer = submit("acme", 1000, 2 * HOUR), shorter = submit("acme", 1000, HOUR / 2);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(shorter) && !is_live(longer) && !is_live(large));
    ck_assert_int_eq(promised(large), w.now.utc_us + longest(HOUR));
    verify();
    ck_assert(world_run(&w, shorter, 0));
    world_pass(&w, 10 * MINUTE);
    core_node_seen(w.core, "n1", w.now);
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, 10 * MINUTE)); /* earlier than its limit: so may the large one */
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert_int_eq(promised(large), w.now.utc_us - 10 * MINUTE + longest(HOUR / 2));
    world_pass(&w, MINUTE);
    core_node_seen(w.core, "n1", w.now);
    ck_assert(world_end(&w, shorter, 0, END_EXIT, 0, 11 * MINUTE));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(large) && promised(large) == NEVER_US);
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(what_fits_beside_the_large_one_goes_however_long_it_runs)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    (void)start("acme", 2000, HOUR);
    uint64_t large = submit("acme", 3000, HOUR), beside = submit("acme", 1000, 0), more = submit("acme", 1000, 0);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(beside) && !is_live(large) && !is_live(more));
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(a_full_node_job_among_endless_small_ones_starts_within_one_longest_limit)
{
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    uint64_t seed = random_seed("reserve"), r = seed, live[64], ends[64], large = 0;
    bool mixed = _i % 2 == 1; /* small ones of its own tenant among them */
    size_t count = 0;
    int64_t submitted = 0;
    for (int64_t minute = 0; minute < 200; minute++) {
        for (size_t i = 0; i < count;)
            if (ends[i] <= (uint64_t)minute) {
                ck_assert(world_end(&w, live[i], 0, END_EXIT, 0, MINUTE));
                live[i] = live[--count];
                ends[i] = ends[count];
            } else {
                i++;
            }
        if (minute == 20) {
            large = submit("acme", 8000, HOUR);
            submitted = w.now.utc_us;
        }
        for (size_t i = 0; i < (large == 0 ? 8 - count : 4); i++) /* before it, nobody waits */
            (void)submit(mixed && i % 2 ? "acme" : "globex", 1000, 30 * MINUTE);
        (void)world_decide(&w);
        for (uint64_t job = 1; job < w.core->next_job; job++) {
            struct task *t = task_of(w.core, (struct attempt_id){job, 0, 1});
            if (t == NULL || t->state != TASK_STARTING || job == large)
                continue;
            ck_assert(world_run(&w, job, 0));
            live[count] = job;
            ends[count++] = (uint64_t)minute + 1 + random_below(&r, 30);
        }
        verify();
        if (large != 0 && is_live(large))
            break;
        world_pass(&w, MINUTE);
        core_node_seen(w.core, "n1", w.now);
    }
    ck_assert_msg(is_live(large), "seed %llu", (unsigned long long)seed);
    /* As long as was promised, as long again when it is the other tenant's turn, and one limit more. */
    int64_t span = (longest(30 * MINUTE) + MINUTE - 1) / MINUTE * MINUTE; /* this world decides once a minute */
    ck_assert_int_le(w.now.utc_us - submitted, (mixed ? 3 : 1) * span);
    world_fini(&w);
}
END_TEST

START_TEST(only_room_is_waited_for_with_a_promise)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    (void)start("tight", 1000, HOUR);
    (void)start("acme", 2000, HOUR);
    uint64_t quota = submit("tight", 2000, HOUR), huge = submit("acme", 4000, HOUR);
    turn();
    ck_assert_ptr_null(kept(quota));
    ck_assert_str_eq(kept(huge), "n1");
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(a_promise_goes_with_its_job_and_its_node)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    world_hello(&w, "n2", "b", 4, 64 * GIB);
    uint64_t one = start("acme", 3000, HOUR);
    (void)start("acme", 3000, 2 * HOUR);
    uint64_t large = submit("acme", 4000, HOUR), long_one = submit("acme", 500, 5 * HOUR);
    ck_assert_uint_eq(world_decide(&w), 1); /* the other node isn't reserved */
    ck_assert(is_live(long_one));
    ck_assert_str_eq(kept(large), "n1");
    (void)one;
    struct fact f;
    struct drain_call drain = {.node = (char *)(uintptr_t)"n1", .drain = true};
    ck_assert_int_eq(core_check_drain(w.core, &drain, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    turn();
    ck_assert_str_eq(kept(large), "n2");
    verify();
    drain.drain = false; /* earlier there again */
    ck_assert_int_eq(core_check_drain(w.core, &drain, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    turn();
    ck_assert_str_eq(kept(large), "n1");
    struct cancel_reply reply = {0};
    size_t count;
    ck_assert_int_eq(core_check_cancel(w.core, &(struct job_call){.job = large}, "root", w.now, &f, 1, &count, &reply,
                                       &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    verify();
    uint64_t after = submit("acme", 1000, 5 * HOUR);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(after));
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(of_one_tenant_only_the_best_is_promised_a_node)
{
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    (void)start("acme", 7000, HOUR);
    uint64_t first = submit("acme", 8000, HOUR), second = submit("acme", 7000, HOUR);
    uint64_t others = submit("tight", 2000, HOUR);
    turn();
    ck_assert(kept(first) != NULL && kept(second) == NULL && kept(others) != NULL);
    struct job_spec urgent = world_spec(7500, GIB);
    urgent.priority = 10;
    urgent.time_limit_ms = 60000;
    uint64_t job = world_submit(&w, "acme", urgent);
    turn();
    ck_assert(kept(job) != NULL && kept(first) == NULL && kept(others) != NULL);
    verify();
    world_fini(&w);
}
END_TEST

START_TEST(one_that_runs_on_beyond_its_limit_only_delays)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    uint64_t first = start("acme", 3000, HOUR), large = submit("acme", 4000, HOUR);
    ck_assert_uint_eq(world_decide(&w), 0);
    world_pass(&w, 2 * HOUR);
    core_node_seen(w.core, "n1", w.now);
    (void)world_decide(&w);
    ck_assert(!is_live(large));
    ck_assert_int_gt(promised(large), w.now.utc_us);
    ck_assert(world_end(&w, first, 0, END_TIME_LIMIT, 0, HOUR));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(large));
    world_fini(&w);
}
END_TEST

/* ---- the promise, among many -------------------------------------------------------------------------- */
#define JOBS 600
#define NODES 3

struct known {
    uint64_t job;
    int64_t end_us; /* 0: not started */
};

static void end_what_is_due(struct known *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (jobs[i].end_us != 0 && jobs[i].end_us <= w.now.utc_us && is_live(jobs[i].job)) {
            ck_assert(world_end(&w, jobs[i].job, 0, END_EXIT, 0, (uint64_t)MINUTE));
            jobs[i].end_us = -1;
        }
}

static void submit_some(struct known *jobs, size_t *count, uint64_t *r)
{
    for (uint64_t more = random_below(r, 4); more > 0 && *count < JOBS; more--) {
        struct job_spec spec = world_spec((1 + random_below(r, 8)) * 1000, GIB * (1 + random_below(r, 12)));
        spec.time_limit_ms = random_below(r, 6) == 0 ? 0 : 60000 * (1 + random_below(r, 60));
        jobs[(*count)++] = (struct known){world_submit(&w, "acme", spec), 0};
    }
}

static void run_what_was_placed(struct known *jobs, size_t count, uint64_t *r)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].end_us != 0 || !is_live(jobs[i].job))
            continue;
        uint64_t limit_us = job_find(w.core, jobs[i].job)->shape->limit_us;
        jobs[i].end_us = w.now.utc_us + (int64_t)random_below(r, (limit_us != 0 ? limit_us : 90 * MINUTE) + 1);
        ck_assert(world_run(&w, jobs[i].job, 0));
    }
}

/* Nobody overruns and no node goes: for as long as somebody is asked first, his start moves only earlier. */
START_TEST(a_promised_start_moves_only_earlier_while_its_job_is_first)
{
    uint64_t seed = random_seed("reserve") + (uint64_t)_i, r = seed, before = 0;
    static struct known jobs[JOBS];
    static const char *const names[NODES] = {"n1", "n2", "n3"};
    int64_t promised_us = NEVER_US;
    size_t count = 0, kept_promises = 0;
    begin();
    for (size_t i = 0; i < NODES; i++)
        world_hello(&w, names[i], "b", 4 + i * 2, 32 * GIB);
    for (int64_t minute = 0; minute < 400; minute++) {
        end_what_is_due(jobs, count);
        if (minute < 300)
            submit_some(jobs, &count, &r);
        const struct tenant *t = claims_next(w.core);
        const struct entry *first = t != NULL ? queue_first(heap_top(&t->shapes)) : NULL;
        uint64_t asked = first != NULL ? entry_job(first)->id : 0;
        (void)world_decide(&w);
        verify();
        if (asked != 0 && !is_live(asked)) {
            int64_t now_us = promised(asked);
            ck_assert_msg(asked != before || now_us <= promised_us, "seed %llu: job %llu was promised %lld, now %lld",
                          (unsigned long long)seed, (unsigned long long)asked, (long long)promised_us,
                          (long long)now_us);
            kept_promises += asked == before && now_us != NEVER_US;
            promised_us = now_us;
        }
        before = asked;
        run_what_was_placed(jobs, count, &r);
        world_pass(&w, MINUTE);
        for (size_t i = 0; i < NODES; i++)
            core_node_seen(w.core, names[i], w.now);
    }
    ck_assert_uint_gt(kept_promises, 5);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reserve");
    TCase *t = tcase_create("promises");
    tcase_add_test(t, what_would_delay_the_large_one_waits_and_what_ends_before_it_goes);
    tcase_add_test(t, what_fits_beside_the_large_one_goes_however_long_it_runs);
    tcase_add_loop_test(t, a_full_node_job_among_endless_small_ones_starts_within_one_longest_limit, 0, 6);
    tcase_add_test(t, only_room_is_waited_for_with_a_promise);
    tcase_add_test(t, a_promise_goes_with_its_job_and_its_node);
    tcase_add_test(t, of_one_tenant_only_the_best_is_promised_a_node);
    tcase_add_test(t, one_that_runs_on_beyond_its_limit_only_delays);
    tcase_add_loop_test(t, a_promised_start_moves_only_earlier_while_its_job_is_first, 0, 6);
    suite_add_tcase(s, t);
    return run_suite(s);
}
