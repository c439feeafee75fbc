/* Where tasks that start together find room, what is kept for them, and what is said of it. */
#include <check.h>

#include "tests/random.h"
#include "tests/scheduler/core/gangs.h"

/* ---- what is kept for them --------------------------------------------------------------------------- */

static uint64_t submit_for(uint64_t cpu_milli, uint64_t seconds)
{
    struct job_spec spec = world_spec(cpu_milli, GIB);
    spec.time_limit_ms = seconds * 1000;
    return world_submit(&w, "acme", spec);
}

/* Four nodes of two cores, always in use by small jobs that come without end; a gang of eight needs all at once. */
START_TEST(a_gang_starts_among_small_ones_without_end_within_one_longest_limit)
{
    begin(4, 2, 0, 0);
    uint64_t small[400];
    size_t count = 0, ended = 0;
    for (; count < 12; count++)
        small[count] = submit_for(1000, 50 + count * 7);
    ck_assert_uint_eq(world_decide(&w), 8);
    struct job_spec spec = gangs(8, 8, 1000);
    spec.time_limit_ms = 30000;
    uint64_t job = world_submit(&w, "acme", spec);
    int64_t begin_utc_us = w.now.utc_us;
    while (!is_live(job, 0)) {
        ck_assert_int_lt(w.now.utc_us - begin_utc_us, 500 * SECOND); /* they are queued ahead of it, too */
        for (size_t i = 0; i < count; i++)
            if (is_live(small[i], 0))
                (void)world_run(&w, small[i], 0);
        pass(5 * SECOND);
        for (size_t i = ended; i < count; i++)
            if (is_live(small[i], 0) && random_below(&(uint64_t){i * 77 + (uint64_t)w.now.utc_us}, 8) == 0)
                ck_assert(world_end(&w, small[i], 0, END_EXIT, 0, SECOND));
        while (count < COUNT_OF(small) && count < 12 + (size_t)(w.now.utc_us - begin_utc_us) / (2 * SECOND))
            small[count++] = submit_for(1000, 60);
        (void)world_decide(&w);
    }
    ck_assert_uint_eq(live(job, 8), 8);
    end();
}
END_TEST

START_TEST(nobody_who_is_let_past_delays_a_promised_gang)
{
    begin(2, 4, 0, 0);
    uint64_t one = submit_for(3000, 100), two = submit_for(3000, 200);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert(world_run(&w, one, 0) && world_run(&w, two, 0));
    uint64_t job = submit(8, 8);
    ck_assert_uint_eq(world_decide(&w), 0);
    uint64_t shorter = submit_for(1000, 150), longer = submit_for(1000, 250);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(shorter, 0) && !is_live(longer, 0));
    struct why_reply r = why(job);
    ck_assert_str_eq(r.estimate, "between 2026-11-24T00:00:00Z and 2026-11-24T00:03:28Z, on n1 and others, "
                                 "which is kept for it");
    fields_clear(&why_reply_fields, &r);
    end();
}
END_TEST

/* ---- why it waits ------------------------------------------------------------------------------------ */

START_TEST(what_is_said_to_be_missing_admits_it)
{
    begin(2, 4, 0, 0);
    (void)world_submit(&w, "acme", world_spec(3000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t job = submit(8, 8);
    ck_assert_uint_eq(world_decide(&w), 0);
    uint64_t before = core_hash(w.core);
    struct why_reply r = why(job);
    ck_assert_uint_eq(core_hash(w.core), before);
    ck_assert_uint_eq(r.blockers.count, 1);
    const struct blocker *b = blocker(&r, 0);
    ck_assert_str_eq(b->kind, "placement");
    ck_assert_str_eq(b->text, "placement: 5 of the 8 tasks that start together find room now, short 3");
    ck_assert_int_eq(b->free, 5);
    ck_assert_int_eq(b->need, 8);
    ck_assert_int_eq(b->short_by, 3);
    ck_assert_str_eq(r.change, "room for 3 more of its tasks, each with 1 cpu and 1088Mi memory, scratch included");
    fields_clear(&why_reply_fields, &r);
    world_hello(&w, "n3", "b", 2, 8 * GIB);
    ck_assert_uint_eq(world_decide(&w), 0); /* one less than that isn't enough */
    world_hello(&w, "n3", "b", 3, 8 * GIB);
    ck_assert_uint_eq(world_decide(&w), 8);
    end();
}
END_TEST

START_TEST(one_that_breaks_says_whom_it_waits_for)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = gangs(3, 3, 1000);
    spec.retries = 3;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 3);
    run_all(job, 3);
    ck_assert(world_end(&w, job, 0, END_EXIT, 1, SECOND));
    pass(5 * SECOND);
    (void)world_decide(&w);
    struct why_reply r = why(job);
    ck_assert_str_eq(blocker(&r, 0)->kind, "gang");
    ck_assert_str_eq(blocker(&r, 0)->text, "gang: tasks 0 to 2 start together, and 2 of them have still to end");
    fields_clear(&why_reply_fields, &r);
    obey(job, 3, SECOND);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 3);
    end();
}
END_TEST

/* ---- on small cells, against what anybody can count -------------------------------------------------- */

START_TEST(it_starts_exactly_when_its_nodes_have_room_for_all)
{
    uint64_t seed = random_seed("gang packing"), started = 0, waited = 0;
    for (int round = 0; round < 150; round++) {
        begin(0, 0, 0, 0);
        size_t nodes = 1 + random_below(&seed, 4);
        uint64_t free[4], slots = 0;
        for (size_t n = 0; n < nodes; n++) { /* what is in use is on its own label */
            char name[8], where[24];
            snprintf(name, sizeof name, "n%zu", n);
            snprintf(where, sizeof where, "node==%s", name);
            free[n] = 1 + random_below(&seed, 8);
            uint64_t used = random_below(&seed, free[n] + 1);
            world_hello(&w, name, "b", free[n], 256 * GIB);
            struct job_spec spec = world_spec(used * 1000, GIB);
            ck_assert_int_eq(str_set(&spec.where, where), 0);
            if (used > 0)
                (void)world_submit(&w, "acme", spec);
            else
                fields_clear(&job_spec_fields, &spec);
            free[n] -= used;
        }
        (void)world_decide(&w);
        uint64_t each = 1 + random_below(&seed, 3);
        for (size_t n = 0; n < nodes; n++)
            slots += free[n] / each;
        uint32_t gang = 1 + (uint32_t)random_below(&seed, 8);
        struct job_spec spec = gangs(gang, gang, each * 1000);
        spec.placement = (uint32_t)random_below(&seed, PLACEMENT_COUNT);
        uint64_t job;
        if (world_try_submit(&w, "acme", NULL, &spec, &job) == CORE_FACT) {
            bool fits = slots >= gang;
            ck_assert_uint_eq(world_decide(&w), fits ? gang : 0);
            started += fits;
            waited += !fits;
        }
        end();
    }
    ck_assert_uint_gt(started, 20);
    ck_assert_uint_gt(waited, 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/gang room");
    TCase *t = tcase_create("room");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_gang_starts_among_small_ones_without_end_within_one_longest_limit);
    tcase_add_test(t, nobody_who_is_let_past_delays_a_promised_gang);
    tcase_add_test(t, what_is_said_to_be_missing_admits_it);
    tcase_add_test(t, one_that_breaks_says_whom_it_waits_for);
    tcase_add_test(t, it_starts_exactly_when_its_nodes_have_room_for_all);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
