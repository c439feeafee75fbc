#include "base/io/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/rpc_conn.h"
#include "base/io/rpc_text.h"

#define BACKLOG 511
#define ACCEPTS_PER_ROUND 64
#define ACCEPT_RETRY_MS 100
#define SLOT_BITS 20

/* A connection id is (generation << SLOT_BITS | slot): found without a search, never reused. */
struct slot {
    struct rpc_conn *conn; /* NULL = free */
    uint64_t generation;
};

struct rpc_server {
    struct rpc_door *door;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    struct stat socket; /* what we bound: nobody else's is unlinked */
    int fd;
    struct watch *accepts;
    struct timer *retry;
    size_t connections_max, user_max;
    struct slot *slots;
    size_t *free_slots; /* stack */
    size_t free_count;
};

/* ---- finding connections ---------------------------------------------------------------------------------- */

static struct rpc_conn *find_conn(const struct rpc_server *s, uint64_t id)
{
    size_t slot = id & ((UINT64_C(1) << SLOT_BITS) - 1);
    if (slot >= s->connections_max || s->slots[slot].conn == NULL || s->slots[slot].conn->id != id)
        return NULL;
    return s->slots[slot].conn;
}

static void take_slot(struct rpc_server *s, struct rpc_conn *c)
{
    size_t slot = s->free_slots[--s->free_count];
    s->slots[slot].conn = c;
    c->id = ++s->slots[slot].generation << SLOT_BITS | slot;
    c->server = s;
}

void rpc_server_forget(struct rpc_server *s, uint64_t conn_id)
{
    size_t slot = conn_id & ((UINT64_C(1) << SLOT_BITS) - 1);
    s->slots[slot].conn = NULL;
    s->free_slots[s->free_count++] = slot;
}

/* ---- accepting -------------------------------------------------------------------------------------------- */

static void turn_away(int fd, const char *why)
{
    struct buf text = {0};
    struct refusal r = {0};
    refusal_set(&r, "unavailable", NULL, why, NULL);
    r.retry_after_ms = 1000;
    rpc_text_error(&text, "", RPC_UNAVAILABLE, why, &r);
    ssize_t n = send(fd, buf_text(&text), text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* it sees the close at least */
    fields_clear(&refusal_fields, &r);
    buf_fini(&text);
    close(fd);
}

static bool has_its_share(const struct rpc_server *s, uid_t uid)
{
    size_t count = 0;
    if (s->connections_max - s->free_count < s->user_max)
        return false; /* all together have not so many */
    for (size_t i = 0; i < s->connections_max; i++)
        count += s->slots[i].conn != NULL && s->slots[i].conn->peer.uid == uid;
    return count >= s->user_max;
}

/* NULL: it may come in. */
static const char *why_not(const struct rpc_server *s, int fd)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    if (s->free_count == 0)
        return "too many connections";
    if (s->user_max == 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.uid == 0 ||
        who.uid == geteuid())
        return NULL;
    if (s->free_count <= s->connections_max / 64)
        return "too many connections";
    return has_its_share(s, who.uid) ? "too many connections of this user" : NULL;
}

static void admit(struct rpc_server *s, int fd)
{
    struct rpc_conn *c = NULL;
    const char *why = why_not(s, fd);
    if (why != NULL) {
        turn_away(fd, why);
        return;
    }
    if (rpc_conn_new(&c, s->door, fd) < 0)
        return;
    take_slot(s, c);
    if (rpc_conn_start_reading(c) < 0) {
        rpc_conn_end(c, "out of memory", false);
        return;
    }
    if (s->door->h.on_open != NULL)
        s->door->h.on_open(s->door->arg, c);
}

static void on_accept(void *arg, int what)
{
    (void)what;
    struct rpc_server *s = arg;
    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(s, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            watch_free(s->accepts); /* the caller stays in the queue: without this the loop would spin */
            s->accepts = NULL;
            timer_set_ms(s->retry, ACCEPT_RETRY_MS);
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

static void on_accept_retry(void *arg)
{
    struct rpc_server *s = arg;
    if (watch_new(&s->accepts, s->door->loop, s->fd, WATCH_READ, on_accept, s) < 0)
        timer_set_ms(s->retry, ACCEPT_RETRY_MS);
}

/* ---- listening -------------------------------------------------------------------------------------------- */

static int fill_address(const char *path, struct sockaddr_un *address, struct err *err)
{
    if (strlen(path) >= sizeof address->sun_path)
        return err_set(err, -ENAMETOOLONG, "socket '%s': the path is longer than %zu bytes", path,
                       sizeof address->sun_path - 1);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

static int new_socket(const struct sockaddr_un *address, int *ret, struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, -errno, "socket '%s': %s", address->sun_path, strerror(errno));
    *ret = fd;
    return 0;
}

/* A socket file whose server is gone is in the way; one that answers belongs to somebody. */
static int remove_stale(const struct sockaddr_un *address, struct err *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, -EEXIST, "socket '%s': a file that is no socket is in the way", address->sun_path);
    CLEANUP(close_p) int fd = -1;
    int rc = new_socket(address, &fd, err);
    if (rc < 0)
        return rc;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED) {
        if (unlink(address->sun_path) < 0 && errno != ENOENT)
            return err_set(err, -errno, "socket '%s': remove the old one: %s", address->sun_path, strerror(errno));
        return 0;
    }
    return err_set(err, -EADDRINUSE, "socket '%s': another program listens there", address->sun_path);
}

static int bind_and_listen(struct rpc_server *s, const char *path, mode_t mode, struct err *err)
{
    struct sockaddr_un address;
    int rc = fill_address(path, &address, err);
    if (rc == 0)
        rc = remove_stale(&address, err);
    if (rc == 0)
        rc = new_socket(&address, &s->fd, err);
    if (rc < 0)
        return rc;
    if (bind(s->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_set(err, -errno, "socket '%s': bind: %s", path, strerror(errno));
    memcpy(s->path, address.sun_path, sizeof s->path);
    if (lstat(path, &s->socket) < 0 || chmod(path, mode) < 0) /* nobody can connect before listen() */
        return err_set(err, -errno, "socket '%s': set its mode: %s", path, strerror(errno));
    if (listen(s->fd, BACKLOG) < 0)
        return err_set(err, -errno, "socket '%s': listen: %s", path, strerror(errno));
    return 0;
}

static int make_slots(struct rpc_server *s, size_t connections_max)
{
    s->slots = calloc(connections_max, sizeof *s->slots);
    s->free_slots = calloc(connections_max, sizeof *s->free_slots);
    if (s->slots == NULL || s->free_slots == NULL)
        return -ENOMEM;
    s->connections_max = connections_max;
    for (size_t i = connections_max; i > 0; i--)
        s->free_slots[s->free_count++] = i - 1;
    return 0;
}

int rpc_listen(struct rpc_server **ret, struct loop *l, const char *path, mode_t mode, size_t connections_max,
               const struct rpc_handlers *h, void *arg, struct err *err)
{
    assert(connections_max > 0 && connections_max < (size_t)1 << SLOT_BITS);
    struct rpc_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "socket '%s': out of memory", path);
    s->fd = -1;
    int rc = -ENOMEM;
    if (rpc_door_new(&s->door, l, h, arg) < 0 || make_slots(s, connections_max) < 0 ||
        timer_new(&s->retry, l, on_accept_retry, s) < 0)
        (void)err_set(err, rc, "socket '%s': out of memory", path);
    else
        rc = bind_and_listen(s, path, mode, err);
    if (rc == 0 && (rc = watch_new(&s->accepts, l, s->fd, WATCH_READ, on_accept, s)) < 0)
        (void)err_set(err, rc, "socket '%s': watch it: %s", path, strerror(-rc));
    if (rc < 0) {
        rpc_server_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void rpc_server_limits(struct rpc_server *s, uint32_t line_ms, size_t out_max)
{
    s->door->line_ms = line_ms;
    s->door->out_max = out_max;
}

void rpc_server_trust(struct rpc_server *s)
{
    s->door->line_max = RPC_TRUSTED_LINE_MAX;
}

void rpc_server_per_user(struct rpc_server *s, size_t max)
{
    s->user_max = max;
}

void rpc_server_free(struct rpc_server *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->connections_max; i++) {
        struct rpc_conn *c = s->slots[i].conn;
        if (c == NULL)
            continue;
        if (c->doom == NULL)
            (void)rpc_conn_send(c);
        rpc_conn_end(c, "the server stops", true);
    }
    struct stat st;
    if (s->path[0] != '\0' && lstat(s->path, &st) == 0 && st.st_ino == s->socket.st_ino &&
        st.st_dev == s->socket.st_dev)
        unlink(s->path);
    watch_free(s->accepts);
    timer_free(s->retry);
    close_p(&s->fd);
    if (s->door != NULL)
        rpc_door_release(s->door);
    free(s->slots);
    free(s->free_slots);
    free(s);
}

/* ---- connecting ------------------------------------------------------------------------------------------- */

static void on_opened(void *arg)
{
    struct rpc_conn *c = arg;
    timer_free(TAKE_PTR(c->open_timer));
    if (rpc_conn_start_reading(c) < 0)
        rpc_conn_end(c, "out of memory", true);
    else if (c->door->h.on_open != NULL)
        c->door->h.on_open(c->door->arg, c);
}

static int connect_to(const char *path, int *ret, struct err *err)
{
    struct sockaddr_un address;
    int rc = fill_address(path, &address, err);
    if (rc == 0)
        rc = new_socket(&address, ret, err);
    if (rc == 0 && connect(*ret, (const struct sockaddr *)&address, sizeof address) < 0) {
        rc = err_set(err, -errno, "connect to '%s': %s", path, strerror(errno));
        close_p(ret);
    }
    return rc;
}

int rpc_connect(struct rpc_conn **ret, struct loop *l, const char *path, const struct rpc_handlers *h, void *arg,
                struct err *err)
{
    static uint64_t made; /* ids of connections are unique in the program; bit 63 keeps them apart from accepted ones */
    int fd = -1;
    int rc = connect_to(path, &fd, err);
    if (rc < 0)
        return rc;
    struct rpc_door *d = NULL;
    struct rpc_conn *c = NULL;
    rc = rpc_door_new(&d, l, h, arg);
    if (rc < 0) {
        close(fd);
        return err_set(err, rc, "connect to '%s': out of memory", path);
    }
    d->line_max = RPC_TRUSTED_LINE_MAX; /* we chose whom to call */
    rc = rpc_conn_new(&c, d, fd);
    rpc_door_release(d); /* the connection holds it now, or nobody does */
    if (rc < 0)
        return err_set(err, rc, "connect to '%s': %s", path, strerror(-rc));
    c->id = UINT64_C(1) << 63 | ++made;
    if (timer_new(&c->open_timer, l, on_opened, c) < 0) {
        rpc_conn_end(c, "out of memory", false);
        return err_set(err, -ENOMEM, "connect to '%s': out of memory", path);
    }
    timer_set_us(c->open_timer, 0);
    *ret = c;
    return 0;
}

void rpc_close(struct rpc_conn *c)
{
    if (c == NULL || c->ended)
        return;
    if (c->doom == NULL)
        (void)rpc_conn_send(c);
    rpc_conn_end(c, "closed by this side", false);
}

const struct rpc_peer *rpc_peer(const struct rpc_conn *c)
{
    return &c->peer;
}

uint64_t rpc_conn_id(const struct rpc_conn *c)
{
    return c->id;
}

void *rpc_conn_data(const struct rpc_conn *c)
{
    return c->data;
}

void rpc_conn_set_data(struct rpc_conn *c, void *data)
{
    c->data = data;
}

/* ---- answering -------------------------------------------------------------------------------------------- */

static bool may_answer(const struct rpc_conn *c, const struct rpc_ticket *t)
{
    return c != NULL && !c->ended && c->doom == NULL && c->id == t->conn && t->id[0] != '\0';
}

static void answered(struct rpc_conn *c)
{
    if (c->owed > 0)
        c->owed--;
    rpc_conn_wrote(c, true);
}

void rpc_conn_answer(struct rpc_conn *c, const struct rpc_ticket *t, const struct fields *f, const void *result)
{
    if (!may_answer(c, t))
        return;
    if (rpc_text_result(&c->out, t->id, f, result) < 0)
        rpc_text_error(&c->out, t->id, RPC_INTERNAL, "the answer can't be written as JSON", NULL);
    answered(c);
}

static void refuse_as(struct rpc_conn *c, const struct rpc_ticket *t, int code, const struct refusal *r)
{
    if (!may_answer(c, t))
        return;
    rpc_text_error(&c->out, t->id, code, r->message != NULL ? r->message : "refused", r);
    answered(c);
}

void rpc_conn_refuse(struct rpc_conn *c, const struct rpc_ticket *t, const struct refusal *refusal)
{
    refuse_as(c, t, RPC_REFUSED, refusal);
}

void rpc_answer(struct rpc_server *s, const struct rpc_ticket *t, const struct fields *f, const void *result)
{
    rpc_conn_answer(find_conn(s, t->conn), t, f, result);
}

void rpc_refuse(struct rpc_server *s, const struct rpc_ticket *t, const struct refusal *refusal)
{
    refuse_as(find_conn(s, t->conn), t, RPC_REFUSED, refusal);
}

void rpc_unavailable(struct rpc_server *s, const struct rpc_ticket *t, const char *why, uint32_t retry_after_ms)
{
    struct refusal r = {0};
    refusal_set(&r, "unavailable", NULL, why, NULL);
    r.retry_after_ms = retry_after_ms;
    refuse_as(find_conn(s, t->conn), t, RPC_UNAVAILABLE, &r);
    fields_clear(&refusal_fields, &r);
}

/* ---- calling ---------------------------------------------------------------------------------------------- */

static int may_send(const struct rpc_conn *c)
{
    if (c->ended || c->doom != NULL || c->last_words)
        return -ENOTCONN;
    return rpc_conn_unsent(c) >= c->door->out_max ? -ENOBUFS : 0;
}

int rpc_notify(struct rpc_conn *c, const struct method *m, const void *params)
{
    int rc = may_send(c);
    if (rc == 0)
        rc = rpc_text_notify(&c->out, m, params, NULL);
    if (rc == 0)
        rpc_conn_wrote(c, false);
    return rc;
}

/* Room for one more; answered ones make way first, also behind one that is never answered. */
static int calls_room(struct rpc_calls *calls)
{
    if (calls->count < calls->size)
        return 0;
    size_t live = 0;
    for (size_t i = calls->head; i < calls->count; i++)
        if (calls->v[i].m != NULL)
            calls->v[live++] = calls->v[i];
    calls->head = 0;
    calls->count = live;
    if (live < calls->size - calls->size / 4)
        return 0;
    size_t size = calls->size > 0 ? calls->size * 2 : 16;
    struct rpc_pending *grown = reallocarray(calls->v, size, sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    calls->v = grown;
    calls->size = size;
    return 0;
}

int rpc_call(struct rpc_conn *c, const struct method *m, const void *params,
             void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg)
{
    int rc = may_send(c);
    if (rc == 0)
        rc = calls_room(&c->calls);
    if (rc == 0)
        rc = rpc_text_call(&c->out, c->calls.last_id + 1, m, params, NULL);
    if (rc < 0)
        return rc;
    c->calls.v[c->calls.count++] = (struct rpc_pending){++c->calls.last_id, m, on_reply, arg};
    rpc_conn_wrote(c, false);
    return 0;
}
