/*
 * launch_args - an order turned into what the warden enforces and what the payload is given.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_CORE_LAUNCH_ARGS_H
#define REEVE_AGENT_CORE_LAUNCH_ARGS_H

#include "base/proto.h"
#include "isolation/spec/ops.h"

#define LAUNCH_GRACE_US UINT64_C(5000000)    /* SIGTERM to SIGKILL when the keeper stops a job by itself */
#define LAUNCH_SCRATCH_DEFAULT ((uint64_t)64 << 20)
#define LAUNCH_INODES_MIN UINT64_C(1024)
#define LAUNCH_INODES_MAX UINT64_C(4194304)
#define LEASE_PATIENT_US UINT64_C(1800000000)
#define LEASE_FAST_US UINT64_C(10000000)

uint64_t lease_class_us(uint32_t lease_class);
/* `lease_us` is what is left of the lease now. -EINVAL with the field's name; -EOPNOTSUPP with the name of a limit
 * that this node can't enforce. */
int launch_sandbox(const struct run_call *order, uint64_t lease_us, const struct node_abilities *able,
                   struct sandbox_spec *ret, struct err *err) MUST_USE;
/* Of reads and writes, what the job itself asks for. */
void launch_io_limits(const struct job_limits *job, struct sandbox_limits *limits);
/* The bytes of the args memfd (isolation/spec/ops.h): the spec's own env, then REEVE_JOB, REEVE_TASK, REEVE_ATTEMPT,
 * REEVE_FENCE and REEVE_TENANT, which no spec can override. -E2BIG. */
int launch_args(const struct run_call *order, struct buf *out, struct err *err) MUST_USE;

#endif
