/*
 * snapshot_read - the core's whole state at one seq, as the facts that rebuild it, read from its file beside the
 * journal.
 *
 *   "reevesn1" | u32 version | u32 n | cell | u64 seq | 32 bytes chain of the journal there | u64 term | u64 utc us |
 *   32 bytes sha256 of all that | facts: u32 length, bytes ... | u32 0 | u64 count |
 *   32 bytes sha256 chain over the facts
 *
 * It is verified to its end before the first fact is given out. scheduler/snapshot.h writes them.
 */
#ifndef REEVE_BASE_IO_SNAPSHOT_READ_H
#define REEVE_BASE_IO_SNAPSHOT_READ_H

#include "base/fact.h"
#include "base/io/journal_walk.h"

#define SNAPSHOT_MAGIC "reevesn1"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_FACT_MAX ((size_t)64 << 20)
#define SNAPSHOT_PREFIX "snapshot"

struct snapshot_head {
    char cell[JOURNAL_CELL_MAX + 1];
    struct journal_point point;
    uint64_t term;
    int64_t at_utc_us; /* of the newest fact in it */
};

/* Seqs of the snapshots there, rising (caller frees). */
int snapshot_list(int folder, uint64_t **ret, size_t *ret_count, struct err *err) MUST_USE;
/* Verifies all of it, then gives each fact to fn (borrowed). -EBADMSG damaged, -EXDEV another cell's. */
int snapshot_load(int folder, uint64_t seq, const char *cell, struct snapshot_head *ret,
                  int (*fn)(void *arg, const struct fact *fact), void *arg, struct err *err) MUST_USE;

#endif
