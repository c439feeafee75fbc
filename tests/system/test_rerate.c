/* A mistake in the price book is put right, and what was charged by it: on the whole system. Root. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/suite.h"
#include "tests/system/system.h"

#define CPU_HOUR UINT64_C(36000000)

static const char policy[] = "currency: EUR\n"
                             "admins: [root]\n"
                             "prices:\n"
                             "  - {from: 2026-01-01, per_hour: {cpu: 36.00, memory: 3.60}}\n"
                             "tenants:\n"
                             "  acme: {users: [root], budget: {limit: 1000, period: month}}\n"
                             "  acme/etl: {}\n";

static void run_a_job(const char *tenant)
{
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    uint64_t job = system_submit(tenant, NULL, "{\"command\":\"sleep 0.3\",\"array\":{\"last\":4}}", &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    ck_assert_msg(system_wait(job, 60000, &reply), "job %" PRIu64 " did not end", job);
    ck_assert_str_eq(reply.row.state, "succeeded");
    fields_clear(&wait_reply_fields, &reply);
}

static int64_t spent_in_all(void)
{
    struct tenant_call call = {0};
    struct tenant_reply tenants = {0};
    struct refusal refusal = {0};
    int64_t spent = 0;
    ck_assert_int_eq(system_call(&client_methods[CALL_TENANTS], &call, &tenants, &refusal, 10000), 0);
    for (size_t i = 0; i < tenants.tenants.count; i++) {
        const struct tenant_row *row = &((struct tenant_row *)tenants.tenants.v)[i];
        if (strcmp(row->path, "acme") == 0)
            spent = row->spent_micros;
    }
    fields_clear(&tenant_reply_fields, &tenants);
    return spent;
}

static void cpu_costs(uint64_t micros)
{
    struct policy_reply now = {0};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_POLICY], NULL, &now, &refusal, 10000), 0);
    struct apply_call call = {.policy = now.policy, .past_prices = true};
    struct price_version *prices = call.policy.prices.v;
    ck_assert_int_eq(counts_set(&prices[call.policy.prices.count - 1].per_hour, "cpu", micros), 0);
    for (size_t i = 0; i < call.policy.prices.count; i++)
        prices[i].version = 0;
    ck_assert_msg(system_call(&client_methods[CALL_APPLY], &call, &reply, &refusal, 10000) == 0, "%s", refusal.message);
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&policy_reply_fields, &now);
}

/* What `reeve ledger rerate` says last. */
static char *rerate(const char *options)
{
    static char last[300];
    char command[9000];
    snprintf(command, sizeof command, "%s --dir %s ledger rerate --from 2026-01-01 --to 2100-01-01 %s 2>&1",
             system_program(), system_dir(), options);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    while (fgets(last, sizeof last, f) != NULL)
        ;
    ck_assert_int_eq(pclose(f), 0);
    return last;
}

START_TEST(a_mistake_in_the_book_is_put_right_once)
{
    static const char none[] = "every line costs what was charged\n";
    char text[2000];
    run_a_job("acme");
    run_a_job("acme/etl");
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
    int64_t before = spent_in_all();
    ck_assert_str_eq(rerate(""), none);
    cpu_costs(2 * CPU_HOUR);
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text); /* the reports know of it */
    ck_assert_ptr_nonnull(strstr(rerate("--dry-run"), "would re-rate "));
    ck_assert_int_eq(spent_in_all(), before);
    ck_assert_ptr_nonnull(strstr(rerate(""), "re-rated "));
    int64_t dearer = spent_in_all();
    ck_assert_int_gt(dearer, before);
    const char *again = rerate(""); /* the reports may not know yet: the keys do */
    ck_assert_msg(strcmp(again, none) == 0 || strstr(again, "re-rated 0 lines") != NULL, "%s", again);
    ck_assert_int_eq(spent_in_all(), dearer);
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
    ck_assert_str_eq(rerate(""), none);
    cpu_costs(CPU_HOUR);
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
    ck_assert_ptr_nonnull(strstr(rerate(""), "given back"));
    ck_assert_int_eq(spent_in_all(), before);
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_rerate BUILD\n");
        return 2;
    }
    system_start(argv[1], policy);
    TCase *t = tcase_create("rerate");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_mistake_in_the_book_is_put_right_once);
    Suite *s = suite_create("rerate");
    suite_add_tcase(s, t);
    return suite_run_on_system(s);
}
