#include "agent/core/roster.h"

#include <errno.h>
#include <string.h>

#define NONE UINT32_MAX
#define SLOTS_FIRST 64u

struct slot {
    struct roster_row row;
    uint32_t generation;
    uint32_t next; /* in its bucket, or the next free one */
    bool used;
};

struct roster {
    struct slot *slots;
    uint32_t *buckets; /* by (job, task), so that all epochs of a task are neighbours */
    uint32_t size, max, count, first_free, bucket_mask;
};

int roster_new(struct roster **ret, uint32_t max)
{
    assert(max > 0 && max <= UINT32_C(1) << 24);
    struct roster *r = calloc(1, sizeof *r);
    uint32_t buckets = SLOTS_FIRST;
    while (buckets < max)
        buckets *= 2;
    if (r == NULL || (r->buckets = malloc(buckets * sizeof *r->buckets)) == NULL) {
        free(r);
        return -ENOMEM;
    }
    memset(r->buckets, 0xff, buckets * sizeof *r->buckets);
    r->bucket_mask = buckets - 1;
    r->max = max;
    r->first_free = NONE;
    *ret = r;
    return 0;
}

void roster_free(struct roster *r)
{
    if (r == NULL)
        return;
    free(r->slots);
    free(r->buckets);
    free(r);
}

static uint32_t *bucket_of(const struct roster *r, uint64_t job, uint32_t task)
{
    uint64_t h = (job ^ (uint64_t)task << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return &r->buckets[(uint32_t)(h >> 32) & r->bucket_mask];
}

static int grow(struct roster *r)
{
    uint32_t size = MIN(r->max, r->size == 0 ? SLOTS_FIRST : r->size * 2);
    if (size == r->size)
        return -ENOSPC;
    struct slot *slots = realloc(r->slots, size * sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    memset(slots + r->size, 0, (size - r->size) * sizeof *slots);
    for (uint32_t i = r->size; i < size; i++)
        slots[i].next = i + 1 < size ? i + 1 : NONE;
    r->first_free = r->size;
    r->slots = slots;
    r->size = size;
    return 0;
}

int roster_add(struct roster *r, struct attempt_id id, void *data, roster_id *ret)
{
    if (roster_find(r, id) != NULL)
        return -EEXIST;
    if (r->first_free == NONE) {
        int rc = grow(r);
        if (rc < 0)
            return rc;
    }
    uint32_t index = r->first_free;
    struct slot *s = &r->slots[index];
    uint32_t *bucket = bucket_of(r, id.job, id.task);
    r->first_free = s->next;
    s->generation++;
    s->used = true;
    s->row = (struct roster_row){.handle = (uint64_t)s->generation << 32 | (index + 1), .id = id, .data = data};
    s->next = *bucket;
    *bucket = index;
    r->count++;
    *ret = s->row.handle;
    return 0;
}

static struct slot *slot_of(struct roster *r, roster_id handle)
{
    uint64_t index = (handle & UINT32_MAX) - 1;
    if (handle == 0 || index >= r->size)
        return NULL;
    struct slot *s = &r->slots[index];
    return s->used && s->row.handle == handle ? s : NULL;
}

void roster_remove(struct roster *r, roster_id handle)
{
    struct slot *s = slot_of(r, handle);
    if (s == NULL)
        return;
    uint32_t index = (uint32_t)(s - r->slots);
    uint32_t *link = bucket_of(r, s->row.id.job, s->row.id.task);
    while (*link != index)
        link = &r->slots[*link].next;
    *link = s->next;
    s->used = false;
    s->next = r->first_free;
    r->first_free = index;
    r->count--;
}

struct roster_row *roster_get(struct roster *r, roster_id handle)
{
    struct slot *s = slot_of(r, handle);
    return s == NULL ? NULL : &s->row;
}

struct roster_row *roster_find(struct roster *r, struct attempt_id id)
{
    for (uint32_t i = *bucket_of(r, id.job, id.task); i != NONE; i = r->slots[i].next) {
        struct roster_row *row = &r->slots[i].row;
        if (row->id.job == id.job && row->id.task == id.task && row->id.epoch == id.epoch)
            return row;
    }
    return NULL;
}

struct roster_row *roster_newest(struct roster *r, uint64_t job, uint32_t task)
{
    struct roster_row *newest = NULL;
    for (uint32_t i = *bucket_of(r, job, task); i != NONE; i = r->slots[i].next) {
        struct roster_row *row = &r->slots[i].row;
        if (row->id.job == job && row->id.task == task && (newest == NULL || row->id.epoch > newest->id.epoch))
            newest = row;
    }
    return newest;
}

struct roster_row *roster_next(struct roster *r, roster_id after)
{
    for (uint32_t i = (uint32_t)(after & UINT32_MAX); i < r->size; i++)
        if (r->slots[i].used)
            return &r->slots[i].row;
    return NULL;
}

uint32_t roster_count(const struct roster *r)
{
    return r->count;
}
