/* Gangs that may begin with fewer: gang_min. */
#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/lent.h"

static struct job_spec from_to(uint32_t least, uint32_t most, uint64_t cpu_milli)
{
    struct job_spec spec = gangs(most, most, cpu_milli);
    spec.gang_min = least;
    return spec;
}

static uint64_t submit_from(uint32_t least, uint32_t most)
{
    return world_submit(&w, "acme", from_to(least, most, 1000));
}

static struct job_row row_of(uint64_t job)
{
    struct job_row row = {0};
    ck_assert(core_job_row(w.core, job, w.now, &row));
    struct job_row counts = {.done = row.done, .failed = row.failed, .left_out = row.left_out, .queued = row.queued};
    fields_clear(&job_row_fields, &row);
    return counts;
}

static const char *task_in_view(uint64_t job, uint32_t task)
{
    static char state[32];
    struct job_view view = {0};
    ck_assert(core_job_view(w.core, &(struct job_call){.job = job, .has_task = true, .task = task}, w.now, &view));
    snprintf(state, sizeof state, "%s", view.task != NULL ? view.task : "nothing");
    fields_clear(&job_view_fields, &view);
    return state;
}

static uint32_t told(uint64_t job, uint32_t task)
{
    struct attempt_id id = {job, task, 0};
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_ptr_nonnull(world_node_of(&w, &id));
    ck_assert_int_eq(core_duty(w.core, id, false, &run, &paid_us, &cause), DUTY_RUN);
    uint32_t gang = run.gang;
    fields_clear(&run_call_fields, &run);
    return gang;
}

static void end_all(uint64_t job, uint32_t tasks)
{
    run_all(job, tasks);
    for (uint32_t i = 0; i < tasks; i++)
        if (is_live(job, i))
            ck_assert(world_end(&w, job, i, END_EXIT, 0, SECOND));
}

/* ---- with how many ----------------------------------------------------------------------------------- */

START_TEST(it_begins_at_once_with_as_many_as_have_room)
{
    begin(3, 2, 0, 0);
    uint64_t job = submit_from(4, 8);
    ck_assert_uint_eq(world_decide(&w), 6);
    ck_assert_uint_eq(live(job, 6), 6); /* the first */
    ck_assert_uint_eq(row_of(job).left_out, 2);
    ck_assert_uint_eq(row_of(job).queued, 0);
    ck_assert_uint_eq(told(job, 5), 6);
    struct why_reply r = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = job, .has_task = true, .task = 7}, w.now, &r));
    ck_assert_str_eq(r.state, "left_out");
    ck_assert_uint_eq(r.blockers.count, 0);
    fields_clear(&why_reply_fields, &r);
    ck_assert_str_eq(task_in_view(job, 7), "left_out");
    ck_assert_str_eq(task_in_view(job, 5), "starting");
    world_verify(&w, NULL);
    world_hello(&w, "n4", "b", 4, 256 * GIB);
    ck_assert_uint_eq(world_decide(&w), 0); /* who is left out isn't taken in again */
    end_all(job, 8);
    ck_assert_str_eq(task_in_view(job, 5), "succeeded");
    ck_assert(world_is(&w, job, "succeeded"));
    ck_assert_uint_eq(row_of(job).done, 8);
    ck_assert_uint_eq(row_of(job).failed, 0);
    ck_assert_uint_eq(row_of(job).left_out, 2);
    end();
}
END_TEST

START_TEST(with_room_for_all_nobody_is_left_out)
{
    begin(2, 4, 0, 0);
    uint64_t job = submit_from(1, 8);
    ck_assert_uint_eq(world_decide(&w), 8);
    ck_assert_uint_eq(told(job, 7), 8);
    end();
}
END_TEST

START_TEST(it_waits_for_the_least_and_says_so)
{
    begin(2, 3, 0, 0);
    uint64_t filler = world_submit(&w, "acme", world_spec(3000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t job = submit_from(4, 8);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct why_reply r = why(job);
    ck_assert_uint_eq(r.blockers.count, 1);
    ck_assert_str_eq(blocker(&r, 0)->text,
                     "placement: 3 of the 4 to 8 tasks that start together find room now, short 1");
    ck_assert_int_eq(blocker(&r, 0)->need, 4);
    ck_assert_int_eq(blocker(&r, 0)->free, 3);
    ck_assert_str_eq(r.change, "room for 1 more of its tasks, each with 1 cpu and 1088Mi memory, scratch included");
    fields_clear(&why_reply_fields, &r);
    ck_assert(world_run(&w, filler, 0));
    ck_assert(world_end(&w, filler, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 6);
    ck_assert_uint_eq(row_of(job).left_out, 2);
    end();
}
END_TEST

START_TEST(a_quota_leaves_out_whom_it_does_not_let_start)
{
    begin(4, 4, 6, 0);
    uint64_t one = world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t job = submit_from(2, 8);
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_uint_eq(live(job, 5), 5);
    uint64_t other = submit_from(2, 4);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct why_reply r = why(other);
    ck_assert_str_eq(blocker(&r, 0)->kind, "quota");
    ck_assert_int_eq(blocker(&r, 0)->need, 2000); /* the least */
    fields_clear(&why_reply_fields, &r);
    ck_assert(world_run(&w, one, 0));
    end();
}
END_TEST

START_TEST(money_is_held_for_those_who_begin_and_no_more)
{
    begin(1, 16, 0, 5 * EUR); /* 900 s of a core are 0.90 */
    (void)submit_from(3, 8);
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_int_eq(world_account(&w, "acme@2026-11").held_micros, 450 * EUR / 100);
    uint64_t other = submit_from(2, 4);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct why_reply r = why(other);
    ck_assert_str_eq(blocker(&r, 0)->kind, "budget");
    ck_assert_int_eq(blocker(&r, 0)->short_by, 130 * EUR / 100);
    fields_clear(&why_reply_fields, &r);
    end();
}
END_TEST

START_TEST(a_cap_is_used_up)
{
    begin(2, 8, 0, 0);
    struct job_spec spec = gangs(8, 4, 1000);
    spec.gang_min = 2;
    spec.array.max_running = 6;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 6);
    ck_assert(is_live(job, 3) && is_live(job, 5) && !is_live(job, 6));
    ck_assert_uint_eq(told(job, 0), 4);
    ck_assert_uint_eq(told(job, 4), 2);
    end();
}
END_TEST

START_TEST(a_rate_leaves_out_too)
{
    struct policy_file p = {0};
    begin(2, 8, 0, 0);
    world_rule(&p, "acme")->quota.starts_per_minute = 3;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    uint64_t job = submit_from(2, 5);
    ck_assert_uint_eq(world_decide(&w), 3);
    ck_assert_uint_eq(row_of(job).left_out, 2);
    end();
}
END_TEST

static void hello_in(const char *name, uint64_t cores, const char *rack)
{
    struct hello_call call = {.node = (char *)(uintptr_t)name, .boot_id = (char[]){"b"}};
    struct fact f;
    call.capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = 256 * GIB};
    ck_assert_int_eq(pairs_set(&call.labels, "rack", rack), 0);
    ck_assert_int_eq(core_check_hello(w.core, &call, w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    core_node_seen(w.core, name, w.now);
    call.node = call.boot_id = NULL;
    fields_clear(&hello_call_fields, &call);
}

START_TEST(within_a_group_it_takes_all_of_it_or_the_most)
{
    static const struct {
        uint32_t most, starts;
        bool or_any;
        const char *rack;
    } rows[] = {{3, 3, false, "b"}, {7, 5, false, "a"}, {7, 7, true, NULL}};
    begin(0, 0, 0, 0);
    hello_in("a1", 2, "r1");
    hello_in("a2", 3, "r1");
    hello_in("b1", 3, "r2");
    struct job_spec spec = from_to(2, rows[_i].most, 1000);
    spec.within_or_any = rows[_i].or_any;
    ck_assert_int_eq(str_set(&spec.within, "rack"), 0);
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), rows[_i].starts);
    for (uint32_t i = 0; rows[_i].rack != NULL && i < rows[_i].starts; i++) {
        struct attempt_id id = {job, i, 0};
        ck_assert_int_eq(world_node_of(&w, &id)[0], rows[_i].rack[0]);
    }
    end();
}
END_TEST

/* Its room is kept for the least: who ends before that may pass, who doesn't may not. */
START_TEST(room_is_kept_for_the_least)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = world_spec(3000, GIB);
    spec.time_limit_ms = 100000;
    uint64_t filler = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, filler, 0));
    uint64_t job = submit_from(2, 4);
    (void)world_decide(&w);
    spec = world_spec(1000, GIB);
    spec.time_limit_ms = 300000;
    uint64_t third = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1); /* three are left for the gang then: more than it waits for */
    ck_assert(is_live(third, 0));
    ck_assert(world_end(&w, filler, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 3);
    ck_assert_uint_eq(row_of(job).left_out, 1);
    end();
}
END_TEST

START_TEST(others_are_stopped_for_the_least)
{
    uint64_t low[4 * NODES];
    all_is_lent(8, (struct preempt_rule){0}, low);
    turns(2 * MINUTE);
    struct job_spec spec = from_to(1, 2, 4000);
    uint64_t own = world_submit(&w, "own", spec);
    turns(0);
    ck_assert_int_eq(__builtin_popcount(emptied(low)), 1);
    ck_assert_uint_eq(world_stops(&w), 4);
    end_stopped(low, COUNT_OF(low));
    turns(0);
    ck_assert_uint_eq(live(own, 2), 1);
    ck_assert_uint_eq(row_of(own).left_out, 1);
    end();
}
END_TEST

/* ---- afterwards -------------------------------------------------------------------------------------- */

START_TEST(it_starts_again_with_those_it_began_with)
{
    begin(1, 5, 0, 0);
    struct job_spec spec = from_to(3, 8, 1000);
    spec.retries = 1;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 5);
    run_all(job, 8);
    world_hello(&w, "n2", "b", 8, 256 * GIB);
    ck_assert(world_end(&w, job, 2, END_EXIT, 1, SECOND));
    obey(job, 8, SECOND);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_uint_eq(row_of(job).left_out, 3);
    run_all(job, 8);
    ck_assert(world_end(&w, job, 4, END_EXIT, 1, SECOND)); /* no retry is left */
    obey(job, 8, SECOND);
    ck_assert(world_is(&w, job, "failed"));
    ck_assert_uint_eq(row_of(job).failed, 5);
    end();
}
END_TEST

/* Two of three nodes are left of it: it doesn't wait for the third. */
START_TEST(after_a_lost_node_it_goes_on_with_fewer)
{
    begin(3, 2, 0, 0);
    uint64_t job = submit_from(3, 6);
    ck_assert_uint_eq(world_decide(&w), 6);
    run_all(job, 6);
    ck_assert(world_end(&w, job, 1, END_EXIT, 0, SECOND)); /* who has succeeded is done */
    struct attempt_id id = {job, 5, 0};
    char lost[16];
    snprintf(lost, sizeof lost, "%s", world_node_of(&w, &id));
    uint32_t there = 0;
    for (id.task = 0; id.task < 6; id.task++, id.epoch = 0)
        there += is_live(job, id.task) && strcmp(world_node_of(&w, &id), lost) == 0;
    ck_assert_uint_eq(there, 2);
    pass(100 * SECOND);
    world_hello(&w, lost, "b2", 1, 256 * GIB); /* half of it has come back */
    (void)world_decide(&w);
    (void)world_decide(&w);
    obey(job, 6, 100 * SECOND);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_uint_eq(row_of(job).left_out, 0);
    run_all(job, 6);
    pass(100 * SECOND);
    world_hello(&w, lost, "b3", 1, 256 * GIB);
    (void)world_decide(&w);
    (void)world_decide(&w);
    struct job_spec spec = world_spec(1000, GIB);
    ck_assert_int_eq(str_set(&spec.where, "node == n1"), 0);
    for (uint32_t i = 0; i < 6; i++) /* one place is somebody else's meanwhile */
        if (stop_cause(job, i) != END_NONE)
            ck_assert(world_end(&w, job, i, stop_cause(job, i), 0, 100 * SECOND));
    spec.priority = 5;
    (void)world_submit(&w, "acme", spec);
    (void)world_decide(&w);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(row_of(job).left_out, 1);
    ck_assert_uint_eq(told(job, 0), 5); /* one of whom is done */
    end();
}
END_TEST

/* As few as are left start together, be they fewer than gang_min. */
START_TEST(the_last_of_it_start_all)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = from_to(3, 4, 1000);
    spec.retries = 1;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert(world_end(&w, job, 1, END_EXIT, 0, SECOND));
    ck_assert(world_end(&w, job, 2, END_EXIT, 1, SECOND));
    obey(job, 4, SECOND);
    (void)world_submit(&w, "acme", world_spec(3000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 0); /* room for one: not for both */
    world_hello(&w, "n2", "b", 1, 256 * GIB);
    ck_assert_uint_eq(world_decide(&w), 2);
    end();
}
END_TEST

/* ---- who waits for it -------------------------------------------------------------------------------- */

static uint64_t submit_after(uint32_t tasks, uint64_t job, uint32_t on, bool same)
{
    struct job_spec spec = world_spec(1000, GIB);
    if (tasks > 1)
        spec.array = (struct job_array){.present = true, .last = tasks - 1};
    struct job_after *a = list_add(&spec.after, sizeof *a);
    *a = (struct job_after){.job = job, .on = on, .tasks = same ? AFTER_SAME : AFTER_ALL};
    return world_submit(&w, "acme", spec);
}

/* The others come before it begins, while it runs, or when it is over. */
START_TEST(who_was_left_out_has_ended_and_neither_succeeded_nor_failed)
{
    begin(1, 2, 0, 0);
    uint64_t job = submit_from(1, 3), all = 0, ok = 0, any = 0, bad = 0;
    for (int step = 0; step < 3; step++) {
        if (step == _i) {
            all = submit_after(1, job, AFTER_SUCCESS, false);
            ok = submit_after(3, job, AFTER_SUCCESS, true);
            any = submit_after(3, job, AFTER_END, true);
            bad = step < 2 ? submit_after(3, job, AFTER_FAILURE, true) : 0; /* then it is refused: it never can */
        }
        if (step == 0)
            ck_assert_uint_eq(world_decide(&w), 2);
        if (step == 1)
            end_all(job, 3);
        world_verify(&w, NULL);
    }
    ck_assert(world_is(&w, job, "succeeded"));
    world_hello(&w, "n1", "b", 8, 256 * GIB);
    (void)world_decide(&w);
    (void)world_decide(&w);
    ck_assert(is_live(all, 0));
    ck_assert(is_live(ok, 0) && is_live(ok, 1) && !is_live(ok, 2));
    ck_assert(is_live(any, 0) && is_live(any, 1) && is_live(any, 2));
    ck_assert_uint_eq(row_of(ok).failed, 1);
    ck_assert(bad == 0 || world_is(&w, bad, "cancelled"));
    end();
}
END_TEST

/* What waits for a task that is being left out at that moment isn't taken before that is committed. */
/* It is over: nothing is left of it, and the others are none of its. */
START_TEST(who_cancels_one_that_is_over_cancels_nobody)
{
    begin(1, 3, 0, 0);
    uint64_t job = submit_from(1, 4);
    ck_assert_uint_eq(world_decide(&w), 3);
    run_all(job, 3);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    for (uint32_t task = 0; task < 4; task++) {
        struct job_call call = {.job = job, .has_task = true, .task = task};
        struct cancel_reply reply;
        struct fact f[4];
        size_t count;
        ck_assert_int_eq(
            core_check_cancel(w.core, &call, "root", w.now, f, COUNT_OF(f), &count, &reply, &w.refusal), CORE_FACT);
        for (size_t i = 0; i < count; i++)
            world_commit(&w, &f[i]);
        ck_assert_uint_eq(count, task == 1 ? 1 : 0); /* 0 has succeeded, 3 is left out, 2 goes along with 1 */
    }
    end();
}
END_TEST

START_TEST(nobody_comes_to_wait_for_what_is_being_left_out)
{
    begin(1, 2, 0, 0);
    uint64_t job = submit_from(1, 3), other;
    struct fact facts[8];
    uint64_t next;
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &next);
    for (size_t i = 0; i + 1 < count; i++)
        world_commit(&w, &facts[i]);
    ck_assert_uint_eq(facts[count - 1].kind, FACT_GANG_PLACED);
    ck_assert_uint_eq(facts[count - 1].gang_placed.left_out, 1);
    struct job_spec spec = world_spec(1000, GIB);
    struct job_after *a = list_add(&spec.after, sizeof *a);
    *a = (struct job_after){.job = job, .task = measure_of(2)};
    struct job_spec again;
    ck_assert_int_eq(fields_copy(&job_spec_fields, &spec, &again), 0);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &other), CORE_LATER);
    world_commit(&w, &facts[count - 1]);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &again, &other), CORE_REFUSED);
    end();
}
END_TEST

/* ---- refused, contradicted --------------------------------------------------------------------------- */

START_TEST(what_can_never_begin_is_refused)
{
    begin(2, 4, 6, 0);
    uint64_t job;
    struct job_spec spec = from_to(3, 8, 3000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "3 to 8 tasks start together, all nodes have room for 2 of them");
    ck_assert_str_eq(w.refusal.hint, "gang_min <= 2");
    spec = from_to(7, 8, 1000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED); /* acme may use six */
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.message, "needs 7 cpu, acme may use at most 6 at once");
    ck_assert_str_eq(w.refusal.hint, "gang_min <= 6");
    spec = from_to(9, 8, 100);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "gang_min: at most as many as start together, and gang is 8");
    spec = gangs(8, 0, 100);
    spec.gang_min = 2;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message,
                     "gang_min: it is of tasks that start together; say how many do at most with gang");
    spec = from_to(2, 8, 1000);
    spec.array.max_running = 1;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    spec = from_to(6, 8, 1000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 6);
    end();
}
END_TEST

START_TEST(who_is_left_out_is_counted_and_behind_the_others)
{
    begin(1, 4, 0, 0);
    uint64_t job = submit_from(2, 6);
    struct fact facts[8];
    uint64_t next;
    struct err err = {0};
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &next);
    for (size_t i = 0; i + 1 < count; i++)
        world_commit(&w, &facts[i]);
    struct fact *f = &facts[count - 1];
    struct fact_gang *g = &f->gang_placed;
    struct gang_member *v = g->members.v;
    ck_assert_uint_eq(g->left_out, 2);
    ck_assert_int_eq(core_apply_check(w.core, f, &err), 0);
    for (uint32_t left = 0; left < 5; left++) {
        g->left_out = left;
        ck_assert_int_eq(core_apply_check(w.core, f, &err) == 0, left == 2);
    }
    g->members.count = 1; /* fewer than it may begin with */
    g->left_out = 5;
    ck_assert_int_lt(core_apply_check(w.core, f, &err), 0);
    g->members.count = 4;
    g->left_out = 2;
    v[3].task = 4; /* in the midst of them */
    ck_assert_int_lt(core_apply_check(w.core, f, &err), 0);
    v[3].task = 3;
    world_commit(&w, f);
    ck_assert_uint_eq(live(job, 6), 4);
    end();
}
END_TEST

/* ---- at random --------------------------------------------------------------------------------------- */

/* On nodes, with a quota and a cap as chance has them: as many as all of these have room for, or nobody. */
START_TEST(it_begins_with_exactly_as_many_as_can)
{
    uint64_t seed = random_seed("gang_min");
    for (int round = 0; round < 300; round++) {
        uint64_t quota = 2 + random_below(&seed, 12), room = 0;
        size_t nodes = 1 + random_below(&seed, 4);
        begin(0, 0, quota, 0);
        for (size_t i = 0; i < nodes; i++) {
            char name[16];
            uint64_t cores = 1 + random_below(&seed, 6);
            snprintf(name, sizeof name, "n%zu", i + 1);
            world_hello(&w, name, "b", cores, 256 * GIB);
            room += cores / 2;
        }
        uint32_t most = 1 + (uint32_t)random_below(&seed, 8), least = 1 + (uint32_t)random_below(&seed, most);
        uint32_t cap = random_below(&seed, 2) == 0 ? 0 : least + (uint32_t)random_below(&seed, 4);
        uint64_t job, want = MIN(MIN(quota / 2, most), room);
        struct job_spec spec = from_to(least, most, 2000);
        spec.array.max_running = cap;
        want = cap != 0 ? MIN(want, cap) : want;
        if (world_try_submit(&w, "acme", NULL, &spec, &job) == CORE_FACT) {
            ck_assert_uint_ge(want, least);
            ck_assert_uint_eq(world_decide(&w), want);
            ck_assert_uint_eq(row_of(job).left_out, most - want);
        }
        end();
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/gang_min");
    TCase *t = tcase_create("gang_min");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, it_begins_at_once_with_as_many_as_have_room);
    tcase_add_test(t, with_room_for_all_nobody_is_left_out);
    tcase_add_test(t, it_waits_for_the_least_and_says_so);
    tcase_add_test(t, a_quota_leaves_out_whom_it_does_not_let_start);
    tcase_add_test(t, money_is_held_for_those_who_begin_and_no_more);
    tcase_add_test(t, a_cap_is_used_up);
    tcase_add_test(t, a_rate_leaves_out_too);
    tcase_add_loop_test(t, within_a_group_it_takes_all_of_it_or_the_most, 0, 3);
    tcase_add_test(t, room_is_kept_for_the_least);
    tcase_add_test(t, others_are_stopped_for_the_least);
    tcase_add_test(t, it_starts_again_with_those_it_began_with);
    tcase_add_test(t, after_a_lost_node_it_goes_on_with_fewer);
    tcase_add_test(t, the_last_of_it_start_all);
    tcase_add_loop_test(t, who_was_left_out_has_ended_and_neither_succeeded_nor_failed, 0, 3);
    tcase_add_test(t, who_cancels_one_that_is_over_cancels_nobody);
    tcase_add_test(t, nobody_comes_to_wait_for_what_is_being_left_out);
    tcase_add_test(t, what_can_never_begin_is_refused);
    tcase_add_test(t, who_is_left_out_is_counted_and_behind_the_others);
    tcase_add_test(t, it_begins_with_exactly_as_many_as_can);
    suite_add_tcase(s, t);
    return run_suite(s);
}
