#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static void begin_with(const struct core_limits *limits)
{
    struct policy_file p = {0};
    world_init(&w, limits);
    world_price(&p, 0, 36 * EUR / 10, 0); /* 1000 micro-units per core-second */
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->quota.max.cpu_milli = 32000;
    rule->quota.max_queued = 20;
    ck_assert_int_eq(strs_add(&rule->users, "alice"), 0);
    (void)world_rule(&p, "acme/ml");
    rule = world_rule(&p, "acme/etl");
    rule->network_host = true;
    rule->budget = (struct budget_rule){.present = true, .limit_micros = 10 * EUR, .period = PERIOD_DAY};
    rule = world_rule(&p, "globex");
    ck_assert_int_eq(strs_add(&rule->users, "uid:1001"), 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 16, 64 * GIB);
}

static void begin(void)
{
    begin_with(NULL);
}

/* ---- who, where, what: rows ------------------------------------------------------------------------- */

struct row {
    const char *fact;
    const char *tenant, *user;
    uint32_t uid;
    uint64_t cpu_milli, mem;
    uint32_t network;
    int64_t budget;
    uint64_t limit_ms;
    const char *code, *where; /* NULL: taken */
};

static const struct row rows[] = {
    {"a user of a tenant may submit to it", "acme", "alice", 500, 1000, GIB, NET_NONE, 0, 0, NULL, NULL},
    {"and to everything below it", "acme/etl", "alice", 500, 1000, GIB, NET_NONE, 0, 0, NULL, NULL},
    {"a user may be named by uid", "globex", "bob", 1001, 1000, GIB, NET_NONE, 0, 0, NULL, NULL},
    {"but not to another tenant", "globex", "alice", 500, 1000, GIB, NET_NONE, 0, 0, "not_found", "tenant"},
    {"root may submit anywhere", "globex", "root", 0, 1000, GIB, NET_NONE, 0, 0, NULL, NULL},
    {"who names no tenant gets the first of his", NULL, "alice", 500, 1000, GIB, NET_NONE, 0, 0, NULL, NULL},
    {"who has none must name one", NULL, "carol", 502, 1000, GIB, NET_NONE, 0, 0, "tenant_required", "tenant"},
    {"a tenant that isn't there is not found", "nobody", "root", 0, 1000, GIB, NET_NONE, 0, 0, "not_found",
     "tenant"},
    {"the host's network needs the tenant's permission", "acme", "alice", 500, 1000, GIB, NET_HOST, 0, 0,
     "forbidden", "network"},
    {"with it, it is taken", "acme/etl", "alice", 500, 1000, GIB, NET_HOST, 0, 0, NULL, NULL},
    {"more cpu than any node has can never run", "globex", "root", 0, 17000, GIB, NET_NONE, 0, 0, "never_fits",
     "resources.cpu"},
    {"more memory than any node has can never run", "globex", "root", 0, 1000, 65 * GIB, NET_NONE, 0, 0,
     "never_fits", "resources.memory"},
    {"a first hold above the whole budget can never be paid", "acme/etl", "root", 0, 16000, GIB, NET_NONE, 0, 0,
     "never_fits", "acme/etl"},
    {"a shorter time limit makes it payable", "acme/etl", "root", 0, 16000, GIB, NET_NONE, 0, 60000, NULL,
     NULL},
    {"a budget of its own that buys no second is refused", "globex", "root", 0, 1000, GIB, NET_NONE, 999, 0,
     "budget", "budget"},
    {"one that buys a second is taken", "globex", "root", 0, 1000, GIB, NET_NONE, 1000, 0, NULL, NULL},
    {"too little memory is a bad request", "globex", "root", 0, 1000, 1000, NET_NONE, 0, 0, "bad_request",
     "resources.memory"},
};

/* Whose tenants exist is no business of others: word for word the same, but for the name they said themselves. */
START_TEST(another_tenant_looks_like_none)
{
    char said[2][300];
    const char *const names[] = {"globex", "glibex"};
    begin();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct job_spec spec = world_spec(1000, GIB);
        struct submit_call call = {.tenant = (char *)(uintptr_t)names[i], .spec = spec};
        struct fact f;
        struct submit_reply quote;
        struct refusal r = {0};
        ck_assert_int_eq(core_check_submit(w.core, &call, 500, "alice", w.now, &f, &quote, &r), CORE_REFUSED);
        snprintf(said[i], sizeof said[i], "%s|%s|%s|%s", r.code, r.where, r.message, r.hint != NULL ? r.hint : "");
        for (char *at; (at = strstr(said[i], names[i])) != NULL;)
            memset(at, '?', strlen(names[i]));
        fields_clear(&refusal_fields, &r);
        fields_clear(&job_spec_fields, &spec);
    }
    ck_assert_str_eq(said[0], said[1]);
    world_fini(&w);
}
END_TEST

START_TEST(who_may_submit_what)
{
    const struct row *r = &rows[_i];
    begin();
    struct job_spec spec = world_spec(r->cpu_milli, r->mem);
    spec.network = r->network;
    spec.budget_micros = r->budget;
    spec.time_limit_ms = r->limit_ms;
    struct submit_call call = {.tenant = (char *)(uintptr_t)r->tenant, .spec = spec};
    struct fact f;
    int rc = core_check_submit(w.core, &call, r->uid, r->user, w.now, &f, &w.quote, &w.refusal);
    ck_assert_msg((rc == CORE_FACT) == (r->code == NULL), "%s: %s", r->fact, w.refusal.message);
    if (rc == CORE_FACT) {
        world_commit(&w, &f);
    } else {
        ck_assert_int_eq(rc, CORE_REFUSED);
        ck_assert_msg(strcmp(w.refusal.code, r->code) == 0 && strcmp(w.refusal.where, r->where) == 0,
                      "%s: %s at %s: %s", r->fact, w.refusal.code, w.refusal.where, w.refusal.message);
        ck_assert_int_eq(f.kind, FACT_NONE);
    }
    fields_clear(&job_spec_fields, &spec);
    world_fini(&w);
}
END_TEST

/* ---- keys ------------------------------------------------------------------------------------------- */

static int submit_key(const char *key, uint64_t mem, uint64_t *ret)
{
    struct job_spec spec = world_spec(1000, mem);
    return world_try_submit(&w, "globex", key, &spec, ret);
}

START_TEST(the_same_key_and_body_is_the_same_job)
{
    uint64_t first, second;
    begin();
    ck_assert_int_eq(submit_key("k1", GIB, &first), CORE_FACT);
    size_t facts = w.journal.count;
    ck_assert_int_eq(submit_key("k1", GIB, &second), CORE_FACT);
    ck_assert_uint_eq(first, second);
    ck_assert(w.quote.existed);
    ck_assert_uint_eq(w.journal.count, facts);
    world_fini(&w);
}
END_TEST

START_TEST(the_same_key_finds_a_finished_job_too)
{
    uint64_t first, second;
    begin();
    ck_assert_int_eq(submit_key("k1", GIB, &first), CORE_FACT);
    (void)world_decide(&w);
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, SECOND));
    ck_assert_int_eq(submit_key("k1", GIB, &second), CORE_FACT);
    ck_assert_uint_eq(first, second);
    world_fini(&w);
}
END_TEST

START_TEST(the_same_key_with_another_body_is_refused_with_what_differs)
{
    uint64_t first, second;
    begin();
    ck_assert_int_eq(submit_key("k1", GIB, &first), CORE_FACT);
    ck_assert_int_eq(submit_key("k1", 2 * GIB, &second), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "key_conflict");
    ck_assert_ptr_nonnull(strstr(w.refusal.message, "resources.memory"));
    world_fini(&w);
}
END_TEST

START_TEST(jobs_without_a_key_are_different_jobs)
{
    uint64_t first, second;
    begin();
    ck_assert_int_eq(submit_key(NULL, GIB, &first), CORE_FACT);
    ck_assert_int_eq(submit_key(NULL, GIB, &second), CORE_FACT);
    ck_assert_uint_ne(first, second);
    ck_assert_int_eq(submit_key("#1", GIB, &second), CORE_REFUSED); /* nobody guesses a key of ours */
    ck_assert_int_eq(submit_key("", GIB, &second), CORE_REFUSED);
    world_fini(&w);
}
END_TEST

START_TEST(two_submissions_of_one_batch_get_two_ids)
{
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    struct submit_call call = {.tenant = (char[]){"globex"}, .spec = spec};
    struct submit_reply quotes[2];
    struct fact f[2];
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(core_check_submit(w.core, &call, 0, "root", w.now, &f[i], &quotes[i], &w.refusal),
                         CORE_FACT);
    ck_assert_uint_eq(quotes[0].job + 1, quotes[1].job);
    world_refuse(&w, &f[0], "queue_full");
    world_commit(&w, &f[1]);
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < 2; i++)
        fields_clear(&submit_reply_fields, &quotes[i]);
    fields_clear(&job_spec_fields, &spec);
    world_fini(&w);
}
END_TEST

START_TEST(ids_go_on_after_a_restart_from_journal_or_snapshot)
{
    begin();
    uint64_t last = world_submit(&w, "globex", world_spec(1000, GIB));
    struct core *cores[] = {world_replayed(&w, NULL), world_restored(&w, NULL)};
    for (size_t i = 0; i < 2; i++) {
        struct job_spec spec = world_spec(1000, GIB);
        struct submit_call call = {.tenant = (char[]){"globex"}, .spec = spec};
        struct submit_reply quote;
        struct fact f;
        ck_assert_int_eq(core_check_submit(cores[i], &call, 0, "root", w.now, &f, &quote, &w.refusal), CORE_FACT);
        ck_assert_uint_eq(quote.job, last + 1);
        fact_clear(&f);
        fields_clear(&submit_reply_fields, &quote);
        fields_clear(&job_spec_fields, &spec);
        core_free(cores[i]);
    }
    world_fini(&w);
}
END_TEST

/* ---- quotes, bounds --------------------------------------------------------------------------------- */

START_TEST(a_quote_says_what_is_expected_and_what_it_may_cost_at_most)
{
    uint64_t job;
    begin();
    struct job_spec spec = world_spec(2000, GIB);
    spec.time_limit_ms = 10000;
    spec.retries = 2;
    spec.array = (struct job_array){true, 1, 5, 0};
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_FACT);
    ck_assert_uint_eq(w.quote.tasks, 5);
    ck_assert_int_eq(w.quote.quote_micros, 5 * 10 * 2000);
    ck_assert_int_eq(w.quote.quote_max_micros, 3 * 5 * (10 + 5) * 2000); /* the grace after the limit costs, too */
    ck_assert_str_eq(w.quote.currency, "EUR");
    ck_assert_str_eq(w.quote.would_start, "now");
    spec = world_spec(1000, GIB);
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_FACT);
    ck_assert_int_eq(w.quote.quote_micros, 900 * 1000);
    ck_assert_int_eq(w.quote.quote_max_micros, -1);
    spec = world_spec(1000, GIB);
    spec.budget_micros = 5000;
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_FACT);
    ck_assert_int_eq(w.quote.quote_max_micros, 5000);
    world_fini(&w);
}
END_TEST

START_TEST(a_dry_run_answers_and_changes_nothing)
{
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    struct submit_call call = {.tenant = (char[]){"globex"}, .spec = spec, .dry_run = true};
    uint64_t hash = core_hash(w.core);
    struct fact f;
    ck_assert_int_eq(core_check_submit(w.core, &call, 0, "root", w.now, &f, &w.quote, &w.refusal), CORE_FACT);
    ck_assert_int_eq(f.kind, FACT_NONE);
    ck_assert_uint_eq(w.quote.job, 0);
    ck_assert_str_eq(w.quote.would_start, "now");
    ck_assert_uint_eq(core_hash(w.core), hash);
    fields_clear(&job_spec_fields, &spec);
    world_fini(&w);
}
END_TEST

START_TEST(a_full_queue_is_refused_by_name)
{
    uint64_t job;
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    (void)world_submit(&w, "acme/etl", world_spec(1000, GIB));
    spec.array = (struct job_array){true, 1, 20, 0};
    ck_assert_int_eq(world_try_submit(&w, "acme/etl", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "queue_full");
    ck_assert_str_eq(w.refusal.where, "acme");
    ck_assert_uint_gt(w.refusal.retry_after_ms, 0);
    world_fini(&w);
}
END_TEST

START_TEST(more_tasks_than_a_queue_ever_takes_need_not_come_again)
{
    uint64_t job;
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){true, 0, 20, 0};
    ck_assert_int_eq(world_try_submit(&w, "acme/etl", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "never_fits");
    ck_assert_str_eq(w.refusal.hint, "at most 20 tasks in one job");
    ck_assert_uint_eq(w.refusal.retry_after_ms, 0);
    spec = world_spec(1000, GIB);
    spec.array = (struct job_array){true, 1, 20, 0};
    ck_assert_int_eq(world_try_submit(&w, "acme/etl", NULL, &spec, &job), CORE_FACT);
    world_fini(&w);
}
END_TEST

START_TEST(the_cell_keeps_no_more_unfinished_jobs_than_its_limit)
{
    struct core_limits limits = core_limits_default;
    limits.jobs_max = 2;
    uint64_t job;
    begin_with(&limits);
    ck_assert_int_eq(submit_key("a", GIB, &job), CORE_FACT);
    ck_assert_int_eq(submit_key("b", GIB, &job), CORE_FACT);
    ck_assert_int_eq(submit_key("c", GIB, &job), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "queue_full");
    ck_assert_str_eq(w.refusal.where, "cell");
    world_fini(&w);
}
END_TEST

START_TEST(what_others_ask_too_outlives_a_job_that_is_forgotten)
{
    struct core_limits limits = core_limits_default;
    limits.finished_max = 1;
    uint64_t jobs[3], again;
    begin_with(&limits);
    const char *const keys[] = {"a", "b", "c"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        ck_assert_int_eq(submit_key(keys[i], GIB, &jobs[i]), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 3);
    for (size_t i = 0; i < 2; i++)
        ck_assert(world_end(&w, jobs[i], 0, END_EXIT, 0, SECOND));
    const char *tenant;
    uint32_t uid;
    ck_assert(!core_job_owner(w.core, jobs[0], &tenant, &uid));
    ck_assert_int_eq(submit_key("c", GIB, &again), CORE_FACT);
    ck_assert_uint_eq(again, jobs[2]);
    ck_assert_int_eq(submit_key("c", 2 * GIB, &again), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "key_conflict");
    ck_assert(world_end(&w, jobs[2], 0, END_EXIT, 0, SECOND));
    world_fini(&w);
}
END_TEST

START_TEST(without_any_node_nothing_is_called_impossible)
{
    struct policy_file p = {0};
    uint64_t job;
    world_init(&w, NULL);
    (void)world_rule(&p, "globex");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    struct job_spec spec = world_spec(512000, GIB);
    ck_assert_int_eq(world_try_submit(&w, "globex", NULL, &spec, &job), CORE_FACT);
    ck_assert_str_eq(w.quote.would_start, "placement: no node has joined yet");
    world_fini(&w);
}
END_TEST

/* ---- cancelling ------------------------------------------------------------------------------------- */

static struct cancel_reply cancel(uint64_t job, int64_t task)
{
    struct job_call call = {.job = job, .has_task = task >= 0, .task = (uint32_t)(task >= 0 ? task : 0)};
    struct fact facts[8];
    size_t count;
    struct cancel_reply reply;
    ck_assert_int_eq(
        core_check_cancel(w.core, &call, "alice", w.now, facts, COUNT_OF(facts), &count, &reply, &w.refusal),
        CORE_FACT);
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &facts[i]);
    return reply;
}

START_TEST(cancelling_takes_waiting_tasks_at_once_and_stops_running_ones)
{
    begin();
    struct job_spec spec = world_spec(8000, GIB);
    spec.array = (struct job_array){true, 0, 4, 0};
    uint64_t job = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert_uint_eq(cancel(job, 3).cancelled, 1); /* one ahead of those that never started */
    struct cancel_reply reply = cancel(job, -1);
    ck_assert_uint_eq(reply.cancelled, 2);
    ck_assert_uint_eq(reply.stopping, 2);
    ck_assert_uint_eq(cancel(job, -1).stopping, 0); /* known */
    struct run_call run;
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_int_eq(core_duty(w.core, (struct attempt_id){job, 0, 1}, true, &run, &paid_us, &cause),
                     DUTY_STOP);
    ck_assert_uint_eq(cause, END_CANCELLED);
    ck_assert(world_end(&w, job, 0, END_CANCELLED, 0, SECOND));
    ck_assert(world_end(&w, job, 1, END_NODE_LOST, 0, SECOND));
    ck_assert(world_is(&w, job, "cancelled"));
    struct job_view view = world_view(&w, job);
    ck_assert_int_eq(view.exit_code, 130);
    ck_assert_uint_eq(view.attempts.count, 2);
    fields_clear(&job_view_fields, &view);
    ck_assert_uint_eq(cancel(job, -1).cancelled, 0);
    world_fini(&w);
}
END_TEST

START_TEST(a_cancelled_task_ahead_is_passed_over_and_survives_a_restart)
{
    begin();
    struct job_spec spec = world_spec(16000, GIB);
    spec.array = (struct job_array){true, 0, 2, 0};
    uint64_t job = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(cancel(job, 1).cancelled, 1);
    struct core *restarted = world_restored(&w, NULL);
    ck_assert_uint_eq(core_hash(restarted), core_hash(w.core));
    core_free(w.core);
    w.core = restarted;
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_end(&w, job, 2, END_EXIT, 0, SECOND));
    ck_assert(world_is(&w, job, "cancelled"));
    world_fini(&w);
}
END_TEST

START_TEST(a_cancel_meets_a_placement_in_flight_later)
{
    begin();
    uint64_t job = world_submit(&w, "globex", world_spec(1000, GIB));
    struct fact placed, facts[4];
    size_t count;
    struct cancel_reply reply;
    for (int i = 0; i < 2; i++) { /* an account opens first */
        if (i > 0)
            world_commit(&w, &placed);
        ck_assert_uint_eq(core_decide(w.core, w.now, &placed, 1, &w.next_boot_us), 1);
    }
    ck_assert_uint_eq(placed.kind, FACT_ATTEMPT_PLACED);
    ck_assert_int_eq(core_check_cancel(w.core, &(struct job_call){.job = job}, "a", w.now, facts, 4, &count,
                                       &reply, &w.refusal),
                     CORE_LATER);
    world_commit(&w, &placed);
    ck_assert_int_eq(core_check_cancel(w.core, &(struct job_call){.job = job}, "a", w.now, facts, 4, &count,
                                       &reply, &w.refusal),
                     CORE_FACT);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(facts[0].kind, FACT_ATTEMPT_STOPPING);
    world_commit(&w, &facts[0]);
    world_fini(&w);
}
END_TEST

START_TEST(who_is_to_stop_before_he_heard_of_it_hears_of_it_first)
{
    begin();
    uint64_t job = world_submit(&w, "globex", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert_uint_eq(cancel(job, -1).stopping, 1);
    struct run_call run;
    uint64_t paid_us;
    uint32_t cause;
    struct attempt_id id = {job, 0, 1};
    ck_assert_int_eq(core_duty(w.core, id, false, &run, &paid_us, &cause), DUTY_RUN);
    fields_clear(&run_call_fields, &run);
    ck_assert_int_eq(core_duty(w.core, id, true, &run, &paid_us, &cause), DUTY_STOP);
    /* A node that says hello without it never heard of it: then it is over, and nobody starts it any more. */
    world_hello(&w, "n1", "b", 16, 64 * GIB);
    ck_assert_int_eq(core_duty(w.core, id, false, &run, &paid_us, &cause), DUTY_FORGET);
    (void)world_decide(&w);
    ck_assert(world_is(&w, job, "cancelled"));
    world_fini(&w);
}
END_TEST

START_TEST(the_last_end_of_a_batch_says_that_the_job_is_done)
{
    begin();
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){true, 0, 1, 0};
    spec.budget_micros = 5 * EUR;
    uint64_t job = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    struct fact ends[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct attempt_state state = {
            .id = {job, i, 1}, .ended = true, .record = {.cause = END_EXIT, .run_us = 1000000}};
        ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &ends[i]), CORE_FACT);
    }
    ck_assert(!ends[0].ended.job_done && ends[1].ended.job_done);
    world_commit(&w, &ends[0]);
    world_commit(&w, &ends[1]);
    ck_assert_int_eq(world_account(&w, "job:1").limit_micros, -2);
    ck_assert(world_is(&w, job, "succeeded"));
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core submit");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, another_tenant_looks_like_none);
    tcase_add_loop_test(t, who_may_submit_what, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, the_same_key_and_body_is_the_same_job);
    tcase_add_test(t, the_same_key_finds_a_finished_job_too);
    tcase_add_test(t, the_same_key_with_another_body_is_refused_with_what_differs);
    tcase_add_test(t, jobs_without_a_key_are_different_jobs);
    tcase_add_test(t, two_submissions_of_one_batch_get_two_ids);
    tcase_add_test(t, ids_go_on_after_a_restart_from_journal_or_snapshot);
    tcase_add_test(t, who_is_to_stop_before_he_heard_of_it_hears_of_it_first);
    tcase_add_test(t, a_quote_says_what_is_expected_and_what_it_may_cost_at_most);
    tcase_add_test(t, a_dry_run_answers_and_changes_nothing);
    tcase_add_test(t, a_full_queue_is_refused_by_name);
    tcase_add_test(t, more_tasks_than_a_queue_ever_takes_need_not_come_again);
    tcase_add_test(t, the_cell_keeps_no_more_unfinished_jobs_than_its_limit);
    tcase_add_test(t, what_others_ask_too_outlives_a_job_that_is_forgotten);
    tcase_add_test(t, without_any_node_nothing_is_called_impossible);
    tcase_add_test(t, cancelling_takes_waiting_tasks_at_once_and_stops_running_ones);
    tcase_add_test(t, a_cancelled_task_ahead_is_passed_over_and_survives_a_restart);
    tcase_add_test(t, a_cancel_meets_a_placement_in_flight_later);
    tcase_add_test(t, the_last_end_of_a_batch_says_that_the_job_is_done);
    suite_add_tcase(s, t);
    return run_suite(s);
}
