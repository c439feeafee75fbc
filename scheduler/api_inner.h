/*
 * api_inner - what the files of the clients' door share. Nobody else includes it.
 */
#ifndef REEVE_SCHEDULER_API_INNER_H
#define REEVE_SCHEDULER_API_INNER_H

#include "base/io/rpc.h"
#include "scheduler/api.h"
#include "scheduler/users.h"

enum { USER_SLOTS = 1024 }; /* users who meet in a slot share what one may have */

struct api {
    struct api_setup setup;
    struct rpc_server *server;
    struct core *core;
    struct turn *turn;
    uint64_t started_boot_us;
    struct api_audit audit;
    struct recounts *recounts; /* NULL: none is wanted */
    uint64_t relays; /* log.read calls on their way to nodes */
    uint32_t waiting[USER_SLOTS]; /* wishes on their way, weighed, by user */
    uint64_t calls_total[CLIENT_METHOD_COUNT], refusals_total;
};

struct caller {
    uid_t uid;
    char user[USER_NAME_MAX];
    bool admin;
};

/* One call being answered. */
struct call {
    struct api *api;
    const struct rpc_ticket *ticket;
    const void *params;
    struct caller caller;
};
typedef void (*call_fn)(const struct call *c);

void call_answer(const struct call *c, const struct fields *f, const void *result);
void call_refuse(const struct call *c, const char *code, const char *where, const char *message, const char *hint);
/* Refuses with not_found and returns false when the job is unknown or not the caller's to see. */
bool call_may_job(const struct call *c, uint64_t job);
struct core_now call_now(const struct call *c);

/* A wish on its way through the turn: the request with everything needed to answer it later. */
struct wish {
    struct request base;
    struct api *api;
    struct rpc_ticket ticket;
    struct caller caller;
    const struct fields *params_fields, *reply_fields;
    void *params;            /* deep copy of the call */
    union {
        struct submit_reply submit;
        struct cancel_reply cancel;
        struct apply_reply apply;
        struct adjust_reply adjust;
        struct window_reply window;
        struct suspend_reply suspend;
    } reply;                 /* of reply_fields; none = an empty object is answered */
    uint32_t weight;
    bool more;
};
/* Posts a wish whose propose and settled are these; answers by itself when that is impossible. */
void wish_post(const struct call *c, const struct request_ops *ops, const struct fields *params,
               const struct fields *reply);
/* For use in ops: answers the refusal of a check, frees it, and is REQUEST_ANSWERED. */
enum request_step wish_refused(struct wish *w, struct refusal *refusal);
/* REQUEST_FACTS / ANSWERED / LATER of a check that gives one fact. */
enum request_step wish_step(struct wish *w, int answer, const struct fact *fact, struct refusal *refusal,
                            size_t *ret_count);
/* settled: answers the reply, or what the store refused. Always false. */
bool wish_settled(struct request *r);
void wish_refused_by_store(struct wish *w);
void wish_unavailable(struct request *r, const char *why);
void wish_free(struct request *r);

/* api_jobs.c */
void api_submit(const struct call *c);
void api_list(const struct call *c);
void api_show(const struct call *c);
void api_why(const struct call *c);
void api_cancel(const struct call *c);
void api_release(const struct call *c);
/* api_change.c */
void api_hold(const struct call *c);
void api_priority(const struct call *c);
void api_requeue(const struct call *c);
void api_suspend(const struct call *c);
void api_resume(const struct call *c);
/* api_watch.c */
void api_wait(const struct call *c);
void api_log(const struct call *c);
void api_node_log(const struct call *c);
/* api_ledger.c */
void api_adjust(const struct call *c);
/* api_admin.c */
void api_tenants(const struct call *c);
void api_apply(const struct call *c);
void api_move(const struct call *c);
void api_policy(const struct call *c);
void api_proposals(const struct call *c);
void api_approve(const struct call *c);
void api_drop(const struct call *c);
void api_nodes(const struct call *c);
void api_drain(const struct call *c);
void api_status(const struct call *c);
void api_top(const struct call *c);
void api_archived(const struct call *c);
void api_metrics(const struct call *c);
/* api_windows.c */
void api_windows(const struct call *c);
void api_window_set(const struct call *c);
void api_window_drop(const struct call *c);
/* api_audit.c */
void api_head(const struct call *c);
void api_verify(const struct call *c);
void api_recounts_free(struct api *a);

#endif
