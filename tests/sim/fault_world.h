/*
 * fault_world - a whole cell in one thread: the scheduler's own core between a journal file, a store, agents and
 * clients that can all fail. Time jumps from event to event; every fault comes from a stream of choices.
 *
 *   scheduler   the commit turn of scheduler/turn.c as a model: batch -> store -> file -> fsync -> effects; it can
 *               crash between any two effects and comes back by replay, takes a new term, makes both copies equal
 *   store       fence, ledger, entries; replies and requests get lost, it is away, it loses its newest entries (a
 *               replica that lagged is promoted), all of it
 *   network     a connection of each node is a stream each way: delays, stalls (one way or both) and breaks; what is
 *               under way on a broken one may still arrive, late
 *   nodes       agents that crash and come back; keepers that outlive them and end what isn't paid for or has no lease;
 *               reboots; clocks with an offset and a drift, wall clocks that jump
 *   clients     submit with keys, repeat until they are answered, cancel; admins drain, plan maintenance and change the
 *               policy
 *
 * What must hold after every event: see fault_check.c, and fault_books.h for all that can be told from the journal
 * alone. A broken rule ends the world with its name.
 */
#ifndef REEVE_TESTS_SIM_FAULT_WORLD_H
#define REEVE_TESTS_SIM_FAULT_WORLD_H

#include <setjmp.h>

#include "scheduler/core/core.h"
#include "tests/sim/choices.h"
#include "tests/sim/fault_books.h"
#include "tests/sim/idset.h"

#define MUST_NOT(what) \
    do { \
        if (what) \
            abort(); \
    } while (0)
#define ID(id) (unsigned long long)(id).job, (id).task, (id).epoch /* for "%llu.%u.%u" */
#define SECOND INT64_C(1000000)
#define WORLD_UTC INT64_C(1795478400000000) /* 2026-11-24T00:00:00Z */
#define NODE_CORES 4
#define BATCH_MAX 48 /* facts of one turn */
#define WISHES_MAX 4096
#define GIB ((uint64_t)1 << 30)

/* ---- faults: each there by coin, with a rate of its own ---- */
enum fault {
    FAULT_SCHED_CRASH, FAULT_SCHED_PAUSE, FAULT_AGENT_CRASH, FAULT_NODE_REBOOT, FAULT_LINK_BREAK, FAULT_STALL_UP,
    FAULT_STALL_DOWN, FAULT_STORE_AWAY, FAULT_STORE_REQUEST_LOST, FAULT_STORE_REPLY_LOST, FAULT_STORE_ROLLBACK,
    FAULT_STORE_WIPE, FAULT_CLOCK_JUMP, FAULT_SLOW_NETWORK, FAULT_SLOW_FSYNC, FAULT_CLIENT_LOSS, FAULT_CANCEL,
    FAULT_KEEPER_DIES, FAULT_LAUNCH_FAILS, FAULT_SECOND_SCHED, FAULT_DRAIN, FAULT_POLICY,
    FAULT_SNAPSHOT, FAULT_POWER_CUT, FAULT_PARTITION, FAULT_NODE_WIPED, FAULT_NODE_GONE, FAULT_AGENT_LONG_AWAY,
    FAULT_BLACK_HOLE, FAULT_CHANGE, FAULT_WINDOW, FAULT_SUSPEND, FAULT_COUNT
};
extern const char *const fault_names[FAULT_COUNT];

/* ---- what lies in both copies of the journal ---- */
/* A fact as its bytes, which nobody changes: whoever has a copy of the entry shares them. And, until its effects are
 * done, as it was proposed (scheduler/turn_settle.c keeps it for as long). */
struct record {
    uint32_t refs;
    bool pending;      /* its proposer's batch has it: not to be forgotten */
    struct fact *fact; /* NULL: forgotten */
    size_t len;
    uint8_t bytes[];
};
struct entry {
    uint64_t seq, term;
    const char *refusal; /* a word that stands somewhere for ever; "" = committed */
    struct record *record;
};
struct entries {
    struct entry *v;
    size_t count, size;
};

/* ---- messages and events ---- */
enum event_kind {
    EVENT_SCHED_TURN, EVENT_SCHED_SYNCED, EVENT_SCHED_START, EVENT_SCHED_TIMEOUT, EVENT_STORE_BATCH,
    EVENT_STORE_REPLY, EVENT_TO_SCHED, EVENT_TO_NODE, EVENT_NODE_CONNECT, EVENT_NODE_BEAT, EVENT_NODE_START,
    EVENT_PROC, EVENT_LAUNCHED, EVENT_CLIENT, EVENT_CLIENT_REPLY, EVENT_FAULT, EVENT_STORE_BACK, EVENT_SCHED_WAKE,
    EVENT_KIND_COUNT
};
enum message_kind {
    MESSAGE_HELLO, MESSAGE_BEAT, MESSAGE_STATE, /* up */
    MESSAGE_HELLO_ANSWER, MESSAGE_BEAT_ANSWER, MESSAGE_STATE_ANSWER, MESSAGE_RUN, MESSAGE_PAID, MESSAGE_STOP,
    MESSAGE_FORGET, MESSAGE_UNAVAILABLE, /* down */
    MESSAGE_KIND_COUNT
};
struct message {
    enum message_kind kind;
    uint64_t conn, term, sent_boot_us, paid_us;
    struct attempt_id id;
    uint32_t cause, suspends;
    struct measure io_paid;
    struct message *next; /* of those to be used again */
    union { /* by kind; the others have none, and no room for it */
        struct hello_call hello;
        struct attempt_state state;
        struct beats { struct attempt_beat *v; size_t count, size; } beats; /* v is kept with the message */
        struct run_call run;
    };
};
struct event {
    int64_t at_us;
    enum event_kind kind;
    struct event *next; /* of those to be used again */
    size_t node, sched;
    uint64_t token;
    struct message *message;
    struct entries batch;         /* with the store, or back: then refusal is the outcome */
    uint64_t writer, term;
    uint64_t primary;             /* whom it was sent to */
};

/* What each scheduler has one of at most: set anew, it takes the place of the one before. */
enum alarm { ALARM_TURN, ALARM_TIMEOUT, ALARM_COUNT };
struct event_slot {
    uint64_t key; /* time, and a number: ties, first come */
    struct event *event;
};
#define EVENT_LANES 6
#define EVENT_PLACES (EVENT_LANES + 2 * ALARM_COUNT + 1) /* lanes, alarms, the heap */
struct event_queue {
    uint64_t soonest[EVENT_PLACES]; /* the key of what is first there */
    struct event_slot *v; /* a heap, each place with four below it */
    size_t count, size;
    struct event_lane {   /* a ring, soonest first */
        struct event_slot *v;
        size_t first, count, size;
    } lanes[EVENT_LANES];
    struct event *spare;
    struct message *spare_messages[MESSAGE_KIND_COUNT];
};

/* ---- the scheduler ---- */
enum wish_kind {
    WISH_HELLO,
    WISH_STATE,
    WISH_SUBMIT,
    WISH_CANCEL,
    WISH_DRAIN,
    WISH_UNDRAIN,
    WISH_RELEASE,
    WISH_POLICY,
    WISH_CHANGE,                  /* variant: what of a job */
    WISH_WINDOW,                  /* variant: which nodes, when, and what of what runs */
    WISH_SUSPEND,                 /* variant 1: resumed */
    WISH_REOPEN,                  /* the first window there is, is taken back */
    WISH_KIND_COUNT
};
struct wish { /* what somebody wants of it */
    enum wish_kind kind;
    size_t node, client;
    struct message *message;
    uint64_t job;
    uint32_t variant;   /* of the policy */
    uint64_t last_seq;  /* settled when this is durable; 0 = not proposed yet */
    size_t waits;       /* facts of it whose outcome is not known */
    char refusal[48];
    bool partial;       /* there is more to do: ask again */
    uint64_t answer_job;
};
struct pending {        /* a fact of the batch under way */
    struct entry entry;
    struct wish *wish;
};
struct sched {
    bool up, ready, paused;
    uint64_t life;      /* counts starts: events of an earlier life are dropped */
    struct core *core;
    struct entries file;
    size_t durable, effected;
    bool syncing;
    uint64_t term, writer;
    struct pending *batch;
    size_t batch_count, batch_size;
    bool asked;         /* the batch is with the store */
    struct wish **inbox;
    size_t inbox_count, inbox_size;
    struct wish **settling;
    size_t settling_count, settling_size;
    uint64_t *conn;     /* by node: the connection that is its own; 0 = none */
    int64_t *heard_us;  /* by node: when a hello or a beat of it came in; -1 = not yet */
    int64_t turn_us;    /* when the next turn is; 0 = none */
    int64_t last_utc_us, last_us; /* of the newest fact, and when that was in truth */
    uint64_t asked_for;  /* which answer is waited for, until its alarm */
    uint64_t term_floor; /* a node has obeyed this one */
};

/* ---- the store ---- */
struct store {
    bool away;
    struct entries entries;
    struct ledger *ledger;
    uint64_t writer, term;
    uint64_t primary;             /* another process, or machine, after each of its mishaps */
    struct store_key { char text[64]; uint64_t job; } *keys; /* open addressing */
    size_t keys_size;
    struct books *books;
};

/* ---- nodes ---- */
enum proc_life { PROC_NONE, PROC_ALIVE, PROC_DEAD };
struct attempt_here {
    struct attempt_id id;
    bool ended, over;             /* over: confirmed */
    bool running_told, end_told;  /* answered */
    bool tell_under_way;
    enum proc_life proc;          /* the truth, whatever the agent knows */
    uint64_t paid_us, lease_us, limit_us, lease_from_boot_us;
    uint64_t started_boot_us, needs_us, cpu_milli, mem_bytes;
    struct measure io_paid;       /* heard last; it moves no further */
    uint64_t io_per_us;           /* bytes */
    uint32_t suspends;            /* the highest number heard: odd = it stands still, or is about to */
    bool stood;
    uint64_t stood_boot_us;       /* since when */
    int64_t dies_us;              /* true time at which a kill is over; INT64_MAX = nobody kills it */
    uint32_t dies_of;
    struct exit_record record;
    int64_t started_utc_us;
};
struct node {
    char name[8];
    bool agent_up;
    bool gone;                    /* for good */
    uint64_t boot, life;
    int64_t boot_began_us;
    int64_t drift_ppm, utc_offset_us;
    uint64_t term_seen, hellos;
    struct attempt_here *attempts; /* that live, or whose end isn't confirmed */
    size_t count, size;
    struct idset over;            /* the others it ever had: how each ended */
    /* connection, as the agent has it */
    uint64_t conn;
    size_t conn_sched;
    uint64_t conn_life;
    bool greeted;
    uint64_t contact_boot_us;     /* when what was answered last had been sent */
    int64_t answered_us;          /* true time of the last answer */
    int64_t stalled_up_us, stalled_down_us;
    int64_t black_hole_us;        /* until then every launch fails, at once */
    int64_t last_up_us, last_down_us; /* a stream: nothing overtakes */
};

/* ---- clients ---- */
struct client_job {
    bool there, acked, cancelled; /* cancelled: and that was answered */
    uint64_t job;
    uint32_t tenant;
    char key[24];
    uint64_t cpu_milli, mem_bytes, limit_us;
    uint32_t lease, loss, retries, tasks, cap, gang, gang_min, per_node;
    bool within, spread;          /* a gang of its within one zone, its tasks over all zones */
    int32_t priority;
    int64_t budget_micros;
    uint64_t after;               /* a job that it waits for; 0 = none */
    uint32_t after_on, after_tasks;
    uint64_t start_by_s, finish_by_s; /* from its submission on; 0 = none */
    uint32_t where;               /* of world_wheres */
};

/* What nodes some jobs ask for. A node's label `zone` is a where its number is even, else b; `boot` counts,
 * `shelf` changes now and then. */
#define WORLD_WHERES 4
extern const char *const world_wheres[WORLD_WHERES];

/* What kind of world. 0 = as chance has it. */
struct scene {
    int64_t seconds;
    size_t nodes, jobs, tenants;
    int64_t beat_us, gap_us;     /* between two beats of a node; between two submissions at most */
    uint64_t recount_every;      /* events */
    uint64_t decode_every;       /* of so many readings of a fact one is of its bytes (entry_read) */
    bool quiet;                  /* no faults */
};

struct world {
    struct choices *choices;
    struct scene scene;
    uint32_t rates[FAULT_COUNT]; /* of 65536, at each of its chances */
    int64_t now_us;
    uint64_t events, numbers, conns, reads, decode_every;
    uint64_t recount_in;         /* events */
    struct event_queue queue;
    struct buf bytes;            /* scratch */
    struct core_limits limits;
    struct sched sched[2];
    size_t active;               /* the one that clients and agents find */
    struct store store;
    struct node *nodes;
    size_t nodes_count;
    struct client_job *jobs;
    size_t jobs_count, jobs_want;
    bool healing;
    bool calm;                   /* nothing fails: then nothing may be lost */
    int64_t sched_utc_offset_us;
    uint64_t hash;
    uint64_t seen[FAULT_COUNT], placed, ended, recovered, launched;
    struct idset intents;        /* placements that were durable once */
    struct idset told;           /* (job, 0, 0) -> its place in `jobs`, once its client knows it */
    struct idset alive;          /* (job, task, 0) -> how many live */
    struct core *spare;          /* half made */
    jmp_buf *broken_to;
    char broken[256];
};

/* Runs a whole world: faults for scene.seconds of its time, then healing. False: a rule was broken, its sentence in
 * w->broken. */
bool world_live(struct world *w, struct choices *choices, const struct scene *scene);
void world_free(struct world *w);

/* ---- between the files ---- */
bool world_suits(const struct world *w, uint32_t where, size_t node); /* as it is now */
void broken(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
bool fault(struct world *w, enum fault f);
extern bool trace_on;
void trace(const struct world *w, const char *format, ...) PRINTF_LIKE(2, 3); /* with --trace */
int64_t delay_us(struct world *w);
/* fault_events.c */
void events_init(struct world *w);
struct event *event_at(struct world *w, int64_t at_us, enum event_kind kind);
void alarm_set(struct world *w, enum alarm alarm, size_t sched, int64_t at_us);
void alarm_clear(struct world *w, enum alarm alarm, size_t sched);
struct event *event_next(struct world *w, int64_t end_us); /* NULL: none until then. The caller is done with it later */
void event_done(struct world *w, struct event *e);
void events_fini(struct world *w);
struct message *message_new(struct world *w, enum message_kind kind);
void message_free(struct world *w, struct message *m);
/* fault_journal.c */
struct record *record_new(struct world *w, struct fact *f); /* takes the fact; the caller has the first reference */
void record_forget(struct record *r);                       /* the fact; its bytes stay */
void record_drop(struct record *r);
bool record_equal(const struct record *a, const struct record *b);
/* The fact of an entry: as it was proposed while that is known, but every so many times (world.decode_every), and
 * always later, from its bytes, which must then say the same. The caller clears the room. */
const struct fact *entry_read(struct world *w, const struct entry *e, struct fact *room);
void entries_add(struct entries *e, const struct entry *from);
void entries_cut(struct entries *e, size_t count);
bool entry_equal(const struct entry *a, const struct entry *b);
/* fault_sched.c */
void sched_start(struct world *w, size_t number);
void sched_crash(struct world *w, size_t number);
void sched_event(struct world *w, struct event *e);
/* Takes what is filled in; with a scheduler that is down it is lost. */
void sched_wish(struct world *w, size_t number, struct wish wish);
struct core_now sched_now(const struct world *w, const struct sched *s);
/* The connection to the store is another one: whatever was asked has no answer, both copies are compared again. */
void sched_store_broke(struct world *w, size_t number);
/* The first of the batch has an outcome: into the file, into the core. */
void sched_accept(struct world *w, struct sched *s, const char *refusal);
void sched_note_time(const struct world *w, struct sched *s, int64_t utc_us); /* of a fact: later ones aren't earlier */
void batch_add(struct world *w, struct sched *s, struct fact *f, struct wish *wish); /* takes the fact */
/* fault_propose.c */
void propose_wishes(struct world *w, struct sched *s);
void propose_first_policy(struct world *w, struct sched *s);
void wish_free(struct world *w, struct wish *wish);
void wish_put(struct wish ***v, size_t *count, size_t *size, struct wish *wish);
#define WORLD_TENANTS 6
#define WORLD_POOR 2 /* its budget runs out */
void world_tenant(const struct world *w, uint32_t number, char out[32]);
/* fault_effects.c */
void effect_of(struct world *w, struct sched *s, const struct fact *f);
void effect_settle(struct world *w, struct sched *s, struct wish *wish); /* the wish is durable */
size_t node_number(const struct world *w, const char *name); /* nodes_count: none of that name */
void send_down(struct world *w, struct sched *s, size_t n, struct message *m);
/* fault_store.c */
void store_event(struct world *w, struct event *e);
void store_init(struct world *w);
void store_rollback(struct world *w, size_t keep);
bool store_recover(struct world *w, size_t s);
uint64_t store_key_job(const struct world *w, const struct fact *submitted); /* 0: the key isn't there */
/* fault_keeper.c */
uint64_t keeper_boot_us(const struct world *w, const struct node *n); /* its node's clock */
struct attempt_here *keeper_find(struct node *n, struct attempt_id id); /* NULL: not there any more, or not yet */
struct attempt_here *keeper_add(struct node *n, struct attempt_id id);
void keeper_look_at(struct world *w, size_t number, int64_t at_us, struct attempt_id id); /* then its timers are due */
void keeper_looks(struct world *w, size_t number, struct attempt_here *a);
void keeper_begin(struct world *w, const struct node *n, struct attempt_here *a);
void keeper_end(struct world *w, struct node *n, struct attempt_here *a, uint32_t cause, uint64_t run_us);
void keeper_kill_soon(struct world *w, size_t number, struct attempt_here *a, uint32_t cause);
void keeper_stand(struct world *w, const struct node *n, struct attempt_here *a);
uint64_t keeper_run_us(const struct world *w, const struct node *n, const struct attempt_here *a);
struct measure keeper_io_told(const struct world *w, const struct node *n, const struct attempt_here *a,
                              uint64_t run_us);
void keeper_sweep(struct node *n);
/* fault_node.c */
void node_event(struct world *w, struct event *e);
void node_init(struct world *w, size_t n);
void node_crash(struct world *w, size_t n);
void node_reboot(struct world *w, size_t n);
void node_wipe(struct world *w, size_t n); /* nothing runs there any more, and it has forgotten everything */
void node_leave(struct world *w, size_t n); /* for good */
void to_node(struct world *w, size_t n, struct message *m);
/* fault_client.c */
void client_event(struct world *w, struct event *e);
void client_begin(struct world *w);
void client_answer(struct world *w, struct wish *wish);
/* fault_check.c */
void check_counts(struct world *w); /* of the active scheduler: what overtakes what, what waits */
static inline void check_touched(struct world *w)
{
    const struct sched *s = &w->sched[w->active];
    if (s->effected > s->durable || s->durable > s->file.count || s->inbox_count > WISHES_MAX ||
        s->settling_count > 2 * WISHES_MAX)
        check_counts(w);
}
void check_all(struct world *w);
void check_ended(struct world *w, const struct fact_ended *f);
void check_renewed(struct world *w, const struct fact_renewed *f);
void check_placement(struct world *w, const struct sched *s, const struct fact_placed *f); /* proposed */
/* Nothing of it may run anywhere, of any epoch; what the node runs must fit on it. */
void check_gang(struct world *w, const struct fact_gang *f);
void check_launch(struct world *w, size_t number, const struct attempt_here *it);
/* No lease counts from later than when that was sent which was answered. */
void check_leases(struct world *w, const struct node *n, uint64_t asked_boot_us);
bool check_quiet(const struct world *w); /* nothing lives, nothing is left to tell */
void check_healed(struct world *w);

#endif
