#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quotas/store/store.h"
#include "scheduler/recover.h"
#include "scheduler/snapshot.h"

enum { REPLAY_BATCH = 256, READ_BATCH = 1024 };

bool recover_is_fatal(int code)
{
    return code == -ESTALE || code == -ENODATA || code == -EUCLEAN || code == -EPROTONOSUPPORT;
}

/* What is wrong with our own files or with an entry stays wrong; what Redis answers (out of memory, read-only, loading)
 * may be better next time. */
static int of_files(int code)
{
    return code == -EBADMSG || code == -ENOENT || code == -EXDEV || code == -EPROTO ? -EUCLEAN : code;
}

struct repair {
    const struct recover_call *call;
    struct store_sync *store;
    struct store_status status;
    struct recover_report *report;
};

/* ---- replaying the file into Redis ---- */
struct replay {
    struct repair *repair;
    struct fact facts[REPLAY_BATCH];
    struct store_entry entries[REPLAY_BATCH];
    char refusal_text[REPLAY_BATCH][JOURNAL_REFUSAL_MAX + 1];
    const char *refusals[REPLAY_BATCH];
    size_t offsets[REPLAY_BATCH];
    size_t count;
    struct buf bytes;
};

static int replay_send(struct replay *p, struct err *err)
{
    for (size_t i = 0; i < p->count; i++)
        p->entries[i].bytes = (const uint8_t *)p->bytes.data + p->offsets[i];
    int rc = p->count == 0 ? 0 : store_replay(p->repair->store, p->repair->call->writer, p->repair->report->term,
                                              p->entries, p->refusals, p->count, err);
    if (rc == 0)
        p->repair->report->replayed += p->count;
    for (size_t i = 0; i < p->count; i++)
        fact_clear(&p->facts[i]);
    p->count = 0;
    buf_reset(&p->bytes);
    return rc;
}

static int replay_record(void *arg, const struct journal_record *r, struct err *err)
{
    struct replay *p = arg;
    size_t i = p->count;
    p->facts[i] = (struct fact){0};
    int rc = fact_decode(r->fact, r->fact_len, &p->facts[i], err);
    if (rc < 0)
        return of_files(rc);
    p->offsets[i] = p->bytes.len;
    buf_add(&p->bytes, r->fact, r->fact_len);
    memcpy(p->refusal_text[i], r->refusal, sizeof r->refusal);
    p->refusals[i] = r->refusal[0] == '\0' ? NULL : p->refusal_text[i];
    p->entries[i] = (struct store_entry){.seq = r->seq, .len = r->fact_len, .fact = &p->facts[i]};
    p->count++;
    if (p->bytes.failed)
        return err_set(err, -ENOMEM, "out of memory");
    return p->count == REPLAY_BATCH ? replay_send(p, err) : 0;
}

static int replay_from(struct repair *r, uint64_t seq, struct err *err)
{
    if (seq > journal_seq(r->call->journal))
        return 0;
    struct replay *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    p->repair = r;
    int rc = journal_reread(r->call->journal, seq, replay_record, p, err);
    if (rc == 0)
        rc = replay_send(p, err);
    for (size_t i = 0; i < p->count; i++)
        fact_clear(&p->facts[i]);
    buf_fini(&p->bytes);
    free(p);
    return rc;
}

/* ---- emptying Redis and filling it again ---- */
static int fact_keep(void *arg, const struct fact *fact)
{
    struct list *l = arg;
    struct fact *copy = list_add(l, sizeof *copy);
    return copy == NULL ? -ENOMEM : fact_copy(fact, copy);
}

static int seed_from(struct repair *r, uint64_t snapshot, struct err *err)
{
    struct list facts = {0};
    struct snapshot_head head;
    int rc = snapshot_load(journal_folder(r->call->journal), snapshot, r->call->cell, &head, fact_keep, &facts, err);
    rc = of_files(rc);
    if (rc == 0)
        rc = store_seed(r->store, r->call->writer, r->report->term, snapshot, facts.v, facts.count, err);
    for (size_t i = 0; i < facts.count; i++)
        fact_clear((struct fact *)facts.v + i);
    free(facts.v);
    return rc;
}

/* The oldest snapshot that the file reaches back to: readers of the stream may still want what lies behind it. */
static int oldest_snapshot(struct repair *r, uint64_t *ret, struct err *err)
{
    uint64_t first = journal_first_seq(r->call->journal);
    *ret = 0;
    if (first == 1)
        return 0;
    uint64_t *seqs = NULL;
    size_t count = 0;
    int rc = snapshot_list(journal_folder(r->call->journal), &seqs, &count, err);
    for (size_t i = 0; rc == 0 && i < count && *ret == 0; i++)
        if (seqs[i] + 1 >= first && seqs[i] <= journal_seq(r->call->journal))
            *ret = seqs[i];
    free(seqs);
    if (rc == 0 && *ret == 0)
        rc = err_set(err, -ENODATA,
                     "the journal begins at seq %" PRIu64 " and no snapshot reaches it: Redis can't be rebuilt",
                     first);
    return rc;
}

static int rebuild(struct repair *r, const char *why, struct err *err)
{
    uint64_t snapshot = 0;
    r->report->rebuilt = true;
    snprintf(r->report->reason, sizeof r->report->reason, "%s", why);
    int rc = oldest_snapshot(r, &snapshot, err);
    if (rc == 0)
        rc = store_wipe(r->store, err);
    if (rc == 0)
        rc = snapshot > 0 ? seed_from(r, snapshot, err)
                          : store_take_term(r->store, r->call->writer, r->report->term, err);
    return rc == 0 ? replay_from(r, snapshot + 1, err) : rc;
}

/* ---- what Redis has and the file has not ---- */
struct adoption {
    struct repair *repair;
    uint64_t next, term;
    int rc;
    struct err *err;
};

static bool adopt_entry(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    struct adoption *a = arg;
    const struct recover_call *c = a->repair->call;
    if (seq != a->next) {
        a->rc =
            err_set(a->err, -ENODATA, "Redis has seq %" PRIu64 " but not %" PRIu64 ", and the file ends at %" PRIu64,
                    seq, a->next, a->next - 1);
        return false;
    }
    struct fact fact = {0};
    a->rc = fact_decode(bytes, len, &fact, a->err);
    if (a->rc == 0 && fact.kind == FACT_TERM_TAKEN)
        a->term = fact.term.term;
    fact_clear(&fact);
    if (a->rc == 0)
        a->rc = c->adopt(c->arg, seq, a->term, refusal == NULL ? "" : refusal, bytes, len, a->err);
    a->rc = of_files(a->rc);
    if (a->rc < 0)
        return false;
    a->next++;
    a->repair->report->adopted++;
    return true;
}

static int adopt_all(struct repair *r, uint64_t file_term, struct err *err)
{
    struct adoption a = {.repair = r, .next = journal_seq(r->call->journal) + 1, .term = file_term, .err = err};
    if (r->status.first_seq > a.next)
        return err_set(err, -ENODATA, "the file ends at seq %" PRIu64 " and Redis begins at %" PRIu64
                       ": what is between is in neither copy", a.next - 1, r->status.first_seq);
    while (a.next <= r->status.seq) {
        uint64_t before = a.next;
        int rc = store_read(r->store, a.next, READ_BATCH, adopt_entry, &a, err);
        if (rc < 0 || a.rc < 0)
            return rc < 0 ? rc : a.rc;
        if (a.next == before)
            return err_set(err, -ENODATA, "Redis says it has seq %" PRIu64 " but does not give %" PRIu64,
                           r->status.seq, before);
    }
    return 0;
}

/* ---- are the copies the same where they overlap? ---- */
struct sample {
    struct buf bytes;
    char refusal[JOURNAL_REFUSAL_MAX + 1];
    bool found;
};

static bool sample_redis(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    (void)seq;
    struct sample *s = arg;
    buf_add(&s->bytes, bytes, len);
    snprintf(s->refusal, sizeof s->refusal, "%s", refusal == NULL ? "" : refusal);
    s->found = true;
    return false;
}

enum { SAMPLE_TAKEN = -ECANCELED };

static int sample_file(void *arg, const struct journal_record *r, struct err *err)
{
    (void)err;
    struct sample *s = arg;
    buf_add(&s->bytes, r->fact, r->fact_len);
    memcpy(s->refusal, r->refusal, sizeof s->refusal);
    s->found = true;
    return SAMPLE_TAKEN;
}

static int overlap_check(struct repair *r, struct err *err)
{
    struct journal *j = r->call->journal;
    uint64_t seq = MIN(journal_seq(j), r->status.seq);
    if (seq == 0 || seq < journal_first_seq(j) || seq < r->status.first_seq || r->status.first_seq == 0)
        return 0;
    struct sample file = {0}, redis = {0};
    int rc = of_files(journal_reread(j, seq, sample_file, &file, err));
    if (rc == SAMPLE_TAKEN || rc == 0)
        rc = store_read(r->store, seq, 1, sample_redis, &redis, err);
    if (rc == 0 && file.found && redis.found &&
        (file.bytes.len != redis.bytes.len ||
         memcmp(buf_text(&file.bytes), buf_text(&redis.bytes), file.bytes.len) != 0 ||
         strcmp(file.refusal, redis.refusal) != 0))
        rc = err_set(err, -EUCLEAN, "the journal file and Redis both have seq %" PRIu64 ", but not the same entry",
                     seq);
    buf_fini(&file.bytes);
    buf_fini(&redis.bytes);
    return rc;
}

/* ---- do the books agree? ---- */
struct books {
    const struct ledger *ledger;
    const struct list *accounts;
    char first[200]; /* the first difference; "" = none */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct store_account *)a)->name, ((const struct store_account *)b)->name);
}

static const struct store_account *account_in(const struct list *sorted, const char *name)
{
    struct store_account wanted = {.name = (char *)(uintptr_t)name};
    return sorted->count == 0 ? NULL : bsearch(&wanted, sorted->v, sorted->count, sizeof wanted, by_name);
}

static void books_differ(struct books *b, const char *name, int64_t redis_spent, int64_t redis_held, int64_t spent,
                         int64_t held)
{
    if (redis_spent == spent && redis_held == held)
        return;
    if (b->first[0] == '\0')
        snprintf(b->first, sizeof b->first,
                 "account %s: Redis has spent %" PRId64 " held %" PRId64 ", the journal spent %" PRId64
                 " held %" PRId64,
                 name, redis_spent, redis_held, spent, held);
}

static bool ledger_account_check(const struct account_view *v, void *arg)
{
    struct books *b = arg;
    const struct store_account *a = account_in(b->accounts, v->name);
    books_differ(b, v->name, a == NULL ? 0 : a->spent_micros, a == NULL ? 0 : a->held_micros, v->spent_micros,
                 v->held_micros);
    return b->first[0] == '\0';
}

/* 0 agree, 1 differ (first difference in b). */
static int books_check(struct repair *r, struct books *b, struct err *err)
{
    struct list accounts = {0};
    int rc = store_accounts(r->store, &accounts, err);
    if (rc == -EBADMSG) { /* counters that aren't any: nothing to keep */
        snprintf(b->first, sizeof b->first, "%.180s", err_text(err));
        return 1;
    }
    if (rc < 0)
        return rc;
    if (accounts.count > 0)
        qsort(accounts.v, accounts.count, sizeof(struct store_account), by_name);
    *b = (struct books){.ledger = core_ledger(r->call->core), .accounts = &accounts};
    ledger_each_account(b->ledger, ledger_account_check, b);
    const struct store_account *a = accounts.v;
    for (size_t i = 0; i < accounts.count && b->first[0] == '\0'; i++) {
        struct account_view v = {0};
        if (!ledger_account(b->ledger, a[i].name, &v))
            books_differ(b, a[i].name, a[i].spent_micros, a[i].held_micros, 0, 0);
    }
    store_accounts_clear(&accounts);
    return b->first[0] == '\0' ? 0 : 1;
}

static int books_repair(struct repair *r, struct err *err)
{
    struct books b;
    int rc = books_check(r, &b, err);
    if (rc <= 0)
        return rc;
    char why[sizeof b.first];
    memcpy(why, b.first, sizeof why);
    rc = rebuild(r, why, err);
    if (rc == 0)
        rc = books_check(r, &b, err);
    return rc == 1 ? err_set(err, -EUCLEAN, "rebuilt from the journal, Redis still differs: %s", b.first) : rc;
}

/* ---- all of it ---- */
static int term_take(struct repair *r, struct err *err)
{
    const struct recover_call *c = r->call;
    const struct store_status *s = &r->status;
    if (c->term > 0 && (s->term > c->term || (s->term == c->term && strcmp(s->writer, c->writer) != 0)))
        return err_set(err, -ESTALE, "'%s' has taken the cell with term %" PRIu64 ", ours is %" PRIu64, s->writer,
                       s->term, c->term);
    r->report->term = c->term > 0 ? c->term : MAX(s->term, c->term_floor) + 1;
    return s->term == r->report->term ? 0 : store_take_term(r->store, c->writer, r->report->term, err);
}

static int copies_equal(struct repair *r, struct err *err)
{
    struct journal *j = r->call->journal;
    uint64_t file = journal_seq(j), first = journal_first_seq(j);
    if (file > 0 && (r->status.empty || r->status.seq == 0))
        return rebuild(r, "Redis is empty", err);
    int rc = overlap_check(r, err);
    if (rc < 0)
        return rc;
    if (r->status.seq > file)
        return adopt_all(r, r->call->term_floor, err);
    if (r->status.seq == file)
        return 0;
    return first <= r->status.seq + 1 ? replay_from(r, r->status.seq + 1, err)
                                      : rebuild(r, "Redis went back behind the file's first entry", err);
}

int recover_store(const struct recover_call *call, struct recover_report *ret, struct err *err)
{
    struct recover_report report = {0};
    struct repair r = {.call = call, .report = &report};
    int rc = journal_drain(call->journal, err); /* what is compared must be in the file */
    if (rc == 0)
        rc = store_sync_open(&r.store, call->url, call->cell, err);
    if (rc < 0)
        return rc;
    rc = store_load_library(r.store, err);
    if (rc == 0)
        rc = store_status(r.store, &r.status, err);
    if (rc == 0)
        rc = term_take(&r, err);
    if (rc == 0) /* again: nobody else writes from here on */
        rc = store_status(r.store, &r.status, err);
    if (rc == 0)
        rc = copies_equal(&r, err);
    if (rc == 0)
        rc = journal_drain(call->journal, err);
    if (rc == 0)
        rc = books_repair(&r, err);
    store_sync_close(r.store);
    if (rc == 0)
        *ret = report;
    return rc;
}
