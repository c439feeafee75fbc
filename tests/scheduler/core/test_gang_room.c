/* Where tasks that start together find room, what is kept for them, and what is said of it. */
#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
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

/* ---- caps and groups --------------------------------------------------------------------------------- */

static const char *const racks[] = {"r1", "r2", "r3"};

static struct {
    char node[8];
    uint32_t rack;
} placed_in[64]; /* by hello_in() */
static size_t placed_count;

static void hello_in(const char *name, uint64_t cores, const char *rack)
{
    size_t at = 0;
    while (at < placed_count && strcmp(placed_in[at].node, name) != 0)
        at++;
    placed_count = MAX(placed_count, at + 1);
    snprintf(placed_in[at].node, sizeof placed_in[at].node, "%s", name);
    while (strcmp(racks[placed_in[at].rack], rack) != 0)
        placed_in[at].rack = (placed_in[at].rack + 1) % COUNT_OF(racks);
    struct hello_call call = {.node = (char *)(uintptr_t)name, .boot_id = (char *)(uintptr_t)"b"};
    call.capacity.cpu_milli = cores * 1000;
    call.capacity.mem_bytes = 256 * GIB;
    ck_assert_int_eq(pairs_set(&call.labels, "rack", rack), 0);
    world_hello_as(&w, &call);
    free(call.labels.v[0].key);
    free(call.labels.v[0].value);
    free(call.labels.v);
}

/* In how many racks a job's tasks run. */
static uint32_t racks_of(uint64_t job, uint32_t tasks)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < tasks; i++) {
        struct attempt_id id = {job, i, 0};
        const char *node = world_node_of(&w, &id);
        for (size_t n = 0; node != NULL && n < placed_count; n++)
            if (strcmp(placed_in[n].node, node) == 0)
                seen |= 1u << placed_in[n].rack;
    }
    return (uint32_t)__builtin_popcount(seen);
}

START_TEST(no_more_of_a_job_on_a_node_than_it_may_have)
{
    begin(2, 8, 0, 0);
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){.present = true, .last = 5};
    spec.per_node = 2;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    spec = world_spec(1000, GIB); /* another one of that shape isn't kept waiting by it */
    spec.array = (struct job_array){.present = true, .last = 1};
    spec.per_node = 2;
    uint64_t other = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_uint_eq(live(other, 2), 2);
    struct why_reply r = why(job);
    ck_assert_str_eq(blocker(&r, 0)->text,
                     "placement: every node with room has 2 tasks of this job, as many as per_node allows");
    ck_assert_int_eq(blocker(&r, 0)->limit, 2);
    ck_assert_str_eq(r.change, "a task of job 1 on n1 ends");
    fields_clear(&why_reply_fields, &r);
    world_hello(&w, "n3", "b", 1, 8 * GIB);
    ck_assert_uint_eq(world_decide(&w), 1);
    run_all(job, 6);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    end();
}
END_TEST

START_TEST(a_gang_is_spread_as_its_cap_says)
{
    begin(2, 8, 0, 0);
    struct job_spec spec = gangs(6, 6, 1000);
    spec.per_node = 2;
    uint64_t job;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "6 tasks start together, all nodes have room for 4 of them, at most 2 on a "
                     "node (per_node)");
    world_hello(&w, "n3", "b", 8, 256 * GIB);
    spec = gangs(6, 6, 1000);
    spec.per_node = 2;
    job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 6);
    end();
}
END_TEST

START_TEST(a_gang_stays_within_one_group_and_leaves_large_ones_whole)
{
    begin(0, 0, 0, 0);
    hello_in("a1", 4, "r1");
    hello_in("a2", 4, "r1");
    hello_in("b1", 3, "r2");
    hello_in("b2", 2, "r2");
    hello_in("c1", 1, "r3");
    struct job_spec spec = gangs(9, 9, 1000);
    uint64_t job;
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "9 tasks start together, all nodes of one rack have room for 8 of them");
    spec = gangs(4, 4, 1000);
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    struct attempt_id id = {job, 0, 0};
    ck_assert_str_eq(world_node_of(&w, &id), "b1"); /* five are enough, eight stay */
    ck_assert_uint_eq(racks_of(job, 4), 1);
    spec = gangs(8, 8, 1000);
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    uint64_t large = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 8);
    ck_assert_uint_eq(racks_of(large, 8), 1);
    spec = gangs(2, 2, 1000);
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    uint64_t last = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 0); /* one core in r2, one in r3 */
    struct why_reply r = why(last);
    ck_assert_str_eq(blocker(&r, 0)->text,
                     "placement: 1 of the 2 tasks that start together find room now within one rack, short 1");
    ck_assert_str_eq(r.change, "room for 1 more of its tasks where rack = r3, each with 1 cpu and 1088Mi memory, "
                               "scratch included");
    fields_clear(&why_reply_fields, &r);
    hello_in("c2", 1, "r3");
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_uint_eq(racks_of(last, 2), 1);
    end();
}
END_TEST

START_TEST(preferred_is_within_where_that_can_be)
{
    begin(0, 0, 0, 0);
    hello_in("a1", 2, "r1");
    hello_in("b1", 3, "r2");
    uint64_t jobs[2];
    for (size_t i = 0; i < 2; i++) {
        struct job_spec spec = gangs(2, 2, 1000);
        spec.within_or_any = true;
        ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
        jobs[i] = world_submit(&w, "acme", spec);
        ck_assert_uint_eq(world_decide(&w), 2);
    }
    ck_assert_uint_eq(racks_of(jobs[0], 2), 1);
    ck_assert_uint_eq(racks_of(jobs[1], 2), 1);
    struct job_spec spec = world_spec(1000, GIB);
    (void)world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    hello_in("a2", 1, "r1");
    hello_in("b2", 1, "r2");
    spec = gangs(2, 2, 1000);
    spec.within_or_any = true;
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_uint_eq(racks_of(job, 2), 2);
    end();
}
END_TEST

START_TEST(a_gang_is_promised_one_group)
{
    begin(0, 0, 0, 0);
    hello_in("a1", 2, "r1");
    hello_in("b1", 2, "r2");
    hello_in("b2", 2, "r2");
    struct job_spec spec = world_spec(2000, GIB);
    spec.time_limit_ms = 100000;
    ck_assert_int_eq(str_set(&spec.where, "node==b1"), 0);
    uint64_t busy = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, busy, 0));
    spec = gangs(4, 4, 1000);
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 0); /* four cores are free, of two racks */
    uint64_t beside = submit_for(2000, 200), late = submit_for(2000, 200);
    ck_assert_uint_eq(world_decide(&w), 1); /* in the other rack it is in nobody's way */
    ck_assert(is_live(beside, 0) && !is_live(late, 0));
    pass(100 * SECOND);
    for (size_t i = 0; i < placed_count; i++)
        core_node_seen(w.core, placed_in[i].node, w.now);
    ck_assert(world_end(&w, busy, 0, END_EXIT, 0, 100 * SECOND));
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(racks_of(job, 4), 1);
    ck_assert(!is_live(late, 0));
    end();
}
END_TEST

/* ---- on small cells, against what anybody can count -------------------------------------------------- */

START_TEST(it_starts_exactly_when_its_nodes_have_room_for_all)
{
    uint64_t seed = random_seed("gang packing"), started = 0, waited = 0;
    for (int round = 0; round < 400; round++) {
        begin(0, 0, 0, 0);
        size_t nodes = 1 + random_below(&seed, 4);
        uint64_t free[4], slots = 0, in_rack[3] = {0};
        uint32_t rack[4];
        for (size_t n = 0; n < nodes; n++) { /* what is in use is where it is said to be */
            char name[8], where[24];
            snprintf(name, sizeof name, "n%zu", n);
            rack[n] = (uint32_t)random_below(&seed, 3);
            snprintf(where, sizeof where, "node==%s", name);
            free[n] = 1 + random_below(&seed, 8);
            uint64_t used = random_below(&seed, free[n] + 1);
            hello_in(name, free[n], racks[rack[n]]);
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
        uint32_t cap = random_below(&seed, 2) ? 1 + (uint32_t)random_below(&seed, 3) : 0;
        bool within = random_below(&seed, 2);
        for (size_t n = 0; n < nodes; n++) {
            uint64_t here = cap > 0 ? MIN(free[n] / each, cap) : free[n] / each;
            slots += here;
            in_rack[rack[n]] += here;
        }
        slots = within ? MAX(in_rack[0], MAX(in_rack[1], in_rack[2])) : slots;
        uint32_t gang = 1 + (uint32_t)random_below(&seed, 8);
        struct job_spec spec = gangs(gang, gang, each * 1000);
        spec.placement = (uint32_t)random_below(&seed, PLACEMENT_COUNT);
        spec.per_node = cap;
        ck_assert_int_eq(str_set(&spec.within, within ? "rack" : NULL), 0);
        uint64_t job;
        if (world_try_submit(&w, "acme", NULL, &spec, &job) == CORE_FACT) {
            bool fits = slots >= gang;
            ck_assert_uint_eq(world_decide(&w), fits ? gang : 0);
            if (fits && within)
                ck_assert_uint_eq(racks_of(job, gang), 1);
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
    tcase_add_test(t, no_more_of_a_job_on_a_node_than_it_may_have);
    tcase_add_test(t, a_gang_is_spread_as_its_cap_says);
    tcase_add_test(t, a_gang_stays_within_one_group_and_leaves_large_ones_whole);
    tcase_add_test(t, preferred_is_within_where_that_can_be);
    tcase_add_test(t, a_gang_is_promised_one_group);
    tcase_add_test(t, what_is_said_to_be_missing_admits_it);
    tcase_add_test(t, one_that_breaks_says_whom_it_waits_for);
    tcase_add_test(t, it_starts_exactly_when_its_nodes_have_room_for_all);
    suite_add_tcase(s, t);
    return run_suite(s);
}
