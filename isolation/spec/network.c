#include "isolation/spec/network.h"

#include <errno.h>

uint32_t network_mask(uint32_t prefix)
{
    return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}

int network_address(uint32_t gateway, uint32_t prefix, uint32_t slot, uint32_t *ret)
{
    uint32_t mask = network_mask(prefix), hosts = ~mask - 1; /* 1 .. hosts */
    if (prefix < 1 || prefix > 30 || slot >= hosts - 1)
        return -EADDRNOTAVAIL;
    uint32_t own = gateway & ~mask, host = slot + 1;
    *ret = (gateway & mask) | (host >= own ? host + 1 : host);
    return 0;
}
