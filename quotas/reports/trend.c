#include "quotas/reports/trend.h"

#include <math.h>
#include <stdlib.h>

#include "base/macros.h"

#define FOUR_OF_FIVE 1.2816
#define ROBUST 1.4826

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t median_of(int64_t *v, size_t count)
{
    qsort(v, count, sizeof *v, by_size);
    return count % 2 == 1 ? v[count / 2] : v[count / 2 - 1] + (v[count / 2] - v[count / 2 - 1]) / 2;
}

struct usual usual_of(int64_t *days, size_t count)
{
    struct usual u = {.median = median_of(days, count)};
    for (size_t i = 0; i < count; i++)
        days[i] = days[i] > u.median ? days[i] - u.median : u.median - days[i];
    u.spread = (int64_t)((double)median_of(days, count) * ROBUST);
    u.spread = MAX(u.spread, (u.median > 0 ? u.median : 0) / 20);
    u.spread = MAX(u.spread, INT64_C(1));
    return u;
}

struct trend trend_of(const int64_t *days, size_t count)
{
    struct trend t = {.days = count};
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        t.rate += (double)days[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)days[i] - t.rate) * ((double)days[i] - t.rate);
    t.deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
    t.rate = MAX(t.rate, 0.0);
    return t;
}

struct range trend_in(const struct trend *t, double days)
{
    double middle = t->rate * MAX(days, 0.0), half = FOUR_OF_FIVE * t->deviation * sqrt(MAX(days, 0.0));
    return (struct range){
        .known = t->days > 1, .low = MAX(middle - half, 0.0), .middle = middle, .high = middle + half};
}

/* rate x^2 + sign half x = left, for the root of the days x. */
static double days_until(const struct trend *t, double half, double left)
{
    if (t->rate <= 0)
        return half > 0 ? (left / half) * (left / half) : HUGE_VAL;
    double root = (-half + sqrt(half * half + 4 * t->rate * left)) / (2 * t->rate);
    return root * root;
}

struct range trend_until(const struct trend *t, double left)
{
    double half = FOUR_OF_FIVE * t->deviation;
    if (left <= 0)
        return (struct range){.known = true};
    return (struct range){.known = t->days > 1,
                          .low = days_until(t, half, left),
                          .middle = t->rate > 0 ? left / t->rate : HUGE_VAL,
                          .high = t->rate > 0 ? days_until(t, -half, left) : HUGE_VAL};
}
