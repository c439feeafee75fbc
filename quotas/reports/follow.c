#include "quotas/reports/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/log.h"

#define BATCH_MAX 1000
#define PAUSE_MIN_MS 20
#define PAUSE_MAX_MS 500
#define FRESH_US 2000 /* a round this young need not be repeated for a request */

static const char *const state_names[] = {
    [FOLLOW_STARTING] = "starting", [FOLLOW_OK] = "ok",
    [FOLLOW_STORE_DOWN] = "store_down", [FOLLOW_BEHIND] = "behind",
    [FOLLOW_GAP] = "gap", [FOLLOW_OTHER_JOURNAL] = "other_journal",
    [FOLLOW_UNREADABLE] = "unreadable", [FOLLOW_DISK] = "disk",
};
_Static_assert(COUNT_OF(state_names) == FOLLOW_STATE_COUNT, "a name for each state");
const struct names follow_state_names = {state_names, COUNT_OF(state_names)};

struct follow {
    struct book *book;
    struct link *link;
    struct timer *timer;
    void (*on_archived)(void *arg, uint64_t seq);
    void *arg;
    struct follow_view view;
    struct err why;
    uint64_t checked;       /* link->opened when the journal was last found to be ours */
    uint64_t round_boot_us; /* end of the last round */
    uint64_t pause_ms;
};

/* ---- reading a batch ---------------------------------------------------------------------------------------- */
struct reading {
    struct book *book;
    uint64_t upto, count;
    int code;
    struct err *err;
};

static bool on_entry(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    struct reading *r = arg;
    if (seq > r->upto)
        return false;
    r->code = book_apply(r->book, seq, refusal, bytes, len, r->err);
    r->count++;
    return r->code == 0 && seq < r->upto;
}

int follow_read(struct book *book, struct store_sync *sync, uint64_t upto, size_t max, bool *ret_store_broke,
                struct err *err)
{
    *ret_store_broke = false;
    struct reading reading = {.book = book, .upto = upto, .err = err};
    uint64_t from = book_next(book);
    int r = store_read(sync, from, max, on_entry, &reading, err);
    if (reading.code < 0)
        return reading.code;
    if (r < 0) {
        *ret_store_broke = true;
        return r;
    }
    if (reading.count == 0)
        return err_set(err, -ERANGE, "entries %" PRIu64 " to %" PRIu64 " are not in the store", from, upto);
    return 0;
}

/* ---- states ---------------------------------------------------------------------------------------------------- */
static void enter(struct follow *f, uint32_t state, const struct err *why)
{
    bool changed = f->view.state != state;
    f->view.state = state;
    f->why = why != NULL ? *why : (struct err){0};
    if (state == FOLLOW_OK)
        f->view.ok_boot_us = clock_boot_us();
    if (!changed)
        return;
    log_line(state == FOLLOW_OK                                     ? LOG_INFO
             : state == FOLLOW_STORE_DOWN || state == FOLLOW_BEHIND ? LOG_WARN
                                                                    : LOG_ERROR,
             "report.state", "state=%s cursor=%" PRIu64 " durable=%" PRIu64 " why=%s",
             names_get(&follow_state_names, state), f->view.mark.cursor, f->view.durable,
             why != NULL ? log_quote(err_text(why)) : "\"\"");
}

static void store_broke(struct follow *f, const struct err *why)
{
    link_broke(f->link, why);
    enter(f, FOLLOW_STORE_DOWN, why);
}

/* Is the entry at our cursor the one that we have? Trimmed away: then its successor must be next, and is checked by
 * its number alone. */
struct comparing {
    const struct book_mark *mark;
    bool differs;
};

static bool on_mark(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    struct comparing *c = arg;
    uint8_t digest[SHA256_BYTES];
    book_digest(refusal, bytes, len, digest);
    c->differs = seq == c->mark->cursor && memcmp(digest, c->mark->digest, sizeof digest) != 0;
    return false;
}

static bool is_our_journal(struct follow *f, struct store_sync *sync, const struct store_status *status)
{
    struct comparing c = {.mark = &f->view.mark};
    struct err err = {0};
    if (f->checked == f->link->opened || f->view.mark.cursor == 0 || status->first_seq > f->view.mark.cursor)
        return true;
    if (store_read(sync, f->view.mark.cursor, 1, on_mark, &c, &err) < 0) {
        store_broke(f, &err);
        return false;
    }
    if (c.differs) {
        err_set(&err, -EXDEV, "entry %" PRIu64 " in the store is not the one that is in the reports", c.mark->cursor);
        enter(f, FOLLOW_OTHER_JOURNAL, &err);
        return false;
    }
    f->checked = f->link->opened;
    return true;
}

static void book_refused(struct follow *f, int code, const struct err *why)
{
    if (code == -ERANGE)
        enter(f, FOLLOW_GAP, why);
    else if (code == -EBADMSG || code == -EPROTO || code == -EPROTONOSUPPORT)
        enter(f, FOLLOW_UNREADABLE, why);
    else
        enter(f, FOLLOW_DISK, why);
}

/* True when there may be more at once. */
static bool read_batch(struct follow *f, struct store_sync *sync)
{
    struct err err = {0};
    bool broke = false;
    int r = book_begin(f->book, &err);
    if (r == 0)
        r = follow_read(f->book, sync, f->view.durable, BATCH_MAX, &broke, &err);
    if (r == 0)
        r = book_commit(f->book, &err);
    if (r < 0) {
        book_rollback(f->book);
        broke ? store_broke(f, &err) : book_refused(f, r, &err);
        return false;
    }
    uint64_t before = f->view.mark.cursor;
    f->view.mark = book_mark(f->book);
    f->view.entries_total += f->view.mark.cursor - before;
    f->view.batches_total++;
    enter(f, FOLLOW_OK, NULL);
    f->on_archived(f->arg, f->view.mark.cursor);
    return f->view.mark.cursor < f->view.durable;
}

static bool round_once(struct follow *f)
{
    struct store_sync *sync;
    struct store_status status = {0};
    struct err err = {0};
    if (link_get(f->link, &sync, &err) < 0) {
        enter(f, FOLLOW_STORE_DOWN, &err);
        return false;
    }
    if (store_status(sync, &status, &err) < 0) {
        store_broke(f, &err);
        return false;
    }
    f->view.durable = status.durable;
    f->view.seq = status.seq;
    uint64_t cursor = f->view.mark.cursor;
    if (status.durable < cursor) {
        f->checked = 0; /* what comes back may not be what was there */
        err_set(&err, -EAGAIN, "the store has %" PRIu64 " durable entries, the reports %" PRIu64, status.durable,
                cursor);
        enter(f, FOLLOW_BEHIND, &err);
        return false;
    }
    if (!is_our_journal(f, sync, &status))
        return false;
    if (status.durable > cursor && status.first_seq > cursor + 1) {
        err_set(&err, -ERANGE, "entries %" PRIu64 " to %" PRIu64 " are gone from the store", cursor + 1,
                status.first_seq - 1);
        enter(f, FOLLOW_GAP, &err);
        return false;
    }
    if (status.durable > cursor)
        return read_batch(f, sync);
    enter(f, FOLLOW_OK, NULL);
    return false;
}

/* Not while the store is away: then nobody knows. */
static void note_lag(struct follow *f)
{
    bool behind = f->view.durable > f->view.mark.cursor;
    if (!behind)
        f->view.behind_since_boot_us = 0;
    else if (f->view.behind_since_boot_us == 0)
        f->view.behind_since_boot_us = clock_boot_us();
}

static void on_timer(void *arg)
{
    struct follow *f = arg;
    uint64_t before = f->view.mark.cursor;
    bool more = round_once(f);
    note_lag(f);
    f->round_boot_us = clock_boot_us();
    f->pause_ms = f->view.mark.cursor != before ? PAUSE_MIN_MS : MIN(f->pause_ms * 2, PAUSE_MAX_MS);
    timer_set_ms(f->timer, more ? 0 : f->pause_ms);
}

void follow_now(struct follow *f)
{
    if (clock_boot_us() - f->round_boot_us < FRESH_US)
        return;
    bool more = round_once(f);
    note_lag(f);
    f->round_boot_us = clock_boot_us();
    if (more)
        timer_set_ms(f->timer, 0);
}

int follow_new(struct follow **ret, struct loop *loop, struct book *book, struct link *link,
               void (*on_archived)(void *arg, uint64_t seq), void *arg, struct err *err)
{
    struct follow *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, -ENOMEM, "no memory");
    *f = (struct follow){.book = book, .link = link, .on_archived = on_archived, .arg = arg, .pause_ms = PAUSE_MIN_MS};
    f->view.mark = book_mark(book);
    int r = timer_new(&f->timer, loop, on_timer, f);
    if (r < 0) {
        free(f);
        return err_set(err, r, "timer: no memory");
    }
    timer_set_ms(f->timer, 0);
    if (f->view.mark.cursor > 0)
        on_archived(arg, f->view.mark.cursor); /* reeved may not have heard it before we died */
    *ret = f;
    return 0;
}

void follow_free(struct follow *f)
{
    if (f == NULL)
        return;
    timer_free(f->timer);
    free(f);
}

struct follow_view follow_view(const struct follow *f)
{
    struct follow_view view = f->view;
    view.text = f->view.state == FOLLOW_OK || f->view.state == FOLLOW_STARTING ? "" : err_text(&f->why);
    return view;
}
