/*
 * proto - every message that crosses a socket, as structs and tables. docs/protocol.md explains them; the tables
 * are the truth: parser, checker, help and the method list of the manual come from them.
 *
 * Three doors:
 *   reeve.sock   clients -> reeved        (client_methods)
 *   agent.sock   agents <-> reeved        (agent_calls: agent calls; node_calls: reeved calls on the same connection)
 *   report.sock  clients -> reportd       (report_methods); HTTP for dashboards is beside it, not here
 * Purity: pure.
 */
#ifndef REEVE_BASE_PROTO_H
#define REEVE_BASE_PROTO_H

#include "base/attempt.h"
#include "base/fact.h"
#include "base/job_spec.h"
#include "base/ledger_io.h"
#include "base/policy.h"
#include "base/task_state.h"

struct method {
    const char *name;
    const struct fields *params, *result; /* NULL = empty object */
    const char *help;
    bool admin;                           /* only admins may call it */
};

/* A refusal: not an error, an answer. `code` is stable; people read `message` and `hint`. */
struct refusal {
    char *code;     /* "bad_request" "not_found" "forbidden" "budget" "quota" "queue_full" "never_fits" "key_conflict"
                       "tenant_required" "stale_version" "state" ... */
    char *where;    /* place in the request, tenant or account: "resources.memory", "acme/etl" */
    char *message;  /* one sentence: what was refused and why */
    char *hint;     /* the smallest change that would be accepted; NULL when there is none */
    uint32_t retry_after_ms;
};
extern const struct fields refusal_fields;
/* Fills all four texts (NULL allowed); lack of memory leaves NULLs. */
void refusal_set(struct refusal *r, const char *code, const char *where, const char *message, const char *hint);

/* ---- clients ---------------------------------------------------------------------------------------------- */
struct submit_call { char *tenant; char *key; bool dry_run; struct job_spec spec; };
struct submit_reply {
    uint64_t job;                 /* 0 in a dry run */
    char *tenant;
    bool existed;                 /* the key was there already with the same body: this is that job */
    uint32_t tasks;
    int64_t quote_micros;         /* expected: up to the time limit, or one slice when there is none */
    int64_t quote_max_micros;     /* with every retry used; -1 = no upper bound (no limit, no budget) */
    int64_t quote_until_utc_us;   /* until then no change of prices can make it dearer */
    char *currency;
    char *would_start;            /* "now", or the first blocker in one line */
    int64_t io_price_micros;      /* per GiB where it would go; 0: its I/O costs nothing */
    uint64_t io_allowance_bytes;  /* that are held for at a time */
};
struct job_call { uint64_t job; bool has_task; uint32_t task; };
struct list_call { char *tenant; bool all_users; uint32_t limit; uint64_t after; bool finished; char *state; };
struct job_row {
    uint64_t job;
    char *name, *tenant, *user;
    char *state;                  /* pending, running, held, or a final state of base/task_state.h */
    uint32_t tasks, queued, live, done, failed; /* failed: final, and neither succeeded nor left out */
    uint32_t left_out;            /* final: their gang began without them */
    char *nodes;                  /* "n1" or "4 nodes" */
    uint64_t cpu_milli, mem_bytes; /* held now, all live tasks */
    int64_t cost_micros;          /* spent so far */
    int64_t quote_micros;
    char *waiting_for;            /* first blocker in one line; NULL when nothing waits */
    int64_t start_from_utc_us, start_to_utc_us; /* when its next task is expected to start; 0: not known */
    int64_t submitted_utc_us;
    int64_t ended_utc_us;         /* 0 while unfinished */
    char *reason;                 /* why tasks were ended that had not started: "cancelled", "dependency failed: ..." */
};
struct list_reply { struct list jobs; char *currency; bool more; };
/* How far an attempt's inputs or outputs are. */
struct stage_view {
    bool present;
    bool out;                     /* outputs; else inputs */
    uint64_t files, files_all, bytes, bytes_all; /* all: 0 while it is not known */
    uint64_t bytes_per_s;         /* lately */
    uint32_t part_ppm;            /* of the node's disk: its tenant's, if all that are there wanted it */
};
struct attempt_view {
    uint32_t task, epoch;
    char *state, *node, *cause, *sentence;
    int64_t placed_utc_us, started_utc_us, ended_utc_us;
    struct exit_record record;    /* while it runs: run_us and usage, as its node said last */
    int64_t spent_micros, hold_micros, written_off_micros;
    uint64_t paid_us, settled_us;
    struct measure io_paid_bytes; /* absent = its I/O has no bound */
    uint64_t paused_us;           /* how long it has stood still for want of money; as long as reeved knows it */
    struct stage_view staging;    /* while something is being brought in or out */
    struct list charges;          /* struct charge */
};
struct job_view {
    struct job_row row;
    struct job_spec spec;
    char *key;
    struct list attempts;         /* struct attempt_view, newest last; those reeved still knows */
    char *currency;
    uint64_t change;              /* counts changes of this job; for job.wait */
    int32_t exit_code;            /* of the job once final: what `reeve run` exits with */
    char *task;                   /* of one that was named: how it is; once over: succeeded, unsuccessful, left_out */
    int64_t left_out_utc_us;      /* when its gang began without it, as far as the reports know */
};
struct blocker {
    char *kind;                   /* "never" "held" "dependency" "quota" "budget" "rate" "placement" "cap" "store" */
    char *where;                  /* "acme/etl", "job 812", "node n1" */
    char *resource;
    int64_t limit, used, held, free, need, short_by;
    char *text;                   /* the line people read */
};
struct why_reply {
    char *state;
    uint64_t pending_ms;
    struct list blockers;         /* in order: what is first blocks first */
    char *change;                 /* the smallest change that admits it */
    char *estimate;               /* when it would start, as far as can be known; NULL = unknown */
    int64_t start_from_utc_us, start_to_utc_us; /* the same as an interval, as in struct job_row */
};
struct cancel_reply { uint32_t cancelled, stopping; };
/* What runs of it stands still, and nothing more of it starts; or it goes on. */
struct suspend_call { uint64_t job; bool has_task; uint32_t task; char *reason; };
struct suspend_reply { uint32_t attempts; };
struct priority_call { uint64_t job; int32_t priority; };
/* Answered when the job's change counter is not `seen`, or after the time. */
struct wait_call { uint64_t job; uint64_t seen; uint32_t timeout_ms; };
struct wait_reply { struct job_row row; uint64_t change; int32_t exit_code; bool final; };
/* What a task writes, and the files of an attempt that can be read like it: the profile that a traced one came to. */
enum log_stream { STREAM_OUT, STREAM_ERR, LOG_STREAM_COUNT, STREAM_SECCOMP = LOG_STREAM_COUNT, LOG_FILE_COUNT };
extern const struct names log_stream_names; /* "out", "err", "seccomp" */
struct log_call {
    uint64_t job;
    uint32_t task, epoch;         /* epoch 0 = the newest attempt */
    uint32_t stream;              /* enum log_stream */
    uint64_t offset;
    uint32_t max;
    bool wait;
};
struct log_reply {
    struct bytes data;            /* from `offset` on, at most 256 KiB */
    uint64_t offset;              /* of data's first byte: further than asked when bytes in between were dropped */
    uint64_t size;                /* bytes the job has written so far */
    uint64_t dropped;             /* bytes skipped between the offset asked for and `offset` */
    bool end;                     /* nothing will follow after data */
    uint32_t epoch;
};
/* Did an attempt that ended so write nothing to this stream? Then its log is empty, wherever it lies or no longer lies.
 * Not when the record may be another's than the node's that counted: it has no count then. */
bool log_is_empty(const struct exit_record *record, enum log_stream which);
/* What is answered for it: nothing, at the offset asked for, and the end. */
struct log_reply log_empty(const struct log_call *call, uint32_t epoch);
struct node_log_call { char *node; struct log_call log; }; /* reportd: of an attempt that only the history knows */
struct tenant_call { char *tenant; };
/* One budget of a tenant in its present period. Of a resource's time: micro-unit-hours. */
struct tenant_budget {
    char *name;                   /* NULL = the tenant's `budget` */
    char *resource;               /* whose time; NULL = money */
    char *account;                /* as it is called once it is open */
    int64_t limit_micros;         /* with what was carried over */
    int64_t spent_micros, held_micros, free_micros, carried_micros;
    int64_t from_utc_us, to_utc_us; /* its period; 0 = no bound */
    uint32_t period;              /* enum period_kind */
    bool soft;
};
struct tenant_row {
    char *path;
    struct tenant_rule rule;
    struct resources used;
    uint64_t running, queued;
    char *account;                /* current period's account, NULL = no budget rule and nothing spent */
    int64_t limit_micros, spent_micros, held_micros, free_micros; /* limit -1 = none */
    int64_t period_end_utc_us;
    struct resources borrowed;    /* of what it uses: beyond what it and those below it have of their own */
    struct list budgets;          /* struct tenant_budget: all of them, the first one too */
};
struct tenant_reply { struct list tenants; char *currency; };
/* A credit or another adjustment of a tenant's money, posted to it and all above. Under one key only once. */
struct adjust_call {
    char *tenant, *key, *reason;
    int64_t micros;               /* below zero: given back */
    uint32_t kind;                /* enum adjust_kind */
    int64_t from_utc_us, to_utc_us; /* when what it is about was incurred; equal = no such time */
    uint64_t job, about_seq;      /* 0 = none */
    uint32_t about_line, price_version;
    int64_t list_price, price;    /* ADJUST_RERATE: as in struct charge */
    char *resource;
};
struct adjust_reply {
    bool existed;                 /* the same was posted under this key before */
    struct strs accounts;         /* where it is posted; empty when it existed */
};
struct apply_call {
    struct policy_file policy;
    bool dry_run;
    uint64_t if_version;          /* 0 = any */
    bool past_prices;             /* prices in force may change too: what was charged stays until it is re-rated */
};
/* A tenant and all below it to another place; answered like admin.apply. */
struct move_call { char *from, *to; bool dry_run; uint64_t if_version; };
struct apply_reply {
    uint64_t version;
    struct strs changes;          /* "~ acme/etl  budget.limit  400.00 -> 500.00" */
    uint64_t proposal;            /* not in force: it waits for another admin's approval; 0 = none needed */
    struct strs raises;           /* what of it gives somebody more, where two persons have to agree to that */
};
/* A raise that waits for its second person. */
struct proposal_row {
    uint64_t proposal;
    char *who;
    int64_t proposed_utc_us;
    uint64_t version;             /* the policy's that it was made against */
    bool stale;                   /* the policy has another one by now: it can only be dropped */
    struct strs changes, raises;
};
struct proposals_reply { struct list proposals; /* struct proposal_row, oldest first */ uint64_t version; };
struct approve_call { uint64_t proposal; }; /* answered like admin.apply */
struct drop_call { uint64_t proposal; char *reason; };
struct policy_reply { struct policy_file policy; uint64_t version; };
struct node_row {
    char *node, *state;           /* up, closed, quarantined, drained, unreachable, lost */
    char *reason, *version, *boot_id;
    struct resources capacity, used;
    uint32_t running, max_attempts; /* at once; 0 = any number */
    int64_t seen_utc_us;
    struct strs features, lacks;  /* limits that jobs may ask for here, and those they may not */
    uint64_t window;              /* the next maintenance window, or the present one; 0 = none */
    int64_t closes_utc_us, opens_utc_us; /* of it; quarantined: when it is tried */
};
struct node_reply { struct list nodes; };
struct drain_call { char *node; bool drain; char *reason; };
/* A maintenance window as it shall be. */
struct window_call {
    uint64_t window;              /* 0 = a new one; else the one that it replaces */
    struct strs nodes;            /* exactly one of these three */
    char *where;
    bool cell;
    int64_t from_utc_us, to_utc_us; /* from 0 = now */
    uint32_t at_begin;            /* enum window_begin */
    char *reason;
};
struct window_reply {
    uint64_t window;
    uint32_t nodes;               /* that it closes, as things are */
    uint32_t running;             /* attempts there that may still run when it begins */
};
struct window_row {
    struct fact_window window;
    bool open;                    /* it has begun: its nodes are closed */
    uint32_t nodes, running;      /* as in window_reply */
};
struct windows_reply { struct list windows; /* struct window_row, by when they begin */ };
struct window_drop_call { uint64_t window; char *reason; };
struct status_reply {
    char *cell, *writer, *version, *store; /* store: "up", "down: <why>" */
    uint64_t term, seq, durable, jobs, queued, live, nodes, policy_version;
    uint64_t uptime_ms;
};
/* The cell at a glance. Rates come from two answers: `uptime_ms` says how far they lie apart, and begins anew with the
 * scheduler. */
#define TOP_ROWS_MAX 1000
struct top_call { char *tenant; uint32_t rows; }; /* at and below which; NULL = all. rows 0 = 100 */
struct top_tenant {
    char *path;
    uint32_t weight;
    uint64_t fair_ppm;            /* of the cell: its parent's part by weight among those who use or want something */
    uint64_t share_ppm;           /* of the cell: the greatest part of any resource that it uses */
    char *resource;               /* which that is; NULL: it uses nothing */
    uint64_t running, queued;     /* tasks, of all below it too */
    char *why;                    /* what its own next task waits for; NULL: nothing, or none waits */
};
struct top_reply {
    char *cell, *store;           /* as in status_reply */
    uint64_t uptime_ms, jobs, queued, live;
    uint64_t decided, placed, ended; /* since the scheduler began */
    struct counts nodes;          /* by state */
    struct counts used, total;    /* by resource: cpu in thousandths, memory (scratch lies in it) in bytes */
    struct list tenants;          /* struct top_tenant that use or want something: parents first, who has most first */
    uint64_t left_out;            /* so many more rows */
};
struct archived_call { uint64_t seq; };   /* reportd: everything up to here is safe in SQLite */
/* What the journal's file says on the disk, signed (base/journal_head.h). */
struct head_reply { uint64_t seq; char *line; };
/* Everything recounted from the journal, beside what Redis has. */
struct verify_reply {
    uint64_t from_seq, seq;       /* entries from_seq..seq were read; from_seq > 1: the rest is from a snapshot */
    uint64_t accounts, tenants, holds; /* of Redis that were compared */
    int64_t total_micros;         /* spent on "/@total" at seq */
    char *currency;
    struct strs differences;      /* none: all agree. At most VERIFY_DIFFERENCES_MAX are told */
    uint64_t differences_total;
};
#define VERIFY_DIFFERENCES_MAX 20
/* The same of the reports: the rows of all charges beside Redis. */
struct check_reply {
    uint64_t seq, accounts;
    int64_t total_micros;
    char *currency, *difference;  /* the first one; NULL = equal */
};
struct text_reply { char *text; };        /* metrics in Prometheus text format */

enum client_method {
    CALL_SUBMIT, CALL_LIST, CALL_SHOW, CALL_WHY, CALL_CANCEL, CALL_RELEASE, CALL_WAIT, CALL_LOG,
    CALL_TENANTS, CALL_APPLY, CALL_POLICY, CALL_NODES, CALL_DRAIN, CALL_STATUS, CALL_ARCHIVED, CALL_METRICS,
    CALL_NODE_LOG, CALL_MOVE, CALL_HEAD, CALL_VERIFY, CALL_PROPOSALS, CALL_APPROVE, CALL_DROP, CALL_ADJUST,
    CALL_HOLD, CALL_PRIORITY, CALL_REQUEUE, CALL_WINDOWS, CALL_WINDOW_SET, CALL_WINDOW_DROP, CALL_TOP,
    CALL_SUSPEND, CALL_RESUME,
    CLIENT_METHOD_COUNT
};
/* "job.submit" "job.list" "job.show" "job.why" "job.cancel" "job.release" "job.wait" "log.read" "tenant.list"
 * "admin.apply" "admin.policy" "node.list" "node.drain" "system.status" "journal.archived" "system.metrics"
 * "node.log" "admin.move" "journal.head" "ledger.verify" "admin.proposals" "admin.approve" "admin.drop"
 * "ledger.adjust" "job.hold" "job.priority" "job.requeue" "window.list" "window.set" "window.drop" "system.top"
 * "job.suspend" "job.resume" */
extern const struct method client_methods[CLIENT_METHOD_COUNT];

/* ---- agents ----------------------------------------------------------------------------------------------- */
struct attempt_state {
    struct attempt_id id;
    bool ended;
    int64_t started_utc_us;       /* 0 = not yet running */
    struct exit_record record;    /* when ended */
};
#define NODE_ATTEMPTS_MAX 65536
struct hello_call {
    char *node, *boot_id, *instance, *version;
    struct resources capacity;
    struct pairs labels;
    struct strs features;         /* limits and devices that this node can enforce, base/features.h */
    uint64_t term_seen;           /* highest term this node has obeyed */
    uint64_t number;              /* rises with every hello of this node, whatever restarts; 0 = uncounted */
    uint32_t max_attempts;        /* that it takes at once, NODE_ATTEMPTS_MAX at most; 0 = any number */
    struct list attempts;         /* struct attempt_state: everything this node has and may still have to tell */
};
struct hello_reply { uint64_t term; uint32_t beat_ms; }; /* then reeved sends run/paid/stop/forget for each attempt */
struct beat_call { uint64_t boot_us; struct list attempts; /* struct attempt_beat */ };
struct attempt_beat {
    struct attempt_id id;
    struct usage usage;
    uint64_t run_us;
    uint64_t used_at_us;          /* run time at which usage was read; 0 = now */
    uint32_t suspends;            /* the highest number that its keeper has heard */
    bool stands;                  /* it stands still */
    struct stage_view staging;
};
struct beat_reply { uint64_t term; };     /* its arrival renews the leases of all attempts, from the time of sending */

enum agent_call { AGENT_HELLO, AGENT_BEAT, AGENT_STATE, AGENT_CALL_COUNT };
/* "node.hello" "node.beat" "attempt.state". The answer to attempt.state {ended} comes when the end is committed:
 * only then may the node forget the attempt. */
extern const struct method agent_calls[AGENT_CALL_COUNT];

struct run_call {
    struct attempt_id id;
    uint64_t term;
    char *tenant;
    struct job_spec spec;
    uint64_t paid_us;             /* run time that is paid; the keeper stops or pauses the job there */
    uint32_t at_paid_end;         /* enum paid_end: only whether it pauses matters to a node */
    struct measure io_paid_bytes; /* usage.io_bytes that is paid: nothing moves beyond; absent = no bound */
    uint32_t gang;                /* so many tasks take part in its gang; 0: it has none */
};
struct paid_call {
    struct attempt_id id;
    uint64_t term, paid_us;
    uint32_t at_paid_end;
    uint64_t signal_us;           /* run time at which it gets SIGUSR1, as nothing more can be held; 0 = never */
    uint32_t suspends;            /* odd: it stands still from now on. A larger number is newer, whatever was paid */
    struct measure io_paid_bytes; /* as in run_call; the larger is newer, absent is the largest */
};
struct stop_call { struct attempt_id id; uint64_t term; uint32_t cause; uint32_t grace_ms; };
struct forget_call { struct attempt_id id; uint64_t term; };
/* What tenants have of the node's disk by the policy, those who have attempts there and all above them; who isn't named
 * has IO_WEIGHT_DEFAULT. `whole`: and nobody else; otherwise, in the same term and version, these too. */
struct shares_call {
    uint64_t term, version;       /* the policy's version */
    bool whole;
    struct list tenants;          /* struct io_share */
};
#define SHARES_CALL_MAX 65536
enum node_call { NODE_RUN, NODE_PAID, NODE_STOP, NODE_FORGET, NODE_LOG, NODE_SHARES, NODE_CALL_COUNT };
/* "attempt.run" "attempt.paid" "attempt.stop" "attempt.forget" "node.shares": notifications, idempotent, in any order,
 * as often as needed. "log.read": a call, params struct log_call. A term below the highest seen is refused and
 * dropped. */
extern const struct method node_calls[NODE_CALL_COUNT];

/* ---- reportd ---------------------------------------------------------------------------------------------- */
/* Which lines cost something else by the price book as it is now. Asked again with the answer's `next` while there is
 * more: a line comes once, whatever is posted meanwhile. */
struct rerate_at { uint64_t attempt, seq; uint32_t line; };
struct rerate_call { int64_t from_utc_us, to_utc_us; struct rerate_at after; };
struct rerate_line {
    uint64_t seq;                 /* the entry, and which of its charges, from 0 */
    uint32_t line;
    uint64_t job;
    char *tenant, *resource;
    int64_t from_utc_us, to_utc_us;
    int64_t charged_micros;       /* with what was re-rated before */
    int64_t micros;               /* what it costs by the book as it is now */
    uint32_t price_version;       /* in force at its end */
    int64_t list_price, price;
};
#define RERATE_LINES_MAX 1000 /* in one answer */
struct rerate_reply { struct list lines; char *currency; bool more; struct rerate_at next; };
/* The bytes of nodes' attempts as the rows hold them, beside what the kernel counted (base/ledger_io.h). */
struct ledger_io_call { int64_t from_utc_us, to_utc_us; }; /* days that begin in there; both 0: today and yesterday */
#define LEDGER_IO_ROWS_MAX 2000
struct ledger_io_reply {
    struct list rows;             /* struct ledger_io_row: by node and day, what runs last; those that differ first */
    uint64_t compared, differing; /* rows, also those that are left out */
};
enum report_method { REPORT_HISTORY, REPORT_SHOW, REPORT_STATUS, REPORT_LOG, REPORT_CHECK, REPORT_RERATE, REPORT_IO,
                     REPORT_METHOD_COUNT };
/* "history.list" (list_call -> list_reply), "history.show" (job_call -> job_view), "report.status" (-> text_reply),
 * "log.read" (log_call -> log_reply), "ledger.check" (-> check_reply), "ledger.rerate" (rerate_call -> rerate_reply),
 * "ledger.io" (ledger_io_call -> ledger_io_reply) */
extern const struct method report_methods[REPORT_METHOD_COUNT];

/* All tables of structs above are named <struct>_fields and declared here for who needs them alone. */
extern const struct fields submit_call_fields, submit_reply_fields, job_call_fields, list_call_fields,
    list_reply_fields, job_row_fields, job_view_fields, attempt_view_fields, stage_view_fields, why_reply_fields,
    blocker_fields,
    cancel_reply_fields, priority_call_fields, suspend_call_fields, suspend_reply_fields,
    wait_call_fields, wait_reply_fields, log_call_fields, log_reply_fields, node_log_call_fields,
    tenant_call_fields, tenant_row_fields, tenant_reply_fields, apply_call_fields, apply_reply_fields,
    adjust_call_fields, adjust_reply_fields,
    move_call_fields,
    proposal_row_fields, proposals_reply_fields, approve_call_fields, drop_call_fields,
    policy_reply_fields, node_row_fields, node_reply_fields, drain_call_fields, status_reply_fields,
    window_call_fields, window_reply_fields, window_row_fields, windows_reply_fields, window_drop_call_fields,
    top_call_fields, top_tenant_fields, top_reply_fields,
    archived_call_fields, head_reply_fields, verify_reply_fields, check_reply_fields, text_reply_fields,
    attempt_state_fields, hello_call_fields, hello_reply_fields,
    beat_call_fields, beat_reply_fields, run_call_fields, paid_call_fields, stop_call_fields,
    forget_call_fields, shares_call_fields, rerate_call_fields, rerate_line_fields, rerate_reply_fields,
    ledger_io_call_fields, ledger_io_reply_fields;

#endif
