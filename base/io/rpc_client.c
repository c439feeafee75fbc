/*
 * rpc_client - the blocking half of rpc.h: one call, one answer, a deadline over both. For the CLI and for tests.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/rpc.h"
#include "base/io/rpc_text.h"

#define CONNECT_SECONDS 5
#define READ_BYTES ((size_t)64 << 10)

struct rpc_client {
    int fd;
    uint64_t last_id;
    struct buf out;  /* of a call, as long as not all of it is sent */
    size_t sent;
    struct buf in;   /* received, not yet taken */
    size_t searched; /* no newline before this */
};

int rpc_client_open(struct rpc_client **ret, const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, -ENAMETOOLONG, "connect to '%s': the path is longer than %zu bytes", path,
                       sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    CLEANUP(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = CONNECT_SECONDS}; /* a full backlog must not hold us for ever */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_set(err, -errno, "connect to '%s': %s", path, strerror(errno));
    struct rpc_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, -ENOMEM, "connect to '%s': out of memory", path);
    c->fd = fd;
    fd = -1;
    *ret = c;
    return 0;
}

void rpc_client_close(struct rpc_client *c)
{
    if (c == NULL)
        return;
    close_p(&c->fd);
    buf_fini(&c->out);
    buf_fini(&c->in);
    free(c);
}

/* Waits until the socket is ready; deadline_us 0 = for ever. */
static int wait_ready(const struct rpc_client *c, short events, uint64_t deadline_us)
{
    for (;;) {
        int ms = -1;
        if (deadline_us != 0) {
            uint64_t now = clock_boot_us();
            if (now >= deadline_us)
                return -ETIMEDOUT;
            ms = (int)MIN((deadline_us - now) / 1000 + 1, (uint64_t)INT32_MAX);
        }
        struct pollfd p = {.fd = c->fd, .events = events};
        int n = poll(&p, 1, ms);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

/* What the deadline cuts off is sent by the next call. */
static int send_out(struct rpc_client *c, uint64_t deadline_us)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        int rc = n >= 0 || errno == EINTR ? 0 : errno == EAGAIN ? wait_ready(c, POLLOUT, deadline_us) : -errno;
        if (rc < 0)
            return rc == -EPIPE ? -ECONNRESET : rc;
        c->sent += n > 0 ? (size_t)n : 0;
    }
    buf_fini(&c->out);
    c->sent = 0;
    return 0;
}

/* Length of the first line in c->in without its newline, or -EAGAIN. */
static ssize_t whole_line(struct rpc_client *c)
{
    if (c->in.len == c->searched)
        return -EAGAIN;
    const char *newline = memchr(c->in.data + c->searched, '\n', c->in.len - c->searched);
    c->searched = c->in.len;
    return newline != NULL ? newline - c->in.data : -EAGAIN;
}

static void drop_line(struct rpc_client *c, size_t len)
{
    c->in.len -= len + 1;
    memmove(c->in.data, c->in.data + len + 1, c->in.len);
    c->in.data[c->in.len] = '\0';
    c->searched = 0;
}

static int receive(struct rpc_client *c, uint64_t deadline_us)
{
    char chunk[READ_BYTES];
    ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0) {
        buf_add(&c->in, chunk, (size_t)n);
        return c->in.failed || c->in.len > RPC_OUT_MAX + RPC_LINE_MAX ? -EMSGSIZE : 0;
    }
    if (n == 0)
        return -ECONNRESET;
    return errno == EAGAIN ? wait_ready(c, POLLIN, deadline_us) : errno == EINTR ? 0 : -errno;
}

/* Does this message answer the call just made? "null" is an answer to a line that could not be read at all. */
static bool is_ours(const struct rpc_client *c, const struct json_message *m)
{
    uint64_t id = 0;
    if (m->method != NULL)
        return false;
    if (strcmp(m->id, "null") == 0 || m->id[0] == '\0')
        return m->error != NULL;
    return sscanf(m->id, "%" SCNu64, &id) == 1 && id == c->last_id;
}

static int take_answer(struct rpc_client *c, const struct method *m, uint64_t deadline_us, void *result,
                       struct refusal *refusal, struct err *err)
{
    for (;;) {
        ssize_t len = whole_line(c);
        if (len < 0) {
            int rc = receive(c, deadline_us);
            if (rc < 0)
                return err_set(err, rc, "wait for the answer: %s",
                               rc == -ECONNRESET ? "the connection was closed" : strerror(-rc));
            continue;
        }
        if (len == 0) {
            drop_line(c, 0);
            continue;
        }
        struct json_message msg = {0};
        int rc = json_message_parse(c->in.data, (size_t)len, &msg, err);
        drop_line(c, (size_t)len);
        if (rc < 0)
            return err_wrap(err, -EPROTO, "the answer can't be read");
        bool ours = is_ours(c, &msg);
        if (ours)
            rc = rpc_text_outcome(&msg, m->result, result, refusal, err);
        json_message_fini(&msg);
        if (ours)
            return rc;
    }
}

static int send_and_take(struct rpc_client *c, const struct method *m, uint32_t timeout_ms, void *result,
                         struct refusal *refusal, struct err *err)
{
    uint64_t deadline_us = timeout_ms == 0 ? 0 : clock_boot_us() + (uint64_t)timeout_ms * 1000;
    int rc = send_out(c, deadline_us);
    if (rc == 0) {
        rc = take_answer(c, m, deadline_us, result, refusal, err);
        return rc < 0 ? err_wrap(err, rc, "%s", m->name) : rc;
    }
    if (rc == -ETIMEDOUT)
        return err_set(err, rc, "send %s: %s", m->name, strerror(-rc));
    /* A server that turned us away said so before it closed. */
    int why = rc == -ECONNRESET ? take_answer(c, m, deadline_us, result, refusal, err) : -1;
    rc = why > 0 ? why : err_set(err, rc, "send %s: %s", m->name, strerror(-rc));
    close_p(&c->fd); /* half a line may be out: nothing can follow it */
    return rc;
}

static int closed_before(const struct method *m, struct err *err)
{
    return err_set(err, -ENOTCONN, "%s: the connection was closed before", m->name);
}

int rpc_client_await(struct rpc_client *c, const struct method *m, uint32_t timeout_ms, void *result,
                     struct refusal *refusal, struct err *err)
{
    return c->fd < 0 ? closed_before(m, err) : send_and_take(c, m, timeout_ms, result, refusal, err);
}

int rpc_client_call(struct rpc_client *c, const struct method *m, const void *params, uint32_t timeout_ms, void *result,
                    struct refusal *refusal, struct err *err)
{
    if (c->fd < 0)
        return closed_before(m, err);
    struct buf line = {0};
    int rc = rpc_text_call(&line, ++c->last_id, m, params, err);
    if (rc == 0)
        buf_add(&c->out, line.data, line.len);
    buf_fini(&line);
    return rc < 0 ? rc : send_and_take(c, m, timeout_ms, result, refusal, err);
}
