/*
 * past - what our own journal says happened: the input of a simulation that lets real history happen again.
 *
 *   as it was      who submitted what and when; what people cancelled, held, released, requeued and gave another
 *                  priority; how long each task ran until it ended by itself, and how (struct told); when nodes joined,
 *                  rebooted, were drained, closed for maintenance and lost; credits and adjustments; the policy, its
 *                  changes, tenants moved
 *   decided anew   all else: who goes first and where, promises, preemption, holds of money and renewals, what budgets,
 *                  quotas and rates keep back, retries, deadlines, who waits for which job
 *   left out       that somebody suspended what ran: it runs on here
 *   not told       what was refused before it was committed, and so is in no journal
 *
 * Reading is the road of recovery: the chain is verified, and every entry is applied to a core, which refuses what
 * contradicts the entries before it. It begins at the first entry; or, where older segments are gone, at the oldest
 * snapshot that the rest reaches; or at a time: then the state of that instant is where all histories begin.
 * Ownership: the workload owns its past. Facts lie encoded in `bytes`.
 */
#ifndef REEVE_SCHEDULER_SIM_PAST_H
#define REEVE_SCHEDULER_SIM_PAST_H

#include "base/fact.h"
#include "scheduler/sim/workload.h"

struct past_source {
    const char *journal;  /* a folder with segments, a system's folder (reeve up --dir), or one segment */
    const char *archive;  /* where pruned segments are; NULL: beside the journal, if there is one */
    int64_t since_utc_us; /* INT64_MIN: from the beginning */
    int64_t before_end_us; /* > 0: since so long before its last entry */
};

struct past_event {
    int64_t at_us;   /* since begin_utc_us */
    uint32_t kind;   /* enum fact_kind; FACT_POLICY_SET: the bytes are the whole policy_file from then on */
    uint32_t job;    /* FACT_JOB_SUBMITTED: place in workload.jobs */
    size_t at, len;  /* in past.bytes */
};

/* One run of a task, as its node told it. */
struct told {
    uint64_t job;
    uint32_t task, epoch;
    uint64_t run_us;     /* UINT64_MAX: it would have run on, its time limit ended it */
    uint64_t cpu_us;     /* counted by its node */
    uint32_t cause;      /* enum end_cause */
    int32_t exit_code, signal;
    bool cut;            /* somebody or something else ended it: it would have run longer, nobody knows how long */
};

struct past {
    char cell[64];
    int64_t begin_utc_us, end_utc_us; /* first and last entry */
    uint64_t from_seq, to_seq, torn_bytes;
    struct buf bytes;
    struct past_event *start;  /* facts that make the state in which it begins; none: an empty cell */
    size_t start_count, start_size;
    struct past_event *events;
    size_t events_count, events_size;
    uint64_t next_job;         /* beyond every job's number */
    uint64_t last_window;      /* highest number of a maintenance window by when it begins */
    struct told *told;         /* by job, task, epoch; of a task without an end of its own only the longest cut one */
    size_t told_count, told_size;
    struct strs features;      /* that any node had */
    struct list zones;         /* struct zone_table: as the policies had them */
    struct past_mean { uint64_t sum_us, count; } *means; /* run times, by tenant of the workload */
    size_t means_count;
    uint64_t really_started, really_wait_us; /* of tasks submitted since it begins: first starts, their waits' sum */
    uint64_t not_applied;      /* entries that say themselves that they were refused */
};

/* -ENOENT: no journal there. -EBADMSG: damaged, or it contradicts itself. -ENODATA: what is before it is missing.
 * -EPROTONOSUPPORT: of another version. */
int past_read(const struct past_source *source, struct workload *ret, struct err *err) MUST_USE;
void past_free(struct past *p);

/* A job by its number then; NULL: it isn't among them. */
const struct sim_job *past_job(const struct workload *w, uint64_t number);
/* The fact of an event (or of the start); the caller clears it. It was read before, so it can be read. */
void past_fact(const struct past *p, const struct past_event *e, struct fact *ret);
/* The runs of a task; *ret_count 0: none is known. */
const struct told *past_told(const struct past *p, uint64_t job, uint32_t task, size_t *ret_count);
/* How long a task of which no end is known is taken to run: up to its limit, or as long as others of its tenant did in
 * the mean; never shorter than it was seen to run. */
uint64_t past_guess_us(const struct past *p, const struct sim_job *j, const struct told *cut);

/* ---- for past.c ---- */
void told_add(struct past *p, const struct told *t); /* lack of memory aborts */
void told_sort(struct past *p);

#endif
