/*
 * audit_read - the journal's files read by somebody who trusts nobody: every record of every segment, held against the
 * chain, against its neighbours, and against heads that were signed and, best, kept elsewhere. What is wrong is named
 * by seq, and the reading goes on behind it: one damage doesn't hide the next.
 *
 *   altered     a record (or a file's head) is not what it was: a bit flipped, content replaced
 *   dropped     records are missing between others
 *   swapped     records (or files) stand where others belong
 *   truncated   a file ends too early: in the middle of a record, or before what a signed head says was on the disk
 *   forked      the chain is sound but another one than was signed; or two continuations of one history
 *   forged      a line of heads that no trusted key has signed
 *
 * A record can be believed without its history, because the chain it was made from stands before it. So behind a
 * damage the next record that fits its own surroundings is looked for, and what lies between is told by what is there
 * and by what should be.
 * What no later record and no signed head covers at the very end can't be told from the tail that a crash leaves
 * (torn_bytes).
 * Needs no scheduler and writes nothing; a scheduler may write meanwhile.
 */
#ifndef REEVE_CLI_AUDIT_READ_H
#define REEVE_CLI_AUDIT_READ_H

#include "base/journal_head.h"
#include "base/fields.h"

#define AUDIT_FINDINGS_MAX 1000 /* kept; all are counted */
#define AUDIT_KEYS_MAX 16

enum audit_kind {
    AUDIT_ALTERED, AUDIT_DROPPED, AUDIT_SWAPPED, AUDIT_TRUNCATED, AUDIT_FORKED, AUDIT_FORGED, AUDIT_KIND_COUNT
};
extern const struct names audit_kind_names;

struct audit_finding {
    uint32_t kind;
    uint64_t first, last; /* seqs it is about; 0 = none */
    char *text;           /* "journal-…1 at offset 912: …" */
};

struct audit_head {
    struct journal_head head;
    bool elsewhere; /* from a file that was kept apart */
    bool matched;
};

struct audit {
    /* what to read */
    const char *folder, *archive; /* archive NULL or absent = there is none */
    uint8_t keys[AUDIT_KEYS_MAX][SIGN_KEY_BYTES];
    size_t keys_count;            /* 0 = signatures can't be checked: heads are not used */
    struct list heads;            /* struct audit_head; audit_heads_add() fills it */
    void (*on_record)(void *arg, uint64_t seq, const uint8_t chain[SHA256_BYTES]); /* NULL: nobody asks */
    void *arg;
    /* what was found */
    char cell[JOURNAL_CELL_MAX + 1];
    uint64_t first, last;         /* seqs; 0 = no record */
    uint64_t records, segments, bytes, torn_bytes;
    uint8_t chain[SHA256_BYTES];  /* behind `last` */
    uint64_t heads_matched, heads_newest, elsewhere_matched, elsewhere_newest; /* newest: seq */
    struct list findings;         /* struct audit_finding, in the order of the reading */
    uint64_t findings_total;
};

/* Reads a file of heads. Lines of other cells are passed over when the file is somebody's collection (elsewhere).
 * -errno: it can't be read; what is wrong with a line is a finding. */
int audit_heads_add(struct audit *a, const char *path, bool elsewhere, struct err *err) MUST_USE;
/* All of it. 0 also when findings were made. -ENOENT: there is no segment. */
int audit_read(struct audit *a, struct err *err) MUST_USE;
void audit_fini(struct audit *a);

/* Holds this journal, which was read, against a copy of it that was kept elsewhere, a folder with segments: the first
 * record that is another one there is a finding, and so is what only the copy still has. What is wrong with the copy
 * itself is not said (audit_read() it). *ret_upto: as far as both reach. */
int audit_against(struct audit *a, const char *copy, uint64_t *ret_upto, struct err *err) MUST_USE;

/* Notes a finding. */
void audit_find(struct audit *a, enum audit_kind kind, uint64_t first, uint64_t last, const char *format, ...)
    PRINTF_LIKE(5, 6);

#endif
