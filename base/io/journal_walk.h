/*
 * journal_walk - reading journal segments: verify the chain through all of them, tell a torn tail from damage.
 * Changes nothing; a scheduler may write meanwhile.
 */
#ifndef REEVE_BASE_IO_JOURNAL_WALK_H
#define REEVE_BASE_IO_JOURNAL_WALK_H

#include "base/journal_record.h"

#define JOURNAL_PREFIX "journal"

/* A place in the chain: what a snapshot remembers. */
struct journal_point {
    uint64_t seq;
    uint8_t chain[SHA256_BYTES];
};
/* A negative return stops the reading with that code. */
typedef int (*journal_fn)(void *arg, const struct journal_record *r, struct err *err);

struct journal_walk {
    int folder, archive;                 /* archive: where a segment is that is not in the folder; -1 = nowhere */
    const char *path, *cell;
    const uint64_t *segments; /* first seqs, rising */
    size_t count;
    uint64_t from_seq;                   /* fn sees what lies beyond */
    const struct journal_point *expect;  /* chain there; NULL = believe the headers */
    journal_fn fn;
    void *arg;
    /* where it ended */
    struct journal_point tail;
    uint64_t term;
    size_t good_bytes, torn_bytes; /* of the last segment */
};

/* The segments of both folders (archive -1: of one), rising, each once: one may be on its way from here to there. The
 * caller frees the row. */
int journal_segments(int folder, int archive, uint64_t **ret, size_t *ret_count, struct err *err) MUST_USE;
int journal_walk(struct journal_walk *w, struct err *err) MUST_USE;

#endif
