#include "quotas/money.h"

#include "base/policy.h"

int64_t money_round(money_wide numerator, money_wide denominator)
{
    BUG(denominator == 0);
    money_wide whole = numerator / denominator;
    money_wide rest = numerator - whole * denominator;
    if (whole >= (money_wide)MONEY_MICROS_MAX) {
        return MONEY_MICROS_MAX;
    }
    /* rest against denominator - rest says the same as 2 * rest against denominator, and can't overflow. */
    money_wide missing = denominator - rest;
    if (rest > missing || (rest == missing && (whole & 1) != 0)) {
        whole++;
    }
    return (int64_t)whole;
}

bool money_add(int64_t a, int64_t b, int64_t *ret)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *ret = sum;
    return true;
}
