/*
 * io_status - how a node's disk is shared: a file that the agent writes and `reeve top --io` reads. Not durable, only
 * renamed into place: a reader sees one of them whole.
 * Units:  as the names say; what was moved and charged is of the last interval.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_CORE_IO_STATUS_H
#define REEVE_AGENT_CORE_IO_STATUS_H

#include "agent/core/io_check.h"

#define IO_STATUS_PATH "node/io.now" /* below the system's folder */

/* As enum fq_standing (agent/fairio/fairq.h) has them. */
extern const struct names io_standing_names, io_limit_names;

struct io_tenant {
    char *tenant;
    uint32_t weight, reserved_ppm, limit_ppm;
    uint64_t bytes_per_s, ops_per_s;
    uint32_t standing;
    uint64_t limited_us;         /* by a limit for so long yet */
    uint32_t limited_by;         /* which, as enum fq_limit has them */
    char *limited_above;         /* whose it is, when not its own */
    uint32_t part_ppm;           /* what its weight comes to in the tree, of those that want the disk; 0: not known */
    uint64_t operations;         /* by grants */
    uint64_t charged_us;         /* device time */
    uint64_t read_bytes, written_bytes;               /* by grants */
    uint64_t direct_read_bytes, direct_written_bytes; /* past the queue */
};

/* The largest, all their tasks here together. */
struct io_job {
    uint64_t job;
    char *tenant;
    uint64_t operations;                              /* by grants */
    uint64_t read_bytes, written_bytes;               /* by grants */
    uint64_t direct_read_bytes, direct_written_bytes; /* past the queue */
};
#define IO_JOBS_MAX 100

struct io_status {
    int64_t utc_us;
    uint64_t interval_us;
    char *device, *model;        /* "254:0"; "as measured", or why it is not */
    uint64_t window_us, in_flight_us;
    uint32_t speed_ppm;          /* of what its model says */
    uint64_t wait_p50_us, wait_p99_us;       /* from being asked for until it is granted */
    uint64_t service_p50_us, service_p99_us; /* from there until it is done */
    uint32_t stuck;              /* operations that don't come back */
    struct io_window check;      /* of the node's two meters, the present day; from 0: not said */
    struct list jobs;            /* struct io_job, who moved most first */
    struct list tenants;         /* struct io_tenant, those who moved or wait, most charged first */
};
extern const struct fields io_status_fields;

/* Who moved or waits is said anew each second: it is that of an agent that is gone. */
#define IO_STATUS_OLD_MS 10000
bool io_status_is_old(const struct io_status *s, int64_t utc_us);

#endif
