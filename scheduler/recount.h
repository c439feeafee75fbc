/*
 * recount - every account, use and hold made anew from the journal's files alone, beside what Redis has.
 *
 *   names and parts of Redis   each at one seq (quotas/store/store.h: store_parts), while life goes on
 *   archive + journal          replayed through a fresh ledger; when it stands at a part's seq, the two are compared
 *   at the end                 the ledger recounts itself, and the lines of all charges add up to what was spent
 *
 * Each committed fact is also asked of the ledger as it stood: one that no rule would have admitted is a difference.
 * Where the files don't reach back to the first entry, it begins with the oldest snapshot.
 * In the background: a child does it, with connections of its own. One at a time.
 */
#ifndef REEVE_SCHEDULER_RECOUNT_H
#define REEVE_SCHEDULER_RECOUNT_H

#include "base/io/loop.h"
#include "base/proto.h"

#define RECOUNT_FILE_MS 10000

struct recount_call {
    int folder, archive; /* the journal's; archive -1 = none. Borrowed */
    const char *url, *cell;
    uint32_t file_ms;    /* so long the file may lag behind what Redis has; 0 = RECOUNT_FILE_MS */
};

/* In this process. 0: *ret says what differs (the caller clears it). -EBADMSG, -ENOENT: the files are damaged. */
int recount_run(const struct recount_call *call, struct verify_reply *ret, struct err *err) MUST_USE;

struct recount_job;
/* on_done from the loop: the result (borrowed), or NULL and why there is none. It may free the job. */
int recount_begin(struct recount_job **ret, struct loop *loop, const struct recount_call *call,
                  void (*on_done)(void *arg, const struct verify_reply *reply, const struct err *why), void *arg,
                  struct err *err) MUST_USE;
/* Ends the child when it still runs. NULL is fine. */
void recount_job_free(struct recount_job *j);

#endif
