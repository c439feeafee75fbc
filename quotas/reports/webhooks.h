/*
 * webhooks - tells others of events, at least once each, in order, one at a time per webhook.
 *
 *   idle --an event--> sending --2xx--> idle (on disk how far it is)
 *                         |-- anything else, or nothing in WEBHOOK_TIMEOUT_MS --> waiting --> sending
 *
 * Waiting doubles from WEBHOOK_RETRY_MS to an hour; it goes on across restarts, until an event is three days old: then
 * the log says that it was dropped. What was sent but not known to be received is sent again with the same id.
 *
 *   Reeve-Event: <id>      Reeve-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">
 *
 * Ownership: the file is read once, at the start.
 */
#ifndef REEVE_QUOTAS_REPORTS_WEBHOOKS_H
#define REEVE_QUOTAS_REPORTS_WEBHOOKS_H

#include "base/io/loop.h"
#include "quotas/reports/book_event.h"

#define WEBHOOK_RETRY_MS 1000

struct webhooks;
struct webhooks_view {
    uint64_t hooks, failing;                         /* failing: the last try was no success */
    uint64_t sent_total, failed_total, dropped_total;
};

int webhooks_new(struct webhooks **ret, struct loop *loop, struct book *book, const char *path, uint64_t retry_ms,
                 struct err *err) MUST_USE;
void webhooks_free(struct webhooks *w);  /* NULL is fine */
void webhooks_poke(struct webhooks *w);  /* there may be new events; NULL is fine */
struct webhooks_view webhooks_view(const struct webhooks *w);
/* "t=...,v1=..." of a body. */
void webhook_signature(const char *secret, int64_t at_s, const char *body, struct buf *out);

#endif
