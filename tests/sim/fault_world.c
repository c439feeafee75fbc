#include "tests/sim/fault_world.h"

#include <stdarg.h>
#include <stdio.h>

const char *const fault_names[FAULT_COUNT] = {
    [FAULT_SCHED_CRASH] = "scheduler crashes",
    [FAULT_SCHED_PAUSE] = "scheduler pauses",
    [FAULT_AGENT_CRASH] = "agent crashes",
    [FAULT_NODE_REBOOT] = "node reboots",
    [FAULT_LINK_BREAK] = "connection breaks",
    [FAULT_STALL_UP] = "nothing gets to the scheduler",
    [FAULT_STALL_DOWN] = "nothing gets to the node",
    [FAULT_STORE_AWAY] = "store away",
    [FAULT_STORE_REQUEST_LOST] = "request to the store lost",
    [FAULT_STORE_REPLY_LOST] = "reply of the store lost",
    [FAULT_STORE_ROLLBACK] = "store rolled back",
    [FAULT_STORE_WIPE] = "store wiped",
    [FAULT_CLOCK_JUMP] = "wall clock jumps",
    [FAULT_SLOW_NETWORK] = "slow message",
    [FAULT_SLOW_FSYNC] = "slow fsync",
    [FAULT_CLIENT_LOSS] = "client loses a call or an answer",
    [FAULT_CANCEL] = "cancel",
    [FAULT_CHANGE] = "change of a job",
    [FAULT_KEEPER_DIES] = "keeper dies",
    [FAULT_LAUNCH_FAILS] = "launch fails",
    [FAULT_SECOND_SCHED] = "second scheduler",
    [FAULT_DRAIN] = "drain or its end",
    [FAULT_POLICY] = "another policy",
    [FAULT_SNAPSHOT] = "begins from a snapshot",
    [FAULT_POWER_CUT] = "power cut: scheduler and store",
    [FAULT_PARTITION] = "partition",
    [FAULT_NODE_WIPED] = "node set up anew",
    [FAULT_NODE_GONE] = "node gone for good",
    [FAULT_AGENT_LONG_AWAY] = "agent long away",
    [FAULT_WINDOW] = "maintenance window, or its end",
    [FAULT_SUSPEND] = "suspended or resumed",
    [FAULT_BLACK_HOLE] = "every launch fails on a node",
};

/* The faults that the world itself brings, asked twice a second. Of 65536; the others are asked at each message. */
#define RATE_RARE 4096
#define RATE_MESSAGE 8192
#define HEAL_LEAST 8     /* of 20 s: longer than any lease */
#define HEAL_QUIET 4     /* longer than the pause before another attempt */
#define HEAL_ROUNDS 400
#define DRAWN_NODES 6 /* at most */
#define DRAWN_JOBS 96

void broken(struct world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(w->broken, sizeof w->broken, format, args);
    va_end(args);
    longjmp(*w->broken_to, 1);
}

bool trace_on;

void trace(const struct world *w, const char *format, ...)
{
    va_list args;
    if (!trace_on)
        return;
    printf("%10.3f ", (double)w->now_us / 1e6);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

bool fault(struct world *w, enum fault f)
{
    if (w->healing || !chance(w->choices, w->rates[f]))
        return false;
    w->seen[f]++;
    trace(w, "*** %s", fault_names[f]);
    return true;
}

int64_t delay_us(struct world *w)
{
    int64_t us = 100 + (int64_t)choose(w->choices, 4) * 200;
    return fault(w, FAULT_SLOW_NETWORK) ? us + (int64_t)choose(w->choices, 32) * 100000 : us;
}

/* ---- faults from outside ---- */
static void jump_clock(struct world *w)
{
    int64_t by = (int64_t)(choose(w->choices, 3) + 1) * 1200 * SECOND * (choose(w->choices, 2) ? 1 : -1);
    size_t n = choose(w->choices, w->nodes_count + 1);
    if (n == w->nodes_count)
        w->sched_utc_offset_us += by;
    else
        w->nodes[n].utc_offset_us += by;
}

static void break_link(struct world *w, size_t n)
{
    w->nodes[n].conn = 0;
    w->nodes[n].greeted = false;
    for (size_t i = 0; i < w->nodes[n].count; i++)
        w->nodes[n].attempts[i].tell_under_way = false;
    struct event *e = event_at(w, w->now_us + 100000 + (int64_t)choose(w->choices, 8) * 200000, EVENT_NODE_CONNECT);
    e->node = n;
}

static void store_away(struct world *w, int64_t us)
{
    w->store.away = true;
    (void)event_at(w, w->now_us + us, EVENT_STORE_BACK);
}

static void begin_second(struct world *w)
{
    size_t other = 1 - w->active;
    if (w->sched[other].up || !w->sched[w->active].up || w->store.away)
        return;
    sched_start(w, other); /* on another machine: it has no file, and the old one may live on */
    w->active = other;
}

/* One is left to do the work, and where gangs may want a node for each of their two tasks (make_caps()), two. */
static bool may_leave(const struct world *w, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < w->nodes_count; i++)
        left += !w->nodes[i].gone && i != n;
    return left > (w->nodes_count >= 3);
}

static void node_faults(struct world *w, size_t n)
{
    if (w->nodes[n].gone)
        return;
    if (fault(w, FAULT_AGENT_CRASH))
        node_crash(w, n);
    if (fault(w, FAULT_NODE_REBOOT))
        node_reboot(w, n);
    if (fault(w, FAULT_BLACK_HOLE))
        w->nodes[n].black_hole_us = w->now_us + (int64_t)choose(w->choices, 128) * SECOND;
    if (fault(w, FAULT_NODE_WIPED))
        node_wipe(w, n);
    if (may_leave(w, n) && fault(w, FAULT_NODE_GONE))
        node_leave(w, n);
}

static void faults(struct world *w)
{
    struct choices *c = w->choices;
    size_t n = choose(c, w->nodes_count);
    struct sched *s = &w->sched[w->active];
    if (fault(w, FAULT_SCHED_CRASH))
        sched_crash(w, w->active);
    if (s->up && !s->paused && fault(w, FAULT_SCHED_PAUSE)) {
        s->paused = true;
        event_at(w, w->now_us + (int64_t)choose(c, 64) * 250000, EVENT_SCHED_WAKE)->sched = w->active;
    }
    if (fault(w, FAULT_POWER_CUT)) {
        sched_crash(w, w->active);
        store_rollback(w, w->store.entries.count - MIN(w->store.entries.count, choose(c, 24)));
    }
    node_faults(w, n);
    if (w->nodes[n].conn != 0 && fault(w, FAULT_LINK_BREAK))
        break_link(w, n);
    if (fault(w, FAULT_STALL_UP))
        w->nodes[n].stalled_up_us = w->now_us + (int64_t)choose(c, 128) * 250000;
    if (fault(w, FAULT_STALL_DOWN))
        w->nodes[n].stalled_down_us = w->now_us + (int64_t)choose(c, 128) * 250000;
    if (fault(w, FAULT_PARTITION)) {
        w->nodes[n].stalled_up_us = w->now_us + (int64_t)choose(c, 128) * 250000;
        w->nodes[n].stalled_down_us = w->now_us + (int64_t)choose(c, 32) * 160000;
    }
    if (!w->store.away && fault(w, FAULT_STORE_AWAY))
        store_away(w, (int64_t)choose(c, 64) * 100000);
    if (fault(w, FAULT_STORE_ROLLBACK))
        store_rollback(w, w->store.entries.count - MIN(w->store.entries.count, choose(c, 24)));
    if (fault(w, FAULT_STORE_WIPE))
        store_rollback(w, 0);
    if (fault(w, FAULT_CLOCK_JUMP))
        jump_clock(w);
    if (fault(w, FAULT_SECOND_SCHED))
        begin_second(w);
    if (fault(w, FAULT_DRAIN))
        sched_wish(w, w->active, (struct wish){.kind = choose(c, 2) == 0 ? WISH_DRAIN : WISH_UNDRAIN, .node = n});
    if (fault(w, FAULT_POLICY))
        sched_wish(w, w->active, (struct wish){.kind = WISH_POLICY, .variant = (uint32_t)choose(c, 2)});
    if (fault(w, FAULT_WINDOW))
        sched_wish(w, w->active, (struct wish){.kind = choose(c, 4) == 0 ? WISH_REOPEN : WISH_WINDOW, .node = n,
                                               .variant = (uint32_t)choose(c, 1024)});
    if (w->jobs_count > 0 && fault(w, FAULT_CHANGE)) {
        const struct client_job *j = &w->jobs[choose(c, w->jobs_count)];
        uint32_t variant = (uint32_t)choose(c, 8);
        if (j->acked)
            sched_wish(w, w->active, (struct wish){.kind = WISH_CHANGE, .job = j->job, .variant = variant});
    }
    if (w->jobs_count > 0 && fault(w, FAULT_SUSPEND)) {
        const struct client_job *j = &w->jobs[choose(c, w->jobs_count)];
        uint32_t variant = (uint32_t)choose(c, 2), times = choose(c, 4) == 0 ? 3 : 1; /* minds are changed at once */
        for (uint32_t i = 0; i < times && j->acked; i++)
            sched_wish(w, w->active,
                       (struct wish){.kind = WISH_SUSPEND, .job = j->job, .variant = (variant + i) % 2});
    }
    (void)event_at(w, w->now_us + SECOND / 2, EVENT_FAULT);
}

static void draw_rates(struct world *w)
{
    w->calm = choose(w->choices, 8) == 7;
    for (size_t f = 0; f < FAULT_COUNT; f++) {
        bool there = choose(w->choices, 2) == 1 && !w->scene.quiet;
        bool often = f == FAULT_STORE_REQUEST_LOST || f == FAULT_STORE_REPLY_LOST || f == FAULT_SLOW_NETWORK ||
                     f == FAULT_SLOW_FSYNC || f == FAULT_CLIENT_LOSS || f == FAULT_LAUNCH_FAILS || f == FAULT_CANCEL ||
                     f == FAULT_AGENT_LONG_AWAY;
        uint32_t most = often ? RATE_MESSAGE : RATE_RARE;
        w->rates[f] = there ? most >> choose(w->choices, 5) : 0;
    }
    w->rates[FAULT_SNAPSHOT] = MIN(w->rates[FAULT_SNAPSHOT] * 16, 65536u); /* asked at each start only */
    w->rates[FAULT_NODE_GONE] /= 16;
    for (size_t f = 0; w->calm && f < FAULT_COUNT; f++)
        if (f != FAULT_CANCEL && f != FAULT_CLIENT_LOSS && f != FAULT_DRAIN && f != FAULT_POLICY)
            w->rates[f] = 0;
    if (w->rates[FAULT_STORE_ROLLBACK] > 0 || w->rates[FAULT_STORE_WIPE] > 0 || w->rates[FAULT_POWER_CUT] > 0)
        w->rates[FAULT_SECOND_SCHED] = 0; /* a copy of the journal is needed somewhere */
    if (w->rates[FAULT_SECOND_SCHED] > 0)
        w->rates[FAULT_SCHED_CRASH] = MIN(w->rates[FAULT_SCHED_CRASH], 256u);
}

/* ---- life ---- */
static void on_store_back(struct world *w, struct event *e)
{
    (void)e;
    w->store.away = false;
}

static void on_fault(struct world *w, struct event *e)
{
    (void)e;
    faults(w);
}

static void (*const handlers[EVENT_KIND_COUNT])(struct world *w, struct event *e) = {
    [EVENT_SCHED_TURN] = sched_event,    [EVENT_SCHED_SYNCED] = sched_event, [EVENT_SCHED_START] = sched_event,
    [EVENT_SCHED_TIMEOUT] = sched_event, [EVENT_STORE_REPLY] = sched_event,  [EVENT_TO_SCHED] = sched_event,
    [EVENT_SCHED_WAKE] = sched_event,    [EVENT_STORE_BATCH] = store_event,  [EVENT_STORE_BACK] = on_store_back,
    [EVENT_TO_NODE] = node_event,        [EVENT_NODE_CONNECT] = node_event,  [EVENT_NODE_BEAT] = node_event,
    [EVENT_NODE_START] = node_event,     [EVENT_PROC] = node_event,          [EVENT_LAUNCHED] = node_event,
    [EVENT_CLIENT] = client_event,       [EVENT_CLIENT_REPLY] = client_event, [EVENT_FAULT] = on_fault,
};

static void live_until(struct world *w, int64_t end_us)
{
    for (struct event *e; (e = event_next(w, end_us)) != NULL;) {
        w->now_us = e->at_us;
        w->events++;
        w->hash = (w->hash ^ (uint64_t)e->at_us ^ (uint64_t)e->kind << 56) * UINT64_C(0x100000001b3);
        handlers[e->kind](w, e);
        event_done(w, e);
        check_touched(w);
        if (--w->recount_in == 0) {
            w->recount_in = w->scene.recount_every;
            check_all(w);
        }
    }
    w->now_us = end_us;
}

static void heal(struct world *w)
{
    w->healing = true;
    w->store.away = false;
    w->sched_utc_offset_us = MAX(w->sched_utc_offset_us, 0);
    for (size_t n = 0; n < w->nodes_count; n++)
        w->nodes[n].stalled_up_us = w->nodes[n].stalled_down_us = w->nodes[n].black_hole_us = 0;
}

/* What an admin does when all is well again. */
static void tidy(struct world *w)
{
    for (size_t n = 0; n < w->nodes_count; n++)
        sched_wish(w, w->active, (struct wish){.kind = WISH_UNDRAIN, .node = n});
    if (!w->scene.quiet)
        sched_wish(w, w->active, (struct wish){.kind = WISH_REOPEN});
    for (size_t i = 0; i < w->jobs_count && !w->scene.quiet; i++)
        if (w->jobs[i].acked) {
            sched_wish(w, w->active, (struct wish){.kind = WISH_SUSPEND, .job = w->jobs[i].job, .variant = 1});
            sched_wish(w, w->active, (struct wish){.kind = WISH_RELEASE, .job = w->jobs[i].job});
        }
}

static void set_scene(struct world *w, const struct scene *scene)
{
    w->scene = *scene;
    w->scene.beat_us = scene->beat_us > 0 ? scene->beat_us : SECOND;
    w->scene.recount_every = w->recount_in = MAX(scene->recount_every, 1);
    w->limits = core_limits_default;
    w->decode_every = scene->decode_every > 0 ? scene->decode_every : choose(w->choices, 2) == 0 ? 1 : 16;
    w->nodes_count = scene->nodes > 0 ? scene->nodes : 2 + choose(w->choices, DRAWN_NODES - 1);
    w->jobs_want = scene->jobs > 0 ? scene->jobs : 8 + choose(w->choices, DRAWN_JOBS - 7);
    w->nodes = calloc(w->nodes_count, sizeof w->nodes[0]);
    w->jobs = calloc(w->jobs_want, sizeof w->jobs[0]);
    MUST_NOT(w->nodes == NULL || w->jobs == NULL);
    if (scene->quiet)
        return;
    w->limits.slice_ms = 20000;
    w->limits.lease_patient_ms = 60000;
    w->limits.pause_max_ms = 60000;
    w->limits.suspend_max_ms = 90000;
}

bool world_live(struct world *w, struct choices *choices, const struct scene *scene)
{
    jmp_buf here;
    *w = (struct world){.choices = choices, .broken_to = &here, .hash = UINT64_C(0xcbf29ce484222325)};
    events_init(w);
    set_scene(w, scene);
    draw_rates(w);
    if (setjmp(here) != 0)
        return false;
    store_init(w);
    sched_start(w, 0);
    for (size_t n = 0; n < w->nodes_count; n++)
        node_init(w, n);
    client_begin(w);
    if (!scene->quiet)
        (void)event_at(w, SECOND, EVENT_FAULT);
    live_until(w, scene->seconds * SECOND);
    heal(w);
    for (int64_t i = 0, quiet = 0; i < HEAL_ROUNDS && (i < HEAL_LEAST || quiet < HEAL_QUIET); i++) {
        tidy(w);
        live_until(w, w->now_us + 20 * SECOND);
        quiet = check_quiet(w) ? quiet + 1 : 0;
    }
    check_all(w);
    check_healed(w);
    return true;
}

void world_free(struct world *w)
{
    w->healing = true;
    for (size_t s = 0; s < 2; s++) {
        if (w->sched[s].up)
            sched_crash(w, s);
        entries_cut(&w->sched[s].file, 0);
    }
    events_fini(w);
    buf_fini(&w->bytes);
    entries_cut(&w->store.entries, 0);
    ledger_free(w->store.ledger);
    books_free(w->store.books);
    free(w->store.keys);
    core_free(w->spare);
    for (size_t n = 0; n < w->nodes_count; n++) {
        for (size_t i = 0; i < w->nodes[n].count; i++)
            fields_clear(&exit_record_fields, &w->nodes[n].attempts[i].record);
        free(w->nodes[n].attempts);
        idset_fini(&w->nodes[n].over);
    }
    free(w->nodes);
    free(w->jobs);
    idset_fini(&w->intents);
    idset_fini(&w->told);
    idset_fini(&w->alive);
}
