/*
 * arena - memory that comes in small pieces and goes as a whole: for what is read, looked at and forgotten.
 * Purity:    pure (allocates).
 * Ownership: a piece lives until the arena is reset; nobody frees it. Where an arena may be NULL, pieces are the heap's
 *            and the caller's.
 */
#ifndef REEVE_BASE_ARENA_H
#define REEVE_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena { /* all zero: empty */
    struct arena_block *newest;
    char *at, *end;
};

void arena_reset(struct arena *a); /* keeps a block for what comes next */
void arena_fini(struct arena *a);

/* All of these: NULL on lack of memory. */
void *arena_take(struct arena *a, size_t size); /* aligned for any number or pointer */
/* These bytes and a zero behind them; `a` may be NULL. */
char *arena_text(struct arena *a, const char *bytes, size_t len);
/* A row of `count` elements with a place for one more, which isn't zeroed; `a` may be NULL. In an arena a row must have
 * grown by this alone from nothing. */
void *arena_grow(struct arena *a, void *row, size_t count, size_t each);

#endif
