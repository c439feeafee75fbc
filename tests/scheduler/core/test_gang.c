/* Tasks that start together or not at all. */
#include <check.h>

#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/gangs.h"

/* ---- starting ---------------------------------------------------------------------------------------- */

START_TEST(all_start_in_one_fact_or_none_does)
{
    begin(3, 3, 0, 0);
    uint64_t filler = world_submit(&w, "acme", world_spec(3000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t job = submit(8, 8);
    ck_assert_uint_eq(world_decide(&w), 0); /* room for six */
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_run(&w, filler, 0));
    ck_assert(world_end(&w, filler, 0, END_EXIT, 0, SECOND));
    size_t facts = w.journal.count;
    ck_assert_uint_eq(world_decide(&w), 8);
    ck_assert_uint_eq(w.journal.count, facts + 1);
    ck_assert_uint_eq(live(job, 8), 8);
    end();
}
END_TEST

START_TEST(a_gang_that_waits_takes_nothing_from_others)
{
    begin(2, 3, 0, 0);
    (void)world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    (void)submit(6, 6);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct job_spec spec = world_spec(2000, GIB);
    spec.time_limit_ms = 60000; /* over long before what runs lets the gang start */
    uint64_t other = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(other, 0));
    end();
}
END_TEST

START_TEST(an_array_of_gangs_starts_gang_by_gang)
{
    begin(2, 4, 0, 0);
    uint64_t job = submit(9, 3);
    ck_assert_uint_eq(world_decide(&w), 6); /* two nodes of four: room for eight, so for two gangs */
    ck_assert(is_live(job, 5) && !is_live(job, 6));
    run_all(job, 9);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert(world_end(&w, job, i, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 3);
    ck_assert(is_live(job, 6) && is_live(job, 8));
    end();
}
END_TEST

START_TEST(a_cap_counts_all_of_a_gang)
{
    begin(2, 8, 0, 0);
    struct job_spec spec = gangs(8, 2, 1000);
    spec.array.max_running = 5;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(world_decide(&w), 0);
    run_all(job, 8);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 2);
    end();
}
END_TEST

START_TEST(quota_and_money_are_asked_for_all_of_it)
{
    begin(4, 8, 6, 0);
    uint64_t one = world_submit(&w, "acme", world_spec(3000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t job = submit(4, 4);
    ck_assert_uint_eq(world_decide(&w), 0); /* three of six cores are free */
    struct why_reply r = why(job);
    ck_assert_str_eq(blocker(&r, 0)->kind, "quota");
    ck_assert_int_eq(blocker(&r, 0)->need, 4000);
    ck_assert_int_eq(blocker(&r, 0)->short_by, 1000);
    fields_clear(&why_reply_fields, &r);
    ck_assert(world_run(&w, one, 0));
    ck_assert(world_end(&w, one, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 4);
    end();
}
END_TEST

START_TEST(what_a_gang_holds_is_held_for_each_or_for_nobody)
{
    begin(1, 8, 0, 5 * EUR); /* 900 s of a core are 0.90 */
    uint64_t job = submit(5, 5);
    ck_assert_uint_eq(world_decide(&w), 5);
    ck_assert_int_eq(world_account(&w, "acme@2026-11").held_micros, 450 * EUR / 100);
    uint64_t other = submit(2, 2);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct why_reply r = why(other);
    ck_assert_str_eq(blocker(&r, 0)->kind, "budget");
    ck_assert_int_eq(blocker(&r, 0)->short_by, 130 * EUR / 100);
    fields_clear(&why_reply_fields, &r);
    run_all(job, 5);
    end();
}
END_TEST

START_TEST(a_jobs_own_budget_buys_the_same_time_for_each)
{
    begin(1, 8, 0, 0);
    struct job_spec spec = gangs(4, 4, 1000);
    spec.budget_micros = EUR; /* 250 s of four cores */
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    char own[32];
    snprintf(own, sizeof own, "job:%" PRIu64, job);
    ck_assert_int_eq(world_account(&w, own).held_micros, EUR);
    end();
}
END_TEST

START_TEST(what_can_never_start_together_is_refused)
{
    begin(2, 4, 6, 0);
    uint64_t job;
    struct job_spec spec = gangs(6, 6, 3000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.where, "gang");
    ck_assert_str_eq(w.refusal.message, "6 tasks start together, all nodes have room for 2 of them");
    ck_assert_str_eq(w.refusal.hint, "gang <= 2");
    spec = gangs(8, 8, 1000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED); /* acme may use six */
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.hint, "gang <= 6");
    spec = gangs(9, 2, 1000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "gang: 9 tasks don't make whole gangs of 2");
    spec = world_spec(1000, GIB);
    spec.gang = 2;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    end();
}
END_TEST

START_TEST(more_than_start_in_a_minute_can_never_start_together)
{
    struct policy_file p = {0};
    uint64_t job;
    begin(2, 4, 6, 0);
    world_rule(&p, "acme")->quota.starts_per_minute = 3;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    struct job_spec spec = gangs(4, 4, 1000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.message, "4 tasks start together, acme may start at most 3 a minute");
    spec = gangs(3, 3, 1000);
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 3);
    end();
}
END_TEST

START_TEST(a_part_of_a_gang_contradicts_the_state)
{
    begin(2, 8, 0, 0);
    uint64_t job = submit(6, 3);
    struct fact facts[8];
    uint64_t next;
    struct err err = {0};
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &next);
    ck_assert_uint_ge(count, 2);
    for (size_t i = 0; i < count - 2; i++) /* an account opens */
        world_commit(&w, &facts[i]);
    struct fact *f = &facts[count - 2];
    ck_assert_uint_eq(f->kind, FACT_GANG_PLACED);
    struct gang_member *v = f->gang_placed.members.v;
    ck_assert_int_eq(core_apply_check(w.core, f, &err), 0);
    f->gang_placed.members.count = 2;
    ck_assert_int_lt(core_apply_check(w.core, f, &err), 0);
    f->gang_placed.members.count = 3;
    v[2].task = 3; /* of the next one */
    ck_assert_int_lt(core_apply_check(w.core, f, &err), 0);
    v[2].task = 1;
    ck_assert_int_lt(core_apply_check(w.core, f, &err), 0);
    v[2].task = 2;
    v[2].epoch = 2;
    ck_assert_int_lt(core_apply_check(w.core, f, &err), 0);
    v[2].epoch = 1;
    struct fact room, one;
    ck_assert_int_eq(fact_copy(fact_placement(f, 0, &room), &one), 0);
    ck_assert_int_lt(core_apply_check(w.core, &one, &err), 0); /* alone */
    fact_clear(&one);
    for (size_t i = count - 2; i < count; i++)
        world_commit(&w, &facts[i]);
    ck_assert_uint_eq(live(job, 6), 6);
    end();
}
END_TEST

START_TEST(a_refusal_pauses_all_of_it)
{
    begin(2, 4, 0, 0);
    uint64_t job = submit(4, 4);
    struct fact facts[8];
    uint64_t next;
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &next);
    for (size_t i = 0; i < count; i++) {
        if (facts[i].kind == FACT_GANG_PLACED)
            world_refuse(&w, &facts[i], "budget");
        else
            world_commit(&w, &facts[i]);
    }
    ck_assert_uint_eq(world_decide(&w), 0);
    pass(SECOND);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(live(job, 4), 4);
    end();
}
END_TEST

/* ---- ending ------------------------------------------------------------------------------------------ */

START_TEST(who_fails_takes_all_along_and_they_start_again_together)
{
    begin(2, 4, 0, 0);
    struct job_spec spec = gangs(4, 4, 1000);
    spec.retries = 1;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    pass(10 * SECOND);
    ck_assert(world_end(&w, job, 2, END_EXIT, 1, 10 * SECOND));
    ck_assert_uint_eq(stop_cause(job, 0), END_GANG);
    ck_assert_uint_eq(stop_cause(job, 3), END_GANG);
    ck_assert_uint_eq(world_decide(&w), 0); /* never a part of it */
    ck_assert(world_end(&w, job, 0, END_EXIT, 7, 10 * SECOND)); /* of its own, before it was told: no retry more */
    obey(job, 4, 11 * SECOND);
    ck_assert_uint_eq(live(job, 4), 0);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    ck_assert(world_end(&w, job, 1, END_EXIT, 1, 5 * SECOND)); /* another one; the gang has used its retry */
    ck_assert_uint_eq(stop_cause(job, 0), END_GANG);
    obey(job, 4, 5 * SECOND);
    ck_assert(world_is(&w, job, "failed"));
    end();
}
END_TEST

START_TEST(a_lost_node_costs_the_gang_nothing_and_is_avoided)
{
    begin(3, 2, 0, 100 * EUR);
    uint64_t job = submit(4, 4);
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    struct attempt_id id = {job, 3, 0}; /* who leads them into the queue wasn't there */
    char lost[16];
    snprintf(lost, sizeof lost, "%s", world_node_of(&w, &id));
    pass(100 * SECOND);
    world_hello(&w, lost, "b2", 2, 256 * GIB); /* rebooted: two tasks are gone */
    (void)world_decide(&w);
    (void)world_decide(&w);
    ck_assert_uint_eq(live(job, 4), 2);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert(!is_live(job, i) || stop_cause(job, i) == END_GANG_LOST);
    obey(job, 4, 100 * SECOND);
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, 0);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 4);
    for (id.task = 0; id.task < 4; id.task++) {
        id.epoch = 0;
        ck_assert_str_ne(world_node_of(&w, &id), lost);
    }
    end();
}
END_TEST

START_TEST(who_has_succeeded_is_done_and_the_rest_starts_again)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = gangs(4, 4, 1000);
    spec.retries = 1;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    ck_assert(world_end(&w, job, 1, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(stop_cause(job, 0), END_NONE);
    ck_assert(world_end(&w, job, 3, END_EXIT, 1, SECOND));
    obey(job, 4, SECOND);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 3);
    run_all(job, 4);
    for (uint32_t i = 0; i < 4; i++)
        if (i != 1)
            ck_assert(world_end(&w, job, i, END_EXIT, 0, SECOND));
    ck_assert(world_is(&w, job, "succeeded"));
    end();
}
END_TEST

START_TEST(two_ends_at_once_are_decided_one_after_the_other)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = gangs(2, 2, 1000);
    spec.retries = 1;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    run_all(job, 2);
    struct attempt_state state = {.id = {job, 0, 1}, .ended = true};
    struct fact first, second;
    state.record = (struct exit_record){.cause = END_EXIT, .exit_code = 1, .run_us = 1};
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &first), CORE_FACT);
    state.id.task = 1;
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &second), CORE_LATER);
    world_commit(&w, &first);
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &second), CORE_FACT);
    ck_assert_uint_eq(second.ended.next, NEXT_QUEUED);
    ck_assert_uint_eq(second.ended.user_retry, 0);
    world_commit(&w, &second);
    end();
}
END_TEST

/* The order names one of them, and means all. */
START_TEST(no_end_is_decided_while_an_order_to_stop_is_under_way)
{
    static const struct {
        int32_t code;
        uint32_t cause;
    } rows[] = {{0, END_MAINTENANCE}, {0, END_KEEPER_LOST}, {1, END_EXIT}, {0, END_EXIT}};
    begin(1, 4, 0, 0);
    struct job_spec spec = gangs(3, 3, 1000);
    spec.retries = 1;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 3);
    run_all(job, 3);
    if (_i / 4 == 1) /* that they begin again is decided already */
        ck_assert(world_end(&w, job, 2, END_KEEPER_LOST, 0, SECOND));
    struct job_call call = {.job = job};
    struct cancel_reply reply;
    struct fact stop[8], ended;
    size_t count;
    ck_assert_int_eq(core_check_cancel(w.core, &call, "root", w.now, stop, COUNT_OF(stop), &count, &reply, &w.refusal),
                     CORE_FACT);
    struct attempt_state state = {.id = {job, 1, 1}, .ended = true};
    state.record = (struct exit_record){.cause = rows[_i % 4].cause, .exit_code = rows[_i % 4].code, .run_us = 1};
    bool well = _i % 4 == 3;
    int rc = core_check_ended(w.core, "n1", &state, w.now, &ended);
    ck_assert_int_eq(rc, well ? CORE_FACT : CORE_LATER);
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &stop[i]);
    if (!well)
        ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &ended), CORE_FACT);
    ck_assert_uint_eq(ended.ended.next, NEXT_FINAL);
    ck_assert_uint_eq(ended.ended.state, well ? TASK_SUCCEEDED : TASK_CANCELLED);
    world_commit(&w, &ended);
    end();
}
END_TEST

static size_t cancel(uint64_t job, int64_t task)
{
    struct job_call call = {.job = job, .has_task = task >= 0, .task = (uint32_t)MAX(task, 0)};
    struct cancel_reply reply;
    struct fact facts[8];
    size_t count;
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_cancel(w.core, &call, "root", w.now, facts, COUNT_OF(facts), &count, &reply, &w.refusal);
    if (rc != CORE_FACT)
        return 0;
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &facts[i]);
    return reply.cancelled + reply.stopping;
}

START_TEST(who_cancels_one_cancels_its_gang)
{
    begin(1, 4, 0, 0);
    uint64_t job = submit(6, 2);
    ck_assert_uint_eq(world_decide(&w), 4);
    ck_assert_uint_eq(cancel(job, 5), 2); /* it waits, and so does its other */
    run_all(job, 6);
    ck_assert_uint_eq(cancel(job, 1), 2);
    ck_assert_uint_eq(stop_cause(job, 0), END_CANCELLED);
    ck_assert_uint_eq(stop_cause(job, 2), END_NONE);
    obey(job, 6, SECOND);
    ck_assert_uint_eq(live(job, 6), 2);
    end();
}
END_TEST

/* Its node closes, and that was decided while the other order was under way. */
START_TEST(who_is_cancelled_stays_so)
{
    begin(1, 4, 0, 0);
    uint64_t job = submit(2, 2);
    ck_assert_uint_eq(world_decide(&w), 2);
    run_all(job, 2);
    ck_assert_uint_eq(cancel(job, -1), 2);
    struct fact f = {.kind = FACT_ATTEMPT_STOPPING, .at_utc_us = w.now.utc_us};
    f.stopping = (struct fact_stopping){.id = {job, 1, 1}, .cause = END_MAINTENANCE};
    world_commit(&w, &f);
    ck_assert_uint_eq(stop_cause(job, 0), END_CANCELLED);
    ck_assert_uint_eq(stop_cause(job, 1), END_CANCELLED);
    ck_assert(world_end(&w, job, 1, END_MAINTENANCE, 0, SECOND));
    obey(job, 2, SECOND);
    ck_assert(world_is(&w, job, "cancelled"));
    end();
}
END_TEST

START_TEST(what_is_left_of_a_gang_that_cant_start_is_cancelled)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = gangs(3, 3, 1000);
    spec.hold = true;
    uint64_t job = world_submit(&w, "acme", spec);
    struct fact f = {.kind = FACT_TASKS_CANCELLED, .at_utc_us = w.now.utc_us}; /* as an older scheduler may have done */
    f.cancelled = (struct fact_tasks){.job = job, .first = 1, .count = 1};
    ck_assert_int_eq(str_set(&f.cancelled.who, "root") | str_set(&f.cancelled.reason, "x"), 0);
    ck_assert_int_eq(strs_add(&f.cancelled.path, "acme") | strs_add(&f.cancelled.path, "/"), 0);
    world_commit(&w, &f);
    struct core *restored = world_restored(&w, NULL);
    struct fact facts[8];
    uint64_t next;
    ck_assert_uint_eq(core_decide(restored, w.now, facts, COUNT_OF(facts), &next), 2); /* found again in a snapshot */
    fact_clear(&facts[0]);
    fact_clear(&facts[1]);
    core_free(restored);
    (void)world_decide(&w);
    ck_assert(world_is(&w, job, "cancelled"));
    end();
}
END_TEST

START_TEST(run_again_is_all_of_it)
{
    begin(1, 4, 0, 0);
    uint64_t job = submit(3, 3);
    ck_assert_uint_eq(world_decide(&w), 3);
    run_all(job, 3);
    struct cancel_reply reply;
    struct fact facts[8];
    size_t count;
    struct job_call call = {.job = job, .has_task = true, .task = 1};
    int rc = core_check_requeue(w.core, &call, "root", w.now, facts, COUNT_OF(facts), &count, &reply, &w.refusal);
    ck_assert_int_eq(rc, CORE_FACT);
    ck_assert_uint_eq(count, 1);
    world_commit(&w, &facts[0]);
    ck_assert_uint_eq(stop_cause(job, 2), END_REQUEUED);
    obey(job, 3, SECOND);
    pass(2 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 3);
    end();
}
END_TEST

START_TEST(one_that_is_held_keeps_all)
{
    begin(1, 4, 0, 0);
    uint64_t job = submit(3, 3);
    struct job_call call = {.job = job, .has_task = true, .task = 2};
    struct fact f;
    ck_assert_int_eq(core_check_hold(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert_int_eq(core_check_release(w.core, &call, "root", w.now, &f, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    ck_assert_uint_eq(world_decide(&w), 3);
    end();
}
END_TEST

/* ---- everything, at random ---------------------------------------------------------------------------- */

/* All that may happen to gangs, in any order; after every single fact none has a part that runs on beside one that
 * doesn't (world_verify recounts that, in the state and in what comes back of it). */
START_TEST(no_prefix_of_a_journal_has_a_part_of_a_gang)
{
    uint64_t seed = random_seed("gang prefixes");
    for (int round = 0; round < 6; round++) {
        begin(3, 4, 0, 0);
        uint64_t jobs[6];
        size_t count = 0;
        for (int step = 0; step < 150; step++) {
            uint64_t job = count > 0 ? jobs[random_below(&seed, count)] : 0;
            uint32_t task = (uint32_t)random_below(&seed, 6);
            switch (random_below(&seed, 9)) {
            case 0:
                if (count < COUNT_OF(jobs)) {
                    struct job_spec spec = gangs(6, 1 + (uint32_t)random_below(&seed, 3), 1000);
                    spec.gang_min = (uint32_t)random_below(&seed, spec.gang + 1);
                    spec.retries = (uint32_t)random_below(&seed, 3);
                    spec.on_node_loss = (uint32_t)random_below(&seed, NODE_LOSS_COUNT);
                    spec.array.max_running = random_below(&seed, 2) ? 3 : 0;
                    jobs[count++] = world_submit(&w, "acme", spec);
                }
                break;
            case 1: pass(SECOND); break;
            case 2: (void)world_run(&w, job, task); break;
            case 3: (void)world_end(&w, job, task, END_EXIT, (int32_t)random_below(&seed, 2), SECOND); break;
            case 4:
                if (stop_cause(job, task) != END_NONE)
                    (void)world_end(&w, job, task, stop_cause(job, task), 0, SECOND);
                break;
            case 5:
                if (random_below(&seed, 6) == 0)
                    (void)cancel(job, task);
                break;
            case 6:
                if (random_below(&seed, 4) == 0) {
                    char boot[16], name[8];
                    snprintf(boot, sizeof boot, "b%d", step);
                    snprintf(name, sizeof name, "n%d", 1 + (int)random_below(&seed, 3));
                    world_hello(&w, name, boot, 4, 256 * GIB);
                }
                break;
            default: (void)world_decide(&w); break;
            }
            world_recount(w.core);
        }
        end();
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/gang");
    TCase *t = tcase_create("gang");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, all_start_in_one_fact_or_none_does);
    tcase_add_test(t, a_gang_that_waits_takes_nothing_from_others);
    tcase_add_test(t, an_array_of_gangs_starts_gang_by_gang);
    tcase_add_test(t, a_cap_counts_all_of_a_gang);
    tcase_add_test(t, quota_and_money_are_asked_for_all_of_it);
    tcase_add_test(t, what_a_gang_holds_is_held_for_each_or_for_nobody);
    tcase_add_test(t, a_jobs_own_budget_buys_the_same_time_for_each);
    tcase_add_test(t, what_can_never_start_together_is_refused);
    tcase_add_test(t, more_than_start_in_a_minute_can_never_start_together);
    tcase_add_test(t, a_part_of_a_gang_contradicts_the_state);
    tcase_add_test(t, a_refusal_pauses_all_of_it);
    tcase_add_test(t, who_fails_takes_all_along_and_they_start_again_together);
    tcase_add_test(t, a_lost_node_costs_the_gang_nothing_and_is_avoided);
    tcase_add_test(t, who_has_succeeded_is_done_and_the_rest_starts_again);
    tcase_add_test(t, two_ends_at_once_are_decided_one_after_the_other);
    tcase_add_loop_test(t, no_end_is_decided_while_an_order_to_stop_is_under_way, 0, 8);
    tcase_add_test(t, who_cancels_one_cancels_its_gang);
    tcase_add_test(t, who_is_cancelled_stays_so);
    tcase_add_test(t, what_is_left_of_a_gang_that_cant_start_is_cancelled);
    tcase_add_test(t, run_again_is_all_of_it);
    tcase_add_test(t, one_that_is_held_keeps_all);
    tcase_add_test(t, no_prefix_of_a_journal_has_a_part_of_a_gang);
    suite_add_tcase(s, t);
    return run_suite(s);
}
