#include "base/io/rpc_conn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/rpc_text.h"

#define CHUNK_BYTES ((size_t)256 << 10)
#define OUT_PAUSE ((size_t)1 << 20) /* unsent beyond this: its next requests wait in the kernel */
#define KEEP_BYTES ((size_t)64 << 10) /* buffers that grew larger are given back once empty */

/* ---- the door: what connections share --------------------------------------------------------------------- */

static void dirty_add(struct rpc_conn *c)
{
    if (c->dirty_link != NULL || c->ended)
        return;
    struct rpc_door *d = c->door;
    c->next_dirty = d->dirty;
    c->dirty_link = &d->dirty;
    if (c->next_dirty != NULL)
        c->next_dirty->dirty_link = &c->next_dirty;
    d->dirty = c;
}

static void dirty_remove(struct rpc_conn *c)
{
    if (c->dirty_link == NULL)
        return;
    *c->dirty_link = c->next_dirty;
    if (c->next_dirty != NULL)
        c->next_dirty->dirty_link = c->dirty_link;
    c->next_dirty = NULL;
    c->dirty_link = NULL;
}

static void hold(struct rpc_conn *c)
{
    c->holds++;
}

static void release(struct rpc_conn *c)
{
    if (--c->holds > 0)
        return;
    timer_free(c->line_timer);
    timer_free(c->open_timer);
    buf_fini(&c->rest);
    buf_fini(&c->out);
    free(c->calls.v);
    rpc_door_release(c->door);
    free(c);
}

static void settle(struct rpc_conn *c);

static void on_flush(void *arg)
{
    struct rpc_door *d = arg;
    d->holds++;
    while (d->dirty != NULL) {
        struct rpc_conn *c = d->dirty;
        dirty_remove(c);
        hold(c);
        settle(c);
        release(c);
    }
    rpc_door_release(d);
}

int rpc_door_new(struct rpc_door **ret, struct loop *l, const struct rpc_handlers *h, void *arg)
{
    struct rpc_door *d = calloc(1, sizeof *d);
    char *chunk = malloc(CHUNK_BYTES);
    if (d == NULL || chunk == NULL) {
        free(d);
        free(chunk);
        return -ENOMEM;
    }
    *d = (struct rpc_door){.loop = l, .h = *h, .arg = arg, .chunk = chunk, .out_max = RPC_OUT_MAX,
                           .line_max = RPC_LINE_MAX, .line_ms = RPC_LINE_MS, .holds = 1,
                           .flush = {.fn = on_flush, .arg = d}};
    loop_on_flush(l, &d->flush);
    *ret = d;
    return 0;
}

void rpc_door_release(struct rpc_door *d)
{
    if (--d->holds > 0)
        return;
    loop_off_flush(d->loop, &d->flush);
    free(d->chunk);
    free(d);
}

/* ---- writing ---------------------------------------------------------------------------------------------- */

static void buf_shrink(struct buf *b)
{
    if (b->size > KEEP_BYTES)
        buf_fini(b);
    else
        buf_reset(b);
}

size_t rpc_conn_unsent(const struct rpc_conn *c)
{
    return c->out.len - c->out_at;
}

bool rpc_conn_send(struct rpc_conn *c)
{
    while (rpc_conn_unsent(c) > 0) {
        ssize_t n = send(c->fd, c->out.data + c->out_at, rpc_conn_unsent(c), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            c->doom = errno == EPIPE || errno == ECONNRESET ? "closed by the peer" : strerror(errno);
            return false;
        }
        c->out_at += (size_t)n;
    }
    if (rpc_conn_unsent(c) == 0) {
        buf_shrink(&c->out);
        c->out_at = 0;
    } else if (c->out_at > c->out.len / 2) { /* moved at most once per byte sent */
        memmove(c->out.data, c->out.data + c->out_at, rpc_conn_unsent(c) + 1);
        c->out.len -= c->out_at;
        c->out_at = 0;
    }
    return true;
}

static bool line_is_started(const struct rpc_conn *c)
{
    return c->rest.len > 0;
}

static void pause_reading(struct rpc_conn *c)
{
    watch_free(c->reads);
    c->reads = NULL;
    timer_cancel(c->line_timer); /* it is us who don't read */
}

static void on_writable(void *arg, int what)
{
    (void)what;
    struct rpc_conn *c = arg;
    hold(c);
    settle(c);
    release(c);
}

/* Pausing and resuming both sides by how much is unsent. */
static int arrange_watches(struct rpc_conn *c)
{
    size_t unsent = rpc_conn_unsent(c);
    if (unsent == 0 && c->writes != NULL) {
        watch_free(c->writes);
        c->writes = NULL;
    }
    if (unsent > 0 && c->writes == NULL &&
        watch_new(&c->writes, c->door->loop, c->fd, WATCH_WRITE, on_writable, c) < 0)
        return -ENOMEM;
    if (c->half_closed || c->last_words || c->open_timer != NULL)
        return 0;
    if (unsent > OUT_PAUSE && c->reads != NULL)
        pause_reading(c);
    if (unsent <= OUT_PAUSE && c->reads == NULL)
        return rpc_conn_start_reading(c);
    return 0;
}

/* Brings the socket up to what was decided: send, then end, pause or resume. */
static void settle(struct rpc_conn *c)
{
    if (c->ended)
        return;
    if (c->doom == NULL && rpc_conn_send(c) && arrange_watches(c) < 0)
        c->doom = "out of memory";
    if (c->doom != NULL)
        rpc_conn_end(c, c->doom, true);
    else if (rpc_conn_unsent(c) == 0 && c->last_words)
        rpc_conn_end(c, "it broke the protocol", true);
    else if (rpc_conn_unsent(c) == 0 && c->half_closed && c->owed == 0)
        rpc_conn_end(c, "closed by the peer", true);
}

void rpc_conn_wrote(struct rpc_conn *c, bool cut)
{
    if (c->out.failed)
        c->doom = "out of memory";
    else if (cut && rpc_conn_unsent(c) > c->door->out_max && rpc_conn_send(c) && rpc_conn_unsent(c) > c->door->out_max)
        c->doom = "it reads its answers too slowly";
    dirty_add(c);
}

void rpc_conn_last_words(struct rpc_conn *c)
{
    c->last_words = true;
    pause_reading(c);
    dirty_add(c);
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

static bool still_reads(const struct rpc_conn *c)
{
    return !c->ended && !c->last_words && c->doom == NULL;
}

static void refuse_line(struct rpc_conn *c, const char *why)
{
    rpc_text_error(&c->out, "", RPC_NOT_A_CALL, why, NULL);
    rpc_conn_wrote(c, true);
    rpc_conn_last_words(c);
}

static void on_line_timeout(void *arg)
{
    struct rpc_conn *c = arg;
    struct err say = {0};
    (void)err_set(&say, -ETIMEDOUT, "a started line must be complete within %u ms", c->door->line_ms);
    refuse_line(c, say.text);
}

static void keep_rest(struct rpc_conn *c, const char *bytes, size_t len)
{
    if (c->rest.len + len > c->door->line_max) {
        struct err say = {0};
        (void)err_set(&say, -EMSGSIZE, "a line is at most %zu bytes", c->door->line_max);
        refuse_line(c, say.text);
        return;
    }
    buf_add(&c->rest, bytes, len);
    if (c->rest.failed) {
        c->doom = "out of memory";
        dirty_add(c);
    }
}

/* All whole lines in these bytes; the beginning of a further one is kept. */
static void feed(struct rpc_conn *c, const char *at, size_t len)
{
    bool was_started = line_is_started(c);
    while (len > 0 && still_reads(c)) {
        const char *newline = memchr(at, '\n', len);
        size_t part = newline != NULL ? (size_t)(newline - at) : len;
        if (newline == NULL) {
            keep_rest(c, at, part);
            break;
        }
        if (!line_is_started(c)) {
            rpc_dispatch(c, at, part);
        } else {
            keep_rest(c, at, part);
            if (still_reads(c)) {
                rpc_dispatch(c, c->rest.data, c->rest.len);
                buf_shrink(&c->rest);
            }
        }
        was_started = false; /* what follows is a new line with a new deadline */
        at += part + 1;
        len -= part + 1;
    }
    if (!still_reads(c))
        return;
    if (!line_is_started(c))
        timer_cancel(c->line_timer);
    else if (!was_started)
        timer_set_ms(c->line_timer, c->door->line_ms);
}

/* The end of what the peer sends. One that only shut its sending side down still gets what it asked for:
 * the kernel tells the difference by POLLHUP. */
static void on_end_of_input(struct rpc_conn *c)
{
    struct pollfd p = {.fd = c->fd, .events = 0};
    bool gone = poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
    c->half_closed = true;
    pause_reading(c);
    if (gone || (c->owed == 0 && rpc_conn_unsent(c) == 0))
        rpc_conn_end(c, "closed by the peer", true);
}

static void on_readable(void *arg, int what)
{
    (void)what;
    struct rpc_conn *c = arg;
    ssize_t n = recv(c->fd, c->door->chunk, CHUNK_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    hold(c);
    if (n > 0)
        feed(c, c->door->chunk, (size_t)n);
    else if (n == 0)
        on_end_of_input(c);
    else
        rpc_conn_end(c, errno == ECONNRESET ? "closed by the peer" : strerror(errno), true);
    release(c);
}

int rpc_conn_start_reading(struct rpc_conn *c)
{
    int rc = watch_new(&c->reads, c->door->loop, c->fd, WATCH_READ, on_readable, c);
    if (rc == 0 && line_is_started(c))
        timer_set_ms(c->line_timer, c->door->line_ms);
    return rc;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

int rpc_conn_new(struct rpc_conn **ret, struct rpc_door *d, int fd)
{
    struct rpc_conn *c = calloc(1, sizeof *c);
    if (c == NULL || timer_new(&c->line_timer, d->loop, on_line_timeout, c) < 0) {
        free(c);
        close(fd);
        return -ENOMEM;
    }
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
        int rc = -errno;
        timer_free(c->line_timer);
        free(c);
        close(fd);
        return rc;
    }
    c->peer = (struct rpc_peer){.uid = who.uid, .gid = who.gid, .pid = who.pid};
    c->door = d;
    d->holds++;
    c->fd = fd;
    c->holds = 1;
    *ret = c;
    return 0;
}

void rpc_conn_end(struct rpc_conn *c, const char *why, bool tell)
{
    if (c->ended)
        return;
    c->ended = true;
    dirty_remove(c);
    watch_free(c->reads);
    watch_free(c->writes);
    c->reads = c->writes = NULL;
    timer_cancel(c->line_timer);
    if (c->open_timer != NULL)
        timer_cancel(c->open_timer);
    close_p(&c->fd);
    if (c->server != NULL)
        rpc_server_forget(c->server, c->id);
    rpc_calls_fail(&c->calls, why);
    if (tell && c->door->h.on_close != NULL)
        c->door->h.on_close(c->door->arg, c, why);
    release(c);
}
