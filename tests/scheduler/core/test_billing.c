/* Billing months in the core: when they are closed, and that every reader of the journal agrees. */
#include <check.h>

#include "base/io/zone.h"
#include "quotas/billing.h"
#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define DAY (24 * HOUR)
#define DECEMBER INT64_C(1796083200000000)
#define JANUARY INT64_C(1798761600000000) /* of 2027 */

static struct world w;

static struct policy_file policy(uint64_t grace_ms, const char *issuer)
{
    struct policy_file p = {0};
    world_price(&p, 0, 36 * EUR / 10, 0);
    world_rule(&p, "acme");
    p.billing = (struct billing_rule){.present = true, .grace_ms = grace_ms};
    if (issuer != NULL)
        ck_assert_int_eq(str_set(&p.billing.issuer, issuer), 0);
    return p;
}

static void begin(uint64_t grace_ms)
{
    struct policy_file p = policy(grace_ms, NULL);
    world_init(&w, NULL);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
}

/* What decide() closes now, committed one after the other: "2026-11 2026-12 ". */
static const char *closes(void)
{
    static char text[512];
    struct fact facts[8];
    text[0] = '\0';
    for (size_t count; (count = core_decide(w.core, w.now, facts, COUNT_OF(facts), &w.next_boot_us)) > 0;)
        for (size_t i = 0; i < count; i++) {
            size_t used = strlen(text);
            if (facts[i].kind == FACT_PERIOD_CLOSED)
                snprintf(text + used, sizeof text - used, "%s ", facts[i].period_closed.period);
            world_commit(&w, &facts[i]);
        }
    return text;
}

static void at(int64_t utc_us)
{
    world_pass(&w, utc_us - w.now.utc_us);
}

START_TEST(a_month_is_closed_when_its_grace_is_over)
{
    begin(0); /* the default: a day */
    ck_assert_str_eq(closes(), "");
    ck_assert_uint_eq(w.next_boot_us, w.now.boot_us + (uint64_t)(DECEMBER + DAY - w.now.utc_us));
    at(DECEMBER + DAY - 1);
    ck_assert_str_eq(closes(), "");
    at(DECEMBER + DAY);
    ck_assert_str_eq(closes(), "2026-11 ");
    ck_assert_str_eq(closes(), "");
    ck_assert_uint_eq(w.next_boot_us, w.now.boot_us + (uint64_t)(JANUARY - DECEMBER));
    world_fini(&w);
}
END_TEST

START_TEST(the_grace_is_the_policys)
{
    begin(3600000);
    at(DECEMBER + HOUR - 1);
    ck_assert_str_eq(closes(), "");
    at(DECEMBER + HOUR);
    ck_assert_str_eq(closes(), "2026-11 ");
    world_fini(&w);
}
END_TEST

START_TEST(months_that_passed_unseen_are_closed_one_after_the_other)
{
    begin(0);
    at(JANUARY + 40 * DAY);
    ck_assert_str_eq(closes(), "2026-11 2026-12 2027-01 ");
    struct fact first = {0};
    const struct bytes *b = &((const struct bytes *)w.journal.v)[w.journal.count - 2];
    ck_assert_int_eq(fact_decode(b->data, b->len, &first, NULL), 0);
    ck_assert_int_eq(first.period_closed.from_utc_us, DECEMBER);
    ck_assert_int_eq(first.period_closed.to_utc_us, JANUARY);
    fact_clear(&first);
    world_fini(&w);
}
END_TEST

START_TEST(while_it_is_being_closed_it_is_not_closed_again)
{
    struct fact f, again;
    uint64_t next;
    begin(0);
    at(DECEMBER + DAY);
    ck_assert_uint_eq(core_decide(w.core, w.now, &f, 1, &next), 1);
    ck_assert_uint_eq(core_decide(w.core, w.now, &again, 1, &next), 0);
    world_refuse(&w, &f, "dropped");
    ck_assert_uint_eq(core_decide(w.core, w.now, &f, 1, &next), 1);
    ck_assert_uint_eq(f.kind, FACT_PERIOD_CLOSED);
    world_commit(&w, &f);
    world_fini(&w);
}
END_TEST

START_TEST(only_the_first_open_month_can_be_closed)
{
    struct err err = {0};
    char november[] = "2026-11", december[] = "2026-12";
    begin(0);
    struct fact f = {.kind = FACT_PERIOD_CLOSED, .at_utc_us = JANUARY};
    f.period_closed = (struct fact_period_closed){december, DECEMBER, JANUARY};
    ck_assert_int_lt(core_apply_check(w.core, &f, &err), 0);
    f.period_closed = (struct fact_period_closed){november, DECEMBER, JANUARY};
    ck_assert_int_lt(core_apply_check(w.core, &f, &err), 0);
    f.period_closed = (struct fact_period_closed){NULL, DECEMBER - 30 * DAY, DECEMBER};
    ck_assert_int_lt(core_apply_check(w.core, &f, &err), 0);
    f.period_closed = (struct fact_period_closed){november, DECEMBER - 30 * DAY, DECEMBER - 30 * DAY};
    ck_assert_int_lt(core_apply_check(w.core, &f, &err), 0);
    f.period_closed = (struct fact_period_closed){november, DECEMBER - 30 * DAY, DECEMBER};
    ck_assert_int_eq(core_apply_check(w.core, &f, &err), 0);
    world_fini(&w);
}
END_TEST

START_TEST(snapshot_and_replay_have_the_same_months)
{
    begin(3600000);
    at(DECEMBER + HOUR);
    ck_assert_str_eq(closes(), "2026-11 ");
    struct core *restored = world_restored(&w, NULL), *replayed = world_replayed(&w, NULL);
    ck_assert_uint_eq(core_hash(restored), core_hash(w.core));
    ck_assert_uint_eq(core_hash(replayed), core_hash(w.core));
    at(JANUARY + HOUR);
    struct fact f;
    uint64_t next;
    ck_assert_uint_eq(core_decide(restored, w.now, &f, 1, &next), 1);
    ck_assert_str_eq(f.period_closed.period, "2026-12");
    fact_clear(&f);
    core_free(restored);
    core_free(replayed);
    world_fini(&w);
}
END_TEST

static struct fact fact_zone(const char *name, uint64_t version)
{
    struct fact f = {.kind = FACT_POLICY_SET, .at_utc_us = w.now.utc_us};
    struct err err = {0};
    f.policy.version = version;
    f.policy.set_billing = true;
    f.policy.billing.present = true;
    ck_assert_int_eq(str_set(&f.policy.billing.zone, name), 0);
    struct zone_table *z = list_add(&f.policy.zones, sizeof *z);
    ck_assert_msg(z != NULL && zone_read(name, z, &err) == 0, "%s", err_text(&err));
    return f;
}

START_TEST(months_end_at_midnight_of_the_billing_zone)
{
    world_init(&w, NULL);
    struct fact f = fact_zone("Europe/Berlin", 1);
    world_commit(&w, &f);
    at(DECEMBER - HOUR + DAY - 1);
    ck_assert_str_eq(closes(), "");
    at(DECEMBER - HOUR + DAY);
    ck_assert_str_eq(closes(), "2026-11 ");
    struct core *restored = world_restored(&w, NULL);
    ck_assert_uint_eq(core_hash(restored), core_hash(w.core));
    core_free(restored);
    world_fini(&w);
}
END_TEST

START_TEST(a_zone_without_offsets_is_no_fact)
{
    struct err err = {0};
    world_init(&w, NULL);
    struct fact f = fact_zone("Europe/Berlin", 1);
    fields_clear(&zone_table_fields, f.policy.zones.v);
    f.policy.zones.count = 0;
    ck_assert_int_lt(core_apply_check(w.core, &f, &err), 0);
    fact_clear(&f);
    world_fini(&w);
}
END_TEST

/* ---- the policy -------------------------------------------------------------------------------------------------- */
START_TEST(the_billing_section_changes_alone)
{
    static const char *const expected[] = {"~ billing.grace  1d -> 2h", "~ billing.issuer  none -> ACME Platform"};
    begin(0);
    struct apply_call call = {.policy = policy(7200000, "ACME Platform"), .dry_run = true};
    struct apply_reply reply = {0};
    struct fact f;
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &f, &reply, &w.refusal), CORE_FACT);
    ck_assert_uint_eq(reply.changes.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        ck_assert_str_eq(reply.changes.v[i], expected[i]);
    fields_clear(&apply_reply_fields, &reply);
    ck_assert_int_eq(world_apply(&w, &call.policy), CORE_FACT);
    struct policy_reply read;
    ck_assert_int_eq(core_policy(w.core, &read), 0);
    ck_assert_uint_eq(read.policy.billing.grace_ms, 7200000);
    ck_assert_str_eq(read.policy.billing.issuer, "ACME Platform");
    fields_clear(&policy_reply_fields, &read);
    world_fini(&w);
}
END_TEST

START_TEST(the_zone_stays_once_a_month_was_closed)
{
    begin(0);
    at(DECEMBER + DAY);
    ck_assert_str_eq(closes(), "2026-11 ");
    struct policy_file p = policy(0, NULL);
    ck_assert_int_eq(str_set(&p.billing.zone, "UTC"), 0); /* another name of what it is */
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    p = policy(0, NULL);
    ck_assert_int_eq(str_set(&p.billing.zone, "../etc/passwd"), 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "bad_request");
    p = policy(0, NULL);
    ck_assert_int_eq(str_set(&p.billing.zone, "Europe/Berlin"), 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "state");
    ck_assert_str_eq(w.refusal.where, "billing.zone");
    world_fini(&w);
}
END_TEST

static Suite *billing_suite(void)
{
    Suite *s = suite_create("core billing");
    TCase *t = tcase_create("billing");
    tcase_add_test(t, a_month_is_closed_when_its_grace_is_over);
    tcase_add_test(t, the_grace_is_the_policys);
    tcase_add_test(t, months_that_passed_unseen_are_closed_one_after_the_other);
    tcase_add_test(t, while_it_is_being_closed_it_is_not_closed_again);
    tcase_add_test(t, only_the_first_open_month_can_be_closed);
    tcase_add_test(t, snapshot_and_replay_have_the_same_months);
    tcase_add_test(t, months_end_at_midnight_of_the_billing_zone);
    tcase_add_test(t, a_zone_without_offsets_is_no_fact);
    tcase_add_test(t, the_billing_section_changes_alone);
    tcase_add_test(t, the_zone_stays_once_a_month_was_closed);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return run_suite(billing_suite());
}
