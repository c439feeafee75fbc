/*
 * book - the journal turned into tables: each entry exactly once, whatever dies.
 *
 *   book_begin()  book_apply(entry) ...  book_commit()     one SQLite transaction; it moves the cursor too
 *
 * So after any crash the rows are those of entries 1..cursor, and the reader goes on at cursor + 1. Entries at or below
 * the cursor change nothing; an entry beyond cursor + 1 is refused: the book never has a hole.
 *
 * Money: the charges of an attempt always add up to what the fact says was spent: what the fact's own charge lines
 *        don't explain becomes a line of resource "adjustment", counted and visible. Sum of all charges = spent of
 *        "/@total" at the cursor. A charge that crosses midnight UTC is cut there (telescoped rounding: the pieces add
 *        up to the line), so that days, weeks and months are exact.
 * Who:   the only writer of report/reeve.sqlite.
 */
#ifndef REEVE_QUOTAS_REPORTS_BOOK_H
#define REEVE_QUOTAS_REPORTS_BOOK_H

#include <sqlite3.h>

#include "base/fact.h"
#include "base/sha256.h"

struct book;

struct book_mark {
    uint64_t cursor;              /* last entry in the book */
    uint8_t digest[SHA256_BYTES]; /* of its bytes; zeroes for cursor 0 */
    int64_t at_utc_us;            /* of the newest fact */
};

/* Creates or opens the file. Takes a lock beside it: -EBUSY when another reportd has it. */
int book_open(struct book **ret, const char *path, const char *cell, struct err *err) MUST_USE;
void book_close(struct book *b); /* rolls back what was begun; NULL is fine */
struct book_mark book_mark(const struct book *b);    /* as committed */
uint64_t book_next(const struct book *b);            /* the entry it wants next, also inside a transaction */
sqlite3 *book_db(struct book *b);

int book_begin(struct book *b, struct err *err) MUST_USE;
/* -ERANGE: not the next one. -EBADMSG, -EPROTONOSUPPORT: not a fact this version knows. -EPROTO: contradicts what the
 * book has. Any failure: roll back. refusal: NULL or "" = committed. */
int book_apply(struct book *b, uint64_t seq, const char *refusal, const void *bytes, size_t len,
               struct err *err) MUST_USE;
int book_commit(struct book *b, struct err *err) MUST_USE;
void book_rollback(struct book *b);
/* How an entry's bytes are known again. */
void book_digest(const char *refusal, const void *bytes, size_t len, uint8_t out[SHA256_BYTES]);

#endif
