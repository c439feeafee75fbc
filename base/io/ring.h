/*
 * ring - one io_uring in the loop: what could wait for a disk runs here, so that the loop never does.
 * The only code that knows liburing.
 *
 * A request takes a slot; its handle (slot and generation) is the kernel's user_data. The answer comes through
 * `fn(owner, token, result)` exactly once, in a later turn, never from inside the call that asked: `owner` is something
 * that outlives the ring, `token` the caller's own handle, `result` what the system call would have returned (bytes,
 * poll events, or -errno).
 * Requests leave together at the end of the loop's turn; answers are drained until none is left.
 *
 * Ownership: fds and buffers are the caller's and stay open and in place until the answer has come, also after
 *            ring_cancel(): a worker inside a system call can't be called back, so a cancel is only a wish.
 * Bounds:    `depth` requests in flight, -ENOBUFS beyond; the completion queue holds them all, so it can't overflow.
 *            RING_WORKERS kernel threads for what blocks; writes to one file are worked off one after the other.
 */
#ifndef REEVE_BASE_IO_RING_H
#define REEVE_BASE_IO_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io/loop.h"

#define RING_DEPTH_MAX 16384
#define RING_WORKERS 8

struct ring;
typedef uint64_t ring_id; /* never 0 */
typedef void (*ring_fn)(void *owner, uint64_t token, int32_t result);
struct ring_reply {
    ring_fn fn;
    void *owner;
    uint64_t token;
};

/* -ENOSYS / -EPERM / -EOPNOTSUPP with a sentence that says how io_uring is missing and what to do about it. */
int ring_new(struct ring **ret, struct loop *l, unsigned depth, struct err *err) MUST_USE;
/* The same by plain calls, for where io_uring can't be had: one after the other, at the turn's end, so that a disk that
 * stalls holds the loop up. Polls are the loop's own. */
int ring_new_plain(struct ring **ret, struct loop *l, unsigned depth, struct err *err) MUST_USE;
/* Cancels what is in flight and waits for it; no answer is delivered any more. NULL is fine. */
void ring_free(struct ring *r);
/* Hands requests to the kernel now, for who can't wait for the turn's end. */
void ring_flush(struct ring *r);
unsigned ring_in_flight(const struct ring *r);

/* All return 0 and the request's id (ret_id may be NULL), or -ENOBUFS. */
/* Once, when fd is ready for `events` (POLLIN, ...); the result is the events that are true. */
int ring_poll(struct ring *r, int fd, unsigned events, struct ring_reply reply, ring_id *ret_id) MUST_USE;
/* Moves up to len bytes from a pipe into a file at `offset`: a byte leaves the pipe only when the file has it. Doesn't
 * wait for an empty pipe (-EAGAIN); 0 = no writer is left and the pipe is empty. */
int ring_splice_in(struct ring *r, int pipe, int file, uint64_t offset, uint32_t len, struct ring_reply reply,
                   ring_id *ret_id) MUST_USE;
int ring_read(struct ring *r, int fd, void *bytes, uint32_t len, uint64_t offset, struct ring_reply reply,
              ring_id *ret_id) MUST_USE;
int ring_write(struct ring *r, int fd, const void *bytes, uint32_t len, uint64_t offset, struct ring_reply reply,
               ring_id *ret_id) MUST_USE;
int ring_fsync(struct ring *r, int fd, bool data_only, struct ring_reply reply, ring_id *ret_id) MUST_USE;
/* fallocate(2) with its own mode bits. */
int ring_fallocate(struct ring *r, int fd, int mode, uint64_t offset, uint64_t len, struct ring_reply reply,
                   ring_id *ret_id) MUST_USE;
/* Asks for an early end: the answer still comes, -ECANCELED or what it had become by then. Unknown ids are fine. */
void ring_cancel(struct ring *r, ring_id id);

#endif
