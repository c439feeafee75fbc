/*
 * audit_inner - what the files of the audit's reader share. Nobody else includes it.
 *
 *   audit_read.c     segments in order, records of a segment
 *   audit_damage.c   what is wrong where a record should be
 *   audit_heads.c    signed heads
 *   audit_against.c  a copy beside it
 */
#ifndef REEVE_CLI_AUDIT_INNER_H
#define REEVE_CLI_AUDIT_INNER_H

#include "base/io/numbered.h"
#include "cli/audit_read.h"

/* Where the reading stands: the next record must have seq `next` and continue `chain`. */
struct audit_at {
    uint64_t next, term;
    int64_t at_utc_us;
    uint8_t chain[SHA256_BYTES];
    size_t head; /* of the sorted heads: the next one to be met */
    uint64_t signed_upto; /* the last matching head, or where the reading began */
    bool lost;   /* the file before could not be read to its end: said, so that no gap is said again */
    bool forked; /* said once: all heads behind it differ, too */
};

struct audit_file {
    char name[NUMBERED_NAME_MAX];
    uint64_t number;            /* by its name */
    struct journal_header header;
    size_t header_size;         /* 0 = damaged */
    bool archived, last;        /* last: of all files */
    const uint8_t *at;
    size_t len;
};

/* No record that continues the chain stands at `offset`. Says what is wrong, and gives where the reading goes on, with
 * `at` set for it; the file's length when nothing more of it can be read. `bound`: the first seq of the next file. */
size_t audit_damage(struct audit *a, struct audit_at *at, const struct audit_file *f, size_t offset, uint64_t bound);

/* Sorts, and throws out what repeats. */
void audit_heads_sort(struct audit *a);
/* The record of this seq was read, and the chain is this behind it. */
void audit_heads_meet(struct audit *a, struct audit_at *at, uint64_t seq);
/* Behind the last record: heads that say more was there. */
void audit_heads_end(struct audit *a, const struct audit_at *at);
/* The newest seq that any trusted head says was on the disk. */
uint64_t audit_heads_newest(const struct audit *a);

#endif
