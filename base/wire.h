/*
 * wire - bounds-checked reading and writing of the few shapes our binary records are made of:
 * varint (LEB128, 64 bit), zigzag varint, and length-prefixed bytes.
 * Purity: pure. The reader never reads past `end`; after the first fault `bad` stays set and every read gives 0.
 */
#ifndef REEVE_BASE_WIRE_H
#define REEVE_BASE_WIRE_H

#include "base/buf.h"

struct alike;
struct arena;
struct wire_reader {
    const uint8_t *at, *end;
    struct arena *arena; /* where what is made of it goes; NULL: the heap */
    struct alike *alike; /* what it knows already; NULL: nothing. Only with an arena. */
    bool bad;
};

#define WIRE_U64_MAX 10 /* bytes of a varint */
static inline size_t wire_u64(uint8_t out[WIRE_U64_MAX], uint64_t value) /* its length */
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (uint8_t)(value | 0x80);
    out[len++] = (uint8_t)value;
    return len;
}
static inline uint64_t wire_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

void wire_put_u64(struct buf *out, uint64_t value);                   /* varint */
void wire_put_i64(struct buf *out, int64_t value);                    /* zigzag varint */
void wire_put_bytes(struct buf *out, const void *bytes, size_t len);  /* varint length, bytes */

struct wire_reader wire_reader(const void *bytes, size_t len);
uint64_t wire_get_long_u64(struct wire_reader *r); /* wire_get_u64() of more than one byte, or of none */
static inline uint64_t wire_get_u64(struct wire_reader *r)
{
    return r->at < r->end && *r->at < 0x80 && !r->bad ? *r->at++ : wire_get_long_u64(r);
}
int64_t wire_get_i64(struct wire_reader *r);
/* Borrowed from the input; NULL and bad when the length lies. */
const uint8_t *wire_get_bytes(struct wire_reader *r, size_t *ret_len);
/* Length-prefixed bytes as a reader of their own; `r` says whether they are there. */
struct wire_reader wire_get_inner(struct wire_reader *r);
bool wire_at_end(const struct wire_reader *r);

#endif
