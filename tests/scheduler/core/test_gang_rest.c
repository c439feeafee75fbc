/* Gangs of one shape that don't all want as much: the rest of one, of which some have succeeded, is less than another
 * that waits before it. What keeps the larger from starting need not keep the rest. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/gangs.h"

static struct job_spec four(uint64_t seconds)
{
    struct job_spec spec = gangs(4, 4, 1000);
    spec.time_limit_ms = seconds * 1000;
    spec.retries = 3;
    return spec;
}

/* A job of four of which three have succeeded; the last waits for its next try. */
static uint64_t rest_of_four(uint64_t seconds)
{
    uint64_t job = world_submit(&w, "acme", four(seconds));
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert(world_end(&w, job, i, END_EXIT, 0, SECOND));
    ck_assert(world_end(&w, job, 3, END_EXIT, 1, SECOND));
    return job;
}

/* Of the same shape as that, and before it. */
static uint64_t larger(uint64_t seconds)
{
    struct job_spec spec = four(seconds);
    spec.priority = 1;
    return world_submit(&w, "acme", spec);
}

static uint64_t small(uint32_t tasks, uint64_t seconds)
{
    struct job_spec spec = gangs(tasks, tasks, 1000);
    spec.time_limit_ms = seconds * 1000;
    return world_submit(&w, "acme", spec);
}

/* What was in the larger one's way ends. */
static void starts_after(uint64_t other, uint64_t before)
{
    run_all(other, 2);
    for (uint32_t i = 0; i < 2; i++)
        ck_assert(world_end(&w, other, i, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(live(before, 4), 4);
}

START_TEST(the_rest_of_a_gang_starts_beside_a_larger_one_that_finds_no_room)
{
    begin(1, 5, 0, 0);
    uint64_t rest = rest_of_four(500);
    uint64_t other = small(2, 100);
    ck_assert_uint_eq(world_decide(&w), 2);
    pass(SECOND / 2);
    uint64_t before = larger(500);
    for (int turn = 0; turn < 2; turn++) { /* it is promised its four, then finds no room and looks no further */
        ck_assert_uint_eq(world_decide(&w), 0);
        pass(SECOND / 4);
    }
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(rest, 3)); /* three cores are free, and the larger has its four when the other ends */
    ck_assert_uint_eq(live(before, 4), 0);
    starts_after(other, before);
    end();
}
END_TEST

/* The same with a core less: the rest would be there when the larger is to start. */
START_TEST(the_rest_delays_no_larger_one_that_was_promised)
{
    begin(1, 4, 0, 0);
    uint64_t rest = rest_of_four(500);
    uint64_t other = small(2, 100);
    ck_assert_uint_eq(world_decide(&w), 2);
    uint64_t before = larger(500);
    ck_assert_uint_eq(world_decide(&w), 0);
    for (int turn = 0; turn < 5; turn++) {
        pass(10 * SECOND);
        ck_assert_uint_eq(world_decide(&w), 0);
    }
    struct why_reply r = why(rest);
    ck_assert_uint_eq(r.blockers.count, 1);
    ck_assert_str_eq(blocker(&r, 0)->text, "placement: n1 has room now, but it is kept for jobs that go first, and "
                                           "this one may run beyond their start");
    ck_assert_str_eq(r.change, "time_limit <= 50s");
    fields_clear(&why_reply_fields, &r);
    starts_after(other, before);
    ck_assert(!is_live(rest, 3));
    end();
}
END_TEST

START_TEST(the_rest_starts_where_a_quota_is_too_little_for_the_larger)
{
    begin(1, 16, 5, 0);
    uint64_t rest = rest_of_four(500);
    uint64_t other = small(2, 100);
    ck_assert_uint_eq(world_decide(&w), 2);
    uint64_t before = larger(500);
    ck_assert_uint_eq(world_decide(&w), 0);
    pass(10 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(rest, 3));
    for (int turn = 0; turn < 3; turn++) {
        pass(10 * SECOND);
        ck_assert_uint_eq(world_decide(&w), 0);
    }
    starts_after(other, before);
    end();
}
END_TEST

/* What keeps a gang off the nodes may be its own job's, too. */
START_TEST(a_gang_starts_where_another_job_of_its_shape_has_all_it_may)
{
    begin(2, 8, 0, 0);
    struct job_spec spec = gangs(4, 2, 1000);
    spec.per_node = 1;
    uint64_t first = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    spec = gangs(2, 2, 1000);
    spec.per_node = 1;
    uint64_t second = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_uint_eq(live(second, 2), 2);
    ck_assert_uint_eq(live(first, 4), 2);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/gang_rest");
    TCase *t = tcase_create("gang_rest");
    tcase_add_test(t, the_rest_of_a_gang_starts_beside_a_larger_one_that_finds_no_room);
    tcase_add_test(t, the_rest_delays_no_larger_one_that_was_promised);
    tcase_add_test(t, the_rest_starts_where_a_quota_is_too_little_for_the_larger);
    tcase_add_test(t, a_gang_starts_where_another_job_of_its_shape_has_all_it_may);
    suite_add_tcase(s, t);
    return run_suite(s);
}
