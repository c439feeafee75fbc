/*
 * snapshot - the core's whole state at one seq, as the facts that rebuild it, in one file beside the journal.
 *
 *   "reevesn1" | u32 version | u32 n | cell | u64 seq | 32 bytes chain of the journal there | u64 term | u64 utc us |
 *   32 bytes sha256 of all that | facts: u32 length, bytes ... | u32 0 | u64 count | 32 bytes sha256 chain over the
 * facts
 *
 * Written to a .tmp, fsynced, renamed: a snapshot is whole or absent. It is verified to its end before the first fact
 * is given out.
 * Ownership: snapshot_begin() forks: the child writes its frozen copy of the core, this process goes on at once.
 */
#ifndef REEVE_SCHEDULER_SNAPSHOT_H
#define REEVE_SCHEDULER_SNAPSHOT_H

#include "scheduler/core/core.h"
#include "scheduler/journal.h"

#define SNAPSHOT_PREFIX "snapshot"

struct snapshot_head {
    char cell[JOURNAL_CELL_MAX + 1];
    struct journal_point point;
    uint64_t term;
    int64_t at_utc_us; /* of the newest fact in it */
};

int snapshot_write(int folder, const struct snapshot_head *head, const struct core *core, struct err *err) MUST_USE;
/* Seqs of the snapshots there, rising (caller frees). */
int snapshot_list(int folder, uint64_t **ret, size_t *ret_count, struct err *err) MUST_USE;
/* Verifies all of it, then gives each fact to fn (borrowed). -EBADMSG damaged, -EXDEV another cell's. */
int snapshot_load(int folder, uint64_t seq, const char *cell, struct snapshot_head *ret,
                  int (*fn)(void *arg, const struct fact *fact), void *arg, struct err *err) MUST_USE;
/* Forgets snapshots up to `upto`, as far as nobody will miss them. The newest of them that is older than age_s is where
 * a rebuild begins: its seq is given, 0 when none is so old. It stays, the newest stays, and one for each 24th of age_s
 * between them. What is behind `upto` stays, too. */
uint64_t snapshot_prune(int folder, uint64_t upto, int64_t age_s);

/* In the background: one at a time. on_done(ok) from the loop. */
struct snapshot_job;
int snapshot_begin(struct snapshot_job **ret, struct loop *loop, int folder, const struct snapshot_head *head,
                   const struct core *core, void (*on_done)(void *arg, bool ok), void *arg, struct err *err) MUST_USE;
/* Ends the child when it still runs. NULL is fine. */
void snapshot_job_free(struct snapshot_job *s);

#endif
