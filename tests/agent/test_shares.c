/* The operator's file of shares: what counts, what is refused and how it is said. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shares.h"
#include "base/io/fd.h"
#include "tests/scratch.h"

static struct scratch scratch;
static struct loop *loop;
static struct fair *fair;

static void setup(void)
{
    struct err err = {0};
    scratch = scratch_new();
    ck_assert_int_eq(chdir(scratch.dir), 0);
    ck_assert_int_eq(mkdir("node", 0700), 0);
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(fair_new(&fair, loop, NULL, &err), 0);
}

static void teardown(void)
{
    fair_free(fair);
    loop_free(loop);
    ck_assert_int_eq(chdir("/"), 0);
    scratch_remove(&scratch);
}

static int load(const char *text, struct err *err)
{
    ck_assert_int_eq(file_write_durable(SHARES_PATH, text, strlen(text), 0600, err), 0);
    return shares_load(fair, err);
}

static size_t count(struct arbiter_view views[8])
{
    size_t n = 0;
    for (uint32_t at = 0; n < 8 && arbiter_next_view(fair_arbiter(fair), &at, &views[n]);)
        n++;
    return n;
}

START_TEST(what_it_says_counts)
{
    struct err err = {0};
    struct arbiter_view v[8];
    ck_assert_int_eq(shares_load(fair, &err), 0); /* no file */
    ck_assert_uint_eq(count(v), 0);
    ck_assert_msg(load("tenants:\n"
                       "  acme/etl: {weight: 300, reserved_percent: 20}\n"
                       "  acme/web: {limit_percent: 50, bytes_per_s: 100Mi, ops_per_s: 2000}\n", &err) == 0,
                  "%s", err.text);
    ck_assert_uint_eq(count(v), 2);
    ck_assert_str_eq(v[0].tenant, "acme/etl");
    ck_assert(v[0].share.weight == 300 && v[0].share.reserved_ppm == 200000 && v[0].share.limit_ppm == 0);
    ck_assert(v[1].share.weight == arbiter_share_default.weight && v[1].share.limit_ppm == 500000 &&
              v[1].share.bytes_per_s == (uint64_t)100 << 20 && v[1].share.ops_per_s == 2000);
}
END_TEST

static const struct wrong_row {
    const char *text, *says;
} wrong[] = {
    {"tenants: {acme: {weight: 0}}", "node/shares.yaml:1:"},
    {"tenants: {acme: {weight: 10001}}", "node/shares.yaml:1:"},
    {"tenants: {acme: {wieght: 3}}", "node/shares.yaml:1:18: tenants.acme.wieght"},
    {"tenants: {acme: {reserved_percent: 81}}", "node/shares.yaml:1:"},
    {"tenants: {a: {reserved_percent: 50}, b: {reserved_percent: 40}}", "node/shares.yaml: 90 % are reserved together"},
    {"tenants: {'a b': {weight: 1}}", "node/shares.yaml: tenants: 'a b' is not a tenant path"},
    {"tenants: {acme: {bytes_per_s: 5 Gigs}}", "node/shares.yaml:1:"},
    {"tenants: {acme: {weight: 1}, acme: {weight: 2}}", "node/shares.yaml:1:"},
    {"tenants: [", "node/shares.yaml:"},
};

START_TEST(a_mistake_is_named_and_nothing_of_the_file_counts)
{
    struct err err = {0};
    struct arbiter_view v[8];
    ck_assert_int_eq(load(wrong[_i].text, &err), -EINVAL);
    ck_assert_msg(strncmp(err.text, wrong[_i].says, strlen(wrong[_i].says)) == 0, "%s: %s", wrong[_i].text, err.text);
    ck_assert_uint_eq(count(v), 0);
}
END_TEST

START_TEST(its_table_is_sound)
{
    struct err err = {0};
    ck_assert_msg(fields_check_table(&shares_fields, &err) == 0, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/shares");
    TCase *t = tcase_create("shares");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_it_says_counts);
    tcase_add_loop_test(t, a_mistake_is_named_and_nothing_of_the_file_counts, 0, (int)COUNT_OF(wrong));
    tcase_add_test(t, its_table_is_sound);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
