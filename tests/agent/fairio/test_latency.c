/* Buckets that double, and what lies below so much of them. */
#include <check.h>
#include <inttypes.h>

#include "agent/fairio/latency.h"
#include "base/macros.h"
#include "tests/run.h"

static const struct latency none;

START_TEST(each_time_is_in_the_bucket_whose_bound_it_does_not_exceed)
{
    const int64_t last = LATENCY_LEAST_NS << 18, times[] = {-1, 0, 64000, 64001, 128000, last, last + 1, INT64_MAX};
    const unsigned buckets[] = {0, 0, 0, 1, 1, 18, 19, 19};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        struct latency l = none;
        latency_add(&l, times[i]);
        ck_assert_msg(l.counts[buckets[i]] == 1, "%" PRId64, times[i]);
    }
}
END_TEST

static const struct quantile_row {
    const char *says;
    uint64_t counts[4];
    uint32_t per_mille;
    int64_t ns;
} rows[] = {
    {"nothing is nothing", {0}, 500, 0},
    {"half of them", {0, 10, 10}, 500, 128000},
    {"a quarter, evenly within its bucket", {0, 10, 10}, 250, 64000 + 64000 * 5 / 10},
    {"99 of 100", {99, 0, 0, 1}, 990, 64000},
    {"all", {99, 0, 0, 1}, 1000, 512000},
    {"a single one", {0, 0, 1}, 1, 256000},
};

START_TEST(a_quantile_is_of_what_came_since)
{
    const struct quantile_row *r = &rows[_i];
    struct latency before = {.counts = {7, 7, 7, 7, [LATENCY_BUCKETS - 1] = 3}}, now = before;
    for (unsigned i = 0; i < 4; i++)
        now.counts[i] += r->counts[i];
    ck_assert_msg(latency_quantile_ns(&before, &now, r->per_mille) == r->ns, "%s: %" PRId64, r->says,
                  latency_quantile_ns(&before, &now, r->per_mille));
}
END_TEST

START_TEST(what_is_beyond_all_bounds_is_at_least_the_last)
{
    struct latency l = none;
    latency_add(&l, INT64_MAX);
    ck_assert_int_eq(latency_quantile_ns(&none, &l, 500), LATENCY_LEAST_NS << (LATENCY_BUCKETS - 2));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/latency");
    TCase *t = tcase_create("latency");
    tcase_add_test(t, each_time_is_in_the_bucket_whose_bound_it_does_not_exceed);
    tcase_add_loop_test(t, a_quantile_is_of_what_came_since, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, what_is_beyond_all_bounds_is_at_least_the_last);
    suite_add_tcase(s, t);
    return run_suite(s);
}
