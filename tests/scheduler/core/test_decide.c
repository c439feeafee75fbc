#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static void begin(void)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    (void)world_rule(&p, "acme");
    (void)world_rule(&p, "acme/etl");
    (void)world_rule(&p, "acme/ml");
    (void)world_rule(&p, "globex");
    world_rule(&p, "heavy")->weight = 3;
    world_rule(&p, "capped")->quota.max.cpu_milli = 2000;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
}

static bool is_live(uint64_t job, uint32_t task)
{
    struct attempt_id id = {job, task, 0};
    return world_node_of(&w, &id) != NULL;
}

static const char *where(uint64_t job)
{
    struct attempt_id id = {job, 0, 0};
    return world_node_of(&w, &id);
}

static uint64_t submit(const char *tenant, uint64_t cpu_milli)
{
    return world_submit(&w, tenant, world_spec(cpu_milli, GIB));
}

static uint64_t submit_array(const char *tenant, uint32_t tasks, uint32_t cap)
{
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){true, 0, tasks - 1, cap};
    return world_submit(&w, tenant, spec);
}

static void hear_all(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        core_node_seen(w.core, names[i], w.now);
}

START_TEST(higher_priority_goes_first_then_the_older_job)
{
    begin();
    world_hello(&w, "n1", "b", 1, 8 * GIB);
    uint64_t old = submit("acme", 1000), young = submit("acme", 1000);
    struct job_spec spec = world_spec(1000, GIB);
    spec.priority = 1;
    uint64_t high = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(high, 0) && !is_live(old, 0));
    ck_assert(world_end(&w, high, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(old, 0) && !is_live(young, 0));
    world_fini(&w);
}
END_TEST

START_TEST(tenants_share_evenly_however_many_jobs_one_brings)
{
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    uint64_t flood = submit_array("acme", 1000, 0), few = submit_array("globex", 10, 0);
    ck_assert_uint_eq(world_decide(&w), 8);
    struct job_row a, b;
    ck_assert(core_job_row(w.core, flood, w.now, &a) && core_job_row(w.core, few, w.now, &b));
    ck_assert_uint_eq(a.live, 4);
    ck_assert_uint_eq(b.live, 4);
    fields_clear(&job_row_fields, &a);
    fields_clear(&job_row_fields, &b);
    world_fini(&w);
}
END_TEST

START_TEST(three_times_the_weight_is_three_times_the_share)
{
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    uint64_t light = submit_array("acme", 100, 0), heavy = submit_array("heavy", 100, 0);
    ck_assert_uint_eq(world_decide(&w), 8);
    struct job_row a, b;
    ck_assert(core_job_row(w.core, light, w.now, &a) && core_job_row(w.core, heavy, w.now, &b));
    ck_assert_uint_eq(a.live, 2);
    ck_assert_uint_eq(b.live, 6);
    fields_clear(&job_row_fields, &a);
    fields_clear(&job_row_fields, &b);
    world_fini(&w);
}
END_TEST

START_TEST(the_tree_shares_level_by_level)
{
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    uint64_t jobs[] = {submit_array("acme/etl", 100, 0), submit_array("acme/ml", 100, 0),
                       submit_array("globex", 100, 0)};
    static const uint32_t live[] = {2, 2, 4}; /* acme and globex half each, acme's children share its half */
    ck_assert_uint_eq(world_decide(&w), 8);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        struct job_row row;
        ck_assert(core_job_row(w.core, jobs[i], w.now, &row));
        ck_assert_uint_eq(row.live, live[i]);
        fields_clear(&job_row_fields, &row);
    }
    world_fini(&w);
}
END_TEST

START_TEST(a_tenant_at_its_quota_does_not_stop_the_others)
{
    begin();
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    uint64_t capped = submit_array("capped", 10, 0), other = submit_array("globex", 10, 0);
    ck_assert_uint_eq(world_decide(&w), 8);
    struct job_row a, b;
    ck_assert(core_job_row(w.core, capped, w.now, &a) && core_job_row(w.core, other, w.now, &b));
    ck_assert_uint_eq(a.live, 2);
    ck_assert_uint_eq(b.live, 6);
    fields_clear(&job_row_fields, &a);
    fields_clear(&job_row_fields, &b);
    world_fini(&w);
}
END_TEST

START_TEST(a_small_job_passes_a_large_one_that_does_not_fit)
{
    begin();
    world_hello(&w, "n1", "b", 4, 64 * GIB);
    uint64_t first = submit("acme", 3000);
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t large = submit("acme", 4000);
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 60000; /* nobody counts on the first one's end before that */
    uint64_t small = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(first, 0) && is_live(small, 0) && !is_live(large, 0));
    world_fini(&w);
}
END_TEST

START_TEST(tasks_are_packed_onto_the_fullest_node)
{
    begin();
    world_hello(&w, "big", "b", 16, 64 * GIB);
    world_hello(&w, "small", "b", 4, 64 * GIB);
    uint64_t a = submit("acme", 1000), b = submit("acme", 3000), c = submit("acme", 1000);
    ck_assert_uint_eq(world_decide(&w), 3);
    ck_assert_str_eq(where(a), "small");
    ck_assert_str_eq(where(b), "small");
    ck_assert_str_eq(where(c), "big");
    world_fini(&w);
}
END_TEST

START_TEST(scratch_takes_a_nodes_memory)
{
    begin();
    world_hello(&w, "n1", "b", 16, 4 * GIB);
    struct job_spec spec = world_spec(1000, GIB);
    spec.resources.scratch_bytes = 2 * GIB;
    (void)world_submit(&w, "acme", spec);
    spec = world_spec(1000, GIB);
    spec.resources.scratch_bytes = 2 * GIB;
    (void)world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(an_array_never_runs_more_than_its_cap)
{
    begin();
    world_hello(&w, "n1", "b", 16, 64 * GIB);
    uint64_t job = submit_array("acme", 10, 3);
    ck_assert_uint_eq(world_decide(&w), 3);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_end(&w, job, 1, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(job, 3));
    world_fini(&w);
}
END_TEST

START_TEST(a_retry_waits_and_avoids_the_node_that_failed_it)
{
    begin();
    world_hello(&w, "n1", "b", 2, 8 * GIB);
    world_hello(&w, "n2", "b", 4, 8 * GIB);
    static const char *const names[] = {"n1", "n2"};
    uint64_t job = submit("acme", 1000);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(where(job), "n1");
    ck_assert(world_end(&w, job, 0, END_LAUNCH_FAILED, 0, 0));
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert_uint_eq(w.next_boot_us, w.now.boot_us + (uint64_t)SECOND);
    world_pass(&w, SECOND);
    hear_all(names, 2);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_str_eq(where(job), "n2");
    world_fini(&w);
}
END_TEST

START_TEST(the_node_that_failed_it_is_better_than_none)
{
    begin();
    world_hello(&w, "n1", "b", 2, 8 * GIB);
    uint64_t job = submit("acme", 1000);
    (void)world_decide(&w);
    ck_assert(world_end(&w, job, 0, END_LAUNCH_FAILED, 0, 0));
    world_pass(&w, SECOND);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(a_drained_node_gets_nothing_new_and_keeps_what_it_has)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    uint64_t a = submit("acme", 1000);
    (void)world_decide(&w);
    struct fact f;
    struct drain_call call = {.node = (char[]){"n1"}, .drain = true, .reason = (char[]){"disk"}};
    ck_assert_int_eq(core_check_drain(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    (void)submit("acme", 1000);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(is_live(a, 0));
    call.drain = false;
    ck_assert_int_eq(core_check_drain(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(a_silent_node_gets_nothing_new_and_its_attempts_are_unreachable_until_it_is_heard_again)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    uint64_t job = submit("acme", 1000);
    (void)world_decide(&w);
    ck_assert(world_run(&w, job, 0));
    world_pass(&w, 11 * SECOND);
    (void)submit("acme", 1000);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct core_stats s;
    core_stats(w.core, &s);
    ck_assert_uint_eq(s.unreachable, 1);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    core_stats(w.core, &s);
    ck_assert_uint_eq(s.unreachable, 0);
    ck_assert_uint_eq(s.running, 1);
    world_fini(&w);
}
END_TEST

/* Silence until the attempt is ended, in ms; asked at each time that decide() names. */
static uint64_t silence_until_rerun(uint32_t lease)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    struct job_spec spec = world_spec(1000, GIB);
    spec.lease = lease;
    uint64_t job = world_submit(&w, "acme", spec), began = w.now.boot_us;
    (void)world_decide(&w);
    ck_assert(world_run(&w, job, 0));
    for (int i = 0; i < 2000 && is_live(job, 0); i++) {
        (void)world_decide(&w);
        uint64_t step = w.next_boot_us > w.now.boot_us ? w.next_boot_us - w.now.boot_us : 0;
        world_pass(&w, (int64_t)(is_live(job, 0) ? step : 0));
    }
    uint64_t silence = w.now.boot_us - began;
    ck_assert(!is_live(job, 0));
    world_fini(&w);
    return silence / 1000;
}

START_TEST(a_lost_attempt_is_started_again_only_after_lease_drift_and_kill_time)
{
    uint64_t fast = silence_until_rerun(LEASE_FAST), patient = silence_until_rerun(LEASE_PATIENT);
    ck_assert_uint_ge(fast, 10000 + 10 + 3000 + 3000); /* lease, drift, kill, and until an older scheduler knows */
    ck_assert_uint_le(fast, 10000 + 10 + 3000 + 3000 + 1);
    ck_assert_uint_ge(patient, 1800000 + 1800 + 3000 + 3000);
    ck_assert_uint_le(patient, 1800000 + 1800 + 3000 + 3000 + 1);
}
END_TEST

START_TEST(after_a_restart_silence_is_counted_anew)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    struct job_spec spec = world_spec(1000, GIB);
    spec.lease = LEASE_FAST;
    uint64_t job = world_submit(&w, "acme", spec);
    (void)world_decide(&w);
    ck_assert(world_run(&w, job, 0));
    struct core *restarted = world_restored(&w, NULL);
    core_free(w.core);
    w.core = restarted;
    world_pass(&w, HOUR); /* nobody was there to listen */
    (void)world_decide(&w);
    ck_assert(is_live(job, 0));
    world_pass(&w, 9 * SECOND);
    (void)world_decide(&w);
    struct core_stats s;
    core_stats(w.core, &s);
    ck_assert_uint_eq(s.unreachable, 0);
    world_pass(&w, 8 * SECOND);
    for (int i = 0; i < 3; i++)
        (void)world_decide(&w);
    ck_assert(!is_live(job, 0));
    world_fini(&w);
}
END_TEST

START_TEST(after_a_restart_a_node_gets_new_work_only_once_it_is_heard_of)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    struct core *restarted = world_restored(&w, NULL);
    core_free(w.core);
    w.core = restarted;
    (void)submit("acme", 1000);
    ck_assert_uint_eq(world_decide(&w), 0);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(a_node_that_joins_was_seen_at_its_hello_and_not_when_that_is_committed)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    (void)submit("acme", 1000);
    world_pass(&w, 11 * SECOND); /* the scheduler slept */
    ck_assert_uint_eq(world_decide(&w), 0);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(a_reboot_ends_at_once_what_ran_before)
{
    begin();
    world_hello(&w, "n1", "boot-1", 4, 8 * GIB);
    uint64_t job = submit("acme", 1000);
    (void)world_decide(&w);
    ck_assert(world_run(&w, job, 0));
    world_hello(&w, "n1", "boot-2", 4, 8 * GIB);
    (void)world_decide(&w);
    ck_assert(!is_live(job, 0));
    ck_assert(world_is(&w, job, "pending"));
    world_fini(&w);
}
END_TEST

static int numbered_hello(const char *boot, uint64_t number)
{
    struct hello_call call = {.node = (char *)(uintptr_t)"n1", .boot_id = (char *)(uintptr_t)boot, .number = number,
                              .capacity = {.cpu_milli = 4000, .mem_bytes = 8 * GIB}};
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    int answer = core_check_hello(w.core, &call, w.now, &f, &w.refusal);
    if (answer == CORE_FACT && f.kind != FACT_NONE)
        world_commit(&w, &f);
    return answer;
}

START_TEST(a_hello_that_comes_late_says_nothing_about_now)
{
    begin();
    ck_assert_int_eq(numbered_hello("boot-1", 7), CORE_FACT);
    ck_assert_int_eq(numbered_hello("boot-1", 6), CORE_REFUSED); /* also before any other that was late */
    ck_assert_int_eq(numbered_hello("boot-1", 9), CORE_FACT);
    core_node_seen(w.core, "n1", w.now);
    uint64_t job = submit("acme", 1000);
    (void)world_decide(&w);
    ck_assert(world_run(&w, job, 0));
    ck_assert_int_eq(numbered_hello("boot-1", 8), CORE_REFUSED);
    ck_assert_int_eq(numbered_hello("boot-0", 9), CORE_REFUSED); /* of an earlier boot */
    (void)world_decide(&w);
    ck_assert(is_live(job, 0));
    ck_assert_int_eq(numbered_hello("boot-1", 10), CORE_FACT); /* it is really not there any more */
    (void)world_decide(&w);
    ck_assert(!is_live(job, 0));
    world_fini(&w);
}
END_TEST

START_TEST(what_died_with_a_boot_is_ended_even_when_the_scheduler_restarts_in_between)
{
    begin();
    world_hello(&w, "n1", "boot-1", 4, 8 * GIB);
    uint64_t job = submit("acme", 1000);
    (void)world_decide(&w);
    world_hello(&w, "n1", "boot-2", 4, 8 * GIB);
    struct core *restarted = world_restored(&w, NULL);
    ck_assert_uint_eq(core_hash(restarted), core_hash(w.core));
    core_free(w.core);
    w.core = restarted;
    core_node_seen(w.core, "n1", w.now);
    (void)world_decide(&w);
    ck_assert(!is_live(job, 0));
    world_fini(&w);
}
END_TEST

START_TEST(a_running_attempt_that_its_node_does_not_list_is_ended_and_a_starting_one_is_sent_again)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    uint64_t running = submit("acme", 1000), starting = submit("acme", 1000);
    (void)world_decide(&w);
    ck_assert(world_run(&w, running, 0));
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    (void)world_decide(&w);
    ck_assert(!is_live(running, 0));
    ck_assert(is_live(starting, 0));
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_int_eq(core_duty(w.core, (struct attempt_id){starting, 0, 1}, false, &run, &paid_us, &cause),
                     DUTY_RUN);
    ck_assert_str_eq(run.tenant, "acme");
    ck_assert_uint_eq(run.paid_us, 900 * SECOND);
    fields_clear(&run_call_fields, &run);
    ck_assert_int_eq(core_duty(w.core, (struct attempt_id){running, 0, 1}, true, &run, &paid_us, &cause),
                     DUTY_FORGET);
    world_fini(&w);
}
END_TEST

START_TEST(a_plan_that_is_dropped_leaves_no_trace_but_a_pause)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    uint64_t job = submit_array("acme", 3, 0), hash = core_hash(w.core);
    struct fact facts[8];
    struct err err = {0};
    ck_assert_uint_eq(core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us), 4);
    ck_assert_uint_eq(core_hash(w.core), hash);
    ck_assert_uint_eq(world_decide(&w), 0); /* its last proposals are in flight */
    world_refuse(&w, &facts[2], "budget");
    ck_assert_uint_eq(facts[0].kind, FACT_BUDGET_OPENED); /* of the total, before the first hold */
    world_commit(&w, &facts[0]);
    world_commit(&w, &facts[1]);
    world_commit(&w, &facts[3]);
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err.text);
    ck_assert(!is_live(job, 1) && is_live(job, 2));
    world_pass(&w, 2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(job, 1));
    world_fini(&w);
}
END_TEST

START_TEST(twenty_failed_launches_hold_a_task_and_a_person_releases_it)
{
    begin();
    world_hello(&w, "n1", "b", 4, 8 * GIB);
    uint64_t job = submit("acme", 1000);
    for (int i = 0; i < 20; i++) {
        world_pass(&w, MINUTE);
        core_node_seen(w.core, "n1", w.now);
        ck_assert_uint_eq(world_decide(&w), 1);
        ck_assert(world_end(&w, job, 0, END_LAUNCH_FAILED, 0, 0));
    }
    ck_assert(world_is(&w, job, "held"));
    world_pass(&w, HOUR);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct fact f;
    ck_assert_int_eq(core_check_release(w.core, &(struct job_call){.job = job}, "root", w.now, &f, &w.refusal),
                     CORE_FACT);
    world_commit(&w, &f);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(a_thousand_shapes_of_one_tenant_do_not_keep_another_waiting)
{
    begin();
    world_hello(&w, "n1", "b", 64, 64 * GIB);
    uint64_t first = submit("acme", 63000);
    ck_assert_uint_eq(world_decide(&w), 1);
    for (uint64_t i = 0; i < 1000; i++)
        (void)submit("acme", 2000 + i);
    uint64_t other = submit("globex", 1000);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(first, 0) && is_live(other, 0));
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err.text);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core decide");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, higher_priority_goes_first_then_the_older_job);
    tcase_add_test(t, tenants_share_evenly_however_many_jobs_one_brings);
    tcase_add_test(t, three_times_the_weight_is_three_times_the_share);
    tcase_add_test(t, the_tree_shares_level_by_level);
    tcase_add_test(t, a_tenant_at_its_quota_does_not_stop_the_others);
    tcase_add_test(t, a_small_job_passes_a_large_one_that_does_not_fit);
    tcase_add_test(t, tasks_are_packed_onto_the_fullest_node);
    tcase_add_test(t, scratch_takes_a_nodes_memory);
    tcase_add_test(t, an_array_never_runs_more_than_its_cap);
    tcase_add_test(t, a_retry_waits_and_avoids_the_node_that_failed_it);
    tcase_add_test(t, the_node_that_failed_it_is_better_than_none);
    tcase_add_test(t, a_drained_node_gets_nothing_new_and_keeps_what_it_has);
    tcase_add_test(t, a_silent_node_gets_nothing_new_and_its_attempts_are_unreachable_until_it_is_heard_again);
    tcase_add_test(t, a_lost_attempt_is_started_again_only_after_lease_drift_and_kill_time);
    tcase_add_test(t, after_a_restart_silence_is_counted_anew);
    tcase_add_test(t, after_a_restart_a_node_gets_new_work_only_once_it_is_heard_of);
    tcase_add_test(t, a_node_that_joins_was_seen_at_its_hello_and_not_when_that_is_committed);
    tcase_add_test(t, a_reboot_ends_at_once_what_ran_before);
    tcase_add_test(t, a_hello_that_comes_late_says_nothing_about_now);
    tcase_add_test(t, what_died_with_a_boot_is_ended_even_when_the_scheduler_restarts_in_between);
    tcase_add_test(t, a_running_attempt_that_its_node_does_not_list_is_ended_and_a_starting_one_is_sent_again);
    tcase_add_test(t, a_plan_that_is_dropped_leaves_no_trace_but_a_pause);
    tcase_add_test(t, twenty_failed_launches_hold_a_task_and_a_person_releases_it);
    tcase_add_test(t, a_thousand_shapes_of_one_tenant_do_not_keep_another_waiting);
    suite_add_tcase(s, t);
    return run_suite(s);
}
