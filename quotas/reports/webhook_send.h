/*
 * webhook_send - one POST to a stranger's server, without waiting for it; the only owner of libcurl.
 *
 * Bounds: WEBHOOK_TIMEOUT_MS for all of it, 64 KiB of an answer (which nobody reads). http and https only, certificates
 *         checked against the machine's, no redirect followed: what is signed for one address goes to no other.
 * Ownership: url, headers and body are copied. on_done comes from the event loop, exactly once,
 *            unless the sender goes before.
 */
#ifndef REEVE_QUOTAS_REPORTS_WEBHOOK_SEND_H
#define REEVE_QUOTAS_REPORTS_WEBHOOK_SEND_H

#include "base/fields.h"
#include "base/io/loop.h"

#define WEBHOOK_TIMEOUT_MS 10000

struct sender;

int sender_new(struct sender **ret, struct loop *loop, struct err *err) MUST_USE;
void sender_free(struct sender *s); /* cancels what is under way; NULL is fine */
/* status: of HTTP; 0 when there was none, then `why` says it. */
typedef void sender_done(void *arg, long status, const char *why);
int sender_post(struct sender *s, const char *url, const struct strs *headers, const char *body, sender_done *on_done,
                void *arg, struct err *err) MUST_USE;

#endif
