/*
 * warden - the one privileged program: makes, reads and removes sandboxes for one agent, by the closed list of
 * isolation/spec/ops.h. One thread, one loop, no network, no text from outside.
 *
 * What waits is a flow with a deadline: a launch (launch.h), a removal (attempts.h). Nothing else blocks, but sending
 * to the agent: one that doesn't read for SEND_TIMEOUT_S is taken for broken and replaced.
 */
#ifndef REEVE_ISOLATION_WARDEN_H
#define REEVE_ISOLATION_WARDEN_H

#include <sys/types.h>

#include "base/io/options.h"
#include "isolation/attempts.h"
#include "isolation/cgroup.h"
#include "isolation/filters.h"
#include "isolation/images.h"
#include "isolation/launch.h"
#include "isolation/network.h"
#include "isolation/volumes.h"

#define LAUNCHES_MAX 64
#define SEND_TIMEOUT_S 5

/* An option that may be given several times. */
#define OPTION_TIMES_MAX 32
struct text_list {
    const char *text[OPTION_TIMES_MAX];
    int count;
};

struct warden_options {
    const char *dir, *cgroup, *agent, *keeper;
    const char *seccomp; /* the reeve-seccomp program; NULL: beside the keeper */
    const char *profiles; /* folder of seccomp profiles; NULL: only our own */
    const char *images;      /* NULL: none */
    const char *private_net; /* NULL: none */
    struct text_list volumes;
    uint32_t uid_base;
    uid_t agent_uid;
    gid_t agent_gid;
    bool kill_on_exit, at_root;
    int socket_fd; /* instead of an agent: the socket to take operations from, -1 */
    struct text_list devices, io_devices; /* NAME=PATH; paths */
    char **agent_argv;
};

extern const struct option_table warden_options; /* warden_options.c */
/* What no row can say alone: what belongs together. -EINVAL. */
int warden_options_check(const struct warden_options *o, struct err *err) MUST_USE;

struct agent_process {
    int sock; /* -1 while there is none */
    pid_t pid; /* 0 while there is none, and with --socket-fd */
    uint32_t generation;
    uint64_t started_us, restart_us, backoff_us;
};

struct warden {
    struct warden_options options;
    struct cg cg;
    struct attempts attempts;
    struct node_device devices[NODE_DEVICES_MAX];
    struct filters filters;
    int compiler; /* the reeve-seccomp program */
    struct images images;
    struct volumes volumes;
    struct network network;
    struct launch launches[LAUNCHES_MAX];
    struct agent_process agent;
    int zygote, signals; /* zygote: its socket */
    int removals;        /* epoll of the groups that are being emptied */
    pid_t zygote_pid;
    uint64_t next_tag;
    bool stopping;
    uint64_t stop_kill_us; /* when an agent that didn't go by itself is killed */
};

uint64_t warden_now_us(void);
uint64_t warden_boot_us(void); /* as keepers count: with the time that the machine was suspended */
/* One sentence about the first thing this machine lacks, or 0. */
int warden_preflight(struct err *err) MUST_USE;

/* warden_cpus.c: `count` cores that no other pinned attempt has, and that who isn't pinned leaves. */
int warden_cpus_take(struct warden *w, struct attempt *attempt, uint32_t count, struct err *err) MUST_USE;
void warden_cpus_give_back(struct warden *w, struct attempt *attempt);
int warden_cpus_share(struct warden *w, struct err *err) MUST_USE; /* after attempts were adopted */

/* warden_equip.c: the devices that the options name, then cg_equip(). */
int warden_equip(struct warden *w, struct err *err) MUST_USE;
/* An attempt's entry goes, and with it what it was given. */
void warden_forget(struct warden *w, struct attempt *attempt);

/* warden_zygote.c: the keeper program out of a sealed memfd; returns once the shared root is built. */
int warden_zygote_start(struct warden *w, struct err *err) MUST_USE;
/* Compiles every profile of the node: before that, nothing can run. */
int warden_filters_open(struct warden *w, struct err *err) MUST_USE;

/* warden_agent.c */
int warden_agent_start(struct warden *w, struct err *err) MUST_USE;
void warden_agent_lost(struct warden *w, const char *why); /* kills it; the loop starts the next after a pause */

/* warden_ops.c */
void warden_ops_read(struct warden *w); /* one request from the agent */
void warden_ops_send(struct warden *w, uint32_t generation,
                     const struct op_reply *reply); /* dropped when that agent is gone */
/* Starts taking an attempt's groups down; `reply` is sent when they are gone, or with OP_BUSY when they won't go.
 */
void warden_remove(struct warden *w, struct attempt *attempt, const struct op_reply *reply, uint32_t generation);
void warden_removals_hear(struct warden *w); /* some groups changed: their removals are due */
/* Moves on those that are due; when the next will be, UINT64_MAX: there is none. */
uint64_t warden_removals_advance(struct warden *w);

/* warden_freeze.c: FREEZE and THAW. OP_BUSY: told, not there yet; OP_FAILED with *ret_error. */
enum op_status warden_freeze(struct warden *w, struct attempt *attempt, uint64_t until_boot_us, int *ret_error);
enum op_status warden_thaw(struct warden *w, struct attempt *attempt, int *ret_error);
/* Thaws those whose time has come; when the next will be, by warden_now_us(), UINT64_MAX: there is none. */
uint64_t warden_thaws_advance(struct warden *w);
/* All that were frozen, by us or by an earlier life. */
void warden_thaw_all(struct warden *w);

#endif
