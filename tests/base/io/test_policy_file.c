/* The policy as people write it: bounds where 0 is an amount, through YAML, JSON and the journal's bytes. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/io/json.h"
#include "base/io/yaml.h"
#include "base/policy.h"
#include "tests/run.h"

static const char text[] = "tenants:\n"
                           "  acme:\n"
                           "    quota:\n"
                           "      guaranteed: {cpu: 2.5, memory: 4Gi, generic: {gpu: 1}}\n"
                           "      borrow: {cpu: 0, memory: 512Mi}\n"
                           "      lend: {generic: {gpu: 0}}\n"
                           "      starts_per_minute: 10\n";

static struct policy_file read_text(const char *from)
{
    struct policy_file p = {0};
    struct err err = {0};
    ck_assert_msg(yaml_read(&policy_file_fields, "t", from, strlen(from), &p, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(policy_file_check(&p, &err) == 0, "%s", err_text(&err));
    return p;
}

START_TEST(zero_is_a_bound_and_absence_is_none)
{
    struct policy_file p = read_text(text);
    const struct quota_rule *q = &((const struct tenant_rule *)p.tenants.v)[0].quota;
    ck_assert_uint_eq(q->guaranteed.cpu_milli, 2500);
    ck_assert(is_measured(q->borrow.cpu_milli) && measured(q->borrow.cpu_milli) == 0);
    ck_assert_uint_eq(measured(q->borrow.mem_bytes), 512 << 20);
    ck_assert(!is_measured(q->borrow.scratch_bytes) && !is_measured(q->lend.cpu_milli));
    ck_assert_uint_eq(q->lend.generic.count, 1);
    fields_clear(&policy_file_fields, &p);
}
END_TEST

START_TEST(every_form_reads_back_what_was_written)
{
    struct policy_file p = read_text(text), again = {0};
    struct err err = {0};
    struct buf out = {0};
    ck_assert_int_eq(yaml_write(&policy_file_fields, &p, &out), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "memory: 512Mi"));
    again = read_text(buf_text(&out));
    ck_assert(fields_equal(&policy_file_fields, &p, &again));
    fields_clear(&policy_file_fields, &again);
    buf_reset(&out);
    ck_assert_int_eq(json_write(&policy_file_fields, &p, &out), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\"borrow\":{\"cpu\":\"0\",\"memory\":536870912}"));
    ck_assert_int_eq(json_read(&policy_file_fields, out.data, out.len, JSON_STRICT, &again, &err), 0);
    ck_assert(fields_equal(&policy_file_fields, &p, &again));
    fields_clear(&policy_file_fields, &again);
    buf_reset(&out);
    fields_encode(&policy_file_fields, &p, &out);
    ck_assert_int_eq(fields_decode(&policy_file_fields, out.data, out.len, &again, &err), 0);
    ck_assert(fields_equal(&policy_file_fields, &p, &again));
    fields_clear(&policy_file_fields, &again);
    fields_clear(&policy_file_fields, &p);
    buf_fini(&out);
}
END_TEST

static const struct { const char *quota, *error; } bad[] = {
    {"borrow: {cpu: -1}", "t:3:27: tenants.acme.quota.borrow.cpu: '-1' is not a number of cores; write 2, 0.5 or 250m"},
    {"borrow: {memory: 2Pi}", "t:3:30: tenants.acme.quota.borrow.memory: 2Pi is above 1Pi"},
    {"lend: {disk: 1}", "t:3:20: tenants.acme.quota.lend.disk: unknown key; known here: cpu, memory, scratch, generic"},
    {"starts_per_minute: 10000001", "t:3:32: tenants.acme.quota.starts_per_minute: 10000001 is above 10000000"},
};

START_TEST(what_is_no_bound_is_refused_by_place)
{
    struct policy_file p = {0};
    struct err err = {0};
    char from[200];
    snprintf(from, sizeof from, "tenants:\n  acme:\n    quota: {%s}\n", bad[_i].quota);
    ck_assert_int_lt(yaml_read(&policy_file_fields, "t", from, strlen(from), &p, &err), 0);
    ck_assert_str_eq(err_text(&err), bad[_i].error);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/io/policy_file");
    TCase *t = tcase_create("policy_file");
    tcase_add_test(t, zero_is_a_bound_and_absence_is_none);
    tcase_add_test(t, every_form_reads_back_what_was_written);
    tcase_add_loop_test(t, what_is_no_bound_is_refused_by_place, 0, COUNT_OF(bad));
    suite_add_tcase(s, t);
    return run_suite(s);
}
