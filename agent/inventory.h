/*
 * inventory - what this node offers: what the command line says, and what the machine has where it says nothing.
 */
#ifndef REEVE_AGENT_INVENTORY_H
#define REEVE_AGENT_INVENTORY_H

#include "base/resources.h"

/* Fills what is 0. Of the machine's memory a reserve (5 %, at least 256Mi) stays the system's own; the rest is shared
 * between memory and scratch, because scratch is a tmpfs. -errno when /proc/meminfo can't be read. */
int inventory_complete(struct resources *capacity, struct err *err) MUST_USE;
/* The pure half: memory and scratch out of what the machine has. */
void inventory_share(uint64_t total_bytes, struct resources *capacity);
/* The host's name as a node's name: up to the first dot, foreign characters as '-'. */
void inventory_name(char *out, size_t size);

#endif
