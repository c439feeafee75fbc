/*
 * journal_head - what a scheduler says about its journal at one moment, signed: "at this entry the chain was that".
 * One line of text, so that it can be mailed, printed, logged, appended to a file on another machine:
 *
 *   reeve-head v=1 cell=default seq=812 at=2026-11-26T14:00:00Z chain=<64 digits> key=<64 digits> sig=<128 digits>
 *
 * The signature (Ed25519) is over everything before " sig=". Whoever changes a record at or before seq changes the
 * chain there, and can't sign that without the key. `key` is the public key it was signed with: a reader compares it
 * with the one that it trusts. Two heads of one cell and seq with different chains prove a fork.
 * Purity: pure. Signing and checking are base/io/sign.h's.
 */
#ifndef REEVE_BASE_JOURNAL_HEAD_H
#define REEVE_BASE_JOURNAL_HEAD_H

#include "base/journal_record.h"

#define SIGN_KEY_BYTES 32
#define SIGN_BYTES 64
#define JOURNAL_HEAD_MAX 512 /* bytes of a line, its newline included */

struct journal_head {
    char cell[JOURNAL_CELL_MAX + 1];
    uint64_t seq;                 /* > 0 */
    int64_t at_utc_us;            /* when it was signed; UTC of the machine */
    uint8_t chain[SHA256_BYTES];
    uint8_t key[SIGN_KEY_BYTES], sig[SIGN_BYTES];
};

/* The part that is signed. */
void journal_head_put(struct buf *out, const struct journal_head *h);
/* " sig=..." behind it, without a newline. */
void journal_head_put_sig(struct buf *out, const struct journal_head *h);
/* Reads a line without its newline. *ret_signed_len: so many bytes from its beginning are signed. -EBADMSG: it is no
 * head. -EPROTONOSUPPORT: of another version. The signature is not checked here. */
int journal_head_get(const char *line, size_t len, struct journal_head *ret, size_t *ret_signed_len,
                     struct err *err) MUST_USE;

#endif
