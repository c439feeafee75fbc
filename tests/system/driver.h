/*
 * driver - plays the agent towards a real reeve-warden: starts one with --socket-fd, asks for operations, talks to
 * keepers. Everything lies in a temporary folder and a cgroup of this process's own name; driver_fini leaves nothing.
 * A failure that no test expects ends the program with a message.
 */
#ifndef REEVE_TESTS_SYSTEM_DRIVER_H
#define REEVE_TESTS_SYSTEM_DRIVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/job_spec.h"
#include "isolation/spec/keeper.h"
#include "isolation/spec/stage.h"
#include "isolation/spec/ops.h"
#include "isolation/spec/step.h"

#define DRIVER_OUTPUT_MAX 65536

struct driver {
    char dir[64], cgroup[32];
    char warden[512], keeper[512];
    pid_t pid; /* the warden's */
    int sock;
    uint64_t tag;
    uint64_t job; /* of the next attempt */
    const char *const *options; /* further ones of the warden, NULL-terminated; NULL: none */
};

/* An input or output of it. */
struct stage_try {
    uint32_t flags; /* enum stage_flag */
    const char *from, *to;
    uint64_t max_bytes;
    const uint8_t *digest;
};

/* What to run and how; driver_spec() fills in usual values. */
struct run {
    struct sandbox_spec spec;
    const char *const *argv; /* NULL-terminated */
    const char *const *env;  /* NULL: none */
    const char *cwd, *script;
    int seccomp; /* what comes along for spec.filter, -1 */
    size_t script_len; /* 0: script is a text */
    const struct stage_try *stages;
    size_t stages_count;
};

/* An attempt that was launched: our side of it. */
struct task {
    struct attempt_id id;
    char exit_path[128], control_path[128], out_path[128], err_path[128], stage_path[128];
    int control, exit, link, out, err;
    struct op_reply launch;
};

/* How it ended: the record, what it wrote, what its group used. */
struct ended {
    struct keeper_record record;
    char out[DRIVER_OUTPUT_MAX], err[DRIVER_OUTPUT_MAX];
    size_t out_len;
    struct usage usage;
};

void driver_init(struct driver *d);
void driver_init_with(struct driver *d, const char *const *options);
/* The first half of it: the folder and the names. Then driver_start_warden(), once files and options are prepared. */
void driver_prepare(struct driver *d, const char *const *options);
void driver_fini(struct driver *d); /* ends the warden, checks that nothing is left */
void driver_start_warden(struct driver *d);
void driver_kill_warden(struct driver *d);
/* True when no folder of ours is in any cgroup hierarchy. */
bool driver_groups_gone(const struct driver *d);

struct run driver_run(struct driver *d, const char *const *argv);
/* Launches and returns the warden's answer (also in task->launch). */
enum op_status driver_launch(struct driver *d, const struct run *run, struct task *task);
/* The same in two halves, for several launches at once; all must succeed. */
void driver_launch_begin(struct driver *d, const struct run *run, struct task *task);
void driver_launch_finish(struct driver *d, struct task *tasks, size_t count);
struct op_reply driver_ask(struct driver *d, enum op_kind kind, struct attempt_id id);
/* REMOVE, again while the answer is OP_BUSY, as an agent does: on a busy machine what was killed may die slowly. */
struct op_reply driver_remove(struct driver *d, struct attempt_id id);
struct op_reply driver_ask_until(struct driver *d, enum op_kind kind, struct attempt_id id, uint64_t until_boot_us);
/* What the warden says it can enforce. */
struct op_reply driver_limit(struct driver *d, struct attempt_id id, const struct sandbox_limits *limits);
struct node_abilities driver_able(struct driver *d);
#define DRIVER_STATUS_MAX 4096
/* A process of ours by its name, in the group of the attempt that runs; 0: none. `status`: its /proc text. */
pid_t driver_find(const struct driver *d, const char *name, char status[DRIVER_STATUS_MAX]);
/* What its stager says; false: nothing that is whole. */
bool driver_stage(const struct task *task, struct stage_report *ret);
/* Connects (again) to the keeper and takes its HELLO; false when nobody listens. */
bool driver_link(struct task *task, struct keeper_message *ret_hello);
void driver_say(struct task *task, struct keeper_message m);
/* Reads both streams and the record; END_NONE: the keeper is gone without one. */
void driver_drain(struct task *task, struct ended *ret);
/* The same, then REMOVEs. `ret` is large: allocate it statically. */
void driver_end(struct driver *d, struct task *task, struct ended *ret);
/* The same of several at once, whose ends don't matter: `spare` is written over. */
void driver_end_all(struct driver *d, struct task *tasks, size_t count, struct ended *spare);
/* All in one. */
void driver_do(struct driver *d, const struct run *run, struct ended *ret);
/* Only lets go of the fds. */
void driver_drop(struct task *task);

#endif
