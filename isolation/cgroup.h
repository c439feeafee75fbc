/*
 * cgroup - the groups that attempts live in, with one meaning on cgroup v1, v2 and mixtures of both.
 *
 * All groups lie below a base, "reeve-<name>", below the cgroup that the warden was started in: what limits the
 * warden limits its jobs. Where a base of that name with groups exists already, an earlier life's, it is used
 * instead. Every attempt has one group of the same name in each hierarchy we need (v1: cpu, memory, pids, blkio; cpuset
 * only for who is pinned, all others share one there) and, where a cgroup2 mount exists, one there: processes are born
 * into it, killed, frozen and
 * counted by it, and what devices it may open is said there.
 *
 * libcgroup (cgroup.c, its only user) finds the mounts and reads statistics. Limits are written and read back by
 * directory fd (docs/adr/0005), as is all it can't do: make, attach, kill, freeze, device programs, remove.
 * A group's name is never longer than CG_NAME_MAX and was formatted by us.
 */
#ifndef REEVE_ISOLATION_CGROUP_H
#define REEVE_ISOLATION_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attempt.h"
#include "base/err.h"
#include "isolation/spec/ops.h"

#define CG_NAME_MAX 64
#define CG_PATH_MAX 512
#define CG_HIERARCHIES_MAX 10
#define CG_VALUES_MAX 64
#define CG_IO_DEVICES_MAX 8
#define CG_SHARED ".shared" /* on v1 the cpuset group of who isn't pinned; the '.' keeps it out of cg_list() */

/* CG_HUGETLB last: it may be all that a hybrid host's cgroup2 mount has, and that mount is to be the last one. */
enum cg_controller {
    CG_CPU,
    CG_CPUACCT,
    CG_MEMORY,
    CG_PIDS,
    CG_IO,
    CG_CPUSET,
    CG_DEVICES,
    CG_FREEZER,
    CG_HUGETLB,
    CG_CONTROLLERS
};

struct cg_hierarchy {
    bool v2;
    bool on_demand;          /* only attempts that ask for what it limits have a group there */
    unsigned controllers;    /* one bit for each enum cg_controller that it serves */
    char mount[CG_PATH_MAX];
    char path[CG_PATH_MAX];  /* the base's, below the mount, without a leading '/' */
    int base;                /* directory fd */
};

/* A set of processors, by number. */
struct cg_cpus {
    uint64_t bits[LIMIT_PINNED_MAX / 64];
};

struct cg {
    struct cg_hierarchy at[CG_HIERARCHIES_MAX];
    int count;
    int of[CG_CONTROLLERS]; /* index of the hierarchy that has it, -1: none, or not needed */
    bool at_root;
    int leaf;               /* index of the cgroup2 hierarchy, -1 */
    bool protect;           /* may we keep keepers from the out-of-memory killer (CAP_SYS_RESOURCE) */
    /* by cg_equip() */
    struct node_abilities able;
    struct node_device devices[NODE_DEVICES_MAX]; /* able.devices_count of them */
    dev_t io[CG_IO_DEVICES_MAX];                /* what io limits apply to */
    int io_count;
    bool weight_by_bfq;     /* else by the io cost model; v2 keeps them in files of their own */
    int no_devices;         /* the device program of who was given none, -1 */
    uint64_t guarantee_max; /* v2: what lies above the base guarantees so much memory */
    uint64_t guaranteed;    /* sum over the attempts */
    struct cg_cpus shared;  /* what who isn't pinned runs on */
    bool sharing;           /* it is less than all */
};

/* What a file reads back: this text, a line of it, or no line of the device that the text begins with. */
enum cg_match { CG_WHOLE, CG_LINE, CG_NO_LINE };

/* One limit: the file and exactly what it must hold afterwards. */
struct cg_value {
    enum cg_controller controller;
    char file[40], text[120];
    enum cg_match match;
    bool usual;      /* often a new group has it by itself: looked at before it is written */
    bool if_present; /* a kernel without swap has no file for it */
};

/* --- the base --- */

/* Finds the hierarchies, makes the base in each: below our own group and nowhere else. `at_root`: on v2, where a group
 * with other processes in it can't have children with limits, the root of the hierarchy will do. -EBUSY: it is shared,
 * or another warden uses this name. Every failure names what is missing in one sentence. */
int cg_open(struct cg *cg, const char *name, bool at_root, struct err *err) MUST_USE;
/* Finds out what can be enforced here (cg->able), by doing it to a group that nobody lives in; which of the devices
 * given are block devices that io limits can apply to; holds the base to what holds for all. Says why what is missing
 * is missing, in the log. What every node must be able to do and this one can't is an error. */
struct cg_equipment {
    const struct node_device *devices;
    int devices_count;
    dev_t io[CG_IO_DEVICES_MAX];
    int io_count;
};
int cg_equip(struct cg *cg, const struct cg_equipment *with, struct err *err) MUST_USE;
/* Closes; `remove`: the empty base goes too. */
void cg_close(struct cg *cg, bool remove);

/* --- one group --- */

/* The hierarchies on demand that this spec needs, one bit each; what `parts` means below. */
unsigned cg_parts(const struct cg *cg, const struct sandbox_spec *spec);
/* In every hierarchy or in none. -EEXIST. The two halves: where it is born, and all the others. */
int cg_make_leaf(const struct cg *cg, const char *group, struct err *err) MUST_USE;
int cg_make_rest(const struct cg *cg, const char *group, unsigned parts, struct err *err) MUST_USE;
int cg_make(const struct cg *cg, const char *group, unsigned parts, struct err *err) MUST_USE;
/* Writes all limits and reads every one back. -EOPNOTSUPP: what cg->able doesn't say. `cpus`: what it is pinned to,
 * NULL = nothing. */
int cg_limit(struct cg *cg, const char *group, const struct sandbox_spec *spec, const struct cg_cpus *cpus,
             struct err *err) MUST_USE;
/* What it may read and write becomes what these limits say, while it runs; as far as this node can limit it. */
int cg_limit_io(const struct cg *cg, const char *group, const struct sandbox_limits *limits, struct err *err) MUST_USE;
/* The directory to be born into; -ENOENT without a cgroup2 mount. */
int cg_leaf_fd(const struct cg *cg, const char *group) MUST_USE;
/* A file to read kills for lack of memory from; on v1 also an eventfd that tells of them, on v2 -1: poll the file. */
int cg_oom_fds(const struct cg *cg, const char *group, int *ret_oom, int *ret_event) MUST_USE;
/* One fd for each of its v1 groups, and how many: a process with one thread that writes "0" there moves itself in,
 * whatever it may do otherwise; the right to is the opener's. */
int cg_doors(const struct cg *cg, const char *group, unsigned parts, int fds[CG_HIERARCHIES_MAX]) MUST_USE;
/* Reads /proc/PID/cgroup (`proc`: its directory): 0 when it is in all groups, -EXDEV when it is not, -ESRCH: it is
 * gone. */
int cg_check_member(const struct cg *cg, const char *group, unsigned parts, int proc) MUST_USE;
/* SIGKILL to everything in it; may have to be said again until cg_is_empty. */
int cg_kill(const struct cg *cg, const char *group) MUST_USE;
/* Freezes or thaws: 1 when all of it stands still or runs, 0: told, not there yet. */
int cg_freeze(const struct cg *cg, const char *group, bool freeze) MUST_USE;
/* Ready (EPOLLPRI) when what cg_is_empty says may have changed; -ENOENT without a cgroup2 mount. */
int cg_events_fd(const struct cg *cg, const char *group) MUST_USE;
/* `events`: such an fd, or -1. */
bool cg_is_empty(const struct cg *cg, const char *group, int events);
/* What the kernel counted so far; what it doesn't count here is absent. */
void cg_usage(const struct cg *cg, const char *group, struct usage *ret);
void cg_io_usage(const struct cg *cg, const char *group, struct usage *ret); /* of devices, nothing else */
/* 0 when it is gone everywhere, -EBUSY while something is in it. */
int cg_remove(const struct cg *cg, const char *group) MUST_USE;
/* The sum of guarantees in the base follows: more or less by so much. */
int cg_guarantee(struct cg *cg, uint64_t bytes, bool more, struct err *err) MUST_USE;
/* What an attempt of an earlier life was given: its processors and its guarantee. */
void cg_recall(const struct cg *cg, const char *group, struct cg_cpus *ret_cpus, uint64_t *ret_guarantee);
/* `count` processors of the base's that are not in `taken`. -EBUSY: so many are not free. */
int cg_pick_cpus(const struct cg *cg, const struct cg_cpus *taken, uint32_t count, struct cg_cpus *ret) MUST_USE;
/* Who isn't pinned runs on what is not in `taken`, from now on; on all of them when nothing would be left. v2: that is
 * for new groups; cg_share_with() for each that there is. */
int cg_share_cpus(struct cg *cg, const struct cg_cpus *taken, struct err *err) MUST_USE;
int cg_share_with(const struct cg *cg, const char *group, struct err *err) MUST_USE;
/* In all hierarchies? Half a group is what an interrupted life left. */
bool cg_is_whole(const struct cg *cg, const char *group);
/* Calls `each` with every name found in any hierarchy, possibly more than once. */
void cg_list(const struct cg *cg, void (*each)(void *context, const char *group), void *context);

/* --- parts, shared between the files --- */

/* Are any of this size set aside, or may they be made on demand? */
bool cg_has_huge_pages(enum huge_size size);

/* What a controller is called. */
const char *cg_controller_name(enum cg_controller c, bool v2);
/* Is it one that a warden can't do without? */
bool cg_controller_is_required(enum cg_controller c);

/* The limits of a spec on v1 or v2, as many as fit. Pure. */
int cg_values(const struct cg *cg, const struct sandbox_spec *spec, struct cg_value out[CG_VALUES_MAX]);
/* Those of reads and writes, where there is none to take away what was. Pure. */
int cg_io_values(const struct cg *cg, const struct sandbox_limits *limits, struct cg_value out[CG_VALUES_MAX]);

/* libcgroup's part. */
int cg_lib_init(struct err *err) MUST_USE;
/* Where a controller is mounted; false when it isn't. */
bool cg_lib_mount_of(const char *controller, char out[CG_PATH_MAX]);

/* Which devices a group may open: what all may, and of cg->devices those in `granted` (a bit each).
 * `group` ".": the base. */
bool cg_devices_by_program(void);
int cg_devices_limit(struct cg *cg, const char *group, uint32_t granted, struct err *err) MUST_USE;

/* "0-3,8": as the kernel writes sets. False: not such a text, or it does not fit. */
bool cg_cpus_parse(const char *text, struct cg_cpus *ret);
bool cg_cpus_format(const struct cg_cpus *cpus, char *out, size_t size);

bool cg_cpus_any(const struct cg_cpus *cpus);
/* Once, when the base has processors. */
int cg_share_open(struct cg *cg, struct err *err) MUST_USE;

/* Small files of a directory fd. */
int cg_file_open(int dir, const char *group, const char *file, int flags) MUST_USE;
int cg_file_write(int dir, const char *group, const char *file, const char *text) MUST_USE;
ssize_t cg_file_read(int dir, const char *group, const char *file, char *out, size_t size) MUST_USE; /* trimmed */
/* Writes a limit and reads it back; a failure names the file. */
int cg_file_set(const struct cg *cg, const char *group, const struct cg_value *v, struct err *err) MUST_USE;
/* The same of any length, in a hierarchy's base. */
int cg_text_set(int base, const char *group, const struct cg_value *v, const char *text, struct err *err) MUST_USE;
/* The path behind "N:controllers:" (v1, by one of its names) or "0::" (controller NULL) in a /proc/PID/cgroup text. */
bool cg_path_in(const char *text, const char *controller, char out[CG_PATH_MAX]);

#endif
