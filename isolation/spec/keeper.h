/*
 * keeper - what agent and keeper say to each other, and the record a keeper leaves.
 *
 * The keeper is pid 1 of its sandbox. It outlives agent and warden. It listens on the control socket it was born with
 * (a path in the attempt's folder, which only the agent's user can reach); each new connection replaces the one before,
 * so a restarted agent simply connects again. Fixed-size structs; from the agent's side every renewal only ever
 * moves a deadline forward, never back (a suspension is numbered): repeats and reordering are harmless.
 *
 *   on connect  keeper -> agent  KEEPER_HELLO with the read ends of stdout and stderr as fds
 *   after that  keeper -> agent  KEEPER_MOVER, where there is one, with a connection to it (mover.h)
 *   any time    agent -> keeper  KEEPER_PAID, KEEPER_LEASE, KEEPER_STOP
 *   paid end    keeper -> agent  KEEPER_PAUSED, when it was asked to pause there: all of it got SIGSTOP and its run
 *                                time stands still; KEEPER_RESUMED once more is paid: SIGCONT (docs/adr/0008).
 *                                The same at once when it is suspended: what was paid beyond that is given back
 *   any time    agent -> keeper  KEEPER_HALT: what else is paid for is used up (bytes), it pauses now. It goes on with
 *                                the next KEEPER_PAID that leaves it run time. A keeper from before that runs on
 *   at the end  keeper -> agent  KEEPER_ENDED, after the record is on disk (again on every new connection)
 *   after that  agent -> keeper  KEEPER_DRAINED, when every byte of the pipes is in the files; then the keeper exits
 *
 * The keeper keeps the pipes' read ends itself, so the payload never sees SIGPIPE and never loses a byte while no agent
 * is there: it just waits when the pipe is full. After the payload's end the pipes may still hold bytes, so the keeper
 * stays until an agent says KEEPER_DRAINED (closing alone could be an agent that was killed), up to KEEPER_LINGER_US.
 * While no agent is there, a job that has ended has its last bytes moved to the log files by the keeper, before the
 * record is written: so that they don't die with it. A HELLO comes after that; its receiver goes on at the files' end.
 */
#ifndef REEVE_ISOLATION_SPEC_KEEPER_H
#define REEVE_ISOLATION_SPEC_KEEPER_H

#include <stdint.h>

#include "base/attempt.h"

#define KEEPER_VERSION 1
#define KEEPER_PAUSES UINT32_C(1)
#define KEEPER_SUSPENDS_SHIFT 1
#define KEEPER_LINGER_US UINT64_C(3600000000)

enum keeper_op {
    KEEPER_HELLO = 1, KEEPER_PAID, KEEPER_LEASE, KEEPER_STOP, KEEPER_ENDED, KEEPER_DRAINED, KEEPER_PAUSED,
    KEEPER_RESUMED, KEEPER_MOVER, KEEPER_HALT
};

struct keeper_message {
    uint32_t version, op;
    struct attempt_id id;
    uint64_t term;
    uint64_t run_us;         /* HELLO, ENDED, PAUSED, RESUMED: run time so far */
    int64_t started_utc_us;  /* HELLO */
    uint64_t paid_us;        /* PAID: run time paid, cumulative. HELLO, PAUSED, RESUMED: as it knows it, 0 = older */
    union {                  /* the size is for ever: keepers outlive the agents of their version */
        uint64_t lease_boot_us; /* LEASE: CLOCK_BOOTTIME instant */
        uint64_t signal_us;     /* PAID: run time at which the payload gets SIGUSR1; 0 = never */
    };
    union {
        uint32_t cause;      /* STOP, ENDED: enum end_cause */
        uint32_t pauses;     /* PAID: KEEPER_PAUSES = pause at the paid end, else stop there. HELLO, PAUSED, RESUMED:
                                KEEPER_PAUSES = it is paused. Above that bit the number of its suspensions and their
                                ends: odd = it stands still. A keeper that doesn't know them runs on to its paid end */
    };
    uint32_t grace_ms;       /* STOP */
};

/* The exit record: exactly this, written once, then fsync'ed. A file shorter than it or with a wrong check is no
 * record. */
struct keeper_record {
    uint32_t magic, version; /* KEEPER_RECORD_MAGIC */
    struct attempt_id id;
    uint64_t term;
    uint32_t cause;          /* enum end_cause */
    int32_t exit_code, signal;
    uint32_t step;           /* enum launch_step that failed (END_LAUNCH_FAILED), else 0 */
    int32_t step_errno;
    int64_t started_utc_us;
    uint64_t run_us;
    uint64_t stray_procs;
    uint64_t check;          /* FNV-1a 64 over everything before it */
};
#define KEEPER_RECORD_MAGIC 0x52455652u

/* What belongs into `check`; whether magic, version and check are right. */
uint64_t keeper_record_sum(const struct keeper_record *record);
bool keeper_record_is_whole(const struct keeper_record *record);

#endif
