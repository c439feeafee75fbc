/* Gangs for which others are stopped: scheduler/core/preempt.h, through facts. */
#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/lent.h"

/* ---- a gang takes ------------------------------------------------------------------------------------ */

START_TEST(a_gang_takes_what_was_lent_on_as_many_nodes_as_it_needs)
{
    uint64_t low[4 * NODES], first = 0;
    all_is_lent(8, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 2, 4, 0, false), other = task_on("else", NULL, 1, 0, true);
    turns(0);
    unsigned nodes = emptied(low);
    ck_assert_int_eq(__builtin_popcount(nodes), 2);
    ck_assert_uint_eq(world_stops(&w), 8);
    world_verify(&w, NULL);
    for (size_t i = 0; i < COUNT_OF(low); i++)
        if (stopped(low[i], 1) != 0) {
            first = first == 0 ? low[i] : first;
            turns(MINUTE); /* what is free already is nobody else's, however long the others take */
            ck_assert(world_is(&w, other, "pending") && world_is(&w, own, "pending"));
            ck_assert(world_end(&w, low[i], 0, END_PREEMPTED, 0, KILLED_AFTER));
        }
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    ck_assert(world_is(&w, other, "pending") && world_is(&w, first, "pending"));
    ck_assert_uint_eq(world_stops(&w), 8);
    end();
}
END_TEST

/* The newest eight are on three nodes; they are all that "low" has borrowed. */
START_TEST(what_may_be_taken_back_is_not_used_up_where_it_frees_no_node)
{
    uint64_t low[4 * NODES];
    lend_beside(8, 4, 0, (struct preempt_rule){0});
    fill_all(low);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 2, 4, 0, false);
    turns(0);
    ck_assert_int_eq(__builtin_popcount(emptied(low)), 2);
    end_stopped(low, COUNT_OF(low));
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    end();
}
END_TEST

/* What is on n1 ends by its time limit before the others would be gone: n1 and n2 would do as well, then. */
START_TEST(what_is_left_on_all_its_nodes_is_kept_though_others_would_do)
{
    lend(8, 12, (struct preempt_rule){0});
    struct job_spec spec = world_spec(4000, 64 << 20);
    spec.time_limit_ms = 110000;
    MUST(str_set(&spec.where, "node==n1") == 0);
    uint64_t limited = world_submit(&w, "low", spec), low[2];
    run(limited, 1);
    for (size_t i = 0; i < 2; i++) {
        low[i] = task_on("low", i == 0 ? "n2" : "n3", 4, 0, true);
        run(low[i], 1);
    }
    turns(95 * SECOND);
    uint64_t own = gang("own", 2, 4, 0, false), other = task_on("else", NULL, 4, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped_of(low, 2), 3);
    for (size_t i = 0; i < 10; i++)
        turns(2 * SECOND);
    ck_assert(world_end(&w, low[1], 0, END_PREEMPTED, 0, KILLED_AFTER));
    turns(2 * SECOND);
    ck_assert(world_is(&w, other, "pending"));
    ck_assert(world_end(&w, low[0], 0, END_PREEMPTED, 0, KILLED_AFTER));
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    end();
}
END_TEST

/* Also where everybody who may go would make some room. */
START_TEST(nobody_is_stopped_unless_all_of_it_fits_then)
{
    uint64_t low[4 * NODES];
    static const struct { uint64_t guaranteed; uint32_t size; } rows[] = {
        {7, 2}, /* it would borrow itself */
        {16, 3}, /* one node runs what is nobody's to take */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct preempt_rule rule = {.reclaim = RECLAIM_PREEMPTIBLE};
        lend(rows[i].guaranteed, 12 - MIN(rows[i].guaranteed, 12), rule);
        for (size_t k = 0; k < COUNT_OF(low); k++) {
            char node[16];
            snprintf(node, sizeof node, "n%zu", 1 + k % NODES);
            low[k] = task_on("low", node, 1, 0, k % NODES != 2);
            run(low[k], 1);
        }
        turns(2 * MINUTE);
        uint64_t own = gang("own", rows[i].size, 4, 0, false);
        for (size_t k = 0; k < 5; k++)
            turns(2 * SECOND);
        ck_assert_uint_eq(stopped_of(low, COUNT_OF(low)), 0);
        ck_assert(world_is(&w, own, "pending"));
        end();
    }
}
END_TEST

START_TEST(a_gang_waits_until_enough_have_run_long_enough)
{
    uint64_t low[4 * NODES];
    all_is_lent(12, (struct preempt_rule){0}, low);
    turns(50 * SECOND); /* the first have run for a minute, the last have not */
    (void)gang("own", 3, 4, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped_of(low, COUNT_OF(low)), 0);
    turns(8 * SECOND);
    ck_assert_uint_eq(stopped_of(low, COUNT_OF(low)), 0);
    turns(SECOND);
    ck_assert_int_eq(emptied(low), 7);
    end();
}
END_TEST

START_TEST(those_who_cost_least_go)
{
    lend(12, 0, (struct preempt_rule){0});
    uint64_t small[4], large[2];
    for (size_t i = 0; i < 4; i++) {
        small[i] = task_on("low", "n1", 1, 0, true);
        run(small[i], 1);
    }
    for (size_t i = 0; i < 2; i++) {
        large[i] = task_on("low", i == 0 ? "n2" : "n3", 4, 1, true);
        run(large[i], 1);
    }
    turns(2 * MINUTE);
    (void)gang("own", 2, 4, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped_of(small, 4), 0);
    ck_assert_uint_eq(stopped_of(large, 2), 3);
    end();
}
END_TEST

START_TEST(inside_a_tenant_a_gang_of_a_higher_priority_goes_first)
{
    lend(0, 12, (struct preempt_rule){0});
    uint64_t low[6];
    for (size_t i = 0; i < 6; i++) {
        char node[16];
        snprintf(node, sizeof node, "n%zu", 1 + i % 3);
        low[i] = task_on("low", node, 2, i < 3 ? 1 : 5, true);
        run(low[i], 1);
    }
    turns(2 * MINUTE);
    uint64_t first = gang("low", 3, 2, 4, false);
    turns(0);
    ck_assert_uint_eq(stopped_of(low, 6), 7);
    end_stopped(low, 6);
    turns(0);
    ck_assert_uint_eq(live(first, 3), 3);
    ck_assert_uint_eq(world_stops(&w), 3);
    end();
}
END_TEST

/* Room for all of it is free, but what it is guaranteed is lent: as much goes as was borrowed too much. */
START_TEST(a_gang_that_has_room_takes_back_only_what_it_is_guaranteed)
{
    uint64_t low[4];
    lend(10, 0, (struct preempt_rule){0});
    for (size_t i = 0; i < 4; i++) {
        low[i] = task_on("low", "n1", 1, 0, true);
        run(low[i], 1);
    }
    turns(2 * MINUTE);
    struct job_spec spec = gangs(2, 2, 4000);
    uint64_t own = world_submit(&w, "own", spec);
    turns(0);
    ck_assert_uint_eq(stopped_of(low, 4), 12);
    world_hello(&w, "n4", "b", 4, 256 * GIB);
    uint64_t other = task_on("else", NULL, 1, 0, true);
    turns(MINUTE);
    is_said(own, 1, "placement: waits for 2 preempted attempts on n1 to end");
    ck_assert(world_is(&w, other, "pending")); /* there are cores, but what it is about to use isn't lent again */
    end_stopped(low, 4);
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    ck_assert_uint_eq(world_stops(&w), 2);
    end();
}
END_TEST

/* Nothing happens meanwhile but what the core itself has asked for. */
static void until_stopped(size_t count)
{
    for (size_t i = 0; i < 20 && world_stops(&w) < count; i++) {
        (void)world_decide(&w);
        int64_t sleep_us = (int64_t)(w.next_boot_us - w.now.boot_us);
        ck_assert(world_stops(&w) == count || sleep_us <= SECOND);
        pass(MIN(sleep_us, SECOND));
    }
    ck_assert_uint_eq(world_stops(&w), count);
}

/* Gangs are asked for a promise once in a tenth of a second. */
START_TEST(two_gangs_of_two_tenants_are_both_asked)
{
    uint64_t low[4 * NODES], gangs_of[2];
    lend_of_two(12);
    fill_all(low);
    turns(2 * MINUTE);
    gangs_of[0] = gang("own", 2, 2, 0, false);
    gangs_of[1] = gang("too", 2, 2, 0, false);
    until_stopped(8);
    end_stopped(low, COUNT_OF(low));
    turns(0);
    ck_assert(live(gangs_of[0], 2) == 2 && live(gangs_of[1], 2) == 2);
    end();
}
END_TEST

START_TEST(two_gangs_that_have_room_both_take_back)
{
    uint64_t low[8], gangs_of[2];
    lend_of_two(0);
    for (size_t i = 0; i < 8; i++) {
        low[i] = task_on("low", i < 4 ? "n1" : "n2", 1, 0, true);
        run(low[i], 1);
    }
    world_hello(&w, "n4", "b", 4, 256 * GIB);
    turns(2 * MINUTE);
    gangs_of[0] = gang("own", 2, 2, 0, false);
    gangs_of[1] = gang("too", 2, 2, 0, false);
    until_stopped(8);
    end_stopped(low, COUNT_OF(low));
    turns(0);
    ck_assert(live(gangs_of[0], 2) == 2 && live(gangs_of[1], 2) == 2);
    end();
}
END_TEST

START_TEST(what_a_gang_waits_for_is_said)
{
    uint64_t low[4 * NODES];
    all_is_lent(8, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 2, 4, 0, false);
    turns(0);
    unsigned nodes = emptied(low);
    char text[200];
    snprintf(text, sizeof text, "placement: waits for 8 preempted attempts on n%d and 1 more node to end; 0 of the 2 "
             "tasks that start together find room now, short 2", nodes & 1 ? 1 : 2);
    struct why_reply r = why(own);
    const struct blocker *b = blocker(&r, r.blockers.count - 1);
    ck_assert_str_eq(b->text, text);
    ck_assert_int_eq(b->free, 0);
    ck_assert_int_eq(b->need, 2);
    ck_assert_int_eq(b->short_by, 2);
    fields_clear(&why_reply_fields, &r);
    for (size_t i = 0; i < COUNT_OF(low); i++)
        if (stopped(low[i], 1) != 0 && (i % NODES == 0 || (nodes & 1) == 0))
            ck_assert(world_end(&w, low[i], 0, END_PREEMPTED, 0, KILLED_AFTER));
    turns(0);
    end();
}
END_TEST

/* Room for what is said to be short lets it start, whatever becomes of whom it waits for. */
START_TEST(the_stated_change_admits_it)
{
    lend(8, 12, (struct preempt_rule){0});
    uint64_t low[2];
    for (size_t i = 0; i < 2; i++) {
        low[i] = task_on("low", i == 0 ? "n1" : "n2", 4, 0, true);
        run(low[i], 1);
    }
    uint64_t busy = task_on("low", "n3", 3, 0, false);
    run(busy, 1);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 2, 2, 0, false);
    turns(0);
    ck_assert_int_eq(__builtin_popcount(stopped_of(low, 2)), 1);
    struct why_reply r = why(own);
    ck_assert_str_eq(r.change, "room for 2 more of its tasks, each with 2 cpu and 1088Mi memory, scratch included");
    fields_clear(&why_reply_fields, &r);
    world_hello(&w, "n4", "b", 4, 8 * GIB);
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    end();
}
END_TEST

/* ---- whatever becomes of it -------------------------------------------------------------------------- */

static void cancel(uint64_t job, size_t facts)
{
    struct job_call call = {.job = job};
    struct cancel_reply reply;
    struct fact f[8];
    size_t count;
    ck_assert_int_eq(core_check_cancel(w.core, &call, "root", w.now, f, COUNT_OF(f), &count, &reply, &w.refusal),
                     CORE_FACT);
    ck_assert_uint_eq(count, facts);
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &f[i]);
}

START_TEST(a_cancelled_gang_gives_all_nodes_up)
{
    uint64_t low[4 * NODES], other[2];
    all_is_lent(8, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 2, 4, 0, false);
    for (size_t i = 0; i < 2; i++)
        other[i] = task_on("else", NULL, 4, 0, false);
    turns(0);
    ck_assert_int_eq(__builtin_popcount(emptied(low)), 2);
    cancel(own, 1);
    end_stopped(low, COUNT_OF(low));
    turns(MINUTE);
    ck_assert(live(other[0], 1) == 1 && live(other[1], 1) == 1);
    end();
}
END_TEST

START_TEST(what_the_store_refuses_is_asked_for_again)
{
    static struct fact facts[64];
    uint64_t low[4 * NODES], next_boot_us;
    all_is_lent(8, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 2, 4, 0, false);
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &next_boot_us);
    ck_assert_uint_eq(count, 8);
    for (size_t i = 0; i < count; i++)
        world_refuse(&w, &facts[i], "store");
    turns(2 * SECOND);
    ck_assert_int_eq(__builtin_popcount(emptied(low)), 2);
    ck_assert_uint_eq(world_stops(&w), 8);
    end_stopped(low, COUNT_OF(low));
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    end();
}
END_TEST

/* A turn of so many proposals: eight go, in as many turns as that takes, and no one more. */
START_TEST(more_than_a_turn_takes_go_turn_after_turn)
{
    static const size_t rows[] = {1, 3, 7, 8};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fact facts[8];
        uint64_t low[4 * NODES], next_boot_us;
        size_t turns_taken = 0;
        all_is_lent(8, (struct preempt_rule){0}, low);
        turns(2 * MINUTE);
        uint64_t own = gang("own", 2, 4, 0, false);
        for (size_t count = 1; count > 0; turns_taken += count > 0) {
            count = core_decide(w.core, w.now, facts, rows[i], &next_boot_us);
            for (size_t k = 0; k < count; k++)
                world_commit(&w, &facts[k]);
            ck_assert(world_stops(&w) == 8 || next_boot_us <= w.now.boot_us + 1);
        }
        ck_assert_uint_eq(turns_taken, (8 + rows[i] - 1) / rows[i]);
        ck_assert_int_eq(__builtin_popcount(emptied(low)), 2);
        end_stopped(low, COUNT_OF(low));
        turns(0);
        ck_assert_uint_eq(live(own, 2), 2);
        end();
    }
}
END_TEST

/* More nodes than one search looks at: each turn begins with others. */
START_TEST(the_rest_of_them_goes_on_the_same_nodes)
{
    enum { MANY = 300, TURN = 3, TASKS = 2 * MANY + 4 * NODES };
    struct fact facts[TURN];
    uint64_t next_boot_us;
    lend(TASKS, 0, (struct preempt_rule){0});
    struct job_spec spec = world_spec(1000, 64 << 20);
    spec.preemptible = true;
    spec.array = (struct job_array){.present = true, .last = TASKS - 1};
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        world_hello(&w, name, "b", 2, 256 * GIB);
    }
    uint64_t low = world_submit(&w, "low", spec);
    while (world_decide(&w) > 0) {
    }
    run_all(low, TASKS);
    world_pass(&w, 2 * MINUTE);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        core_node_seen(w.core, name, w.now);
    }
    (void)gang("own", 4, 2, 0, false);
    for (size_t count = 1; count > 0;) {
        count = core_decide(w.core, w.now, facts, TURN, &next_boot_us);
        for (size_t k = 0; k < count; k++)
            world_commit(&w, &facts[k]);
        ck_assert_uint_le(world_stops(&w), 8);
    }
    ck_assert_uint_eq(world_stops(&w), 8);
    end();
}
END_TEST

START_TEST(a_recovered_core_asks_for_nobody_else)
{
    static struct fact facts[64];
    uint64_t low[4 * NODES], next_boot_us;
    all_is_lent(8, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    (void)gang("own", 2, 4, 0, false);
    turns(0);
    struct core *before = w.core, *after = world_restored(&w, NULL);
    w.core = after;
    for (size_t i = 0; i < 10; i++) {
        pass(SECOND);
        ck_assert_uint_eq(core_decide(after, w.now, facts, COUNT_OF(facts), &next_boot_us), 0);
    }
    w.core = before;
    core_free(after);
    end();
}
END_TEST

START_TEST(when_one_of_its_nodes_is_lost_it_looks_elsewhere)
{
    uint64_t low[4 * NODES];
    all_is_lent(8, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 2, 4, 0, false);
    turns(0);
    unsigned nodes = emptied(low), lost = (unsigned)__builtin_ctz(nodes);
    char name[16];
    snprintf(name, sizeof name, "n%u", lost + 1);
    world_hello(&w, name, "another boot", 1, 256 * GIB); /* smaller, too */
    for (size_t i = 0; i < 10; i++)
        turns(SECOND);
    nodes = emptied(low);
    ck_assert_int_eq(__builtin_popcount(nodes & ~(1U << lost)), 2);
    end_stopped(low, COUNT_OF(low));
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    end();
}
END_TEST

/* ---- caps and groups --------------------------------------------------------------------------------- */

static void hello_in(const char *name, const char *rack)
{
    struct hello_call call = {.node = (char *)(uintptr_t)name, .boot_id = (char *)(uintptr_t)"b"};
    call.capacity.cpu_milli = 4000;
    call.capacity.mem_bytes = 256 * GIB;
    ck_assert_int_eq(pairs_set(&call.labels, "rack", rack), 0);
    world_hello_as(&w, &call);
    free(call.labels.v[0].key);
    free(call.labels.v[0].value);
    free(call.labels.v);
}

/* n1 and n4 are in one rack, n2 in another, n3 in a third; the cheapest nodes are of different ones. */
START_TEST(it_takes_within_one_group)
{
    lend(8, 8, (struct preempt_rule){0});
    static const char *const racks[] = {"r1", "r2", "r3", "r1"};
    uint64_t jobs[6];
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%zu", i + 1);
        hello_in(name, racks[i]);
    }
    static const char *const nodes[] = {"n2", "n3", "n1", "n1", "n4", "n4"};
    for (size_t i = 0; i < 6; i++) {
        jobs[i] = task_on("low", nodes[i], i < 2 ? 4 : 2, 0, true);
        run(jobs[i], 1);
    }
    turns(2 * MINUTE);
    struct job_spec spec = gangs(2, 2, 4000);
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    uint64_t own = world_submit(&w, "own", spec);
    turns(0);
    ck_assert_uint_eq(stopped_of(jobs, 6), 60);
    end_stopped(jobs, 6);
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    end();
}
END_TEST

START_TEST(preferred_it_takes_wherever_some_set_would_do)
{
    lend(8, 4, (struct preempt_rule){0});
    uint64_t jobs[3];
    static const char *const racks[] = {"r1", "r2", "r3"};
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%zu", i + 1);
        hello_in(name, racks[i]);
        jobs[i] = task_on("low", name, 4, 0, true);
        run(jobs[i], 1);
    }
    turns(2 * MINUTE);
    struct job_spec spec = gangs(2, 2, 4000);
    spec.within_or_any = true;
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    uint64_t own = world_submit(&w, "own", spec);
    turns(0);
    ck_assert_int_eq(__builtin_popcount(stopped_of(jobs, 3)), 2);
    end_stopped(jobs, 3);
    turns(0);
    ck_assert_uint_eq(live(own, 2), 2);
    end();
}
END_TEST

START_TEST(it_takes_no_more_of_a_node_than_it_may_have)
{
    uint64_t low[4 * NODES];
    all_is_lent(12, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    struct job_spec spec = gangs(3, 3, 1000);
    spec.per_node = 1;
    uint64_t own = world_submit(&w, "own", spec);
    turns(0);
    ck_assert_uint_eq(stopped_of(low, COUNT_OF(low)), 7U << 9); /* the newest of each node */
    end_stopped(low, COUNT_OF(low));
    turns(0);
    ck_assert_uint_eq(live(own, 3), 3);
    end();
}
END_TEST

/* Of a task alone, too: n1 has as many of its job as it may, though somebody might go there; on n2 nobody may. */
START_TEST(nobody_goes_where_the_job_may_have_no_more)
{
    lend(12, 12, (struct preempt_rule){0});
    struct job_spec spec = world_spec(2000, 64 << 20);
    spec.per_node = 1;
    spec.array = (struct job_array){.present = true, .last = 1};
    MUST(str_set(&spec.where, "node in (n1, n2)") == 0);
    uint64_t busy = task_on("low", "n2", 4, 0, false), low, own;
    run(busy, 1);
    own = world_submit(&w, "own", spec);
    (void)world_decide(&w);
    ck_assert_uint_eq(live(own, 2), 1);
    low = task_on("low", "n1", 2, 0, true);
    run(low, 1);
    turns(2 * MINUTE);
    for (size_t i = 0; i < 5; i++)
        turns(2 * SECOND);
    ck_assert_uint_eq(stopped(low, 1), 0);
    end();
}
END_TEST

/* ---- a closed world ---------------------------------------------------------------------------------- */

#define JOBS 24
#define GANG 3

/* All that is to stop ends, all that starts runs. true: something did. */
static bool let_it_end(const uint64_t *jobs)
{
    bool some = false;
    for (size_t i = 0; i < JOBS; i++)
        for (uint32_t t = 0; t < GANG; t++) {
            struct attempt_id id = {jobs[i], t, 0};
            if (world_node_of(&w, &id) == NULL)
                continue;
            some |= world_run(&w, jobs[i], t);
            if (stop_cause(jobs[i], t) == END_PREEMPTED)
                some |= world_end(&w, jobs[i], t, END_PREEMPTED, 0, KILLED_AFTER);
        }
    return some;
}

START_TEST(a_closed_world_with_gangs_comes_to_rest)
{
    static const char *const paths[] = {"a", "a/x", "a/y", "b", "b/x", "c"};
    uint64_t seed = random_seed("preempt gangs");
    size_t most = 0, all = 0, started = 0;
    for (size_t round = 0; round < 40; round++) {
        uint64_t jobs[JOBS];
        world_init(&w, NULL);
        struct policy_file p = {.currency = strdup("EUR"), .preempt = {.reclaim = RECLAIM_ANY, .min_run_ms = 1000}};
        for (size_t i = 0; i < COUNT_OF(paths); i++)
            world_rule(&p, paths[i])->quota.guaranteed.cpu_milli = 1000 * (1 + random_below(&seed, 4));
        MUST(world_apply(&w, &p) == CORE_FACT);
        world_hello(&w, "n1", "b", 8, 16 * GIB);
        world_hello(&w, "n2", "b", 5, 16 * GIB);
        for (size_t i = 0; i < JOBS; i++) {
            const char *tenant = paths[random_below(&seed, COUNT_OF(paths))];
            int32_t priority = (int32_t)random_below(&seed, 3);
            bool preemptible = random_below(&seed, 2) > 0;
            jobs[i] = random_below(&seed, 2) ? task_on(tenant, NULL, 1 + random_below(&seed, 4), priority, preemptible)
                                             : gang(tenant, 2 + (uint32_t)random_below(&seed, GANG - 1),
                                                    1 + random_below(&seed, 2), priority, preemptible);
            if (i % 3 == 0)
                turns(5 * SECOND);
        }
        for (size_t quiet = 0; quiet < 10;) {
            turns(2 * SECOND);
            quiet = let_it_end(jobs) ? 0 : quiet + 1;
            ck_assert_uint_le(world_stops(&w), JOBS);
        }
        for (size_t i = 0; i < JOBS; i++)
            started += live(jobs[i], GANG) > 1;
        most = MAX(most, world_stops(&w));
        all += world_stops(&w);
        end();
    }
    printf("at most %zu stops among %d jobs, %zu in all; %zu gangs run in the end\n", most, JOBS, all, started);
    ck_assert_uint_gt(all, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/preempt gang");
    TCase *t = tcase_create("gangs");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_gang_takes_what_was_lent_on_as_many_nodes_as_it_needs);
    tcase_add_test(t, what_may_be_taken_back_is_not_used_up_where_it_frees_no_node);
    tcase_add_test(t, what_is_left_on_all_its_nodes_is_kept_though_others_would_do);
    tcase_add_test(t, nobody_is_stopped_unless_all_of_it_fits_then);
    tcase_add_test(t, a_gang_waits_until_enough_have_run_long_enough);
    tcase_add_test(t, those_who_cost_least_go);
    tcase_add_test(t, inside_a_tenant_a_gang_of_a_higher_priority_goes_first);
    tcase_add_test(t, a_gang_that_has_room_takes_back_only_what_it_is_guaranteed);
    tcase_add_test(t, two_gangs_of_two_tenants_are_both_asked);
    tcase_add_test(t, two_gangs_that_have_room_both_take_back);
    tcase_add_test(t, what_a_gang_waits_for_is_said);
    tcase_add_test(t, the_stated_change_admits_it);
    tcase_add_test(t, a_cancelled_gang_gives_all_nodes_up);
    tcase_add_test(t, what_the_store_refuses_is_asked_for_again);
    tcase_add_test(t, more_than_a_turn_takes_go_turn_after_turn);
    tcase_add_test(t, the_rest_of_them_goes_on_the_same_nodes);
    tcase_add_test(t, a_recovered_core_asks_for_nobody_else);
    tcase_add_test(t, when_one_of_its_nodes_is_lost_it_looks_elsewhere);
    tcase_add_test(t, it_takes_within_one_group);
    tcase_add_test(t, preferred_it_takes_wherever_some_set_would_do);
    tcase_add_test(t, it_takes_no_more_of_a_node_than_it_may_have);
    tcase_add_test(t, nobody_goes_where_the_job_may_have_no_more);
    tcase_add_test(t, a_closed_world_with_gangs_comes_to_rest);
    suite_add_tcase(s, t);
    return run_suite(s);
}
