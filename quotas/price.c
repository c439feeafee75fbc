#include "quotas/price.h"

#include <errno.h>
#include <inttypes.h>

#include "quotas/money.h"

#define US_PER_HOUR UINT64_C(3600000000)
#define NO_VERSION SIZE_MAX

struct price_book {
    struct list versions; /* struct price_version */
};

static const struct price_version *version_at(const struct price_book *book, size_t index)
{
    return &((const struct price_version *)book->versions.v)[index];
}

static void versions_clear(struct list *versions)
{
    for (size_t i = 0; i < versions->count; i++) {
        fields_clear(&price_version_fields, &((struct price_version *)versions->v)[i]);
    }
    free(versions->v);
    *versions = (struct list){0};
}

int price_book_new(struct price_book **ret, struct err *err)
{
    struct price_book *book = calloc(1, sizeof *book);
    if (!book) {
        return err_set(err, -ENOMEM, "price book: out of memory");
    }
    *ret = book;
    return 0;
}

void price_book_free(struct price_book *book)
{
    if (book) {
        versions_clear(&book->versions);
        free(book);
    }
}

static int versions_check(const struct list *versions, struct err *err)
{
    const struct price_version *v = versions->v;
    if (versions->count > PRICE_VERSIONS_MAX) {
        return err_set(err, -EINVAL, "prices: %zu versions, at most %d are kept", versions->count, PRICE_VERSIONS_MAX);
    }
    for (size_t i = 0; i < versions->count; i++) {
        if (i > 0 && v[i].from_utc_us <= v[i - 1].from_utc_us) {
            return err_set(err, -EINVAL, "prices[%zu].from: not later than the version before it", i);
        }
        for (size_t k = 0; k < v[i].per_hour.count; k++) {
            if (v[i].per_hour.v[k].value > (uint64_t)PRICE_MICROS_MAX) {
                return err_set(err, -EINVAL, "prices[%zu].per_hour.%s: more than 10000 per hour", i,
                               v[i].per_hour.v[k].name);
            }
        }
    }
    return 0;
}

int price_book_set(struct price_book *book, const struct list *versions, struct err *err)
{
    int rc = versions_check(versions, err);
    if (rc < 0) {
        return rc;
    }
    struct list copy = {0};
    for (size_t i = 0; i < versions->count; i++) {
        struct price_version *to = list_add(&copy, sizeof *to);
        if (!to || fields_copy(&price_version_fields, &((const struct price_version *)versions->v)[i], to) < 0) {
            if (to) {
                *to = (struct price_version){0};
            }
            versions_clear(&copy);
            return err_set(err, -ENOMEM, "prices: out of memory");
        }
    }
    versions_clear(&book->versions);
    book->versions = copy;
    return 0;
}

const struct list *price_book_versions(const struct price_book *book)
{
    return &book->versions;
}

/* Index of the version in force at an instant: the last one that begins at or before it. */
static size_t index_at(const struct price_book *book, int64_t utc_us)
{
    size_t low = 0, high = book->versions.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (version_at(book, middle)->from_utc_us <= utc_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? NO_VERSION : low - 1;
}

const struct price_version *price_book_at(const struct price_book *book, int64_t utc_us)
{
    size_t index = index_at(book, utc_us);
    return index == NO_VERSION ? NULL : version_at(book, index);
}

/* A stretch of run time under one version. */
struct segment {
    const struct price_version *version; /* NULL: before the first, free */
    size_t index;
    uint64_t from_us, to_us;
};

static void segment_bound(const struct price_book *book, struct meter meter, struct segment *s)
{
    size_t next = s->index == NO_VERSION ? 0 : s->index + 1;
    s->version = s->index == NO_VERSION ? NULL : version_at(book, s->index);
    /* The next version begins after `started`, so the difference is positive and below 2^64. */
    s->to_us = next >= book->versions.count
                   ? UINT64_MAX
                   : (uint64_t)version_at(book, next)->from_utc_us - (uint64_t)meter.started_utc_us;
}

static struct segment segment_first(const struct price_book *book, struct meter meter)
{
    struct segment s = {.index = index_at(book, meter.started_utc_us)};
    segment_bound(book, meter, &s);
    return s;
}

static void segment_next(const struct price_book *book, struct meter meter, struct segment *s)
{
    s->from_us = s->to_us;
    s->index = s->index == NO_VERSION ? 0 : s->index + 1;
    segment_bound(book, meter, s);
}

/* One resource as the meter sees it. */
struct metered {
    const char *name;
    uint64_t amount;
    money_wide unit; /* amount * us that cost the hourly price */
};

static bool metered_at(const struct resources *held, size_t index, struct metered *ret)
{
    const struct metered fixed[] = {
        {"cpu", held->cpu_milli, (money_wide)1000 * US_PER_HOUR},
        {"memory", held->mem_bytes, (money_wide)(1 << 30) * US_PER_HOUR},
        {"scratch", held->scratch_bytes, (money_wide)(1 << 30) * US_PER_HOUR},
    };
    if (index < COUNT_OF(fixed)) {
        *ret = fixed[index];
        return true;
    }
    index -= COUNT_OF(fixed);
    if (index >= held->generic.count) {
        return false;
    }
    *ret = (struct metered){held->generic.v[index].name, held->generic.v[index].value, US_PER_HOUR};
    return true;
}

/* Cumulative cost of one resource. A product beyond 128 bits is worth at least 2^128 / 2^62 micro-units, far above
 * MONEY_MICROS_MAX, where money_round() would have saturated too. */
static int64_t resource_cost(const struct price_book *book, struct meter meter, const struct metered *m,
                             uint64_t run_us)
{
    money_wide sum = 0;
    if (m->amount == 0) {
        return 0;
    }
    struct segment s = segment_first(book, meter);
    for (; s.from_us < run_us; segment_next(book, meter, &s)) {
        uint64_t price = s.version ? counts_get(&s.version->per_hour, m->name) : 0;
        money_wide product = (money_wide)m->amount * price;
        if (__builtin_mul_overflow(product, (money_wide)(MIN(s.to_us, run_us) - s.from_us), &product) ||
            __builtin_add_overflow(sum, product, &sum)) {
            return MONEY_MICROS_MAX;
        }
        if (s.to_us >= run_us) {
            break;
        }
    }
    return money_round(sum, m->unit);
}

int64_t price_cost(const struct price_book *book, struct meter meter, uint64_t run_us)
{
    int64_t total = 0;
    struct metered m;
    /* At most 3 + RESOURCE_GENERIC_MAX terms of at most 2^52: no overflow. */
    for (size_t i = 0; metered_at(meter.held, i, &m); i++) {
        total += resource_cost(book, meter, &m, run_us);
    }
    return total;
}

uint64_t price_time_for(const struct price_book *book, struct meter meter, int64_t micros, uint64_t max_us)
{
    if (micros < 0) {
        return 0;
    }
    if (price_cost(book, meter, max_us) <= micros) {
        return max_us;
    }
    uint64_t fits = 0, exceeds = max_us; /* cost is non-decreasing */
    while (exceeds - fits > 1) {
        uint64_t middle = fits + (exceeds - fits) / 2;
        if (price_cost(book, meter, middle) <= micros) {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    return fits;
}

static int charge_add(const struct price_book *book, struct meter meter, const struct metered *m,
                      const struct segment *s, uint64_t from_us, uint64_t to_us, struct list *ret)
{
    struct charge *line = list_add(ret, sizeof *line);
    if (!line) {
        return -ENOMEM;
    }
    line->amount = m->amount;
    line->run_us = to_us - from_us;
    line->from_run_us = from_us;
    line->micros = resource_cost(book, meter, m, to_us) - resource_cost(book, meter, m, from_us);
    line->price_version = s->version ? s->version->version : 0;
    return str_set(&line->resource, m->name);
}

int price_charges(const struct price_book *book, struct meter meter, uint64_t from_us, uint64_t to_us, struct list *ret)
{
    size_t before = ret->count;
    struct metered m;
    struct segment s = segment_first(book, meter);
    while (s.from_us < to_us) {
        uint64_t from = MAX(s.from_us, from_us), to = MIN(s.to_us, to_us);
        for (size_t i = 0; from < to && metered_at(meter.held, i, &m); i++) {
            if (m.amount > 0 && charge_add(book, meter, &m, &s, from, to, ret) < 0) {
                goto no_memory;
            }
        }
        if (s.to_us >= to_us) {
            break;
        }
        segment_next(book, meter, &s);
    }
    return 0;

no_memory:
    while (ret->count > before) {
        fields_clear(&charge_fields, &((struct charge *)ret->v)[--ret->count]);
    }
    return -ENOMEM;
}
