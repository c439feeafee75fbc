#include "policies/order.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

uint64_t order_share(const struct capacity *used, const struct capacity *total, uint32_t weight)
{
    uint64_t most = 0;
    for (size_t i = 0; i < CAPACITY_DIMS; i++) {
        if (used->v[i] == 0)
            continue;
        wide parts = (wide)total->v[i] * MAX(weight, 1);
        if (parts == 0)
            return UINT64_C(1) << ORDER_SHARE_BITS;
        wide share = ((wide)used->v[i] << ORDER_SHARE_BITS) / parts;
        most = MAX(most, share > UINT64_MAX ? UINT64_MAX : (uint64_t)share);
    }
    return most;
}

int order_compare_tenants(uint64_t share_a, const char *path_a, uint64_t share_b, const char *path_b)
{
    if (share_a != share_b)
        return share_a < share_b ? -1 : 1;
    return strcmp(path_a, path_b);
}

int order_compare_tasks(struct order_rank a, struct order_rank b)
{
    if (a.priority != b.priority)
        return a.priority > b.priority ? -1 : 1;
    if (a.job != b.job)
        return a.job < b.job ? -1 : 1;
    return a.task == b.task ? 0 : a.task < b.task ? -1 : 1;
}
