/*
 * recount_compare - the recount's own books, and how they stand beside Redis at one seq. Internal to recount.c.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_RECOUNT_COMPARE_H
#define REEVE_SCHEDULER_RECOUNT_COMPARE_H

#include "base/proto.h"
#include "quotas/ledger.h"
#include "quotas/store/store.h"

struct recount_books {
    struct ledger *ledger;
    int64_t lines_micros;      /* of all charge lines read, on top of what the snapshot had */
    int64_t at_utc_us;         /* of the newest fact */
    struct verify_reply reply; /* what was compared and what differs */
};

int recount_books_init(struct recount_books *b, struct err *err) MUST_USE;
void recount_books_fini(struct recount_books *b);
/* A fact of the snapshot that it begins with. */
void recount_seed(struct recount_books *b, const struct fact *fact);
/* A committed fact: would it have been admitted? Then its effect. */
void recount_fact(struct recount_books *b, uint64_t seq, const struct fact *fact);
/* The books stand at `seq`: exactly these accounts, tenants and holds exist; each is as Redis says. */
void recount_names(struct recount_books *b, uint64_t seq, const struct store_names *names);
void recount_part(struct recount_books *b, const struct store_part *part);
/* At the end: every invariant of the ledger, and the sum of all lines. */
void recount_end(struct recount_books *b, uint64_t seq);

#endif
