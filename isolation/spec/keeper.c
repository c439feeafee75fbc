#include "isolation/spec/keeper.h"

#include <stddef.h>
#include <string.h>

uint64_t keeper_record_sum(const struct keeper_record *record)
{
    const unsigned char *bytes = (const unsigned char *)record;
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < offsetof(struct keeper_record, check); i++)
        sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    return sum;
}

bool keeper_record_is_whole(const struct keeper_record *record)
{
    return record->magic == KEEPER_RECORD_MAGIC && record->version == KEEPER_VERSION &&
           record->check == keeper_record_sum(record);
}
