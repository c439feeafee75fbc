/*
 * price - the dated price book, and what resources held for a time cost under it.
 * A job that crosses a price change pays each instant at the version in force at that instant.
 * Purity:    pure.
 * Ownership: the book owns its versions.
 */
#ifndef REEVE_QUOTAS_PRICE_H
#define REEVE_QUOTAS_PRICE_H

#include "base/fact.h"

struct price_book;

int price_book_new(struct price_book **ret, struct err *err) MUST_USE;
void price_book_free(struct price_book *book);
/* Replaces all versions (copied). Dates must rise strictly. -EINVAL, -ENOMEM. */
int price_book_set(struct price_book *book, const struct list *versions, struct err *err) MUST_USE;
/* The version in force at an instant, NULL before the first: then everything is free. */
const struct price_version *price_book_at(const struct price_book *book, int64_t utc_us);
const struct list *price_book_versions(const struct price_book *book);

/* A meter runs from `started_utc_us` on; run time is elapsed (BOOTTIME) time since then. */
struct meter {
    const struct resources *held;
    int64_t started_utc_us;
};
/* Cumulative cost of the first `run_us`. Non-decreasing in run_us. */
int64_t price_cost(const struct price_book *book, struct meter meter, uint64_t run_us);
/* The longest run time <= max_us whose cumulative cost is <= micros. */
uint64_t price_time_for(const struct price_book *book, struct meter meter, int64_t micros, uint64_t max_us);
/* Charge lines from run time `from_us` to `to_us`, one per resource and price version with non-zero amount;
 * their micros add up to price_cost(to) - price_cost(from) exactly. Appended to `ret` (struct charge, caller owns).
 * A resource held but without a price gives a line of 0: what was used is on record. -ENOMEM. */
int price_charges(const struct price_book *book, struct meter meter, uint64_t from_us, uint64_t to_us,
                  struct list *ret) MUST_USE;

#endif
