#include "policies/order.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

const struct order_weights order_unweighted = {{0}};

uint64_t order_share(const struct capacity *used, const struct capacity *total, const struct order_weights *weights,
                     uint32_t spent)
{
    uint64_t most = 0;
    for (size_t i = 0; i < CAPACITY_DIMS; i++) {
        if (used->v[i] == 0 || (spent >> i & 1) != 0)
            continue;
        wide parts = (wide)total->v[i] * MAX(weights->v[i], 1);
        if (parts == 0)
            return UINT64_C(1) << ORDER_SHARE_BITS;
        wide share = ((wide)used->v[i] << ORDER_SHARE_BITS) / parts;
        most = MAX(most, share > UINT64_MAX ? UINT64_MAX : (uint64_t)share);
    }
    return most;
}

int order_compare_claims(const struct order_claim *a, const struct order_claim *b)
{
    if (a->within != b->within)
        return a->within ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    return strcmp(a->path, b->path);
}

int64_t order_urgency(int32_t priority, int64_t submitted_utc_us, uint64_t age_us)
{
    return age_us == 0 ? -(int64_t)priority : submitted_utc_us - (int64_t)priority * (int64_t)age_us;
}

int order_compare_tasks(struct order_rank a, struct order_rank b)
{
    if (a.urgency != b.urgency)
        return a.urgency < b.urgency ? -1 : 1;
    if (a.job != b.job)
        return a.job < b.job ? -1 : 1;
    return a.task == b.task ? 0 : a.task < b.task ? -1 : 1;
}
