/*
 * moves - reads, writes and syncs of open files, for a thread that does nothing else: through an io_uring of its own,
 * or by plain calls where none is to be had. (In a program's loop it is ring.h.)
 *
 * On a ring: one issuer; completions are worked off while we wait, not by interrupting us; buffers are known to the
 * kernel beforehand; what blocks has MOVES_WORKERS kernel threads. By plain calls: the same answers, one operation at a
 * time, in the order asked, made inside moves_wait(). Whoever decides who is next decides it for both, so the shares
 * are the same; only nothing overlaps.
 *
 * Every move is answered exactly once, by moves_wait(): `result` is what the system call would have returned.
 * Ownership: fds are the caller's and stay open until the answer has come; buffers belong to the moves, lent by number.
 * Bounds:    `depth` in flight, -ENOBUFS beyond; the completion queue holds them all.
 * Threads:   all calls from the thread that made it.
 */
#ifndef REEVE_BASE_IO_MOVES_H
#define REEVE_BASE_IO_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MOVES_DEPTH_MAX 1024
#define MOVES_WORKERS 4
#define MOVES_ANY_OFFSET UINT64_MAX /* pipes and sockets: where they are */

struct moves;

enum move_kind { MOVE_READ, MOVE_WRITE, MOVE_SYNC, MOVE_POLL, MOVE_KIND_COUNT };
struct move {
    enum move_kind kind;
    int fd;
    uint32_t buffer;      /* READ, WRITE: moves_lend()'s */
    uint32_t skip, bytes; /* from there in the buffer; bytes > 0 */
    uint64_t offset;      /* in the file */
    uint32_t events;      /* POLL: POLLIN, POLLOUT; the result is those that are true */
    uint64_t token;       /* the caller's */
};
struct moved {
    uint64_t token;
    int32_t result;
};

struct moves_setup {
    unsigned depth, buffers; /* 1..MOVES_DEPTH_MAX, 0..MOVES_DEPTH_MAX */
    size_t buffer_bytes;     /* a multiple of 4096 */
    bool plain;              /* no ring even where there is one */
    bool restricted;         /* the ring takes the kinds above and nothing else, for good */
};

/* -EINVAL, -ENOMEM; no io_uring is no failure. */
int moves_new(struct moves **ret, const struct moves_setup *setup, struct err *err) MUST_USE;
/* Waits for what is in flight. NULL is fine. */
void moves_free(struct moves *m);
/* How it works, a sentence: "io_uring", or what is missing and what to do about it. */
const char *moves_how(const struct moves *m);
bool moves_has_ring(const struct moves *m);

/* A buffer's number, -1: all are lent. They are aligned for O_DIRECT. */
int moves_lend(struct moves *m);
void moves_give_back(struct moves *m, uint32_t buffer);
void *moves_buffer(const struct moves *m, uint32_t buffer);

/* -ENOBUFS. It leaves with the next moves_wait(). */
int moves_ask(struct moves *m, const struct move *move) MUST_USE;
/* Lets go what was asked and takes up to `max` answers; waits for the first until `timeout_ns` is over (0: not at all;
 * < 0: as long as it takes). Their number, or -errno. */
int moves_wait(struct moves *m, struct moved *ret, unsigned max, int64_t timeout_ns) MUST_USE;
unsigned moves_in_flight(const struct moves *m);

#endif
