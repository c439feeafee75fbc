/*
 * moves_inner - what moves.c and moves_ring.c share. Nobody else includes it.
 */
#ifndef REEVE_BASE_IO_MOVES_INNER_H
#define REEVE_BASE_IO_MOVES_INNER_H

#include "base/io/moves.h"

struct moves_ring;

struct moves {
    struct moves_setup with;
    char how[ERR_TEXT_MAX];
    unsigned char *arena; /* all buffers, one after the other */
    uint32_t *lendable;   /* numbers of those that aren't lent */
    unsigned lendable_count;
    unsigned in_flight;
    struct moves_ring *ring; /* NULL: plain calls */
    struct move *waiting;    /* by plain calls: in the order asked */
    unsigned waiting_count;
};

/* moves_ring.c: 0, or why there is no ring. Its buffers are registered when the kernel lets us; m->how says it. */
int moves_ring_open(struct moves *m, struct err *err) MUST_USE;
void moves_ring_close(struct moves *m);
void moves_ring_ask(struct moves *m, const struct move *move);
int moves_ring_wait(struct moves *m, struct moved *ret, unsigned max, int64_t timeout_ns) MUST_USE;

/* ring.c: why io_uring can't be had, as a sentence; returns `code`. */
int ring_explain(struct err *err, int code);

#endif
