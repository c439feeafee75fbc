/*
 * zygote - what warden, zygote and a new sandbox say to each other. All three are parts of one release: fixed structs
 * over SOCK_SEQPACKET, no negotiation.
 *
 * The zygote is the reeve-keeper program, run by the warden from a sealed memfd. It is small and has one thread, so a
 * clone of it is cheap, and it lives in a mount namespace that holds nothing but the read-only root of all sandboxes
 * and a /proc: that is what clone3 has to copy, and all that a new sandbox could ever reach.
 *
 *   warden -> zygote   struct zygote_devices, first of all
 *   warden -> zygote   struct zygote_request with fds, in the order of enum zygote_fd
 *   zygote -> warden   struct zygote_reply with a pidfd; the first one, tag 0, says that the root is built
 *
 * A sandbox's launch goes over its own socketpair:
 *
 *   sandbox: waits        <- GO       ids are mapped, groups limited; with fds: what tells of lack of memory, on v1 its
 *                                     eventfd, then a door to each v1 group. It moves itself in
 *   sandbox: READY ->                 payload forked and waiting; the root is being built
 *   warden:               <- RUN      it is in all its groups; the keeper is kept from the kernel's out-of-memory
 *                                     killer; the payload is not
 *   sandbox: STARTED ->  or FAILED -> the payload was exec'ed or, with inputs to bring, waits for them at its gate; or
 *                                     the step that failed
 *
 * An end of file at any moment before STARTED ends the sandbox. Between keeper and payload the same words go over a
 * socketpair of theirs: RUN down; up FAILED, or STARTED and then, by the exec, the end of file.
 */
#ifndef REEVE_ISOLATION_ZYGOTE_H
#define REEVE_ISOLATION_ZYGOTE_H

#include <stdint.h>

#include "isolation/spec/network.h"
#include "isolation/spec/ops.h"

#define ZYGOTE_MAGIC 0x5a594731u
#define ZYGOTE_SOCKET_FD 3 /* as the zygote is born */
#define ZYGOTE_FLOOR_FD 4 /* the filter that all sandboxes have */
#define ZYGOTE_OOM_SCORE 500 /* jobs go before the system does */

enum zygote_fd {
    ZYGOTE_FD_LAUNCH,
    ZYGOTE_FD_ARGS,
    ZYGOTE_FD_EXIT,
    ZYGOTE_FD_CONTROL,
    ZYGOTE_FD_OUT,
    ZYGOTE_FD_ERR,
    ZYGOTE_FD_FILTER, /* above the floor */
    ZYGOTE_FD_COUNT
};
/* After these: the group to be born into, then the file for a trace, as flags say; then, as the spec says, the file for
 * what the stager reports and the mounts of the image and of each volume. */
#define ZYGOTE_FDS_MAX (ZYGOTE_FD_COUNT + 4 + JOB_VOLUMES_MAX)

enum zygote_flag { ZYGOTE_INTO_CGROUP = 1, ZYGOTE_OOM_EVENT = 2 /* comes with GO */, ZYGOTE_TRACE = 4 };

struct zygote_request {
    uint32_t magic, flags; /* enum zygote_flag */
    uint64_t tag;          /* > 0 */
    struct sandbox_spec spec;
    struct network_end end;
};

/* Nodes that every sandbox's /dev has beside the usual; who may open one is said by its group. */
struct zygote_devices {
    uint32_t magic, count;
    struct node_device at[NODE_DEVICES_MAX];
};

struct zygote_reply {
    uint64_t tag;
    int32_t pid;   /* in the warden's pid namespace */
    int32_t error; /* errno; tag 0: what[] could not be prepared */
    char what[48];
};

enum launch_word_kind { LAUNCH_GO = 1, LAUNCH_READY, LAUNCH_RUN, LAUNCH_STARTED, LAUNCH_FAILED, LAUNCH_LISTENER };

struct launch_word {
    uint32_t kind, step; /* enum launch_step */
    int32_t error;       /* errno */
};

#endif
