#include "base/proto.h"

#include <string.h>

#define ALWAYS .flags = FIELD_ALWAYS
#define NEEDED .flags = FIELD_REQUIRED | FIELD_ALWAYS
#define TEXT .flags = FIELD_ESCAPED, .max = 65536

static const struct field refusal_rows[] = {
    FIELD_ROW(refusal, 1, "code", FIELD_STR, code),
    FIELD_ROW(refusal, 2, "where", FIELD_STR, where, .max = 4096),
    FIELD_ROW(refusal, 3, "message", FIELD_STR, message, TEXT),
    FIELD_ROW(refusal, 4, "hint", FIELD_STR, hint, TEXT),
    FIELD_ROW(refusal, 5, "retry_after_ms", FIELD_U32, retry_after_ms),
};
const struct fields refusal_fields = FIELDS_TABLE("refusal", refusal, refusal_rows);

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = text != NULL ? strdup(text) : NULL;
}

void refusal_set(struct refusal *r, const char *code, const char *where, const char *message, const char *hint)
{
    set_text(&r->code, code);
    set_text(&r->where, where);
    set_text(&r->message, message);
    set_text(&r->hint, hint);
}

/* ---- clients ---- */
static const struct field submit_rows[] = {
    FIELD_ROW(submit_call, 1, "tenant", FIELD_STR, tenant, .max = 255, .help = "default: the caller's first tenant"),
    FIELD_ROW(submit_call, 2, "key", FIELD_STR, key, .max = JOB_KEY_MAX,
              .help = "made by the client before sending: the same key never makes a second job"),
    FIELD_ROW(submit_call, 3, "dry_run", FIELD_BOOL, dry_run, .help = "only check and quote"),
    FIELD_ROW(submit_call, 4, "spec", FIELD_STRUCT, spec, .flags = FIELD_REQUIRED, .of = &job_spec_fields),
};
const struct fields submit_call_fields = FIELDS_TABLE("params", submit_call, submit_rows);

static const struct field submitted_rows[] = {
    FIELD_ROW(submit_reply, 1, "job", FIELD_U64, job, ALWAYS),
    FIELD_ROW(submit_reply, 2, "tenant", FIELD_STR, tenant),
    FIELD_ROW(submit_reply, 3, "existed", FIELD_BOOL, existed, ALWAYS),
    FIELD_ROW(submit_reply, 4, "tasks", FIELD_U32, tasks, ALWAYS),
    FIELD_ROW(submit_reply, 5, "quote", FIELD_MONEY, quote_micros, ALWAYS),
    FIELD_ROW(submit_reply, 6, "quote_max", FIELD_MONEY, quote_max_micros,
              .flags = FIELD_ALWAYS | FIELD_UNBOUNDED, .help = "null = no upper bound"),
    FIELD_ROW(submit_reply, 7, "currency", FIELD_STR, currency),
    FIELD_ROW(submit_reply, 8, "would_start", FIELD_STR, would_start, TEXT),
    FIELD_ROW(submit_reply, 9, "quote_until", FIELD_TIME, quote_until_utc_us,
              .help = "until then no change of prices can make it dearer"),
    FIELD_ROW(submit_reply, 10, "io_price", FIELD_MONEY, io_price_micros, .help = "per GiB moved, beside the quote"),
    FIELD_ROW(submit_reply, 11, "io_allowance", FIELD_SIZE, io_allowance_bytes, .help = "held for at a time"),
};
const struct fields submit_reply_fields = FIELDS_TABLE("result", submit_reply, submitted_rows);

static const struct field job_call_rows[] = {
    FIELD_ROW(job_call, 1, "job", FIELD_U64, job, NEEDED),
    FIELD_ROW(job_call, 2, "has_task", FIELD_BOOL, has_task, .help = "task is given, 0 included"),
    FIELD_ROW(job_call, 3, "task", FIELD_U32, task),
};
const struct fields job_call_fields = FIELDS_TABLE("params", job_call, job_call_rows);

static const struct field suspend_rows[] = {
    FIELD_ROW(suspend_call, 1, "job", FIELD_U64, job, NEEDED),
    FIELD_ROW(suspend_call, 2, "has_task", FIELD_BOOL, has_task, .help = "task is given, 0 included"),
    FIELD_ROW(suspend_call, 3, "task", FIELD_U32, task),
    FIELD_ROW(suspend_call, 4, "reason", FIELD_STR, reason, .max = 1000),
};
const struct fields suspend_call_fields = FIELDS_TABLE("params", suspend_call, suspend_rows);

static const struct field suspend_reply_rows[] = {
    FIELD_ROW(suspend_reply, 1, "attempts", FIELD_U32, attempts, ALWAYS),
};
const struct fields suspend_reply_fields = FIELDS_TABLE("result", suspend_reply, suspend_reply_rows);

static const struct field list_call_rows[] = {
    FIELD_ROW(list_call, 1, "tenant", FIELD_STR, tenant, .max = 255, .help = "it and all below it"),
    FIELD_ROW(list_call, 2, "all_users", FIELD_BOOL, all_users, .help = "not only the caller's own"),
    FIELD_ROW(list_call, 3, "limit", FIELD_U32, limit, .max = 10000, .help = "default 100"),
    FIELD_ROW(list_call, 4, "after", FIELD_U64, after, .help = "only jobs with a larger id; history: smaller"),
    FIELD_ROW(list_call, 5, "finished", FIELD_BOOL, finished, .help = "also finished jobs that reeved still knows"),
    FIELD_ROW(list_call, 6, "state", FIELD_STR, state, .help = "only jobs in this state"),
};
const struct fields list_call_fields = FIELDS_TABLE("params", list_call, list_call_rows);

static const struct field row_rows[] = {
    FIELD_ROW(job_row, 1, "job", FIELD_U64, job, ALWAYS),
    FIELD_ROW(job_row, 2, "name", FIELD_STR, name),
    FIELD_ROW(job_row, 3, "tenant", FIELD_STR, tenant),
    FIELD_ROW(job_row, 4, "user", FIELD_STR, user),
    FIELD_ROW(job_row, 5, "state", FIELD_STR, state),
    FIELD_ROW(job_row, 6, "tasks", FIELD_U32, tasks, ALWAYS),
    FIELD_ROW(job_row, 7, "queued", FIELD_U32, queued, ALWAYS),
    FIELD_ROW(job_row, 8, "live", FIELD_U32, live, ALWAYS),
    FIELD_ROW(job_row, 9, "done", FIELD_U32, done, ALWAYS),
    FIELD_ROW(job_row, 10, "failed", FIELD_U32, failed, ALWAYS),
    FIELD_ROW(job_row, 11, "nodes", FIELD_STR, nodes),
    FIELD_ROW(job_row, 12, "cpu", FIELD_CPU, cpu_milli),
    FIELD_ROW(job_row, 13, "memory", FIELD_SIZE, mem_bytes),
    FIELD_ROW(job_row, 14, "cost", FIELD_MONEY, cost_micros, ALWAYS),
    FIELD_ROW(job_row, 15, "quote", FIELD_MONEY, quote_micros),
    FIELD_ROW(job_row, 16, "waiting_for", FIELD_STR, waiting_for, TEXT),
    FIELD_ROW(job_row, 17, "submitted", FIELD_TIME, submitted_utc_us),
    FIELD_ROW(job_row, 18, "ended", FIELD_TIME, ended_utc_us),
    FIELD_ROW(job_row, 19, "reason", FIELD_STR, reason, TEXT),
    FIELD_ROW(job_row, 20, "start_from", FIELD_TIME, start_from_utc_us),
    FIELD_ROW(job_row, 21, "start_to", FIELD_TIME, start_to_utc_us),
    FIELD_ROW(job_row, 22, "left_out", FIELD_U32, left_out, .help = "their gang began without them"),
};
const struct fields job_row_fields = FIELDS_TABLE("job", job_row, row_rows);

static const struct field list_reply_rows[] = {
    FIELD_ROW(list_reply, 1, "jobs", FIELD_LIST, jobs, ALWAYS, .of = &job_row_fields, .max = 10000),
    FIELD_ROW(list_reply, 2, "currency", FIELD_STR, currency),
    FIELD_ROW(list_reply, 3, "more", FIELD_BOOL, more, ALWAYS),
};
const struct fields list_reply_fields = FIELDS_TABLE("result", list_reply, list_reply_rows);

static const struct field stage_view_rows[] = {
    FIELD_ROW(stage_view, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(stage_view, 2, "out", FIELD_BOOL, out, .help = "outputs; else inputs"),
    FIELD_ROW(stage_view, 3, "files", FIELD_U64, files, ALWAYS, .help = "brought so far, folders included"),
    FIELD_ROW(stage_view, 4, "files_all", FIELD_U64, files_all, ALWAYS, .help = "0 while it is not known"),
    FIELD_ROW(stage_view, 5, "bytes", FIELD_U64, bytes, ALWAYS),
    FIELD_ROW(stage_view, 6, "bytes_all", FIELD_U64, bytes_all, ALWAYS),
    FIELD_ROW(stage_view, 7, "bytes_per_s", FIELD_U64, bytes_per_s, ALWAYS, .help = "lately"),
    FIELD_ROW(stage_view, 8, "part_ppm", FIELD_U32, part_ppm, ALWAYS,
              .help = "of the node's disk: the tenant's, if all that are there wanted it"),
};
const struct fields stage_view_fields = FIELDS_TABLE("staging", stage_view, stage_view_rows);

static const struct field attempt_view_rows[] = {
    FIELD_ROW(attempt_view, 1, "task", FIELD_U32, task, ALWAYS),
    FIELD_ROW(attempt_view, 2, "epoch", FIELD_U32, epoch, ALWAYS),
    FIELD_ROW(attempt_view, 3, "state", FIELD_STR, state),
    FIELD_ROW(attempt_view, 4, "node", FIELD_STR, node),
    FIELD_ROW(attempt_view, 5, "cause", FIELD_STR, cause),
    FIELD_ROW(attempt_view, 6, "sentence", FIELD_STR, sentence, TEXT),
    FIELD_ROW(attempt_view, 7, "placed", FIELD_TIME, placed_utc_us),
    FIELD_ROW(attempt_view, 8, "started", FIELD_TIME, started_utc_us),
    FIELD_ROW(attempt_view, 9, "ended", FIELD_TIME, ended_utc_us),
    FIELD_ROW(attempt_view, 10, "record", FIELD_STRUCT, record, .of = &exit_record_fields),
    FIELD_ROW(attempt_view, 11, "spent", FIELD_MONEY, spent_micros, ALWAYS),
    FIELD_ROW(attempt_view, 12, "hold", FIELD_MONEY, hold_micros),
    FIELD_ROW(attempt_view, 13, "written_off", FIELD_MONEY, written_off_micros),
    FIELD_ROW(attempt_view, 14, "paid_us", FIELD_U64, paid_us),
    FIELD_ROW(attempt_view, 15, "settled_us", FIELD_U64, settled_us),
    FIELD_ROW(attempt_view, 17, "paused_us", FIELD_U64, paused_us),
    FIELD_ROW(attempt_view, 19, "io_paid_bytes", FIELD_MEASURE, io_paid_bytes, .help = "absent: no bound"),
    FIELD_ROW(attempt_view, 18, "staging", FIELD_STRUCT, staging, .of = &stage_view_fields,
              .help = "while something is being brought in or out"),
    FIELD_ROW(attempt_view, 16, "charges", FIELD_LIST, charges, .of = &charge_fields, .max = 65536),
};
const struct fields attempt_view_fields = FIELDS_TABLE("attempt", attempt_view, attempt_view_rows);

static const struct field view_rows[] = {
    FIELD_ROW(job_view, 1, "row", FIELD_STRUCT, row, .of = &job_row_fields),
    FIELD_ROW(job_view, 2, "spec", FIELD_STRUCT, spec, .of = &job_spec_fields),
    FIELD_ROW(job_view, 3, "key", FIELD_STR, key),
    FIELD_ROW(job_view, 4, "attempts", FIELD_LIST, attempts, ALWAYS, .of = &attempt_view_fields, .max = 100000),
    FIELD_ROW(job_view, 5, "currency", FIELD_STR, currency),
    FIELD_ROW(job_view, 6, "change", FIELD_U64, change),
    FIELD_ROW(job_view, 7, "exit_code", FIELD_I32, exit_code, ALWAYS),
    FIELD_ROW(job_view, 8, "task", FIELD_STR, task,
              .help = "how a task is that was named; over: succeeded, unsuccessful, left_out"),
    FIELD_ROW(job_view, 9, "left_out", FIELD_TIME, left_out_utc_us, .help = "its gang began without it then"),
};
const struct fields job_view_fields = FIELDS_TABLE("result", job_view, view_rows);

static const struct field blocker_rows[] = {
    FIELD_ROW(blocker, 1, "kind", FIELD_STR, kind),
    FIELD_ROW(blocker, 2, "where", FIELD_STR, where, .max = 4096),
    FIELD_ROW(blocker, 3, "resource", FIELD_STR, resource),
    FIELD_ROW(blocker, 4, "limit", FIELD_I64, limit),
    FIELD_ROW(blocker, 5, "used", FIELD_I64, used),
    FIELD_ROW(blocker, 6, "held", FIELD_I64, held),
    FIELD_ROW(blocker, 7, "free", FIELD_I64, free),
    FIELD_ROW(blocker, 8, "need", FIELD_I64, need),
    FIELD_ROW(blocker, 9, "short", FIELD_I64, short_by),
    FIELD_ROW(blocker, 10, "text", FIELD_STR, text, TEXT),
};
const struct fields blocker_fields = FIELDS_TABLE("blocker", blocker, blocker_rows);

static const struct field why_rows[] = {
    FIELD_ROW(why_reply, 1, "state", FIELD_STR, state),
    FIELD_ROW(why_reply, 2, "pending_ms", FIELD_U64, pending_ms, ALWAYS),
    FIELD_ROW(why_reply, 3, "blockers", FIELD_LIST, blockers, ALWAYS, .of = &blocker_fields),
    FIELD_ROW(why_reply, 4, "change", FIELD_STR, change, TEXT),
    FIELD_ROW(why_reply, 5, "estimate", FIELD_STR, estimate, TEXT),
    FIELD_ROW(why_reply, 6, "start_from", FIELD_TIME, start_from_utc_us),
    FIELD_ROW(why_reply, 7, "start_to", FIELD_TIME, start_to_utc_us),
};
const struct fields why_reply_fields = FIELDS_TABLE("result", why_reply, why_rows);

static const struct field cancel_rows[] = {
    FIELD_ROW(cancel_reply, 1, "cancelled", FIELD_U32, cancelled, ALWAYS),
    FIELD_ROW(cancel_reply, 2, "stopping", FIELD_U32, stopping, ALWAYS),
};
const struct fields cancel_reply_fields = FIELDS_TABLE("result", cancel_reply, cancel_rows);

static const struct field priority_rows[] = {
    FIELD_ROW(priority_call, 1, "job", FIELD_U64, job, NEEDED),
    FIELD_ROW(priority_call, 2, "priority", FIELD_I32, priority, NEEDED, .max = JOB_PRIORITY_MAX),
};
const struct fields priority_call_fields = FIELDS_TABLE("params", priority_call, priority_rows);

static const struct field wait_call_rows[] = {
    FIELD_ROW(wait_call, 1, "job", FIELD_U64, job, NEEDED),
    FIELD_ROW(wait_call, 2, "seen", FIELD_U64, seen, .help = "change counter of the last answer; 0 = answer at once"),
    FIELD_ROW(wait_call, 3, "timeout_ms", FIELD_U32, timeout_ms, .max = 3600000, .help = "default 30000"),
};
const struct fields wait_call_fields = FIELDS_TABLE("params", wait_call, wait_call_rows);

static const struct field wait_reply_rows[] = {
    FIELD_ROW(wait_reply, 1, "row", FIELD_STRUCT, row, .of = &job_row_fields),
    FIELD_ROW(wait_reply, 2, "change", FIELD_U64, change, ALWAYS),
    FIELD_ROW(wait_reply, 3, "exit_code", FIELD_I32, exit_code, ALWAYS),
    FIELD_ROW(wait_reply, 4, "final", FIELD_BOOL, final, ALWAYS),
};
const struct fields wait_reply_fields = FIELDS_TABLE("result", wait_reply, wait_reply_rows);

static const char *const stream_names[] = {[STREAM_OUT] = "out", [STREAM_ERR] = "err", [STREAM_SECCOMP] = "seccomp"};
const struct names log_stream_names = {stream_names, COUNT_OF(stream_names)};

static const struct field log_call_rows[] = {
    FIELD_ROW(log_call, 1, "job", FIELD_U64, job, NEEDED),
    FIELD_ROW(log_call, 2, "task", FIELD_U32, task),
    FIELD_ROW(log_call, 3, "epoch", FIELD_U32, epoch, .help = "attempt; 0 = the newest"),
    FIELD_ROW(log_call, 4, "stream", FIELD_ENUM, stream, .of = &log_stream_names),
    FIELD_ROW(log_call, 5, "offset", FIELD_U64, offset),
    FIELD_ROW(log_call, 6, "max", FIELD_U32, max, .max = 262144, .help = "bytes; default 65536"),
    FIELD_ROW(log_call, 7, "wait", FIELD_BOOL, wait, .help = "answer when there is something new, or after 20 s"),
};
const struct fields log_call_fields = FIELDS_TABLE("params", log_call, log_call_rows);

static const struct field log_reply_rows[] = {
    FIELD_ROW(log_reply, 1, "data", FIELD_BYTES, data, ALWAYS, .max = 262144),
    FIELD_ROW(log_reply, 2, "offset", FIELD_U64, offset, ALWAYS),
    FIELD_ROW(log_reply, 3, "size", FIELD_U64, size, ALWAYS),
    FIELD_ROW(log_reply, 4, "dropped", FIELD_U64, dropped, ALWAYS),
    FIELD_ROW(log_reply, 5, "end", FIELD_BOOL, end, ALWAYS),
    FIELD_ROW(log_reply, 6, "epoch", FIELD_U32, epoch, ALWAYS),
};
const struct fields log_reply_fields = FIELDS_TABLE("result", log_reply, log_reply_rows);

static const struct field node_log_rows[] = {
    FIELD_ROW(node_log_call, 1, "node", FIELD_STR, node, NEEDED, .max = 63),
    FIELD_ROW(node_log_call, 2, "log", FIELD_STRUCT, log, NEEDED, .of = &log_call_fields),
};
const struct fields node_log_call_fields = FIELDS_TABLE("params", node_log_call, node_log_rows);

bool log_is_empty(const struct exit_record *record, enum log_stream which)
{
    if (which >= LOG_STREAM_COUNT)
        return false; /* the record doesn't say */
    switch (record->cause) {
    case END_NONE: /* it lives */
    case END_KEEPER_LOST:
    case END_NODE_LOST:
    case END_LEASE:
        return false;
    default:
        return (which == STREAM_OUT ? record->out_bytes : record->err_bytes) == 0;
    }
}

struct log_reply log_empty(const struct log_call *call, uint32_t epoch)
{
    return (struct log_reply){.offset = call->offset, .end = true, .epoch = epoch};
}

static const struct field tenant_call_rows[] = {
    FIELD_ROW(tenant_call, 1, "tenant", FIELD_STR, tenant, .max = 255,
              .help = "it and all below; default: all the caller may see"),
};
const struct fields tenant_call_fields = FIELDS_TABLE("params", tenant_call, tenant_call_rows);

static const struct field tenant_budget_rows[] = {
    FIELD_ROW(tenant_budget, 1, "name", FIELD_STR, name, .help = "absent: the tenant's budget"),
    FIELD_ROW(tenant_budget, 2, "resource", FIELD_STR, resource, .help = "whose time, in hours; absent: money"),
    FIELD_ROW(tenant_budget, 3, "account", FIELD_STR, account),
    FIELD_ROW(tenant_budget, 4, "limit", FIELD_MONEY, limit_micros, ALWAYS, .help = "with what was carried over"),
    FIELD_ROW(tenant_budget, 5, "spent", FIELD_I64, spent_micros, ALWAYS, .help = "micro-units; credits lower it"),
    FIELD_ROW(tenant_budget, 6, "held", FIELD_MONEY, held_micros, ALWAYS),
    FIELD_ROW(tenant_budget, 7, "free", FIELD_I64, free_micros, ALWAYS, .help = "micro-units"),
    FIELD_ROW(tenant_budget, 8, "carried", FIELD_MONEY, carried_micros),
    FIELD_ROW(tenant_budget, 9, "from", FIELD_TIME, from_utc_us),
    FIELD_ROW(tenant_budget, 10, "to", FIELD_TIME, to_utc_us),
    FIELD_ROW(tenant_budget, 11, "period", FIELD_ENUM, period, ALWAYS, .of = &period_kind_names),
    FIELD_ROW(tenant_budget, 12, "soft", FIELD_BOOL, soft, .help = "it only warns"),
};
static const struct fields tenant_budget_fields = FIELDS_TABLE("budget", tenant_budget, tenant_budget_rows);

static const struct field tenant_row_rows[] = {
    FIELD_ROW(tenant_row, 1, "tenant", FIELD_STR, path),
    FIELD_ROW(tenant_row, 2, "rule", FIELD_STRUCT, rule, .of = &tenant_rule_fields),
    FIELD_ROW(tenant_row, 3, "used", FIELD_STRUCT, used, .of = &resources_fields),
    FIELD_ROW(tenant_row, 4, "running", FIELD_U64, running, ALWAYS),
    FIELD_ROW(tenant_row, 5, "queued", FIELD_U64, queued, ALWAYS),
    FIELD_ROW(tenant_row, 6, "account", FIELD_STR, account),
    FIELD_ROW(tenant_row, 7, "limit", FIELD_MONEY, limit_micros, .flags = FIELD_UNBOUNDED, .help = "null = none"),
    FIELD_ROW(tenant_row, 8, "spent", FIELD_MONEY, spent_micros, ALWAYS),
    FIELD_ROW(tenant_row, 9, "held", FIELD_MONEY, held_micros, ALWAYS),
    FIELD_ROW(tenant_row, 10, "free", FIELD_MONEY, free_micros),
    FIELD_ROW(tenant_row, 11, "period_end", FIELD_TIME, period_end_utc_us),
    FIELD_ROW(tenant_row, 12, "borrowed", FIELD_STRUCT, borrowed, .of = &resources_fields),
    FIELD_ROW(tenant_row, 13, "budgets", FIELD_LIST, budgets, .of = &tenant_budget_fields, .max = BUDGETS_MAX + 1),
};
const struct fields tenant_row_fields = FIELDS_TABLE("tenant", tenant_row, tenant_row_rows);

static const struct field tenant_reply_rows[] = {
    FIELD_ROW(tenant_reply, 1, "tenants", FIELD_LIST, tenants, ALWAYS, .of = &tenant_row_fields, .max = TENANTS_MAX),
    FIELD_ROW(tenant_reply, 2, "currency", FIELD_STR, currency),
};
const struct fields tenant_reply_fields = FIELDS_TABLE("result", tenant_reply, tenant_reply_rows);

#define ADJUST_MICROS_MIN ((uint64_t)-MONEY_MICROS_MAX)
static const struct field adjust_call_rows[] = {
    FIELD_ROW(adjust_call, 1, "tenant", FIELD_STR, tenant, NEEDED, .max = 255, .help = "whose"),
    FIELD_ROW(adjust_call, 2, "key", FIELD_STR, key, NEEDED, .max = 200, .help = "it is posted once under this key"),
    FIELD_ROW(adjust_call, 3, "amount", FIELD_MONEY, micros, NEEDED, .min = ADJUST_MICROS_MIN,
              .max = MONEY_MICROS_MAX, .help = "below zero: given back"),
    FIELD_ROW(adjust_call, 4, "kind", FIELD_ENUM, kind, ALWAYS, .of = &adjust_kind_names,
              .help = "credit, adjustment or rerate"),
    FIELD_ROW(adjust_call, 5, "reason", FIELD_STR, reason, NEEDED, .max = 1024, .help = "for finance"),
    FIELD_ROW(adjust_call, 6, "from", FIELD_TIME, from_utc_us, .help = "when what it is about was incurred"),
    FIELD_ROW(adjust_call, 7, "to", FIELD_TIME, to_utc_us),
    FIELD_ROW(adjust_call, 8, "job", FIELD_U64, job, .help = "that it is about"),
    FIELD_ROW(adjust_call, 9, "about_seq", FIELD_U64, about_seq, .help = "the journal entry whose charge it corrects"),
    FIELD_ROW(adjust_call, 10, "about_line", FIELD_U32, about_line, .help = "which charge of it, from 0"),
    FIELD_ROW(adjust_call, 11, "resource", FIELD_STR, resource, .max = RESOURCE_NAME_MAX),
    FIELD_ROW(adjust_call, 12, "price_version", FIELD_U32, price_version, .help = "rerate: the one that holds now"),
    FIELD_ROW(adjust_call, 13, "list_price", FIELD_MONEY, list_price, .help = "rerate: per hour, by the book"),
    FIELD_ROW(adjust_call, 14, "price", FIELD_MONEY, price, .help = "rerate: per hour, as charged"),
};
const struct fields adjust_call_fields = FIELDS_TABLE("params", adjust_call, adjust_call_rows);

static const struct field adjust_reply_rows[] = {
    FIELD_ROW(adjust_reply, 1, "existed", FIELD_BOOL, existed, ALWAYS, .help = "it was posted before"),
    FIELD_ROW(adjust_reply, 2, "accounts", FIELD_STRS, accounts, .max = 256, .help = "where it is posted"),
};
const struct fields adjust_reply_fields = FIELDS_TABLE("result", adjust_reply, adjust_reply_rows);

static const struct field apply_call_rows[] = {
    FIELD_ROW(apply_call, 1, "policy", FIELD_STRUCT, policy, .flags = FIELD_REQUIRED, .of = &policy_file_fields),
    FIELD_ROW(apply_call, 2, "dry_run", FIELD_BOOL, dry_run, .help = "only say what would change"),
    FIELD_ROW(apply_call, 3, "if_version", FIELD_U64, if_version,
              .help = "refuse unless the policy still has this version"),
    FIELD_ROW(apply_call, 4, "past_prices", FIELD_BOOL, past_prices,
              .help = "prices in force may change, too: what was charged stays until it is re-rated"),
};
const struct fields apply_call_fields = FIELDS_TABLE("params", apply_call, apply_call_rows);

static const struct field move_call_rows[] = {
    FIELD_ROW(move_call, 1, "from", FIELD_STR, from, .flags = FIELD_REQUIRED, .max = 255, .help = "a tenant's path"),
    FIELD_ROW(move_call, 2, "to", FIELD_STR, to, .flags = FIELD_REQUIRED, .max = 255,
              .help = "its new path, which is nobody's yet"),
    FIELD_ROW(move_call, 3, "dry_run", FIELD_BOOL, dry_run, .help = "only say what would move"),
    FIELD_ROW(move_call, 4, "if_version", FIELD_U64, if_version, .help = "refused when the policy has another version"),
};
const struct fields move_call_fields = FIELDS_TABLE("params", move_call, move_call_rows);

static const struct field apply_reply_rows[] = {
    FIELD_ROW(apply_reply, 1, "version", FIELD_U64, version, ALWAYS),
    FIELD_ROW(apply_reply, 2, "changes", FIELD_STRS, changes, ALWAYS, .max = TENANTS_MAX),
    FIELD_ROW(apply_reply, 3, "proposal", FIELD_U64, proposal, .help = "waits for another admin's approval"),
    FIELD_ROW(apply_reply, 4, "raises", FIELD_STRS, raises, .max = PROPOSAL_LINES_MAX,
              .help = "what of it gives somebody more"),
};
const struct fields apply_reply_fields = FIELDS_TABLE("result", apply_reply, apply_reply_rows);

static const struct field proposal_rows[] = {
    FIELD_ROW(proposal_row, 1, "proposal", FIELD_U64, proposal, ALWAYS),
    FIELD_ROW(proposal_row, 2, "who", FIELD_STR, who),
    FIELD_ROW(proposal_row, 3, "proposed", FIELD_TIME, proposed_utc_us),
    FIELD_ROW(proposal_row, 4, "version", FIELD_U64, version, ALWAYS, .help = "the policy's that it was made against"),
    FIELD_ROW(proposal_row, 5, "stale", FIELD_BOOL, stale, ALWAYS, .help = "the policy has another version by now"),
    FIELD_ROW(proposal_row, 6, "changes", FIELD_STRS, changes, ALWAYS, .max = PROPOSAL_LINES_MAX),
    FIELD_ROW(proposal_row, 7, "raises", FIELD_STRS, raises, ALWAYS, .max = PROPOSAL_LINES_MAX),
};
const struct fields proposal_row_fields = FIELDS_TABLE("proposal", proposal_row, proposal_rows);

static const struct field proposals_rows[] = {
    FIELD_ROW(proposals_reply, 1, "proposals", FIELD_LIST, proposals, ALWAYS, .of = &proposal_row_fields,
              .max = PROPOSALS_MAX),
    FIELD_ROW(proposals_reply, 2, "version", FIELD_U64, version, ALWAYS),
};
const struct fields proposals_reply_fields = FIELDS_TABLE("result", proposals_reply, proposals_rows);

static const struct field approve_rows[] = {
    FIELD_ROW(approve_call, 1, "proposal", FIELD_U64, proposal, NEEDED),
};
const struct fields approve_call_fields = FIELDS_TABLE("params", approve_call, approve_rows);

static const struct field drop_rows[] = {
    FIELD_ROW(drop_call, 1, "proposal", FIELD_U64, proposal, NEEDED),
    FIELD_ROW(drop_call, 2, "reason", FIELD_STR, reason),
};
const struct fields drop_call_fields = FIELDS_TABLE("params", drop_call, drop_rows);

static const struct field policy_reply_rows[] = {
    FIELD_ROW(policy_reply, 1, "policy", FIELD_STRUCT, policy, .of = &policy_file_fields),
    FIELD_ROW(policy_reply, 2, "version", FIELD_U64, version, ALWAYS),
};
const struct fields policy_reply_fields = FIELDS_TABLE("result", policy_reply, policy_reply_rows);

static const struct field node_row_rows[] = {
    FIELD_ROW(node_row, 1, "node", FIELD_STR, node),
    FIELD_ROW(node_row, 2, "state", FIELD_STR, state),
    FIELD_ROW(node_row, 3, "reason", FIELD_STR, reason),
    FIELD_ROW(node_row, 4, "version", FIELD_STR, version),
    FIELD_ROW(node_row, 5, "boot_id", FIELD_STR, boot_id),
    FIELD_ROW(node_row, 6, "capacity", FIELD_STRUCT, capacity, .of = &resources_fields),
    FIELD_ROW(node_row, 7, "used", FIELD_STRUCT, used, .of = &resources_fields),
    FIELD_ROW(node_row, 8, "running", FIELD_U32, running, ALWAYS),
    FIELD_ROW(node_row, 9, "seen", FIELD_TIME, seen_utc_us),
    FIELD_ROW(node_row, 10, "features", FIELD_STRS, features, ALWAYS, .help = "limits and devices it can enforce"),
    FIELD_ROW(node_row, 11, "lacks", FIELD_STRS, lacks, ALWAYS, .help = "limits it can't enforce"),
    FIELD_ROW(node_row, 12, "window", FIELD_U64, window, .help = "the next maintenance window, or the present one"),
    FIELD_ROW(node_row, 13, "closes", FIELD_TIME, closes_utc_us),
    FIELD_ROW(node_row, 14, "opens", FIELD_TIME, opens_utc_us),
    FIELD_ROW(node_row, 15, "max_attempts", FIELD_U32, max_attempts,
              .help = "that it takes at once; absent: any number"),
};
const struct fields node_row_fields = FIELDS_TABLE("node", node_row, node_row_rows);

static const struct field node_reply_rows[] = {
    FIELD_ROW(node_reply, 1, "nodes", FIELD_LIST, nodes, ALWAYS, .of = &node_row_fields, .max = 100000),
};
const struct fields node_reply_fields = FIELDS_TABLE("result", node_reply, node_reply_rows);

static const struct field drain_rows[] = {
    FIELD_ROW(drain_call, 1, "node", FIELD_STR, node, .flags = FIELD_REQUIRED),
    FIELD_ROW(drain_call, 2, "drain", FIELD_BOOL, drain, .help = "false = use it again"),
    FIELD_ROW(drain_call, 3, "reason", FIELD_STR, reason),
};
const struct fields drain_call_fields = FIELDS_TABLE("params", drain_call, drain_rows);

static const struct field window_call_rows[] = {
    FIELD_ROW(window_call, 1, "window", FIELD_U64, window, .help = "the one to replace; absent: a new one"),
    FIELD_ROW(window_call, 2, "nodes", FIELD_STRS, nodes, .max = WINDOW_NODES_MAX),
    FIELD_ROW(window_call, 3, "where", FIELD_STR, where, .max = WHERE_TEXT_MAX),
    FIELD_ROW(window_call, 4, "cell", FIELD_BOOL, cell, .help = "every node"),
    FIELD_ROW(window_call, 5, "from", FIELD_TIME, from_utc_us, .help = "absent: now"),
    FIELD_ROW(window_call, 6, "until", FIELD_TIME, to_utc_us, NEEDED),
    FIELD_ROW(window_call, 7, "at_begin", FIELD_ENUM, at_begin, .of = &window_begin_names,
              .help = "what still runs then"),
    FIELD_ROW(window_call, 8, "reason", FIELD_STR, reason, .max = 1000),
};
const struct fields window_call_fields = FIELDS_TABLE("params", window_call, window_call_rows);

static const struct field window_reply_rows[] = {
    FIELD_ROW(window_reply, 1, "window", FIELD_U64, window, ALWAYS),
    FIELD_ROW(window_reply, 2, "nodes", FIELD_U32, nodes, ALWAYS),
    FIELD_ROW(window_reply, 3, "running", FIELD_U32, running, ALWAYS),
};
const struct fields window_reply_fields = FIELDS_TABLE("result", window_reply, window_reply_rows);

static const struct field window_row_rows[] = {
    FIELD_ROW(window_row, 1, "window", FIELD_STRUCT, window, .of = &window_fields),
    FIELD_ROW(window_row, 2, "open", FIELD_BOOL, open, ALWAYS),
    FIELD_ROW(window_row, 3, "nodes", FIELD_U32, nodes, ALWAYS),
    FIELD_ROW(window_row, 4, "running", FIELD_U32, running, ALWAYS),
};
const struct fields window_row_fields = FIELDS_TABLE("window", window_row, window_row_rows);

static const struct field windows_rows[] = {
    FIELD_ROW(windows_reply, 1, "windows", FIELD_LIST, windows, ALWAYS, .of = &window_row_fields, .max = WINDOWS_MAX),
};
const struct fields windows_reply_fields = FIELDS_TABLE("result", windows_reply, windows_rows);

static const struct field window_drop_rows[] = {
    FIELD_ROW(window_drop_call, 1, "window", FIELD_U64, window, NEEDED),
    FIELD_ROW(window_drop_call, 2, "reason", FIELD_STR, reason, .max = 1000),
};
const struct fields window_drop_call_fields = FIELDS_TABLE("params", window_drop_call, window_drop_rows);

static const struct field status_rows[] = {
    FIELD_ROW(status_reply, 1, "cell", FIELD_STR, cell),
    FIELD_ROW(status_reply, 2, "writer", FIELD_STR, writer),
    FIELD_ROW(status_reply, 3, "version", FIELD_STR, version),
    FIELD_ROW(status_reply, 4, "store", FIELD_STR, store),
    FIELD_ROW(status_reply, 5, "term", FIELD_U64, term, ALWAYS),
    FIELD_ROW(status_reply, 6, "seq", FIELD_U64, seq, ALWAYS),
    FIELD_ROW(status_reply, 7, "durable", FIELD_U64, durable, ALWAYS),
    FIELD_ROW(status_reply, 8, "jobs", FIELD_U64, jobs, ALWAYS),
    FIELD_ROW(status_reply, 9, "queued", FIELD_U64, queued, ALWAYS),
    FIELD_ROW(status_reply, 10, "live", FIELD_U64, live, ALWAYS),
    FIELD_ROW(status_reply, 11, "nodes", FIELD_U64, nodes, ALWAYS),
    FIELD_ROW(status_reply, 12, "policy_version", FIELD_U64, policy_version, ALWAYS),
    FIELD_ROW(status_reply, 13, "uptime_ms", FIELD_U64, uptime_ms, ALWAYS),
};
const struct fields status_reply_fields = FIELDS_TABLE("result", status_reply, status_rows);

static const struct field top_call_rows[] = {
    FIELD_ROW(top_call, 1, "tenant", FIELD_STR, tenant, .max = 255),
    FIELD_ROW(top_call, 2, "rows", FIELD_U32, rows, .max = TOP_ROWS_MAX),
};
const struct fields top_call_fields = FIELDS_TABLE("params", top_call, top_call_rows);

static const struct field top_tenant_rows[] = {
    FIELD_ROW(top_tenant, 1, "tenant", FIELD_STR, path, NEEDED),
    FIELD_ROW(top_tenant, 2, "weight", FIELD_U32, weight, ALWAYS),
    FIELD_ROW(top_tenant, 3, "fair_ppm", FIELD_U64, fair_ppm, ALWAYS),
    FIELD_ROW(top_tenant, 4, "share_ppm", FIELD_U64, share_ppm, ALWAYS),
    FIELD_ROW(top_tenant, 5, "resource", FIELD_STR, resource),
    FIELD_ROW(top_tenant, 6, "running", FIELD_U64, running, ALWAYS),
    FIELD_ROW(top_tenant, 7, "queued", FIELD_U64, queued, ALWAYS),
    FIELD_ROW(top_tenant, 8, "why", FIELD_STR, why, TEXT),
};
const struct fields top_tenant_fields = FIELDS_TABLE("tenant", top_tenant, top_tenant_rows);

static const struct field top_rows[] = {
    FIELD_ROW(top_reply, 1, "cell", FIELD_STR, cell),
    FIELD_ROW(top_reply, 2, "store", FIELD_STR, store),
    FIELD_ROW(top_reply, 3, "uptime_ms", FIELD_U64, uptime_ms, ALWAYS),
    FIELD_ROW(top_reply, 4, "jobs", FIELD_U64, jobs, ALWAYS),
    FIELD_ROW(top_reply, 5, "queued", FIELD_U64, queued, ALWAYS),
    FIELD_ROW(top_reply, 6, "live", FIELD_U64, live, ALWAYS),
    FIELD_ROW(top_reply, 7, "decided", FIELD_U64, decided, ALWAYS),
    FIELD_ROW(top_reply, 8, "placed", FIELD_U64, placed, ALWAYS),
    FIELD_ROW(top_reply, 9, "ended", FIELD_U64, ended, ALWAYS),
    FIELD_ROW(top_reply, 10, "nodes", FIELD_COUNTS, nodes),
    FIELD_ROW(top_reply, 11, "used", FIELD_COUNTS, used),
    FIELD_ROW(top_reply, 12, "total", FIELD_COUNTS, total),
    FIELD_ROW(top_reply, 13, "tenants", FIELD_LIST, tenants, ALWAYS, .of = &top_tenant_fields),
    FIELD_ROW(top_reply, 14, "left_out", FIELD_U64, left_out, ALWAYS),
};
const struct fields top_reply_fields = FIELDS_TABLE("result", top_reply, top_rows);

static const struct field archived_rows[] = {
    FIELD_ROW(archived_call, 1, "seq", FIELD_U64, seq, NEEDED),
};
const struct fields archived_call_fields = FIELDS_TABLE("params", archived_call, archived_rows);

static const struct field head_rows[] = {
    FIELD_ROW(head_reply, 1, "seq", FIELD_U64, seq, ALWAYS),
    FIELD_ROW(head_reply, 2, "line", FIELD_STR, line),
};
const struct fields head_reply_fields = FIELDS_TABLE("result", head_reply, head_rows);

static const struct field verify_rows[] = {
    FIELD_ROW(verify_reply, 1, "from_seq", FIELD_U64, from_seq, ALWAYS),
    FIELD_ROW(verify_reply, 2, "seq", FIELD_U64, seq, ALWAYS),
    FIELD_ROW(verify_reply, 3, "accounts", FIELD_U64, accounts, ALWAYS),
    FIELD_ROW(verify_reply, 4, "tenants", FIELD_U64, tenants, ALWAYS),
    FIELD_ROW(verify_reply, 5, "holds", FIELD_U64, holds, ALWAYS),
    FIELD_ROW(verify_reply, 6, "total", FIELD_MONEY, total_micros, ALWAYS),
    FIELD_ROW(verify_reply, 7, "currency", FIELD_STR, currency),
    FIELD_ROW(verify_reply, 8, "differences", FIELD_STRS, differences, ALWAYS, .max = VERIFY_DIFFERENCES_MAX),
    FIELD_ROW(verify_reply, 9, "differences_total", FIELD_U64, differences_total, ALWAYS),
};
const struct fields verify_reply_fields = FIELDS_TABLE("result", verify_reply, verify_rows);

static const struct field check_rows[] = {
    FIELD_ROW(check_reply, 1, "seq", FIELD_U64, seq, ALWAYS),
    FIELD_ROW(check_reply, 2, "accounts", FIELD_U64, accounts, ALWAYS),
    FIELD_ROW(check_reply, 3, "total", FIELD_MONEY, total_micros, ALWAYS),
    FIELD_ROW(check_reply, 4, "currency", FIELD_STR, currency),
    FIELD_ROW(check_reply, 5, "difference", FIELD_STR, difference),
};
const struct fields check_reply_fields = FIELDS_TABLE("result", check_reply, check_rows);

static const struct field text_rows[] = {
    FIELD_ROW(text_reply, 1, "text", FIELD_STR, text, .flags = FIELD_ESCAPED, .max = 4 << 20),
};
const struct fields text_reply_fields = FIELDS_TABLE("result", text_reply, text_rows);

const struct method client_methods[CLIENT_METHOD_COUNT] = {
    [CALL_SUBMIT] = {"job.submit", &submit_call_fields, &submit_reply_fields, "queue a job, once per key", false},
    [CALL_LIST] = {"job.list", &list_call_fields, &list_reply_fields, "jobs, oldest first", false},
    [CALL_SHOW] = {"job.show", &job_call_fields, &job_view_fields, "one job with its attempts", false},
    [CALL_WHY] = {"job.why", &job_call_fields, &why_reply_fields, "everything that blocks a job", false},
    [CALL_CANCEL] = {"job.cancel", &job_call_fields, &cancel_reply_fields, "stop a job or one task", false},
    [CALL_RELEASE] = {"job.release", &job_call_fields, NULL, "let held tasks queue again", false},
    [CALL_WAIT] = {"job.wait", &wait_call_fields, &wait_reply_fields, "answer when the job changes", false},
    [CALL_LOG] = {"log.read", &log_call_fields, &log_reply_fields, "what a task wrote", false},
    [CALL_TENANTS] = {"tenant.list", &tenant_call_fields, &tenant_reply_fields,
                      "quota, use and money by tenant", false},
    [CALL_APPLY] = {"admin.apply", &apply_call_fields, &apply_reply_fields, "set the policy, all or nothing", true},
    [CALL_POLICY] = {"admin.policy", NULL, &policy_reply_fields, "the policy as it is", true},
    [CALL_NODES] = {"node.list", NULL, &node_reply_fields, "nodes, their room and health", false},
    [CALL_DRAIN] = {"node.drain", &drain_call_fields, NULL, "place nothing new on a node, or again", true},
    [CALL_WINDOWS] = {"window.list", NULL, &windows_reply_fields, "when nodes are closed for maintenance", false},
    [CALL_WINDOW_SET] = {"window.set", &window_call_fields, &window_reply_fields,
                         "close nodes for a time, or for another one", true},
    [CALL_WINDOW_DROP] = {"window.drop", &window_drop_call_fields, NULL, "a window that won't be, or ends now", true},
    [CALL_STATUS] = {"system.status", NULL, &status_reply_fields, "how the scheduler is", false},
    [CALL_ARCHIVED] = {"journal.archived", &archived_call_fields, NULL, "the reports have everything up to here", true},
    [CALL_ADJUST] = {"ledger.adjust", &adjust_call_fields, &adjust_reply_fields,
                     "post a credit or another adjustment, once per key", true},
    [CALL_NODE_LOG] = {"node.log", &node_log_call_fields, &log_reply_fields, "a log, by the node that keeps it", true},
    [CALL_MOVE] = {"admin.move", &move_call_fields, &apply_reply_fields, "move a tenant with all that is in it", true},
    [CALL_HEAD] = {"journal.head", NULL, &head_reply_fields, "what the journal's file says, signed", true},
    [CALL_VERIFY] = {"ledger.verify", NULL, &verify_reply_fields, "recount everything from the journal", true},
    [CALL_PROPOSALS] = {"admin.proposals", NULL, &proposals_reply_fields, "raises that wait for a second admin", true},
    [CALL_APPROVE] = {"admin.approve", &approve_call_fields, &apply_reply_fields, "put another's proposal in force",
                      true},
    [CALL_DROP] = {"admin.drop", &drop_call_fields, NULL, "a proposal that won't be", true},
    [CALL_HOLD] = {"job.hold", &job_call_fields, NULL, "start nothing of a job until it is released", false},
    [CALL_PRIORITY] = {"job.priority", &priority_call_fields, NULL, "another priority among the tenant's jobs", false},
    [CALL_REQUEUE] = {"job.requeue", &job_call_fields, &cancel_reply_fields, "another attempt instead of the present",
                      false},
    [CALL_TOP] = {"system.top", &top_call_fields, &top_reply_fields, "the cell and its tenants at a glance", false},
    [CALL_SUSPEND] = {"job.suspend", &suspend_call_fields, &suspend_reply_fields, "let what runs of a job stand still",
                      false},
    [CALL_RESUME] = {"job.resume", &suspend_call_fields, &suspend_reply_fields, "let it go on", false},
    [CALL_METRICS] = {"system.metrics", NULL, &text_reply_fields, "Prometheus text", false},
};
