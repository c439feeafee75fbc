/*
 * attempts - the attempts that have groups, one slot each. The slot chooses the range of user ids, so a slot is taken
 * for as long as a group of that number exists: two live attempts never share an id.
 * The table is what the groups say: their names ("a812.17.1.s5": job, task, epoch, slot) bring it back after a restart.
 * Ownership: the table closes what it holds of an attempt.
 */
#ifndef REEVE_ISOLATION_ATTEMPTS_H
#define REEVE_ISOLATION_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "isolation/cgroup.h"
#include "isolation/sandbox_ids.h"

#define ATTEMPTS_MAX 4096

/* Its groups are being taken down: killed until empty, read, removed; then `reply` goes out. */
struct removal {
    bool active;
    uint32_t generation; /* of the agent that waits for it */
    int events;          /* cg_events_fd(), -1 */
    bool usage_wanted; /* for the reply */
    uint64_t due_us;     /* when to look again if no event tells; 0 = now */
    uint64_t give_up_us;
    struct op_reply reply;
};

struct attempt {
    bool used;
    bool launching; /* a launch flow owns it */
    int keeper;     /* its pidfd; -1: adopted, or not yet born */
    struct attempt_id id;
    char group[CG_NAME_MAX];
    unsigned parts;        /* hierarchies on demand that it has a group in */
    struct cg_cpus cpus;   /* pinned to; empty: it isn't */
    uint64_t guarantee;    /* bytes of memory.min */
    uint32_t image; /* for images_release(), 0 */
    uint64_t thaw_boot_us; /* frozen until then; 0: it isn't */
    struct removal removal;
};

struct attempts {
    struct attempt at[ATTEMPTS_MAX]; /* index = slot */
    uint32_t slots;                  /* usable ones, <= ATTEMPTS_MAX */
    uint32_t top;                    /* no used one at or above */
};

struct attempt *attempts_find(struct attempts *a, struct attempt_id id);
/* Takes the lowest free slot; NULL when there is none. */
struct attempt *attempts_add(struct attempts *a, struct attempt_id id);
/* Takes exactly the slot that the name says. NULL: not a name of ours, or the slot or the id is taken. */
struct attempt *attempts_adopt(struct attempts *a, const char *group);
void attempts_drop(struct attempts *a, struct attempt *attempt);
uint32_t attempts_slot(const struct attempts *a, const struct attempt *attempt);

bool attempt_group_parse(const char *group, struct attempt_id *ret_id, uint32_t *ret_slot);

#endif
