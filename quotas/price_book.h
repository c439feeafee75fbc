/*
 * price_book - dated versions of what an hour costs, and of I/O a GiB.
 *
 *   list price    of the version in force, for the class of the node; what a class doesn't name costs as elsewhere
 *   price         round_half_even( list price * (1 - discount) * preemptible rate ), whole micro-units: the discount
 *                 is the one of the nearest ancestor that has one
 * Purity:    pure.
 * Ownership: the book owns its versions.
 */
#ifndef REEVE_QUOTAS_PRICE_BOOK_H
#define REEVE_QUOTAS_PRICE_BOOK_H

#include "base/fact.h"

struct price_book;

int price_book_new(struct price_book **ret, struct err *err) MUST_USE;
void price_book_free(struct price_book *book);
/* Replaces all versions (copied). Dates must rise strictly. -EINVAL, -ENOMEM. */
int price_book_set(struct price_book *book, const struct list *versions, struct err *err) MUST_USE;
/* The version in force at an instant, NULL before the first: then everything is free. */
const struct price_version *price_book_at(const struct price_book *book, int64_t utc_us);
/* When the next version after an instant begins; INT64_MAX: none. */
int64_t price_book_next(const struct price_book *book, int64_t utc_us);
const struct price_version *price_book_at_until(const struct price_book *book, int64_t utc_us,
                                                int64_t *ret_next_utc_us); /* both */
const struct list *price_book_versions(const struct price_book *book);
/* Is anything charged by what it used, under any version? I/O always is. */
bool price_book_measures(const struct price_book *book);
bool price_book_has_io(const struct price_book *book);

/* Who pays, and for what kind of thing. Borrowed. */
struct buyer {
    const struct strs *path;  /* the tenant and its ancestors, leaf first; NULL: no discount */
    const char *price_class;  /* of the node; NULL = none */
    bool preemptible;
};
struct unit_price {
    int64_t list, price;      /* micro-units per hour of a core, a GiB, a unit; of RESOURCE_IO per GiB */
};
/* NULL: free. */
struct unit_price price_rate(const struct price_version *version, struct buyer buyer, const char *resource);
/* enum price_by */
uint32_t price_by(const struct price_version *version, const char *resource);

#endif
