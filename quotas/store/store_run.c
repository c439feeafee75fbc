/* Entries of runs: what is committed most often, many in one call. */
#include <errno.h>
#include <string.h>

#include "quotas/ledger.h"
#include "quotas/store/store_call.h"

static bool times_are_named(const struct list *times)
{
    const struct time_hold *t = times->v;
    for (size_t i = 0; i < times->count; i++) {
        if (!t[i].account || strlen(t[i].account) >= LEDGER_ACCOUNT_MAX || t[i].spent < 0) {
            return false;
        }
    }
    return times->count <= LEDGER_ACCOUNTS_MAX;
}

/* Spent of each account of time that is settled, and which they are; nothing for none. */
static void pack_settled(struct buf *out, const struct list *times)
{
    const struct time_hold *t = times->v;
    for (size_t i = 0; i < times->count; i++) {
        store_pack_i64(out, t[i].spent);
    }
    if (times->count > 0) {
        store_pack_accounts(out, &(const struct strs){0}, times);
    }
}

/* Entries of a run: what it is and its numbers, the bytes of the fact, then what else. */
enum { RUN_NOTE = 1, RUN_PLACE, RUN_RENEW, RUN_FINISH, RUN_RENEW_ALIKE, RUN_GANG };

static struct buf *run_begin(struct store_call *c, uint8_t kind)
{
    struct buf *out = store_call_pack_begin(c);
    store_pack_u8(out, kind);
    return out;
}

static void run_numbers_end(struct store_call *c, const struct store_entry *entry)
{
    store_call_pack_end(c);
    store_call_argn(c, entry->bytes, entry->len);
}

int store_run_note(struct store_call *c, const struct store_entry *entry)
{
    (void)run_begin(c, RUN_NOTE);
    run_numbers_end(c, entry);
    return 0;
}

static int place_run(struct store_call *c, const struct store_entry *entry)
{
    const struct fact_placed *f = &entry->fact->placed;
    const struct store_hold_parts hold = {0, f->hold_micros, &f->accounts, &f->times, &f->path, &f->resources};
    if (!times_are_named(&f->times)) {
        return -EINVAL;
    }
    store_pack_i64(run_begin(c, RUN_PLACE), entry->fact->at_utc_us);
    run_numbers_end(c, entry);
    store_call_attempt(c, f->id);
    bool packed = store_pack_hold(store_call_pack_begin(c), &hold);
    store_call_pack_end(c);
    return packed ? 0 : -EINVAL;
}

static int gang_run(struct store_call *c, const struct store_entry *entry)
{
    const struct fact_gang *f = &entry->fact->gang_placed;
    const struct store_hold_parts hold = {0, 0, &f->accounts, &f->times, &f->path, &f->resources};
    if (!times_are_named(&f->times) || f->members.count == 0) {
        return -EINVAL;
    }
    struct buf *out = run_begin(c, RUN_GANG);
    store_pack_i64(out, entry->fact->at_utc_us);
    store_pack_i64(out, f->left_out);
    for (size_t i = 0; i < f->members.count; i++) {
        store_pack_i64(out, ((const struct gang_member *)f->members.v)[i].hold_micros);
    }
    run_numbers_end(c, entry);
    store_pack_attempts(store_call_pack_begin(c), f);
    store_call_pack_end(c);
    bool packed = store_pack_hold(store_call_pack_begin(c), &hold);
    store_call_pack_end(c);
    return packed ? 0 : -EINVAL;
}

static bool same_accounts(const struct fact_renewed *a, const struct fact_renewed *b)
{
    const struct time_hold *x = a->times.v, *y = b->times.v;
    bool same = a->accounts.count == b->accounts.count && a->times.count == b->times.count;
    for (size_t i = 0; same && i < a->accounts.count; i++) {
        same = strcmp(a->accounts.v[i], b->accounts.v[i]) == 0;
    }
    for (size_t i = 0; same && i < a->times.count; i++) {
        same = strcmp(x[i].account, y[i].account) == 0;
    }
    return same;
}

/* before: the renewal before it in the run, or NULL. */
static int renew_run(struct store_call *c, const struct store_entry *entry, const struct fact_renewed *before)
{
    const struct fact_renewed *f = &entry->fact->renewed;
    if (f->accounts.count > LEDGER_ACCOUNTS_MAX || !times_are_named(&f->times) ||
        !times_are_named(&f->times_settled)) {
        return -EINVAL;
    }
    bool alike = before && same_accounts(f, before);
    struct buf *out = run_begin(c, alike ? RUN_RENEW_ALIKE : RUN_RENEW);
    store_pack_i64(out, f->spent_micros);
    store_pack_i64(out, f->hold_micros);
    store_pack_i64(out, entry->fact->at_utc_us);
    store_pack_u8(out, f->accounts.count);
    store_pack_u8(out, f->times.count);
    store_pack_u8(out, f->times_settled.count);
    store_pack_times(out, &f->times);
    pack_settled(out, &f->times_settled);
    run_numbers_end(c, entry);
    store_call_attempt(c, f->id);
    if (!alike) {
        store_pack_accounts(store_call_pack_begin(c), &f->accounts, &f->times);
        store_call_pack_end(c);
    }
    return 0;
}

static int finish_run(struct store_call *c, const struct store_entry *entry)
{
    const struct fact_ended *f = &entry->fact->ended;
    if (!times_are_named(&f->times_settled)) {
        return -EINVAL;
    }
    struct buf *out = run_begin(c, RUN_FINISH);
    store_pack_i64(out, f->spent_micros);
    store_pack_i64(out, STORE_KEY_TTL_S);
    store_pack_u8(out, f->next != NEXT_FINAL);
    store_pack_u8(out, f->job_done);
    store_pack_u8(out, f->times_settled.count);
    pack_settled(out, &f->times_settled);
    run_numbers_end(c, entry);
    store_call_attempt(c, f->id);
    return 0;
}

int store_run_words(struct store_call *c, const struct store_entry *entry, const struct fact_renewed *before)
{
    switch (entry->fact->kind) {
    case FACT_ATTEMPT_PLACED: return place_run(c, entry);
    case FACT_GANG_PLACED: return gang_run(c, entry);
    case FACT_HOLD_RENEWED: return renew_run(c, entry, before);
    case FACT_ATTEMPT_ENDED: return finish_run(c, entry);
    default: return store_run_note(c, entry);
    }
}
