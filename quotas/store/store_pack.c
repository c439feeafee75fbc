/* Packed lists: as much of msgpack as lists of short texts need. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotas/ledger_names.h"
#include "quotas/store/store_call.h"

static void pack_count(struct buf *out, size_t count)
{
    const uint8_t small = (uint8_t)(0x90 | (count & 15));
    const uint8_t large[3] = {0xdc, (uint8_t)(count >> 8), (uint8_t)count};
    if (count < 16) {
        buf_add(out, &small, 1);
    } else {
        buf_add(out, large, sizeof large);
    }
}

static void pack_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    const uint8_t small = (uint8_t)(0xa0 | (len & 31));
    const uint8_t large[3] = {0xda, (uint8_t)(len >> 8), (uint8_t)len};
    if (len < 32) {
        buf_add(out, &small, 1);
    } else {
        buf_add(out, large, sizeof large);
    }
    buf_add(out, text, len);
}

/* "<kind>:<name>" */
static void pack_field(struct buf *out, char kind, const char *name)
{
    char text[LEDGER_ACCOUNT_MAX + 8];
    snprintf(text, sizeof text, "%c:%s", kind, name);
    pack_text(out, text);
}

static void pack_u64(struct buf *out, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    pack_text(out, text);
}

size_t store_generics_used(const struct resources *need)
{
    size_t used = 0;
    for (size_t i = 0; i < need->generic.count; i++) {
        used += need->generic.v[i].value > 0;
    }
    return used;
}

void store_pack_accounts(struct buf *out, const struct strs *accounts)
{
    pack_count(out, accounts->count);
    for (size_t i = 0; i < accounts->count; i++) {
        pack_field(out, 'a', accounts->v[i]);
    }
}

void store_pack_times(struct buf *out, const struct list *times)
{
    const struct time_hold *t = times->v;
    if (times->count == 0) {
        return;
    }
    pack_count(out, 3 * times->count);
    for (size_t i = 0; i < times->count; i++) {
        pack_field(out, 'a', t[i].account);
        pack_u64(out, (uint64_t)t[i].spent);
        pack_u64(out, (uint64_t)t[i].hold);
    }
}

void store_pack_use(struct buf *out, const struct strs *path, const struct resources *need)
{
    pack_count(out, 4 + path->count + 2 * store_generics_used(need));
    pack_u64(out, path->count);
    pack_u64(out, need->cpu_milli);
    pack_u64(out, need->mem_bytes);
    pack_u64(out, need->scratch_bytes);
    for (size_t i = 0; i < path->count; i++) {
        pack_field(out, 't', path->v[i]);
    }
    for (size_t i = 0; i < need->generic.count; i++) {
        if (need->generic.v[i].value > 0) {
            pack_text(out, need->generic.v[i].name);
            pack_u64(out, need->generic.v[i].value);
        }
    }
}
