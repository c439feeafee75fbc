/* What of a tenant's share the kernel is told when an attempt is launched. */
#include <check.h>

#include "agent/core/direct_limits.h"
#include "tests/run.h"

#define ALL UINT64_MAX
#define NO_WEIGHT (ALL & ~FEATURE_BIT(FEATURE_IO_WEIGHT))

static const struct row {
    const char *says;
    struct io_rule has;
    uint32_t part_ppm, tenants;
    uint64_t features;
    struct sandbox_limits job, want;
} rows[] = {
    {"a tenant without limits has none", {.weight = 100}, 1000000, 1, NO_WEIGHT, {0}, {0}},
    {"each direction by itself", {.bytes_per_s = 1000, .ops_per_s = 10}, 1000000, 1, NO_WEIGHT, {0},
     {.io_read_bps = 1000, .io_write_bps = 1000, .io_read_ops = 10, .io_write_ops = 10}},
    {"a job's own limit is tighter", {.bytes_per_s = 1000}, 1000000, 1, NO_WEIGHT, {.io_read_bps = 999},
     {.io_read_bps = 999, .io_write_bps = 1000}},
    {"a job's own limit is looser", {.bytes_per_s = 1000}, 1000000, 1, NO_WEIGHT, {.io_read_bps = 1001},
     {.io_read_bps = 1000, .io_write_bps = 1000}},
    {"what the node can't enforce isn't asked for: the launch would fail", {.bytes_per_s = 1000, .ops_per_s = 10},
     1000000, 1, FEATURE_BIT(FEATURE_IO_WRITE_BPS), {0}, {.io_write_bps = 1000}},
    {"an even part is the kernel's default", {0}, 250000, 4, ALL, {0}, {.io_weight = 100}},
    {"three times as much", {0}, 750000, 2, ALL, {0}, {.io_weight = 150}},
    {"next to nothing is the least", {0}, 1, 2, ALL, {0}, {.io_weight = 1}},
    {"more than the kernel knows is the most", {0}, 990000, 100, ALL, {0}, {.io_weight = 1000}},
    {"a job's own weight is its own", {0}, 750000, 2, ALL, {.io_weight = 7}, {.io_weight = 7}},
    {"no weight where nothing looks at it", {0}, 750000, 2, NO_WEIGHT, {0}, {0}},
};

START_TEST(the_kernel_is_told_what_it_can_hold)
{
    struct sandbox_limits got = rows[_i].job, want = rows[_i].want;
    direct_limits(&rows[_i].has, rows[_i].part_ppm, rows[_i].tenants, rows[_i].features, &got);
    ck_assert_msg(got.io_read_bps == want.io_read_bps && got.io_write_bps == want.io_write_bps &&
                      got.io_read_ops == want.io_read_ops && got.io_write_ops == want.io_write_ops &&
                      got.io_weight == want.io_weight,
                  "%s", rows[_i].says);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/core/direct_limits");
    TCase *t = tcase_create("direct limits");
    tcase_add_loop_test(t, the_kernel_is_told_what_it_can_hold, 0, (int)COUNT_OF(rows));
    suite_add_tcase(s, t);
    return run_suite(s);
}
