/*
 * A node that fails what others can run is left alone; whoever fails by himself takes no node along.
 */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define NODES 4

static struct world w;
static const char *const names[NODES] = {"n1", "n2", "n3", "n4"};
static const char *const tenants[] = {"acme", "globex", "initech"};

/* Four nodes, n1 with four cores and the others with twelve: it is the first that pack takes. */
static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, EUR, 0);
    (void)world_rule(&p, "acme");
    (void)world_rule(&p, "globex");
    (void)world_rule(&p, "initech");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    for (size_t i = 0; i < NODES; i++)
        world_hello(&w, names[i], "b", i == 0 ? 4 : 12, 64 * GIB);
}

static void pass(int64_t us)
{
    world_pass(&w, us);
    for (size_t i = 0; i < NODES; i++)
        core_node_seen(w.core, names[i], w.now);
    for (int i = 0; i < 6; i++)
        (void)world_decide(&w);
}

static const char *node_of(uint64_t job)
{
    struct attempt_id id = {.job = job};
    return world_node_of(&w, &id);
}

static uint64_t submit(const char *tenant)
{
    uint64_t job = world_submit(&w, tenant, world_spec(1000, GIB));
    pass(0);
    return job;
}

static bool is_on(uint64_t job, const char *node)
{
    return node_of(job) != NULL && strcmp(node_of(job), node) == 0;
}

static void break_on_launch(uint64_t job)
{
    ck_assert(world_end(&w, job, 0, END_LAUNCH_FAILED, 0, 0));
}

static struct node_row row_of(size_t i)
{
    struct node_reply reply;
    ck_assert_int_eq(core_nodes(w.core, w.now, &reply), 0);
    struct node_row row = ((struct node_row *)reply.nodes.v)[i];
    static char state[32], reason[200];
    snprintf(state, sizeof state, "%s", row.state);
    snprintf(reason, sizeof reason, "%s", row.reason != NULL ? row.reason : "");
    row.state = state;
    row.reason = reason;
    fields_clear(&node_reply_fields, &reply);
    return row;
}

/* Fails on n1, and runs elsewhere. */
static void prove(const char *tenant)
{
    uint64_t job = submit(tenant);
    ck_assert(is_on(job, "n1"));
    break_on_launch(job);
    pass(2 * SECOND);
    ck_assert(node_of(job) != NULL && !is_on(job, "n1"));
    ck_assert(world_run(&w, job, 0));
    pass(0);
}

static void put_out(void)
{
    prove("acme");
    prove("globex");
    ck_assert_str_eq(row_of(0).state, "up");
    prove("acme");
    ck_assert_str_eq(row_of(0).state, "quarantined");
}

START_TEST(a_node_that_fails_what_runs_elsewhere_is_left_alone)
{
    begin();
    put_out();
    ck_assert_str_eq(row_of(0).reason, "3 jobs failed here and run elsewhere");
    ck_assert_int_eq(row_of(0).opens_utc_us, w.now.utc_us + MINUTE);
    world_verify(&w, NULL);
    for (int i = 0; i < 5; i++)
        ck_assert(!is_on(submit("globex"), "n1"));
    struct core_stats stats;
    core_stats(w.core, &stats);
    ck_assert_uint_eq(stats.nodes_quarantined, 1);
    ck_assert_uint_eq(stats.quarantines_total, 1);
    world_fini(&w);
}
END_TEST

/* Its time is over: it runs, or it fails. */
START_TEST(it_gets_one_attempt_and_is_back_or_out_for_longer)
{
    begin();
    put_out(); /* three run on n2 */
    for (int i = 0; i < 33; i++)
        ck_assert(node_of(submit("globex")) != NULL); /* all others are full */
    uint64_t first = submit("acme"), second = submit("initech");
    ck_assert(node_of(first) == NULL && node_of(second) == NULL);
    struct why_reply why;
    ck_assert(core_why(w.core, &(struct job_call){.job = first}, w.now, &why));
    fields_clear(&why_reply_fields, &why);
    pass(MINUTE - 6 * SECOND - 1);
    ck_assert(node_of(first) == NULL);
    pass(6 * SECOND + 1);
    uint64_t probe = is_on(first, "n1") ? first : second, other = probe == first ? second : first;
    ck_assert(is_on(probe, "n1") && node_of(other) == NULL); /* one, though there is room for both */
    pass(10 * SECOND);
    ck_assert(node_of(other) == NULL);
    world_verify(&w, NULL);
    if (_i == 0) {
        ck_assert(world_run(&w, probe, 0));
        pass(0);
        ck_assert_str_eq(row_of(0).state, "up");
        ck_assert(is_on(other, "n1"));
    } else {
        break_on_launch(probe);
        pass(0);
        ck_assert_str_eq(row_of(0).state, "quarantined");
        ck_assert_int_eq(row_of(0).opens_utc_us, w.now.utc_us + 2 * MINUTE);
        pass(2 * MINUTE - 1);
        ck_assert(node_of(first) == NULL && node_of(second) == NULL);
        pass(1);
        ck_assert(is_on(first, "n1") != is_on(second, "n1"));
    }
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(a_poisonous_job_takes_no_node_along)
{
    bool array = _i == 0;
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){array, 0, array ? 19 : 0, 0};
    uint64_t jobs[20] = {world_submit(&w, "acme", spec)};
    for (int i = 1; i < 20 && !array; i++)
        jobs[i] = world_submit(&w, tenants[i % 3], world_spec(1000, GIB));
    for (int round = 0; round < 30; round++) {
        pass(2 * SECOND);
        for (uint32_t i = 0; i < 20; i++)
            (void)world_end(&w, array ? jobs[0] : jobs[i], array ? i : 0, END_LAUNCH_FAILED, 0, 0);
    }
    for (size_t i = 0; i < NODES; i++)
        ck_assert_str_eq(row_of(i).state, "up");
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

/* All others are full, so nobody can prove it. */
START_TEST(where_nothing_can_be_proven_the_likely_counts_after_a_while)
{
    uint64_t jobs[6];
    begin();
    ck_assert(is_on(submit("acme"), "n1")); /* takes one place, and never says that it runs */
    for (int i = 0; i < 39; i++)
        ck_assert(node_of(submit("globex")) != NULL);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        jobs[i] = world_submit(&w, tenants[i % 3], world_spec(1000, GIB));
    break_on_launch(1);
    break_on_launch(2);
    break_on_launch(3);
    for (int i = 0; i < 25; i++) {
        ck_assert_str_eq(row_of(0).state, "up");
        pass(SECOND);
        for (size_t k = 0; k < COUNT_OF(jobs); k++)
            if (is_on(jobs[k], "n1"))
                break_on_launch(jobs[k]);
    }
    pass(10 * SECOND);
    pass(10 * SECOND);
    ck_assert_str_eq(row_of(0).state, "quarantined");
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(what_goes_well_is_weighed_against_it)
{
    begin();
    prove("acme");
    prove("globex");
    uint64_t good = submit("initech");
    ck_assert(is_on(good, "n1") && world_run(&w, good, 0));
    prove("acme");
    prove("globex");
    ck_assert_str_eq(row_of(0).state, "up");
    prove("acme");
    ck_assert_str_eq(row_of(0).state, "quarantined");
    world_fini(&w);
}
END_TEST

START_TEST(one_tenant_alone_needs_twice_as_much)
{
    begin();
    for (int i = 0; i < 5; i++) {
        prove("acme");
        ck_assert_str_eq(row_of(0).state, "up");
    }
    prove("acme");
    ck_assert_str_eq(row_of(0).state, "quarantined");
    world_fini(&w);
}
END_TEST

START_TEST(a_quarter_of_the_nodes_and_never_the_last)
{
    begin();
    put_out();
    for (int i = 0; i < 3; i++) { /* n2 does the same */
        uint64_t job = submit(i % 2 ? "acme" : "globex");
        ck_assert(is_on(job, "n2")); /* the fullest */
        break_on_launch(job);
        pass(2 * SECOND);
        ck_assert(world_run(&w, job, 0) && !is_on(job, "n2"));
        pass(0);
    }
    ck_assert_str_eq(row_of(1).state, "up");
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(an_admin_takes_it_back)
{
    struct fact f;
    begin();
    put_out();
    ck_assert_int_eq(core_check_drain(w.core, &(struct drain_call){.node = (char *)(uintptr_t) "n1"}, "root", w.now,
                                      &f, &w.refusal),
                     CORE_FACT);
    ck_assert_uint_eq(f.kind, FACT_NODE_QUARANTINED);
    world_commit(&w, &f);
    ck_assert_str_eq(row_of(0).state, "up");
    ck_assert(is_on(submit("initech"), "n1"));
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

START_TEST(nothing_is_placed_beside_it_and_a_refused_one_is_said_again)
{
    static struct fact facts[64];
    begin();
    prove("acme");
    prove("globex");
    uint64_t job = submit("acme");
    break_on_launch(job);
    pass(2 * SECOND);
    ck_assert(world_run(&w, job, 0));
    uint64_t beside = world_submit(&w, "initech", world_spec(1000, GIB));
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(facts[0].kind, FACT_NODE_QUARANTINED);
    ck_assert_str_ne(facts[1].placed.node, "n1");
    world_refuse(&w, &facts[0], "dropped");
    world_commit(&w, &facts[1]);
    ck_assert(node_of(beside) != NULL);
    pass(0);
    ck_assert_str_eq(row_of(0).state, "quarantined");
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quarantine");
    TCase *t = tcase_create("quarantine");
    tcase_add_test(t, a_node_that_fails_what_runs_elsewhere_is_left_alone);
    tcase_add_loop_test(t, it_gets_one_attempt_and_is_back_or_out_for_longer, 0, 2);
    tcase_add_loop_test(t, a_poisonous_job_takes_no_node_along, 0, 2);
    tcase_add_test(t, where_nothing_can_be_proven_the_likely_counts_after_a_while);
    tcase_add_test(t, what_goes_well_is_weighed_against_it);
    tcase_add_test(t, one_tenant_alone_needs_twice_as_much);
    tcase_add_test(t, a_quarter_of_the_nodes_and_never_the_last);
    tcase_add_test(t, an_admin_takes_it_back);
    tcase_add_test(t, nothing_is_placed_beside_it_and_a_refused_one_is_said_again);
    suite_add_tcase(s, t);
    return run_suite(s);
}
