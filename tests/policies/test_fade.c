#include <check.h>
#include <math.h>

#include "base/macros.h"
#include "policies/fade.h"
#include "policies/order.h"
#include "tests/random.h"
#include "tests/run.h"

#define HOUR UINT64_C(3600000000)
#define START INT64_C(1795478400000000)
#define ALL (UINT64_C(1) << ORDER_SHARE_BITS)

static const struct fade weekly = {START, 168 * HOUR};

START_TEST(the_weight_doubles_with_each_half_life)
{
    ck_assert_uint_eq(fade_weight(&weekly, START), FADE_WEIGHT_ONE);
    ck_assert_uint_eq(fade_weight(&weekly, START - 1), FADE_WEIGHT_ONE);
    ck_assert_uint_eq(fade_weight(&weekly, START + (int64_t)(168 * HOUR)), 2 * FADE_WEIGHT_ONE);
    ck_assert_uint_eq(fade_weight(&weekly, START + (int64_t)(3 * 168 * HOUR)), 8 * FADE_WEIGHT_ONE);
    uint64_t before = 0;
    for (int64_t t = 0; t < (int64_t)(5 * 168 * HOUR); t += (int64_t)(7 * HOUR)) {
        uint64_t weight = fade_weight(&weekly, START + t);
        double want = exp2((double)t / (double)(168 * HOUR)) * (double)FADE_WEIGHT_ONE;
        ck_assert_msg(fabs((double)weight - want) <= want * 1e-4 && weight >= before, "at %lld", (long long)t);
        before = weight;
    }
}
END_TEST

START_TEST(far_from_the_epoch_nothing_wraps)
{
    ck_assert_uint_eq(fade_weight(&weekly, INT64_MAX), FADE_WEIGHT_ONE << 24);
    ck_assert(fade_is_due(&weekly, INT64_MAX) && !fade_is_due(&weekly, INT64_MIN) && !fade_is_due(&weekly, START));
    ck_assert_uint_le(fade_amount(&weekly, UINT64_MAX, UINT64_MAX, INT64_MAX), UINT64_MAX / 4);
    ck_assert_uint_eq(fade_to(UINT64_MAX, FADE_WEIGHT_ONE), UINT64_MAX);
}
END_TEST

/* What was used an hour a day for years, kept forward, is what a sum that really fades says. */
START_TEST(kept_forward_is_what_fading_says)
{
    struct fade f = weekly;
    uint64_t amount = 0;
    double faded = 0;
    for (int day = 0; day < 1500; day++) {
        int64_t now = START + day * (int64_t)(24 * HOUR);
        if (fade_is_due(&f, now)) {
            amount = fade_to(amount, fade_weight(&f, now));
            f.epoch_utc_us = now;
        }
        amount += fade_amount(&f, ALL / 4, HOUR, now);
        faded = faded * exp2(-24.0 / 168.0) + 0.25 * (double)HOUR * 1024;
        double seen = (double)amount / (double)fade_weight(&f, now) * (double)FADE_WEIGHT_ONE;
        ck_assert_msg(fabs(seen - faded) <= faded * 2e-4, "day %d: %f, not %f", day, seen, faded);
    }
}
END_TEST

/* Parts moved to an epoch one by one are never more than their sum moved there: what is counted ahead can be taken
 * back. */
START_TEST(parts_stay_within_their_sum)
{
    uint64_t state = 7;
    for (int round = 0; round < 1000; round++) {
        uint64_t sum = 0, parts = 0, weight = FADE_WEIGHT_ONE + random_next(&state) % (FADE_WEIGHT_ONE << 6);
        for (int i = 0; i < 10; i++) {
            uint64_t part = random_next(&state) >> 8;
            sum += part;
            parts += fade_to(part, weight);
        }
        ck_assert_uint_le(parts, fade_to(sum, weight));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fade");
    TCase *t = tcase_create("use that fades");
    tcase_add_test(t, the_weight_doubles_with_each_half_life);
    tcase_add_test(t, far_from_the_epoch_nothing_wraps);
    tcase_add_test(t, kept_forward_is_what_fading_says);
    tcase_add_test(t, parts_stay_within_their_sum);
    suite_add_tcase(s, t);
    return run_suite(s);
}
