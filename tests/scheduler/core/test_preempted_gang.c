/* Gangs that are stopped for others: whole, or not at all. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/lent.h"

START_TEST(a_gang_is_stopped_whole_by_one_fact_and_each_is_paid_for_by_the_cause)
{
    for (int preemptible = 0; preemptible < 2; preemptible++) {
        lend(4, 8, (struct preempt_rule){.reclaim = RECLAIM_ANY});
        uint64_t low = gang("low", 6, 2, 0, preemptible); /* two on each node */
        run(low, 6);
        turns(2 * MINUTE);
        uint64_t own = task_on("own", NULL, 4, 0, false);
        turns(0);
        ck_assert_uint_eq(stopped(low, 6), 63);
        ck_assert_uint_eq(world_stops(&w), 1);
        world_verify(&w, NULL);
        for (uint32_t i = 0; i < 6; i++)
            ck_assert(world_end(&w, low, i, END_PREEMPTED, 0, 100 * SECOND));
        struct job_view v = world_view(&w, low);
        ck_assert_uint_eq(v.attempts.count, 6);
        for (size_t i = 0; i < v.attempts.count; i++) {
            const struct attempt_view *a = &((const struct attempt_view *)v.attempts.v)[i];
            ck_assert_str_eq(a->cause, "preempted");
            ck_assert_int_eq(a->spent_micros, preemptible ? 2 * EUR : 0);
        }
        fields_clear(&job_view_fields, &v);
        turns(0);
        ck_assert_uint_eq(live(own, 1), 1);
        ck_assert(world_is(&w, low, "pending")); /* it wants twelve cores again */
        ck_assert_uint_eq(world_stops(&w), 1);
        end();
    }
}
END_TEST

START_TEST(a_gang_costs_as_many_as_it_has)
{
    lend(2, 10, (struct preempt_rule){0});
    struct job_spec spec = gangs(3, 3, 2000);
    spec.preemptible = true;
    spec.per_node = 1;
    uint64_t large = world_submit(&w, "low", spec), small[2], busy[2];
    run(large, 3);
    for (size_t i = 0; i < 2; i++) {
        small[i] = task_on("low", "n3", 1, 0, true);
        run(small[i], 1);
        busy[i] = task_on("low", i == 0 ? "n1" : "n2", 2, 0, false);
        run(busy[i], 1);
    }
    turns(2 * MINUTE);
    (void)task_on("own", NULL, 2, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped(large, 3), 0); /* one on the node, three in all */
    ck_assert_uint_eq(stopped_of(small, 2), 3);
    end();
}
END_TEST

START_TEST(what_a_gang_leaves_counts_on_all_its_nodes)
{
    lend(12, 0, (struct preempt_rule){0});
    uint64_t large = gang("low", 3, 4, 0, true);
    run(large, 3);
    turns(2 * MINUTE);
    uint64_t own = gang("own", 3, 4, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped(large, 3), 7);
    ck_assert_uint_eq(world_stops(&w), 1);
    ck_assert(world_end(&w, large, 0, END_PREEMPTED, 0, KILLED_AFTER));
    ck_assert(world_end(&w, large, 2, END_PREEMPTED, 0, KILLED_AFTER));
    turns(MINUTE);
    ck_assert(world_is(&w, own, "pending"));
    ck_assert(world_end(&w, large, 1, END_PREEMPTED, 0, KILLED_AFTER));
    turns(0);
    ck_assert_uint_eq(live(own, 3), 3);
    ck_assert_uint_eq(world_stops(&w), 1);
    end();
}
END_TEST

/* The last of them began to run later than the others. */
START_TEST(nobody_of_a_gang_goes_before_its_time)
{
    lend(4, 8, (struct preempt_rule){0});
    uint64_t low = gang("low", 3, 4, 0, true);
    (void)world_decide(&w);
    ck_assert(world_run(&w, low, 0) && world_run(&w, low, 1));
    turns(30 * SECOND);
    ck_assert(world_run(&w, low, 2));
    turns(40 * SECOND);
    (void)task_on("own", NULL, 4, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped(low, 3), 0);
    turns(20 * SECOND);
    ck_assert_uint_eq(stopped(low, 3), 7);
    end();
}
END_TEST

START_TEST(a_refused_stop_of_a_gang_is_asked_for_again)
{
    static struct fact facts[64];
    uint64_t next_boot_us;
    lend(4, 8, (struct preempt_rule){0});
    uint64_t low = gang("low", 3, 4, 0, true);
    run(low, 3);
    turns(2 * MINUTE);
    uint64_t own = task_on("own", NULL, 4, 0, false);
    ck_assert_uint_eq(core_decide(w.core, w.now, facts, COUNT_OF(facts), &next_boot_us), 1);
    ck_assert_uint_eq(core_decide(w.core, w.now, &facts[1], COUNT_OF(facts) - 1, &next_boot_us), 0);
    world_refuse(&w, &facts[0], "store");
    turns(2 * SECOND);
    ck_assert_uint_eq(stopped(low, 3), 7);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert(world_end(&w, low, i, END_PREEMPTED, 0, KILLED_AFTER));
    turns(0);
    ck_assert_uint_eq(live(own, 1), 1);
    ck_assert_uint_eq(world_stops(&w), 1);
    end();
}
END_TEST

/* What the gang leaves on n2 counts for the next one that needs room, in the same turn. */
START_TEST(what_goes_of_a_gang_is_not_asked_for_twice)
{
    uint64_t small[4];
    lend_of_two(4);
    struct job_spec spec = gangs(2, 2, 4000);
    spec.preemptible = true;
    MUST(str_set(&spec.where, "node in (n1, n2)") == 0);
    uint64_t low = world_submit(&w, "low", spec);
    run(low, 2);
    for (size_t i = 0; i < 4; i++) {
        small[i] = task_on("low", "n3", 1, 0, true);
        run(small[i], 1);
    }
    turns(2 * MINUTE);
    uint64_t own = task_on("own", "n1", 4, 0, false), too = task_on("too", NULL, 4, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped(low, 2), 3);
    ck_assert_uint_eq(stopped_of(small, 4), 0);
    for (uint32_t i = 0; i < 2; i++)
        ck_assert(world_end(&w, low, i, END_PREEMPTED, 0, KILLED_AFTER));
    turns(0);
    ck_assert(live(own, 1) == 1 && live(too, 1) == 1);
    ck_assert_uint_eq(world_stops(&w), 1);
    end();
}
END_TEST

/* On its node it gives back two of the four cores that are needed, in the ledger all of them. */
START_TEST(a_gang_that_goes_counts_whole_also_after_a_recovery)
{
    static struct fact facts[64];
    uint64_t next_boot_us, small[4];
    lend(8, 0, (struct preempt_rule){0});
    struct job_spec spec = gangs(2, 2, 2000);
    spec.preemptible = true;
    spec.per_node = 1;
    MUST(str_set(&spec.where, "node in (n1, n2)") == 0);
    uint64_t low = world_submit(&w, "low", spec);
    run(low, 2);
    for (size_t i = 0; i < 4; i++) {
        small[i] = task_on("low", "n3", 1, 0, true);
        run(small[i], 1);
    }
    turns(2 * MINUTE);
    (void)task_on("own", NULL, 4, 0, false);
    turns(0);
    ck_assert_uint_eq(stopped(low, 2), 3);
    ck_assert_uint_eq(stopped_of(small, 4), 0);
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

int main(void)
{
    Suite *s = suite_create("core/preempted gang");
    TCase *t = tcase_create("gangs");
    tcase_add_test(t, a_gang_is_stopped_whole_by_one_fact_and_each_is_paid_for_by_the_cause);
    tcase_add_test(t, a_gang_costs_as_many_as_it_has);
    tcase_add_test(t, what_a_gang_leaves_counts_on_all_its_nodes);
    tcase_add_test(t, nobody_of_a_gang_goes_before_its_time);
    tcase_add_test(t, a_refused_stop_of_a_gang_is_asked_for_again);
    tcase_add_test(t, what_goes_of_a_gang_is_not_asked_for_twice);
    tcase_add_test(t, a_gang_that_goes_counts_whole_also_after_a_recovery);
    suite_add_tcase(s, t);
    return run_suite(s);
}
