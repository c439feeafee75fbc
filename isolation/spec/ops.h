/*
 * ops - the closed list of what an agent may ask of the warden. Fixed-size structs and fds over a SOCK_SEQPACKET
 * socketpair; nothing is text that anybody parses, and everything is checked again on arrival: an agent that was taken
 * over gains nothing beyond this list.
 *
 *   LAUNCH  a confined attempt            fds: args (sealed memfd), exit (O_WRONLY file), control (listening
 *                                         SEQPACKET), out, err (O_WRONLY files, for what no agent takes),
 *                                         seccomp (a filter or a trace, see filter.h; else it is not there),
 *                                         stage (O_WRONLY file, where spec.stages says so; else it is not there)
 *   READ    what its group used so far    -
 *   REMOVE  kill what is left, read usage, remove its groups. Idempotent: GONE when nothing is there.
 *   LIST    the attempts that have groups -
 *   FREEZE  nothing of it runs any more   OP_BUSY: it was told, ask again; idempotent, but for `until`. REMOVE works on
 *   THAW    it runs on                    the frozen.
 *   LIMIT   what it may read and write  of sandbox.limits those alone, else OP_BAD_REQUEST: they take the place of what
 *                                         held before. OP_FAILED: some may hold already
 *   ABLE    what this node can enforce    a struct node_abilities follows the reply in the same packet
 *
 * The keeper of a frozen attempt stands still too, and what ends an attempt (a time limit, the lease, what was paid, a
 * STOP that waits in its socket) is done by the keeper. So a freeze has an end: at `until`, and FREEZE_MAX_US after it
 * was asked for at the latest, the warden thaws the attempt, whether its agent lives or not, and the keeper acts at
 * once. Who asks for a freeze says when the first end is due; who extends the lease of a frozen attempt, or wants it
 * frozen for longer, asks again; who stops it sends STOP to the keeper, then THAW. A warden that ends, or starts and
 * finds attempts, thaws them. Nothing of a frozen attempt runs past its lease: until a warden is there it stands still.
 *
 * A reply carries the tag of its request. LAUNCH is answered when the payload was exec'ed, when all is ready for its
 * inputs to be brought, or when a step failed.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SPEC_OPS_H
#define REEVE_ISOLATION_SPEC_OPS_H

#include <stdint.h>

#include "base/attempt.h"
#include "isolation/spec/filter.h"
#include "isolation/spec/limits.h"
#include "isolation/spec/root.h"

#define OPS_VERSION 8
#define OPS_LIST_MAX 256
#define SANDBOX_MEM_MIN ((uint64_t)1 << 22) /* 4 MiB */
#define SANDBOX_PIDS_MAX 32768
#define FREEZE_MAX_US UINT64_C(1800000000)

enum op_kind { OP_LAUNCH = 1, OP_READ, OP_REMOVE, OP_LIST, OP_FREEZE, OP_THAW, OP_ABLE, OP_LIMIT };
/* REMOVE: its usage was READ after its end; reading it again would cost as much as the rest. */
enum op_flag { OP_USAGE_IS_KNOWN = 1, OP_IO_ALONE = 2 /* READ: what was read and written, nothing else */ };
/* What comes along with LAUNCH, in this order. */
enum launch_fd { LAUNCH_FD_ARGS, LAUNCH_FD_EXIT, LAUNCH_FD_CONTROL, LAUNCH_FD_OUT, LAUNCH_FD_ERR, LAUNCH_FDS };
#define LAUNCH_FD_SECCOMP LAUNCH_FDS /* when the filter's kind has one; the stage's comes last */
#define LAUNCH_FDS_MAX (LAUNCH_FDS + 2)
enum op_status { OP_DONE, OP_GONE, OP_BAD_REQUEST, OP_FAILED, OP_EXISTS, OP_BUSY };

/* What a sandbox is. All limits are enforced or the launch is refused: none is ever skipped. */
struct sandbox_spec {
    struct attempt_id id;
    uint64_t term;
    uint64_t cpu_milli;          /* quota, > 0 */
    uint64_t mem_bytes;          /* hard limit, no swap, >= SANDBOX_MEM_MIN */
    uint64_t scratch_bytes;      /* size of /tmp (tmpfs); its pages count too: the group gets mem + scratch */
    uint64_t scratch_inodes;
    uint32_t pids_max;           /* processes and threads */
    uint32_t network;            /* enum net_mode */
    uint64_t time_limit_us;      /* run time; 0 = none */
    uint64_t paid_us;            /* run time; stopped there, or paused */
    uint64_t lease_us;           /* without a renewal for so long it is stopped; 0 = none */
    uint64_t grace_us;           /* SIGTERM to SIGKILL */
    char hostname[64];           /* inside; [a-z0-9-] */
    struct sandbox_limits limits;
    struct filter_spec filter;
    struct root_spec root;
    uint32_t pauses_at_paid_end; /* 0 or 1 */
    uint32_t mover;              /* 0 or 1: with one (mover.h) that the job may ask, and what it needs beside the job */
    uint32_t stages, reserved;   /* enum stage_need: with a stager (stage.h) and a mover for it; 0 */
};

struct op_request {
    uint32_t version, kind;      /* OPS_VERSION, enum op_kind */
    uint64_t tag;
    struct sandbox_spec sandbox; /* LAUNCH; LIMIT: its limits alone */
    struct attempt_id id;        /* READ, REMOVE, FREEZE, THAW, LIMIT */
    uint64_t flags;              /* enum op_flag */
    uint64_t until_boot_us;      /* FREEZE: thawed then at the latest; CLOCK_BOOTTIME */
};

struct op_reply {
    uint32_t version, kind, status; /* enum op_status */
    int32_t error;               /* errno of the step that failed, 0 */
    uint64_t tag;
    char step[32];               /* which step failed: "cgroup", "clone", "idmap", "root", "seccomp", "exec", …;
                                    "limits.io.write_bps": a limit that this node can't enforce */
    struct attempt_id id;
    uint64_t launch_us;          /* LAUNCH: how long it took */
    struct usage usage;          /* READ, REMOVE */
    uint32_t count;              /* LIST */
};
/* LIST: `count` struct attempt_id follow the reply in the same packet, at most OPS_LIST_MAX; then further packets with
 * the same tag; the last has count 0. */

/* The args memfd: what becomes argv, env and cwd. Never looked into by the warden; the keeper hands it to the payload.
 *   u32 magic 'RVA2', u32 argc, u32 envc, u32 script_len, u32 stages,
 *   then argc + envc NUL-terminated texts, then the NUL-terminated cwd,
 *   then script_len bytes (written to /tmp/.script, mode 0500, argv[0] replaced by it),
 *   then `stages` times a struct stage_item (stage.h) and two NUL-terminated texts. Total <= 1 MiB. */
#define ARGS_MAGIC 0x32415652u
#define ARGS_BYTES_MAX (1u << 20)

/* Somebody copies for it: the job itself asks, or its stager does. */
static inline bool sandbox_has_mover(const struct sandbox_spec *spec)
{
    return spec->mover != 0 || spec->stages != 0;
}

/* -EINVAL with the field's name: the same check on both sides. */
int sandbox_spec_check(const struct sandbox_spec *spec, struct err *err) MUST_USE;

#endif
