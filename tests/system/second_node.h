/*
 * second_node - another node of the system that system_start() has started: a warden and an agent of its own, in a
 * folder within the system's. Its cgroup's name begins as the system's does: system_keeper() finds its keepers, and
 * system_stop() what it would leave.
 */
#ifndef REEVE_TESTS_SYSTEM_SECOND_NODE_H
#define REEVE_TESTS_SYSTEM_SECOND_NODE_H

#include <sys/types.h>

/* Starts "n2", with as many cores and as much memory as the first; it may join a moment later. By main(), like
 * system_start(); exits with a message on failure. */
void second_node_start(const char *build);
/* Takes it down; before system_stop(). */
void second_node_stop(void);
pid_t second_node_agent(void);

#endif
