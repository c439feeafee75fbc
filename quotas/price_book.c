#include "quotas/price_book.h"

#include <errno.h>
#include <string.h>

#include "quotas/money.h"

#define NO_VERSION SIZE_MAX

struct price_book {
    struct list versions; /* struct price_version */
    bool measures;        /* any of them charges anything by use */
    bool has_io;          /* or I/O at all */
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

static int prices_check(const struct counts *prices, const char *per, size_t index, struct err *err)
{
    for (size_t k = 0; k < prices->count; k++) {
        if (prices->v[k].value > (uint64_t)PRICE_MICROS_MAX) {
            return err_set(err, -EINVAL, "prices[%zu].%s.%s: more than 10000", index, per, prices->v[k].name);
        }
    }
    return 0;
}

static int version_check(const struct price_version *v, size_t index, struct err *err)
{
    int rc = prices_check(&v->per_hour, "per_hour", index, err);
    rc = rc < 0 ? rc : prices_check(&v->per_gib, "per_gib", index, err);
    for (size_t i = 0; rc == 0 && i < v->classes.count; i++) {
        const struct price_class *class = &((const struct price_class *)v->classes.v)[i];
        rc = prices_check(&class->per_hour, "per_hour", index, err);
        rc = rc < 0 ? rc : prices_check(&class->per_gib, "per_gib", index, err);
    }
    for (size_t i = 0; rc == 0 && i < v->discounts.count; i++) {
        if (v->discounts.v[i].value > PRICE_DISCOUNT_MAX) {
            rc = err_set(err, -EINVAL, "prices[%zu].discounts.%s: more than 100", index, v->discounts.v[i].name);
        }
    }
    if (rc == 0 && v->preemptible_percent > 100) {
        rc = err_set(err, -EINVAL, "prices[%zu].preemptible_percent: more than 100", index);
    }
    for (size_t i = 0; rc == 0 && i < v->by.count; i++) {
        if (names_find(&price_by_names, v->by.v[i].value) < 0) {
            rc = err_set(err, -EINVAL, "prices[%zu].by.%s: not a way to charge", index, v->by.v[i].key);
        }
    }
    return rc;
}

static int versions_check(const struct list *versions, struct err *err)
{
    const struct price_version *v = versions->v;
    int rc = 0;
    if (versions->count > PRICE_VERSIONS_MAX) {
        return err_set(err, -EINVAL, "prices: %zu versions, at most %d are kept", versions->count, PRICE_VERSIONS_MAX);
    }
    for (size_t i = 0; rc == 0 && i < versions->count; i++) {
        if (i > 0 && v[i].from_utc_us <= v[i - 1].from_utc_us) {
            return err_set(err, -EINVAL, "prices[%zu].from: not later than the version before it", i);
        }
        rc = version_check(&v[i], i, err);
    }
    return rc;
}

uint32_t price_by(const struct price_version *version, const char *resource)
{
    const char *name = version->by.count > 0 ? pairs_get(&version->by, resource) : NULL;
    int by = name ? names_find(&price_by_names, name) : PRICE_BY_REQUEST;
    return by > 0 ? (uint32_t)by : PRICE_BY_REQUEST;
}

static bool version_has_io(const struct price_version *version)
{
    bool has = version->per_gib.count > 0;
    for (size_t i = 0; i < version->classes.count; i++) {
        has = has || ((const struct price_class *)version->classes.v)[i].per_gib.count > 0;
    }
    return has;
}

static bool version_measures(const struct price_version *version)
{
    bool measures = version_has_io(version);
    for (size_t i = 0; i < version->by.count; i++) {
        measures = measures || price_by(version, version->by.v[i].key) != PRICE_BY_REQUEST;
    }
    return measures;
}

int price_book_set(struct price_book *book, const struct list *versions, struct err *err)
{
    int rc = versions_check(versions, err);
    if (rc < 0) {
        return rc;
    }
    struct list copy = {0};
    bool measures = false, has_io = false;
    for (size_t i = 0; i < versions->count; i++) {
        measures = measures || version_measures(&((const struct price_version *)versions->v)[i]);
        has_io = has_io || version_has_io(&((const struct price_version *)versions->v)[i]);
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
    book->measures = measures;
    book->has_io = has_io;
    return 0;
}

bool price_book_measures(const struct price_book *book)
{
    return book->measures;
}

bool price_book_has_io(const struct price_book *book)
{
    return book->has_io;
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

const struct price_version *price_book_at_until(const struct price_book *book, int64_t utc_us, int64_t *ret_next_utc_us)
{
    size_t index = index_at(book, utc_us);
    size_t next = index == NO_VERSION ? 0 : index + 1;
    *ret_next_utc_us = next < book->versions.count ? version_at(book, next)->from_utc_us : INT64_MAX;
    return index == NO_VERSION ? NULL : version_at(book, index);
}

int64_t price_book_next(const struct price_book *book, int64_t utc_us)
{
    int64_t next_utc_us;
    (void)price_book_at_until(book, utc_us, &next_utc_us);
    return next_utc_us;
}

/* ---- the price of an hour, or of a GiB --------------------------------------------------------------------- */

static const struct count *count_find(const struct counts *counts, const char *name)
{
    for (size_t i = 0; i < counts->count; i++) {
        if (strcmp(counts->v[i].name, name) == 0) {
            return &counts->v[i];
        }
    }
    return NULL;
}

static uint64_t list_price(const struct price_version *version, const char *price_class, const char *resource)
{
    const struct price_class *classes = version->classes.v;
    bool io = resource[0] == RESOURCE_IO[0] && strcmp(resource, RESOURCE_IO) == 0;
    const struct counts *general = io ? &version->per_gib : &version->per_hour;
    for (size_t i = 0; price_class && i < version->classes.count; i++) {
        if (strcmp(classes[i].name, price_class) == 0) {
            const struct count *own = count_find(io ? &classes[i].per_gib : &classes[i].per_hour, resource);
            return own ? own->value : counts_get(general, resource);
        }
    }
    return counts_get(general, resource);
}

static uint64_t discount_of(const struct price_version *version, const struct strs *path)
{
    for (size_t i = 0; version->discounts.count > 0 && path && i < path->count; i++) {
        const struct count *found = count_find(&version->discounts, path->v[i]);
        if (found) {
            return found->value;
        }
    }
    return 0;
}

struct unit_price price_rate(const struct price_version *version, struct buyer buyer, const char *resource)
{
    struct unit_price rate = {0};
    if (!version) {
        return rate;
    }
    uint64_t list = list_price(version, buyer.price_class, resource);
    uint64_t discount = discount_of(version, buyer.path);
    uint64_t percent = buyer.preemptible && version->preemptible_percent ? version->preemptible_percent : 100;
    rate.list = rate.price = (int64_t)list;
    if (discount != 0 || percent != 100) {
        rate.price = money_round((money_wide)list * (PRICE_DISCOUNT_MAX - discount) * percent,
                                 (money_wide)PRICE_DISCOUNT_MAX * 100);
    }
    return rate;
}
