/*
 * launch - one launch on its way, from the request to the reply.
 *
 *   begin -> CLONING -zygote's reply-> BUILDING -READY-> STARTING -STARTED-> answered
 *     |        |                        |                  |
 *     `--------+- failure, end of file, deadline ----------+-> groups taken down -> answered
 *
 * Groups, limits, ids and membership are made and read back here, outside; what happens inside is sandbox.h.
 * Ownership: the flow owns its fds; the attempt's entry stays in the table.
 */
#ifndef REEVE_ISOLATION_LAUNCH_H
#define REEVE_ISOLATION_LAUNCH_H

#include "isolation/spec/ops.h"
#include "isolation/spec/step.h"
#include "isolation/zygote.h"

struct warden;
struct attempt;

enum launch_state { LAUNCH_FREE, LAUNCH_CLONING, LAUNCH_BUILDING, LAUNCH_STARTING };

struct launch {
    enum launch_state state;
    uint64_t tag;         /* towards the zygote */
    uint64_t request_tag; /* towards the agent */
    uint32_t generation;  /* of the agent that asked */
    uint64_t began_us, deadline_us;
    struct attempt *attempt;
    int sock;             /* to the sandbox */
    int proc;             /* /proc/PID of the keeper */
    bool joins_network;   /* the node's, for jobs */
};

/* Takes the fds in any case. Answers by itself, now or later. */
void launch_begin(struct warden *w, const struct op_request *request, int *fds, size_t fds_count);
/* The first of these limits that this node can't enforce; NULL: it can. An agent doesn't ask for what it was told can't
 * be: this is the second net. */
const char *launch_unable(const struct warden *w, const struct sandbox_limits *limits);
/* What the zygote made of a request; takes the pidfd. */
void launch_on_clone(struct warden *w, const struct zygote_reply *reply, int pidfd);
/* The sandbox said something or is gone. */
void launch_on_word(struct warden *w, struct launch *l);
void launch_on_deadline(struct warden *w, struct launch *l);

#endif
