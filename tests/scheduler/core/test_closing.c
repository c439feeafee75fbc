/* What a cell remembers has a bound: accounts of periods that are over, keys of adjustments. */
#include <check.h>

#include "base/io/zone.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define DAY (24 * HOUR)
/* 3.60 per core-hour: 1000 micro-units per core-second. */
#define PER_HOUR (36 * EUR / 10)
#define PER_SECOND 1000

static struct world w;

static void finish(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

/* ---- accounts ----------------------------------------------------------------------------------------- */

static bool count_one(const struct account_view *view, void *arg)
{
    (void)view;
    ++*(size_t *)arg;
    return true;
}

static size_t accounts(void)
{
    size_t count = 0;
    ledger_each_account(core_ledger(w.core), count_one, &count);
    return count;
}

static bool is_there(const char *name)
{
    struct account_view view;
    return ledger_account(core_ledger(w.core), name, &view);
}

/* Until there is nothing more to say. */
static void settle_down(void)
{
    for (size_t before = SIZE_MAX; before != w.journal.count;) {
        before = w.journal.count;
        (void)world_decide(&w);
    }
}

static void run_for(const char *tenant, int64_t seconds)
{
    uint64_t job = world_submit(&w, tenant, world_spec(1000, GIB));
    settle_down();
    ck_assert(world_run(&w, job, 0));
    world_pass(&w, seconds * SECOND);
    core_node_seen(w.core, "n1", w.now);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, (uint64_t)(seconds * SECOND)));
    settle_down();
}

static struct budget_rule budget(uint32_t period, int64_t limit)
{
    return (struct budget_rule){.present = true, .limit_micros = limit, .period = period};
}

/* Budgets by the day with and without carry-over, far in the east, of time, by periods of three days, by the month. */
static void begin(void)
{
    struct policy_file p = {0};
    world_price(&p, 0, PER_HOUR, 0);
    world_rule(&p, "acme")->budget = budget(PERIOD_DAY, 1000 * PER_SECOND);
    struct tenant_rule *etl = world_rule(&p, "acme/etl");
    etl->budget = budget(PERIOD_DAY, 2000 * PER_SECOND);
    etl->budget.carry = CARRY_ALL;
    struct budget_rule *cores = list_add(&etl->budgets, sizeof *cores);
    *cores = budget(PERIOD_DAY, 100 * EUR);
    MUST(str_set(&cores->name, "cores") == 0 && str_set(&cores->resource, "cpu") == 0);
    struct tenant_rule *globex = world_rule(&p, "globex");
    globex->budget = budget(PERIOD_DAY, 1000 * PER_SECOND);
    MUST(str_set(&globex->budget.zone, "Pacific/Kiritimati") == 0);
    struct tenant_rule *initech = world_rule(&p, "initech");
    initech->budget = budget(PERIOD_CUSTOM, 1000 * PER_SECOND);
    initech->budget.from_utc_us = WORLD_START_UTC - 100 * DAY;
    initech->budget.every_days = 3;
    initech->budget.carry = CARRY_CAPPED;
    initech->budget.carry_max_micros = 500 * PER_SECOND;
    struct budget_rule *month = list_add(&initech->budgets, sizeof *month);
    *month = budget(PERIOD_MONTH, 100000 * PER_SECOND);
    MUST(str_set(&month->name, "month") == 0);
    struct list zones = {0};
    struct zone_table *z = list_add(&zones, sizeof *z);
    MUST(zone_read("Pacific/Kiritimati", z, NULL) == 0);
    world_init(&w, NULL);
    core_offer_zones(w.core, &zones);
    fields_clear(&zone_table_fields, z);
    free(z);
    ck_assert_msg(world_apply(&w, &p) == CORE_FACT, "%s", w.refusal.message);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
}

struct sums {
    int64_t closed, open;
    size_t closings;
};

static bool add_open(const struct account_view *view, void *arg)
{
    struct sums *s = arg;
    if (strncmp(view->name, "acme@", 5) == 0)
        s->open += view->spent_micros;
    return true;
}

/* What acme's accounts ever took: those that were closed, by the journal, and those that are open. */
static struct sums sums_of_acme(void)
{
    struct sums s = {0};
    for (size_t i = 0; i < w.journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w.journal.v)[i];
        struct fact f = {0};
        ck_assert_int_eq(fact_decode(b->data, b->len, &f, NULL), 0);
        const struct closed_account *v = f.accounts_closed.accounts.v;
        for (size_t k = 0; f.kind == FACT_ACCOUNTS_CLOSED && k < f.accounts_closed.accounts.count; k++) {
            s.closings++;
            s.closed += strncmp(v[k].account, "acme@", 5) == 0 ? v[k].spent_micros : 0;
        }
        fact_clear(&f);
    }
    ledger_each_account(core_ledger(w.core), add_open, &s);
    return s;
}

START_TEST(four_hundred_days_of_daily_budgets_leave_a_handful_of_accounts)
{
    begin();
    size_t most = 0;
    for (int day = 0; day < 400; day++) {
        int64_t midnight = WORLD_START_UTC + day * DAY;
        world_pass(&w, midnight + HOUR - w.now.utc_us);
        core_node_seen(w.core, "n1", w.now);
        run_for("acme/etl", 300);
        run_for("globex", 200);
        if (day % 7 < 5) /* days without anything */
            run_for("initech", 100);
        most = MAX(most, accounts());
        if (day == 200)
            core_free(w.core), w.core = world_replayed(&w, NULL), core_node_seen(w.core, "n1", w.now);
    }
    /* Of each budget the present period, the two days after the last, and what is left of the one before. */
    ck_assert_uint_le(most, 22);
    struct sums s = sums_of_acme();
    ck_assert_uint_gt(s.closings, 1500);
    ck_assert_int_eq(s.closed + s.open, 400 * 300 * PER_SECOND);
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, s.closed + s.open + 400 * 200 * PER_SECOND +
                                                                    286 * 100 * PER_SECOND);
    finish();
}
END_TEST

START_TEST(what_is_left_is_carried_over_whatever_was_closed)
{
    begin();
    for (int day = 0; day < 5; day++) {
        run_for("acme/etl", 500);
        char name[40];
        snprintf(name, sizeof name, "acme/etl@2026-11-%d", 24 + day);
        ck_assert_int_eq(world_account(&w, name).carried_micros, day * 1500 * PER_SECOND);
        world_pass(&w, DAY - 500 * SECOND);
        core_node_seen(w.core, "n1", w.now);
    }
    settle_down();
    ck_assert(!is_there("acme/etl@2026-11-24"));
    ck_assert(!is_there("acme/etl#cores@2026-11-24"));
    /* The last one stays for the next, for as long as that can come. */
    ck_assert(is_there("acme/etl@2026-11-28"));
    world_pass(&w, 3 * DAY);
    settle_down();
    ck_assert(!is_there("acme/etl@2026-11-28"));
    ck_assert(is_there("/@total"));
    finish();
}
END_TEST

START_TEST(what_may_still_be_carried_over_stays)
{
    begin();
    run_for("initech", 100);
    ck_assert(is_there("initech@2026-11-23+3d"));
    world_pass(&w, WORLD_START_UTC + 4 * DAY + HOUR - w.now.utc_us); /* two days over, and nothing ran since */
    core_node_seen(w.core, "n1", w.now);
    settle_down();
    ck_assert(is_there("initech@2026-11-23+3d"));
    run_for("initech", 100);
    ck_assert_int_eq(world_account(&w, "initech@2026-11-26+3d").carried_micros, 500 * PER_SECOND);
    world_pass(&w, HOUR);
    settle_down();
    ck_assert(!is_there("initech@2026-11-23+3d"));
    finish();
}
END_TEST

/* A window that is over is what its budget has, and would be opened anew. */
START_TEST(a_fixed_window_stays_for_as_long_as_its_budget)
{
    for (int gone = 0; gone < 2; gone++) {
        struct policy_file p = {0};
        world_price(&p, 0, PER_HOUR, 0);
        struct tenant_rule *acme = world_rule(&p, "acme");
        acme->budget = budget(PERIOD_FIXED, 1000 * PER_SECOND);
        acme->budget.from_utc_us = WORLD_START_UTC;
        acme->budget.to_utc_us = WORLD_START_UTC + 2 * DAY;
        world_init(&w, NULL);
        ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
        world_hello(&w, "n1", "b1", 64, 64 * GIB);
        run_for("acme", 100);
        p = (struct policy_file){0};
        world_price(&p, 0, PER_HOUR, 0);
        (void)world_rule(&p, gone ? "other" : "acme/below");
        if (!gone) {
            acme = world_rule(&p, "acme");
            acme->budget = budget(PERIOD_FIXED, 1000 * PER_SECOND);
            acme->budget.from_utc_us = WORLD_START_UTC;
            acme->budget.to_utc_us = WORLD_START_UTC + 2 * DAY;
        }
        ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
        world_pass(&w, 9 * DAY);
        settle_down();
        ck_assert_int_eq(is_there("acme@2026-11-24..2026-11-26"), !gone);
        finish();
    }
}
END_TEST

START_TEST(an_account_stays_while_anything_is_held_on_it)
{
    begin();
    uint64_t job = world_submit(&w, "acme/etl", world_spec(1000, GIB));
    settle_down();
    ck_assert(world_run(&w, job, 0));
    world_pass(&w, 5 * DAY); /* nobody looked */
    core_node_seen(w.core, "n1", w.now);
    struct fact facts[32];
    size_t count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us);
    ck_assert(is_there("acme/etl@2026-11-24"));
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ne(facts[i].kind, FACT_ACCOUNTS_CLOSED);
        world_refuse(&w, &facts[i], "dropped"); /* a renewal would hold today's money instead */
    }
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 600 * SECOND)); /* late, and posted where it was held */
    ck_assert_int_eq(world_account(&w, "acme/etl@2026-11-24").spent_micros, 600 * PER_SECOND);
    world_pass(&w, HOUR);
    settle_down();
    ck_assert(!is_there("acme/etl@2026-11-24"));
    finish();
}
END_TEST

START_TEST(what_is_due_wakes_the_core_and_a_refusal_is_tried_again)
{
    begin();
    run_for("acme", 100);
    (void)world_decide(&w);
    ck_assert_uint_le(w.next_boot_us, w.now.boot_us + (uint64_t)(3 * DAY));
    world_pass(&w, 4 * DAY);
    struct fact f;
    uint64_t next;
    ck_assert_uint_eq(core_decide(w.core, w.now, &f, 1, &next), 1);
    ck_assert_uint_eq(f.kind, FACT_ACCOUNTS_CLOSED);
    ck_assert_uint_eq(core_decide(w.core, w.now, &f, 1, &next), 0); /* in flight */
    world_refuse(&w, &f, "dropped");
    world_pass(&w, 2 * SECOND);
    settle_down();
    ck_assert(!is_there("acme@2026-11-24"));
    finish();
}
END_TEST

/* A hold of nothing names its account all the same. */
START_TEST(a_hold_of_nothing_keeps_its_account_too)
{
    struct policy_file p = {0};
    world_price(&p, 0, 0, 0);
    world_rule(&p, "acme")->budget = budget(PERIOD_DAY, EUR);
    world_init(&w, NULL);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
    uint64_t job = world_submit(&w, "acme", world_spec(1000, GIB));
    settle_down();
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").held_micros, 0);
    int64_t again;
    struct fact f = {0};
    ck_assert(!ledger_closing(core_ledger(w.core), w.now.utc_us + 9 * DAY, &f, &again));
    f = (struct fact){.kind = FACT_ACCOUNTS_CLOSED, .at_utc_us = w.now.utc_us + 9 * DAY};
    struct closed_account *c = list_add(&f.accounts_closed.accounts, sizeof *c);
    MUST(str_set(&c->account, "acme@2026-11-24") == 0);
    ck_assert_uint_eq(ledger_check(core_ledger(w.core), &f, NULL), LEDGER_IN_USE);
    ck_assert(world_run(&w, job, 0));
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(ledger_check(core_ledger(w.core), &f, NULL), LEDGER_FITS);
    f.at_utc_us = w.now.utc_us;
    ck_assert_uint_eq(ledger_check(core_ledger(w.core), &f, NULL), LEDGER_BAD); /* its day isn't over */
    fact_clear(&f);
    finish();
}
END_TEST

/* ---- keys --------------------------------------------------------------------------------------------- */

static int adjust(const char *tenant, const char *key, bool *ret_existed)
{
    struct adjust_call call = {.tenant = (char *)(uintptr_t)tenant, .key = (char *)(uintptr_t)key, .micros = -5,
                               .reason = (char *)(uintptr_t)"sorry"};
    struct fact facts[8];
    size_t count;
    struct adjust_reply reply = {0};
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_adjust(w.core, &call, "root", w.now, facts, COUNT_OF(facts), &count, &reply, &w.refusal);
    for (size_t i = 0; rc == CORE_FACT && i < count; i++)
        world_commit(&w, &facts[i]);
    *ret_existed = reply.existed;
    fields_clear(&adjust_reply_fields, &reply);
    return rc;
}

static void restart(bool from_snapshot)
{
    struct core *again = from_snapshot ? world_restored(&w, NULL) : world_replayed(&w, NULL);
    ck_assert_uint_eq(core_hash(again), core_hash(w.core));
    core_free(w.core);
    w.core = again;
}

static void move(const char *from, const char *to)
{
    struct move_call call = {.from = (char *)(uintptr_t)from, .to = (char *)(uintptr_t)to};
    struct apply_reply reply;
    struct fact f;
    ck_assert_int_eq(core_check_move(w.core, &call, "root", w.now, &f, &reply, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    fields_clear(&apply_reply_fields, &reply);
}

START_TEST(a_key_goes_along_with_its_tenant)
{
    bool existed;
    begin();
    ck_assert_int_eq(adjust("acme/etl", "outage", &existed), CORE_FACT);
    ck_assert(!existed);
    move("acme/etl", "globex/etl");
    restart(_i == 1);
    move("globex", "initech/globex"); /* and with the one above */
    ck_assert_int_eq(adjust("initech/globex/etl", "outage", &existed), CORE_FACT);
    ck_assert(existed);
    ck_assert_int_eq(adjust("acme/etl", "outage", &existed), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "not_found");
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, -5);
    /* Who comes to bear the old name is somebody else. */
    move("initech/globex", "globex");
    move("globex/etl", "acme/lte");
    move("initech", "acme/etl");
    restart(_i == 1);
    ck_assert_int_eq(adjust("acme/etl", "outage", &existed), CORE_FACT);
    ck_assert(!existed);
    ck_assert_int_eq(adjust("acme/lte", "outage", &existed), CORE_FACT);
    ck_assert(existed);
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, -10);
    finish();
}
END_TEST

START_TEST(a_key_is_known_until_three_months_were_closed)
{
    bool existed;
    begin();
    ck_assert_int_eq(adjust("acme", "k", &existed), CORE_FACT);
    for (int closed = 0; closed < 3; closed++) {
        ck_assert_uint_eq(ledger_periods_closed(core_ledger(w.core)), (uint32_t)closed);
        ck_assert_uint_eq(ledger_adjusted_count(core_ledger(w.core)), 1);
        ck_assert_int_eq(adjust("acme", "k", &existed), CORE_FACT);
        ck_assert(existed);
        restart(closed == 1);
        world_pass(&w, (closed == 0 ? 9 : 31) * DAY); /* 3rd of December, of January, of February */
        settle_down();
    }
    ck_assert_uint_eq(ledger_periods_closed(core_ledger(w.core)), 3);
    ck_assert_uint_eq(ledger_adjusted_count(core_ledger(w.core)), 0);
    ck_assert_int_eq(adjust("acme", "k", &existed), CORE_FACT);
    ck_assert(!existed); /* another one, by now */
    finish();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("closing");
    TCase *t = tcase_create("closing");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, four_hundred_days_of_daily_budgets_leave_a_handful_of_accounts);
    tcase_add_test(t, what_is_left_is_carried_over_whatever_was_closed);
    tcase_add_test(t, what_may_still_be_carried_over_stays);
    tcase_add_test(t, a_fixed_window_stays_for_as_long_as_its_budget);
    tcase_add_test(t, an_account_stays_while_anything_is_held_on_it);
    tcase_add_test(t, what_is_due_wakes_the_core_and_a_refusal_is_tried_again);
    tcase_add_test(t, a_hold_of_nothing_keeps_its_account_too);
    tcase_add_loop_test(t, a_key_goes_along_with_its_tenant, 0, 2);
    tcase_add_test(t, a_key_is_known_until_three_months_were_closed);
    suite_add_tcase(s, t);
    return run_suite(s);
}
