/* Credits and other adjustments: amounts of their own, posted once under a key of their tenant. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotas/ledger_state.h"

const char *ledger_adjust_key(const struct fact_adjusted *f, char out[LEDGER_KEY_MAX])
{
    int len = -1;
    if (f->tenant && f->key && f->tenant_id != 0) { /* no tenant's path has a '#' */
        len = snprintf(out, LEDGER_KEY_MAX, "#%" PRIu64 ":%s", f->tenant_id, f->key);
    } else if (f->tenant && f->key) {
        len = snprintf(out, LEDGER_KEY_MAX, "%s:%s", f->tenant, f->key);
    }
    return len > 0 && len < LEDGER_KEY_MAX ? out : NULL;
}

/* FNV-1a. */
static uint64_t hash_bytes(const char *bytes, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

uint64_t ledger_adjust_hash(const struct fact_adjusted *f)
{
    struct fact_adjusted body = *f; /* borrowed: without who asked, where it went, and where the tenant is */
    struct buf bytes = {0};
    body.who = NULL;
    body.accounts = (struct strs){0};
    body.tenant = f->tenant_id != 0 ? NULL : f->tenant;
    fields_encode(fact_fields(FACT_LEDGER_ADJUSTED), &body, &bytes);
    if (bytes.failed) {
        abort();
    }
    uint64_t hash = hash_bytes(bytes.data, bytes.len);
    buf_fini(&bytes);
    return hash;
}

static struct adjusted *adjusted_find(const struct ledger *l, const char *key)
{
    return key ? map_find(&l->adjusted, key, strlen(key)) : NULL;
}

bool ledger_adjusted(const struct ledger *l, const struct fact_adjusted *f, uint64_t *ret_hash)
{
    char key[LEDGER_KEY_MAX];
    const struct adjusted *a = adjusted_find(l, ledger_adjust_key(f, key));
    if (a) {
        *ret_hash = a->posted.hash;
    }
    return a != NULL;
}

uint64_t ledger_adjusted_count(const struct ledger *l)
{
    return l->adjusted.count;
}

void ledger_each_adjusted(const struct ledger *l, bool (*fn)(const struct snapshot_adjusted *adjusted, void *arg),
                          void *arg)
{
    size_t at = 0;
    for (const struct adjusted *a; (a = map_each(&l->adjusted, &at)) != NULL;) {
        if (!fn(&a->posted, arg)) {
            return;
        }
    }
}

uint32_t ledger_periods_closed(const struct ledger *l)
{
    return l->periods_closed;
}

void ledger_adjusted_add(struct ledger *l, const struct snapshot_adjusted *adjusted)
{
    struct adjusted *a = calloc(1, sizeof *a);
    if (!a || str_set(&a->posted.key, adjusted->key) < 0) {
        abort();
    }
    a->posted.hash = adjusted->hash;
    a->posted.periods_closed = adjusted->periods_closed;
    map_put(&l->adjusted, a->posted.key, strlen(a->posted.key), a);
}

static void adjusted_free(struct adjusted *a)
{
    free(a->posted.key);
    free(a);
}

/* Into a new map, as none may be changed while it is walked; once in a billing period. */
void ledger_adjusted_age(struct ledger *l)
{
    struct map kept = {0};
    size_t at = 0;
    l->periods_closed++;
    for (struct adjusted *a; (a = map_each(&l->adjusted, &at)) != NULL;) {
        if (l->periods_closed - a->posted.periods_closed < LEDGER_KEYS_PERIODS) {
            map_put(&kept, a->posted.key, strlen(a->posted.key), a);
        } else {
            adjusted_free(a);
        }
    }
    map_fini(&l->adjusted);
    l->adjusted = kept;
}

void ledger_adjusted_free(struct ledger *l)
{
    size_t at = 0;
    for (struct adjusted *a; (a = map_each(&l->adjusted, &at)) != NULL;) {
        adjusted_free(a);
    }
    map_fini(&l->adjusted);
}

/* ---- the fact ---------------------------------------------------------------------------------------------- */

static enum ledger_verdict post_verdict(const struct ledger *l, const struct fact_adjusted *f, size_t i)
{
    const struct account *a = ledger_account_find(l, f->accounts.v[i]);
    if (!a) {
        return LEDGER_NO_ACCOUNT;
    }
    for (size_t k = 0; k < i; k++) {
        if (strcmp(f->accounts.v[i], f->accounts.v[k]) == 0) {
            return LEDGER_BAD;
        }
    }
    bool fits = a->spent + a->held + f->micros <= LEDGER_COUNT_MAX && a->spent + f->micros >= -LEDGER_COUNT_MAX;
    return fits && !a->resource ? LEDGER_FITS : LEDGER_BAD;
}

enum ledger_verdict ledger_adjust_verdict(const struct ledger *l, const struct fact_adjusted *f,
                                          const char **ret_where)
{
    char key[LEDGER_KEY_MAX];
    const struct adjusted *known = adjusted_find(l, ledger_adjust_key(f, key));
    *ret_where = known ? known->posted.key : NULL;
    if (known) {
        return LEDGER_DUPLICATE;
    }
    if (!ledger_adjust_key(f, key) || f->micros == 0 || f->micros > MONEY_MICROS_MAX ||
        f->micros < -MONEY_MICROS_MAX || f->kind >= ADJUST_KIND_COUNT || f->accounts.count == 0 ||
        f->accounts.count > LEDGER_ACCOUNTS_MAX) {
        return LEDGER_BAD;
    }
    for (size_t i = 0; i < f->accounts.count; i++) {
        enum ledger_verdict verdict = post_verdict(l, f, i);
        if (verdict != LEDGER_FITS) {
            *ret_where = f->accounts.v[i];
            return verdict;
        }
    }
    return LEDGER_FITS;
}

void ledger_adjust_apply(struct ledger *l, const struct fact_adjusted *f, int64_t at_utc_us)
{
    char key[LEDGER_KEY_MAX];
    char *name = (char *)(uintptr_t)ledger_adjust_key(f, key); /* borrowed */
    ledger_adjusted_add(l, &(struct snapshot_adjusted){name, ledger_adjust_hash(f), l->periods_closed});
    for (size_t i = 0; i < f->accounts.count; i++) {
        struct account *a = ledger_account_find(l, f->accounts.v[i]);
        BUG(!a);
        a->spent += f->micros;
        ledger_crossings_fall(l, a, at_utc_us);
    }
}
