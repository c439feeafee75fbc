/* The store as quotas/store/functions/reeve.lua is: fence, question, entry, counters. */
#include <stdio.h>

#include "tests/sim/fault_world.h"

static struct ledger *new_ledger(void)
{
    struct ledger *l;
    struct err err = {0};
    int rc = ledger_new(&l, &err);
    MUST_NOT(rc < 0);
    return l;
}

static struct books *new_books(const struct world *w)
{
    struct books_rules rules = {NODE_CORES * 1000, NODE_CORES * GIB, w->limits.slice_ms * 1000,
                                w->limits.grace_ms * 1000, w->limits.kill_ms * 1000,
                                w->limits.horizon_ms * 1000};
    return books_new(&rules);
}

void store_init(struct world *w)
{
    struct store *s = &w->store;
    s->ledger = new_ledger();
    s->books = new_books(w);
    for (s->keys_size = 64; s->keys_size < 4 * w->jobs_want;)
        s->keys_size *= 2;
    s->keys = calloc(s->keys_size, sizeof s->keys[0]);
    MUST_NOT(s->keys == NULL);
}

/* Its slot, or the empty one where it would be. */
static struct store_key *key_slot(const struct store *s, const struct fact_submitted *f)
{
    char text[sizeof s->keys[0].text];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t tenant = strlen(f->tenant), key = strlen(f->key);
    MUST_NOT(tenant + key + 2 > sizeof text);
    memcpy(text, f->tenant, tenant);
    text[tenant] = ':';
    memcpy(text + tenant + 1, f->key, key + 1);
    for (const char *c = text; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    size_t at = (size_t)(hash >> 16) & (s->keys_size - 1);
    while (s->keys[at].job != 0 && strcmp(s->keys[at].text, text) != 0)
        at = (at + 1) & (s->keys_size - 1);
    if (s->keys[at].job == 0)
        memcpy(s->keys[at].text, text, tenant + key + 2);
    return &s->keys[at];
}

uint64_t store_key_job(const struct world *w, const struct fact *submitted)
{
    return key_slot(&w->store, &submitted->submitted)->job;
}

static void apply(struct world *w, const struct fact *f)
{
    struct store *s = &w->store;
    ledger_apply(s->ledger, f);
    const char *wrong = books_enter(s->books, f);
    if (wrong[0] != '\0')
        broken(w, "the books: %s", wrong);
    if (f->kind == FACT_JOB_SUBMITTED)
        key_slot(s, &f->submitted)->job = f->submitted.job;
}

/* One entry; its outcome. `force`: a replay asks nothing. */
static const char *commit(struct world *w, const struct entry *e, bool force)
{
    struct store *s = &w->store;
    struct fact room;
    if (e->seq != s->entries.count + 1)
        return e->seq <= s->entries.count ? "dup" : "gap";
    struct entry kept = *e;
    if (s->entries.count > 0 && e->term < s->entries.v[s->entries.count - 1].term)
        broken(w, "seq %llu is of an older term than the one before", (unsigned long long)e->seq);
    const struct fact *fact = entry_read(w, e, &room);
    if (!force) {
        bool known = fact->kind == FACT_JOB_SUBMITTED && store_key_job(w, fact) != 0;
        enum ledger_verdict verdict = ledger_check(s->ledger, fact, NULL);
        kept.refusal = known ? "key_exists" : verdict == LEDGER_FITS ? "" : names_get(&ledger_verdict_names, verdict);
    }
    entries_add(&s->entries, &kept);
    if (kept.refusal[0] == '\0')
        apply(w, fact);
    fact_clear(&room);
    return kept.refusal;
}

void store_event(struct world *w, struct event *e)
{
    struct store *s = &w->store;
    if (s->away || e->primary != s->primary || fault(w, FAULT_STORE_REQUEST_LOST))
        return;
    for (size_t i = 0; i < e->batch.count; i++) {
        struct entry *entry = &e->batch.v[i];
        if (e->writer != s->writer || e->term != s->term)
            entry->refusal = "fenced";
        else
            entry->refusal = commit(w, entry, false);
    }
    if (fault(w, FAULT_STORE_REPLY_LOST))
        return;
    struct event *reply = event_at(w, w->now_us + delay_us(w), EVENT_STORE_REPLY);
    reply->sched = e->sched;
    reply->token = e->token;
    reply->batch = e->batch;
    e->batch = (struct entries){0};
}

void store_rollback(struct world *w, size_t keep)
{
    struct store *s = &w->store;
    s->primary++; /* what was under way to the old one doesn't reach it */
    entries_cut(&s->entries, keep);
    ledger_free(s->ledger);
    s->ledger = new_ledger();
    books_free(s->books);
    s->books = new_books(w);
    s->writer = s->term = 0;
    memset(s->keys, 0, s->keys_size * sizeof s->keys[0]);
    for (size_t i = 0; i < s->entries.count; i++) {
        struct fact room;
        const struct fact *fact = entry_read(w, &s->entries.v[i], &room);
        if (s->entries.v[i].refusal[0] == '\0')
            apply(w, fact);
        fact_clear(&room);
        s->term = MAX(s->term, s->entries.v[i].term); /* as the old primary had it then */
    }
    s->writer = s->term;
    for (size_t i = 0; i < 2; i++) /* its connections are gone with the old primary */
        sched_store_broke(w, i);
}

/* ---- recovery: scheduler/recover.h ---- */
static void adopt_own(struct world *w, struct sched *s, const struct entry *e)
{
    const struct entry *mine = &s->batch[0].entry;
    if (e->seq != mine->seq || !record_equal(e->record, mine->record))
        broken(w, "seq %llu in the store is another scheduler's, under our fence", (unsigned long long)e->seq);
    sched_accept(w, s, e->refusal);
}

static void adopt(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    while (s->file.count < w->store.entries.count) {
        const struct entry *e = &w->store.entries.v[s->file.count];
        if (s->batch_count > 0) {
            adopt_own(w, s, e);
            continue;
        }
        struct fact room;
        struct err err = {0};
        const struct fact *fact = entry_read(w, e, &room);
        entries_add(&s->file, e);
        if (e->refusal[0] == '\0') {
            if (core_apply_check(s->core, fact, &err) < 0)
                broken(w, "seq %llu, adopted, contradicts the state: %s", (unsigned long long)e->seq, err_text(&err));
            core_apply(s->core, e->seq, fact);
        }
        sched_note_time(w, s, fact->at_utc_us);
        fact_clear(&room);
    }
}

static void replay(struct world *w, const struct sched *s)
{
    while (w->store.entries.count < s->file.count) {
        const struct entry *e = &s->file.v[w->store.entries.count];
        if (e->refusal[0] == '\0')
            (void)commit(w, e, true);
        else
            entries_add(&w->store.entries, e);
    }
}

static bool same_account(const struct account_view *view, void *arg)
{
    struct account_view other;
    const struct ledger *l = arg;
    return ledger_account(l, view->name, &other) && other.spent_micros == view->spent_micros &&
           other.held_micros == view->held_micros && other.limit_micros == view->limit_micros;
}

struct compare {
    const struct ledger *other;
    bool differs;
    char name[128];
};

static bool compare_account(const struct account_view *view, void *arg)
{
    struct compare *c = arg;
    if (!same_account(view, (void *)(uintptr_t)c->other)) {
        c->differs = true;
        snprintf(c->name, sizeof c->name, "%s", view->name);
    }
    return !c->differs;
}

/* false: not now. True: ours, and both copies are equal. */
bool store_recover(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    struct store *st = &w->store;
    if (st->away)
        return false;
    bool fenced = s->term != 0 && (st->term > s->term || (st->term == s->term && st->writer != s->writer));
    if (fenced)
        return false;
    size_t both = MIN(s->file.count, st->entries.count);
    for (size_t i = 0; i < both; i++)
        if (!entry_equal(&s->file.v[i], &st->entries.v[i]))
            broken(w, "the copies of the journal differ at seq %zu", i + 1);
    uint64_t floor = MAX(MAX(s->term, st->term), s->term_floor);
    for (size_t i = 0; i < s->file.count; i++)
        floor = MAX(floor, s->file.v[i].term);
    s->term = s->term != 0 && st->term == s->term && st->writer == s->writer ? s->term : floor + 1;
    st->term = s->term;
    st->writer = s->writer = s->term; /* one writer, one term */
    adopt(w, number);
    replay(w, s);
    struct compare c = {.other = st->ledger};
    ledger_each_account(core_ledger(s->core), compare_account, &c);
    if (c.differs)
        broken(w, "account %s is another in the store than in the scheduler", c.name);
    w->recovered++;
    return true;
}
