/*
 * job_spec - what a tenant asks for, exactly as accepted. Immutable after submission.
 * The same table reads job files (YAML, JSON), the wire, the journal, and writes reeve-job(5).
 * Purity: pure.
 */
#ifndef REEVE_BASE_JOB_SPEC_H
#define REEVE_BASE_JOB_SPEC_H

#include "base/job_retry.h"
#include "base/job_stage.h"
#include "base/limits.h"
#include "base/mount_name.h"
#include "base/where.h"

#define JOB_NAME_MAX 63
#define JOB_ARGS_MAX 1024            /* words in a command */
#define JOB_ARG_BYTES_MAX 65536
#define JOB_ENV_MAX 512
#define JOB_LABELS_MAX 32
#define JOB_SCRIPT_MAX 262144        /* bytes */
#define JOB_TASKS_MAX 1000000        /* tasks in one array */
#define JOB_LABEL_MAX 63             /* of the label that `within` or `spread` names */
#define JOB_GANG_MAX 512             /* tasks that start together: one journal entry, one commit */
#define JOB_TIME_LIMIT_MAX_MS ((uint64_t)366 * 86400 * 1000)
#define JOB_RETRIES_MAX 100
#define JOB_KEY_MAX 127
#define JOB_SECCOMP_MAX 65536         /* bytes of a profile that a job brings */
#define SECCOMP_NAME_LEN_MAX 31
#define SECCOMP_DEFAULT "default"
#define SECCOMP_TRACE "trace"         /* the default, told instead of denied */
#define SECCOMP_INLINE "inline"       /* in a policy: jobs may bring a profile */
#define JOB_VOLUMES_MAX 6
#define JOB_AFTER_MAX 64
#define JOB_PRIORITY_MAX 1000
#define MONEY_MAX_OF_A_JOB (UINT64_C(1) << 52) /* micro-units; as MONEY_MICROS_MAX of base/policy.h */

enum lease_class { LEASE_PATIENT, LEASE_FAST, LEASE_CLASS_COUNT };           /* 30 min, 10 s */
enum node_loss { NODE_LOSS_RERUN, NODE_LOSS_HOLD, NODE_LOSS_FAIL, NODE_LOSS_COUNT };
enum net_mode { NET_NONE, NET_HOST, NET_PRIVATE, NET_MODE_COUNT };
enum placement_kind { PLACEMENT_PACK, PLACEMENT_SPREAD, PLACEMENT_COUNT };
enum root_mode { ROOT_READ_ONLY, ROOT_OVERLAY, ROOT_MODE_COUNT };

/* Task indices first..last; a job that is no array has count 0 in JSON and one task, index 0. */
struct job_array {
    bool present;
    uint32_t first, last;
    uint32_t max_running; /* 0 = no cap */
};

/* What it waits for; the field's words for them are taken too: afterok, afterany, afternotok, afterfail. */
enum after_on { AFTER_SUCCESS, AFTER_END, AFTER_FAILURE, AFTER_ON_COUNT };
enum after_tasks { AFTER_ALL, AFTER_SAME, AFTER_TASKS_COUNT }; /* all of them; each task for the one of its index */
enum if_unmet { UNMET_CANCEL, UNMET_KEEP, IF_UNMET_COUNT };
/* Another job, by its number or by its key, that this one starts after. */
struct job_after {
    uint64_t job;
    char *key;           /* of the same tenant, instead of a number */
    uint32_t on;         /* enum after_on */
    uint32_t tasks;      /* enum after_tasks */
    struct measure task; /* just this one of its tasks */
};

/* A folder of the node, by the name that the node gives it. */
struct job_volume {
    char *name;
    char *path;    /* inside; default /mnt/NAME */
    bool writable;
};

struct job_spec {
    char *name;           /* default: the command's last path part */
    struct strs command;  /* argv; or a script */
    char *script;         /* text of a script, run by its "#!" line or /bin/sh */
    struct pairs env;
    char *cwd;            /* absolute path inside the sandbox; default /tmp, which is the scratch */
    struct resources resources;
    uint64_t time_limit_ms; /* 0 = none */
    int32_t priority;       /* -1000..1000, higher first */
    struct pairs labels;
    struct job_array array;
    uint32_t retries;       /* further attempts after the tenant's own failures */
    struct job_retry retry; /* after which, and when */
    int64_t budget_micros;  /* of the job itself, all its tasks and attempts; 0 = none */
    uint32_t lease;         /* enum lease_class */
    uint32_t on_node_loss;  /* enum node_loss */
    bool transfer;          /* with TRANSFER_SOCKET inside (base/transfer.h) */
    uint32_t network;       /* enum net_mode; host and private only where policy allows */
    uint64_t log_max_bytes; /* kept per stream; 0 = default (16Mi) */
    struct job_limits limits;
    char *seccomp;          /* name of a profile, or the text of one; NULL = the default */
    char *image;            /* the root; NULL = the node's own */
    uint32_t root;          /* enum root_mode; overlay only with an image */
    struct list volumes;    /* struct job_volume; only what policy allows */
    struct list inputs, outputs; /* struct job_stage */
    struct list after;      /* struct job_after */
    uint32_t if_unmet;      /* enum if_unmet: of tasks that can't start any more, whatever happens */
    char *start_by;         /* an instant, or a duration from submission on; NULL = none */
    char *finish_by;
    bool hold;              /* nothing of it starts until somebody releases it */
    char *where;            /* which nodes will do, as where_format() writes it; NULL: any */
    uint32_t placement;     /* enum placement_kind: which of them */
    uint32_t per_node;      /* at most so many of its tasks on one node; 0 = as many as fit */
    char *within;           /* a label: a gang is on nodes with one value of it; NULL = wherever */
    bool within_or_any;     /* or anywhere, where no such group has room for all */
    char *spread;           /* a label: tasks go where the fewest are, by its values; NULL = wherever */
    uint32_t gang;          /* so many of the array start together or not at all: the first so many, the next, ... */
    uint32_t gang_min;      /* or fewer, but no fewer than this, where no more can start now; 0 = all of them */
    bool preemptible;       /* may be stopped for others and run again; has its own rate in the price book */
};

extern const struct fields job_spec_fields;
extern const struct names lease_class_names, node_loss_names, net_mode_names, root_mode_names, placement_names,
    after_on_names, after_tasks_names, if_unmet_names;

/* Defaults for what was left out (name, resources, cwd), a shell for a command that is one text with shell characters
 * in it, then everything a table row can't say: command or script, array order, names of generic resources and
 * variables. -EINVAL with the field's name first. Completing twice changes nothing. */
int job_spec_complete(struct job_spec *spec, struct err *err) MUST_USE;
/* What a start_by or finish_by means: an instant. NULL leaves *ret as it is. -EINVAL. */
int job_spec_instant(const char *text, int64_t submitted_utc_us, int64_t *ret_utc_us, struct err *err) MUST_USE;
/* The features a node must have (base/features.h): those of its limits, its image, its volumes, its profile.
 * The caller clears it. -ENOMEM. */
int job_spec_features(const struct job_spec *spec, struct strs *ret) MUST_USE;
/* Number of tasks: 1, or last - first + 1. */
uint32_t job_spec_tasks(const struct job_spec *spec);
/* How many of them start together; 0: each alone. */
uint32_t job_spec_gang(const struct job_spec *spec);
/* With how few of them it may begin; 0: each alone. */
uint32_t job_spec_gang_min(const struct job_spec *spec);
/* What a policy must list for this job: a profile's name, SECCOMP_TRACE or SECCOMP_INLINE; NULL: the default, which
 * every tenant has. Borrowed. */
const char *job_spec_seccomp(const struct job_spec *spec);
/* 1 to SECCOMP_NAME_LEN_MAX of a-z, 0-9 and '-', the first no '-'. */
bool seccomp_name_is_valid(const char *text);

#endif
