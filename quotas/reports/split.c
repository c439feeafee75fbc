#include "quotas/reports/split.h"

#include <stdlib.h>

/* Those whose part was cut most, first. Addresses order what is equal: they are the array's order. */
static int by_rest(const void *a, const void *b)
{
    const struct split *x = *(struct split *const *)a, *y = *(struct split *const *)b;
    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Where there is no memory to sort, the earliest get what is left: still exact. */
static void give_rest(struct split *v, size_t count, uint64_t left, int sign)
{
    struct split **order = calloc(count, sizeof *order);
    for (size_t i = 0; order != NULL && i < count; i++)
        order[i] = &v[i];
    if (order != NULL)
        qsort(order, count, sizeof *order, by_rest);
    for (size_t i = 0; left > 0; i = (i + 1) % count) {
        struct split *s = order != NULL ? order[i] : &v[i];
        if (s->weight == 0)
            continue;
        s->part += sign;
        left--;
    }
    free(order);
}

void split_amount(struct split *v, size_t count, int64_t amount)
{
    uint64_t size = amount < 0 ? -(uint64_t)amount : (uint64_t)amount, given = 0;
    int sign = amount < 0 ? -1 : 1;
    money_wide all = 0;
    for (size_t i = 0; i < count; i++)
        all += v[i].weight;
    BUG(all == 0 && amount != 0);
    for (size_t i = 0; i < count && all > 0; i++) {
        money_wide product = (money_wide)size * v[i].weight;
        uint64_t part = (uint64_t)(product / all);
        v[i].rest = product % all; /* of one denominator: they compare */
        v[i].part = sign * (int64_t)part;
        given += part;
    }
    if (all > 0)
        give_rest(v, count, size - given, sign);
}
