/*
 * doctor - is this machine fit to be a node: one row per check, each tries the very thing in a child of its own.
 *
 * A check says what it found and, when that isn't enough, what to do about it. What it makes (a group, a file without a
 * name, a namespace) goes with its child or is removed by it.
 * Contract: a check ends by returning; doctor_run() ends one that doesn't, with everything it started.
 */
#ifndef REEVE_CLI_DOCTOR_H
#define REEVE_CLI_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fields.h"
#include "base/proto.h"

enum doctor_status { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_STATUS_COUNT };
extern const struct names doctor_status_names;

struct doctor {
    const char *dir;   /* where the node's files lie, or will */
    const char *redis; /* unix:PATH or HOST:PORT; NULL: the one in `dir`, if there is one */
};

/* Fixed size: it comes through a pipe. */
struct finding {
    uint32_t status; /* enum doctor_status */
    char found[240];
    char fix[360];   /* "" when nothing is to be done */
};

struct doctor_check {
    const char *name; /* "cgroup.memory" */
    uint32_t worst;   /* WARN: a node runs without it, with less; FAIL: it doesn't run */
    void (*run)(const struct doctor *d, const struct doctor_check *c, struct finding *f);
    uint32_t which;   /* for rows that share a function */
};

extern const struct doctor_check doctor_checks[];
extern const size_t doctor_checks_count;
const struct doctor_check *doctor_find(const char *name);
/* Runs one check in a child. */
void doctor_run(const struct doctor *d, const struct doctor_check *c, struct finding *ret);

/* What a check says, once; the last word counts. */
void finding_ok(struct finding *f, const char *format, ...) PRINTF_LIKE(2, 3);
/* `fix` is a sentence that says what to do. The status is the row's worst. */
void finding_bad(struct finding *f, const struct doctor_check *c, const char *fix, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* doctor_cgroup.c */
void doctor_cgroup_mode(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_cgroup_delegation(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_cgroup_limit(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_io_weight(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_cgroup_kill(const struct doctor *d, const struct doctor_check *c, struct finding *f);
enum doctor_limit {
    LIMIT_CPU, LIMIT_CPUACCT, LIMIT_MEMORY, LIMIT_SWAP, LIMIT_PIDS, LIMIT_CPUSET, LIMIT_IO, LIMIT_HUGETLB, LIMIT_FREEZE,
    LIMIT_DEVICES, LIMIT_COUNT
};

/* doctor_kernel.c */
void doctor_root(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_namespace(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_idmap(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_mounts(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_overlay(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_squashfs(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_seccomp(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_landlock(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_io_uring(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_oom_score(const struct doctor *d, const struct doctor_check *c, struct finding *f);
enum doctor_kind { KIND_USER, KIND_PID, KIND_MNT, KIND_IPC, KIND_UTS, KIND_NET, KIND_CGROUP, KIND_COUNT };

/* doctor_node.c */
void doctor_nofile(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_memlock(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_clock(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_disk(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_space(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_meters(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_ledger(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_redis(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_programs(const struct doctor *d, const struct doctor_check *c, struct finding *f);
void doctor_launch(const struct doctor *d, const struct doctor_check *c, struct finding *f);

/* What was seen, judged. Pure. */
struct clock_seen {
    int64_t utc_us, utc_went_us, boot_went_us; /* the instant; how far both went in the same while */
    int error;                                 /* why nobody says whether it is synchronised */
    bool synchronised;
};
void doctor_judge_clock(const struct clock_seen *s, const struct doctor_check *c, struct finding *f);
/* The answer to INFO: the first thing that is wrong with it. */
void doctor_judge_redis(const char *info, const struct doctor_check *c, struct finding *f);
void doctor_judge_ledger_io(const struct ledger_io_reply *r, const struct doctor_check *c, struct finding *f);

#endif
