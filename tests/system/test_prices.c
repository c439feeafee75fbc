/* What jobs cost by the price book, on the whole system: by what they used, at the preemptible rate. Root. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/suite.h"
#include "tests/system/system.h"

static const char policy[] = "currency: EUR\n"
                             "admins: [root]\n"
                             "prices:\n"
                             "  - from: 2026-01-01\n"
                             "    per_hour: {cpu: 36.00, memory: 3.60}\n"
                             "    discounts: {acme/etl: 50}\n"
                             "    preemptible_percent: 40\n"
                             "    by: {cpu: use}\n"
                             "tenants:\n"
                             "  acme: {users: [root], budget: {limit: 1000, period: month}}\n"
                             "  acme/etl: {}\n";

static struct job_view ran(const char *tenant, const char *spec)
{
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    uint64_t job = system_submit(tenant, NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    ck_assert_msg(system_wait(job, 60000, &reply), "job %" PRIu64 " did not end", job);
    ck_assert_str_eq(reply.row.state, "succeeded");
    fields_clear(&wait_reply_fields, &reply);
    struct job_call call = {.job = job};
    struct job_view view = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_SHOW], &call, &view, &refusal, 10000), 0);
    return view;
}

static const struct charge *line_of(const struct attempt_view *a, const char *resource)
{
    const struct charge *lines = a->charges.v;
    for (size_t i = 0; i < a->charges.count; i++)
        if (strcmp(lines[i].resource, resource) == 0)
            return &lines[i];
    ck_abort_msg("no line of %s", resource);
}

START_TEST(what_was_used_is_what_is_paid)
{
    struct job_view view = ran("acme", "{\"command\":\"i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 1\","
                                       "\"resources\":{\"cpu\":2}}");
    const struct attempt_view *a = view.attempts.v;
    const struct charge *cpu = line_of(a, "cpu"), *memory = line_of(a, "memory");
    ck_assert_uint_eq(cpu->by, PRICE_BY_USE);
    ck_assert_uint_eq(cpu->amount, a->record.usage.cpu_us * 1000 / a->record.run_us);
    ck_assert_uint_gt(cpu->amount, 0);
    ck_assert_uint_lt(cpu->amount, 2000);
    ck_assert_uint_eq(memory->by, PRICE_BY_REQUEST);
    ck_assert_uint_eq(memory->amount, view.spec.resources.mem_bytes);
    ck_assert_int_eq(a->written_off_micros, 0);
    fields_clear(&job_view_fields, &view);
}
END_TEST

START_TEST(discount_and_preemptible_rate_are_in_the_price)
{
    struct job_view view = ran("acme/etl", "{\"command\":[\"true\"],\"preemptible\":true}");
    const struct charge *cpu = line_of(view.attempts.v, "cpu");
    ck_assert_int_eq(cpu->list_price, 36000000);
    ck_assert_int_eq(cpu->price, 36000000 / 2 * 40 / 100);
    ck_assert(cpu->preemptible);
    fields_clear(&job_view_fields, &view);
}
END_TEST

START_TEST(the_report_equals_the_ledger)
{
    char text[2000];
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_prices BUILD\n");
        return 2;
    }
    system_start(argv[1], policy);
    TCase *t = tcase_create("prices");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_was_used_is_what_is_paid);
    tcase_add_test(t, discount_and_preemptible_rate_are_in_the_price);
    tcase_add_test(t, the_report_equals_the_ledger);
    Suite *s = suite_create("prices");
    suite_add_tcase(s, t);
    return suite_run_on_system(s);
}
