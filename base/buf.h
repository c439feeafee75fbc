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
#include <string.h>

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
void buf_grow_and_add(struct buf *b, const void *bytes, size_t len); /* buf_add() where there is no room yet */
/* There are `more` bytes of room and one for the NUL, also below the ceiling: size is never above that. */
static inline bool buf_has_room(const struct buf *b, size_t more)
{
    return !b->failed && more < b->size - b->len;
}
/* Who has asked for room has written so many bytes behind what there was. */
static inline void buf_wrote(struct buf *b, size_t len)
{
    b->len += len;
    b->data[b->len] = '\0';
}
static inline void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (!buf_has_room(b, len)) {
        buf_grow_and_add(b, bytes, len);
        return;
    }
    if (len > 0)
        memcpy(b->data + b->len, bytes, len);
    buf_wrote(b, len);
}
void buf_add_str(struct buf *b, const char *text);
void buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* The text; "" when empty. Borrowed. */
const char *buf_text(const struct buf *b);
/* Hands the memory to the caller (free it) and empties the buffer; NULL when it failed. */
char *buf_take(struct buf *b);

#endif
