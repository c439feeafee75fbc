/*
 * rpc - JSON-RPC 2.0 over a stream socket, one object per line, both directions on one connection.
 *
 * Server:   rpc_listen() on a UNIX socket path; who calls is known from the kernel (SO_PEERCRED), not from the message.
 * Client:   rpc_connect(); the agent's link uses both sides of it: it calls and is called.
 * Methods:  a table (struct rpc_method) of name, params table, result table: parsing, checking and help come from it.
 * Answers:  a handler answers at once or later, through a struct rpc_ticket that stays valid (and harmless) when
 *           the connection is gone.
 * Bounds:   a line is at most RPC_LINE_MAX (checked before it is buffered further), unread output at most
 *           RPC_OUT_MAX per connection (then the peer is cut), connections at most `connections_max`, a started
 *           line must be complete within RPC_LINE_MS.
 *           Between our own programs a line may have RPC_TRUSTED_LINE_MAX: a client's line of 1 MiB can be six in
 *           our writing ("\u007f"), and a node speaks of thousands of attempts at once.
 *           Beyond 1 MiB of unread output the peer's further requests wait in the kernel.
 * Half-close: a peer that shuts only its sending side down still gets the answers it is owed (`nc -N`).
 * Errors:   standard codes for broken calls (-32700, -32600, -32601, -32602, the message says where); a refusal is
 *           code 1 with data {code, where, hint, ...} (struct refusal, base/proto.h), unavailable is code 2.
 */
#ifndef REEVE_BASE_IO_RPC_H
#define REEVE_BASE_IO_RPC_H

#include <sys/types.h>

#include "base/io/json.h"
#include "base/io/loop.h"
#include "base/proto.h"

#define RPC_LINE_MAX ((size_t)1 << 20)
#define RPC_TRUSTED_LINE_MAX ((size_t)8 << 20)
#define RPC_OUT_MAX ((size_t)8 << 20)
#define RPC_LINE_MS 10000

struct rpc_server;
struct rpc_conn;

struct rpc_peer { uid_t uid; gid_t gid; pid_t pid; };

/* Names one call that waits for its answer. Plain value; copy it freely. `bytes`: the length of the call's line. */
struct rpc_ticket { uint64_t conn; uint32_t bytes; char id[72]; };

/* `params` is an object of m->params, owned by the rpc layer, cleared after the handler returns. */
typedef void (*rpc_handler)(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket,
                            const struct method *m, const void *params);
struct rpc_handlers {
    const struct method *methods;   /* from base/proto.h; those without a handler answer "no such method" */
    const rpc_handler *handlers;    /* same index as methods */
    size_t count;
    void (*on_open)(void *arg, struct rpc_conn *conn);                  /* may be NULL */
    void (*on_close)(void *arg, struct rpc_conn *conn, const char *why); /* may be NULL; last use of conn */
};

int rpc_listen(struct rpc_server **ret, struct loop *l, const char *path, mode_t mode, size_t connections_max,
               const struct rpc_handlers *h, void *arg, struct err *err) MUST_USE;
/* Closes connections (on_close is called), unlinks the socket. Not from inside a handler. */
void rpc_server_free(struct rpc_server *s);
/* Other limits than RPC_LINE_MS and RPC_OUT_MAX; for tests and small machines. */
void rpc_server_limits(struct rpc_server *s, uint32_t line_ms, size_t out_max);
/* Only our own programs connect here: lines up to RPC_TRUSTED_LINE_MAX. */
void rpc_server_trust(struct rpc_server *s);
/* At most `max` connections of one user at a time, and the last 64th of all is kept for root and this program's own
 * user, whom nothing of this binds. 0, as at first: all are alike. */
void rpc_server_per_user(struct rpc_server *s, size_t max);

/* Asynchronous client for daemons: connects once. Nobody listening is a failure at once; otherwise on_open comes with
 * the next round, or on_close. `h` is copied, its arrays are not. */
int rpc_connect(struct rpc_conn **ret, struct loop *l, const char *path, const struct rpc_handlers *h, void *arg,
                struct err *err) MUST_USE;
/* Sends what the kernel takes at once, then closes. on_close is not called; waiting calls get their on_reply. */
void rpc_close(struct rpc_conn *c);

const struct rpc_peer *rpc_peer(const struct rpc_conn *c);
uint64_t rpc_conn_id(const struct rpc_conn *c);       /* never reused */
void *rpc_conn_data(const struct rpc_conn *c);        /* the program's own, NULL at first */
void rpc_conn_set_data(struct rpc_conn *c, void *data);

/* Answers. Unknown or closed tickets are ignored. Output is flushed at the end of the turn. */
void rpc_answer(struct rpc_server *s, const struct rpc_ticket *t, const struct fields *f, const void *result);
void rpc_refuse(struct rpc_server *s, const struct rpc_ticket *t, const struct refusal *refusal);
void rpc_unavailable(struct rpc_server *s, const struct rpc_ticket *t, const char *why, uint32_t retry_after_ms);
/* The same on a connection made by rpc_connect(). */
void rpc_conn_answer(struct rpc_conn *c, const struct rpc_ticket *t, const struct fields *f, const void *result);
void rpc_conn_refuse(struct rpc_conn *c, const struct rpc_ticket *t, const struct refusal *refusal);

/* A notification, or a call whose answer comes to on_reply (result NULL = it failed, err says how; exactly once,
 * also when the connection closes). -ENOBUFS when the peer reads too slowly, -ENOTCONN when the connection is ending.
 * err->code: -EPERM refused, -EAGAIN unavailable (err's text begins with the refusal's code: "not_found: ..."),
 * -ECONNRESET the connection ended (the call may have been carried out), -ENOSYS no such method. */
int rpc_notify(struct rpc_conn *c, const struct method *m, const void *params) MUST_USE;
int rpc_call(struct rpc_conn *c, const struct method *m, const void *params,
             void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg) MUST_USE;

/* The refusal that such an err with -EPERM tells of; the caller clears it. */
void rpc_refusal(const struct err *err, struct refusal *ret);

/* Blocking client, for the CLI and tests: one call at a time. */
struct rpc_client;
int rpc_client_open(struct rpc_client **ret, const char *path, struct err *err) MUST_USE;
void rpc_client_close(struct rpc_client *c);
/* 0: result filled. 1: refused, *refusal filled; "unavailable" and "bad_request" arrive here too, with their code.
 * -errno: failure (-ETIMEDOUT, -ECONNRESET, ...); whether the call was carried out is then unknown. After -ETIMEDOUT
 * the connection stays usable: a late answer is skipped. The caller clears result and refusal.
 * timeout_ms 0 = wait for ever. */
int rpc_client_call(struct rpc_client *c, const struct method *m, const void *params, uint32_t timeout_ms, void *result,
                    struct refusal *refusal, struct err *err) MUST_USE;
/* After -ETIMEDOUT of a call with the same `m`, and no other since: waits on for its answer, as rpc_client_call(). */
int rpc_client_await(struct rpc_client *c, const struct method *m, uint32_t timeout_ms, void *result,
                     struct refusal *refusal, struct err *err) MUST_USE;

#endif
