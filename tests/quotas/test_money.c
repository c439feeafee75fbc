/* money: rounding against an oracle that thinks differently. */
#include <check.h>

#include "base/policy.h"
#include "quotas/money.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

static const struct {
    const char *what;
    uint64_t numerator, denominator;
    int64_t want;
} rows[] = {
    {"nothing costs nothing", 0, 7, 0},
    {"below half goes down", 49, 100, 0},
    {"above half goes up", 51, 100, 1},
    {"half goes to the even neighbour below", 1, 2, 0},
    {"half goes to the even neighbour above", 3, 2, 2},
    {"two and a half is two", 5, 2, 2},
    {"a whole number stays", 700, 7, 100},
    {"a unit of one changes nothing", 123456789, 1, 123456789},
    {"the largest amount stays", (uint64_t)MONEY_MICROS_MAX, 1, MONEY_MICROS_MAX},
    {"what is larger saturates", UINT64_MAX, 1, MONEY_MICROS_MAX},
};

START_TEST(rounds_half_to_even)
{
    ck_assert_msg(money_round(rows[_i].numerator, rows[_i].denominator) == rows[_i].want, "%s", rows[_i].what);
}
END_TEST

START_TEST(a_denominator_of_128_bits_does_not_overflow)
{
    money_wide huge = (money_wide)1 << 127;
    ck_assert_int_eq(money_round(huge, huge), 1);
    ck_assert_int_eq(money_round(huge - 1, ~(money_wide)0), 0);
    ck_assert_int_eq(money_round(huge + 1, ~(money_wide)0), 1);
    ck_assert_int_eq(money_round(~(money_wide)0, 1), MONEY_MICROS_MAX);
}
END_TEST

/* Oracle: the nearest of the neighbours by doubled distances; of two equally near the even one. */
static int64_t nearest(uint64_t numerator, uint64_t denominator)
{
    uint64_t low = numerator / denominator;
    money_wide down = (money_wide)numerator - (money_wide)low * denominator;
    money_wide up = (money_wide)(low + 1) * denominator - numerator;
    uint64_t best = down < up ? low : up < down ? low + 1 : low % 2 == 0 ? low : low + 1;
    return best > (uint64_t)MONEY_MICROS_MAX ? MONEY_MICROS_MAX : (int64_t)best;
}

START_TEST(rounding_is_the_nearest_neighbour)
{
    uint64_t seed = random_seed("money");
    for (int i = 0; i < 200000; i++) {
        uint64_t numerator = random_next(&seed) >> random_below(&seed, 60);
        uint64_t denominator = (random_next(&seed) >> random_below(&seed, 63)) | 1;
        denominator += random_below(&seed, 2); /* even ones have halves */
        if (denominator == 0) {
            continue;
        }
        ck_assert_int_eq(money_round(numerator, denominator), nearest(numerator, denominator));
    }
}
END_TEST

START_TEST(sums_beyond_int64_are_refused_and_leave_the_output)
{
    int64_t sum = 42;
    ck_assert(!money_add(INT64_MAX, 1, &sum));
    ck_assert(!money_add(INT64_MIN, -1, &sum));
    ck_assert_int_eq(sum, 42);
    ck_assert(money_add(INT64_MAX, INT64_MIN, &sum));
    ck_assert_int_eq(sum, -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/money");
    TCase *t = tcase_create("money");
    tcase_add_loop_test(t, rounds_half_to_even, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, a_denominator_of_128_bits_does_not_overflow);
    tcase_add_test(t, rounding_is_the_nearest_neighbour);
    tcase_add_test(t, sums_beyond_int64_are_refused_and_leave_the_output);
    suite_add_tcase(s, t);
    return run_suite(s);
}
