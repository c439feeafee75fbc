#include "base/fact.h"

#include <errno.h>
#include <string.h>

#include "base/field.h"
#include "base/task_state.h"

#define PATH_MAX_LEVELS (TENANT_DEPTH_MAX + 1)
#define ACCOUNTS_MAX (PATH_MAX_LEVELS * (BUDGETS_MAX + 1) + 2)
#define TIMES_MAX ACCOUNTS_MAX
#define CHARGES_MAX 65536
#define MARKS_MAX 16

static const char *const next_names[] = {
    [NEXT_FINAL] = "final", [NEXT_QUEUED] = "queued", [NEXT_HELD] = "held"};
const struct names task_next_names = {next_names, COUNT_OF(next_names)};
static const char *const adjust_names[] = {
    [ADJUST_CREDIT] = "credit", [ADJUST_ADJUSTMENT] = "adjustment", [ADJUST_RERATE] = "rerate"};
const struct names adjust_kind_names = {adjust_names, COUNT_OF(adjust_names)};
static const char *const begin_names[] = {[WINDOW_LEAVES] = "leave", [WINDOW_STOPS] = "stop"};
_Static_assert(COUNT_OF(begin_names) == WINDOW_BEGIN_COUNT, "a name for each");
const struct names window_begin_names = {begin_names, COUNT_OF(begin_names)};

static const struct field charge_rows[] = {
    FIELD_ROW(charge, 1, "resource", FIELD_STR, resource, .max = RESOURCE_NAME_MAX),
    FIELD_ROW(charge, 2, "amount", FIELD_U64, amount, .flags = FIELD_ALWAYS),
    FIELD_ROW(charge, 3, "run_us", FIELD_U64, run_us, .flags = FIELD_ALWAYS),
    FIELD_ROW(charge, 4, "from_run_us", FIELD_U64, from_run_us, .flags = FIELD_ALWAYS),
    FIELD_ROW(charge, 5, "cost", FIELD_MONEY, micros, .flags = FIELD_ALWAYS),
    FIELD_ROW(charge, 6, "price_version", FIELD_U32, price_version, .flags = FIELD_ALWAYS),
    FIELD_ROW(charge, 7, "list_price", FIELD_MONEY, list_price),
    FIELD_ROW(charge, 8, "price", FIELD_MONEY, price),
    FIELD_ROW(charge, 9, "price_class", FIELD_STR, price_class),
    FIELD_ROW(charge, 10, "preemptible", FIELD_BOOL, preemptible),
    FIELD_ROW(charge, 11, "by", FIELD_ENUM, by, .of = &price_by_names),
};
const struct fields charge_fields = FIELDS_TABLE("charge", charge, charge_rows);

static const struct field time_rows[] = {
    FIELD_ROW(time_hold, 1, "account", FIELD_STR, account),
    FIELD_ROW(time_hold, 2, "spent", FIELD_MONEY, spent),
    FIELD_ROW(time_hold, 3, "hold", FIELD_MONEY, hold),
};
const struct fields time_hold_fields = FIELDS_TABLE("time hold", time_hold, time_rows);

static const struct field mark_rows[] = {
    FIELD_ROW(meter_mark, 1, "resource", FIELD_STR, resource, .max = RESOURCE_NAME_MAX),
    FIELD_ROW(meter_mark, 2, "micros", FIELD_I64, micros),
    FIELD_ROW(meter_mark, 3, "rest", FIELD_I64, rest),
    FIELD_ROW(meter_mark, 4, "used", FIELD_MEASURE, used),
};
const struct fields meter_mark_fields = FIELDS_TABLE("meter mark", meter_mark, mark_rows);

#define ID_ROW(type) FIELD_ROW(type, 1, "attempt", FIELD_STRUCT, id, .of = &attempt_id_fields)

static const struct field term_rows[] = {
    FIELD_ROW(fact_term, 1, "term", FIELD_U64, term),
    FIELD_ROW(fact_term, 2, "writer", FIELD_STR, writer),
    FIELD_ROW(fact_term, 3, "schema", FIELD_U32, schema),
};
static const struct field outcome_rows[] = {
    FIELD_ROW(fact_outcome, 1, "first", FIELD_U32, first),
    FIELD_ROW(fact_outcome, 2, "count", FIELD_U32, count),
    FIELD_ROW(fact_outcome, 3, "failed", FIELD_BOOL, failed),
    FIELD_ROW(fact_outcome, 4, "left_out", FIELD_BOOL, left_out),
};
static const struct fields outcome_fields = FIELDS_TABLE("outcome", fact_outcome, outcome_rows);
static const struct field fact_after_rows[] = {
    FIELD_ROW(fact_after, 1, "job", FIELD_U64, job),
    FIELD_ROW(fact_after, 2, "on", FIELD_ENUM, on, .of = &after_on_names),
    FIELD_ROW(fact_after, 3, "tasks", FIELD_ENUM, tasks, .of = &after_tasks_names),
    FIELD_ROW(fact_after, 4, "task", FIELD_MEASURE, task),
    FIELD_ROW(fact_after, 5, "over", FIELD_BOOL, over),
    FIELD_ROW(fact_after, 6, "outcomes", FIELD_LIST, outcomes, .of = &outcome_fields, .max = JOB_TASKS_MAX),
    FIELD_ROW(fact_after, 7, "never", FIELD_BOOL, never),
};
static const struct fields fact_after_fields = FIELDS_TABLE("after", fact_after, fact_after_rows);
static const struct field submitted_rows[] = {
    FIELD_ROW(fact_submitted, 1, "job", FIELD_U64, job),
    FIELD_ROW(fact_submitted, 2, "tenant", FIELD_STR, tenant),
    FIELD_ROW(fact_submitted, 3, "uid", FIELD_U32, uid),
    FIELD_ROW(fact_submitted, 4, "user", FIELD_STR, user),
    FIELD_ROW(fact_submitted, 5, "key", FIELD_STR, key),
    FIELD_ROW(fact_submitted, 6, "spec", FIELD_STRUCT, spec, .of = &job_spec_fields, .flags = FIELD_ALIKE),
    FIELD_ROW(fact_submitted, 7, "path", FIELD_STRS, path, .max = PATH_MAX_LEVELS),
    FIELD_ROW(fact_submitted, 8, "after", FIELD_LIST, after, .of = &fact_after_fields, .max = JOB_AFTER_MAX),
};
static const struct fields submitted_fields = FIELDS_TABLE("job.submitted", fact_submitted, submitted_rows);
static const struct field tasks_rows[] = {
    FIELD_ROW(fact_tasks, 1, "job", FIELD_U64, job),
    FIELD_ROW(fact_tasks, 2, "first", FIELD_U32, first),
    FIELD_ROW(fact_tasks, 3, "count", FIELD_U32, count),
    FIELD_ROW(fact_tasks, 4, "who", FIELD_STR, who),
    FIELD_ROW(fact_tasks, 5, "reason", FIELD_STR, reason),
    FIELD_ROW(fact_tasks, 6, "path", FIELD_STRS, path, .max = PATH_MAX_LEVELS),
    FIELD_ROW(fact_tasks, 7, "job_done", FIELD_BOOL, job_done),
};
static const struct field changed_rows[] = {
    FIELD_ROW(fact_job_changed, 1, "job", FIELD_U64, job),
    FIELD_ROW(fact_job_changed, 2, "who", FIELD_STR, who),
    FIELD_ROW(fact_job_changed, 3, "set_hold", FIELD_BOOL, set_hold),
    FIELD_ROW(fact_job_changed, 4, "hold", FIELD_BOOL, hold),
    FIELD_ROW(fact_job_changed, 5, "set_priority", FIELD_BOOL, set_priority),
    FIELD_ROW(fact_job_changed, 6, "priority", FIELD_I32, priority),
};
static const struct fields changed_fields = FIELDS_TABLE("job.changed", fact_job_changed, changed_rows);
static const struct field placed_rows[] = {
    ID_ROW(fact_placed),
    FIELD_ROW(fact_placed, 2, "node", FIELD_STR, node),
    FIELD_ROW(fact_placed, 3, "resources", FIELD_STRUCT, resources, .of = &resources_fields),
    FIELD_ROW(fact_placed, 4, "path", FIELD_STRS, path, .max = PATH_MAX_LEVELS),
    FIELD_ROW(fact_placed, 5, "accounts", FIELD_STRS, accounts, .max = ACCOUNTS_MAX),
    FIELD_ROW(fact_placed, 6, "hold", FIELD_MONEY, hold_micros),
    FIELD_ROW(fact_placed, 7, "paid_us", FIELD_U64, paid_us),
    FIELD_ROW(fact_placed, 8, "price_version", FIELD_U32, price_version),
    FIELD_ROW(fact_placed, 9, "times", FIELD_LIST, times, .of = &time_hold_fields, .max = TIMES_MAX),
    FIELD_ROW(fact_placed, 10, "price_class", FIELD_STR, price_class),
    FIELD_ROW(fact_placed, 11, "io_paid_bytes", FIELD_MEASURE, io_paid_bytes),
};
static const struct field gang_member_rows[] = {
    FIELD_ROW(gang_member, 1, "task", FIELD_U32, task, .flags = FIELD_ALWAYS),
    FIELD_ROW(gang_member, 2, "epoch", FIELD_U32, epoch, .flags = FIELD_ALWAYS),
    FIELD_ROW(gang_member, 3, "node", FIELD_STR, node),
    FIELD_ROW(gang_member, 4, "hold", FIELD_MONEY, hold_micros),
    FIELD_ROW(gang_member, 5, "price_class", FIELD_STR, price_class),
    FIELD_ROW(gang_member, 6, "io_paid_bytes", FIELD_MEASURE, io_paid_bytes),
};
const struct fields gang_member_fields = FIELDS_TABLE("member of a gang", gang_member, gang_member_rows);
static const struct field gang_rows[] = {
    FIELD_ROW(fact_gang, 1, "job", FIELD_U64, job),
    FIELD_ROW(fact_gang, 2, "members", FIELD_LIST, members, .of = &gang_member_fields, .max = JOB_GANG_MAX),
    FIELD_ROW(fact_gang, 3, "resources", FIELD_STRUCT, resources, .of = &resources_fields),
    FIELD_ROW(fact_gang, 4, "path", FIELD_STRS, path, .max = PATH_MAX_LEVELS),
    FIELD_ROW(fact_gang, 5, "accounts", FIELD_STRS, accounts, .max = ACCOUNTS_MAX),
    FIELD_ROW(fact_gang, 6, "paid_us", FIELD_U64, paid_us),
    FIELD_ROW(fact_gang, 7, "price_version", FIELD_U32, price_version),
    FIELD_ROW(fact_gang, 8, "times", FIELD_LIST, times, .of = &time_hold_fields, .max = TIMES_MAX),
    FIELD_ROW(fact_gang, 9, "left_out", FIELD_U32, left_out, .max = JOB_GANG_MAX),
};
static const struct field running_rows[] = {
    ID_ROW(fact_running),
    FIELD_ROW(fact_running, 2, "started", FIELD_TIME, started_utc_us),
};
static const struct field renewed_rows[] = {
    ID_ROW(fact_renewed),
    FIELD_ROW(fact_renewed, 2, "spent", FIELD_MONEY, spent_micros),
    FIELD_ROW(fact_renewed, 3, "hold", FIELD_MONEY, hold_micros),
    FIELD_ROW(fact_renewed, 4, "settled_us", FIELD_U64, settled_us),
    FIELD_ROW(fact_renewed, 5, "paid_us", FIELD_U64, paid_us),
    FIELD_ROW(fact_renewed, 6, "accounts", FIELD_STRS, accounts, .max = ACCOUNTS_MAX),
    FIELD_ROW(fact_renewed, 7, "charges", FIELD_LIST, charges, .of = &charge_fields, .max = CHARGES_MAX),
    FIELD_ROW(fact_renewed, 8, "final", FIELD_BOOL, final),
    FIELD_ROW(fact_renewed, 20, "paused", FIELD_BOOL, paused),
    FIELD_ROW(fact_renewed, 21, "paused_us", FIELD_U64, paused_us),
    FIELD_ROW(fact_renewed, 9, "times", FIELD_LIST, times, .of = &time_hold_fields, .max = TIMES_MAX),
    FIELD_ROW(fact_renewed, 10, "times_settled", FIELD_LIST, times_settled, .of = &time_hold_fields,
              .max = TIMES_MAX),
    FIELD_ROW(fact_renewed, 11, "marks", FIELD_LIST, marks, .of = &meter_mark_fields, .max = MARKS_MAX),
    FIELD_ROW(fact_renewed, 50, "suspends", FIELD_U32, suspends),
    FIELD_ROW(fact_renewed, 60, "io_paid_bytes", FIELD_MEASURE, io_paid_bytes),
    FIELD_ROW(fact_renewed, 61, "io_final", FIELD_BOOL, io_final),
};
static const struct field stopping_rows[] = {
    ID_ROW(fact_stopping),
    FIELD_ROW(fact_stopping, 2, "cause", FIELD_ENUM, cause, .of = &end_cause_names),
    FIELD_ROW(fact_stopping, 3, "who", FIELD_STR, who),
};
static const struct field attempt_rows[] = {
    ID_ROW(fact_attempt),
    FIELD_ROW(fact_attempt, 2, "node", FIELD_STR, node),
};
static const struct field suspended_rows[] = {
    ID_ROW(fact_suspended),
    FIELD_ROW(fact_suspended, 2, "node", FIELD_STR, node),
    FIELD_ROW(fact_suspended, 3, "suspended", FIELD_BOOL, suspended),
    FIELD_ROW(fact_suspended, 4, "number", FIELD_U32, number),
    FIELD_ROW(fact_suspended, 5, "who", FIELD_STR, who),
    FIELD_ROW(fact_suspended, 6, "reason", FIELD_STR, reason),
    FIELD_ROW(fact_suspended, 7, "for_io", FIELD_BOOL, for_io),
};
static const struct field ended_rows[] = {
    ID_ROW(fact_ended),
    FIELD_ROW(fact_ended, 2, "node", FIELD_STR, node),
    FIELD_ROW(fact_ended, 3, "record", FIELD_STRUCT, record, .of = &exit_record_fields),
    FIELD_ROW(fact_ended, 4, "next", FIELD_ENUM, next, .of = &task_next_names),
    FIELD_ROW(fact_ended, 5, "state", FIELD_ENUM, state, .of = &task_state_names),
    FIELD_ROW(fact_ended, 6, "user_retry", FIELD_U32, user_retry),
    FIELD_ROW(fact_ended, 7, "spent", FIELD_MONEY, spent_micros),
    FIELD_ROW(fact_ended, 8, "written_off", FIELD_MONEY, written_off_micros),
    FIELD_ROW(fact_ended, 9, "charges", FIELD_LIST, charges, .of = &charge_fields, .max = CHARGES_MAX),
    FIELD_ROW(fact_ended, 10, "job_done", FIELD_BOOL, job_done),
    FIELD_ROW(fact_ended, 20, "paused_us", FIELD_U64, paused_us),
    FIELD_ROW(fact_ended, 11, "times_settled", FIELD_LIST, times_settled, .of = &time_hold_fields,
              .max = TIMES_MAX),
};
static const struct field opened_rows[] = {
    FIELD_ROW(fact_budget_opened, 1, "account", FIELD_STR, account),
    FIELD_ROW(fact_budget_opened, 2, "tenant", FIELD_STR, tenant),
    FIELD_ROW(fact_budget_opened, 3, "budget", FIELD_STR, budget),
    FIELD_ROW(fact_budget_opened, 4, "resource", FIELD_STR, resource),
    FIELD_ROW(fact_budget_opened, 5, "limit", FIELD_MONEY, limit_micros, .flags = FIELD_UNBOUNDED),
    FIELD_ROW(fact_budget_opened, 6, "carried", FIELD_MONEY, carried_micros),
    FIELD_ROW(fact_budget_opened, 7, "from_utc_us", FIELD_I64, from_utc_us),
    FIELD_ROW(fact_budget_opened, 8, "to_utc_us", FIELD_I64, to_utc_us),
};
static const struct field crossed_rows[] = {
    FIELD_ROW(fact_budget_crossed, 1, "account", FIELD_STR, account),
    FIELD_ROW(fact_budget_crossed, 2, "tenant", FIELD_STR, tenant),
    FIELD_ROW(fact_budget_crossed, 3, "percent", FIELD_U32, percent),
    FIELD_ROW(fact_budget_crossed, 4, "of", FIELD_ENUM, of, .of = &threshold_of_names),
    FIELD_ROW(fact_budget_crossed, 5, "up", FIELD_BOOL, up),
    FIELD_ROW(fact_budget_crossed, 6, "limit", FIELD_MONEY, limit_micros),
    FIELD_ROW(fact_budget_crossed, 7, "spent", FIELD_I64, spent_micros),
    FIELD_ROW(fact_budget_crossed, 8, "held", FIELD_MONEY, held_micros),
    FIELD_ROW(fact_budget_crossed, 9, "forecast", FIELD_I64, forecast_micros),
};
static const struct field adjusted_rows[] = {
    FIELD_ROW(fact_adjusted, 1, "key", FIELD_STR, key),
    FIELD_ROW(fact_adjusted, 2, "tenant", FIELD_STR, tenant),
    FIELD_ROW(fact_adjusted, 3, "accounts", FIELD_STRS, accounts, .max = ACCOUNTS_MAX),
    FIELD_ROW(fact_adjusted, 4, "micros", FIELD_I64, micros),
    FIELD_ROW(fact_adjusted, 5, "kind", FIELD_ENUM, kind, .of = &adjust_kind_names),
    FIELD_ROW(fact_adjusted, 6, "reason", FIELD_STR, reason),
    FIELD_ROW(fact_adjusted, 7, "who", FIELD_STR, who),
    FIELD_ROW(fact_adjusted, 8, "from", FIELD_I64, from_utc_us),
    FIELD_ROW(fact_adjusted, 9, "to", FIELD_I64, to_utc_us),
    FIELD_ROW(fact_adjusted, 10, "job", FIELD_U64, job),
    FIELD_ROW(fact_adjusted, 11, "about_seq", FIELD_U64, about_seq),
    FIELD_ROW(fact_adjusted, 12, "about_line", FIELD_U32, about_line),
    FIELD_ROW(fact_adjusted, 13, "resource", FIELD_STR, resource),
    FIELD_ROW(fact_adjusted, 14, "price_version", FIELD_U32, price_version),
    FIELD_ROW(fact_adjusted, 20, "list_price", FIELD_I64, list_price),
    FIELD_ROW(fact_adjusted, 21, "price", FIELD_I64, price),
    FIELD_ROW(fact_adjusted, 22, "tenant_id", FIELD_U64, tenant_id),
};
static const struct field closed_rows[] = {
    FIELD_ROW(fact_period_closed, 1, "period", FIELD_STR, period),
    FIELD_ROW(fact_period_closed, 2, "from", FIELD_TIME, from_utc_us),
    FIELD_ROW(fact_period_closed, 3, "to", FIELD_TIME, to_utc_us),
};
static const struct field proposed_rows[] = {
    FIELD_ROW(fact_policy_proposed, 1, "proposal", FIELD_U64, proposal),
    FIELD_ROW(fact_policy_proposed, 2, "change", FIELD_STRUCT, change, .of = &policy_change_fields),
    FIELD_ROW(fact_policy_proposed, 3, "lines", FIELD_STRS, lines, .max = PROPOSAL_LINES_MAX),
    FIELD_ROW(fact_policy_proposed, 4, "uid", FIELD_U32, uid),
    FIELD_ROW(fact_policy_proposed, 5, "raises", FIELD_STRS, raises, .max = PROPOSAL_LINES_MAX),
    FIELD_ROW(fact_policy_proposed, 6, "past_prices", FIELD_BOOL, past_prices),
    FIELD_ROW(fact_policy_proposed, 7, "proposed", FIELD_TIME, proposed_utc_us),
};
static const struct field dropped_rows[] = {
    FIELD_ROW(fact_policy_dropped, 1, "proposal", FIELD_U64, proposal),
    FIELD_ROW(fact_policy_dropped, 2, "who", FIELD_STR, who),
    FIELD_ROW(fact_policy_dropped, 3, "reason", FIELD_STR, reason),
};
static const struct field moved_job_rows[] = {FIELD_ROW(moved_job, 1, "job", FIELD_U64, job)};
static const struct fields moved_job_fields = FIELDS_TABLE("moved job", moved_job, moved_job_rows);
static const struct field moved_rows[] = {
    FIELD_ROW(fact_tenant_moved, 1, "from", FIELD_STR, from),
    FIELD_ROW(fact_tenant_moved, 2, "to", FIELD_STR, to),
    FIELD_ROW(fact_tenant_moved, 3, "from_path", FIELD_STRS, from_path, .max = PATH_MAX_LEVELS),
    FIELD_ROW(fact_tenant_moved, 4, "to_path", FIELD_STRS, to_path, .max = PATH_MAX_LEVELS),
    FIELD_ROW(fact_tenant_moved, 5, "who", FIELD_STR, who),
    FIELD_ROW(fact_tenant_moved, 6, "version", FIELD_U64, version),
    FIELD_ROW(fact_tenant_moved, 7, "tenants", FIELD_STRS, tenants, .max = MOVED_MAX),
    FIELD_ROW(fact_tenant_moved, 8, "accounts", FIELD_PAIRS, accounts, .max = MOVED_MAX),
    FIELD_ROW(fact_tenant_moved, 9, "attempts", FIELD_LIST, attempts, .of = &attempt_id_fields, .max = MOVED_MAX),
    FIELD_ROW(fact_tenant_moved, 10, "jobs", FIELD_LIST, jobs, .of = &moved_job_fields, .max = MOVED_MAX),
};
static const struct field node_rows[] = {
    FIELD_ROW(fact_node, 1, "node", FIELD_STR, node),
    FIELD_ROW(fact_node, 2, "boot_id", FIELD_STR, boot_id),
    FIELD_ROW(fact_node, 3, "capacity", FIELD_STRUCT, capacity, .of = &resources_fields),
    FIELD_ROW(fact_node, 4, "version", FIELD_STR, version),
    FIELD_ROW(fact_node, 5, "labels", FIELD_PAIRS, labels),
    FIELD_ROW(fact_node, 6, "features", FIELD_STRS, features, .max = NODE_FEATURES_MAX),
    FIELD_ROW(fact_node, 7, "hello", FIELD_U64, hello),
    FIELD_ROW(fact_node, 8, "max_attempts", FIELD_U32, max_attempts),
};
static const struct fields node_fields = FIELDS_TABLE("node.joined", fact_node, node_rows);
static const struct field lost_rows[] = {
    FIELD_ROW(fact_node_lost, 1, "node", FIELD_STR, node),
    FIELD_ROW(fact_node_lost, 2, "reason", FIELD_STR, reason),
};
static const struct field drained_rows[] = {
    FIELD_ROW(fact_drained, 1, "node", FIELD_STR, node),
    FIELD_ROW(fact_drained, 2, "drained", FIELD_BOOL, drained),
    FIELD_ROW(fact_drained, 3, "reason", FIELD_STR, reason),
    FIELD_ROW(fact_drained, 4, "who", FIELD_STR, who),
};
static const struct field quarantined_rows[] = {
    FIELD_ROW(fact_quarantined, 1, "node", FIELD_STR, node),
    FIELD_ROW(fact_quarantined, 2, "quarantined", FIELD_BOOL, quarantined),
    FIELD_ROW(fact_quarantined, 3, "level", FIELD_U32, level),
    FIELD_ROW(fact_quarantined, 4, "until", FIELD_TIME, until_utc_us),
    FIELD_ROW(fact_quarantined, 5, "reason", FIELD_STR, reason),
    FIELD_ROW(fact_quarantined, 6, "who", FIELD_STR, who),
};
static const struct fields quarantined_fields = FIELDS_TABLE("node.quarantined", fact_quarantined, quarantined_rows);
static const struct field window_rows[] = {
    FIELD_ROW(fact_window, 1, "window", FIELD_U64, window),
    FIELD_ROW(fact_window, 2, "nodes", FIELD_STRS, nodes, .max = WINDOW_NODES_MAX),
    FIELD_ROW(fact_window, 3, "where", FIELD_STR, where),
    FIELD_ROW(fact_window, 4, "cell", FIELD_BOOL, cell),
    FIELD_ROW(fact_window, 5, "from", FIELD_TIME, from_utc_us),
    FIELD_ROW(fact_window, 6, "until", FIELD_TIME, to_utc_us),
    FIELD_ROW(fact_window, 7, "at_begin", FIELD_ENUM, at_begin, .of = &window_begin_names),
    FIELD_ROW(fact_window, 8, "reason", FIELD_STR, reason),
    FIELD_ROW(fact_window, 9, "who", FIELD_STR, who),
};
const struct fields window_fields = FIELDS_TABLE("window.set", fact_window, window_rows);
static const struct field window_dropped_rows[] = {
    FIELD_ROW(fact_window_dropped, 1, "window", FIELD_U64, window),
    FIELD_ROW(fact_window_dropped, 2, "who", FIELD_STR, who),
    FIELD_ROW(fact_window_dropped, 3, "reason", FIELD_STR, reason),
};
static const struct field snap_task_rows[] = {
    FIELD_ROW(snapshot_task, 1, "task", FIELD_U32, task),
    FIELD_ROW(snapshot_task, 2, "epoch", FIELD_U32, epoch),
    FIELD_ROW(snapshot_task, 3, "state", FIELD_ENUM, state, .of = &task_state_names),
    FIELD_ROW(snapshot_task, 4, "retries_used", FIELD_U32, retries_used),
    FIELD_ROW(snapshot_task, 5, "node_faults", FIELD_U32, node_faults),
    FIELD_ROW(snapshot_task, 6, "node", FIELD_STR, node),
    FIELD_ROW(snapshot_task, 7, "placed", FIELD_TIME, placed_utc_us),
    FIELD_ROW(snapshot_task, 8, "started", FIELD_TIME, started_utc_us),
    FIELD_ROW(snapshot_task, 9, "eligible", FIELD_TIME, eligible_utc_us),
    FIELD_ROW(snapshot_task, 10, "spent", FIELD_MONEY, spent_micros),
    FIELD_ROW(snapshot_task, 11, "hold", FIELD_MONEY, hold_micros),
    FIELD_ROW(snapshot_task, 12, "settled_us", FIELD_U64, settled_us),
    FIELD_ROW(snapshot_task, 13, "paid_us", FIELD_U64, paid_us),
    FIELD_ROW(snapshot_task, 14, "accounts", FIELD_STRS, accounts, .max = ACCOUNTS_MAX),
    FIELD_ROW(snapshot_task, 15, "stopping", FIELD_ENUM, stopping, .of = &end_cause_names),
    FIELD_ROW(snapshot_task, 16, "final", FIELD_BOOL, final),
    FIELD_ROW(snapshot_task, 17, "price_version", FIELD_U32, price_version),
    FIELD_ROW(snapshot_task, 18, "avoid", FIELD_STR, avoid),
    FIELD_ROW(snapshot_task, 40, "paused", FIELD_BOOL, paused),
    FIELD_ROW(snapshot_task, 41, "paused_us", FIELD_U64, paused_us),
    FIELD_ROW(snapshot_task, 42, "paused_utc_us", FIELD_I64, paused_utc_us),
    FIELD_ROW(snapshot_task, 19, "times", FIELD_LIST, times, .of = &time_hold_fields, .max = TIMES_MAX),
    FIELD_ROW(snapshot_task, 20, "price_class", FIELD_STR, price_class),
    FIELD_ROW(snapshot_task, 22, "ahead", FIELD_U64, ahead),
    FIELD_ROW(snapshot_task, 50, "suspends", FIELD_U32, suspends),
    FIELD_ROW(snapshot_task, 51, "rests", FIELD_BOOL, rests),
    FIELD_ROW(snapshot_task, 52, "suspended_by", FIELD_STR, suspended_by),
    FIELD_ROW(snapshot_task, 53, "suspended_utc_us", FIELD_I64, suspended_utc_us),
    FIELD_ROW(snapshot_task, 60, "io_paid_bytes", FIELD_MEASURE, io_paid_bytes),
    FIELD_ROW(snapshot_task, 61, "io_final", FIELD_BOOL, io_final),
    FIELD_ROW(snapshot_task, 62, "suspended_for_io", FIELD_BOOL, suspended_for_io),
    FIELD_ROW(snapshot_task, 21, "marks", FIELD_LIST, marks, .of = &meter_mark_fields, .max = MARKS_MAX),
};
static const struct fields snap_task_fields = FIELDS_TABLE("snapshot task", snapshot_task, snap_task_rows);
static const struct field snap_job_rows[] = {
    FIELD_ROW(fact_snapshot_job, 1, "submitted", FIELD_STRUCT, submitted, .of = &submitted_fields),
    FIELD_ROW(fact_snapshot_job, 2, "submitted_at", FIELD_TIME, submitted_utc_us),
    FIELD_ROW(fact_snapshot_job, 3, "next_task", FIELD_U32, next_task),
    FIELD_ROW(fact_snapshot_job, 4, "ended", FIELD_COUNTS, ended),
    FIELD_ROW(fact_snapshot_job, 5, "spent", FIELD_MONEY, spent_micros),
    FIELD_ROW(fact_snapshot_job, 6, "tasks", FIELD_LIST, tasks, .of = &snap_task_fields, .max = JOB_TASKS_MAX),
    FIELD_ROW(fact_snapshot_job, 7, "over", FIELD_LIST, over, .of = &outcome_fields, .max = JOB_TASKS_MAX),
    FIELD_ROW(fact_snapshot_job, 8, "changed", FIELD_STRUCT, changed, .of = &changed_fields),
};
static const struct field snap_node_rows[] = {
    FIELD_ROW(snapshot_node, 1, "node", FIELD_STRUCT, node, .of = &node_fields),
    FIELD_ROW(snapshot_node, 2, "drained", FIELD_BOOL, drained),
    FIELD_ROW(snapshot_node, 3, "lost", FIELD_BOOL, lost),
    FIELD_ROW(snapshot_node, 4, "drain_reason", FIELD_STR, drain_reason),
    FIELD_ROW(snapshot_node, 5, "quarantine", FIELD_STRUCT, quarantine, .of = &quarantined_fields),
};
static const struct fields snap_node_fields = FIELDS_TABLE("snapshot node", snapshot_node, snap_node_rows);
static const struct field snap_account_rows[] = {
    FIELD_ROW(snapshot_account, 1, "name", FIELD_STR, name),
    FIELD_ROW(snapshot_account, 2, "limit", FIELD_MONEY, limit_micros, .flags = FIELD_UNBOUNDED),
    FIELD_ROW(snapshot_account, 3, "spent", FIELD_I64, spent_micros),
    FIELD_ROW(snapshot_account, 4, "carried", FIELD_MONEY, carried_micros),
    FIELD_ROW(snapshot_account, 5, "from", FIELD_I64, from_utc_us),
    FIELD_ROW(snapshot_account, 6, "to", FIELD_I64, to_utc_us),
    FIELD_ROW(snapshot_account, 7, "resource", FIELD_STR, resource),
    FIELD_ROW(snapshot_account, 8, "crossed", FIELD_U32, crossed),
};
static const struct fields snap_account_fields =
    FIELDS_TABLE("snapshot account", snapshot_account, snap_account_rows);
static const struct field snap_budget_rows[] = {
    FIELD_ROW(snapshot_budget, 1, "tenant", FIELD_STR, tenant),
    FIELD_ROW(snapshot_budget, 2, "budget", FIELD_STR, budget),
    FIELD_ROW(snapshot_budget, 3, "since", FIELD_I64, since_utc_us),
};
static const struct fields snap_budget_fields = FIELDS_TABLE("snapshot budget", snapshot_budget, snap_budget_rows);
static const struct field snap_adjusted_rows[] = {
    FIELD_ROW(snapshot_adjusted, 1, "key", FIELD_STR, key),
    FIELD_ROW(snapshot_adjusted, 2, "hash", FIELD_U64, hash),
    FIELD_ROW(snapshot_adjusted, 3, "periods_closed", FIELD_U32, periods_closed),
};
static const struct field snap_tenant_id_rows[] = {
    FIELD_ROW(snapshot_tenant_id, 1, "tenant", FIELD_STR, tenant),
    FIELD_ROW(snapshot_tenant_id, 2, "id", FIELD_U64, id),
};
static const struct fields snap_tenant_id_fields =
    FIELDS_TABLE("snapshot tenant id", snapshot_tenant_id, snap_tenant_id_rows);
static const struct field closed_account_rows[] = {
    FIELD_ROW(closed_account, 1, "account", FIELD_STR, account),
    FIELD_ROW(closed_account, 2, "resource", FIELD_STR, resource),
    FIELD_ROW(closed_account, 3, "spent", FIELD_I64, spent_micros),
};
static const struct fields closed_account_fields = FIELDS_TABLE("closed account", closed_account, closed_account_rows);
static const struct field accounts_closed_rows[] = {
    FIELD_ROW(fact_accounts_closed, 1, "accounts", FIELD_LIST, accounts, .of = &closed_account_fields,
              .max = ACCOUNTS_CLOSED_MAX),
};
static const struct fields snap_adjusted_fields =
    FIELDS_TABLE("snapshot adjusted", snapshot_adjusted, snap_adjusted_rows);
static const struct field snap_rate_rows[] = {
    FIELD_ROW(snapshot_rate, 1, "tenant", FIELD_STR, tenant),
    FIELD_ROW(snapshot_rate, 2, "starts", FIELD_BOOL, starts),
    FIELD_ROW(snapshot_rate, 3, "parts", FIELD_I64, parts),
    FIELD_ROW(snapshot_rate, 4, "at", FIELD_TIME, at_utc_us),
};
static const struct fields snap_rate_fields = FIELDS_TABLE("snapshot rate", snapshot_rate, snap_rate_rows);
static const struct field snap_faded_rows[] = {
    FIELD_ROW(snapshot_faded, 1, "tenant", FIELD_STR, tenant),
    FIELD_ROW(snapshot_faded, 2, "amount", FIELD_U64, amount),
};
static const struct fields snap_faded_fields = FIELDS_TABLE("snapshot faded use", snapshot_faded, snap_faded_rows);

static const struct field snap_cell_rows[] = {
    FIELD_ROW(fact_snapshot_cell, 1, "seq", FIELD_U64, seq),
    FIELD_ROW(fact_snapshot_cell, 2, "term", FIELD_U64, term),
    FIELD_ROW(fact_snapshot_cell, 3, "next_job", FIELD_U64, next_job),
    FIELD_ROW(fact_snapshot_cell, 4, "nodes", FIELD_LIST, nodes, .of = &snap_node_fields, .max = 100000),
    FIELD_ROW(fact_snapshot_cell, 5, "accounts", FIELD_LIST, accounts, .of = &snap_account_fields,
              .max = 10000000),
    FIELD_ROW(fact_snapshot_cell, 6, "rates", FIELD_LIST, rates, .of = &snap_rate_fields, .max = 2 * TENANTS_MAX),
    FIELD_ROW(fact_snapshot_cell, 20, "billing_from_utc_us", FIELD_I64, billing_from_utc_us),
    FIELD_ROW(fact_snapshot_cell, 21, "periods_closed", FIELD_U32, periods_closed),
    FIELD_ROW(fact_snapshot_cell, 7, "budgets", FIELD_LIST, budgets, .of = &snap_budget_fields, .max = 10000000),
    FIELD_ROW(fact_snapshot_cell, 8, "adjusted", FIELD_LIST, adjusted, .of = &snap_adjusted_fields,
              .max = 10000000),
    FIELD_ROW(fact_snapshot_cell, 40, "fade_epoch_utc_us", FIELD_I64, fade_epoch_utc_us),
    FIELD_ROW(fact_snapshot_cell, 41, "faded", FIELD_LIST, faded, .of = &snap_faded_fields, .max = TENANTS_MAX),
    FIELD_ROW(fact_snapshot_cell, 30, "next_proposal", FIELD_U64, next_proposal),
    FIELD_ROW(fact_snapshot_cell, 31, "tenant_ids", FIELD_LIST, tenant_ids, .of = &snap_tenant_id_fields,
              .max = TENANTS_MAX),
    FIELD_ROW(fact_snapshot_cell, 32, "next_tenant_id", FIELD_U64, next_tenant_id),
    FIELD_ROW(fact_snapshot_cell, 50, "windows", FIELD_LIST, windows, .of = &window_fields, .max = WINDOWS_MAX),
    FIELD_ROW(fact_snapshot_cell, 51, "last_window", FIELD_U64, last_window),
};

static const struct fields tables[FACT_KIND_COUNT] = {
    [FACT_TERM_TAKEN] = FIELDS_TABLE("term.taken", fact_term, term_rows),
    [FACT_JOB_SUBMITTED] = FIELDS_TABLE("job.submitted", fact_submitted, submitted_rows),
    [FACT_TASKS_CANCELLED] = FIELDS_TABLE("tasks.cancelled", fact_tasks, tasks_rows),
    [FACT_TASK_HELD] = FIELDS_TABLE("task.held", fact_tasks, tasks_rows),
    [FACT_TASK_RELEASED] = FIELDS_TABLE("task.released", fact_tasks, tasks_rows),
    [FACT_ATTEMPT_PLACED] = FIELDS_TABLE("attempt.placed", fact_placed, placed_rows),
    [FACT_ATTEMPT_RUNNING] = FIELDS_TABLE("attempt.running", fact_running, running_rows),
    [FACT_HOLD_RENEWED] = FIELDS_TABLE("hold.renewed", fact_renewed, renewed_rows),
    [FACT_ATTEMPT_STOPPING] = FIELDS_TABLE("attempt.stopping", fact_stopping, stopping_rows),
    [FACT_ATTEMPT_UNREACHABLE] = FIELDS_TABLE("attempt.unreachable", fact_attempt, attempt_rows),
    [FACT_ATTEMPT_REACHED] = FIELDS_TABLE("attempt.reached", fact_attempt, attempt_rows),
    [FACT_ATTEMPT_ENDED] = FIELDS_TABLE("attempt.ended", fact_ended, ended_rows),
    [FACT_NODE_JOINED] = FIELDS_TABLE("node.joined", fact_node, node_rows),
    [FACT_NODE_LOST] = FIELDS_TABLE("node.lost", fact_node_lost, lost_rows),
    [FACT_NODE_DRAINED] = FIELDS_TABLE("node.drained", fact_drained, drained_rows),
    [FACT_SNAPSHOT_JOB] = FIELDS_TABLE("snapshot.job", fact_snapshot_job, snap_job_rows),
    [FACT_SNAPSHOT_CELL] = FIELDS_TABLE("snapshot.cell", fact_snapshot_cell, snap_cell_rows),
    [FACT_BUDGET_OPENED] = FIELDS_TABLE("budget.opened", fact_budget_opened, opened_rows),
    [FACT_BUDGET_CROSSED] = FIELDS_TABLE("budget.crossed", fact_budget_crossed, crossed_rows),
    [FACT_LEDGER_ADJUSTED] = FIELDS_TABLE("ledger.adjusted", fact_adjusted, adjusted_rows),
    [FACT_PERIOD_CLOSED] = FIELDS_TABLE("period.closed", fact_period_closed, closed_rows),
    [FACT_POLICY_PROPOSED] = FIELDS_TABLE("policy.proposed", fact_policy_proposed, proposed_rows),
    [FACT_POLICY_DROPPED] = FIELDS_TABLE("policy.dropped", fact_policy_dropped, dropped_rows),
    [FACT_TENANT_MOVED] = FIELDS_TABLE("tenant.moved", fact_tenant_moved, moved_rows),
    [FACT_JOB_CHANGED] = FIELDS_TABLE("job.changed", fact_job_changed, changed_rows),
    [FACT_ACCOUNTS_CLOSED] = FIELDS_TABLE("accounts.closed", fact_accounts_closed, accounts_closed_rows),
    [FACT_WINDOW_SET] = FIELDS_TABLE("window.set", fact_window, window_rows),
    [FACT_NODE_QUARANTINED] = FIELDS_TABLE("node.quarantined", fact_quarantined, quarantined_rows),
    [FACT_ATTEMPT_SUSPENDED] = FIELDS_TABLE("attempt.suspended", fact_suspended, suspended_rows),
    [FACT_WINDOW_DROPPED] = FIELDS_TABLE("window.dropped", fact_window_dropped, window_dropped_rows),
    [FACT_GANG_PLACED] = FIELDS_TABLE("gang.placed", fact_gang, gang_rows),
};

static const char *const kind_names[] = {
    [FACT_TERM_TAKEN] = "term.taken",
    [FACT_POLICY_SET] = "policy.set",
    [FACT_JOB_SUBMITTED] = "job.submitted",
    [FACT_TASKS_CANCELLED] = "tasks.cancelled",
    [FACT_TASK_HELD] = "task.held",
    [FACT_TASK_RELEASED] = "task.released",
    [FACT_ATTEMPT_PLACED] = "attempt.placed",
    [FACT_ATTEMPT_RUNNING] = "attempt.running",
    [FACT_HOLD_RENEWED] = "hold.renewed",
    [FACT_ATTEMPT_STOPPING] = "attempt.stopping",
    [FACT_ATTEMPT_UNREACHABLE] = "attempt.unreachable",
    [FACT_ATTEMPT_REACHED] = "attempt.reached",
    [FACT_ATTEMPT_ENDED] = "attempt.ended",
    [FACT_NODE_JOINED] = "node.joined",
    [FACT_NODE_LOST] = "node.lost",
    [FACT_NODE_DRAINED] = "node.drained",
    [FACT_SNAPSHOT_JOB] = "snapshot.job",
    [FACT_SNAPSHOT_CELL] = "snapshot.cell",
    [FACT_BUDGET_OPENED] = "budget.opened",
    [FACT_BUDGET_CROSSED] = "budget.crossed",
    [FACT_LEDGER_ADJUSTED] = "ledger.adjusted",
    [FACT_PERIOD_CLOSED] = "period.closed",
    [FACT_POLICY_PROPOSED] = "policy.proposed",
    [FACT_POLICY_DROPPED] = "policy.dropped",
    [FACT_TENANT_MOVED] = "tenant.moved",
    [FACT_JOB_CHANGED] = "job.changed",
    [FACT_ACCOUNTS_CLOSED] = "accounts.closed",
    [FACT_WINDOW_SET] = "window.set",
    [FACT_WINDOW_DROPPED] = "window.dropped",
    [FACT_GANG_PLACED] = "gang.placed",
    [FACT_ATTEMPT_SUSPENDED] = "attempt.suspended",
    [FACT_NODE_QUARANTINED] = "node.quarantined",
};
_Static_assert(COUNT_OF(kind_names) == FACT_KIND_COUNT, "a name for each kind of fact");
const struct names fact_names = {kind_names, COUNT_OF(kind_names)};

const struct fields *fact_fields(uint32_t kind)
{
    if (kind == FACT_POLICY_SET)
        return &policy_change_fields; /* lives in base/policy.c: the same rows as the admin's change */
    return kind < FACT_KIND_COUNT && tables[kind].rows != NULL ? &tables[kind] : NULL;
}

/* All members of the union begin at the same place. */
void *fact_body(struct fact *fact)
{
    return &fact->term;
}

const void *fact_body_const(const struct fact *fact)
{
    return &fact->term;
}

void fact_encode(const struct fact *fact, struct buf *out)
{
    const struct fields *f = fact_fields(fact->kind);
    BUG(f == NULL);
    wire_put_u64(out, fact->kind);
    wire_put_i64(out, fact->at_utc_us);
    fields_encode(f, fact_body_const(fact), out);
}

int fact_decode(const void *bytes, size_t len, struct fact *fact, struct err *err)
{
    return fact_decode_in(NULL, NULL, bytes, len, fact, err);
}

int fact_decode_in(struct arena *a, struct alike *alike, const void *bytes, size_t len, struct fact *fact,
                   struct err *err)
{
    struct wire_reader r = wire_reader(bytes, len);
    r.arena = a;
    r.alike = alike;
    uint64_t kind = wire_get_u64(&r);
    int64_t at = wire_get_i64(&r);
    if (r.bad)
        return err_set(err, -EBADMSG, "fact: its head is cut off");
    const struct fields *f = kind < FACT_KIND_COUNT ? fact_fields((uint32_t)kind) : NULL;
    if (f == NULL)
        return err_set(err, -EPROTONOSUPPORT, "fact: kind %llu is not known to this version",
                       (unsigned long long)kind);
    struct fact decoded = {.kind = (uint32_t)kind, .at_utc_us = at};
    int failed = fields_read(f, r, fact_body(&decoded), err);
    if (failed < 0)
        return err_wrap(err, failed, "fact %s", kind_names[kind]);
    *fact = decoded;
    return 0;
}

void fact_clear(struct fact *fact)
{
    const struct fields *f = fact_fields(fact->kind);
    if (f != NULL)
        fields_clear(f, fact_body(fact));
    fact->kind = FACT_NONE; /* the rest of its room, which is large, was never anybody's */
    fact->at_utc_us = 0;
}

void fact_hand_over(struct fact *from, struct fact *to)
{
    const struct fields *f = fact_fields(from->kind);
    BUG(f == NULL);
    memcpy(to, from, offsetof(struct fact, term) + f->size);
    from->kind = FACT_NONE;
}

int fact_copy(const struct fact *from, struct fact *to)
{
    struct fact copy = {.kind = from->kind, .at_utc_us = from->at_utc_us};
    const struct fields *f = fact_fields(from->kind);
    if (f != NULL && fields_copy(f, fact_body_const(from), fact_body(&copy)) < 0)
        return -ENOMEM;
    *to = copy;
    return 0;
}

size_t fact_placements(const struct fact *fact)
{
    return fact->kind == FACT_ATTEMPT_PLACED ? 1 : fact->kind == FACT_GANG_PLACED ? fact->gang_placed.members.count : 0;
}

const struct fact *fact_placement(const struct fact *fact, size_t i, struct fact *room)
{
    const struct fact_gang *g = &fact->gang_placed;
    if (fact->kind == FACT_ATTEMPT_PLACED)
        return fact;
    BUG(i >= fact_placements(fact));
    const struct gang_member *m = &((const struct gang_member *)g->members.v)[i];
    *room = (struct fact){.kind = FACT_ATTEMPT_PLACED,
                          .at_utc_us = fact->at_utc_us,
                          .placed = {.id = {g->job, m->task, m->epoch},
                                     .node = m->node,
                                     .resources = g->resources,
                                     .path = g->path,
                                     .accounts = g->accounts,
                                     .hold_micros = m->hold_micros,
                                     .paid_us = g->paid_us,
                                     .price_version = g->price_version,
                                     .times = g->times,
                                     .price_class = m->price_class,
                                     .io_paid_bytes = m->io_paid_bytes}};
    return room;
}
