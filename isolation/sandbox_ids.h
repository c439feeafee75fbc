/*
 * sandbox_ids - the user ids of an attempt. Inside, 0 is the keeper and JOB_ID the payload, for users and for groups;
 * outside, all lie in the range of the attempt's slot.
 */
#ifndef REEVE_ISOLATION_SANDBOX_IDS_H
#define REEVE_ISOLATION_SANDBOX_IDS_H

#define SLOT_IDS 65536u
#define JOB_ID 1000
/* Helpers open and write as the job, and are not it: it can't signal them, nor they each other. */
#define MOVER_ID 1001
#define STAGER_ID 1002

#endif
