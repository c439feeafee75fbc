/* The scheduler: its own core, and scheduler/turn.c and recover_*.c as a model. */
#include <stdio.h>

#include "tests/sim/fault_world.h"

#define TIMEOUT_US 250000
#define RETRY_US 200000
#define RESTART_MAX 40 /* of 100 ms */

struct core_now sched_now(const struct world *w, const struct sched *s)
{
    int64_t utc_us = WORLD_UTC + w->now_us + w->sched_utc_offset_us;
    int64_t least_us = s->last_utc_us + (w->now_us - s->last_us) / 1000 * 999; /* set back: it goes on, a bit slower */
    return (struct core_now){MAX(utc_us, least_us), (uint64_t)w->now_us + 1000 * SECOND};
}


void sched_note_time(const struct world *w, struct sched *s, int64_t utc_us)
{
    if (utc_us > s->last_utc_us) {
        s->last_utc_us = utc_us;
        s->last_us = w->now_us;
    }
}

/* One turn is enough for all that asked before it. */
static void turn_soon(struct world *w, size_t number, int64_t us)
{
    struct sched *s = &w->sched[number];
    int64_t at_us = w->now_us + us;
    if (s->turn_us != 0 && s->turn_us <= at_us)
        return;
    alarm_set(w, ALARM_TURN, number, at_us);
    s->turn_us = at_us;
}

void sched_wish(struct world *w, size_t number, struct wish wish)
{
    struct sched *s = &w->sched[number];
    if (!s->up) {
        message_free(w, wish.message);
        return;
    }
    struct wish *kept = malloc(sizeof *kept);
    MUST_NOT(kept == NULL);
    *kept = wish;
    wish_put(&s->inbox, &s->inbox_count, &s->inbox_size, kept);
    turn_soon(w, number, 0);
}

/* ---- birth and death ---- */
static void batch_drop(struct sched *s)
{
    for (size_t i = 0; i < s->batch_count; i++) {
        s->batch[i].entry.record->pending = false;
        record_forget(s->batch[i].entry.record);
        record_drop(s->batch[i].entry.record);
    }
    free(s->batch);
    s->batch = NULL;
    s->batch_count = s->batch_size = 0;
    s->asked = false;
}

void sched_crash(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    if (!s->up)
        return;
    for (size_t i = 0; i < s->settling_count; i++)
        if (s->settling[i]->waits == 0) /* the others are in the batch, too */
            wish_free(w, s->settling[i]);
    for (size_t i = 0; i < s->batch_count; i++) {
        struct wish *wish = s->batch[i].wish;
        if (wish != NULL && --wish->waits == 0)
            wish_free(w, wish);
    }
    for (size_t i = 0; i < s->inbox_count; i++)
        wish_free(w, s->inbox[i]);
    batch_drop(s);
    free(s->settling);
    free(s->inbox);
    free(s->conn);
    free(s->heard_us);
    core_free(s->core);
    /* What was not yet fsynced may be there, or the first part of it. */
    size_t keep = s->durable + choose(w->choices, s->file.count - s->durable + 1);
    entries_cut(&s->file, keep);
    *s = (struct sched){.file = s->file, .durable = keep, .life = s->life + 1};
    alarm_clear(w, ALARM_TURN, number);
    alarm_clear(w, ALARM_TIMEOUT, number);
    if (w->active == number) {
        int64_t pause_us = w->healing ? SECOND : 100000 + (int64_t)choose(w->choices, RESTART_MAX) * 100000;
        event_at(w, w->now_us + pause_us, EVENT_SCHED_START)->sched = number;
    }
}

/* ---- replay, as a whole or from a snapshot ---- */
static void replay_fact(struct world *w, struct core *core, uint64_t seq, const struct fact *fact, const char *what)
{
    struct err err = {0};
    if (core_apply_check(core, fact, &err) < 0)
        broken(w, "%s of seq %llu: %s", what, (unsigned long long)seq, err_text(&err));
    core_apply(core, seq, fact);
}

struct copying {
    struct world *w;
    struct core *to;
    uint64_t seq;
};

/* Through its bytes, as a file would. */
static int copy_fact(void *arg, const struct fact *fact)
{
    struct copying *c = arg;
    struct buf bytes = {0};
    struct fact read = {0};
    struct err err = {0};
    fact_encode(fact, &bytes);
    MUST_NOT(bytes.failed);
    if (fact_decode((const uint8_t *)buf_text(&bytes), bytes.len, &read, &err) < 0)
        broken(c->w, "a snapshot at seq %llu can't be read: %s", (unsigned long long)c->seq, err_text(&err));
    replay_fact(c->w, c->to, c->seq, &read, "snapshot");
    fact_clear(&read);
    buf_fini(&bytes);
    return 0;
}

/* The core goes on as its own snapshot, which must be the same core. */
static void begin_from_snapshot(struct world *w, struct sched *s)
{
    struct err err = {0};
    struct core_stats stats;
    core_stats(s->core, &stats);
    struct copying c = {.w = w, .seq = stats.seq};
    int rc = core_new(&c.to, &w->limits, &err);
    MUST_NOT(rc < 0);
    struct core *from = s->core;
    w->spare = c.to; /* freed with the world, should a rule break on the way */
    rc = core_snapshot(from, copy_fact, &c);
    MUST_NOT(rc < 0);
    if (core_hash(from) != core_hash(c.to))
        broken(w, "a snapshot at seq %llu isn't the state that it was made of", (unsigned long long)c.seq);
    w->spare = NULL;
    s->core = c.to;
    core_free(from);
}

void sched_start(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    struct err err = {0};
    int rc = core_new(&s->core, &w->limits, &err);
    MUST_NOT(rc < 0);
    s->up = true;
    s->life++;
    s->conn = calloc(w->nodes_count, sizeof s->conn[0]);
    s->heard_us = malloc(w->nodes_count * sizeof s->heard_us[0]);
    MUST_NOT(s->conn == NULL || s->heard_us == NULL);
    for (size_t n = 0; n < w->nodes_count; n++)
        s->heard_us[n] = -1;
    size_t tail = choose(w->choices, 2) == 0 ? 16 : s->file.count; /* behind the snapshot, at most */
    size_t snapshot =
        fault(w, FAULT_SNAPSHOT) ? s->file.count - MIN(s->file.count, choose(w->choices, tail + 1)) : SIZE_MAX;
    for (size_t i = 0; i < s->file.count; i++) {
        const struct entry *e = &s->file.v[i];
        struct fact room;
        if (i == snapshot)
            begin_from_snapshot(w, s);
        record_forget(e->record); /* who proposed it is gone */
        const struct fact *fact = entry_read(w, e, &room);
        if (e->refusal[0] == '\0')
            replay_fact(w, s->core, e->seq, fact, "replay");
        struct fact one;
        for (size_t k = e->refusal[0] == '\0' ? fact_placements(fact) : 0; k-- > 0;) /* in the file: safe */
            idset_put(&w->intents, fact_placement(fact, k, &one)->placed.id, 1);
        sched_note_time(w, s, fact->at_utc_us);
        fact_clear(&room);
    }
    s->effected = s->durable = s->file.count;
    turn_soon(w, number, 0);
}

/* ---- fsync ---- */
static void settle_durable(struct world *w, struct sched *s)
{
    for (size_t i = 0; i < s->settling_count;) {
        struct wish *wish = s->settling[i];
        if (wish->waits > 0 || wish->last_seq > s->durable) {
            i++;
            continue;
        }
        s->settling[i] = s->settling[--s->settling_count];
        effect_settle(w, s, wish);
        wish_free(w, wish);
    }
}

static void sync_soon(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    if (s->syncing || s->file.count == s->durable)
        return;
    int64_t us = fault(w, FAULT_SLOW_FSYNC) ? (int64_t)choose(w->choices, 32) * 50000 : 200;
    struct event *e = event_at(w, w->now_us + us, EVENT_SCHED_SYNCED);
    e->sched = number;
    e->token = s->life;
    e->writer = s->file.count;
    s->syncing = true;
}

static void synced(struct world *w, size_t number, size_t count)
{
    struct sched *s = &w->sched[number];
    uint64_t life = s->life;
    s->syncing = false;
    s->durable = MAX(s->durable, count);
    while (s->effected < s->durable) {
        const struct entry *e = &s->file.v[s->effected++];
        struct fact room;
        room.kind = FACT_NONE;
        if (e->refusal[0] == '\0')
            effect_of(w, s, entry_read(w, e, &room));
        fact_clear(&room);
        record_forget(e->record);
        if (fault(w, FAULT_SCHED_CRASH)) /* between any two effects */
            sched_crash(w, number);
        if (s->life != life || !s->up)
            return;
    }
    settle_durable(w, s);
    sync_soon(w, number);
    turn_soon(w, number, 0);
}

/* ---- the commit ---- */
void sched_store_broke(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    if (!s->up)
        return;
    s->asked = s->ready = false;
    turn_soon(w, number, RETRY_US);
}

static void trace_fact(const struct world *w, const struct pending *p, const char *refusal)
{
    const struct fact *f = p->entry.record->fact;
    struct attempt_id id = {0};
    if (!trace_on)
        return;
    if (f->kind == FACT_JOB_SUBMITTED)
        id.job = f->submitted.job;
    else if (f->kind == FACT_GANG_PLACED)
        id.job = f->gang_placed.job;
    else if (f->kind >= FACT_ATTEMPT_PLACED && f->kind <= FACT_ATTEMPT_ENDED)
        id = f->placed.id; /* all of these begin with it */
    trace(w, "seq %llu %s %llu.%u.%u %s%s%s", (unsigned long long)p->entry.seq, names_get(&fact_names, f->kind),
          ID(id), f->kind == FACT_ATTEMPT_PLACED ? f->placed.node : "",
          f->kind == FACT_ATTEMPT_ENDED ? end_causes[f->ended.record.cause].name : "", refusal);
}

void sched_accept(struct world *w, struct sched *s, const char *refusal)
{
    struct pending *p = &s->batch[0];
    struct record *record = p->entry.record;
    const struct fact *f = record->fact;
    struct wish *wish = p->wish;
    struct err err = {0};
    p->entry.refusal = refusal;
    trace_fact(w, p, refusal);
    entries_add(&s->file, &p->entry);
    sched_note_time(w, s, f->at_utc_us);
    if (refusal[0] == '\0') {
        if (core_apply_check(s->core, f, &err) < 0)
            broken(w, "seq %llu, committed, contradicts the state: %s", (unsigned long long)p->entry.seq,
                   err_text(&err));
        if (f->kind == FACT_ATTEMPT_ENDED)
            check_ended(w, &f->ended);
        if (f->kind == FACT_HOLD_RENEWED)
            check_renewed(w, &f->renewed);
        w->placed += fact_placements(f);
        core_apply(s->core, p->entry.seq, f);
    } else {
        core_refused(s->core, f, refusal, "", sched_now(w, s));
    }
    if (wish != NULL) {
        wish->last_seq = p->entry.seq;
        wish->waits--;
        if (strcmp(refusal, "key_exists") == 0)
            wish->answer_job = store_key_job(w, f);
        else if (refusal[0] != '\0')
            snprintf(wish->refusal, sizeof wish->refusal, "%s", refusal);
    }
    record->pending = false;
    record_drop(record); /* the file has it */
    memmove(s->batch, s->batch + 1, (s->batch_count - 1) * sizeof s->batch[0]);
    s->batch_count--;
}

void batch_add(struct world *w, struct sched *s, struct fact *f, struct wish *wish)
{
    sched_note_time(w, s, f->at_utc_us);
    if (s->batch_count == s->batch_size) {
        s->batch_size = MAX(s->batch_size * 2, 8);
        s->batch = realloc(s->batch, s->batch_size * sizeof s->batch[0]);
        MUST_NOT(s->batch == NULL);
    }
    s->batch[s->batch_count++] = (struct pending){{.refusal = "", .record = record_new(w, f)}, wish};
    if (wish != NULL)
        wish->waits++;
}

static void ask_store(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    struct event *e = event_at(w, w->now_us + delay_us(w), EVENT_STORE_BATCH);
    for (size_t i = 0; i < s->batch_count; i++) {
        s->batch[i].entry.seq = s->file.count + i + 1;
        s->batch[i].entry.term = s->term;
        entries_add(&e->batch, &s->batch[i].entry);
    }
    e->sched = number;
    e->token = w->numbers;
    e->writer = s->writer;
    e->term = s->term;
    e->primary = w->store.primary;
    s->asked = true;
    alarm_set(w, ALARM_TIMEOUT, number, w->now_us + TIMEOUT_US);
    s->asked_for = e->token;
}

static void decide(struct world *w, struct sched *s, uint64_t *ret_next)
{
    struct fact facts[BATCH_MAX];
    size_t room = BATCH_MAX - MIN((size_t)BATCH_MAX, s->batch_count);
    size_t count = core_decide(s->core, sched_now(w, s), facts, room, ret_next);
    for (size_t i = 0; i < count; i++) {
        struct fact one;
        for (size_t k = 0; k < fact_placements(&facts[i]); k++)
            check_placement(w, s, &fact_placement(&facts[i], k, &one)->placed);
        if (facts[i].kind == FACT_GANG_PLACED)
            check_gang(w, &facts[i].gang_placed);
        batch_add(w, s, &facts[i], NULL);
    }
}

static void begin_term(struct world *w, struct sched *s)
{
    struct fact f = {.kind = FACT_TERM_TAKEN, .at_utc_us = sched_now(w, s).utc_us};
    f.term.term = s->term;
    int rc = str_set(&f.term.writer, "sim");
    MUST_NOT(rc < 0);
    batch_add(w, s, &f, NULL);
    if (s->file.count == 0)
        propose_first_policy(w, s);
}

/* Both copies equal, the term its own. false: not now, or another one has the cell. */
static bool get_ready(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    uint64_t before = s->term;
    bool fenced = s->term != 0 && w->store.term > s->term;
    if (fenced && number != w->active) {
        sched_crash(w, number);
        return false;
    }
    if (s->ready && !fenced)
        return true;
    if (fenced)
        s->term = 0; /* started anew, in one step */
    if (!store_recover(w, number)) {
        turn_soon(w, number, RETRY_US);
        return false;
    }
    s->ready = true;
    sync_soon(w, number);
    if (s->term != before && s->batch_count == 0)
        begin_term(w, s);
    return true;
}

static void turn(struct world *w, size_t number)
{
    struct sched *s = &w->sched[number];
    uint64_t next = UINT64_MAX;
    if (s->asked || !get_ready(w, number))
        return;
    if (s->batch_count == 0 || s->batch[0].entry.record->fact->kind == FACT_TERM_TAKEN) {
        propose_wishes(w, s);
        decide(w, s, &next);
    }
    settle_durable(w, s);
    if (s->batch_count > 0)
        ask_store(w, number);
    else if (next != UINT64_MAX)
        turn_soon(w, number, MAX((int64_t)(next - MIN(next, sched_now(w, s).boot_us)), 1000));
}

/* ---- events ---- */
static void on_turn(struct world *w, struct event *e)
{
    w->sched[e->sched].turn_us = 0;
    turn(w, e->sched);
}

static void replied(struct world *w, struct event *e)
{
    struct sched *s = &w->sched[e->sched];
    if (!s->asked || s->asked_for != e->token)
        return;
    s->asked = false;
    alarm_clear(w, ALARM_TIMEOUT, e->sched);
    for (size_t i = 0; i < e->batch.count; i++) {
        const char *outcome = e->batch.v[i].refusal;
        if (strcmp(outcome, "dup") == 0 || strcmp(outcome, "gap") == 0 || strcmp(outcome, "fenced") == 0) {
            s->ready = false;
            break;
        }
        sched_accept(w, s, outcome);
    }
    sync_soon(w, e->sched);
    turn_soon(w, e->sched, 0);
}

static void beaten(struct world *w, struct sched *s, struct event *e)
{
    const struct beats *beats = &e->message->beats;
    struct core_now now = sched_now(w, s);
    const char *name = w->nodes[e->node].name;
    s->heard_us[e->node] = w->now_us;
    core_node_seen(s->core, name, now);
    for (size_t i = 0; i < beats->count; i++) {
        const struct attempt_beat *b = &beats->v[i];
        core_attempt_seen(s->core, name, b->id, b->run_us, now);
        core_attempt_stands(s->core, name, b->id, b->suspends, b->stands, now);
        core_attempt_used(s->core, name, b->id, (struct use_point){.run_us = b->run_us, .io_bytes = b->usage.io_bytes});
    }
    turn_soon(w, e->sched, 0);
    /* Taken for granted, and not yet so: reeved acknowledges beats, and so renews leases, until its next commit tells
     * it that another has the cell. Who starts a second scheduler has to stop the first. */
    bool fenced = w->store.term > s->term;
    if (s->term == 0 || fenced)
        return;
    struct message *answer = message_new(w, MESSAGE_BEAT_ANSWER);
    answer->sent_boot_us = e->message->sent_boot_us;
    send_down(w, s, e->node, answer);
}

static void arrived(struct world *w, struct event *e)
{
    struct sched *s = &w->sched[e->sched];
    struct message *m = e->message;
    if (!s->up || e->token != s->life)
        return;
    struct attempt_id of = m->kind == MESSAGE_STATE ? m->state.id : (struct attempt_id){0};
    if (m->kind != MESSAGE_BEAT)
        trace(w, "%s -> sched: %s conn %llu %llu.%u.%u", w->nodes[e->node].name,
              m->kind == MESSAGE_HELLO ? "hello" : "state", (unsigned long long)m->conn, ID(of));
    if (m->kind == MESSAGE_HELLO && m->hello.term_seen > s->term) {
        s->term_floor = m->hello.term_seen; /* takes a higher one before it commits anything more */
        s->term = 0;
        s->ready = false;
        turn_soon(w, e->sched, 0);
        return; /* the agent comes again */
    }
    if (m->kind != MESSAGE_HELLO && (s->conn[e->node] != m->conn || m->conn == 0))
        return;
    if (m->kind == MESSAGE_BEAT) {
        beaten(w, s, e);
        return;
    }
    e->message = NULL;
    sched_wish(
        w, e->sched,
        (struct wish){.kind = m->kind == MESSAGE_HELLO ? WISH_HELLO : WISH_STATE, .node = e->node, .message = m});
}

static void on_start(struct world *w, struct event *e)
{
    if (!w->sched[e->sched].up && w->active == e->sched)
        sched_start(w, e->sched);
}

static void on_wake(struct world *w, struct event *e)
{
    w->sched[e->sched].paused = false;
}

static void on_synced(struct world *w, struct event *e)
{
    const struct sched *s = &w->sched[e->sched];
    if (e->token == s->life && s->up)
        synced(w, e->sched, e->writer);
}

static void on_timeout(struct world *w, struct event *e)
{
    struct sched *s = &w->sched[e->sched];
    if (s->asked) {
        s->asked = false;
        s->ready = false;
        turn_soon(w, e->sched, 0);
    }
}

/* It sleeps: what comes lies in its sockets. */
static void come_later(struct world *w, struct event *e)
{
    if (e->kind == EVENT_SCHED_TURN || e->kind == EVENT_SCHED_TIMEOUT) {
        bool turns = e->kind == EVENT_SCHED_TURN;
        alarm_set(w, turns ? ALARM_TURN : ALARM_TIMEOUT, e->sched, w->now_us + RETRY_US);
        if (turns)
            w->sched[e->sched].turn_us = w->now_us + RETRY_US;
        return;
    }
    struct event *later = event_at(w, w->now_us + RETRY_US, e->kind);
    later->node = e->node;
    later->sched = e->sched;
    later->token = e->token;
    later->writer = e->writer;
    later->primary = e->primary;
    later->message = e->message;
    later->batch = e->batch;
    e->message = NULL;
    e->batch = (struct entries){0};
}

void sched_event(struct world *w, struct event *e)
{
    static void (*const handlers[EVENT_KIND_COUNT])(struct world *, struct event *) = {
        [EVENT_SCHED_START] = on_start,   [EVENT_SCHED_WAKE] = on_wake,       [EVENT_SCHED_TURN] = on_turn,
        [EVENT_SCHED_SYNCED] = on_synced, [EVENT_SCHED_TIMEOUT] = on_timeout, [EVENT_STORE_REPLY] = replied,
        [EVENT_TO_SCHED] = arrived,
    };
    bool sleeps = w->sched[e->sched].paused && e->kind != EVENT_SCHED_WAKE && e->kind != EVENT_SCHED_START;
    (sleeps ? come_later : handlers[e->kind])(w, e);
}
