#include <check.h>

#include "policies/capacity.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* Who is next, through the core: policies/order.h. */

static void join(struct world *w, const char *node, uint64_t cores, uint64_t mem_gib, uint64_t gpus)
{
    struct hello_call call = {.node = (char *)(uintptr_t)node, .boot_id = (char *)(uintptr_t)"b"};
    call.capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = mem_gib * GIB};
    struct fact f;
    if (gpus > 0)
        MUST(counts_set(&call.capacity.generic, "gpu", gpus) == 0);
    MUST(core_check_hello(w->core, &call, w->now, &f, &w->refusal) == CORE_FACT);
    world_commit(w, &f);
    core_node_seen(w->core, node, w->now);
    fields_clear(&resources_fields, &call.capacity);
}

/* cores 0: next to nothing. */
static struct job_spec demand(uint64_t cores, uint64_t mem_gib, uint64_t gpus)
{
    const uint64_t scratch = 64 << 20; /* is memory on a node */
    struct job_spec spec = world_spec(MAX(cores * 1000, 10), mem_gib * GIB - scratch);
    spec.resources.scratch_bytes = scratch;
    if (gpus > 0)
        MUST(counts_set(&spec.resources.generic, "gpu", gpus) == 0);
    return spec;
}

/* An array of so many tasks. */
static uint64_t submit(struct world *w, const char *tenant, struct job_spec spec, uint32_t tasks)
{
    spec.array = (struct job_array){.present = tasks > 1, .last = tasks - 1};
    return world_submit(w, tenant, spec);
}

static uint64_t running(struct world *w, const char *tenant)
{
    struct tenant_view v;
    MUST(ledger_tenant(core_ledger(w->core), tenant, w->now.utc_us, &v));
    return v.running;
}

static void decide_all(struct world *w)
{
    while (world_decide(w) > 0) {
    }
}

static void tenants(struct world *w, const char *const *paths, size_t count, struct order_rule order)
{
    struct policy_file p = {.currency = strdup("EUR"), .order = order};
    world_price(&p, 0, 0, 0);
    for (size_t i = 0; i < count; i++)
        (void)world_rule(&p, paths[i]);
    if (world_apply(w, &p) != CORE_FACT) {
        fprintf(stderr, "%s: %s\n", w->refusal.code, w->refusal.message);
        abort();
    }
}

/* What ends gives place to one more decision, a task at a time. */
static void end_one(struct world *w, uint64_t job)
{
    struct job_view v = world_view(w, job);
    uint32_t task = UINT32_MAX;
    for (size_t i = 0; i < v.attempts.count; i++) {
        const struct attempt_view *a = &((const struct attempt_view *)v.attempts.v)[i];
        if (a->ended_utc_us == 0 && task == UINT32_MAX)
            task = a->task;
    }
    fields_clear(&job_view_fields, &v);
    MUST(task != UINT32_MAX && world_end(w, job, task, END_EXIT, 0, SECOND));
    MUST(world_decide(w) == 1);
}

/* The SoCC paper's starvation: b/gpus fills up all gpus, which only it wants; a and b/cpus want the cpus. Were the
 * gpus counted, b would have all of a resource for ever and its cpus would go to a one by one. */
START_TEST(who_fills_up_one_resource_does_not_starve_its_sibling)
{
    static const char *const paths[] = {"a", "b", "b/cpus", "b/gpus"};
    struct world w;
    world_init(&w, NULL);
    tenants(&w, paths, COUNT_OF(paths), (struct order_rule){0});
    join(&w, "n1", 41, 1000, 40);
    submit(&w, "b/gpus", demand(0, 1, 1), 100);
    uint64_t cpus = submit(&w, "b/cpus", demand(1, 1, 0), 10000), a = submit(&w, "a", demand(1, 1, 0), 10000);
    decide_all(&w);
    ck_assert_uint_eq(running(&w, "b/gpus"), 40);
    for (int i = 0; i < 200; i++)
        end_one(&w, i % 2 == 0 && running(&w, "b/cpus") > 0 ? cpus : a);
    ck_assert_uint_ge(running(&w, "b/cpus"), 18);
    ck_assert_uint_ge(running(&w, "a"), 18);
    world_fini(&w);
}
END_TEST

START_TEST(the_guaranteed_go_before_those_that_borrow)
{
    struct world w;
    world_init(&w, NULL);
    struct policy_file p = {.currency = strdup("EUR")};
    world_price(&p, 0, 0, 0);
    (void)world_rule(&p, "a");
    world_rule(&p, "b")->quota.guaranteed.cpu_milli = 6000;
    world_rule(&p, "c")->quota.guaranteed.cpu_milli = 4000;
    MUST(world_apply(&w, &p) == CORE_FACT);
    join(&w, "n1", 10, 1000, 0);
    uint64_t c = submit(&w, "c", demand(1, 1, 0), 100);
    decide_all(&w);
    ck_assert_uint_eq(running(&w, "c"), 10); /* nobody else wants them: it borrows */
    submit(&w, "a", demand(1, 1, 0), 100);
    submit(&w, "b", demand(1, 1, 0), 100);
    for (int i = 0; i < 6; i++)
        end_one(&w, c);
    ck_assert_uint_eq(running(&w, "b"), 6); /* also when a has nothing at all and b has five */
    ck_assert_uint_eq(running(&w, "c"), 4);
    ck_assert_uint_eq(running(&w, "a"), 0);
    world_fini(&w);
}
END_TEST

START_TEST(a_resource_has_its_own_weight)
{
    struct world w;
    world_init(&w, NULL);
    struct policy_file p = {.currency = strdup("EUR")};
    world_price(&p, 0, 0, 0);
    (void)world_rule(&p, "a");
    MUST(counts_set(&world_rule(&p, "b")->weights, "gpu", 3) == 0);
    MUST(world_apply(&w, &p) == CORE_FACT);
    join(&w, "n1", 400, 1000, 40); /* joins later than the policy names it */
    submit(&w, "a", demand(1, 1, 1), 100);
    submit(&w, "b", demand(1, 1, 1), 100);
    decide_all(&w);
    ck_assert_uint_eq(running(&w, "a"), 10);
    ck_assert_uint_eq(running(&w, "b"), 30);
    world_fini(&w);
}
END_TEST

/* a has used the cell, b nothing. At equal shares b is next; by the tree of the past it is until it has as much. */
static void past_of_a(struct world *w, struct order_rule order)
{
    static const char *const paths[] = {"a", "b"};
    world_init(w, NULL);
    tenants(w, paths, COUNT_OF(paths), order);
    join(w, "n1", 4, 1000, 0);
    uint64_t job = submit(w, "a", demand(4, 1, 0), 1);
    decide_all(w);
    world_run(w, job, 0);
    world_pass(w, 10 * MINUTE);
    MUST(world_end(w, job, 0, END_EXIT, 0, 10 * MINUTE));
    core_node_seen(w->core, "n1", w->now);
    submit(w, "a", demand(1, 1, 0), 100);
    submit(w, "b", demand(1, 1, 0), 100);
}

START_TEST(at_equal_shares_the_past_decides)
{
    struct world w;
    struct fact facts[16];
    past_of_a(&w, (struct order_rule){0});
    MUST(core_decide(w.core, w.now, facts, 1, &w.next_boot_us) == 1);
    ck_assert_str_eq(facts[0].placed.path.v[0], "b");
    world_commit(&w, &facts[0]);
    decide_all(&w);
    ck_assert_uint_eq(running(&w, "a"), 2);
    ck_assert_uint_eq(running(&w, "b"), 2);
    world_fini(&w);
}
END_TEST

START_TEST(in_the_fair_tree_the_past_rules_and_fades)
{
    struct world w;
    past_of_a(&w, (struct order_rule){.present = true, .by = ORDER_BY_FAIR_TREE, .half_life_ms = 3600000});
    /* What b holds ahead, 15 minutes of a quarter of the cell each, counts at once: with the third it has had more
     * than a's 10 minutes of all of it. */
    decide_all(&w);
    ck_assert_uint_eq(running(&w, "b"), 3);
    ck_assert_uint_eq(running(&w, "a"), 1);
    world_verify(&w, NULL);
    world_fini(&w);
}
END_TEST

/* Ten half-lives later and over an epoch, the same use is nothing beside what is held now. */
START_TEST(what_is_long_ago_is_forgotten)
{
    struct world w;
    past_of_a(&w, (struct order_rule){.present = true, .by = ORDER_BY_FAIR_TREE, .half_life_ms = 3600000});
    world_pass(&w, 10 * HOUR);
    core_node_seen(w.core, "n1", w.now);
    decide_all(&w);
    ck_assert_uint_eq(running(&w, "a"), 2);
    ck_assert_uint_eq(running(&w, "b"), 2);
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err_text(&err));
    world_fini(&w);
}
END_TEST

/* A slice counts when it is held, and what wasn't used of it not any more when its attempt has ended. */
START_TEST(what_was_not_used_is_taken_back)
{
    static const char *const paths[] = {"a", "b"};
    struct world w;
    world_init(&w, NULL);
    tenants(&w, paths, COUNT_OF(paths), (struct order_rule){.present = true, .by = ORDER_BY_FAIR_TREE});
    join(&w, "n1", 1, 1000, 0);
    uint64_t b = submit(&w, "b", demand(1, 1, 0), 1);
    decide_all(&w);
    world_run(&w, b, 0);
    MUST(world_end(&w, b, 0, END_EXIT, 0, 2 * SECOND)); /* of a slice of 15 minutes */
    uint64_t a = submit(&w, "a", demand(1, 1, 0), 1);
    decide_all(&w);
    world_run(&w, a, 0);
    world_pass(&w, 3 * SECOND);
    MUST(world_end(&w, a, 0, END_EXIT, 0, 3 * SECOND));
    submit(&w, "a", demand(1, 1, 0), 1);
    submit(&w, "b", demand(1, 1, 0), 1);
    decide_all(&w);
    ck_assert_uint_eq(running(&w, "b"), 1); /* two seconds, not three */
    world_fini(&w);
}
END_TEST

START_TEST(waiting_is_worth_priority_and_the_rule_can_change)
{
    static const char *const paths[] = {"a"};
    struct world w;
    world_init(&w, NULL);
    tenants(&w, paths, 1, (struct order_rule){.present = true, .age_ms = 3600000});
    join(&w, "n1", 1, 1000, 0);
    uint64_t old = submit(&w, "a", demand(1, 1, 0), 1);
    world_pass(&w, 6 * HOUR);
    core_node_seen(w.core, "n1", w.now);
    struct job_spec spec = demand(1, 1, 0);
    spec.priority = 5;
    uint64_t urgent = world_submit(&w, "a", spec);
    decide_all(&w);
    ck_assert(world_is(&w, old, "running") || world_is(&w, old, "starting")); /* six points by then */
    tenants(&w, paths, 1, (struct order_rule){0});
    spec = demand(1, 1, 0);
    uint64_t plain = submit(&w, "a", spec, 1);
    world_run(&w, old, 0);
    MUST(world_end(&w, old, 0, END_EXIT, 0, SECOND));
    decide_all(&w);
    ck_assert(!world_is(&w, urgent, "pending") && world_is(&w, plain, "pending"));
    world_fini(&w);
}
END_TEST

/* A tenant with a quota of two cores, and the one core that its first job has; an hour's wait is worth a point. */
static uint64_t at_the_limit(struct world *w, const char *how)
{
    struct policy_file p = {.currency = strdup("EUR"), .order = {.present = true, .age_ms = 3600000}};
    world_init(w, NULL);
    world_price(&p, 0, 0, 0);
    struct tenant_rule *rule = world_rule(&p, "a");
    if (strcmp(how, "cpu") == 0)
        rule->quota.max.cpu_milli = 1000;
    else
        rule->quota.max_running = 1;
    MUST(world_apply(w, &p) == CORE_FACT);
    join(w, "n1", 8, 1000, 0);
    uint64_t first = submit(w, "a", demand(1, 1, 0), 1);
    decide_all(w);
    world_run(w, first, 0);
    return first;
}

static uint64_t submit_at(struct world *w, int32_t priority, uint64_t mem_gib)
{
    struct job_spec spec = demand(1, mem_gib, 0);
    spec.priority = priority;
    uint64_t job = world_submit(w, "a", spec);
    decide_all(w);
    return job;
}

static void pass_hours(struct world *w, int64_t hours)
{
    world_pass(w, hours * HOUR);
    core_node_seen(w->core, "n1", w->now);
    decide_all(w);
}

/* Six hours at the limit are worth nothing; the wait before and after is. Jobs of one shape, of two, and in front of a
 * tenant that is stopped as a whole. */
START_TEST(time_at_a_limit_is_no_waiting)
{
    static const struct {
        const char *how;
        uint64_t old_gib, new_gib;
    } rows[] = {{"cpu", 1, 1}, {"cpu", 1, 2}, {"running", 1, 1}, {"running", 1, 2}};
    struct world w;
    uint64_t first = at_the_limit(&w, rows[_i].how);
    uint64_t old = submit_at(&w, 0, rows[_i].old_gib);
    pass_hours(&w, 6);
    uint64_t urgent = submit_at(&w, 2, rows[_i].new_gib);
    MUST(world_end(&w, first, 0, END_EXIT, 0, SECOND));
    decide_all(&w);
    ck_assert(!world_is(&w, urgent, "pending"));
    ck_assert(world_is(&w, old, "pending"));
    world_fini(&w);
}
END_TEST

/* ---- dominant resource fairness, its four properties ------------------------------------------------ */

#define USERS 4
#define CELL_CORES 240
#define CELL_GIB 480

struct allocation {
    uint64_t cores[USERS], gib[USERS]; /* a task's demand */
    uint64_t tasks[USERS];
};

static void fill(struct allocation *a)
{
    static const char *const paths[USERS] = {"a", "b", "c", "d"};
    struct world w;
    world_init(&w, NULL);
    tenants(&w, paths, USERS, (struct order_rule){0});
    join(&w, "n1", CELL_CORES, CELL_GIB, 0);
    for (size_t i = 0; i < USERS; i++)
        submit(&w, paths[i], demand(a->cores[i], a->gib[i], 0), 1000);
    decide_all(&w);
    for (size_t i = 0; i < USERS; i++)
        a->tasks[i] = running(&w, paths[i]);
    world_fini(&w);
}

/* How many of i's tasks that much of the cell is worth to it. */
static uint64_t worth(const struct allocation *a, size_t i, uint64_t cores, uint64_t gib)
{
    return MIN(cores / a->cores[i], gib / a->gib[i]);
}

/* What theorems say of divisible tasks holds but for a task of whoever has the largest. */
static uint64_t slack(const struct allocation *a, size_t i)
{
    uint64_t most = 0, own = MAX(a->cores[i] * CELL_GIB, a->gib[i] * CELL_CORES);
    for (size_t k = 0; k < USERS; k++)
        most = MAX(most, MAX(a->cores[k] * CELL_GIB, a->gib[k] * CELL_CORES));
    return 1 + (most + own - 1) / own;
}

static struct allocation random_demands(uint64_t *state)
{
    struct allocation a;
    for (size_t i = 0; i < USERS; i++) {
        a.cores[i] = 1 + random_below(state, 8);
        a.gib[i] = 1 + random_below(state, 16);
    }
    return a;
}

START_TEST(shares_are_worth_having_and_nobody_envies_anybody)
{
    uint64_t state = random_seed("order");
    for (int round = 0; round < 25; round++) {
        struct allocation a = random_demands(&state);
        fill(&a);
        uint64_t cores = CELL_CORES, gib = CELL_GIB;
        for (size_t i = 0; i < USERS; i++) {
            cores -= a.tasks[i] * a.cores[i];
            gib -= a.tasks[i] * a.gib[i];
            /* sharing incentive: no worse than a quarter of the cell of its own */
            ck_assert_uint_ge(a.tasks[i] + slack(&a, i), worth(&a, i, CELL_CORES / USERS, CELL_GIB / USERS));
            /* envy-freeness: nobody would do better with what another has, but for a task of it */
            for (size_t k = 0; k < USERS; k++) {
                uint64_t tasks = a.tasks[k] - MIN(a.tasks[k], 1);
                ck_assert_uint_ge(a.tasks[i] + 1, worth(&a, i, tasks * a.cores[k], tasks * a.gib[k]));
            }
        }
        /* Pareto efficiency: nobody could have another task without taking it from somebody */
        for (size_t i = 0; i < USERS; i++)
            ck_assert_uint_eq(worth(&a, i, cores, gib), 0);
    }
}
END_TEST

START_TEST(nobody_gains_by_asking_for_what_it_does_not_need)
{
    uint64_t state = random_seed("order");
    for (int round = 0; round < 25; round++) {
        struct allocation honest = random_demands(&state), lie;
        fill(&honest);
        lie = honest;
        lie.cores[0] += random_below(&state, 4);
        lie.gib[0] += random_below(&state, 8);
        fill(&lie);
        uint64_t got = worth(&honest, 0, lie.tasks[0] * lie.cores[0], lie.tasks[0] * lie.gib[0]);
        ck_assert_uint_le(MIN(got, lie.tasks[0]), honest.tasks[0] + slack(&lie, 0));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core order");
    TCase *t = tcase_create("who is next");
    tcase_add_test(t, who_fills_up_one_resource_does_not_starve_its_sibling);
    tcase_add_test(t, the_guaranteed_go_before_those_that_borrow);
    tcase_add_test(t, a_resource_has_its_own_weight);
    tcase_add_test(t, at_equal_shares_the_past_decides);
    tcase_add_test(t, in_the_fair_tree_the_past_rules_and_fades);
    tcase_add_test(t, what_is_long_ago_is_forgotten);
    tcase_add_test(t, what_was_not_used_is_taken_back);
    tcase_add_test(t, waiting_is_worth_priority_and_the_rule_can_change);
    tcase_add_loop_test(t, time_at_a_limit_is_no_waiting, 0, 4);
    tcase_add_test(t, shares_are_worth_having_and_nobody_envies_anybody);
    tcase_add_test(t, nobody_gains_by_asking_for_what_it_does_not_need);
    suite_add_tcase(s, t);
    return run_suite(s);
}
