/*
 * recover - from what is on the disk and in Redis back to one state in three places.
 *
 *   recover_files()  newest whole snapshot + the journal behind it -> core
 *   recover_store()  takes the term, then makes the two copies of the journal equal:
 *
 *     Redis longer      what the file lacks is read and adopted (appended, applied)
 *     file longer       what Redis lacks is replayed under the same seq
 *     Redis empty, or rolled back behind what the file still has
 *                       emptied, seeded from the oldest snapshot, replayed
 *     both copies have a seq but with other bytes, or neither has a part      refused by name: a person must look
 *
 *   and compares every account in Redis with the ledger; books that differ are rebuilt from the file.
 *
 * Both are idempotent: a crash in the middle is recovered by doing it again.
 */
#ifndef REEVE_SCHEDULER_RECOVER_H
#define REEVE_SCHEDULER_RECOVER_H

#include "scheduler/core/core.h"
#include "scheduler/journal.h"

struct recovered_files {
    uint64_t snapshot_seq, replayed, term;
    int64_t at_utc_us;    /* of the newest fact */
    uint32_t bad_snapshots; /* damaged ones that were passed over; the journal reached further back */
};
/* *ret_core is made here; the journal's tail is found. -EBADMSG, -ENOENT, -EXDEV, -EPROTO, -EPROTONOSUPPORT: a person
 * must look; the err says at which file, offset and seq. */
int recover_files(struct journal *j, const char *cell, const struct core_limits *limits, struct core **ret_core,
                  struct recovered_files *ret, struct err *err) MUST_USE;

struct recover_call {
    const char *url, *cell, *writer;
    struct journal *journal;     /* begun */
    const struct core *core;
    uint64_t term;               /* ours; 0 = take a new one above everything seen */
    uint64_t term_floor;         /* a new term must be above this */
    /* An entry that Redis has and the file has not. refusal "" = committed. */
    int (*adopt)(void *arg, uint64_t seq, uint64_t term, const char *refusal, const uint8_t *bytes, size_t len,
                 struct err *err);
    void *arg;
};
struct recover_report {
    uint64_t term;               /* ours from now on */
    uint64_t adopted, replayed;
    bool rebuilt;                /* Redis was emptied and filled again */
    char reason[200];            /* why rebuilt */
};
/* -ESTALE: another scheduler has the cell. -ENODATA, -EUCLEAN, -EPROTONOSUPPORT: a person must look. Everything else:
 * the store is away or can't do it now, try again. */
int recover_store(const struct recover_call *call, struct recover_report *ret, struct err *err) MUST_USE;
bool recover_is_fatal(int code);

#endif
