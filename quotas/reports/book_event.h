/*
 * book_event - what others are told of: events, written in the transaction of the entry they are about, and how far
 * each webhook has got. So an event is there exactly once, and each webhook hears it at least once.
 */
#ifndef REEVE_QUOTAS_REPORTS_BOOK_EVENT_H
#define REEVE_QUOTAS_REPORTS_BOOK_EVENT_H

#include "quotas/reports/book.h"
#include "quotas/reports/webhooks_file.h"

#define EVENT_LIVES_US (INT64_C(72) * 3600 * 1000000) /* nobody wants to hear of it later */

struct book_event {
    uint64_t seq; /* of the entry; 0 = there is none */
    char *body;   /* JSON */
};

/* The first event after `after`, at or after `since`, that this webhook is to hear. The caller frees body. */
int book_event_next(struct book *b, const struct webhook *hook, uint64_t after, int64_t since_utc_us,
                    struct book_event *ret, struct err *err) MUST_USE;
/* The last event it has heard. A new webhook begins with what comes after it was first asked for. Not inside a
 * transaction. */
int book_hook_load(struct book *b, const char *name, uint64_t *ret_seq, struct err *err) MUST_USE;
int book_hook_save(struct book *b, const char *name, uint64_t seq, struct err *err) MUST_USE;

#endif
