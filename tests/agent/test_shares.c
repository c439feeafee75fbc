/* The operator's file of shares: what counts, what is refused and how it is said. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shares.h"
#include "base/io/fd.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct scratch scratch;
static struct loop *loop;
static struct fair *fair;
static struct shares *shares;

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
    shares_free(shares);
    fair_free(fair);
    loop_free(loop);
    ck_assert_int_eq(chdir("/"), 0);
    scratch_remove(&scratch);
}

static int load(const char *text, struct err *err)
{
    ck_assert_int_eq(file_write_durable(SHARES_PATH, text, strlen(text), 0600, err), 0);
    return shares_new(&shares, fair, err);
}

static void loaded(const char *text)
{
    struct err err = {0};
    ck_assert_msg(load(text, &err) == 0, "%s", err.text);
}

/* Nobody moves anything here: streams are opened to be looked at. */
static void go(void *owner, uint64_t token, const struct fq_grant *grant)
{
    (void)owner, (void)token, (void)grant;
}

/* What a tenant has that comes now. */
static struct disk_share share(const char *tenant)
{
    const struct arbiter_stream s = {.tenant = tenant, .job = 1, .out_max = 1, .go = go};
    struct arbiter *a = fair_arbiter(fair);
    struct arbiter_view v;
    arbiter_id id;
    ck_assert_int_eq(arbiter_open(a, &s, &id), 0);
    for (uint32_t at = 0; arbiter_next_view(a, &at, &v);)
        if (strcmp(v.tenant, tenant) == 0) {
            arbiter_close(a, id);
            return v.share;
        }
    ck_abort_msg("%s isn't there", tenant);
}

static bool is_default(const char *tenant)
{
    struct disk_share s = share(tenant);
    return memcmp(&s, &share_default, sizeof s) == 0;
}

START_TEST(what_it_says_counts)
{
    struct err err = {0};
    ck_assert_int_eq(shares_new(&shares, fair, &err), 0); /* no file */
    ck_assert(is_default("acme/etl"));
    shares_free(shares);
    loaded("tenants:\n"
           "  acme/etl: {weight: 300, reserved_percent: 20}\n"
           "  acme/web: {limit_percent: 50, bytes_per_s: 100Mi, ops_per_s: 2000}\n");
    struct disk_share etl = share("acme/etl"), web = share("acme/web");
    ck_assert(etl.weight == 300 && etl.reserved_ppm == 200000 && etl.limits.ppm == 0);
    ck_assert(web.weight == IO_WEIGHT_DEFAULT && web.limits.ppm == 500000);
    ck_assert(web.limits.bytes_per_s == (uint64_t)100 << 20 && web.limits.ops_per_s == 2000);
}
END_TEST

/* ---- the policy's, as it is told ---- */

struct told {
    uint64_t term, version;
    bool whole;
    const char *tenant;
    struct io_rule is;
};

static bool tell(struct told t)
{
    struct io_share row = {(char *)(uintptr_t)t.tenant, t.is};
    const struct shares_call call = {.term = t.term, .version = t.version, .whole = t.whole,
                                     .tenants = {.v = &row, .count = t.tenant != NULL}};
    return shares_told(shares, &call);
}

START_TEST(the_policy_counts_where_the_file_says_nothing)
{
    loaded("tenants: {acme/etl: {weight: 300}}");
    ck_assert(tell((struct told){1, 5, true, "acme/etl", {.weight = 7, .bytes_per_s = 1 << 20}}));
    struct disk_share etl = share("acme/etl");
    ck_assert(etl.weight == 300 && etl.limits.bytes_per_s == 0); /* the file's row is all there is for whom it names */
    ck_assert(tell((struct told){1, 5, false, "acme/ml", {.weight = 7, .reserved_percent = 10}}));
    struct disk_share ml = share("acme/ml");
    ck_assert(ml.weight == 7 && ml.reserved_ppm == 100000);
    ck_assert(tell((struct told){1, 6, true, NULL, {0}})); /* nobody has anything of its own any more */
    ck_assert(is_default("acme/ml"));
    ck_assert_uint_eq(share("acme/etl").weight, 300);
}
END_TEST

static const struct stale_row {
    const char *says;
    struct told told;
    uint32_t weight; /* acme's, after it; before: 5, by term 3 and version 10 */
} stale[] = {
    {"told twice", {3, 10, true, "acme", {.weight = 5}}, 5},
    {"a newer version", {3, 11, true, "acme", {.weight = 9}}, 9},
    {"an older version that comes late", {3, 9, true, "acme", {.weight = 9}}, 5},
    {"one more of the same version", {3, 10, false, "acme", {.weight = 9}}, 9},
    {"one more of an older version", {3, 9, false, "acme", {.weight = 9}}, 5},
    {"one more of a version that isn't all known", {3, 11, false, "acme", {.weight = 9}}, 5},
    {"another term, whatever its version: it may have lost what was never durable",
     {4, 2, true, "acme", {.weight = 9}}, 9},
    {"one more of another term", {4, 10, false, "acme", {.weight = 9}}, 5},
    {"a term that is over", {2, 12, true, "acme", {.weight = 9}}, 5},
};

START_TEST(late_and_twice_change_nothing)
{
    const struct stale_row *row = &stale[_i];
    loaded("tenants: {}");
    ck_assert(tell((struct told){3, 10, true, "acme", {.weight = 5}}));
    bool changed = tell(row->told);
    ck_assert_msg(share("acme").weight == row->weight && changed == (row->weight != 5), "%s: %u", row->says,
                  share("acme").weight);
}
END_TEST

START_TEST(what_the_file_reserves_the_policy_cannot)
{
    loaded("tenants: {mine: {reserved_percent: 60}}");
    struct io_share rows[] = {{"a", {.reserved_percent = 30}}, {"b", {.reserved_percent = 10}},
                              {"mine", {.reserved_percent = 40}}};
    const struct shares_call call = {.term = 1, .version = 1, .whole = true, .tenants = {.v = rows, .count = 3}};
    ck_assert(shares_told(shares, &call));
    ck_assert_uint_eq(share("mine").reserved_ppm, 600000);
    ck_assert_uint_eq(share("a").reserved_ppm, 150000); /* of the 20 % that are left */
    ck_assert_uint_eq(share("b").reserved_ppm, 50000);
}
END_TEST

START_TEST(what_is_reserved_inside_of_the_files_takes_nothing)
{
    loaded("tenants: {mine: {reserved_percent: 60}}");
    struct io_share rows[] = {{"a", {.reserved_percent = 20}}, {"mine/x", {.reserved_percent = 50}}};
    const struct shares_call call = {.term = 1, .version = 1, .whole = true, .tenants = {.v = rows, .count = 2}};
    ck_assert(shares_told(shares, &call));
    ck_assert_uint_eq(share("a").reserved_ppm, 200000);
    ck_assert_uint_eq(share("mine/x").reserved_ppm, 500000);
}
END_TEST

/* Numbers that no policy can have: an agent that believed them would stop, and with it a node. */
START_TEST(what_makes_no_sense_is_not_taken)
{
    loaded("tenants: {}");
    ck_assert(tell((struct told){1, 1, true, "acme", {.weight = 5}}));
    ck_assert(!tell((struct told){1, 2, true, "acme", {.weight = IO_WEIGHT_MAX + 1}}));
    ck_assert_uint_eq(share("acme").weight, 5);
    ck_assert(tell((struct told){1, 2, true, "acme", {.weight = 6}})); /* all of it again: taken */
    ck_assert_uint_eq(share("acme").weight, 6);
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
    ck_assert_int_eq(load(wrong[_i].text, &err), -EINVAL);
    ck_assert_msg(strncmp(err.text, wrong[_i].says, strlen(wrong[_i].says)) == 0, "%s: %s", wrong[_i].text, err.text);
    ck_assert(is_default("acme") && is_default("a"));
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
    tcase_add_test(t, the_policy_counts_where_the_file_says_nothing);
    tcase_add_loop_test(t, late_and_twice_change_nothing, 0, (int)COUNT_OF(stale));
    tcase_add_test(t, what_the_file_reserves_the_policy_cannot);
    tcase_add_test(t, what_is_reserved_inside_of_the_files_takes_nothing);
    tcase_add_test(t, what_makes_no_sense_is_not_taken);
    tcase_add_test(t, its_table_is_sound);
    suite_add_tcase(s, t);
    return run_suite(s);
}
