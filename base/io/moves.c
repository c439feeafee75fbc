#include "base/io/moves_inner.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define NS_PER_MS INT64_C(1000000)

static int allocate(struct moves *m)
{
    size_t size = m->with.buffers * m->with.buffer_bytes;
    m->waiting = calloc(m->with.depth, sizeof *m->waiting);
    m->lendable = calloc(MAX(m->with.buffers, 1u), sizeof *m->lendable);
    if (m->waiting == NULL || m->lendable == NULL)
        return -ENOMEM;
    if (size > 0) {
        void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (arena == MAP_FAILED)
            return -ENOMEM;
        m->arena = arena;
    }
    for (uint32_t i = m->with.buffers; i-- > 0;)
        m->lendable[m->lendable_count++] = i;
    return 0;
}

static bool is_valid(const struct moves_setup *s)
{
    return s->depth >= 1 && s->depth <= MOVES_DEPTH_MAX && s->buffers <= MOVES_DEPTH_MAX &&
           s->buffer_bytes % PAGE == 0 && s->buffer_bytes <= INT32_MAX && (s->buffers == 0 || s->buffer_bytes > 0);
}

int moves_new(struct moves **ret, const struct moves_setup *setup, struct err *err)
{
    if (!is_valid(setup))
        return err_set(err, -EINVAL, "moves: depth or buffers out of range");
    struct moves *m = calloc(1, sizeof *m);
    if (m == NULL)
        return err_set(err, -ENOMEM, "moves: out of memory");
    m->with = *setup;
    if (allocate(m) < 0) {
        moves_free(m);
        return err_set(err, -ENOMEM, "moves: out of memory");
    }
    struct err why = {0};
    if (setup->plain)
        snprintf(m->how, sizeof m->how, "plain calls, as asked");
    else if (moves_ring_open(m, &why) < 0)
        snprintf(m->how, sizeof m->how, "plain calls, one at a time: %.*s", (int)sizeof m->how - 64, why.text);
    *ret = m;
    return 0;
}

void moves_free(struct moves *m)
{
    if (m == NULL)
        return;
    struct moved last[32];
    while (m->ring != NULL && m->in_flight > 0)
        if (moves_ring_wait(m, last, COUNT_OF(last), -1) < 0)
            break;
    if (m->ring != NULL)
        moves_ring_close(m);
    if (m->arena != NULL)
        munmap(m->arena, m->with.buffers * m->with.buffer_bytes);
    free(m->lendable);
    free(m->waiting);
    free(m);
}

const char *moves_how(const struct moves *m)
{
    return m->how;
}

bool moves_has_ring(const struct moves *m)
{
    return m->ring != NULL;
}

int moves_lend(struct moves *m)
{
    return m->lendable_count == 0 ? -1 : (int)m->lendable[--m->lendable_count];
}

void moves_give_back(struct moves *m, uint32_t buffer)
{
    BUG(buffer >= m->with.buffers || m->lendable_count >= m->with.buffers);
    m->lendable[m->lendable_count++] = buffer;
}

void *moves_buffer(const struct moves *m, uint32_t buffer)
{
    BUG(buffer >= m->with.buffers);
    return m->arena + buffer * m->with.buffer_bytes;
}

unsigned moves_in_flight(const struct moves *m)
{
    return m->in_flight;
}

static bool has_bytes(enum move_kind kind)
{
    return kind == MOVE_READ || kind == MOVE_WRITE;
}

int moves_ask(struct moves *m, const struct move *move)
{
    BUG(move->kind >= MOVE_KIND_COUNT);
    BUG(has_bytes(move->kind) && (move->bytes == 0 || move->skip > m->with.buffer_bytes ||
                                  move->bytes > m->with.buffer_bytes - move->skip || move->buffer >= m->with.buffers));
    if (m->in_flight == m->with.depth)
        return -ENOBUFS;
    if (m->ring != NULL)
        moves_ring_ask(m, move);
    else
        m->waiting[m->waiting_count++] = *move;
    m->in_flight++;
    return 0;
}

/* ---- plain calls ---- */

static ssize_t transfer(const struct moves *m, const struct move *move)
{
    unsigned char *bytes = (unsigned char *)moves_buffer(m, move->buffer) + move->skip;
    if (move->offset == MOVES_ANY_OFFSET)
        return move->kind == MOVE_READ ? read(move->fd, bytes, move->bytes) : write(move->fd, bytes, move->bytes);
    off_t at = (off_t)move->offset;
    return move->kind == MOVE_READ ? pread(move->fd, bytes, move->bytes, at)
                                   : pwrite(move->fd, bytes, move->bytes, at);
}

static struct moved call(const struct moves *m, const struct move *move)
{
    ssize_t n;
    do
        n = move->kind == MOVE_SYNC ? fdatasync(move->fd) : transfer(m, move);
    while (n < 0 && errno == EINTR);
    return (struct moved){move->token, n < 0 ? -errno : (int32_t)n};
}

static void forget(struct moves *m, unsigned index)
{
    m->waiting_count--;
    m->in_flight--;
    memmove(m->waiting + index, m->waiting + index + 1, (m->waiting_count - index) * sizeof *m->waiting);
}

/* Those whose fd is ready; waits when nothing else is to be done. */
static int hear_polls(struct moves *m, struct moved *ret, unsigned max, int64_t timeout_ns)
{
    struct pollfd at[MOVES_DEPTH_MAX];
    unsigned of[MOVES_DEPTH_MAX], count = 0, taken = 0;
    for (unsigned i = 0; i < m->waiting_count; i++)
        if (m->waiting[i].kind == MOVE_POLL) {
            at[count] = (struct pollfd){m->waiting[i].fd, (short)m->waiting[i].events, 0};
            of[count++] = i;
        }
    int64_t ms = timeout_ns < 0 ? -1 : MIN((timeout_ns + NS_PER_MS - 1) / NS_PER_MS, (int64_t)INT32_MAX);
    if (count == 0 && ms < 0)
        return 0; /* nobody would wake us */
    int rc = poll(at, count, (int)ms);
    if (rc < 0)
        return errno == EINTR ? 0 : -errno;
    for (unsigned i = count; i-- > 0 && taken < max;) /* from behind: those before keep their places */
        if (at[i].revents != 0) {
            ret[taken++] = (struct moved){m->waiting[of[i]].token, at[i].revents};
            forget(m, of[i]);
        }
    return (int)taken;
}

static int plain_wait(struct moves *m, struct moved *ret, unsigned max, int64_t timeout_ns)
{
    unsigned first = 0;
    while (first < m->waiting_count && m->waiting[first].kind == MOVE_POLL)
        first++;
    bool work = first < m->waiting_count;
    int heard = hear_polls(m, ret, max, work ? 0 : timeout_ns);
    if (heard != 0 || !work)
        return heard;
    struct move move = m->waiting[first];
    forget(m, first);
    ret[0] = call(m, &move);
    return 1;
}

int moves_wait(struct moves *m, struct moved *ret, unsigned max, int64_t timeout_ns)
{
    BUG(max == 0);
    return m->ring != NULL ? moves_ring_wait(m, ret, max, timeout_ns) : plain_wait(m, ret, max, timeout_ns);
}
