/*
 * agents - the links with the nodes: what they report becomes requests, what is durable becomes messages.
 *
 *   node.hello     -> fact node.joined (or nothing new) -> answer, then run / paid / stop / forget for every attempt
 *   node.beat      -> seen; answered at once
 *   attempt.state  -> fact attempt.running or attempt.ended -> answered when durable: only then may the node forget
 *
 * Messages to a node are derived from the core's state alone (core_duty), so they may be sent again at any time.
 * A node has one link: a newer hello under its name closes the older link.
 * Who may call: root, reeved's own uid, the agents' uid.
 */
#ifndef REEVE_SCHEDULER_AGENTS_H
#define REEVE_SCHEDULER_AGENTS_H

#include "base/io/rpc.h"
#include "scheduler/turn.h"

#define AGENTS_MAX 16384
#define AGENT_BEAT_MS 1000

struct agents;

struct agents_setup {
    struct loop *loop;
    const char *socket_path;
    uid_t agent_uid;
};
int agents_new(struct agents **ret, const struct agents_setup *setup, struct err *err) MUST_USE;
void agents_free(struct agents *a);
/* Before the loop runs. */
void agents_start(struct agents *a, struct core *core, struct turn *turn);
/* A term is ours: every connected node is told again what it should do, under it. */
void agents_set_term(struct agents *a, uint64_t term);

/* A durable fact: tell the node it concerns. */
void agents_on_fact(struct agents *a, const struct fact *fact);
/* Passes log.read on to the node. -ENOTCONN when it has no link; on_reply exactly once otherwise. */
int agents_log(struct agents *a, const char *node, const struct log_call *call,
               void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg) MUST_USE;

struct agents_stats { uint64_t links, hellos_total, beats_total, reports_total, sent_total; };
void agents_stats(const struct agents *a, struct agents_stats *ret);

#endif
