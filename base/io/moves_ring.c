#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io/moves_inner.h"

#define NS_PER_S INT64_C(1000000000)

struct moves_ring {
    struct io_uring uring;
    bool registered; /* the buffers */
};

/* The newest way first; a kernel that doesn't know a flag says -EINVAL. DEFER_TASKRUN: Linux 6.1. */
static const unsigned ways[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    0,
};

static int open_queues(struct moves *m, struct err *err)
{
    int rc = -EINVAL;
    for (size_t i = 0; i < COUNT_OF(ways) && rc == -EINVAL; i++) {
        struct io_uring_params params = {
            .flags = ways[i] | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE |
                     (m->with.restricted ? IORING_SETUP_R_DISABLED : 0),
            .cq_entries = 2 * m->with.depth,
        };
        rc = io_uring_queue_init_params(m->with.depth, &m->ring->uring, &params);
    }
    if (rc < 0)
        return ring_explain(err, rc);
    if ((m->ring->uring.features & IORING_FEAT_EXT_ARG) == 0) { /* waiting with a time limit */
        io_uring_queue_exit(&m->ring->uring);
        return err_set(err, -EOPNOTSUPP, "io_uring of this kernel is too old; Linux 5.11 or newer is needed");
    }
    return 0;
}

/* Pages that the kernel knows already need not be looked up and held anew for every move. */
static void register_buffers(struct moves *m)
{
    struct iovec whole = {m->arena, m->with.buffers * m->with.buffer_bytes};
    int rc = m->with.buffers == 0 ? -EINVAL : io_uring_register_buffers(&m->ring->uring, &whole, 1);
    m->ring->registered = rc == 0;
    if (rc == 0 || m->with.buffers == 0)
        snprintf(m->how, sizeof m->how, "io_uring");
    else if (rc == -ENOMEM)
        snprintf(m->how, sizeof m->how, "io_uring; its buffers are not registered: the limit of locked memory "
                                        "(ulimit -l) is too low");
    else
        snprintf(m->how, sizeof m->how, "io_uring; its buffers are not registered: %s", strerror(-rc));
}

/* Debian 12's liburing declares these two and doesn't export them. */
static int tell_kernel(struct moves *m, unsigned what, const void *arg, unsigned count)
{
    return syscall(SYS_io_uring_register, m->ring->uring.ring_fd, what, arg, count) < 0 ? -errno : 0;
}

static int restrict_kinds(struct moves *m)
{
    static const uint8_t kinds[] = {IORING_OP_READ,  IORING_OP_READ_FIXED, IORING_OP_WRITE, IORING_OP_WRITE_FIXED,
                                    IORING_OP_FSYNC, IORING_OP_POLL_ADD};
    struct io_uring_restriction rules[COUNT_OF(kinds)];
    memset(rules, 0, sizeof rules);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        rules[i] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = kinds[i]};
    int rc = tell_kernel(m, IORING_REGISTER_RESTRICTIONS, rules, COUNT_OF(rules));
    return rc < 0 ? rc : tell_kernel(m, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int moves_ring_open(struct moves *m, struct err *err)
{
    m->ring = calloc(1, sizeof *m->ring);
    if (m->ring == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    int rc = open_queues(m, err);
    if (rc < 0) {
        free(TAKE_PTR(m->ring));
        return rc;
    }
    unsigned workers[2] = {MOVES_WORKERS, MOVES_WORKERS};
    (void)io_uring_register_iowq_max_workers(&m->ring->uring, workers); /* before Linux 5.15: the kernel's own bound */
    register_buffers(m);
    rc = m->with.restricted ? restrict_kinds(m) : 0;
    if (rc < 0) {
        moves_ring_close(m);
        return err_set(err, rc, "io_uring can't be restricted: %s", strerror(-rc));
    }
    return 0;
}

void moves_ring_close(struct moves *m)
{
    io_uring_queue_exit(&m->ring->uring);
    free(TAKE_PTR(m->ring));
}

static void prepare(struct moves *m, struct io_uring_sqe *sqe, const struct move *move)
{
    bool bytes = move->kind == MOVE_READ || move->kind == MOVE_WRITE, registered = m->ring->registered;
    unsigned char *at = bytes ? (unsigned char *)moves_buffer(m, move->buffer) + move->skip : NULL;
    switch (move->kind) {
    case MOVE_READ:
        if (registered)
            io_uring_prep_read_fixed(sqe, move->fd, at, move->bytes, move->offset, 0);
        else
            io_uring_prep_read(sqe, move->fd, at, move->bytes, move->offset);
        break;
    case MOVE_WRITE:
        if (registered)
            io_uring_prep_write_fixed(sqe, move->fd, at, move->bytes, move->offset, 0);
        else
            io_uring_prep_write(sqe, move->fd, at, move->bytes, move->offset);
        break;
    case MOVE_SYNC:
        io_uring_prep_fsync(sqe, move->fd, IORING_FSYNC_DATASYNC);
        break;
    case MOVE_POLL:
        io_uring_prep_poll_add(sqe, move->fd, move->events);
        break;
    case MOVE_KIND_COUNT:
        BUG(true);
    }
    io_uring_sqe_set_data64(sqe, move->token);
}

/* The queue of submissions is as deep as what may be in flight: there is always an entry. */
void moves_ring_ask(struct moves *m, const struct move *move)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&m->ring->uring);
    if (sqe == NULL) {
        (void)io_uring_submit(&m->ring->uring);
        sqe = io_uring_get_sqe(&m->ring->uring);
    }
    BUG(sqe == NULL);
    prepare(m, sqe, move);
}

static unsigned take(struct moves *m, struct moved *ret, unsigned max)
{
    struct io_uring_cqe *cqe;
    unsigned head, taken = 0;
    io_uring_for_each_cqe(&m->ring->uring, head, cqe) {
        if (taken == max)
            break;
        ret[taken++] = (struct moved){cqe->user_data, cqe->res};
    }
    io_uring_cq_advance(&m->ring->uring, taken);
    m->in_flight -= taken;
    return taken;
}

static int submit_and_wait(struct moves *m, int64_t timeout_ns)
{
    struct io_uring *u = &m->ring->uring;
    if (timeout_ns == 0 || io_uring_cq_ready(u) > 0)
        return io_uring_submit_and_get_events(u);
    if (timeout_ns < 0)
        return io_uring_submit_and_wait(u, 1);
    struct __kernel_timespec t = {.tv_sec = timeout_ns / NS_PER_S, .tv_nsec = timeout_ns % NS_PER_S};
    struct io_uring_cqe *first;
    return io_uring_submit_and_wait_timeout(u, &first, 1, &t, NULL);
}

int moves_ring_wait(struct moves *m, struct moved *ret, unsigned max, int64_t timeout_ns)
{
    if (m->in_flight == 0 && timeout_ns < 0)
        return 0; /* nobody would wake us */
    int rc = submit_and_wait(m, timeout_ns);
    if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
        return rc;
    return (int)take(m, ret, max);
}
