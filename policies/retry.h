/*
 * retry - what follows the end of an attempt: nothing, another attempt after a pause, or a person.
 *
 *   cause                          next                                    costs the user a retry
 *   exit 0                         final
 *   exit > 0, signal, oom,         queued while retries are left           yes
 *   inputs, outputs
 *   time limit, budget             final (another try would end alike)
 *                                  a job's `retry` says otherwise: which of these causes but the budget, and which
 *                                  exit codes, are queued while retries are left
 *   cancelled                      final
 *   requeued by a person           queued                                  no
 *   launch failed                  queued                                  no
 *   preempted, maintenance         queued                                  no, and no node is avoided
 *   lease, keeper, node lost       queued | held | final: on_node_loss     no
 *   of a gang that was ended       as the one that ended first: queued     no
 *                                  with it, or final
 *
 * Who ends a gang is its first member to end otherwise than well; it is asked the rows above, with the retries that the
 * gang has used. Whatever the others then come to (they are being stopped) follows from that, unless they succeed.
 * What would be queued again while a person has suspended it waits for that person instead: held.
 * A task that a person has cancelled is never tried again, whatever ended it. After RETRY_FAULTS_MAX node faults a task
 * waits for a person: by then it isn't the nodes.
 * Purity: pure.
 */
#ifndef REEVE_POLICIES_RETRY_H
#define REEVE_POLICIES_RETRY_H

#include "base/fact.h"
#include "base/job_retry.h"
#include "base/task_state.h"

#define RETRY_FAULTS_MAX 20
#define RETRY_PAUSE_FIRST_US ((int64_t)JOB_RETRY_PAUSE_FIRST_MS * 1000)
#define RETRY_PAUSE_MAX_US ((int64_t)JOB_RETRY_PAUSE_LARGEST_MS * 1000)

/* What a job says in `retry`, ready to be asked. */
struct retry_rule {
    uint32_t causes;         /* bits 1 << enum end_cause: those that use up a retry */
    struct exit_codes codes; /* of END_EXIT: these */
    int64_t pause_first_us, pause_max_us;
};
struct retry_rule retry_rule_of(const struct job_retry *r);

enum gang_fate {
    GANG_GOES_ON,          /* or there is none */
    GANG_AGAIN,            /* a member waits for another attempt */
    GANG_OVER,             /* a member is over and hasn't succeeded */
};
struct retry_case {
    const struct exit_record *record;
    const struct retry_rule *rule; /* NULL: the job says nothing */
    uint32_t retries;      /* allowed */
    uint32_t retries_used; /* before this end */
    uint32_t node_faults;  /* before this end */
    uint32_t on_node_loss; /* enum node_loss */
    bool cancelled;        /* a person asked it to stop */
    bool requeued;         /* a person asked for another attempt */
    uint32_t gang;         /* enum gang_fate */
    bool suspended;        /* a person wanted it to stand still */
    bool late;             /* its finish_by has come: no time limit is tried again */
};
struct retry_answer {
    uint32_t next;       /* enum task_next */
    uint32_t state;      /* enum task_state, when NEXT_FINAL */
    uint32_t user_retry; /* 1: this end used up a retry of the user */
};
struct retry_answer retry_after(const struct retry_case *c);
/* Is this end the platform's fault: not charged, no retry used, the node avoided? */
bool retry_is_node_fault(uint32_t cause);
/* The pause before the next attempt: 1 s, doubling to 60 s; after an end that used up a retry as the job's rule says.
 * Counts as they are after the end; rule NULL: none, or it used up no retry. */
int64_t retry_pause_us(const struct retry_rule *rule, uint32_t cause, uint32_t retries_used, uint32_t node_faults);

#endif
