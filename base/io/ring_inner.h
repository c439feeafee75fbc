/*
 * ring_inner - what ring.c and ring_plain.c share. Nobody else includes it.
 */
#ifndef REEVE_BASE_IO_RING_INNER_H
#define REEVE_BASE_IO_RING_INNER_H

#include "base/io/ring.h"

enum ring_kind { RING_POLL, RING_SPLICE, RING_READ, RING_WRITE, RING_FSYNC, RING_FALLOCATE };
struct ring_op {
    enum ring_kind kind;
    int fd, file;    /* SPLICE: the pipe, the file */
    int mode;        /* FALLOCATE */
    bool data_only;  /* FSYNC */
    uint32_t events; /* POLL */
    void *bytes;     /* READ, WRITE */
    uint64_t len, offset;
};

/* Plain calls instead: what was asked is done at the turn's end, one after the other, and answered in the next turn;
 * polls are the loop's own. `answer` is given the id that it was asked with. */
struct ring_plain;
typedef void (*ring_answer)(struct ring *r, uint64_t id, int32_t result);
int ring_plain_new(struct ring_plain **ret, struct loop *l, unsigned depth, ring_answer answer,
                   struct ring *r) MUST_USE;
void ring_plain_free(struct ring_plain *p); /* NULL is fine; nothing is answered any more */
/* `slot` < depth, free; `id` for the answer. */
void ring_plain_ask(struct ring_plain *p, uint32_t slot, uint64_t id, const struct ring_op *op);
void ring_plain_cancel(struct ring_plain *p, uint32_t slot);
void ring_plain_flush(struct ring_plain *p);

#endif
