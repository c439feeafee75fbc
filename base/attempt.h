/*
 * attempt - one try at running one task: its identity, its end, what it used. Shared by scheduler, agent,
 * warden and keeper, because all of them speak of the same thing.
 * Purity: pure.
 */
#ifndef REEVE_BASE_ATTEMPT_H
#define REEVE_BASE_ATTEMPT_H

#include "base/fields.h"

/* (job, task, epoch) names an attempt for ever. The epoch grows in the commit that places the task, before the
 * start message leaves; effects of another epoch are counted and dropped. */
struct attempt_id {
    uint64_t job;
    uint32_t task;
    uint32_t epoch; /* >= 1 */
};

#define ATTEMPT_ID_TEXT_MAX 48
/* "812.17.1": job.task.epoch; also the name of its folder and cgroup. */
const char *attempt_id_format(struct attempt_id id, char out[ATTEMPT_ID_TEXT_MAX]);
extern const struct fields attempt_id_fields;
int attempt_id_parse(const char *text, struct attempt_id *ret) MUST_USE; /* -EINVAL */
bool attempt_id_equal(struct attempt_id a, struct attempt_id b);

/* Why an attempt ended. Each cause has one payer and one answer to "does it cost the user a retry?":
 * the table is end_causes below. */
enum end_cause {
    END_NONE,          /* has not ended */
    END_EXIT,          /* exited by itself; exit_code says how */
    END_SIGNAL,        /* killed by a signal of its own making; also seccomp (SIGSYS) */
    END_OOM,           /* the kernel killed it: memory limit */
    END_TIME_LIMIT,    /* its time limit */
    END_BUDGET,        /* the paid time ended and no further slice could be held */
    END_CANCELLED,     /* a person */
    END_LEASE,         /* the node lost touch with the scheduler for longer than the job's lease */
    END_LAUNCH_FAILED, /* a step of the launch failed; nothing of the job ran */
    END_KEEPER_LOST,   /* its keeper died; the kernel killed the rest */
    END_NODE_LOST,     /* node rebooted or declared lost */
    END_REQUEUED,      /* a person wants another attempt instead */
    END_PREEMPTED,     /* its place was needed by who goes first (policies/preempt.h); queued again */
    END_MAINTENANCE,   /* its node closes; queued again */
    END_GANG,          /* another task of its gang ended otherwise than well; what becomes of that becomes of it */
    END_GANG_LOST,     /* the same by the fault of the other's node: the platform's, not of this one's node */
    END_INPUTS,        /* what it needs could not be brought in; its command never ran */
    END_OUTPUTS,       /* it succeeded, but what it made could not be brought out */
    END_IO_LIMIT,      /* it moved as many bytes as its limits.io_bytes is */
    END_IO_BUDGET,     /* it moved all the bytes that were paid for and no more could be held */
    END_CAUSE_COUNT    /* numbers lie in journals: only ever append */
};

struct end_cause_row {
    const char *name;      /* on the wire, in logs and reports */
    bool node_fault;       /* costs the user no retry, the node is avoided, the time is not charged */
    const char *sentence;  /* for people */
};
extern const struct end_cause_row end_causes[END_CAUSE_COUNT];
extern const struct names end_cause_names;

/* What the kernel counted for the attempt's whole group, and what its agent moved for it. What its node can't measure
 * is absent, not 0. */
struct usage {
    uint64_t cpu_us;
    uint64_t mem_peak_bytes;
    struct measure cpu_user_us, cpu_system_us;
    struct measure read_bytes, written_bytes, read_ops, write_ops; /* of block devices */
    struct measure io_bytes;      /* moved between it and devices, each byte once: what is charged. It never falls */
    struct measure io_uncounted_bytes; /* of that: in no count of the kernel for its group: moved in memory, logs */
    struct measure io_cached_bytes;    /* of the rest: through the page cache, a device may have seen it or not */
    struct measure moved_read_bytes, moved_written_bytes; /* of that by grants: copies, inputs and outputs, logs */
    struct measure moved_read_ops, moved_write_ops;
    struct measure pids_peak;
    struct measure throttled_us;  /* by the cpu quota */
    struct measure oom_kills;
    struct measure cpu_wait_us, memory_wait_us, io_wait_us; /* time in which some of it waited: PSI, "some" */
};
extern const struct fields usage_fields;

/* One input or output of an attempt that was brought to its place. */
struct staged {
    bool out;             /* of the job's outputs; else of its inputs */
    uint32_t index;       /* there */
    uint64_t files, bytes; /* folders are files too; holes count as bytes */
    char *sha256;         /* where the job asked for it; NULL */
};

/* Written durably by the keeper, completed by the agent with what warden and cgroup say. */
struct exit_record {
    uint32_t cause;       /* enum end_cause */
    int32_t exit_code;    /* END_EXIT */
    int32_t signal;       /* END_SIGNAL and kills */
    int64_t started_utc_us; /* wall clock of the node, for display */
    uint64_t run_us;      /* CLOCK_BOOTTIME from "go" to the group being empty: what is charged */
    uint64_t stray_procs; /* processes left behind by the main one, killed */
    char *detail;         /* e.g. the launch step that failed; NULL */
    struct usage usage;
    uint64_t out_bytes, err_bytes;     /* written by the job */
    uint64_t out_dropped, err_dropped; /* of these, not kept */
    struct list staged;   /* struct staged */
};
extern const struct fields exit_record_fields;

#endif
