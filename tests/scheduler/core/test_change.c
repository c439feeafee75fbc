/* What people change about jobs that are there. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static void begin(uint64_t cores)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, 36 * EUR / 10, 0);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", cores, 256 * GIB);
}

static void end(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

static uint64_t submit(uint32_t tasks, int32_t priority, bool hold)
{
    struct job_spec spec = world_spec(1000, GIB);
    spec.priority = priority;
    spec.hold = hold;
    if (tasks > 1)
        spec.array = (struct job_array){true, 0, tasks - 1, 0};
    return world_submit(&w, "acme", spec);
}

typedef int (*question)(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                        struct fact *ret, struct refusal *refusal);

static int ask(question q, uint64_t job, int64_t task)
{
    struct job_call call = {.job = job, .has_task = task >= 0, .task = (uint32_t)MAX(task, 0)};
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    int rc = q(w.core, &call, "root", w.now, &f, &w.refusal);
    if (rc == CORE_FACT && f.kind != FACT_NONE)
        world_commit(&w, &f);
    return rc;
}

static size_t requeue(uint64_t job, int64_t task)
{
    struct job_call call = {.job = job, .has_task = task >= 0, .task = (uint32_t)MAX(task, 0)};
    struct cancel_reply reply;
    struct fact facts[8];
    size_t count;
    fields_clear(&refusal_fields, &w.refusal);
    if (core_check_requeue(w.core, &call, "root", w.now, facts, COUNT_OF(facts), &count, &reply, &w.refusal) !=
        CORE_FACT)
        return 0;
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &facts[i]);
    return count;
}

static int prioritise(uint64_t job, int32_t priority)
{
    struct priority_call call = {job, priority};
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_priority(w.core, &call, "root", w.now, &f, &w.refusal);
    if (rc == CORE_FACT && f.kind != FACT_NONE)
        world_commit(&w, &f);
    return rc;
}

START_TEST(a_job_is_held_from_the_start_until_it_is_released)
{
    begin(4);
    uint64_t job = submit(1000000, 0, true);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_is(&w, job, "held"));
    struct why_reply why;
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &why));
    ck_assert_str_eq(((const struct blocker *)why.blockers.v)[0].kind, "held");
    ck_assert_str_eq(((const struct blocker *)why.blockers.v)[0].text, "held: reeve release 1");
    fields_clear(&why_reply_fields, &why);
    world_verify(&w, NULL);
    ck_assert_int_eq(ask(core_check_release, job, -1), CORE_FACT);
    ck_assert_int_eq(ask(core_check_release, job, -1), CORE_REFUSED);
    ck_assert_uint_eq(world_decide(&w), 4);
    end();
}
END_TEST

START_TEST(what_runs_goes_on_when_its_job_is_held)
{
    begin(2);
    uint64_t job = submit(5, 0, false);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert(world_run(&w, job, 0));
    ck_assert_int_eq(ask(core_check_hold, job, -1), CORE_FACT);
    ck_assert_int_eq(ask(core_check_hold, job, -1), CORE_FACT); /* it is */
    ck_assert(world_is(&w, job, "running"));
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_run(&w, job, 1));
    ck_assert(world_end(&w, job, 1, END_KEEPER_LOST, 0, SECOND)); /* it would be tried again */
    world_pass(&w, 5 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 0);
    world_verify(&w, NULL);
    ck_assert_int_eq(ask(core_check_release, job, -1), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 2);
    end();
}
END_TEST

START_TEST(a_single_task_is_held_and_runs_once)
{
    begin(8);
    uint64_t job = submit(5, 0, false);
    ck_assert_int_eq(ask(core_check_hold, job, 3), CORE_FACT);
    ck_assert_int_eq(ask(core_check_hold, job, 3), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_int_eq(ask(core_check_hold, job, 1), CORE_REFUSED); /* it has been placed */
    world_verify(&w, NULL);
    ck_assert_int_eq(ask(core_check_release, job, 3), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 1);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert(world_run(&w, job, i));
        ck_assert(world_end(&w, job, i, END_EXIT, 0, SECOND));
    }
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_is(&w, job, "succeeded"));
    ck_assert_int_eq(ask(core_check_hold, job, -1), CORE_REFUSED);
    end();
}
END_TEST

START_TEST(another_priority_changes_the_order)
{
    begin(1);
    uint64_t first = submit(1, 0, false), second = submit(1, 0, false), third = submit(1, 5, false);
    ck_assert_int_eq(prioritise(second, 10), CORE_FACT);
    ck_assert_int_eq(prioritise(third, -10), CORE_FACT);
    ck_assert_int_eq(prioritise(99, 1), CORE_REFUSED);
    world_verify(&w, NULL);
    const uint64_t order[] = {second, first, third};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        ck_assert_uint_eq(world_decide(&w), 1);
        ck_assert(world_run(&w, order[i], 0));
        ck_assert(world_end(&w, order[i], 0, END_EXIT, 0, SECOND));
    }
    ck_assert_int_eq(prioritise(first, 1), CORE_REFUSED); /* over */
    end();
}
END_TEST

START_TEST(what_runs_is_run_again_and_paid_for_twice)
{
    begin(4);
    uint64_t job = submit(2, 0, false);
    ck_assert_uint_eq(requeue(job, -1), 0);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert(world_run(&w, job, 0));
    ck_assert(world_run(&w, job, 1));
    ck_assert_uint_eq(requeue(job, 1), 1);
    ck_assert_uint_eq(requeue(job, 1), 0); /* it is on its way */
    ck_assert_uint_eq(requeue(job, -1), 1);
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_int_eq(core_duty(w.core, (struct attempt_id){job, 1, 1}, true, &run, &paid_us, &cause), DUTY_STOP);
    ck_assert_uint_eq(cause, END_REQUEUED);
    world_verify(&w, NULL);
    world_pass(&w, HOUR);
    core_node_seen(w.core, "n1", w.now);
    ck_assert(world_end(&w, job, 1, END_REQUEUED, 0, 600 * SECOND));
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 600 * SECOND)); /* it had done its work */
    world_pass(&w, 5 * SECOND);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 1));
    ck_assert(world_end(&w, job, 1, END_EXIT, 0, 600 * SECOND));
    ck_assert(world_is(&w, job, "succeeded"));
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, 18 * EUR / 10);
    end();
}
END_TEST

START_TEST(who_cancels_after_a_requeue_has_the_last_word)
{
    begin(4);
    uint64_t job = submit(1, 0, false);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    ck_assert_uint_eq(requeue(job, -1), 1);
    struct cancel_reply reply;
    struct fact f;
    size_t count;
    ck_assert_int_eq(core_check_cancel(w.core, &(struct job_call){.job = job}, "root", w.now, &f, 1, &count, &reply,
                                       &w.refusal),
                     CORE_FACT);
    ck_assert_uint_eq(count, 1);
    world_commit(&w, &f);
    ck_assert_uint_eq(requeue(job, -1), 0);
    ck_assert(world_end(&w, job, 0, END_REQUEUED, 0, SECOND));
    ck_assert(world_is(&w, job, "cancelled"));
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core change");
    TCase *t = tcase_create("change");
    tcase_add_test(t, a_job_is_held_from_the_start_until_it_is_released);
    tcase_add_test(t, what_runs_goes_on_when_its_job_is_held);
    tcase_add_test(t, a_single_task_is_held_and_runs_once);
    tcase_add_test(t, another_priority_changes_the_order);
    tcase_add_test(t, what_runs_is_run_again_and_paid_for_twice);
    tcase_add_test(t, who_cancels_after_a_requeue_has_the_last_word);
    suite_add_tcase(s, t);
    return run_suite(s);
}
