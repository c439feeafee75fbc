/* What agents, nodes and reportd say; proto.c has the clients. */
#include "base/proto.h"

#define ALWAYS .flags = FIELD_ALWAYS
#define NEEDED .flags = FIELD_REQUIRED | FIELD_ALWAYS

static const struct field state_rows[] = {
    FIELD_ROW(attempt_state, 1, "attempt", FIELD_STRUCT, id, .flags = FIELD_REQUIRED, .of = &attempt_id_fields),
    FIELD_ROW(attempt_state, 2, "ended", FIELD_BOOL, ended),
    FIELD_ROW(attempt_state, 3, "started", FIELD_TIME, started_utc_us),
    FIELD_ROW(attempt_state, 4, "record", FIELD_STRUCT, record, .of = &exit_record_fields),
};
const struct fields attempt_state_fields = FIELDS_TABLE("params", attempt_state, state_rows);

static const struct field hello_rows[] = {
    FIELD_ROW(hello_call, 1, "node", FIELD_STR, node, .flags = FIELD_REQUIRED, .max = 63),
    FIELD_ROW(hello_call, 2, "boot_id", FIELD_STR, boot_id, .flags = FIELD_REQUIRED, .max = 63),
    FIELD_ROW(hello_call, 3, "instance", FIELD_STR, instance, .flags = FIELD_REQUIRED, .max = 63),
    FIELD_ROW(hello_call, 4, "version", FIELD_STR, version, .max = 63),
    FIELD_ROW(hello_call, 5, "capacity", FIELD_STRUCT, capacity, .flags = FIELD_REQUIRED, .of = &resources_fields),
    FIELD_ROW(hello_call, 6, "labels", FIELD_PAIRS, labels),
    FIELD_ROW(hello_call, 9, "features", FIELD_STRS, features, .max = NODE_FEATURES_MAX,
              .help = "limits and devices that it can enforce"),
    FIELD_ROW(hello_call, 7, "term_seen", FIELD_U64, term_seen),
    FIELD_ROW(hello_call, 10, "number", FIELD_U64, number,
              .help = "rises with every hello of this node; one that comes late is refused"),
    FIELD_ROW(hello_call, 11, "max_attempts", FIELD_U32, max_attempts, .max = NODE_ATTEMPTS_MAX,
              .help = "that it takes at once; absent: any number"),
    FIELD_ROW(hello_call, 8, "attempts", FIELD_LIST, attempts, .of = &attempt_state_fields, .max = NODE_ATTEMPTS_MAX),
};
const struct fields hello_call_fields = FIELDS_TABLE("params", hello_call, hello_rows);

static const struct field hello_reply_rows[] = {
    FIELD_ROW(hello_reply, 1, "term", FIELD_U64, term, ALWAYS),
    FIELD_ROW(hello_reply, 2, "beat_ms", FIELD_U32, beat_ms, ALWAYS),
};
const struct fields hello_reply_fields = FIELDS_TABLE("result", hello_reply, hello_reply_rows);

static const struct field attempt_beat_rows[] = {
    FIELD_ROW(attempt_beat, 1, "attempt", FIELD_STRUCT, id, .of = &attempt_id_fields),
    FIELD_ROW(attempt_beat, 2, "usage", FIELD_STRUCT, usage, .of = &usage_fields),
    FIELD_ROW(attempt_beat, 3, "run_us", FIELD_U64, run_us),
    FIELD_ROW(attempt_beat, 4, "used_at_us", FIELD_U64, used_at_us),
    FIELD_ROW(attempt_beat, 5, "suspends", FIELD_U32, suspends, .help = "the highest number that it has heard"),
    FIELD_ROW(attempt_beat, 6, "stands", FIELD_BOOL, stands, .help = "it stands still"),
    FIELD_ROW(attempt_beat, 7, "staging", FIELD_STRUCT, staging, .of = &stage_view_fields),
};
static const struct fields attempt_beat_fields = FIELDS_TABLE("attempt beat", attempt_beat, attempt_beat_rows);

static const struct field beat_rows[] = {
    FIELD_ROW(beat_call, 1, "boot_us", FIELD_U64, boot_us),
    FIELD_ROW(beat_call, 2, "attempts", FIELD_LIST, attempts, .of = &attempt_beat_fields, .max = NODE_ATTEMPTS_MAX),
};
const struct fields beat_call_fields = FIELDS_TABLE("params", beat_call, beat_rows);

static const struct field beat_reply_rows[] = {
    FIELD_ROW(beat_reply, 1, "term", FIELD_U64, term, ALWAYS),
};
const struct fields beat_reply_fields = FIELDS_TABLE("result", beat_reply, beat_reply_rows);

const struct method agent_calls[AGENT_CALL_COUNT] = {
    [AGENT_HELLO] = {"node.hello", &hello_call_fields, &hello_reply_fields, "a node and all it has", false},
    [AGENT_BEAT] = {"node.beat", &beat_call_fields, &beat_reply_fields, "still here; renews leases", false},
    [AGENT_STATE] = {"attempt.state", &attempt_state_fields, NULL, "an attempt is running or has ended", false},
};

#define ID_ROW(type) FIELD_ROW(type, 1, "attempt", FIELD_STRUCT, id, .flags = FIELD_REQUIRED, .of = &attempt_id_fields)
#define TERM_ROW(type) FIELD_ROW(type, 2, "term", FIELD_U64, term, NEEDED)
static const struct field run_rows[] = {
    ID_ROW(run_call),
    TERM_ROW(run_call),
    FIELD_ROW(run_call, 3, "tenant", FIELD_STR, tenant),
    FIELD_ROW(run_call, 4, "spec", FIELD_STRUCT, spec, .flags = FIELD_REQUIRED, .of = &job_spec_fields),
    FIELD_ROW(run_call, 5, "paid_us", FIELD_U64, paid_us, ALWAYS),
    FIELD_ROW(run_call, 6, "at_paid_end", FIELD_ENUM, at_paid_end, .of = &paid_end_names),
    FIELD_ROW(run_call, 7, "io_paid_bytes", FIELD_MEASURE, io_paid_bytes, .help = "absent: no bound"),
    FIELD_ROW(run_call, 8, "gang", FIELD_U32, gang, .help = "so many tasks take part in its gang"),
};
const struct fields run_call_fields = FIELDS_TABLE("params", run_call, run_rows);

static const struct field paid_rows[] = {
    ID_ROW(paid_call),
    TERM_ROW(paid_call),
    FIELD_ROW(paid_call, 3, "paid_us", FIELD_U64, paid_us, ALWAYS),
    FIELD_ROW(paid_call, 4, "at_paid_end", FIELD_ENUM, at_paid_end, .of = &paid_end_names),
    FIELD_ROW(paid_call, 5, "signal_us", FIELD_U64, signal_us, .help = "SIGUSR1 then: nothing more can be held"),
    FIELD_ROW(paid_call, 6, "suspends", FIELD_U32, suspends, .help = "odd: it stands still; a larger one is newer"),
    FIELD_ROW(paid_call, 7, "io_paid_bytes", FIELD_MEASURE, io_paid_bytes, .help = "absent: no bound"),
};
const struct fields paid_call_fields = FIELDS_TABLE("params", paid_call, paid_rows);

static const struct field stop_rows[] = {
    ID_ROW(stop_call),
    TERM_ROW(stop_call),
    FIELD_ROW(stop_call, 3, "cause", FIELD_ENUM, cause, .of = &end_cause_names),
    FIELD_ROW(stop_call, 4, "grace_ms", FIELD_U32, grace_ms, ALWAYS),
};
const struct fields stop_call_fields = FIELDS_TABLE("params", stop_call, stop_rows);

static const struct field forget_rows[] = {
    ID_ROW(forget_call),
    TERM_ROW(forget_call),
};
const struct fields forget_call_fields = FIELDS_TABLE("params", forget_call, forget_rows);

static const struct field shares_rows[] = {
    FIELD_ROW(shares_call, 1, "version", FIELD_U64, version, ALWAYS, .help = "the policy's"),
    TERM_ROW(shares_call),
    FIELD_ROW(shares_call, 3, "whole", FIELD_BOOL, whole, .help = "who isn't named has the default"),
    FIELD_ROW(shares_call, 4, "tenants", FIELD_LIST, tenants, ALWAYS, .of = &io_share_fields, .max = SHARES_CALL_MAX),
};
const struct fields shares_call_fields = FIELDS_TABLE("params", shares_call, shares_rows);

const struct method node_calls[NODE_CALL_COUNT] = {
    [NODE_RUN] = {"attempt.run", &run_call_fields, NULL, "run this attempt, unless it is known already", false},
    [NODE_PAID] = {"attempt.paid", &paid_call_fields, NULL, "run time that is paid for", false},
    [NODE_STOP] = {"attempt.stop", &stop_call_fields, NULL, "SIGTERM, grace, SIGKILL", false},
    [NODE_FORGET] = {"attempt.forget", &forget_call_fields, NULL, "it is over; stop it if it lives", false},
    [NODE_LOG] = {"log.read", &log_call_fields, &log_reply_fields, "what a task wrote", false},
    [NODE_SHARES] = {"node.shares", &shares_call_fields, NULL, "what tenants have of the node's disk", false},
};

/* ---- reportd ---- */
static const struct field rerate_at_rows[] = {
    FIELD_ROW(rerate_at, 1, "attempt", FIELD_U64, attempt),
    FIELD_ROW(rerate_at, 2, "seq", FIELD_U64, seq),
    FIELD_ROW(rerate_at, 3, "line", FIELD_U32, line),
};
static const struct fields rerate_at_fields = FIELDS_TABLE("place", rerate_at, rerate_at_rows);
static const struct field rerate_call_rows[] = {
    FIELD_ROW(rerate_call, 1, "from", FIELD_TIME, from_utc_us, NEEDED),
    FIELD_ROW(rerate_call, 2, "to", FIELD_TIME, to_utc_us, NEEDED),
    FIELD_ROW(rerate_call, 3, "after", FIELD_STRUCT, after, .of = &rerate_at_fields, .help = "the last answer's next"),
};
const struct fields rerate_call_fields = FIELDS_TABLE("params", rerate_call, rerate_call_rows);
static const struct field rerate_line_rows[] = {
    FIELD_ROW(rerate_line, 1, "seq", FIELD_U64, seq, ALWAYS),
    FIELD_ROW(rerate_line, 2, "line", FIELD_U32, line, ALWAYS),
    FIELD_ROW(rerate_line, 3, "job", FIELD_U64, job, ALWAYS),
    FIELD_ROW(rerate_line, 4, "tenant", FIELD_STR, tenant),
    FIELD_ROW(rerate_line, 5, "resource", FIELD_STR, resource),
    FIELD_ROW(rerate_line, 6, "from", FIELD_TIME, from_utc_us, ALWAYS),
    FIELD_ROW(rerate_line, 7, "to", FIELD_TIME, to_utc_us, ALWAYS),
    FIELD_ROW(rerate_line, 8, "charged", FIELD_MONEY, charged_micros, .flags = FIELD_ALWAYS,
              .help = "with what was re-rated before"),
    FIELD_ROW(rerate_line, 9, "cost", FIELD_MONEY, micros, .flags = FIELD_ALWAYS, .help = "by the book as it is now"),
    FIELD_ROW(rerate_line, 10, "price_version", FIELD_U32, price_version, ALWAYS),
    FIELD_ROW(rerate_line, 11, "list_price", FIELD_MONEY, list_price, ALWAYS),
    FIELD_ROW(rerate_line, 12, "price", FIELD_MONEY, price, ALWAYS),
};
const struct fields rerate_line_fields = FIELDS_TABLE("line", rerate_line, rerate_line_rows);
static const struct field rerate_reply_rows[] = {
    FIELD_ROW(rerate_reply, 1, "lines", FIELD_LIST, lines, .flags = FIELD_ALWAYS, .of = &rerate_line_fields,
              .max = RERATE_LINES_MAX),
    FIELD_ROW(rerate_reply, 2, "currency", FIELD_STR, currency),
    FIELD_ROW(rerate_reply, 3, "more", FIELD_BOOL, more, ALWAYS),
    FIELD_ROW(rerate_reply, 4, "next", FIELD_STRUCT, next, .of = &rerate_at_fields),
};
const struct fields rerate_reply_fields = FIELDS_TABLE("result", rerate_reply, rerate_reply_rows);
static const struct field ledger_io_call_rows[] = {
    FIELD_ROW(ledger_io_call, 1, "from", FIELD_TIME, from_utc_us, .help = "days that begin from then on"),
    FIELD_ROW(ledger_io_call, 2, "to", FIELD_TIME, to_utc_us, .help = "and before; without both: today and yesterday"),
};
const struct fields ledger_io_call_fields = FIELDS_TABLE("params", ledger_io_call, ledger_io_call_rows);
static const struct field ledger_io_reply_rows[] = {
    FIELD_ROW(ledger_io_reply, 1, "rows", FIELD_LIST, rows, .flags = FIELD_ALWAYS, .of = &ledger_io_row_fields,
              .max = LEDGER_IO_ROWS_MAX, .help = "by node and day; those that differ first"),
    FIELD_ROW(ledger_io_reply, 2, "compared", FIELD_U64, compared, ALWAYS, .help = "rows, those left out as well"),
    FIELD_ROW(ledger_io_reply, 3, "differing", FIELD_U64, differing, ALWAYS),
};
const struct fields ledger_io_reply_fields = FIELDS_TABLE("result", ledger_io_reply, ledger_io_reply_rows);

const struct method report_methods[REPORT_METHOD_COUNT] = {
    [REPORT_HISTORY] = {"history.list", &list_call_fields, &list_reply_fields, "finished jobs, newest first", false},
    [REPORT_SHOW] = {"history.show", &job_call_fields, &job_view_fields, "one job with all its attempts", false},
    [REPORT_STATUS] = {"report.status", NULL, &text_reply_fields, "how far the reports are", false},
    [REPORT_RERATE] = {"ledger.rerate", &rerate_call_fields, &rerate_reply_fields,
                       "lines that cost something else by the price book as it is now", true},
    [REPORT_LOG] = {"log.read", &log_call_fields, &log_reply_fields, "what a task wrote that reeved forgot", false},
    [REPORT_CHECK] = {"ledger.check", NULL, &check_reply_fields, "the rows of all charges beside Redis", true},
    [REPORT_IO] = {"ledger.io", &ledger_io_call_fields, &ledger_io_reply_fields,
                   "bytes as they were charged beside what the kernel counted, by node and day", true},
};
