/*
 * sandbox - one sandbox from the inside: the process that clone3 made becomes pid 1, builds its root, forks the
 * payload, drops what it no longer needs and goes on as the keeper.
 *
 * Ownership: one struct sandbox per process, static; its fds are the only ones open besides 0, 1, 2 (/dev/null).
 * Order:     is the security argument. sandbox.c's table of steps is the whole of it; the first failure ends the
 *            launch.
 * Ids:       inside, 0 is the keeper, JOB_ID the payload, MOVER_ID and STAGER_ID those who help it; outside all lie in
 *            the attempt's own range.
 */
#ifndef REEVE_ISOLATION_SANDBOX_H
#define REEVE_ISOLATION_SANDBOX_H

#include <linux/filter.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "isolation/keeper_sys.h"
#include "isolation/sandbox_ids.h"
#include "isolation/spec/step.h"
#include "isolation/zygote.h"

#define JOB_NAME "job"

/* As the zygote left it: its "/" holds these, and nothing of the host. */
#define OUTER_TEMPLATE "/t" /* the root of all sandboxes, read-only */
#define OUTER_NEW "/n"      /* where a sandbox attaches its own copy */
#define OUTER_LOWER "/l"    /* an image, while an overlay is put over it */
#define OUTER_UPPER "/u"    /* the scratch, while an overlay is made on it */

struct sandbox_filter {
    unsigned short count;
    struct sock_filter insns[FILTER_INSNS_MAX];
};

struct sandbox {
    struct sandbox_spec spec;
    struct network_end end;
    const struct sandbox_filter *floor;
    int filter;                                      /* of this job, above the floor: instructions */
    int trace, listener;                             /* of a traced job: the file, and what its calls come by; -1 */
    int launch, args, exit, control, oom, oom_event; /* oom_event -1: v2, where oom itself is polled */
    int out_file, err_file;                          /* for what no agent took from the pipes */
    int doors[PACKET_FDS_MAX];                       /* to its v1 groups, until it is in them */
    size_t doors_count;
    int root, proc, sysctl, scratch, shm;            /* while the root is built */
    int image, volumes[JOB_VOLUMES_MAX];             /* mounts, attached nowhere yet; -1 */
    int ruleset;                                     /* Landlock's, -1 */
    int out_read, out_write, err_read, err_write;
    int gate;      /* keeper's end of the socketpair to the payload, until it runs */
    pid_t payload, mover, stager; /* 0: none */
    int mover_inbox, stager_inbox; /* -1 */
    int channel, report;          /* the stager's, until it has them; -1 */
    uint64_t start_boot_us;
    int64_t start_utc_us;
};

/* Never returns: becomes the keeper, or tells the warden which step failed. */
noreturn void sandbox_main(const struct zygote_request *request, const int *fds, const struct sandbox_filter *floor);

/* Builds OUTER_TEMPLATE out of the host's /usr family and moves the calling zygote into the outer root.
 * -errno, and what it was about. */
int sandbox_template_build(const struct zygote_devices *devices, const char **ret_what);

/* sandbox_image.c: s->root out of s->image, attached nowhere; then at OUTER_NEW, with our /dev and /sys on it. */
int sandbox_image_open(struct sandbox *s);
int sandbox_image_attach(struct sandbox *s);
/* Steps of sandbox.c's table: 0 or -errno. */
int sandbox_network(struct sandbox *s);
int sandbox_image_check(struct sandbox *s); /* without real folders for /dev, /proc, /sys and /tmp it is none */
int sandbox_root_new_proc(struct sandbox *s);
int sandbox_root_new_scratch(struct sandbox *s); /* and shared memory */
int sandbox_root_open(struct sandbox *s);
int sandbox_root_rules(struct sandbox *s); /* s->ruleset */
int sandbox_root_attach(struct sandbox *s);
int sandbox_root_proc(struct sandbox *s);
int sandbox_root_nslimit(struct sandbox *s);
int sandbox_root_masks(struct sandbox *s);
int sandbox_root_scratch(struct sandbox *s);
int sandbox_root_places(struct sandbox *s); /* -EROFS, -ENOTDIR: a place that the root doesn't have */
int sandbox_root_volumes(struct sandbox *s);
int sandbox_root_pivot(struct sandbox *s);
/* sandbox_mover.c: nothing where none was asked for. Forked before the keeper is kept from the out-of-memory killer. */
int sandbox_mover_fork(struct sandbox *s);
int sandbox_mover_open(struct sandbox *s); /* it is confined, and hears the job */

/* sandbox_stager.c: the same for inputs and outputs. */
int sandbox_stager_fork(struct sandbox *s);
int sandbox_stager_open(struct sandbox *s);
/* In a helper's process: files are opened and made with the job's rights, by somebody who isn't the job (`id`). No
 * signal reaches it but the keeper's, no capability is left. 0 or -errno. */
int sandbox_help_job(uid_t id);
/* These become HELPER_FD_FIRST and the following; of all others only 0, 1 and 2, which are /dev/null, stay. */
#define HELPER_FD_FIRST 3
#define HELPER_FDS_MAX 4
#define HELPER_FD_OUT_OF_WAY 256
int sandbox_keep_fds(const int *fds, size_t count);

/* In the payload's process: never returns. `gate` carries a struct launch_word up when a step fails. */
noreturn void sandbox_payload(struct sandbox *s, int gate);

/* Reads a filter's instructions out of a memfd. 0 or -errno. */
int sandbox_filter_load(int fd, struct sandbox_filter *ret);

/* Empties every capability set but `keep` (a bit mask), and forbids gaining any. The bounding set is empty already.
 * 0 or -errno. */
int sandbox_drop_caps(uint64_t keep);

#endif
