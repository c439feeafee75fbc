/* Packed numbers and lists: as much of msgpack as lists of short texts need. */
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

/* As cmsgpack packs it: what Lua packs anew has the same bytes. */
static void pack_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    const uint8_t small = (uint8_t)(0xa0 | (len & 31)), medium[2] = {0xd9, (uint8_t)len};
    const uint8_t large[3] = {0xda, (uint8_t)(len >> 8), (uint8_t)len};
    if (len < 32) {
        buf_add(out, &small, 1);
    } else if (len < 256) {
        buf_add(out, medium, sizeof medium);
    } else {
        buf_add(out, large, sizeof large);
    }
    buf_add(out, text, len);
}

_Static_assert(LEDGER_PATH_MAX < 256 && LEDGER_ACCOUNTS_MAX < 256 && RESOURCE_GENERIC_MAX < 256, "counts are bytes");

/* "<kind>:<name>" */
static void pack_field(struct buf *out, char kind, const char *name)
{
    char text[LEDGER_ACCOUNT_MAX + 8];
    snprintf(text, sizeof text, "%c:%s", kind, name);
    pack_text(out, text);
}

void store_pack_i64(struct buf *out, int64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
    }
    buf_add(out, bytes, sizeof bytes);
}

bool store_numbers_read(const char *bytes, size_t len, int64_t *numbers, size_t count)
{
    if (len < 8 * count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        for (size_t k = 8; k-- > 0;) {
            value = value << 8 | (uint8_t)bytes[8 * i + k];
        }
        numbers[i] = (int64_t)value;
    }
    return true;
}

void store_pack_u8(struct buf *out, size_t value)
{
    const uint8_t byte = (uint8_t)value;
    buf_add(out, &byte, 1);
}

/* More than fits is more than any limit: Redis refuses it. */
static void pack_u64(struct buf *out, uint64_t value)
{
    store_pack_i64(out, (int64_t)MIN(value, (uint64_t)INT64_MAX));
}

static size_t generics_used(const struct resources *need)
{
    size_t used = 0;
    for (size_t i = 0; i < need->generic.count; i++) {
        used += need->generic.v[i].value > 0;
    }
    return used;
}

void store_pack_accounts(struct buf *out, const struct strs *accounts, const struct list *times)
{
    const struct time_hold *t = times->v;
    pack_count(out, accounts->count + times->count);
    for (size_t i = 0; i < accounts->count; i++) {
        pack_field(out, 'a', accounts->v[i]);
    }
    for (size_t i = 0; i < times->count; i++) {
        pack_field(out, 'a', t[i].account);
    }
}

void store_pack_times(struct buf *out, const struct list *times)
{
    const struct time_hold *t = times->v;
    for (size_t i = 0; i < times->count; i++) {
        store_pack_i64(out, t[i].spent);
        store_pack_i64(out, t[i].hold);
    }
}

void store_pack_attempts(struct buf *out, const struct fact_gang *gang)
{
    const struct gang_member *v = gang->members.v;
    char text[ATTEMPT_ID_TEXT_MAX];
    pack_count(out, gang->members.count);
    for (size_t i = 0; i < gang->members.count; i++) {
        pack_text(out, attempt_id_format((struct attempt_id){gang->job, v[i].task, v[i].epoch}, text));
    }
}

/* The fields of the tenants, then of each tenant's generic resources. */
static void pack_use(struct buf *out, const struct strs *path, const struct resources *need)
{
    char name[LEDGER_TENANT_MAX + RESOURCE_NAME_MAX + 2];
    pack_count(out, path->count * (1 + generics_used(need)));
    for (size_t i = 0; i < path->count; i++) {
        pack_field(out, 't', path->v[i]);
    }
    for (size_t i = 0; i < path->count; i++) {
        for (size_t g = 0; g < need->generic.count; g++) {
            if (need->generic.v[g].value > 0) {
                snprintf(name, sizeof name, "%s %s", path->v[i], need->generic.v[g].name);
                pack_field(out, 't', name);
            }
        }
    }
}

bool store_pack_hold(struct buf *out, const struct store_hold_parts *h)
{
    CLEANUP(buf_fini) struct buf accounts = {0};
    if (h->path->count == 0 || h->path->count > LEDGER_PATH_MAX || h->accounts->count > LEDGER_ACCOUNTS_MAX ||
        h->times->count > LEDGER_ACCOUNTS_MAX || h->need->generic.count > RESOURCE_GENERIC_MAX) {
        return false;
    }
    store_pack_accounts(&accounts, h->accounts, h->times);
    store_pack_i64(out, h->spent_micros);
    store_pack_i64(out, h->held_micros);
    store_pack_u8(out, h->times->count);
    store_pack_times(out, h->times);
    pack_u64(out, h->need->cpu_milli);
    pack_u64(out, h->need->mem_bytes);
    pack_u64(out, h->need->scratch_bytes);
    store_pack_u8(out, h->path->count);
    store_pack_u8(out, h->accounts->count);
    store_pack_u8(out, generics_used(h->need));
    store_pack_u8(out, accounts.len);
    store_pack_u8(out, accounts.len >> 8);
    for (size_t i = 0; i < h->need->generic.count; i++) {
        if (h->need->generic.v[i].value > 0) {
            pack_u64(out, h->need->generic.v[i].value);
        }
    }
    buf_add(out, accounts.data, accounts.len);
    pack_use(out, h->path, h->need);
    return accounts.len <= UINT16_MAX && !accounts.failed;
}
