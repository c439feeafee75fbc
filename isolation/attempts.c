#include "isolation/attempts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"

static bool same(struct attempt_id a, struct attempt_id b)
{
    return a.job == b.job && a.task == b.task && a.epoch == b.epoch;
}

struct attempt *attempts_find(struct attempts *a, struct attempt_id id)
{
    for (uint32_t i = 0; i < a->top; i++) {
        if (a->at[i].used && same(a->at[i].id, id))
            return &a->at[i];
    }
    return NULL;
}

static void format_group(struct attempt_id id, uint32_t slot, char out[CG_NAME_MAX])
{
    snprintf(out, CG_NAME_MAX, "a%" PRIu64 ".%" PRIu32 ".%" PRIu32 ".s%" PRIu32, id.job, id.task, id.epoch, slot);
}

static struct attempt *take(struct attempts *a, uint32_t slot, struct attempt_id id)
{
    struct attempt *attempt = &a->at[slot];
    *attempt = (struct attempt){.used = true, .id = id, .keeper = -1};
    format_group(id, slot, attempt->group);
    a->top = MAX(a->top, slot + 1);
    return attempt;
}

struct attempt *attempts_add(struct attempts *a, struct attempt_id id)
{
    for (uint32_t slot = 0; slot < a->slots; slot++) {
        if (!a->at[slot].used)
            return take(a, slot, id);
    }
    return NULL;
}

/* Digits up to `end`, without a leading zero, at most `max`. Moves *at behind `end`. */
static bool take_number(const char **at, char end, uint64_t max, uint64_t *ret)
{
    const char *c = *at;
    uint64_t value = 0;
    if (c[0] == '0' && c[1] != end)
        return false;
    for (; *c >= '0' && *c <= '9'; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (c == *at || *c != end)
        return false;
    *at = c + 1;
    *ret = value;
    return true;
}

bool attempt_group_parse(const char *group, struct attempt_id *ret_id, uint32_t *ret_slot)
{
    uint64_t job, task, epoch, slot;
    const char *at = group + 1;
    if (group[0] != 'a' || !take_number(&at, '.', UINT64_MAX, &job) || !take_number(&at, '.', UINT32_MAX, &task) ||
        !take_number(&at, '.', UINT32_MAX, &epoch) || *at++ != 's' || !take_number(&at, '\0', ATTEMPTS_MAX - 1, &slot))
        return false;
    *ret_id = (struct attempt_id){job, (uint32_t)task, (uint32_t)epoch};
    *ret_slot = (uint32_t)slot;
    return epoch > 0;
}

struct attempt *attempts_adopt(struct attempts *a, const char *group)
{
    struct attempt_id id;
    uint32_t slot;
    if (!attempt_group_parse(group, &id, &slot) || a->at[slot].used || attempts_find(a, id) != NULL)
        return NULL;
    return take(a, slot, id);
}

void attempts_drop(struct attempts *a, struct attempt *attempt)
{
    close_p(&attempt->keeper);
    attempt->used = false;
    while (a->top > 0 && !a->at[a->top - 1].used)
        a->top--;
}

uint32_t attempts_slot(const struct attempts *a, const struct attempt *attempt)
{
    return (uint32_t)(attempt - a->at);
}
