#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static struct policy_file base(void)
{
    struct policy_file p = {0};
    ck_assert_int_eq(str_set(&p.currency, "EUR"), 0);
    world_price(&p, 0, 36 * EUR / 10, 0);
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->quota.max.cpu_milli = 8000;
    rule->budget = (struct budget_rule){.present = true, .limit_micros = 400 * EUR, .period = PERIOD_MONTH};
    rule = world_rule(&p, "acme/etl");
    ck_assert_int_eq(strs_add(&rule->users, "alice"), 0);
    return p;
}

static void begin(void)
{
    struct policy_file p = base();
    world_init(&w, NULL);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 16, 64 * GIB);
}

/* What would change, as lines; "" when nothing would. Takes p. */
static const char *lines(struct policy_file *p)
{
    static char text[1024];
    struct apply_call call = {.policy = *p, .dry_run = true};
    struct apply_reply reply = {0};
    struct fact f;
    text[0] = '\0';
    ck_assert_msg(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal) == CORE_FACT, "%s",
                  w.refusal.message);
    ck_assert_int_eq(f.kind, FACT_NONE);
    for (size_t i = 0; i < reply.changes.count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s\n", reply.changes.v[i]);
    }
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&policy_file_fields, p);
    return text;
}

static void refused(struct policy_file *p, const char *code, const char *where)
{
    uint64_t hash = core_hash(w.core);
    ck_assert_int_eq(world_apply(&w, p), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, code);
    ck_assert_str_eq(w.refusal.where, where);
    ck_assert_uint_eq(core_hash(w.core), hash);
}

START_TEST(the_same_policy_changes_nothing)
{
    begin();
    struct policy_file p = base();
    ck_assert_str_eq(lines(&p), "");
    size_t facts = w.journal.count;
    p = base();
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert_uint_eq(w.journal.count, facts);
    world_fini(&w);
}
END_TEST

START_TEST(what_is_in_force_reads_back_as_it_was_given)
{
    begin();
    struct policy_reply r;
    ck_assert_int_eq(core_policy(w.core, &r), 0);
    ck_assert_uint_eq(r.version, 1);
    ck_assert_str_eq(lines(&r.policy), "");
    fields_clear(&policy_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(differences_are_shown_before_they_are_made)
{
    begin();
    struct policy_file p = base();
    struct tenant_rule *rules = p.tenants.v;
    rules[0].budget.limit_micros = 500 * EUR;
    ck_assert_int_eq(strs_add(&rules[1].users, "bob"), 0);
    struct tenant_rule *ml = world_rule(&p, "acme/ml");
    ml->quota.max.mem_bytes = 64 * GIB;
    ml->weight = 2;
    world_price(&p, WORLD_START_UTC + HOUR, 50000, 0);
    ck_assert_str_eq(lines(&p), "+ prices from 2026-11-24T01:00:00Z  cpu 0.05\n"
                                "~ acme  budget.limit  400.00 -> 500.00\n"
                                "~ acme/etl  users  alice -> alice bob\n"
                                "+ acme/ml  quota.memory 64Gi, weight 2\n");
    p = (struct policy_file){0};
    world_price(&p, 0, 36 * EUR / 10, 0);
    ck_assert_str_eq(lines(&p), "- acme\n- acme/etl\n");
    world_fini(&w);
}
END_TEST

/* "acme 300, acme/etl 200 50%": what a node is told; "whole: " before it. */
static const char *shares(const char *node, const char *tenant)
{
    static char text[512];
    struct shares_call call;
    core_shares(w.core, node, tenant, &call);
    const struct io_share *v = call.tenants.v;
    int at = snprintf(text, sizeof text, "%s", call.whole ? "whole: " : "");
    for (size_t i = 0; i < call.tenants.count; i++) {
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%s %u", i > 0 ? ", " : "", v[i].tenant, v[i].is.weight);
        if (v[i].is.reserved_percent > 0)
            at += snprintf(text + at, sizeof text - (size_t)at, " %u%%", v[i].is.reserved_percent);
    }
    fields_clear(&shares_call_fields, &call);
    return text;
}

START_TEST(a_node_is_told_the_shares_of_those_who_are_there_and_above)
{
    begin();
    struct policy_file p = base();
    ((struct tenant_rule *)p.tenants.v)[0].weight = 3; /* acme: and of disks, as it says nothing else */
    ((struct tenant_rule *)p.tenants.v)[1].io = (struct io_rule){.weight = 200, .reserved_percent = 50};
    struct tenant_rule *rule = world_rule(&p, "acme/ml");
    rule->weight = 5;
    rule->io.weight = 7; /* what it says of disks counts there */
    rule = world_rule(&p, "labs");
    rule->weight = WEIGHT_MAX;
    (void)world_rule(&p, "other");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert_str_eq(shares("n1", NULL), "whole: "); /* nobody is there */
    ck_assert_str_eq(shares("nowhere", NULL), "whole: ");
    (void)world_submit(&w, "acme/etl", world_spec(1000, GIB));
    (void)world_submit(&w, "acme/etl", world_spec(1000, GIB));
    (void)world_submit(&w, "other", world_spec(1000, GIB));
    (void)world_decide(&w);
    ck_assert_str_eq(shares("n1", NULL), "whole: acme 300, acme/etl 200 50%");
    ck_assert_str_eq(shares("n1", "acme/ml"), "acme 300, acme/ml 7");
    ck_assert_str_eq(shares("n1", "labs"), "labs 10000");
    ck_assert_str_eq(shares("n1", "other"), "");
    ck_assert_str_eq(shares("n1", "nobody"), "");
    world_fini(&w);
}
END_TEST

START_TEST(a_tenant_with_work_cannot_be_removed)
{
    begin();
    uint64_t job = world_submit(&w, "acme/etl", world_spec(1000, GIB));
    struct policy_file p = {0};
    world_price(&p, 0, 36 * EUR / 10, 0);
    (void)world_rule(&p, "acme");
    refused(&p, "state", "acme/etl");
    (void)world_decide(&w);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    p = (struct policy_file){0};
    world_price(&p, 0, 36 * EUR / 10, 0);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    struct job_view v = world_view(&w, job); /* what it did is still known */
    ck_assert_str_eq(v.row.tenant, "acme/etl");
    fields_clear(&job_view_fields, &v);
    world_fini(&w);
}
END_TEST

START_TEST(once_something_was_charged_the_past_keeps_its_prices_and_its_currency)
{
    begin();
    struct policy_file p = base();
    ((struct price_version *)p.prices.v)[0].from_utc_us = 1000000;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT); /* nothing was charged yet */
    p = base();
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    uint64_t job = world_submit(&w, "acme", world_spec(1000, GIB));
    (void)world_decide(&w);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    p = base();
    ((struct price_version *)p.prices.v)[0].per_hour.v[0].value++;
    refused(&p, "state", "prices");
    p = base();
    world_price(&p, WORLD_START_UTC - HOUR, 1, 0);
    refused(&p, "state", "prices");
    p = base();
    ck_assert_int_eq(str_set(&p.currency, "USD"), 0);
    refused(&p, "state", "currency");
    p = base();
    world_price(&p, WORLD_START_UTC + HOUR, 1, 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT); /* the future is free to change */
    p = base();
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_fini(&w);
}
END_TEST

START_TEST(a_version_seen_before_is_needed_when_one_is_named)
{
    begin();
    struct apply_call call = {.policy = base(), .if_version = 7};
    struct apply_reply reply;
    struct fact f;
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "stale_version");
    fields_clear(&policy_file_fields, &call.policy);
    world_fini(&w);
}
END_TEST

START_TEST(two_changes_are_not_in_flight_together)
{
    begin();
    struct apply_call call = {.policy = base()};
    ((struct tenant_rule *)call.policy.tenants.v)[0].quota.max_running = 5;
    struct apply_reply reply, second;
    struct fact f, g;
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal), CORE_FACT);
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &g, &second, &w.refusal), CORE_LATER);
    world_commit(&w, &f);
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &g, &second, &w.refusal), CORE_FACT);
    ck_assert_int_eq(g.kind, FACT_NONE);
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&apply_reply_fields, &second);
    fields_clear(&policy_file_fields, &call.policy);
    world_fini(&w);
}
END_TEST

START_TEST(a_lower_limit_admits_nothing_new_and_stops_nothing_that_is_paid)
{
    begin();
    uint64_t job = world_submit(&w, "acme", world_spec(1000, GIB));
    (void)world_decide(&w);
    struct policy_file p = base();
    ((struct tenant_rule *)p.tenants.v)[0].budget.limit_micros = EUR / 10;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 1000;
    (void)world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_is(&w, job, "running"));
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err.text);
    world_fini(&w);
}
END_TEST

START_TEST(admins_are_root_and_who_is_named)
{
    begin();
    struct policy_file p = base();
    ck_assert(strs_add(&p.admins, "ops") == 0 && strs_add(&p.admins, "uid:77") == 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert(core_user_is_admin(w.core, "root", 0));
    ck_assert(core_user_is_admin(w.core, "ops", 500));
    ck_assert(core_user_is_admin(w.core, NULL, 77));
    ck_assert(!core_user_is_admin(w.core, "alice", 501));
    ck_assert(core_user_may(w.core, "alice", 501, "acme/etl"));
    ck_assert(!core_user_may(w.core, "alice", 501, "acme"));
    ck_assert_str_eq(core_user_tenant(w.core, "alice", 501), "acme/etl");
    world_fini(&w);
}
END_TEST

/* ---- budgets ---------------------------------------------------------------------------------------- */

#define DAYS(n) (WORLD_START_UTC + (n) * 24 * HOUR)

static const struct {
    const char *where;
    struct budget_rule rule;
} bad_budgets[] = {
    {"from", {.period = PERIOD_MONTH, .from_utc_us = DAYS(0)}},
    {"to", {.period = PERIOD_CUSTOM, .from_utc_us = DAYS(0), .to_utc_us = DAYS(1), .every_days = 2}},
    {"every_days", {.period = PERIOD_DAY, .every_days = 2}},
    {"every_days", {.period = PERIOD_CUSTOM, .from_utc_us = DAYS(0)}},
    {"from", {.period = PERIOD_CUSTOM, .from_utc_us = DAYS(0) + HOUR, .every_days = 2}},
    {"to", {.period = PERIOD_FIXED, .from_utc_us = DAYS(1), .to_utc_us = DAYS(1)}},
    {"from", {.period = PERIOD_FIXED, .to_utc_us = DAYS(1)}},
    {"carry", {.period = PERIOD_TOTAL, .carry = CARRY_ALL}},
    {"carry", {.period = PERIOD_FIXED, .from_utc_us = DAYS(0), .to_utc_us = DAYS(1), .carry = CARRY_ALL}},
    {"carry_max", {.period = PERIOD_DAY, .carry = CARRY_CAPPED}},
    {"carry_max", {.period = PERIOD_DAY, .carry = CARRY_ALL, .carry_max_micros = 1}},
    {"zone", {.period = PERIOD_TOTAL, .zone = (char *)(uintptr_t)"UTC"}},
    {"zone", {.period = PERIOD_DAY, .zone = (char *)(uintptr_t)"../etc/passwd"}},
    {"resource", {.period = PERIOD_DAY, .resource = (char *)(uintptr_t)"cpu"}},
};

START_TEST(a_budget_that_makes_no_sense_is_refused_by_the_name_of_its_key)
{
    begin();
    char where[80];
    struct policy_file p = base();
    struct budget_rule *b = &((struct tenant_rule *)p.tenants.v)[0].budget;
    struct budget_rule copy;
    ck_assert_int_eq(fields_copy(&budget_rule_fields, &bad_budgets[_i].rule, &copy), 0);
    copy.present = true;
    *b = copy;
    snprintf(where, sizeof where, "tenants.acme.budget.%s", bad_budgets[_i].where);
    refused(&p, "bad_request", where);
    world_fini(&w);
}
END_TEST

static struct budget_rule *named(struct policy_file *p, const char *name)
{
    struct tenant_rule *acme = &((struct tenant_rule *)p->tenants.v)[0];
    struct budget_rule *b = list_add(&acme->budgets, sizeof *b);
    ck_assert_int_eq(str_set(&b->name, name), 0);
    b->limit_micros = 10 * EUR;
    b->period = PERIOD_WEEK;
    return b;
}

START_TEST(a_budget_of_io_says_what_to_write_instead)
{
    begin();
    struct policy_file p = base();
    ck_assert_int_eq(str_set(&named(&p, "disk")->resource, RESOURCE_IO), 0);
    refused(&p, "bad_request", "tenants.acme.budgets.disk.resource");
    ck_assert_msg(strstr(w.refusal.message, "per_gib.io") != NULL, "%s", w.refusal.message);
    world_fini(&w);
}
END_TEST

START_TEST(names_of_budgets_are_names_and_differ)
{
    begin();
    struct policy_file p = base();
    (void)named(&p, "A b");
    refused(&p, "bad_request", "tenants.acme.budgets.A b");
    p = base();
    (void)named(&p, "b");
    (void)named(&p, "b");
    refused(&p, "bad_request", "tenants.acme.budgets.b");
    p = base();
    struct budget_rule *b = named(&p, "b");
    struct threshold_rule *t = list_add(&b->thresholds, sizeof *t);
    *t = (struct threshold_rule){80, THRESHOLD_SPENT};
    t = list_add(&b->thresholds, sizeof *t);
    *t = (struct threshold_rule){80, THRESHOLD_SPENT};
    refused(&p, "bad_request", "tenants.acme.budgets.b.thresholds");
    p = base();
    b = named(&p, "b");
    b->soft = true;
    b->carry = CARRY_CAPPED;
    b->carry_max_micros = EUR;
    ck_assert_int_eq(str_set(&b->resource, "gpu"), 0);
    ck_assert_str_eq(lines(&p), "~ acme  budgets  none -> (b gpu 10.00 soft week carry capped 1.00)\n");
    world_fini(&w);
}
END_TEST

START_TEST(a_zone_comes_from_the_machine_and_stays_in_the_policy)
{
    begin();
    struct zone_table west = {.name = (char *)(uintptr_t)"America/New_York"};
    struct zone_shift shift = {0, -5 * 3600};
    west.shifts = (struct list){&shift, 1};
    struct policy_file p = base();
    struct budget_rule *b = &((struct tenant_rule *)p.tenants.v)[0].budget;
    ck_assert_int_eq(str_set(&b->zone, west.name), 0);
    refused(&p, "bad_request", "zone"); /* nobody offered it */
    core_offer_zones(w.core, &(struct list){&west, 1});
    p = base();
    b = &((struct tenant_rule *)p.tenants.v)[0].budget;
    ck_assert_int_eq(str_set(&b->zone, west.name), 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert_int_eq(zone_offset(ledger_zone(core_ledger(w.core), west.name), 0), -5 * 3600);
    /* The machine forgets it: the policy doesn't. */
    core_offer_zones(w.core, &(struct list){0});
    p = base();
    b = &((struct tenant_rule *)p.tenants.v)[0].budget;
    ck_assert_int_eq(str_set(&b->zone, west.name), 0);
    ck_assert_str_eq(lines(&p), "");
    /* It learns better: a change. */
    shift.offset_s = -4 * 3600;
    core_offer_zones(w.core, &(struct list){&west, 1});
    p = base();
    b = &((struct tenant_rule *)p.tenants.v)[0].budget;
    ck_assert_int_eq(str_set(&b->zone, west.name), 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    ck_assert_int_eq(zone_offset(ledger_zone(core_ledger(w.core), west.name), 0), -4 * 3600);
    struct core *again = world_restored(&w, NULL);
    ck_assert_uint_eq(core_hash(again), core_hash(w.core));
    core_free(again);
    world_fini(&w);
}
END_TEST

START_TEST(a_budget_can_not_turn_from_money_into_time)
{
    begin();
    struct policy_file p = base();
    (void)named(&p, "b");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    p = base();
    ck_assert_int_eq(str_set(&named(&p, "b")->resource, "cpu"), 0);
    refused(&p, "state", "resource");
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core policy");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, the_same_policy_changes_nothing);
    tcase_add_test(t, what_is_in_force_reads_back_as_it_was_given);
    tcase_add_test(t, differences_are_shown_before_they_are_made);
    tcase_add_test(t, a_node_is_told_the_shares_of_those_who_are_there_and_above);
    tcase_add_test(t, a_tenant_with_work_cannot_be_removed);
    tcase_add_test(t, once_something_was_charged_the_past_keeps_its_prices_and_its_currency);
    tcase_add_test(t, a_version_seen_before_is_needed_when_one_is_named);
    tcase_add_test(t, two_changes_are_not_in_flight_together);
    tcase_add_test(t, a_lower_limit_admits_nothing_new_and_stops_nothing_that_is_paid);
    tcase_add_test(t, admins_are_root_and_who_is_named);
    tcase_add_loop_test(t, a_budget_that_makes_no_sense_is_refused_by_the_name_of_its_key, 0,
                        (int)COUNT_OF(bad_budgets));
    tcase_add_test(t, a_budget_of_io_says_what_to_write_instead);
    tcase_add_test(t, names_of_budgets_are_names_and_differ);
    tcase_add_test(t, a_zone_comes_from_the_machine_and_stays_in_the_policy);
    tcase_add_test(t, a_budget_can_not_turn_from_money_into_time);
    suite_add_tcase(s, t);
    return run_suite(s);
}
