/*
 * journal - the local copy of the journal: segment files in one folder, hash-chained, fsynced in groups.
 *
 *   journal_open()    takes the folder's lock; knows which segments there are
 *   journal_read()    reads and verifies; cuts nothing, changes nothing; finds where the tail is
 *   journal_begin()   cuts a torn tail and opens it for appending
 *   journal_append()  into memory;  journal_flush() starts write + fsync when none is under way
 *   on_synced         everything up to this seq is safe on the disk; on_failed: the program must exit
 *
 * A torn tail (the writer died in a write that was never fsynced) is cut at the last whole record. Damage before it
 * is refused with file, offset and seq: nothing is ever skipped.
 * Ownership: one struct journal per folder and machine (flock). Closed before its loop is freed. Callbacks never come
 *            from inside journal_append().
 * Invariant: durable <= seq; seq grows by exactly one per record.
 */
#ifndef REEVE_SCHEDULER_JOURNAL_H
#define REEVE_SCHEDULER_JOURNAL_H

#include "base/io/journal_walk.h"
#include "base/io/loop.h"

struct journal;

struct journal_handlers {
    void (*on_synced)(void *arg, uint64_t durable);
    void (*on_failed)(void *arg, const struct err *err);
};

/* -EBUSY: another process has the folder. -EXDEV: the files are another cell's. */
int journal_open(struct journal **ret, const char *folder, const char *cell, struct err *err) MUST_USE;
void journal_close(struct journal *j);
int journal_folder(const struct journal *j); /* borrowed fd */
int journal_archive_folder(const struct journal *j); /* the same; -1 = none */

/* Every record beyond `from` in order, verified; from->chain must be the chain there (seq 0: zeroes). Finds the tail.
 * A point behind which no segment exists is an empty tail. -EBADMSG damaged. fn may be NULL. */
int journal_read(struct journal *j, const struct journal_point *from, journal_fn fn, void *arg,
                 struct err *err) MUST_USE;
/* The same without a known chain, for segments written by this very process: from `seq` on. */
int journal_reread(struct journal *j, uint64_t from_seq, journal_fn fn, void *arg, struct err *err) MUST_USE;
/* The smallest seq any segment has; UINT64_MAX when there is no segment. */
uint64_t journal_first_seq(const struct journal *j);
/* Bytes that journal_begin() will cut, or has cut. */
uint64_t journal_torn_bytes(const struct journal *j);

/* After journal_read(). `loop` NULL: only journal_drain() makes things durable (recovery, tests). */
int journal_begin(struct journal *j, struct loop *loop, const struct journal_handlers *h, void *arg,
                  struct err *err) MUST_USE;
/* r->group is set here. r->seq must be journal_seq() + 1. */
void journal_append(struct journal *j, const struct journal_record *r);
void journal_flush(struct journal *j);
/* Waits until everything appended is durable; on_synced is called before it returns. */
int journal_drain(struct journal *j, struct err *err) MUST_USE;
uint64_t journal_seq(const struct journal *j);
uint64_t journal_durable(const struct journal *j);
/* The chain's head, with seq; and where it is known to be on the disk. */
struct journal_point journal_head(const struct journal *j);
struct journal_point journal_durable_point(const struct journal *j);
uint64_t journal_syncs_total(const struct journal *j);

/* Drains, then goes on in a new segment. */
int journal_rotate(struct journal *j, struct err *err) MUST_USE;
/* From now on pruned segments are moved into this folder (borrowed for the call) instead of being removed, so that the
 * whole history stays. -EXDEV: it lies on another file system. */
int journal_archive(struct journal *j, int folder, struct err *err) MUST_USE;
/* Takes out segments that hold nothing from `keep_seq` on; never the current one. On failure what couldn't leave stays,
 * and so does all that follows it: no segment is lost, none leaves before an older one. */
int journal_prune(struct journal *j, uint64_t keep_seq, struct err *err) MUST_USE;

#endif
