/*
 * buf - a growing run of bytes with a ceiling. Text in it is always NUL-terminated.
 * Purity:    pure (allocates).
 * Ownership: the holder of the struct; {0} is an empty buffer, buf_fini() on it is fine.
 * Bound:     BUF_MAX unless `max` is set. Reaching it, or lack of memory, marks the buffer `failed`: further
 *            writes do nothing, and the writer asks once at the end.
 */
#ifndef REEVE_BASE_BUF_H
#define REEVE_BASE_BUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

#define BUF_MAX ((size_t)64 << 20)

struct buf {
    char *data; /* NUL-terminated when not NULL */
    size_t len, size;
    size_t max; /* 0 = BUF_MAX */
    bool failed;
};

void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* keeps the memory */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, const char *text);
void buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* The text; "" when empty. Borrowed. */
const char *buf_text(const struct buf *b);
/* Hands the memory to the caller (free it) and empties the buffer; NULL when it failed. */
char *buf_take(struct buf *b);

#endif
