#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "scheduler/exit_codes.h"
#include "scheduler/turn_inner.h"

/* Shares of a batch: whoever asks more than fits must not keep the core from deciding (starts, but renewals too), nor
 * nodes from reporting. What one leaves is the next one's. */
enum { WAKE_MS = 20, QUARTER = TURN_BATCH_MAX / 4, CLOCK_SLOWER = 1000, CLOCK_STEP_US = 1000000 };

/* ---- the inbox ---- */
static void inbox_push(struct inbox *b, struct request *r)
{
    r->next = NULL;
    *b->last = r;
    b->last = &r->next;
    b->count++;
}

static void inbox_push_front(struct inbox *b, struct request *r)
{
    r->next = b->first;
    b->first = r;
    if (b->last == &b->first)
        b->last = &r->next;
    b->count++;
    b->deferred++;
}

static struct request *inbox_pop(struct inbox *b)
{
    struct request *r = b->first;
    if (r == NULL)
        return NULL;
    b->first = r->next;
    if (b->first == NULL)
        b->last = &b->first;
    r->next = NULL;
    b->count--;
    b->deferred -= b->deferred > 0;
    return r;
}

static void request_unavailable(struct turn *t, struct request *r, const char *why)
{
    t->stats.unavailable_total++;
    if (!r->told)
        r->ops->unavailable(r, why);
    r->ops->free(r);
}

void turn_fail_inbox(struct turn *t, const char *why)
{
    for (struct request *r; (r = inbox_pop(&t->inbox)) != NULL;)
        request_unavailable(t, r, why);
}

static struct inbox *inbox_of(struct turn *t, const struct request *r)
{
    return r->ops->patient ? &t->nodes : &t->inbox;
}

void turn_post(struct turn *t, struct request *r)
{
    if (t->state != TURN_READY && !r->ops->patient) {
        request_unavailable(t, r, t->store_text);
    } else if (inbox_of(t, r)->count >= TURN_INBOX_MAX) {
        t->stats.busy_total++;
        request_unavailable(t, r, "busy: too many requests are waiting");
    } else {
        inbox_push(inbox_of(t, r), r);
    }
}

void turn_repost(struct turn *t, struct request *r)
{
    r->refusal[0] = r->detail[0] = '\0';
    if (t->state != TURN_READY && !r->ops->patient)
        request_unavailable(t, r, t->store_text);
    else
        inbox_push_front(inbox_of(t, r), r);
}

/* ---- building a batch ---- */
struct core_now turn_now(struct turn *t)
{
    uint64_t boot_us = clock_boot_us();
    uint64_t gone_us = boot_us - t->utc_boot_us;
    int64_t utc_us = t->utc_at_us + (int64_t)(gone_us - gone_us / CLOCK_SLOWER);
    int64_t wall_us = clock_utc_us();
    bool late = t->utc_us > utc_us; /* a fact of an earlier life was found meanwhile */
    t->utc_us = MAX(MAX(t->utc_us, utc_us), wall_us);
    if (wall_us >= utc_us || late || gone_us >= CLOCK_STEP_US) {
        t->utc_at_us = t->utc_us;
        t->utc_boot_us = boot_us;
    }
    return (struct core_now){.utc_us = t->utc_us, .boot_us = boot_us};
}

/* The core filled the next `n` slots. */
static void batch_take(struct turn *t, size_t n, struct request *owner)
{
    for (size_t i = 0; i < n; i++) {
        BUG(t->facts[t->count].kind == FACT_NONE);
        t->offsets[t->count] = t->bytes.len;
        fact_encode(&t->facts[t->count], &t->bytes);
        t->owners[t->count++] = owner;
    }
    if (owner != NULL)
        owner->open += (uint32_t)n;
}

static void propose_term(struct turn *t, struct core_now now)
{
    if (t->term_announced)
        return;
    struct fact *f = &t->facts[t->count];
    *f = (struct fact){.kind = FACT_TERM_TAKEN, .at_utc_us = now.utc_us};
    f->term = (struct fact_term){.term = t->term, .schema = STORE_SCHEMA};
    if (str_set(&f->term.writer, t->setup.writer) == 0)
        batch_take(t, 1, NULL);
    t->term_announced = true;
}

/* The first `left` of a box, until the batch holds `max` facts, or enough bytes. */
static void propose_inbox(struct turn *t, struct inbox *box, size_t left, size_t max, struct core_now now)
{
    struct inbox later = {.last = &later.first};
    for (; left > 0 && t->count < max && t->bytes.len < TURN_BATCH_BYTES; left--) {
        struct request *r = inbox_pop(box);
        size_t n = 0;
        switch (r->ops->propose(r, t->setup.core, now, t->facts + t->count, max - t->count, &n)) {
        case REQUEST_FACTS:
            batch_take(t, n, r);
            if (n == 0)
                turn_settle_when_durable(t, r);
            break;
        case REQUEST_LATER:
            inbox_push(&later, r);
            break;
        case REQUEST_ANSWERED:
            r->ops->free(r);
            break;
        }
    }
    if (later.first != NULL) { /* before those that came after them */
        *later.last = box->first;
        box->last = box->first == NULL ? later.last : box->last;
        box->first = later.first;
        box->count += later.count;
        box->deferred += later.count;
    }
}

/* Who had to wait because something about the same job was on its way comes before anything new is said about it. */
static void propose_all(struct turn *t, struct core_now now)
{
    propose_inbox(t, &t->inbox, t->inbox.deferred, QUARTER, now);
    propose_inbox(t, &t->nodes, t->nodes.count, 2 * QUARTER, now);
    propose_inbox(t, &t->inbox, t->inbox.count, 3 * QUARTER, now);
}

static void propose_decisions(struct turn *t, struct core_now now)
{
    size_t room = TURN_BATCH_MAX - t->count;
    if (!t->decide_due || room == 0)
        return;
    uint64_t next_us = UINT64_MAX;
    size_t n = core_decide(t->setup.core, now, t->facts + t->count, room, &next_us);
    batch_take(t, n, NULL);
    t->stats.decide_us_total += clock_boot_us() - now.boot_us;
    t->decide_due = n == room;
    if (next_us == UINT64_MAX)
        timer_cancel(t->decide_timer);
    else
        timer_set_us(t->decide_timer, next_us > now.boot_us ? next_us - now.boot_us : 0);
}

int turn_send(struct turn *t)
{
    for (size_t i = 0; i < t->count; i++) {
        size_t end = i + 1 < t->count ? t->offsets[i + 1] : t->bytes.len;
        t->entries[i] = (struct store_entry){.seq = t->first_seq + i, .fact = &t->facts[i],
                                             .bytes = (const uint8_t *)t->bytes.data + t->offsets[i],
                                             .len = end - t->offsets[i]};
    }
    int rc = store_commit(t->store, t->setup.writer, t->term, journal_durable(t->setup.journal), t->entries, t->count);
    t->out = rc == 0;
    return rc;
}

/* Certainly not sent: nothing of it has happened. */
static void batch_drop(struct turn *t, const char *why)
{
    struct core_now now = turn_now(t);
    for (size_t i = 0; i < t->count; i++) {
        struct request *r = t->owners[i];
        core_refused(t->setup.core, &t->facts[i], "dropped", "", now);
        fact_clear(&t->facts[i]);
        if (r == NULL || --r->open > 0)
            continue;
        if (r->ops->patient)
            turn_repost(t, r);
        else
            request_unavailable(t, r, why);
    }
    t->count = 0;
    t->decide_due = true;
}

static void batch_begin(struct turn *t)
{
    if (t->effects.count > TURN_UNSYNCED_MAX)
        return;
    if (t->nodes.count + t->inbox.count == 0 && !t->decide_due && t->term_announced)
        return;
    struct core_now now = turn_now(t);
    t->first_seq = journal_seq(t->setup.journal) + 1;
    buf_reset(&t->bytes);
    propose_term(t, now);
    propose_all(t, now);
    propose_decisions(t, now);
    if (t->count == 0)
        return;
    t->stats.batches_total++;
    if (t->bytes.failed)
        batch_drop(t, "out of memory");
    else if (turn_send(t) < 0)
        batch_drop(t, "store unavailable");
}

bool turn_run(void *turn)
{
    struct turn *t = turn;
    if (t->state == TURN_RECOVER && t->recover_due && !t->out)
        turn_recover(t);
    if (t->state == TURN_READY && t->count == 0 && !t->stopping)
        batch_begin(t);
    if (t->state != TURN_FATAL)
        journal_flush(t->setup.journal);
    if (t->stopping && !t->out)
        loop_stop(t->setup.loop);
    else if (t->state == TURN_READY)
        turn_snapshot_maybe(t);
    return false;
}

/* ---- the rest of the interface ---- */
static void on_decide_timer(void *arg)
{
    ((struct turn *)arg)->decide_due = true;
}

/* A commit hears of another scheduler at once. Who is idle asks: it acknowledges beats, and leases live by that. */
static void on_fence_timer(void *arg)
{
    struct turn *t = arg;
    if (t->state == TURN_READY && t->store != NULL && store_is_up(t->store) && t->term > 0)
        store_note_durable(t->store, t->term, journal_durable(t->setup.journal));
    timer_set_ms(t->fence_timer, TURN_FENCE_MS);
}

static void on_retry_timer(void *arg)
{
    struct turn *t = arg;
    t->recover_due = store_is_up(t->store);
}

void turn_stop(struct turn *t)
{
    t->stopping = true;
}

void turn_wake(struct turn *t)
{
    if (!t->decide_due)
        timer_set_ms(t->wake_timer, WAKE_MS);
}

void turn_archived(struct turn *t, uint64_t seq)
{
    t->archived = MAX(t->archived, MIN(seq, journal_durable(t->setup.journal)));
    turn_trim(t);
}

int turn_term_seen(struct turn *t, uint64_t term)
{
    if (term <= t->term)
        return 0;
    if (term - t->term > UINT32_MAX)
        return -ERANGE;
    log_line(LOG_WARN, "term.behind", "ours=%" PRIu64 " seen=%" PRIu64, t->term, term);
    t->term_floor = MAX(t->term_floor, term);
    t->term = 0; /* taken anew before anything else is committed */
    t->recover_due = store_is_up(t->store);
    if (t->state == TURN_READY)
        t->state = TURN_RECOVER;
    return 0;
}

void turn_fatal(struct turn *t, int exit_code, const char *why)
{
    if (t->state == TURN_FATAL)
        return;
    t->state = TURN_FATAL;
    t->setup.on_fatal(t->setup.arg, exit_code, why);
}

static void on_journal_failed(void *arg, const struct err *err)
{
    turn_fatal(arg, EXIT_FAILED, err_text(err)); /* never fsync again after a failure: start anew from what is there */
}

static int turn_start(struct turn *t, struct err *err)
{
    const struct turn_setup *s = &t->setup;
    t->store_handlers = (struct store_handlers){turn_on_up, turn_on_down, turn_on_committed};
    t->journal_handlers = (struct journal_handlers){turn_on_synced, on_journal_failed};
    if (timer_new(&t->decide_timer, s->loop, on_decide_timer, t) < 0 ||
        timer_new(&t->wake_timer, s->loop, on_decide_timer, t) < 0 ||
        timer_new(&t->retry_timer, s->loop, on_retry_timer, t) < 0 ||
        timer_new(&t->unknown_timer, s->loop, turn_on_unknown_timer, t) < 0 ||
        timer_new(&t->fence_timer, s->loop, on_fence_timer, t) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    int rc = journal_begin(s->journal, s->loop, &t->journal_handlers, t, err);
    if (rc == 0)
        rc = store_open(&t->store, s->loop, s->redis_url, s->cell, &t->store_handlers, t, err);
    timer_set_ms(t->fence_timer, TURN_FENCE_MS);
    return rc;
}

int turn_new(struct turn **ret, const struct turn_setup *setup, struct err *err)
{
    struct turn *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    t->setup = *setup;
    t->state = TURN_RECOVER;
    t->nodes.last = &t->nodes.first;
    t->inbox.last = &t->inbox.first;
    t->term_floor = setup->term_floor;
    t->utc_us = t->utc_at_us = setup->at_utc_us;
    t->utc_boot_us = clock_boot_us();
    if (t->utc_us > clock_utc_us() + CLOCK_STEP_US)
        log_line(LOG_WARN, "clock.behind", "by_s=%" PRId64 " what=\"the newest fact is later than now\"",
                 (t->utc_us - clock_utc_us()) / 1000000);
    t->snapshot_seq = setup->snapshot_seq;
    t->decide_due = true;
    snprintf(t->store_text, sizeof t->store_text, "store unavailable: not connected yet");
    int rc = turn_start(t, err);
    if (rc < 0) {
        turn_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void turn_free(struct turn *t)
{
    if (t == NULL)
        return;
    store_close(t->store);
    for (struct request *r; (r = inbox_pop(&t->nodes)) != NULL;)
        request_unavailable(t, r, "reeved is stopping");
    turn_fail_inbox(t, "reeved is stopping");
    for (size_t i = 0; i < t->count; i++) {
        if (t->owners[i] != NULL && --t->owners[i]->open == 0)
            request_unavailable(t, t->owners[i],
                                "reeved is stopping; the outcome is not known yet: ask again with the same key");
        fact_clear(&t->facts[i]);
    }
    turn_effects_free(t);
    snapshot_job_free(t->snapshot);
    timer_free(t->decide_timer);
    timer_free(t->wake_timer);
    timer_free(t->retry_timer);
    timer_free(t->unknown_timer);
    timer_free(t->fence_timer);
    buf_fini(&t->bytes);
    free(t);
}

void turn_stats(const struct turn *t, struct turn_stats *ret)
{
    *ret = t->stats;
    ret->state = t->state;
    ret->term = t->term;
    ret->seq = journal_seq(t->setup.journal);
    ret->durable = journal_durable(t->setup.journal);
    ret->archived = t->archived;
    ret->snapshot_seq = t->snapshot_seq;
    ret->inbox = t->nodes.count + t->inbox.count;
    ret->inflight = t->count;
    ret->unsynced = t->effects.count;
    ret->store = t->store_text;
}
