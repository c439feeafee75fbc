#include "agent/warden_link.h"

#include <errno.h>
#include <string.h>

#include "base/io/fd.h"

#define NO_SLOT UINT32_MAX
#define ROUND_MAX 64 /* answers taken per wake-up, so that one busy socket doesn't hold the loop */

struct call {
    warden_fn fn;
    void *owner;
    uint64_t token;
    uint32_t generation, next; /* next free, or next to send */
    bool used;
    struct op_request *request; /* until it is sent */
    int fds[WARDEN_FDS_MAX];
    size_t fds_count;
};

struct warden_link {
    struct watch *reading, *writing;
    struct loop *loop;
    int sock;
    void (*on_gone)(void *arg, const char *why);
    void *arg;
    warden_able_fn on_able;
    void *able_arg;
    uint32_t first_free, first_unsent, last_unsent, waiting;
    struct call calls[WARDEN_LINK_MAX];
};

static void release(struct warden_link *w, struct call *c)
{
    c->used = false;
    c->next = w->first_free;
    w->first_free = (uint32_t)(c - w->calls);
    w->waiting--;
}

static void gone(struct warden_link *w, const char *why)
{
    if (w->reading == NULL)
        return;
    watch_free(w->reading);
    w->reading = NULL;
    w->on_gone(w->arg, why);
}

static void drop_request(struct call *c)
{
    for (size_t i = 0; i < c->fds_count; i++)
        close_p(&c->fds[i]);
    c->fds_count = 0;
    free(c->request);
    c->request = NULL;
}

static void on_writable(void *arg, int what);

static void want_write(struct warden_link *w, bool on)
{
    if (on && w->writing == NULL) {
        if (watch_new(&w->writing, w->loop, w->sock, WATCH_WRITE, on_writable, w) < 0)
            gone(w, "out of memory");
    } else if (!on && w->writing != NULL) {
        watch_free(w->writing);
        w->writing = NULL;
    }
}

static void send_waiting(struct warden_link *w)
{
    while (w->first_unsent != NO_SLOT) {
        struct call *c = &w->calls[w->first_unsent];
        int rc = fd_send_packet(w->sock, c->request, sizeof *c->request, c->fds, c->fds_count);
        if (rc == -EAGAIN) {
            want_write(w, true);
            return;
        }
        if (rc < 0) {
            gone(w, strerror(-rc));
            return;
        }
        w->first_unsent = c->next;
        drop_request(c);
    }
    want_write(w, false);
}

static void on_writable(void *arg, int what)
{
    (void)what;
    send_waiting(arg);
}

struct packet {
    struct op_reply reply;
    union {
        struct attempt_id ids[OPS_LIST_MAX];
        struct node_abilities able;
    };
};

static bool packet_is_whole(const struct packet *p, size_t len)
{
    if (len < sizeof p->reply || p->reply.version != OPS_VERSION)
        return false;
    if (p->reply.kind == OP_ABLE && p->reply.status == OP_DONE)
        return len == sizeof p->reply + sizeof p->able;
    size_t ids = p->reply.kind == OP_LIST && p->reply.status == OP_DONE ? p->reply.count : 0;
    return ids <= OPS_LIST_MAX && len == sizeof p->reply + ids * sizeof p->ids[0];
}

static struct call *call_of(struct warden_link *w, uint64_t tag)
{
    uint64_t index = (tag & UINT32_MAX) - 1;
    if (index >= WARDEN_LINK_MAX)
        return NULL;
    struct call *c = &w->calls[index];
    return c->used && c->generation == (uint32_t)(tag >> 32) ? c : NULL;
}

static void deliver(struct warden_link *w, struct packet *p)
{
    struct call *c = call_of(w, p->reply.tag);
    if (c == NULL)
        return; /* no request of ours */
    warden_fn fn = c->fn;
    void *owner = c->owner;
    uint64_t token = c->token;
    p->reply.step[sizeof p->reply.step - 1] = '\0';
    if (p->reply.kind != OP_LIST || p->reply.status != OP_DONE || p->reply.count == 0)
        release(w, c);
    if (p->reply.kind == OP_ABLE)
        w->on_able(w->able_arg, p->reply.status == OP_DONE ? &p->able : NULL);
    else
        fn(owner, token, &p->reply, p->ids);
}

static void on_readable(void *arg, int what)
{
    (void)what;
    struct warden_link *w = arg;
    for (int i = 0; i < ROUND_MAX && w->reading != NULL; i++) {
        struct packet p;
        ssize_t n = fd_recv_packet(w->sock, &p, sizeof p, NULL, NULL);
        if (n == -EAGAIN)
            return;
        if (n <= 0)
            gone(w, n == 0 ? "the warden has closed the connection" : strerror((int)-n));
        else if (!packet_is_whole(&p, (size_t)n))
            gone(w, "the warden speaks another version");
        else
            deliver(w, &p);
    }
}

int warden_link_new(struct warden_link **ret, struct loop *l, int sock, void (*on_gone)(void *arg, const char *why),
                    void *arg, struct err *err)
{
    struct warden_link *w = calloc(1, sizeof *w);
    if (w == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    w->loop = l;
    w->sock = sock;
    w->on_gone = on_gone;
    w->arg = arg;
    w->first_unsent = w->last_unsent = NO_SLOT;
    for (uint32_t i = 0; i < WARDEN_LINK_MAX; i++)
        w->calls[i].next = i + 1 < WARDEN_LINK_MAX ? i + 1 : NO_SLOT;
    int rc = fd_nonblock(sock, true);
    if (rc == 0)
        rc = watch_new(&w->reading, l, sock, WATCH_READ, on_readable, w);
    if (rc < 0) {
        free(w);
        return err_set(err, rc, "the warden's socket (fd %d): %s", sock, strerror(-rc));
    }
    *ret = w;
    return 0;
}

void warden_link_free(struct warden_link *w)
{
    if (w == NULL)
        return;
    for (uint32_t i = 0; i < WARDEN_LINK_MAX; i++)
        drop_request(&w->calls[i]);
    want_write(w, false);
    if (w->reading != NULL)
        watch_free(w->reading);
    close_p(&w->sock);
    free(w);
}

int warden_link_ask(struct warden_link *w, const struct op_request *request, const int fds[WARDEN_FDS_MAX],
                    size_t fds_count, warden_fn fn, void *owner, uint64_t token)
{
    assert(fds_count <= WARDEN_FDS_MAX);
    struct op_request *copy = w->first_free == NO_SLOT ? NULL : malloc(sizeof *copy);
    if (copy == NULL) {
        for (size_t i = 0; i < fds_count; i++) {
            int fd = fds[i];
            close_p(&fd);
        }
        return w->first_free == NO_SLOT ? -ENOBUFS : -ENOMEM;
    }
    uint32_t index = w->first_free;
    struct call *c = &w->calls[index];
    w->first_free = c->next;
    w->waiting++;
    *c = (struct call){.fn = fn, .owner = owner, .token = token, .generation = c->generation + 1, .next = NO_SLOT,
                       .used = true, .request = copy, .fds_count = fds_count};
    for (size_t i = 0; i < fds_count; i++)
        c->fds[i] = fds[i];
    memcpy(copy, request, sizeof *copy);
    copy->version = OPS_VERSION;
    copy->tag = (uint64_t)c->generation << 32 | (index + 1);
    if (w->first_unsent == NO_SLOT)
        w->first_unsent = index;
    else
        w->calls[w->last_unsent].next = index;
    w->last_unsent = index;
    if (w->first_unsent == index)
        send_waiting(w);
    return 0;
}

int warden_link_able(struct warden_link *w, warden_able_fn fn, void *arg)
{
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = OP_ABLE;
    w->on_able = fn;
    w->able_arg = arg;
    return warden_link_ask(w, &request, NULL, 0, NULL, NULL, 0);
}

uint32_t warden_link_waiting(const struct warden_link *w)
{
    return w->waiting;
}
