/* Budgets in the core: what opens them, thresholds across restarts, credits and adjustments. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* 3.60 per core-hour: 1000 micro-units per core-second. */
#define PER_HOUR (36 * EUR / 10)
#define PER_SECOND 1000
#define MONTH "acme@2026-11"

static struct world w;

static struct policy_file policy(int64_t limit)
{
    struct policy_file p = {0};
    world_price(&p, 0, PER_HOUR, 0);
    struct budget_rule *b = &world_rule(&p, "acme")->budget;
    *b = (struct budget_rule){.present = true, .limit_micros = limit, .period = PERIOD_MONTH};
    static const struct threshold_rule thresholds[] = {{50, THRESHOLD_SPENT}, {90, THRESHOLD_COMMITTED}};
    for (size_t i = 0; i < COUNT_OF(thresholds); i++)
        *(struct threshold_rule *)list_add(&b->thresholds, sizeof *thresholds) = thresholds[i];
    (void)world_rule(&p, "globex");
    return p;
}

static void begin(int64_t limit)
{
    struct policy_file p = policy(limit);
    world_init(&w, NULL);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
}

/* Decides, commits, and says what was crossed. */
static const char *said(void)
{
    static char text[256];
    struct fact facts[32];
    text[0] = '\0';
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us);
    for (size_t i = 0; i < count; i++) {
        const struct fact_budget_crossed *f = &facts[i].budget_crossed;
        size_t used = strlen(text);
        if (facts[i].kind == FACT_BUDGET_CROSSED)
            snprintf(text + used, sizeof text - used, "%s%u %s", used > 0 ? ", " : "", f->percent,
                     f->up ? "up" : "down");
        world_commit(&w, &facts[i]);
    }
    return text;
}

static void run_for(int64_t seconds)
{
    uint64_t job = world_submit(&w, "acme", world_spec(1000, GIB));
    struct fact facts[8];
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us);
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &facts[i]);
    ck_assert(world_run(&w, job, 0));
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, (uint64_t)(seconds * SECOND)));
}

/* Restarted: the same state out of a snapshot, or out of the journal. */
static void restart(bool from_snapshot)
{
    struct core *again = from_snapshot ? world_restored(&w, NULL) : world_replayed(&w, NULL);
    ck_assert_uint_eq(core_hash(again), core_hash(w.core));
    core_free(w.core);
    w.core = again;
    core_node_seen(w.core, "n1", w.now);
}

START_TEST(a_threshold_is_said_once_also_after_a_restart)
{
    begin(2000 * PER_SECOND); /* a slice is 900 of it */
    run_for(800);
    ck_assert_str_eq(said(), "");
    run_for(300);
    restart(_i == 1); /* before it could be said */
    ck_assert_str_eq(said(), "50 up");
    ck_assert_str_eq(said(), "");
    restart(_i == 1);
    ck_assert_str_eq(said(), "");
    run_for(700); /* holds 900 on top of 1100 */
    ck_assert_str_eq(said(), "90 up");
    restart(_i == 1);
    ck_assert_str_eq(said(), "");
    /* A raise: below again, said once, armed. */
    struct policy_file p = policy(4000 * PER_SECOND);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    restart(_i == 1);
    ck_assert_str_eq(said(), "50 down, 90 down");
    restart(_i == 1);
    ck_assert_str_eq(said(), "");
    run_for(200);
    ck_assert_str_eq(said(), "50 up");
    world_fini(&w);
}
END_TEST

START_TEST(a_crossing_that_was_dropped_is_proposed_again)
{
    begin(1000 * PER_SECOND);
    run_for(600);
    struct fact facts[8];
    ck_assert_uint_eq(core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us), 1);
    ck_assert_uint_eq(facts[0].kind, FACT_BUDGET_CROSSED);
    ck_assert_uint_eq(world_decide(&w), 0); /* in flight */
    world_refuse(&w, &facts[0], "dropped");
    ck_assert_str_eq(said(), "50 up");
    world_fini(&w);
}
END_TEST

START_TEST(a_forecast_wakes_the_core)
{
    struct policy_file p = policy(100000 * PER_SECOND);
    struct budget_rule *b = &((struct tenant_rule *)p.tenants.v)[0].budget;
    b->period = PERIOD_DAY;
    *(struct threshold_rule *)list_add(&b->thresholds, sizeof(struct threshold_rule)) =
        (struct threshold_rule){10, THRESHOLD_FORECAST};
    world_init(&w, NULL);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
    run_for(890);
    ck_assert_str_eq(said(), "");
    int64_t twentieth = 24 * HOUR / 20;
    ck_assert_uint_le(w.next_boot_us, w.now.boot_us + (uint64_t)twentieth);
    world_pass(&w, twentieth - SECOND);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_str_eq(said(), "");
    world_pass(&w, SECOND);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_str_eq(said(), "10 up"); /* 890 core-seconds in 72 minutes: 17800 in a day */
    world_fini(&w);
}
END_TEST

/* ---- a clock that is set ------------------------------------------------------------------------------ */

static struct account_view day(const char *name)
{
    return world_account(&w, name);
}

/* The core's time never falls and runs are measured by the nodes: an hour forth or back over midnight costs nobody
 * anything, and no hold goes to a day that is over. */
START_TEST(a_clock_set_by_an_hour_over_midnight_changes_no_cost)
{
    struct core_limits limits = core_limits_default;
    struct policy_file p = policy(100000 * PER_SECOND);
    ((struct tenant_rule *)p.tenants.v)[0].budget.period = PERIOD_DAY;
    limits.slice_ms = 60000;
    world_init(&w, &limits);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
    world_pass(&w, 23 * HOUR + 30 * MINUTE);
    core_node_seen(w.core, "n1", w.now);
    uint64_t job = world_submit(&w, "acme", world_spec(1000, GIB));
    (void)world_decide(&w);
    ck_assert(world_run(&w, job, 0));
    for (int64_t ran = 0; ran < 600; ran++) {
        world_pass(&w, SECOND);
        w.now.utc_us += ran == 200 ? HOUR : ran == 400 ? -HOUR : 0; /* to 00:33, and back to 23:36 */
        core_node_seen(w.core, "n1", w.now);
        core_attempt_seen(w.core, "n1", (struct attempt_id){job, 0, 1}, (uint64_t)((ran + 1) * SECOND), w.now);
        (void)world_decide(&w);
        struct account_view old = day("acme@2026-11-24"), new = day("acme@2026-11-25");
        ck_assert(old.spent_micros >= 0 && old.held_micros >= 0);
        if (ran > 300) {
            ck_assert_int_eq(old.held_micros, 0); /* renewed on the new day, and it stays there */
            ck_assert(new.spent_micros >= 0 && new.held_micros > 0);
        }
    }
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 600 * (uint64_t)SECOND));
    int64_t spent = day("acme@2026-11-24").spent_micros + day("acme@2026-11-25").spent_micros;
    ck_assert_int_eq(spent, 600 * PER_SECOND);
    ck_assert_int_gt(day("acme@2026-11-25").spent_micros, 300 * PER_SECOND);
    world_fini(&w);
}
END_TEST

/* ---- credits and adjustments ------------------------------------------------------------------------ */

static struct adjust_call call_of(const char *tenant, const char *key, int64_t micros)
{
    return (struct adjust_call){.tenant = (char *)(uintptr_t)tenant, .key = (char *)(uintptr_t)key,
                                .reason = (char *)(uintptr_t)"slow node", .micros = micros,
                                .kind = micros < 0 ? ADJUST_CREDIT : ADJUST_ADJUSTMENT};
}

/* CORE_FACT: committed. */
static int adjust(const struct adjust_call *call, bool *ret_existed)
{
    struct fact facts[8];
    size_t count;
    struct adjust_reply reply = {0};
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_adjust(w.core, call, "root", w.now, facts, COUNT_OF(facts), &count, &reply, &w.refusal);
    for (size_t i = 0; rc == CORE_FACT && i < count; i++)
        world_commit(&w, &facts[i]);
    *ret_existed = reply.existed;
    fields_clear(&adjust_reply_fields, &reply);
    return rc;
}

START_TEST(a_credit_opens_what_it_is_posted_to_and_is_posted_once)
{
    begin(1000 * PER_SECOND);
    bool existed;
    struct adjust_call call = call_of("acme", "k", -200 * PER_SECOND);
    ck_assert_int_eq(adjust(&call, &existed), CORE_FACT);
    ck_assert(!existed);
    struct account_view v = world_account(&w, MONTH);
    ck_assert_int_eq(v.limit_micros, 1000 * PER_SECOND);
    ck_assert_int_eq(v.spent_micros, -200 * PER_SECOND);
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, -200 * PER_SECOND);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(adjust(&call, &existed), CORE_FACT);
        ck_assert(existed);
        restart(i == 0);
    }
    ck_assert_int_eq(world_account(&w, MONTH).spent_micros, -200 * PER_SECOND);
    call.micros = -1;
    ck_assert_int_eq(adjust(&call, &existed), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "key_conflict");
    call = call_of("globex", "k", -200 * PER_SECOND); /* the key is another tenant's */
    ck_assert_int_eq(adjust(&call, &existed), CORE_FACT);
    ck_assert(!existed);
    run_for(1100); /* a slice is 900, and the credit pays the rest */
    ck_assert_int_eq(world_account(&w, MONTH).spent_micros, 700 * PER_SECOND);
    world_fini(&w);
}
END_TEST

static const struct {
    const char *where;
    struct adjust_call call;
} bad_calls[] = {
    {"tenant", {.tenant = (char *)(uintptr_t)"nobody"}},
    {"key", {.tenant = (char *)(uintptr_t)"acme"}},
    {"key", {.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)""}},
    {"amount", {.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)"k"}},
    {"amount", {.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)"k", .micros = INT64_MIN}},
    {"amount",
     {.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)"k", .micros = 1, .kind = ADJUST_CREDIT}},
    {"reason", {.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)"k", .micros = -1}},
    {"to",
     {.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)"k", .micros = -1,
      .reason = (char *)(uintptr_t)"r", .from_utc_us = 2, .to_utc_us = 1}},
    {"about_seq",
     {.tenant = (char *)(uintptr_t)"acme", .key = (char *)(uintptr_t)"k", .micros = -1,
      .reason = (char *)(uintptr_t)"r", .kind = ADJUST_RERATE}},
};

START_TEST(an_adjustment_that_says_too_little_is_refused)
{
    begin(1000 * PER_SECOND);
    bool existed;
    ck_assert_int_eq(adjust(&bad_calls[_i].call, &existed), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.where, bad_calls[_i].where);
    world_fini(&w);
}
END_TEST

/* Asks, and expects no facts. */
static int ask(const struct adjust_call *call, struct fact *facts, size_t max)
{
    size_t count;
    struct adjust_reply reply;
    int rc = core_check_adjust(w.core, call, "root", w.now, facts, max, &count, &reply, &w.refusal);
    ck_assert_uint_eq(count, 0);
    return rc;
}

START_TEST(the_same_key_twice_at_once_is_posted_once)
{
    begin(1000 * PER_SECOND);
    struct fact first[8], second[8];
    size_t count;
    struct adjust_reply reply = {0};
    struct adjust_call call = call_of("acme", "k", -5), other = call_of("acme", "k2", -5);
    ck_assert_int_eq(core_check_adjust(w.core, &call, "root", w.now, first, 8, &count, &reply, &w.refusal), CORE_FACT);
    ck_assert_uint_eq(count, 3); /* two accounts open */
    fields_clear(&adjust_reply_fields, &reply);
    ck_assert_int_eq(ask(&call, second, 8), CORE_LATER);
    ck_assert_int_eq(ask(&other, second, 8), CORE_LATER);
    ck_assert_uint_eq(world_decide(&w), 0);
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &first[i]);
    bool existed;
    ck_assert_int_eq(adjust(&call, &existed), CORE_FACT);
    ck_assert(existed);
    /* No room for all of its facts: later, and nothing is left in flight. */
    ck_assert_int_eq(ask(&other, second, 0), CORE_LATER);
    ck_assert_int_eq(adjust(&other, &existed), CORE_FACT);
    ck_assert_int_eq(world_account(&w, MONTH).spent_micros, -10);
    world_fini(&w);
}
END_TEST

START_TEST(keys_are_remembered_up_to_a_bound)
{
    struct core_limits limits = core_limits_default;
    limits.adjusted_max = 1;
    struct policy_file p = policy(1000);
    world_init(&w, &limits);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    bool existed;
    struct adjust_call call = call_of("acme", "k", -5), other = call_of("acme", "k2", -5);
    ck_assert_int_eq(adjust(&call, &existed), CORE_FACT);
    ck_assert_int_eq(adjust(&other, &existed), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "full");
    ck_assert_int_eq(adjust(&call, &existed), CORE_FACT);
    world_fini(&w);
}
END_TEST

/* ---- what people see ---------------------------------------------------------------------------------- */

START_TEST(a_tenants_row_says_what_each_budget_stands_at)
{
    struct policy_file p = policy(1000 * PER_SECOND);
    struct tenant_rule *acme = p.tenants.v;
    acme->budget.carry = CARRY_ALL;
    struct budget_rule *b = list_add(&acme->budgets, sizeof *b);
    ck_assert_int_eq(str_set(&b->name, "cores"), 0);
    ck_assert_int_eq(str_set(&b->resource, "cpu"), 0);
    b->limit_micros = 5 * EUR;
    b->soft = true;
    world_init(&w, NULL);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
    run_for(360);
    world_pass(&w, 10 * 24 * HOUR); /* into December, where nothing has opened yet */
    struct tenant_reply reply;
    ck_assert_int_eq(core_tenants(w.core, "acme", w.now, &reply), 0);
    const struct tenant_row *row = reply.tenants.v;
    ck_assert_uint_eq(row->budgets.count, 2);
    const struct tenant_budget *v = row->budgets.v;
    ck_assert_str_eq(v[0].account, "acme@2026-12");
    ck_assert_int_eq(v[0].carried_micros, 640 * PER_SECOND);
    ck_assert_int_eq(v[0].limit_micros, 1640 * PER_SECOND);
    ck_assert_int_eq(row->limit_micros, 1640 * PER_SECOND);
    ck_assert_str_eq(v[1].account, "acme#cores@total");
    ck_assert_int_eq(v[1].spent_micros, EUR / 10); /* a tenth of an hour */
    ck_assert_int_eq(v[1].free_micros, 49 * EUR / 10);
    ck_assert(v[1].soft);
    fields_clear(&tenant_reply_fields, &reply);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("budgets");
    TCase *t = tcase_create("budgets");
    tcase_add_loop_test(t, a_threshold_is_said_once_also_after_a_restart, 0, 2);
    tcase_add_test(t, a_crossing_that_was_dropped_is_proposed_again);
    tcase_add_test(t, a_forecast_wakes_the_core);
    tcase_add_test(t, a_clock_set_by_an_hour_over_midnight_changes_no_cost);
    tcase_add_test(t, a_credit_opens_what_it_is_posted_to_and_is_posted_once);
    tcase_add_loop_test(t, an_adjustment_that_says_too_little_is_refused, 0, (int)COUNT_OF(bad_calls));
    tcase_add_test(t, the_same_key_twice_at_once_is_posted_once);
    tcase_add_test(t, keys_are_remembered_up_to_a_bound);
    tcase_add_test(t, a_tenants_row_says_what_each_budget_stands_at);
    suite_add_tcase(s, t);
    return run_suite(s);
}
