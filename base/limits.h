/*
 * limits - what a job asks for beyond its resources: the `limits` of its file. Each key is enforced on the
 * node or the job doesn't run there; none is counted by quotas or prices.
 * Purity: pure.
 */
#ifndef REEVE_BASE_LIMITS_H
#define REEVE_BASE_LIMITS_H

#include "base/features.h"
#include "base/resources.h"

#define LIMIT_PROCESSES_MAX 32768u
#define LIMIT_PROCESSES_DEFAULT 4096u
#define LIMIT_PINNED_MAX 1024u /* cores of one task */
#define LIMIT_RATE_MAX ((uint64_t)1 << 50)
#define LIMIT_IO_BYTES_MAX ((uint64_t)1 << 56)    /* of an attempt: nobody moves more, whatever a counter says */
#define LIMIT_OPS_MAX UINT64_C(4000000000)  /* what the kernel holds in 32 bits */
#define LIMIT_IO_WEIGHT_MAX 1000u
#define LIMIT_DEVICES_MAX 16

struct io_limits {
    bool present;
    uint64_t read_bps, write_bps; /* bytes a second, 0 = no limit */
    uint64_t read_ops, write_ops; /* a second */
    uint32_t weight;              /* 1..1000, the kernel's own default is 100; 0 = not asked for */
};
struct job_limits {
    bool present;
    uint64_t mem_high_bytes;      /* soft limit: slowed down and reclaimed above it; 0 = none */
    uint64_t mem_min_bytes;       /* guarantee: not reclaimed below it */
    uint64_t swap_bytes;          /* beside the memory; 0 = none */
    uint64_t huge_2m_bytes, huge_1g_bytes;
    bool pin_cpus;                /* whole cores of its own among pinned tasks */
    uint32_t processes;           /* and threads; 0 = LIMIT_PROCESSES_DEFAULT */
    struct io_limits io;
    uint64_t io_bytes;            /* an attempt moves no more in its life; 0 = no limit */
    struct strs devices;          /* by the names nodes give them */
};
extern const struct fields job_limits_fields;

/* What a table row can't say. -EINVAL, the field's name first. */
int job_limits_check(const struct job_limits *limits, const struct resources *r, struct err *err) MUST_USE;
/* The features a node must have: bits of enum node_feature. Devices are named by `limits->devices`. */
uint64_t job_limits_need(const struct job_limits *limits);

/* The same as names, devices too. The caller clears it. -ENOMEM. */
int job_limits_features(const struct job_limits *limits, struct strs *ret) MUST_USE;

#endif
