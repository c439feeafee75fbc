#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/log.h"
#include "scheduler/exit_codes.h"
#include "scheduler/recover.h"
#include "scheduler/turn_inner.h"

enum { RETRY_MS = 500, TRIM_STEP = 1000 };

void turn_on_up(void *turn)
{
    struct turn *t = turn;
    t->store_up = true;
    t->recover_due = true;
    if (t->state == TURN_READY) /* a new connection: ask what the other side still knows before anything is sent */
        t->state = TURN_RECOVER;
    snprintf(t->store_text, sizeof t->store_text, "store unavailable: recovering");
}

void turn_on_down(void *turn, const char *why)
{
    struct turn *t = turn;
    if (t->store_up || t->stats.recoveries_total == 0)
        log_line(LOG_WARN, "store.down", "why=%s", log_quote(why));
    t->store_up = t->recover_due = false;
    if (t->state == TURN_READY)
        t->state = TURN_RECOVER;
    snprintf(t->store_text, sizeof t->store_text, "store unavailable: %s", why);
    turn_fail_inbox(t, t->store_text);
}

/* An entry that was committed in an earlier life of this cell. */
static int adopt_stranger(struct turn *t, const struct journal_record *r, struct err *err)
{
    struct fact fact = {0};
    int rc = fact_decode(r->fact, r->fact_len, &fact, err);
    if (rc == 0 && r->refusal[0] == '\0')
        rc = core_apply_check(t->setup.core, &fact, err);
    if (rc < 0) {
        fact_clear(&fact);
        return err_wrap(err, -EBADMSG, "seq %" PRIu64 " in Redis", r->seq);
    }
    journal_append(t->setup.journal, r);
    if (r->refusal[0] == '\0')
        core_apply(t->setup.core, r->seq, &fact);
    t->utc_us = MAX(t->utc_us, fact.at_utc_us);
    turn_effect(t, (struct effect){.seq = r->seq, .fact = fact, .refused = r->refusal[0] != '\0'});
    return 0;
}

/* An entry of the batch whose outcome was unknown. */
static int adopt_own(struct turn *t, const struct journal_record *r, struct err *err)
{
    const struct store_entry *e = &t->entries[0];
    if (r->seq != e->seq || r->fact_len != e->len || memcmp(r->fact, e->bytes, e->len) != 0)
        return err_set(err, -ESTALE, "seq %" PRIu64 " in Redis is another scheduler's", r->seq);
    if (r->refusal[0] == '\0')
        turn_accept(t, 0);
    else
        turn_refuse(t, 0, r->refusal, "");
    memmove(t->entries, t->entries + 1, (t->count - 1) * sizeof *t->entries);
    turn_shift(t, 1);
    return 0;
}

static int adopt(void *arg, uint64_t seq, uint64_t term, const char *refusal, const uint8_t *bytes, size_t len,
                 struct err *err)
{
    struct turn *t = arg;
    struct journal_record r = {.seq = seq, .term = term, .fact = bytes, .fact_len = len};
    if (len > JOURNAL_FACT_MAX || snprintf(r.refusal, sizeof r.refusal, "%s", refusal) >= (int)sizeof r.refusal)
        return err_set(err, -EBADMSG, "seq %" PRIu64 " in Redis is no journal entry", seq);
    return t->count > 0 ? adopt_own(t, &r, err) : adopt_stranger(t, &r, err);
}

static void recovered(struct turn *t, const struct recover_report *report)
{
    bool new_term = t->term != report->term;
    t->term = report->term;
    t->stats.recoveries_total++;
    t->stats.rebuilds_total += report->rebuilt;
    if (report->rebuilt)
        log_line(LOG_ERROR, "store.rebuilt", "why=%s replayed=%" PRIu64, log_quote(report->reason), report->replayed);
    log_line(LOG_INFO, "store.ready", "term=%" PRIu64 " seq=%" PRIu64 " adopted=%" PRIu64 " replayed=%" PRIu64, t->term,
             journal_seq(t->setup.journal), report->adopted, report->replayed);
    t->state = TURN_READY;
    t->decide_due = true;
    snprintf(t->store_text, sizeof t->store_text, "up");
    if (new_term) {
        t->term_announced = false;
        t->term_floor = MAX(t->term_floor, t->term);
        t->setup.on_ready(t->setup.arg);
    }
    if (t->count > 0 && turn_send(t) < 0) {
        t->state = TURN_RECOVER; /* on_up or the timer comes again */
        timer_set_ms(t->retry_timer, RETRY_MS);
    }
}

void turn_recover(struct turn *t)
{
    t->recover_due = false;
    struct recover_call call = {.url = t->setup.redis_url, .cell = t->setup.cell, .writer = t->setup.writer,
                                .journal = t->setup.journal, .core = t->setup.core, .term = t->term,
                                .term_floor = t->term_floor, .adopt = adopt, .arg = t};
    struct recover_report report = {0};
    struct err err = {0};
    int rc = recover_store(&call, &report, &err);
    if (t->state == TURN_FATAL)
        return;
    if (rc == 0) {
        recovered(t, &report);
    } else if (recover_is_fatal(rc)) {
        turn_fatal(t, rc == -ESTALE ? EXIT_FENCED : EXIT_HOLD, err_text(&err));
    } else {
        snprintf(t->store_text, sizeof t->store_text, "store unavailable: %.160s", err_text(&err));
        log_line(LOG_WARN, "store.recovery_failed", "why=%s", log_quote(err_text(&err)));
        timer_set_ms(t->retry_timer, RETRY_MS);
    }
}

/* ---- snapshots, and forgetting what lies behind them ---- */
static struct snapshot_head head_now(const struct turn *t)
{
    struct snapshot_head h = {.point = journal_head(t->setup.journal), .term = t->term, .at_utc_us = t->utc_us};
    snprintf(h.cell, sizeof h.cell, "%s", t->setup.cell);
    return h;
}

static void on_snapshot(void *arg, bool ok)
{
    struct turn *t = arg;
    snapshot_job_free(TAKE_PTR(t->snapshot));
    log_line(ok ? LOG_INFO : LOG_ERROR, ok ? "snapshot.written" : "snapshot.failed", "seq=%" PRIu64, t->snapshot_next);
    if (!ok)
        return;
    t->snapshot_seq = t->snapshot_next;
    t->stats.snapshots_total++;
    turn_trim(t);
}

void turn_snapshot_maybe(struct turn *t)
{
    uint64_t seq = journal_seq(t->setup.journal);
    if (t->snapshot != NULL || seq < MAX(t->snapshot_seq, t->snapshot_next) + TURN_SNAPSHOT_EVERY)
        return;
    struct err err = {0};
    t->snapshot_next = seq;
    int rc = journal_rotate(t->setup.journal, &err);
    if (rc < 0) {
        turn_fatal(t, EXIT_FAILED, err_text(&err));
        return;
    }
    if (t->setup.on_rotated != NULL)
        t->setup.on_rotated(t->setup.arg);
    struct snapshot_head head = head_now(t);
    rc = snapshot_begin(&t->snapshot, t->setup.loop, journal_folder(t->setup.journal), &head, t->setup.core,
                        on_snapshot, t, &err);
    if (rc < 0)
        log_line(LOG_ERROR, "snapshot.failed", "why=%s", log_quote(err_text(&err)));
}

/* The file keeps its history behind what is archived for as long as the keys of ended jobs live: they are in no
 * snapshot, and a Redis that was lost gets them from these entries. */
static void files_prune(struct turn *t, uint64_t keep)
{
    struct err err = {0};
    uint64_t base = snapshot_prune(journal_folder(t->setup.journal), keep, STORE_KEY_TTL_S);
    if (base > 0 && journal_prune(t->setup.journal, base + 1, &err) < 0)
        log_line(LOG_ERROR, "journal.prune_failed", "why=%s", log_quote(err_text(&err)));
}

void turn_trim(struct turn *t)
{
    uint64_t keep = MIN(t->snapshot_seq, t->archived);
    if (keep < t->trimmed + TRIM_STEP || t->state != TURN_READY)
        return;
    struct store_sync *store = NULL;
    struct err err = {0};
    int rc = store_sync_open(&store, t->setup.redis_url, t->setup.cell, &err);
    if (rc == 0)
        rc = store_trim(store, keep + 1, &err);
    store_sync_close(store);
    if (rc < 0) {
        log_line(LOG_WARN, "journal.trim_failed", "why=%s", log_quote(err_text(&err)));
        return;
    }
    t->trimmed = keep;
    files_prune(t, keep);
    log_line(LOG_INFO, "journal.trimmed", "below=%" PRIu64, keep + 1);
}

int turn_close(struct turn *t, struct err *err)
{
    if (t->state == TURN_FATAL)
        return 0;
    int rc = journal_drain(t->setup.journal, err);
    if (rc < 0 || journal_seq(t->setup.journal) == MAX(t->snapshot_seq, (uint64_t)0) || t->term == 0)
        return rc;
    snapshot_job_free(TAKE_PTR(t->snapshot));
    struct snapshot_head head = head_now(t);
    return snapshot_write(journal_folder(t->setup.journal), &head, t->setup.core, err);
}
