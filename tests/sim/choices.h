/*
 * choices - every decision that a simulation leaves to chance, as one recorded stream of bytes: drawn from a seed while
 * the record grows, or read back from a record. What lies beyond a record's end is 0, and 0 always means the quiet
 * choice, so a record can be cut short, have parts zeroed, or come from a fuzzer.
 */
#ifndef REEVE_TESTS_SIM_CHOICES_H
#define REEVE_TESTS_SIM_CHOICES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define CHOICES_MAX ((size_t)8 << 20)

struct choices {
    uint64_t state; /* 0: read back only */
    uint8_t *bytes;
    size_t len, size, at;
    bool unkept; /* no record: for long worlds */
};

static inline void choices_seed(struct choices *c, uint64_t seed)
{
    *c = (struct choices){.state = seed * 2 + 1};
    for (int i = 0; i < 8; i++) {
        c->state ^= c->state >> 12;
        c->state ^= c->state << 25;
        c->state ^= c->state >> 27;
    }
}

static inline void choices_read(struct choices *c, const uint8_t *bytes, size_t len)
{
    *c = (struct choices){.bytes = malloc(MAX(len, 1)), .len = len, .size = len};
    if (c->bytes == NULL)
        abort();
    memcpy(c->bytes, bytes, len);
}

static inline void choices_fini(struct choices *c)
{
    free(c->bytes);
    *c = (struct choices){0};
}

static inline uint8_t drawn(struct choices *c)
{
    c->state ^= c->state >> 12; /* xorshift64*: Vigna 2016 */
    c->state ^= c->state << 25;
    c->state ^= c->state >> 27;
    return (uint8_t)((c->state * UINT64_C(2685821657736338717)) >> 56);
}

static inline void choices_grow(struct choices *c)
{
    c->size = c->size == 0 ? 4096 : c->size * 2;
    c->bytes = realloc(c->bytes, c->size);
    if (c->bytes == NULL)
        abort();
}

static inline uint8_t choices_byte(struct choices *c)
{
    if (c->at < c->len)
        return c->bytes[c->at++];
    if (c->state == 0 || c->len >= CHOICES_MAX)
        return 0;
    if (c->unkept)
        return drawn(c);
    if (c->len == c->size)
        choices_grow(c);
    c->bytes[c->len++] = drawn(c);
    return c->bytes[c->at++];
}

/* 0 <= it < below. */
static inline uint64_t choose(struct choices *c, uint64_t below)
{
    if (below <= 1)
        return 0;
    uint64_t value = choices_byte(c);
    for (uint64_t reach = 256; reach < below; reach <<= 8)
        value = value << 8 | choices_byte(c);
    return value % below;
}

/* True in `parts` of 65536. */
static inline bool chance(struct choices *c, uint32_t parts)
{
    return parts > 0 && choose(c, 65536) >= 65536 - MIN(parts, 65536u);
}

#endif
