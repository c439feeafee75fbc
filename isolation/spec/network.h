/*
 * network - what a sandbox does with its end of the node's network for jobs.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SPEC_NETWORK_H
#define REEVE_ISOLATION_SPEC_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NETWORK_INSIDE "eth0" /* its name inside */

/* Addresses as numbers. All zero: a loopback and nothing else. */
struct network_end {
    uint32_t address, gateway, prefix;
    uint32_t route; /* 1: the gateway leads everywhere */
};

/* The slot's address in the gateway's prefix, 1 to 30: counted from the lowest that a host may have, passing over the
 * gateway's. -EADDRNOTAVAIL: no room for so many. */
int network_address(uint32_t gateway, uint32_t prefix, uint32_t slot, uint32_t *ret) MUST_USE;
uint32_t network_mask(uint32_t prefix);

#endif
