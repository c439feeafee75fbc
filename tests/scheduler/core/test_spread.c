/* Tasks over the values of a label: scheduler/core/spread.h, through facts. */
#include <check.h>

#include "scheduler/core/spread.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/gangs.h"

static void hello_again(const char *name, const char *boot, uint64_t cores, const char *zone, const struct list *listed)
{
    struct hello_call call = {.node = (char *)(uintptr_t)name, .boot_id = (char *)(uintptr_t)boot};
    call.capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = 256 * GIB};
    if (listed != NULL)
        call.attempts = *listed;
    if (zone != NULL)
        ck_assert_int_eq(pairs_set(&call.labels, "zone", zone), 0);
    world_hello_as(&w, &call);
    call.node = call.boot_id = NULL;
    fields_clear(&hello_call_fields, &call);
}

static void hello_in(const char *name, uint64_t cores, const char *zone)
{
    hello_again(name, "b", cores, zone, NULL);
}

static struct job_spec spread(uint32_t tasks)
{
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){.present = true, .last = tasks - 1};
    ck_assert_int_eq(str_set(&spec.spread, "zone"), 0);
    return spec;
}

/* How many of its tasks live on nodes whose names begin so. */
static uint32_t in(uint64_t job, uint32_t tasks, char letter)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tasks; i++) {
        struct attempt_id id = {job, i, 0};
        const char *node = world_node_of(&w, &id);
        count += node != NULL && node[0] == letter;
    }
    return count;
}

static void three_zones(void)
{
    begin(0, 0, 0, 0);
    hello_in("a1", 8, "a");
    hello_in("a2", 8, "a");
    hello_in("b1", 2, "b");
    hello_in("c1", 4, "c");
    hello_in("x1", 8, NULL);
}

START_TEST(each_task_goes_where_the_fewest_are)
{
    three_zones();
    uint64_t job = world_submit(&w, "acme", spread(5));
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_uint_eq(in(job, 5, 'a'), 2);
    ck_assert_uint_eq(in(job, 5, 'b'), 2);
    ck_assert_uint_eq(in(job, 5, 'c'), 1);
    end();
}
END_TEST

START_TEST(where_no_room_is_nobody_waits)
{
    three_zones();
    uint64_t job = world_submit(&w, "acme", spread(24));
    ck_assert_uint_eq(world_decide(&w), 24);
    ck_assert_uint_eq(in(job, 24, 'b'), 2);
    ck_assert_uint_eq(in(job, 24, 'c'), 4);
    ck_assert_uint_eq(in(job, 24, 'a'), 16);
    ck_assert_uint_eq(in(job, 24, 'x'), 2); /* last of all */
    end();
}
END_TEST

START_TEST(who_has_ended_is_counted_no_more_and_others_never_were)
{
    three_zones();
    uint64_t other = world_submit(&w, "acme", spread(2)), job = world_submit(&w, "acme", spread(3));
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_uint_eq(in(other, 2, 'a') + in(other, 2, 'b'), 2);
    ck_assert(in(job, 3, 'a') == 1 && in(job, 3, 'b') == 1 && in(job, 3, 'c') == 1);
    struct job_spec spec = spread(8);
    spec.array.max_running = 3;
    uint64_t many = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 3);
    world_verify(&w, NULL);
    for (uint32_t i = 0; i < 5; i++) { /* b is full of others: a and c take turns */
        char zone = 0;
        for (uint32_t k = 0; k < 8 && zone == 0; k++) {
            struct attempt_id id = {many, k, 0};
            const char *node = world_node_of(&w, &id);
            if (node == NULL)
                continue;
            zone = node[0];
            ck_assert(world_run(&w, many, k));
            ck_assert(world_end(&w, many, k, END_EXIT, 0, SECOND));
        }
        uint32_t a = in(many, 8, 'a'), c = in(many, 8, 'c');
        ck_assert_uint_eq(world_decide(&w), 1);
        ck_assert(a <= c ? in(many, 8, 'a') == a + 1 : in(many, 8, 'c') == c + 1);
        world_recount(w.core);
    }
    end();
}
END_TEST

/* What is only thought of in a turn that comes to nothing isn't there afterwards; what is refused neither. */
START_TEST(what_comes_to_nothing_is_not_counted)
{
    three_zones();
    uint64_t job = world_submit(&w, "acme", spread(3));
    struct fact facts[8];
    uint64_t next;
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &next);
    world_recount(w.core);
    for (size_t i = 0; i < count; i++) {
        if (fact_placements(&facts[i]) > 0)
            world_refuse(&w, &facts[i], "budget");
        else
            world_commit(&w, &facts[i]);
    }
    world_recount(w.core);
    pass(2 * SECOND);
    for (const char *const *n = (const char *const[]){"a1", "a2", "b1", "c1", "x1", NULL}; *n != NULL; n++)
        core_node_seen(w.core, *n, w.now);
    while (world_decide(&w) > 0)
        ;
    ck_assert(in(job, 3, 'a') == 1 && in(job, 3, 'b') == 1 && in(job, 3, 'c') == 1);
    end();
}
END_TEST

START_TEST(a_recovered_one_goes_on_alike)
{
    three_zones();
    uint64_t job = world_submit(&w, "acme", spread(9));
    struct job_call call = {.job = job, .has_task = true};
    struct fact f;
    for (call.task = 4; call.task < 9; call.task++) {
        ck_assert_int_eq(core_check_hold(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
        world_commit(&w, &f);
    }
    ck_assert_uint_eq(world_decide(&w), 4); /* a 2, b 1, c 1 */
    ck_assert_uint_eq(in(job, 9, 'a'), 2);
    struct core *restored = world_restored(&w, NULL);
    core_free(w.core);
    w.core = restored;
    for (const char *const *n = (const char *const[]){"a1", "a2", "b1", "c1", "x1", NULL}; *n != NULL; n++)
        core_node_seen(w.core, *n, w.now);
    call = (struct job_call){.job = job};
    ck_assert_int_eq(core_check_release(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_uint_eq(in(job, 9, 'b'), 2);
    ck_assert_uint_eq(in(job, 9, 'c'), 3);
    ck_assert_uint_eq(in(job, 9, 'a'), 4);
    world_recount(w.core);
    world_fini(&w);
}
END_TEST

/* b is another zone now, and a third one has come. */
START_TEST(labels_that_change_are_counted_anew)
{
    begin(0, 0, 0, 0);
    hello_in("a1", 8, "a");
    hello_in("b1", 8, "b");
    struct job_spec spec = spread(10);
    spec.array.max_running = 4;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(in(job, 10, 'b'), 2);
    struct list listed = {0};
    for (uint32_t i = 0; i < 4; i++) {
        struct attempt_id id = {job, i, 0};
        if (world_node_of(&w, &id)[0] == 'b')
            ((struct attempt_state *)list_add(&listed, sizeof(struct attempt_state)))->id = id;
    }
    hello_again("b1", "b", 8, "a", &listed);
    hello_in("c1", 8, "c");
    world_recount(w.core);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert(world_run(&w, job, i));
        ck_assert(world_end(&w, job, i, END_EXIT, 0, SECOND));
        ck_assert_uint_eq(world_decide(&w), 1);
        world_recount(w.core);
    }
    ck_assert_uint_eq(in(job, 10, 'c'), 2); /* as many as a and b together */
    end();
}
END_TEST

/* Its task goes along to the other zone, where none was, and ends before anybody asks for a node again. */
START_TEST(what_runs_on_a_node_that_changes_its_zone_ends_there)
{
    begin(0, 0, 0, 0);
    hello_in("a1", 8, "a");
    hello_in("b1", 8, "b");
    uint64_t job = world_submit(&w, "acme", spread(1));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    struct list listed = {0};
    ((struct attempt_state *)list_add(&listed, sizeof(struct attempt_state)))->id = (struct attempt_id){job, 0, 1};
    hello_again("a1", "b", 8, "b", &listed);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    end();
}
END_TEST

/* A condition may be longer than a line of text. */
START_TEST(long_conditions_that_end_otherwise_have_other_nodes)
{
    static const char *const last[] = {"b1", "b2"};
    uint64_t jobs[2];
    begin(0, 0, 0, 0);
    hello_in("b1", 8, "b");
    hello_in("b2", 8, "b");
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        struct job_spec spec = spread(1);
        char where[WHERE_TEXT_MAX + 1], other[80];
        size_t len = 0;
        memset(other, 'x', sizeof other);
        for (int k = 0; k < 8; k++)
            len += (size_t)snprintf(where + len, sizeof where - len, "node != %.*s%d && ", (int)sizeof other, other, k);
        snprintf(where + len, sizeof where - len, "node == %s", last[i]);
        ck_assert_int_eq(str_set(&spec.where, where), 0);
        jobs[i] = world_submit(&w, "acme", spec);
    }
    ck_assert_uint_eq(world_decide(&w), 2);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        ck_assert_str_eq(world_node_of(&w, &(struct attempt_id){jobs[i], 0, 0}), last[i]);
    end();
}
END_TEST

START_TEST(a_gang_is_spread_and_so_is_what_a_condition_leaves)
{
    three_zones();
    struct job_spec spec = spread(4);
    spec.gang = 4;
    ck_assert_int_eq(str_set(&spec.where, "zone != c && node != a1"), 0);
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(in(job, 4, 'a'), 2);
    for (struct attempt_id id = {job, 0, 0}; id.task < 4; id.task++, id.epoch = 0)
        ck_assert_str_ne(world_node_of(&w, &id), "a1");
    ck_assert_uint_eq(in(job, 4, 'b'), 2);
    spec = spread(4); /* beside a cap on each node */
    spec.per_node = 1;
    job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(in(job, 4, 'a'), 2);
    ck_assert_uint_eq(in(job, 4, 'c'), 1);
    ck_assert_uint_eq(in(job, 4, 'x'), 1);
    end();
}
END_TEST

START_TEST(two_labels_are_two_shapes)
{
    three_zones();
    struct job_spec one = spread(3), all = spread(3), none = spread(3);
    ck_assert_int_eq(str_set(&one.spread, "node"), 0);
    ck_assert_int_eq(str_set(&none.spread, NULL), 0);
    uint64_t plain = world_submit(&w, "acme", none), zones = world_submit(&w, "acme", all),
             each = world_submit(&w, "acme", one);
    ck_assert_uint_eq(world_decide(&w), 9);
    ck_assert_uint_eq(in(plain, 3, 'b'), 2); /* packed: the fullest first */
    ck_assert_uint_eq(in(zones, 3, 'a'), 2); /* b is full */
    ck_assert_uint_eq(in(each, 3, 'a'), 2);  /* a1 and a2, which are two there */
    end();
}
END_TEST

/* "m0", "m1", ..., of two cores each; their label `many` is their name. */
static void many_values(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", i);
        struct hello_call call = {.node = name, .boot_id = (char[]){"b"}};
        call.capacity = (struct resources){.cpu_milli = 2000, .mem_bytes = 4 * GIB};
        ck_assert_int_eq(pairs_set(&call.labels, "many", name), 0);
        world_hello_as(&w, &call);
        call.node = call.boot_id = NULL;
        fields_clear(&hello_call_fields, &call);
    }
}

static void lose(const char *name)
{
    struct fact f = {.kind = FACT_NODE_LOST, .at_utc_us = w.now.utc_us, .lost = {.node = strdup(name)}};
    world_commit(&w, &f);
}

static int try_zones(void)
{
    uint64_t job;
    struct job_spec spec = spread(4);
    return world_try_submit(&w, "acme", NULL, &spec, &job);
}

START_TEST(what_only_lost_nodes_have_is_no_value)
{
    begin(0, 0, 0, 0);
    many_values(SPREAD_VALUES_MAX + 6);
    struct job_spec spec = spread(SPREAD_VALUES_MAX);
    ck_assert_int_eq(str_set(&spec.spread, "many"), 0);
    for (uint32_t i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", i);
        lose(name); /* of the first by name */
    }
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), SPREAD_VALUES_MAX);
    for (uint32_t i = 0; i < SPREAD_VALUES_MAX; i++)
        for (uint32_t k = 0; k < i; k++) {
            struct attempt_id one = {job, i, 0}, other = {job, k, 0};
            ck_assert_str_ne(world_node_of(&w, &one), world_node_of(&w, &other));
        }
    world_verify(&w, NULL);
    hello_in("a1", 8, "a");
    hello_in("b1", 8, "b");
    lose("b1");
    ck_assert_int_eq(try_zones(), CORE_FACT);
    lose("a1");
    ck_assert_int_eq(try_zones(), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "no node has the label 'zone'");
    end();
}
END_TEST

START_TEST(what_cant_be_spread_is_refused)
{
    static const struct {
        const char *label, *message;
        bool array, within;
    } rows[] = {
        {"zone", "spread: it is of the tasks of an array, and this job is none", false, false},
        {"zone", "spread: a gang that is within one rack isn't spread, too", true, true},
        {"no label", "spread: 'no label' is no label: letters, digits and ._-/:+@", true, false},
        {"", "spread: '' is no label: letters, digits and ._-/:+@", true, false},
        {"shelf", "no node has the label 'shelf'", true, false},
        {"many", "nodes have 65 values of the label 'many', tasks are spread over at most 64", true, false},
    };
    three_zones();
    if (_i == 5)
        many_values(SPREAD_VALUES_MAX + 1);
    uint64_t job;
    struct job_spec spec = spread(4);
    ck_assert_int_eq(str_set(&spec.spread, rows[_i].label), 0);
    spec.array.present = rows[_i].array;
    if (rows[_i].within) {
        spec.gang = 2;
        ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    }
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, rows[_i].message);
    end();
}
END_TEST

/* Nodes, zones and what runs as chance has them: each task is where, of the zones with room, the fewest were. */
struct chance {
    uint64_t seed, cores[12], jobs[4];
    char zones[12], names[12][8];
    size_t nodes, count;
};

/* How many of a job's tasks live on a node, or in its zone. */
static uint32_t chance_live(const struct chance *k, uint64_t job, size_t node, bool zone)
{
    uint32_t count = 0;
    for (struct attempt_id id = {job, 0, 0}; id.task < 12; id.task++, id.epoch = 0) {
        const char *at = world_node_of(&w, &id);
        for (size_t i = 0; i < k->nodes; i++)
            count += at != NULL && strcmp(at, k->names[i]) == 0 &&
                     (i == node || (zone && k->zones[i] == k->zones[node]));
    }
    return count;
}

/* What runs there goes on, whatever its zone is by now. */
static void chance_hello(struct chance *k, size_t node)
{
    struct list listed = {0};
    for (size_t i = 0; i < k->count; i++)
        for (struct attempt_id id = {k->jobs[i], 0, 0}; id.task < 12; id.task++, id.epoch = 0) {
            const char *at = world_node_of(&w, &id);
            if (at != NULL && strcmp(at, k->names[node]) == 0)
                ((struct attempt_state *)list_add(&listed, sizeof(struct attempt_state)))->id = id;
        }
    k->zones[node] = (char)('a' + random_below(&k->seed, 4));
    hello_again(k->names[node], "b", k->cores[node], (char[]){k->zones[node], '\0'}, &listed);
}

static void chance_placed(const struct chance *k, const struct fact_placed *f)
{
    uint32_t here = 0, fewest = UINT32_MAX;
    for (size_t i = 0; i < k->nodes; i++) {
        uint32_t used = 0, there = chance_live(k, f->id.job, i, true);
        for (size_t n = 0; n < k->count; n++)
            used += chance_live(k, k->jobs[n], i, false);
        fewest = used < k->cores[i] ? MIN(fewest, there) : fewest;
        here = strcmp(k->names[i], f->node) == 0 ? there : here;
    }
    ck_assert_uint_eq(here, fewest);
}

static void chance_step(struct chance *k)
{
    if (k->count < COUNT_OF(k->jobs) && random_below(&k->seed, 6) == 0) {
        struct job_spec spec = spread(12);
        spec.placement = (uint32_t)random_below(&k->seed, PLACEMENT_COUNT);
        k->jobs[k->count++] = world_submit(&w, "acme", spec);
    }
    if (random_below(&k->seed, 6) == 0)
        chance_hello(k, random_below(&k->seed, k->nodes));
    uint64_t job = k->count > 0 ? k->jobs[random_below(&k->seed, k->count)] : 0;
    uint32_t task = (uint32_t)random_below(&k->seed, 12);
    if (job != 0 && is_live(job, task)) {
        (void)world_run(&w, job, task);
        (void)world_end(&w, job, task, END_EXIT, 0, SECOND);
    }
    struct fact f;
    uint64_t next;
    while (core_decide(w.core, w.now, &f, 1, &next) == 1) { /* one by one */
        if (f.kind == FACT_ATTEMPT_PLACED)
            chance_placed(k, &f.placed);
        world_commit(&w, &f);
    }
    world_recount(w.core);
}

START_TEST(no_zone_with_room_had_fewer)
{
    struct chance k = {.seed = random_seed("spread")};
    for (int round = 0; round < 60; round++) {
        begin(0, 0, 0, 0);
        k.count = 0;
        k.nodes = 2 + random_below(&k.seed, 10);
        for (size_t i = 0; i < k.nodes; i++) {
            k.cores[i] = 1 + random_below(&k.seed, 4);
            snprintf(k.names[i], sizeof k.names[i], "n%zu", i);
            chance_hello(&k, i);
        }
        for (int step = 0; step < 40; step++)
            chance_step(&k);
        end();
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/spread");
    TCase *t = tcase_create("spread");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, each_task_goes_where_the_fewest_are);
    tcase_add_test(t, where_no_room_is_nobody_waits);
    tcase_add_test(t, who_has_ended_is_counted_no_more_and_others_never_were);
    tcase_add_test(t, what_comes_to_nothing_is_not_counted);
    tcase_add_test(t, a_recovered_one_goes_on_alike);
    tcase_add_test(t, labels_that_change_are_counted_anew);
    tcase_add_test(t, what_runs_on_a_node_that_changes_its_zone_ends_there);
    tcase_add_test(t, long_conditions_that_end_otherwise_have_other_nodes);
    tcase_add_test(t, a_gang_is_spread_and_so_is_what_a_condition_leaves);
    tcase_add_test(t, two_labels_are_two_shapes);
    tcase_add_test(t, what_only_lost_nodes_have_is_no_value);
    tcase_add_loop_test(t, what_cant_be_spread_is_refused, 0, 6);
    tcase_add_test(t, no_zone_with_room_had_fewer);
    suite_add_tcase(s, t);
    return run_suite(s);
}
