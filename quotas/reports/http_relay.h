/*
 * http_relay - questions and changes that reeved answers, over its socket, for somebody at our doors.
 *
 *   POST /v1/ledger/adjustments   ledger.adjust; Idempotency-Key is its key: sent twice, posted once
 *   GET  /metrics/scheduler       system.metrics: reeved's own figures
 *
 * reeved hears it from our user, and for a change takes it only if the policy's admins name that user. Who may ask us
 * is decided here: by a token's scope and subtree, by uid for admins of the whole cell. The reason that is posted ends
 * with who it was: [uid:0] or [token 9f86d081], the beginning of its hash.
 *
 * Bounds: RELAYS_MAX under way. When the peer goes away the answer is dropped; what was asked is done all the same, and
 *         asking again under the same key says so.
 * Only http*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_HTTP_RELAY_H
#define REEVE_QUOTAS_REPORTS_HTTP_RELAY_H

#include <event2/http.h>

#include "quotas/reports/http_door.h"

#define RELAYS_MAX 64

/* The method, by its name in the protocol, with the body for its parameters; NULL where there is none. -EINVAL: the
 * problem says why. 0: the answer comes. */
int http_relay(struct door *door, struct evhttp_request *req, const char *method, const struct ask *ask,
               struct problem *problem) MUST_USE;

#endif
