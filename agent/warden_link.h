/*
 * warden_link - the agent's end of the socketpair to the warden: requests with tags, answers in any order.
 * Ownership: the fds of a request are taken over and closed once they were sent, or when it fails.
 * Bounds:    WARDEN_LINK_MAX requests without an answer; -ENOBUFS beyond.
 * The end of the socket is the end of the agent: on_gone is called once, and nothing is answered any more.
 */
#ifndef REEVE_AGENT_WARDEN_LINK_H
#define REEVE_AGENT_WARDEN_LINK_H

#include "base/io/loop.h"
#include "isolation/spec/ops.h"

#define WARDEN_LINK_MAX 4096u
#define WARDEN_FDS_MAX LAUNCH_FDS_MAX

struct warden_link;
/* LIST: called once per packet, with reply->count ids; the last has count 0. Others: exactly once. */
typedef void (*warden_fn)(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids);

int warden_link_new(struct warden_link **ret, struct loop *l, int sock, void (*on_gone)(void *arg, const char *why),
                    void *arg, struct err *err) MUST_USE;
void warden_link_free(struct warden_link *w); /* closes the socket; NULL is fine */
/* version and tag are filled in. Not before the next turn is fn called. */
int warden_link_ask(struct warden_link *w, const struct op_request *request, const int fds[WARDEN_FDS_MAX],
                    size_t fds_count, warden_fn fn, void *owner, uint64_t token) MUST_USE;
/* What this node can enforce; answered once, NULL: the warden wouldn't say. */
typedef void (*warden_able_fn)(void *arg, const struct node_abilities *able);
int warden_link_able(struct warden_link *w, warden_able_fn fn, void *arg) MUST_USE;
uint32_t warden_link_waiting(const struct warden_link *w);

#endif
