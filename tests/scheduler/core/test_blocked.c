#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* What waits for a limit isn't asked again each turn: it must be asked as soon as the answer may be another. */

#define TENANTS 9
static const char *const paths[TENANTS] = {"a", "a/x", "a/x/1", "a/x/2", "a/y", "b", "b/x", "b/y", "c"};

static struct job_spec task(uint64_t cores, uint64_t limit_ms)
{
    struct job_spec spec = world_spec(cores * 1000, GIB / 2);
    spec.time_limit_ms = limit_ms;
    return spec;
}

static size_t decide(struct world *w, struct core *core, struct fact *facts, size_t max)
{
    uint64_t next;
    return core_decide(core, w->now, facts, max, &next);
}

static void credit(struct world *w, const char *tenant, const char *key, int64_t micros)
{
    struct adjust_call call = {.tenant = (char *)(uintptr_t)tenant,
                               .key = (char *)(uintptr_t)key,
                               .micros = -micros,
                               .reason = (char *)(uintptr_t) "goodwill"};
    struct fact facts[16];
    size_t count = 0;
    struct adjust_reply reply = {0};
    fields_clear(&refusal_fields, &w->refusal);
    int rc = core_check_adjust(w->core, &call, "root", w->now, facts, COUNT_OF(facts), &count, &reply, &w->refusal);
    for (size_t i = 0; rc == CORE_FACT && i < count; i++)
        world_commit(w, &facts[i]);
    fields_clear(&adjust_reply_fields, &reply);
    fields_clear(&refusal_fields, &w->refusal);
}

/* ---- one at a time ---------------------------------------------------------------------------------- */

static void one_at_a_time(struct world *w, uint64_t first[2])
{
    struct policy_file p = {.currency = strdup("EUR")};
    world_init(w, NULL);
    world_price(&p, 0, 0, 0);
    world_rule(&p, "a")->quota.max_running = 1;
    (void)world_rule(&p, "a/x");
    MUST(world_apply(w, &p) == CORE_FACT);
    world_hello(w, "n1", "b", 64, 256 * GIB);
    uint64_t job = world_submit(w, "a", task(1, 0)); /* opens the accounts: nothing else opens later */
    MUST(world_decide(w) == 1 && world_run(w, job, 0) && world_end(w, job, 0, END_EXIT, 0, SECOND));
    first[0] = world_submit(w, "a", task(1, 0));
    first[1] = world_submit(w, "a/x", task(1, 0));
}

START_TEST(an_end_lets_the_next_one_start)
{
    struct world w;
    uint64_t jobs[2];
    one_at_a_time(&w, jobs);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_uint_eq(world_decide(&w), 0);
    uint64_t job = world_run(&w, jobs[0], 0) ? jobs[0] : jobs[1];
    (void)world_run(&w, job, 0);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

/* Two are running of four; three that start together wait for another to end. */
START_TEST(a_gang_that_needs_more_than_is_left_keeps_nobody_else_waiting)
{
    struct world w;
    struct policy_file p = {.currency = strdup("EUR")};
    struct job_spec gang = task(1, 0);
    world_init(&w, NULL);
    world_price(&p, 0, 0, 0);
    world_rule(&p, "a")->quota.max_running = 4;
    (void)world_rule(&p, "a/x");
    MUST(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b", 64, 256 * GIB);
    uint64_t first = world_submit(&w, "a", task(1, 0));
    (void)world_submit(&w, "a", task(1, 0));
    ck_assert_uint_eq(world_decide(&w), 2);
    gang.array = (struct job_array){.present = true, .last = 2};
    gang.gang = 3;
    gang.priority = 10;
    uint64_t waits = world_submit(&w, "a", gang);
    ck_assert_uint_eq(world_decide(&w), 0);
    uint64_t small = world_submit(&w, "a", task(1, 0)), below = world_submit(&w, "a/x", task(1, 0));
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_uint_eq(world_decide(&w), 0); /* now it has as many as it may */
    ck_assert(world_is(&w, waits, "pending"));
    uint64_t over[] = {first, small, below};
    for (size_t i = 0; i < COUNT_OF(over); i++) {
        ck_assert_uint_eq(world_decide(&w), 0);
        ck_assert(world_run(&w, over[i], 0) && world_end(&w, over[i], 0, END_EXIT, 0, SECOND));
    }
    ck_assert_uint_eq(world_decide(&w), 3);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(what_the_store_refused_lets_others_start)
{
    struct world w;
    uint64_t jobs[2];
    struct fact facts[4];
    one_at_a_time(&w, jobs);
    ck_assert_uint_eq(decide(&w, w.core, facts, 4), 1);
    uint64_t refused = facts[0].placed.id.job;
    world_refuse(&w, &facts[0], "dropped");
    ck_assert_uint_eq(decide(&w, w.core, facts, 4), 1);
    ck_assert_uint_ne(facts[0].placed.id.job, refused); /* that one waits a second */
    world_commit(&w, &facts[0]);
    world_fini(&w);
}
END_TEST

START_TEST(a_higher_limit_lets_more_start)
{
    struct world w;
    uint64_t jobs[2];
    one_at_a_time(&w, jobs);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct policy_file p = {.currency = strdup("EUR")};
    world_price(&p, 0, 0, 0);
    world_rule(&p, "a")->quota.max_running = 2;
    (void)world_rule(&p, "a/x");
    MUST(world_apply(&w, &p) == CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(a_credit_lets_the_next_one_start)
{
    struct world w;
    world_init(&w, NULL);
    struct policy_file p = {.currency = strdup("EUR")};
    world_price(&p, 0, 3600, 0);
    world_rule(&p, "a")->budget =
        (struct budget_rule){.present = true, .limit_micros = 100, .period = PERIOD_TOTAL};
    MUST(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b", 64, 256 * GIB);
    (void)world_submit(&w, "a", task(1, 60000)); /* a minute and its grace: 65 */
    (void)world_submit(&w, "a", task(1, 60000));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_uint_eq(world_decide(&w), 0);
    credit(&w, "a", "c1", 29);
    ck_assert_uint_eq(world_decide(&w), 0);
    credit(&w, "a", "c2", 1);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

/* ---- whatever happens ---------------------------------------------------------------------------------- */

struct random_world {
    struct world w;
    uint64_t state;
    struct attempt_id live[4096];
    size_t live_count;
    unsigned keys;
};

static void set_policy(struct random_world *r)
{
    struct policy_file p = {.currency = strdup("EUR")};
    world_price(&p, 0, 3600, 0);
    for (size_t i = 0; i < TENANTS; i++) {
        struct tenant_rule *rule = world_rule(&p, paths[i]);
        if (random_below(&r->state, 3) == 0)
            rule->quota.max_running = 1 + random_below(&r->state, 12);
        if (random_below(&r->state, 3) == 0)
            rule->quota.max.cpu_milli = 1000 * (2 + random_below(&r->state, 30));
        if (random_below(&r->state, 3) == 0)
            rule->quota.guaranteed.cpu_milli = 1000 * random_below(&r->state, 8);
        if (random_below(&r->state, 2) == 0)
            rule->budget = (struct budget_rule){.present = true,
                                                .limit_micros = (int64_t)(1 + random_below(&r->state, 60000)),
                                                .period = random_below(&r->state, 2) == 0 ? PERIOD_DAY : PERIOD_TOTAL};
    }
    fields_clear(&refusal_fields, &r->w.refusal);
    (void)world_apply(&r->w, &p); /* what counted time or was lowered too far is refused: the old one stays */
}

static void end_one(struct random_world *r)
{
    if (r->live_count == 0)
        return;
    size_t at = random_below(&r->state, r->live_count);
    struct attempt_id id = r->live[at];
    r->live[at] = r->live[--r->live_count];
    (void)world_run(&r->w, id.job, id.task);
    MUST(world_end(&r->w, id.job, id.task, END_EXIT, 0, random_below(&r->state, 100) * SECOND));
}

static void submit(struct random_world *r)
{
    struct job_spec spec = task(1 + random_below(&r->state, 4), 60000 * (1 + random_below(&r->state, 3)));
    spec.array = (struct job_array){.present = true, .last = (uint32_t)random_below(&r->state, 4)};
    char key[32];
    uint64_t job;
    snprintf(key, sizeof key, "k%u", r->keys++);
    (void)world_try_submit(&r->w, paths[random_below(&r->state, TENANTS)], key, &spec, &job);
}

static void random_credit(struct random_world *r)
{
    char key[32];
    snprintf(key, sizeof key, "c%u", r->keys++);
    credit(&r->w, paths[random_below(&r->state, TENANTS)], key, (int64_t)(1 + random_below(&r->state, 5000)));
}

static size_t decide_and_commit(struct random_world *r)
{
    static struct fact facts[256];
    size_t placed = 0, count = decide(&r->w, r->w.core, facts, COUNT_OF(facts));
    for (size_t i = 0; i < count; i++) {
        if (facts[i].kind == FACT_ATTEMPT_PLACED) {
            r->live[r->live_count++] = facts[i].placed.id;
            placed++;
        }
        world_commit(&r->w, &facts[i]);
    }
    return placed;
}

/* Where the core has nothing more to start, one that has just been read from a snapshot, and remembers no answer, finds
 * nothing either. */
static void leaves_nothing(struct random_world *r)
{
    static struct fact facts[256];
    while (decide_and_commit(r) > 0) {
    }
    struct core *fresh = world_restored(&r->w, NULL);
    core_node_seen(fresh, "n1", r->w.now);
    size_t count = decide(&r->w, fresh, facts, COUNT_OF(facts));
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(facts[i].kind != FACT_ATTEMPT_PLACED, "job %" PRIu64 " was forgotten", facts[i].placed.id.job);
        fact_clear(&facts[i]);
    }
    core_free(fresh);
}

START_TEST(whatever_happens_nobody_is_forgotten)
{
    static struct random_world r;
    struct err err = {0};
    r = (struct random_world){.state = random_seed("blocked") + (uint64_t)_i};
    world_init(&r.w, NULL);
    set_policy(&r);
    world_hello(&r.w, "n1", "b", 100000, 100000 * GIB);
    for (int step = 0; step < 300; step++) {
        uint64_t what = random_below(&r.state, 20);
        if (what < 8)
            submit(&r);
        else if (what < 14)
            end_one(&r);
        else if (what < 16)
            random_credit(&r);
        else if (what < 17)
            set_policy(&r);
        else
            world_pass(&r.w, (int64_t)random_below(&r.state, what == 19 ? 20 * 3600 : 60) * SECOND);
        core_node_seen(r.w.core, "n1", r.w.now);
        leaves_nothing(&r);
        ck_assert_msg(core_verify(r.w.core, &err) == 0, "%s", err_text(&err));
    }
    world_fini(&r.w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core blocked");
    TCase *t = tcase_create("limits");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, an_end_lets_the_next_one_start);
    tcase_add_test(t, a_gang_that_needs_more_than_is_left_keeps_nobody_else_waiting);
    tcase_add_test(t, what_the_store_refused_lets_others_start);
    tcase_add_test(t, a_higher_limit_lets_more_start);
    tcase_add_test(t, a_credit_lets_the_next_one_start);
    tcase_add_loop_test(t, whatever_happens_nobody_is_forgotten, 0, 6);
    suite_add_tcase(s, t);
    return run_suite(s);
}
