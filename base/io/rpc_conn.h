/*
 * rpc_conn - one connection: lines in, lines out, and its end. Private to base/io/rpc*.c; programs use rpc.h.
 *
 *   bytes -> chunk (the door's, shared) -> whole lines parsed where they lie -> rpc_dispatch()
 *                                       -> a started line is kept in `rest` until its end arrives
 *   answers -> `out` -> one send per turn (the door's flush); what the kernel won't take waits for a write watch
 *
 * Lifetime: rpc_conn_end() is the one way out. It may run inside a handler, so the struct stays while anybody holds it.
 *           Nothing but the flush, a watch or a timer ends a connection by itself: API calls only mark it (`doom`),
 *           so that a program never loses a connection in the middle of its own function.
 */
#ifndef REEVE_BASE_IO_RPC_CONN_H
#define REEVE_BASE_IO_RPC_CONN_H

#include "base/io/rpc.h"

/* What the connections of one server share; a connection made by rpc_connect() has one for itself. */
struct rpc_door {
    struct loop *loop;
    struct rpc_handlers h;
    void *arg;
    char *chunk;
    size_t out_max, line_max;
    uint32_t line_ms;
    struct rpc_conn *dirty; /* has something to write or is doomed */
    struct loop_flush flush;
    unsigned holds;
};

struct rpc_pending {
    uint64_t id;
    const struct method *m; /* NULL = answered already */
    void (*on_reply)(void *arg, const void *result, const struct err *err);
    void *arg;
};

/* Calls that wait for their answer; ids rise, so a search is a bisection. */
struct rpc_calls {
    struct rpc_pending *v;
    size_t head, count, size; /* live ones: v[head .. count) */
    uint64_t last_id;
};

struct rpc_conn {
    struct rpc_door *door;
    struct rpc_server *server; /* NULL: made by rpc_connect() */
    uint64_t id;
    int fd;
    struct rpc_peer peer;
    void *data;
    struct watch *reads, *writes;
    struct timer *line_timer, *open_timer;
    struct buf rest;
    struct buf out;
    size_t out_at;          /* sent so far of `out` */
    size_t owed;            /* requests not answered yet */
    struct rpc_calls calls;
    const char *doom;       /* why it is to be ended at the next flush */
    bool half_closed;       /* the peer sends no more, but may still read */
    bool last_words;        /* end it once `out` is sent */
    bool ended;
    unsigned holds;
    struct rpc_conn *next_dirty, **dirty_link;
};

int rpc_door_new(struct rpc_door **ret, struct loop *l, const struct rpc_handlers *h, void *arg) MUST_USE;
void rpc_door_release(struct rpc_door *d);

/* Takes the fd over, also on failure. */
int rpc_conn_new(struct rpc_conn **ret, struct rpc_door *d, int fd) MUST_USE;
int rpc_conn_start_reading(struct rpc_conn *c) MUST_USE;
/* Fails pending calls, tells on_close when `tell`, lets go of everything. */
void rpc_conn_end(struct rpc_conn *c, const char *why, bool tell);
/* To be called after anything was put into c->out. `cut` = beyond out_max the peer is cut. */
void rpc_conn_wrote(struct rpc_conn *c, bool cut);
size_t rpc_conn_unsent(const struct rpc_conn *c);
/* Sends what the kernel takes now; false when the connection is broken (and marked so). */
bool rpc_conn_send(struct rpc_conn *c);
/* A broken peer: no more reading; ended when the answer that says so is sent. */
void rpc_conn_last_words(struct rpc_conn *c);

/* rpc_dispatch.c: one line, taken as request, notification or answer. */
void rpc_dispatch(struct rpc_conn *c, const char *line, size_t len);
void rpc_calls_fail(struct rpc_calls *calls, const char *why);

/* rpc.c: forgets the connection's slot. */
void rpc_server_forget(struct rpc_server *s, uint64_t conn_id);

#endif
