/*
 * cgroup - the groups that attempts live in, with one meaning on cgroup v1, v2 and mixtures of both.
 *
 * All groups lie below a base, "reeve-<name>", below the cgroup that the warden was started in: what limits the
 * warden limits its jobs. Where a base of that name with groups exists already, an earlier life's, it is used
 * instead. Every attempt has one group of the same name in each hierarchy we need (v1: cpu, cpuacct, memory,
 * pids) and, where a cgroup2 mount exists, one there: processes are born into it, killed and counted by it.
 *
 * libcgroup (cgroup.c, its only user) finds the mounts, writes limits and reads statistics. What it can't do, or would
 * do by path or by moving tasks into the parent, is done here by directory fd: make, attach, read back, kill, remove.
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
#define CG_HIERARCHIES_MAX 5
#define CG_VALUES_MAX 8

enum cg_controller { CG_CPU, CG_CPUACCT, CG_MEMORY, CG_PIDS, CG_CONTROLLERS };
extern const char *const cg_controller_names[CG_CONTROLLERS];

struct cg_hierarchy {
    bool v2;
    unsigned controllers;    /* one bit for each enum cg_controller that it serves */
    char mount[CG_PATH_MAX];
    char path[CG_PATH_MAX];  /* the base's, below the mount, without a leading '/' */
    int base;                /* directory fd */
};

struct cg {
    struct cg_hierarchy at[CG_HIERARCHIES_MAX];
    int count;
    int of[CG_CONTROLLERS]; /* index of the hierarchy that has it; -1: CG_CPUACCT where cpu itself counts (v2) */
    int leaf;               /* index of the cgroup2 hierarchy, -1 */
    bool protect;           /* may we keep keepers from the out-of-memory killer (CAP_SYS_RESOURCE) */
};

/* One limit: the file and exactly what it must hold afterwards. */
struct cg_value {
    enum cg_controller controller;
    char file[32], text[48];
    bool if_present; /* a kernel without swap has no file for it */
};

/* --- the base --- */

/* Finds the hierarchies, makes the base in each. -EBUSY: another warden uses this name. Every other failure names what
 * is missing in one sentence. */
int cg_open(struct cg *cg, const char *name, struct err *err) MUST_USE;
/* Closes; `remove`: the empty base goes too. */
void cg_close(struct cg *cg, bool remove);

/* --- one group --- */

/* In every hierarchy or in none. -EEXIST. */
int cg_make(const struct cg *cg, const char *group, struct err *err) MUST_USE;
/* Writes all limits and reads every one back. */
int cg_limit(const struct cg *cg, const char *group, const struct sandbox_spec *spec, struct err *err) MUST_USE;
/* The directory to be born into; -ENOENT without a cgroup2 mount. */
int cg_leaf_fd(const struct cg *cg, const char *group) MUST_USE;
/* A file to read kills for lack of memory from; on v1 also an eventfd that tells of them, on v2 -1: poll the file. */
int cg_oom_fds(const struct cg *cg, const char *group, int *ret_oom, int *ret_event) MUST_USE;
/* Moves a process with one thread into the v1 groups. */
int cg_attach(const struct cg *cg, const char *group, pid_t pid) MUST_USE;
/* Reads /proc/PID/cgroup (`proc`: its directory): 0 when it is in all groups, -ESRCH when it is not. */
int cg_check_member(const struct cg *cg, const char *group, int proc) MUST_USE;
/* SIGKILL to everything in it; may have to be said again until cg_is_empty. */
int cg_kill(const struct cg *cg, const char *group) MUST_USE;
/* Ready (EPOLLPRI) when what cg_is_empty says may have changed; -ENOENT without a cgroup2 mount. */
int cg_events_fd(const struct cg *cg, const char *group) MUST_USE;
/* `events`: such an fd, or -1. */
bool cg_is_empty(const struct cg *cg, const char *group, int events);
/* What the kernel counted so far; what it doesn't count stays 0. */
void cg_usage(const struct cg *cg, const char *group, struct usage *ret);
/* 0 when it is gone everywhere, -EBUSY while something is in it. */
int cg_remove(const struct cg *cg, const char *group) MUST_USE;
/* In all hierarchies? Half a group is what an interrupted life left. */
bool cg_is_whole(const struct cg *cg, const char *group);
/* Calls `each` with every name found in any hierarchy, possibly more than once. */
void cg_list(const struct cg *cg, void (*each)(void *context, const char *group), void *context);

/* --- parts, shared between the files --- */

/* The limits of a spec on v1 or v2. Pure. */
int cg_values(const struct cg *cg, const struct sandbox_spec *spec, struct cg_value out[CG_VALUES_MAX]);

/* libcgroup's part. */
int cg_lib_init(struct err *err) MUST_USE;
/* Where a controller is mounted; false when it isn't. */
bool cg_lib_mount_of(const char *controller, char out[CG_PATH_MAX]);
int cg_lib_write(const char *controller, const char *path, const struct cg_value *values, int count,
                 struct err *err) MUST_USE;
/* The number in `file`, or the one behind `key` in it. False when there is none. */
bool cg_lib_read(const char *controller, const char *path, const char *file, const char *key, uint64_t *ret);

/* Small files of a directory fd. */
int cg_file_write(int dir, const char *group, const char *file, const char *text) MUST_USE;
ssize_t cg_file_read(int dir, const char *group, const char *file, char *out, size_t size) MUST_USE; /* trimmed */
/* The path behind "N:controllers:" (v1, by one of its names) or "0::" (controller NULL) in a /proc/PID/cgroup text. */
bool cg_path_in(const char *text, const char *controller, char out[CG_PATH_MAX]);

#endif
