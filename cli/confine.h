/*
 * confine - one command in a job's sandbox, without scheduler or agent. What an agent would do is done here, for one
 * attempt: a reeve-warden of our own, the same fixed structs (isolation/spec), the keeper's pipes passed on.
 *
 *   open -> launch -> relay <-> (signals) -> ended and both streams at their end -> drained -> removed -> closed
 *
 * Leaves nothing: everything that this side needs are descriptors (memfds, and a socket in a file system that is
 * mounted nowhere), and the warden, with --kill-on-exit, takes the sandbox down when our socket ends, however we ended.
 * Ownership: the box owns its descriptors and the warden's process; box_close() is fine at any point, also twice.
 */
#ifndef REEVE_CLI_CONFINE_H
#define REEVE_CLI_CONFINE_H

#include <sys/types.h>

#include "base/io/fd.h"
#include "cli/job_request.h"
#include "cli/node_options.h"
#include "isolation/spec/keeper.h"
#include "isolation/spec/ops.h"

#define CONFINE_FAILED 125 /* exit code of everything that kept the command from running, as env(1) and timeout(1) */
#define CONFINE_GROUP_MAX 33

/* What the command line says: what the node would offer, what the job would ask for, and what only we have. */
struct confine_request {
    struct node_options node;
    struct job_request job; /* the rows of sandbox_options write there */
    const char *file;       /* a job file or script; NULL = none */
    const char *profile;    /* where a traced run's profile is written; NULL = nowhere */
    uint32_t pids;        /* 0 = as a job's */
    const char *hostname; /* NULL = as a job's */
    uint64_t grace_ms;
    bool explain, stats;
};
/* The order that a scheduler would send, with ours over it. -EINVAL with the field's name, -EOPNOTSUPP with what this
 * node is not able to do. Pure. */
int confine_sandbox(const struct confine_request *r, const struct node_abilities *able, struct sandbox_spec *ret,
                    struct buf *ret_args, struct err *err) MUST_USE;
/* What a shell would see: the exit code, 128 + signal, 137 out of memory, 124 at the time limit, 128 + `stopped_by`
 * when a signal of ours stopped it (0: none), CONFINE_FAILED when nothing ran. Pure. */
int confine_exit_code(const struct keeper_record *record, int stopped_by);

struct box {
    char group[CONFINE_GROUP_MAX]; /* the warden's --cgroup: ours alone */
    char warden_path[4096], keeper_path[4096];
    pid_t warden;       /* 0 = none */
    bool crashed;       /* it ended in another way than told */
    int sock;           /* to the warden */
    int log;            /* memfd: what the warden writes to its stderr */
    int control;        /* listening; the keeper's from the launch on */
    int link;           /* to the keeper: connected before it is born */
    int exit, out, err; /* memfds: the record; what the keeper moves there when nobody takes it */
    int trace;          /* memfd: the calls of a traced run */
    uint64_t tag;
};

/* Starts the warden, with further words on its command line, and makes all that a launch needs. */
int box_open(struct box *b, const struct strs *options, struct err *err) MUST_USE;
/* Waits until the warden is ready and says what it can enforce. */
int box_able(struct box *b, struct node_abilities *ret, struct err *err) MUST_USE;
/* Sends a request; answers are read with box_hear(). `filter`: of a command that brings its profile, else -1; borrowed.
 */
int box_launch(struct box *b, const struct sandbox_spec *spec, const struct buf *args, int filter,
               struct err *err) MUST_USE;
int box_remove(struct box *b, struct attempt_id id, struct err *err) MUST_USE;
/* One answer. -ECHILD when the warden is gone, with its own last words. */
int box_hear(struct box *b, struct op_reply *ret, struct err *err) MUST_USE;
int box_tell(struct box *b, struct keeper_message m) MUST_USE; /* to the keeper */
/* 0 and the exit record; -ENODATA when the keeper left none. */
int box_record(const struct box *b, struct keeper_record *ret) MUST_USE;
/* What the warden said about a step that failed, beside the errno; "" when nothing. */
void box_last_words(const struct box *b, struct buf *out);
/* Ends the warden and waits until it has taken everything down. */
void box_close(struct box *b);

/* confine_streams.c: what the job writes, to one of our own descriptors. Never blocks: what is read waits until the
 * other side takes it. */
struct stream {
    int from, next, to; /* owned but `to`; -1 = at its end; `next` is read behind `from` */
    size_t at, len;
    char bytes[65536];
    int error; /* errno of writing: the rest is read and dropped */
};
bool stream_is_over(const struct stream *s);
/* What to poll for; fd -1 = nothing. */
struct pollfd stream_wants(const struct stream *s);
/* What became possible is done, once. */
void stream_move(struct stream *s);
void stream_close(struct stream *s);

/* confine_explain.c: everything that was set, read back from the running system: each step, each value of the groups,
 * ids, namespaces, mounts, limits, the filters. `root` says where volumes are looked for. The payload waits, stopped by
 * itself, and is sent on its way afterwards. */
int confine_explain(const struct box *b, const struct op_reply *launched, const struct root_spec *root,
                    struct buf *out, struct err *err) MUST_USE;
/* Puts a shell before the command that stops until it is told to go on. Pure. */
int confine_explain_command(struct strs *command) MUST_USE;

#endif
