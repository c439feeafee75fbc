/*
 * network - the node's network for jobs, where it has one: a bridge that exists, whose address and prefix are given to
 * us. A sandbox gets one end of a pair of virtual interfaces, with an address that its slot chooses; the other end is a
 * port of the bridge, isolated, so that jobs reach the bridge and what is behind it but never each other.
 * By rtnetlink alone; what the host routes, filters or translates is the host's.
 */
#ifndef REEVE_ISOLATION_NETWORK_H
#define REEVE_ISOLATION_NETWORK_H

#include <net/if.h>

#include "isolation/spec/network.h"

struct network {
    int netlink; /* -1: the node has none; private is a loopback then */
    char bridge[IFNAMSIZ];
    unsigned index; /* the bridge's */
    uint32_t gateway, prefix;
    bool route;
};

/* "BRIDGE=ADDRESS/PREFIX[:route]"; NULL: none. */
int network_open(struct network *n, const char *text, struct err *err) MUST_USE;
void network_close(struct network *n);
/* The end for slot number `slot`; all zero where there is no network. -EADDRNOTAVAIL: the prefix has no room for it. */
int network_end(const struct network *n, uint32_t slot, struct network_end *ret) MUST_USE;
/* Makes the pair, one end in the network namespace `namespace`; `id` names the other one on this host. */
int network_join(const struct network *n, uint32_t id, int namespace) MUST_USE;
/* Takes it away, if it is there. */
void network_leave(const struct network *n, uint32_t id);

#endif
