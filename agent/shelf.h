/*
 * shelf - the attempts that are over and whose logs can still be read: a queue, oldest first, bounded three ways.
 * Purity: pure (allocates); who owns the shelf removes the folders it hands back.
 */
#ifndef REEVE_AGENT_SHELF_H
#define REEVE_AGENT_SHELF_H

#include "base/attempt.h"

struct shelf_limits {
    uint64_t bytes;   /* of disk */
    uint32_t count;
    uint64_t age_s;
};

struct shelf_entry {
    struct attempt_id id;
    uint64_t bytes;
    int64_t ended_s;
};

struct shelf {
    struct shelf_limits limits;
    struct shelf_entry *ring;
    uint32_t size, first, count; /* size: of the ring, a power of two */
    uint64_t bytes;
};

void shelf_init(struct shelf *s, struct shelf_limits limits);
void shelf_fini(struct shelf *s);
/* Entries come in the order in which they ended. -ENOMEM. */
int shelf_add(struct shelf *s, struct shelf_entry entry) MUST_USE;
/* Takes the oldest off when a limit is passed: call until false. */
bool shelf_trim(struct shelf *s, int64_t now_s, struct shelf_entry *ret);

#endif
