#include "agent/shelf.h"

#include <errno.h>

#define RING_FIRST 64u

void shelf_init(struct shelf *s, struct shelf_limits limits)
{
    *s = (struct shelf){.limits = limits};
}

void shelf_fini(struct shelf *s)
{
    free(s->ring);
    *s = (struct shelf){0};
}

static int grow(struct shelf *s)
{
    uint32_t size = s->size == 0 ? RING_FIRST : s->size * 2;
    struct shelf_entry *ring = malloc(size * sizeof *ring);
    if (ring == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < s->count; i++)
        ring[i] = s->ring[(s->first + i) & (s->size - 1)];
    free(s->ring);
    s->ring = ring;
    s->size = size;
    s->first = 0;
    return 0;
}

int shelf_add(struct shelf *s, struct shelf_entry entry)
{
    if (s->count == s->size) {
        int rc = grow(s);
        if (rc < 0)
            return rc;
    }
    s->ring[(s->first + s->count++) & (s->size - 1)] = entry;
    s->bytes += entry.bytes;
    return 0;
}

bool shelf_trim(struct shelf *s, int64_t now_s, struct shelf_entry *ret)
{
    if (s->count == 0)
        return false;
    const struct shelf_entry *oldest = &s->ring[s->first];
    bool old = now_s > oldest->ended_s && (uint64_t)(now_s - oldest->ended_s) > s->limits.age_s;
    if (s->bytes <= s->limits.bytes && s->count <= s->limits.count && !old)
        return false;
    *ret = *oldest;
    s->bytes -= oldest->bytes;
    s->first = (s->first + 1) & (s->size - 1);
    s->count--;
    return true;
}
