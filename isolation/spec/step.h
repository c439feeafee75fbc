/*
 * step - the steps of a launch, in order. One table for the warden's replies, the keeper's record, logs and manuals:
 * a launch that fails names its step and the errno.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SPEC_STEP_H
#define REEVE_ISOLATION_SPEC_STEP_H

#include <stdbool.h>
#include <stdint.h>

enum launch_step {
    STEP_NONE,
    STEP_REQUEST,  /* the request itself: fields and fds */
    STEP_SLOT,     /* no free range of user ids, too many launches under way */
    STEP_CGROUP,   /* groups made, limits written and read back */
    STEP_IMAGE,    /* the image that is to be the root */
    STEP_VOLUME,   /* a folder of the node, and mounting it */
    STEP_CLONE,    /* the zygote's clone3 */
    STEP_IDMAP,    /* uid_map, gid_map */
    STEP_ATTACH,   /* into the groups, checked */
    STEP_IDS,      /* root of its own user namespace */
    STEP_CGROUPNS,
    STEP_HOSTNAME,
    STEP_NETWORK,  /* lo up; the private network's end */
    STEP_ROOT,     /* the read-only root */
    STEP_PROC,
    STEP_MASKS,
    STEP_SCRATCH,  /* /tmp, /dev/shm */
    STEP_PIVOT,
    STEP_NSLIMIT,  /* no further namespaces inside */
    STEP_PIPES,
    STEP_FORK,
    STEP_MOVER,    /* who copies for it, if it asked for that */
    STEP_OOM,      /* oom_score_adj of the keeper */
    STEP_ARGS,
    STEP_RLIMITS,
    STEP_SCRIPT,
    STEP_CAPS,
    STEP_USER,
    STEP_KEYRING,
    STEP_LANDLOCK,
    STEP_SECCOMP,
    STEP_EXEC,
    STEP_KEEPER,   /* what the keeper watches with, and its own system call filter */
    STEP_TIMEOUT,  /* the launch as a whole took too long */
    STEP_STAGER,   /* who brings its inputs and outputs, if it has any */
    STEP_PLACE,    /* where each volume lies inside */
    STEP_COUNT
};

/* "cgroup", "clone", … ; "unknown" for a number that is none. */
const char *launch_step_name(uint32_t step);
/* STEP_NONE: no step has this name. */
enum launch_step launch_step_find(const char *name);
/* What was asked for can't be had in this root, on any node: the job's own fault, like a command that isn't there. */
bool launch_step_blames_job(uint32_t step, int error);
/* What it does, in a few words for people; "" for a number that is none. */
const char *launch_step_says(uint32_t step);

#endif
