/*
 * roster - the attempts a node knows, found by id or by handle.
 * Ownership: the roster owns its rows; `data` stays the caller's. A handle is a plain value that may cross an
 *            asynchronous boundary: when its attempt has gone it finds nothing.
 * Bound:     `max` rows, given at birth.
 * Purity:    pure (allocates).
 */
#ifndef REEVE_AGENT_CORE_ROSTER_H
#define REEVE_AGENT_CORE_ROSTER_H

#include "base/attempt.h"

struct roster;
typedef uint64_t roster_id; /* never 0 */

struct roster_row {
    roster_id handle;
    struct attempt_id id;
    void *data;
};

int roster_new(struct roster **ret, uint32_t max) MUST_USE; /* -ENOMEM */
void roster_free(struct roster *r);
/* -EEXIST, -ENOSPC (full), -ENOMEM. */
int roster_add(struct roster *r, struct attempt_id id, void *data, roster_id *ret) MUST_USE;
void roster_remove(struct roster *r, roster_id handle); /* unknown is fine */
/* Borrowed until the next add or remove; NULL = not there. */
struct roster_row *roster_get(struct roster *r, roster_id handle);
struct roster_row *roster_find(struct roster *r, struct attempt_id id);
/* The row of this task with the highest epoch; NULL = none. */
struct roster_row *roster_newest(struct roster *r, uint64_t job, uint32_t task);
/* All rows, in no order that means anything: start with 0; NULL at the end. Removing the row just given is fine. */
struct roster_row *roster_next(struct roster *r, roster_id after);
uint32_t roster_count(const struct roster *r);

#endif
