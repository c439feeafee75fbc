/*
 * split - an amount cut into whole micro-units by weights: parts by largest remainder, the earlier first where they are
 * equal; together they are the amount. Weights of 0 get nothing; some weight must be above 0.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_REPORTS_SPLIT_H
#define REEVE_QUOTAS_REPORTS_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "quotas/money.h"

struct split {
    uint64_t weight; /* in */
    int64_t part;    /* out */
    money_wide rest; /* inside */
};

void split_amount(struct split *v, size_t count, int64_t amount);

#endif
