#include "base/io/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/moves_inner.h"
#include "base/io/ring_inner.h"

#define SQ_ENTRIES_MAX 1024u
#define NO_SLOT UINT32_MAX
#define CANCEL_ID UINT64_C(0) /* user_data of our cancels: nobody waits for their answers */

struct slot {
    struct ring_reply reply;
    uint32_t generation; /* odd while in flight */
    uint32_t next_free;
};

struct ring {
    struct io_uring uring;
    struct loop *loop;
    struct loop_flush flush;
    struct ring_plain *plain; /* instead of all that is io_uring's; NULL */
    struct watch *watch;
    int event_fd;
    unsigned depth, in_flight;
    uint32_t first_free;
    bool closing;
    struct slot slots[];
};

static const int needed_ops[] = {IORING_OP_POLL_ADD, IORING_OP_SPLICE, IORING_OP_READ,        IORING_OP_WRITE,
                                 IORING_OP_FSYNC,    IORING_OP_FALLOCATE, IORING_OP_ASYNC_CANCEL};

int ring_explain(struct err *err, int code)
{
    if (code == -ENOSYS)
        return err_set(err, code, "this kernel has no io_uring; Linux 5.10 or newer with CONFIG_IO_URING is needed");
    if (code == -EPERM || code == -EACCES)
        return err_set(err, code,
                       "io_uring is forbidden here; look at sysctl kernel.io_uring_disabled (0, or 1 with our "
                       "group in kernel.io_uring_group) and at the container's seccomp profile");
    if (code == -ENOMEM)
        return err_set(err, code, "no memory for io_uring; on kernels before 5.12 raise the locked memory limit "
                                  "(ulimit -l)");
    return err_set(err, code, "io_uring: %s", strerror(-code));
}

static int check_ops(struct ring *r, struct err *err)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&r->uring);
    if (probe == NULL)
        return err_set(err, -EOPNOTSUPP, "io_uring can't say what it can do; Linux 5.10 or newer is needed");
    int missing = -1;
    for (size_t i = 0; i < COUNT_OF(needed_ops); i++)
        if (!io_uring_opcode_supported(probe, needed_ops[i]))
            missing = needed_ops[i];
    io_uring_free_probe(probe);
    if (missing >= 0)
        return err_set(err, -EOPNOTSUPP, "io_uring lacks operation %d; Linux 5.10 or newer is needed", missing);
    return 0;
}

static int open_queues(struct ring *r, struct err *err)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE, .cq_entries = 2 * r->depth};
    int rc = io_uring_queue_init_params(MIN(r->depth, SQ_ENTRIES_MAX), &r->uring, &params);
    if (rc < 0)
        return ring_explain(err, rc);
    /* Without a bound a slow disk breeds hundreds of kernel threads (axboe/liburing#420, #1568). */
    unsigned workers[2] = {RING_WORKERS, RING_WORKERS};
    rc = check_ops(r, err);
    if (rc == 0 && (rc = io_uring_register_iowq_max_workers(&r->uring, workers)) < 0 && rc != -EINVAL)
        rc = ring_explain(err, rc);
    else if (rc == -EINVAL)
        rc = 0; /* before Linux 5.15: the kernel's own bound */
    if (rc < 0)
        io_uring_queue_exit(&r->uring);
    return rc;
}

static void drain(struct ring *r);

static void on_event(void *arg, int what)
{
    (void)what;
    struct ring *r = arg;
    uint64_t count;
    if (read(r->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return;
    drain(r);
}

static void on_flush(void *arg)
{
    ring_flush(arg);
}

static int join_loop(struct ring *r, struct err *err)
{
    r->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->event_fd < 0)
        return err_set(err, -errno, "eventfd: %s", strerror(errno));
    int rc = io_uring_register_eventfd(&r->uring, r->event_fd);
    if (rc == 0)
        rc = watch_new(&r->watch, r->loop, r->event_fd, WATCH_READ, on_event, r);
    r->flush = (struct loop_flush){.fn = on_flush, .arg = r};
    if (rc == 0)
        loop_on_flush(r->loop, &r->flush);
    return rc == 0 ? 0 : err_set(err, rc, "io_uring into the loop: %s", strerror(-rc));
}

static struct ring *allocate(struct loop *l, unsigned depth)
{
    assert(depth > 0 && depth <= RING_DEPTH_MAX);
    struct ring *r = calloc(1, sizeof *r + depth * sizeof r->slots[0]);
    if (r == NULL)
        return NULL;
    r->loop = l;
    r->depth = depth;
    r->event_fd = -1;
    for (uint32_t i = 0; i < depth; i++)
        r->slots[i].next_free = i + 1 < depth ? i + 1 : NO_SLOT;
    return r;
}

int ring_new(struct ring **ret, struct loop *l, unsigned depth, struct err *err)
{
    struct ring *r = allocate(l, depth);
    if (r == NULL)
        return err_set(err, -ENOMEM, "no memory for a ring of %u", depth);
    int rc = open_queues(r, err);
    if (rc < 0) {
        free(r);
        return rc;
    }
    rc = join_loop(r, err);
    if (rc < 0) {
        ring_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

static struct slot *slot_of(struct ring *r, uint64_t id)
{
    uint64_t index = (id & UINT32_MAX) - 1;
    if (id == CANCEL_ID || index >= r->depth || r->slots[index].generation != (uint32_t)(id >> 32))
        return NULL;
    return &r->slots[index];
}

static void deliver(struct ring *r, uint64_t id, int32_t result)
{
    struct slot *s = slot_of(r, id);
    if (s == NULL)
        return;
    struct ring_reply reply = s->reply;
    s->generation++;
    s->next_free = r->first_free;
    r->first_free = (uint32_t)(s - r->slots);
    r->in_flight--;
    if (!r->closing)
        reply.fn(reply.owner, reply.token, result);
}

int ring_new_plain(struct ring **ret, struct loop *l, unsigned depth, struct err *err)
{
    struct ring *r = allocate(l, depth);
    int rc = r == NULL ? -ENOMEM : ring_plain_new(&r->plain, l, depth, deliver, r);
    if (rc < 0) {
        free(r);
        return err_set(err, rc, "no memory for a ring of %u", depth);
    }
    r->flush = (struct loop_flush){.fn = on_flush, .arg = r};
    loop_on_flush(l, &r->flush);
    *ret = r;
    return 0;
}

static void drain(struct ring *r)
{
    struct io_uring_cqe *cqe;
    while (io_uring_peek_cqe(&r->uring, &cqe) == 0) {
        uint64_t id = cqe->user_data;
        int32_t result = cqe->res;
        io_uring_cqe_seen(&r->uring, cqe); /* before the callback: it may ask for more */
        deliver(r, id, result);
    }
}

void ring_flush(struct ring *r)
{
    if (r->plain != NULL) {
        ring_plain_flush(r->plain);
        return;
    }
    while (io_uring_sq_ready(&r->uring) > 0) {
        int rc = io_uring_submit(&r->uring);
        if (rc < 0 && rc != -EINTR)
            break; /* -EAGAIN, -EBUSY: they stay queued and leave with the next turn */
    }
}

unsigned ring_in_flight(const struct ring *r)
{
    return r->in_flight;
}

static struct io_uring_sqe *entry(struct ring *r)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
    if (sqe == NULL) {
        ring_flush(r);
        sqe = io_uring_get_sqe(&r->uring);
    }
    return sqe;
}

static void prepare(struct io_uring_sqe *sqe, const struct ring_op *op)
{
    switch (op->kind) {
    case RING_POLL:
        io_uring_prep_poll_add(sqe, op->fd, op->events);
        break;
    case RING_SPLICE:
        io_uring_prep_splice(sqe, op->fd, -1, op->file, (int64_t)op->offset, (unsigned)op->len, SPLICE_F_NONBLOCK);
        break;
    case RING_READ:
        io_uring_prep_read(sqe, op->fd, op->bytes, (unsigned)op->len, op->offset);
        break;
    case RING_WRITE:
        io_uring_prep_write(sqe, op->fd, op->bytes, (unsigned)op->len, op->offset);
        break;
    case RING_FSYNC:
        io_uring_prep_fsync(sqe, op->fd, op->data_only ? IORING_FSYNC_DATASYNC : 0);
        break;
    case RING_FALLOCATE:
        io_uring_prep_fallocate(sqe, op->fd, op->mode, (off_t)op->offset, (off_t)op->len);
        break;
    }
}

/* Takes a slot, and an entry where there is a ring; preparing the entry wipes user_data. */
static int ask(struct ring *r, const struct ring_op *op, struct ring_reply reply, ring_id *ret_id)
{
    if (r->first_free == NO_SLOT)
        return -ENOBUFS;
    struct io_uring_sqe *sqe = r->plain == NULL ? entry(r) : NULL;
    if (sqe == NULL && r->plain == NULL)
        return -ENOBUFS;
    uint32_t index = r->first_free;
    struct slot *s = &r->slots[index];
    r->first_free = s->next_free;
    r->in_flight++;
    s->generation++;
    s->reply = reply;
    uint64_t id = (uint64_t)s->generation << 32 | (index + 1);
    if (r->plain != NULL) {
        ring_plain_ask(r->plain, index, id, op);
    } else {
        prepare(sqe, op);
        io_uring_sqe_set_data64(sqe, id);
    }
    if (ret_id != NULL)
        *ret_id = id;
    return 0;
}

int ring_poll(struct ring *r, int fd, unsigned events, struct ring_reply reply, ring_id *ret_id)
{
    return ask(r, &(struct ring_op){.kind = RING_POLL, .fd = fd, .events = events}, reply, ret_id);
}

int ring_splice_in(struct ring *r, int pipe, int file, uint64_t offset, uint32_t len, struct ring_reply reply,
                   ring_id *ret_id)
{
    struct ring_op op = {.kind = RING_SPLICE, .fd = pipe, .file = file, .offset = offset, .len = len};
    return ask(r, &op, reply, ret_id);
}

int ring_read(struct ring *r, int fd, void *bytes, uint32_t len, uint64_t offset, struct ring_reply reply,
              ring_id *ret_id)
{
    struct ring_op op = {.kind = RING_READ, .fd = fd, .bytes = bytes, .len = len, .offset = offset};
    return ask(r, &op, reply, ret_id);
}

int ring_write(struct ring *r, int fd, const void *bytes, uint32_t len, uint64_t offset, struct ring_reply reply,
               ring_id *ret_id)
{
    struct ring_op op = {.kind = RING_WRITE, .fd = fd, .bytes = (void *)(uintptr_t)bytes, .len = len, .offset = offset};
    return ask(r, &op, reply, ret_id);
}

int ring_fsync(struct ring *r, int fd, bool data_only, struct ring_reply reply, ring_id *ret_id)
{
    return ask(r, &(struct ring_op){.kind = RING_FSYNC, .fd = fd, .data_only = data_only}, reply, ret_id);
}

int ring_fallocate(struct ring *r, int fd, int mode, uint64_t offset, uint64_t len, struct ring_reply reply,
                   ring_id *ret_id)
{
    struct ring_op op = {.kind = RING_FALLOCATE, .fd = fd, .mode = mode, .offset = offset, .len = len};
    return ask(r, &op, reply, ret_id);
}

void ring_cancel(struct ring *r, ring_id id)
{
    const struct slot *s = slot_of(r, id);
    if (s == NULL)
        return;
    if (r->plain != NULL) {
        ring_plain_cancel(r->plain, (uint32_t)(s - r->slots));
        return;
    }
    struct io_uring_sqe *sqe = entry(r);
    if (sqe == NULL)
        return;
    io_uring_prep_cancel64(sqe, id, 0);
    io_uring_sqe_set_data64(sqe, CANCEL_ID);
}

/* Buffers belong to callers who are about to free them: nothing may be in flight when this returns. */
static void settle(struct ring *r)
{
    r->closing = true;
    for (uint32_t i = 0; i < r->depth && r->in_flight > 0; i++)
        if (r->slots[i].generation & 1)
            ring_cancel(r, (uint64_t)r->slots[i].generation << 32 | (i + 1));
    ring_flush(r);
    while (r->in_flight > 0) {
        struct io_uring_cqe *cqe;
        int rc = io_uring_wait_cqe(&r->uring, &cqe);
        if (rc < 0 && rc != -EINTR)
            break;
        drain(r);
    }
}

void ring_free(struct ring *r)
{
    if (r == NULL)
        return;
    if (r->plain == NULL)
        settle(r);
    loop_off_flush(r->loop, &r->flush);
    if (r->watch != NULL)
        watch_free(r->watch);
    close_p(&r->event_fd);
    if (r->plain == NULL)
        io_uring_queue_exit(&r->uring);
    ring_plain_free(r->plain);
    free(r);
}
