/*
 * run_inner - what a simulated history is made of: internal to run*.c.
 *
 *   run_begin.c  how it begins: the core, the policy, nodes, or the state in which real history begins
 *   run.c        attempts, the store, what happens at each instant, the figures
 *   run_past.c   what people and nodes really did, again
 */
#ifndef REEVE_SCHEDULER_SIM_RUN_INNER_H
#define REEVE_SCHEDULER_SIM_RUN_INNER_H

#include "base/heap.h"
#include "scheduler/sim/past.h"
#include "scheduler/sim/run.h"

#define RUN_BATCH 512
#define RUN_BOOT_BEGIN_US UINT64_C(1000000000)

/* An attempt on its node. */
struct live {
    struct attempt_id id;
    const struct sim_job *job;
    struct tenant_measure *tenant;
    int64_t started_us, end_us;
    uint64_t run_us;     /* when nothing stops it */
    const struct told *told; /* how it ends then; NULL: as its job says */
    uint64_t paid_us;
    int64_t stop_us;     /* when it was told to stop, and for which cause; END_NONE: it wasn't */
    uint32_t stop_cause;
    uint32_t at; /* in run.ends */
    struct live *next; /* in its bucket */
};
struct node_room {
    char *name;
    uint64_t cpu_milli;  /* 0: it is lost */
};
struct run {
    const struct workload *workload;
    const struct past *past;   /* of the workload; NULL: none */
    const struct cluster *cluster; /* in place of the nodes that were; NULL: as they were */
    bool as_it_was;            /* the policy, too */
    const struct list *zones;  /* that policies may name; NULL: none */
    enum sim_order order;
    struct core *core;
    struct measure_cell measure;
    struct run_totals totals;
    struct heap ends;          /* struct live, soonest first */
    struct live **buckets;     /* by attempt */
    size_t buckets_count;
    const struct sim_job **jobs; /* by the core's number */
    size_t jobs_count;           /* rows */
    uint64_t *numbers;         /* of a past: the core's number of each of the workload's jobs; 0: not there */
    struct list windows;       /* uint64_t: their numbers here, of those set since it begins; 0: not there */
    struct node_room *rooms;   /* of all nodes, by name */
    size_t rooms_count;
    uint8_t *told_used;        /* by past.told: it has ended so once */
    size_t next;               /* submission, or event of the past, to come */
    int64_t now_us, latest_us, begin_utc_us;
    int64_t last_us;           /* when anything of a job happened last */
    void (*on_fact)(void *arg, uint64_t seq, const void *bytes, size_t len);
    void *arg;
    uint64_t seq, wake_boot_us;
    bool owes_turn;
    struct buf bytes;
};

extern const struct heap_kind run_by_end; /* of run.ends */
struct core_now run_now(const struct run *r);
struct live **run_live_slot(const struct run *r, struct attempt_id id);
/* The store and the journal: asks, writes, applies. Takes the fact. false: refused. */
bool run_commit(struct run *r, struct fact *f);
/* An answer with one fact: commits it when there is one. false: refused, there or here. */
bool run_answer(struct run *r, int answer, struct fact *f, struct refusal *refusal);
/* An attempt begins on its node (or had begun, in the state in which history begins). */
struct live *run_live_add(struct run *r, struct attempt_id id, const struct sim_job *job, int64_t started_us,
                          uint64_t paid_us);
/* It ends now, for this cause. */
void run_end(struct run *r, struct live *l, uint32_t cause);
void run_report_running(struct run *r, struct live *l);
/* Takes the call's texts. `job`: whose it is in the workload. */
void run_submit(struct run *r, struct submit_call *call, uint32_t uid, const char *user, const struct sim_job *job);
/* Of the whole policy from now on; what needs a second person gets it. Takes the file. */
int run_set_policy(struct run *r, struct policy_file *policy, struct err *err) MUST_USE;
/* A node says hello; attempts: struct attempt_state, that it says it has (borrowed). */
int run_hello(struct run *r, const struct fact_node *node, struct list attempts, struct err *err) MUST_USE;

int run_join_cluster(struct run *r, const struct cluster *cluster, struct err *err) MUST_USE;
/* It has so many cores from now on; 0: it is lost. */
void run_node_has(struct run *r, const char *name, uint64_t cpu_milli);
void run_weigh(struct run *r);

/* ---- run_past.c ---- */
/* The state in which the past begins, with this policy (taken) from then on; NULL: the policy as it was. */
int run_past_begin(struct run *r, struct policy_file *policy, struct err *err) MUST_USE;
/* All events that are due. */
void run_past_events(struct run *r);

#endif
