/*
 * journal_record - how one journal entry lies in a file, and how much a reader may believe it.
 *
 *   segment header   "reevejr1" | u32 version | u32 n | n bytes of cell name | u64 first seq |
 *                    32 bytes chain before it | 32 bytes sha256 of all that
 *   record           u32 length of the body | body | 32 bytes chain
 *   body             u64 seq | u64 term | u64 group | u8 n | n bytes of refusal code | the fact's bytes
 *   chain            sha256(chain of the record before | length | body)
 *
 * Integers are little-endian. `group` is the seq of the first record that left in the same write: the writer starts
 * a write only when the one before is fsynced, so a whole record of group g proves that everything below g was safe
 * on the disk. That tells a torn tail (cut it) from damage (stop and say so).
 * A record can be believed without its history: the chain it was made from stands right before it in the file.
 * Purity: pure.
 */
#ifndef REEVE_BASE_JOURNAL_RECORD_H
#define REEVE_BASE_JOURNAL_RECORD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"

#define JOURNAL_VERSION 2
#define JOURNAL_CELL_MAX 63
#define JOURNAL_REFUSAL_MAX 47
#define JOURNAL_FACT_MAX ((size_t)16 << 20)

struct journal_record {
    uint64_t seq, term, group;
    char refusal[JOURNAL_REFUSAL_MAX + 1]; /* "" = committed */
    const uint8_t *fact;                   /* borrowed from the input when read */
    size_t fact_len;
};

struct journal_header {
    char cell[JOURNAL_CELL_MAX + 1];
    uint64_t first_seq;
    uint8_t chain[SHA256_BYTES];
};

void journal_header_put(struct buf *out, const struct journal_header *h);
/* -EBADMSG: damaged. -EPROTONOSUPPORT: another version. */
int journal_header_get(const uint8_t *at, size_t len, struct journal_header *ret, size_t *ret_size,
                       struct err *err) MUST_USE;

/* Appends the record and moves `chain` on to it. */
void journal_record_put(struct buf *out, const struct journal_record *r, uint8_t chain[SHA256_BYTES]);
/* Is there a whole record at `at` that continues `chain`? Then its size (and chain is moved on), else 0. */
size_t journal_record_get(const uint8_t *at, size_t len, uint8_t chain[SHA256_BYTES], struct journal_record *ret);
/* Is there, at or behind the offset `from`, a whole record whose write began only after `seq` was safe? */
bool journal_record_proves(const uint8_t *file, size_t len, size_t from, uint64_t seq);

/* ---- for those who must say what is wrong with a file ---- */
/* By its own length field: is there room for a record at `at`? Its size and the seq that it claims; 0 = it can't be
 * one. Nothing is verified. */
size_t journal_record_shape(const uint8_t *at, size_t len, uint64_t *ret_seq);
/* The first whole record at or behind the offset `from` whose seq is at least `seq`, by the chain that stands before it
 * in the file: its offset, and the record as journal_record_get() would give it. `len`: there is none. */
size_t journal_record_next(const uint8_t *file, size_t len, size_t from, uint64_t seq, struct journal_record *ret);
/* What the chain is behind a record of this shape, made from `chain`, whatever the file says. */
void journal_record_chain(const uint8_t *at, size_t size, const uint8_t chain[SHA256_BYTES],
                          uint8_t ret[SHA256_BYTES]);

#endif
