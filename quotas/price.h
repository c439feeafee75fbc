/*
 * price - what resources held or used for a time cost under the price book (quotas/price_book.h).
 * A job that crosses a price change pays each instant at the version in force at that instant.
 *
 *   cost          round_half_even( sum over stretches of amount * us * price / unit ), once, on the cumulative amount
 *   amount        request: what was asked for
 *                 use: the average since the last line, rounded down to milli-cores (the rest comes with the next
 *                 line), or the peak of memory so far; never more than what was asked for
 *                 greater: whatever of the two is more
 *
 * I/O (RESOURCE_IO) is a quantity: what its node has counted since the last line is what the next one says, and
 *
 *   cost          round_half_even( sum over lines of bytes * price / 2^30 ), once, on the cumulative amount
 *
 * by use always. A line of bytes that crosses a price change is cut there, the bytes by the time on both sides.
 *
 * Marks: where charging stands by use, its cumulative cost can't be computed from the book again. It is kept as marks,
 *        one per resource that the book charges by use anywhere; a resource without one was charged by request so far.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_PRICE_H
#define REEVE_QUOTAS_PRICE_H

#include "quotas/money.h"
#include "quotas/price_book.h"

/* A meter runs from `started_utc_us` on; run time is elapsed (BOOTTIME) time since then. Everything is borrowed. */
struct meter {
    const struct resources *held;
    int64_t started_utc_us;
    struct buyer buyer;
    uint64_t settled_us;      /* run time that is charged already */
    const struct list *marks; /* struct meter_mark, at settled_us; NULL = none */
};
/* What a node counted of an attempt up to run_us; 0, or nothing measured = it didn't count that. */
struct use_point {
    uint64_t run_us, cpu_us, mem_peak_bytes;
    struct measure io_bytes;
};

/* Cumulative cost of the first `run_us` by request, wherever charging stands. Non-decreasing in run_us. */
int64_t price_cost(const struct price_book *book, struct meter meter, uint64_t run_us);
/* The longest run time <= max_us whose cumulative cost by request is <= micros. */
uint64_t price_time_for(const struct price_book *book, struct meter meter, int64_t micros, uint64_t max_us);

/* From where charging stands. `use` is what was used by then, use->run_us >= to_us; NULL: not known, all by request.
 * What can't be told from it (not counted, a counter that went back) is charged by request, and the line says so. Of
 * I/O nobody asks for anything: what isn't counted costs nothing, and a line of 0 by request says so; a counter that
 * went back adds nothing until it is where it was. */

/* What the time from settled_us to to_us costs, and all I/O counted by `use`. Non-decreasing in to_us. */
int64_t price_due(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                  uint64_t to_us);
/* The longest to_us, settled_us <= to_us <= max_us, that costs <= micros. */
uint64_t price_due_time(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                        int64_t micros, uint64_t max_us);
/* The same of the I/O alone. */
int64_t price_io_due(const struct price_book *book, const struct meter *meter, const struct use_point *use);
/* How much of the node's count is charged; absent: not known. */
struct measure price_io_charged(const struct meter *meter);
/* What a GiB costs at the most from settled_us to until_us. */
int64_t price_io_dearest(const struct price_book *book, const struct meter *meter, uint64_t until_us);
/* What I/O up to `bytes` of its node's count can cost at the most if it is settled at until_us or before. Not known how
 * much is charged: all of it. Non-decreasing in both. */
int64_t price_io_hold(const struct price_book *book, const struct meter *meter, uint64_t bytes, uint64_t until_us);
/* The highest count <= max_bytes that can't cost more than that; what is charged when nothing more can. */
uint64_t price_io_bytes(const struct price_book *book, const struct meter *meter, int64_t micros, uint64_t max_bytes,
                        uint64_t until_us);
/* How much of use->io_bytes is charged for so much money at the most: less only where it costs more. What is charged
 * already when not even that. Absent when `use` counts none. */
struct measure price_io_within(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                               int64_t micros);
/* Lines for that time, one per resource and price version with non-zero amount; their micros add up to price_due()
 * exactly. Appended to `ret` (struct charge, caller owns). A resource without a price gives a line of 0: what was used
 * is on record. -ENOMEM: nothing was appended. */
int price_charges(const struct price_book *book, const struct meter *meter, const struct use_point *use, uint64_t to_us,
                  struct list *ret) MUST_USE;
/* The marks at to_us, into an empty `ret` (struct meter_mark, caller owns). -ENOMEM. */
int price_marks(const struct price_book *book, const struct meter *meter, const struct use_point *use, uint64_t to_us,
                struct list *ret) MUST_USE;

/*
 * Re-rating: what charge lines come to under the book as it is now. The lines of one resource of one attempt, in order,
 * from its first on: each comes to the growth of the cumulative, once rounded cost. So under the book that they were
 * charged by every line comes to what it says, and under another the differences add up to the difference of the whole.
 * Amounts stay as they were measured.
 */
struct price_sum {     /* a cumulative cost before rounding; all zero at the start */
    money_wide parts;  /* of a micro-unit */
    bool beyond;       /* MONEY_MICROS_MAX or more */
};
/* The cost of the next line (resource, amount, run_us), which began at from_utc_us. *ret_version: in force at its end.
 * */
int64_t price_again(const struct price_book *book, struct buyer buyer, const struct charge *line, int64_t from_utc_us,
                    struct price_sum *sum, uint32_t *ret_version);

#endif
