/*
 * api - the clients' door: reeve.sock. Every method is one row; who calls is known from the kernel.
 *
 *   questions   answered at once from the core
 *   wishes      checked, committed, answered when durable (scheduler/request.h)
 *
 * Who may what: an admin is root, reeved's own user, or named by the policy. Everybody else sees and touches only
 * jobs of tenants the policy gives them; another tenant's job answers exactly like one that doesn't exist.
 * Recounts run one at a time; whoever asks meanwhile gets the answer of the one that begins after.
 * Bounds: API_CONNECTIONS_MAX, fewer where the process may have fewer descriptors; for each user
 * API_CONNECTIONS_PER_USER and API_WISHES_PER_USER that wait.
 */
#ifndef REEVE_SCHEDULER_API_H
#define REEVE_SCHEDULER_API_H

#include "scheduler/agents.h"
#include "scheduler/heads.h"
#include "scheduler/recount.h"
#include "scheduler/turn.h"
#include "scheduler/waiters.h"

#define API_CONNECTIONS_MAX 8192
#define API_CONNECTIONS_PER_USER 1024
#define API_WISHES_PER_USER 2048 /* of what the turn lets wait, nobody has it all */
#define API_WISH_BYTES 4096      /* a longer wish counts as several */

struct api;

struct api_setup {
    struct loop *loop;
    struct agents *agents;
    struct waiters *waiters;
    const char *socket_path, *cell, *writer;
    uid_t report_uid;
};
/* What questions about the journal itself need; copied, what it points at is borrowed. */
struct api_audit {
    struct heads *heads;
    struct recount_call recount;
};
int api_new(struct api **ret, const struct api_setup *setup, struct err *err) MUST_USE;
void api_free(struct api *a);
/* Before the loop runs: sockets are opened as root, the core is read as the user. */
void api_start(struct api *a, struct core *core, struct turn *turn, const struct api_audit *audit);
struct rpc_server *api_server(struct api *a);

#endif
