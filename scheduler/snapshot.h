/*
 * snapshot - the core's whole state at one seq, written to a file beside the journal; base/io/snapshot_read.h has the
 * format, and reads it.
 *
 * Written to a .tmp, fsynced, renamed: a snapshot is whole or absent.
 * Ownership: snapshot_begin() forks: the child writes its frozen copy of the core, this process goes on at once.
 */
#ifndef REEVE_SCHEDULER_SNAPSHOT_H
#define REEVE_SCHEDULER_SNAPSHOT_H

#include "base/io/snapshot_read.h"
#include "scheduler/core/core.h"
#include "scheduler/journal.h"

int snapshot_write(int folder, const struct snapshot_head *head, const struct core *core, struct err *err) MUST_USE;
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
