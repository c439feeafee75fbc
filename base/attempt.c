#include "base/attempt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct field id_rows[] = {
    FIELD_ROW(attempt_id, 1, "job", FIELD_U64, job, .flags = FIELD_REQUIRED | FIELD_ALWAYS),
    FIELD_ROW(attempt_id, 2, "task", FIELD_U32, task, .flags = FIELD_ALWAYS),
    FIELD_ROW(attempt_id, 3, "epoch", FIELD_U32, epoch, .flags = FIELD_ALWAYS),
};
const struct fields attempt_id_fields = FIELDS_TABLE_PLAIN("attempt", attempt_id, id_rows);

const char *attempt_id_format(struct attempt_id id, char out[ATTEMPT_ID_TEXT_MAX])
{
    snprintf(out, ATTEMPT_ID_TEXT_MAX, "%" PRIu64 ".%" PRIu32 ".%" PRIu32, id.job, id.task, id.epoch);
    return out;
}

/* Digits only: strtoull would take signs, spaces and hexadecimal. */
static const char *parse_digits(const char *at, uint64_t max, uint64_t *ret)
{
    if (*at < '0' || *at > '9' || (*at == '0' && at[1] >= '0' && at[1] <= '9'))
        return NULL;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (max - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    *ret = value;
    return at;
}

int attempt_id_parse(const char *text, struct attempt_id *ret)
{
    uint64_t job, task, epoch;
    const char *at = parse_digits(text, UINT64_MAX, &job);
    if (at == NULL || *at != '.' || (at = parse_digits(at + 1, UINT32_MAX, &task)) == NULL)
        return -EINVAL;
    if (*at != '.' || (at = parse_digits(at + 1, UINT32_MAX, &epoch)) == NULL || *at != '\0')
        return -EINVAL;
    *ret = (struct attempt_id){.job = job, .task = (uint32_t)task, .epoch = (uint32_t)epoch};
    return 0;
}

bool attempt_id_equal(struct attempt_id a, struct attempt_id b)
{
    return a.job == b.job && a.task == b.task && a.epoch == b.epoch;
}

const struct end_cause_row end_causes[END_CAUSE_COUNT] = {
    [END_NONE] = {"none", false, "has not ended"},
    [END_EXIT] = {"exit", false, "exited"},
    [END_SIGNAL] = {"signal", false, "killed by a signal"},
    [END_OOM] = {"out_of_memory", false, "killed: out of memory"},
    [END_TIME_LIMIT] = {"time_limit", false, "stopped at its time limit"},
    [END_BUDGET] = {"budget", false, "stopped at the end of its paid time"},
    [END_CANCELLED] = {"cancelled", false, "cancelled"},
    [END_LEASE] = {"lease", true, "stopped: its node lost touch with the scheduler for longer than its lease"},
    [END_LAUNCH_FAILED] = {"launch_failed", true, "could not be started on its node; nothing of it ran"},
    [END_KEEPER_LOST] = {"keeper_lost", true, "its supervisor on the node died, and with it the task"},
    [END_NODE_LOST] = {"node_lost", true, "its node was rebooted or lost"},
    [END_REQUEUED] = {"requeued", false, "stopped to be run again"},
    [END_PREEMPTED] = {"preempted", false, "stopped: its place was needed by a job that goes first"},
    [END_MAINTENANCE] = {"maintenance", false, "stopped: its node closed for maintenance"},
    [END_GANG] = {"gang", false, "stopped: another task of its gang did not succeed"},
    [END_GANG_LOST] = {"gang_lost", false, "stopped: another task of its gang was lost by its node"},
    [END_INPUTS] = {"inputs", false, "its inputs could not be brought in; its command never ran"},
    [END_OUTPUTS] = {"outputs", false, "succeeded, but its outputs could not be brought out"},
    [END_IO_LIMIT] = {"io_limit", false, "stopped: it moved as many bytes as its limits.io_bytes is"},
    [END_IO_BUDGET] = {"io_budget", false, "stopped: it moved all the bytes of I/O that were paid for"},
};

static const char *const cause_names[] = {
    [END_NONE] = "none",
    [END_EXIT] = "exit",
    [END_SIGNAL] = "signal",
    [END_OOM] = "out_of_memory",
    [END_TIME_LIMIT] = "time_limit",
    [END_BUDGET] = "budget",
    [END_CANCELLED] = "cancelled",
    [END_LEASE] = "lease",
    [END_LAUNCH_FAILED] = "launch_failed",
    [END_KEEPER_LOST] = "keeper_lost",
    [END_NODE_LOST] = "node_lost",
    [END_REQUEUED] = "requeued",
    [END_PREEMPTED] = "preempted",
    [END_MAINTENANCE] = "maintenance",
    [END_GANG] = "gang",
    [END_GANG_LOST] = "gang_lost",
    [END_INPUTS] = "inputs",
    [END_OUTPUTS] = "outputs",
    [END_IO_LIMIT] = "io_limit",
    [END_IO_BUDGET] = "io_budget",
};
_Static_assert(COUNT_OF(cause_names) == END_CAUSE_COUNT, "a name for each cause");
const struct names end_cause_names = {cause_names, COUNT_OF(cause_names)};

static const struct field usage_rows[] = {
    FIELD_ROW(usage, 1, "cpu_us", FIELD_U64, cpu_us, .flags = FIELD_ALWAYS, .help = "processor time, microseconds"),
    FIELD_ROW(usage, 2, "memory_peak_bytes", FIELD_U64, mem_peak_bytes, .flags = FIELD_ALWAYS),
    /* 3 to 7 were numbers that could not be absent. */
    FIELD_ROW(usage, 8, "read_bytes", FIELD_MEASURE, read_bytes, .help = "from block devices"),
    FIELD_ROW(usage, 9, "written_bytes", FIELD_MEASURE, written_bytes, .help = "to block devices"),
    FIELD_ROW(usage, 10, "pids_peak", FIELD_MEASURE, pids_peak, .help = "processes and threads at once"),
    FIELD_ROW(usage, 11, "throttled_us", FIELD_MEASURE, throttled_us, .help = "held back by the cpu quota"),
    FIELD_ROW(usage, 12, "oom_kills", FIELD_MEASURE, oom_kills),
    FIELD_ROW(usage, 13, "cpu_user_us", FIELD_MEASURE, cpu_user_us),
    FIELD_ROW(usage, 14, "cpu_system_us", FIELD_MEASURE, cpu_system_us),
    FIELD_ROW(usage, 15, "read_ops", FIELD_MEASURE, read_ops),
    FIELD_ROW(usage, 16, "write_ops", FIELD_MEASURE, write_ops),
    FIELD_ROW(usage, 17, "cpu_wait_us", FIELD_MEASURE, cpu_wait_us, .help = "some of it waited for a processor"),
    FIELD_ROW(usage, 18, "memory_wait_us", FIELD_MEASURE, memory_wait_us, .help = "some of it waited for memory"),
    FIELD_ROW(usage, 19, "io_wait_us", FIELD_MEASURE, io_wait_us, .help = "some of it waited for a device"),
    FIELD_ROW(usage, 20, "io_bytes", FIELD_MEASURE, io_bytes, .help = "moved, each byte once: what is charged"),
    FIELD_ROW(usage, 21, "moved_read_bytes", FIELD_MEASURE, moved_read_bytes, .help = "of them by grants"),
    FIELD_ROW(usage, 22, "moved_written_bytes", FIELD_MEASURE, moved_written_bytes, .help = "logs among them"),
    FIELD_ROW(usage, 23, "moved_read_ops", FIELD_MEASURE, moved_read_ops, .help = "of copies, inputs and outputs"),
    FIELD_ROW(usage, 24, "moved_write_ops", FIELD_MEASURE, moved_write_ops, .help = "of copies, inputs and outputs"),
    FIELD_ROW(usage, 25, "io_uncounted_bytes", FIELD_MEASURE, io_uncounted_bytes,
              .help = "of io_bytes: in no count of the kernel's: in memory, logs"),
    FIELD_ROW(usage, 26, "io_cached_bytes", FIELD_MEASURE, io_cached_bytes, .help = "of the rest: by the page cache"),
};
const struct fields usage_fields = FIELDS_TABLE_PLAIN("usage", usage, usage_rows);

static const struct field staged_rows[] = {
    FIELD_ROW(staged, 1, "out", FIELD_BOOL, out, .help = "one of its outputs; else of its inputs"),
    FIELD_ROW(staged, 2, "index", FIELD_U32, index, .flags = FIELD_ALWAYS, .help = "which, from 0"),
    FIELD_ROW(staged, 3, "files", FIELD_U64, files, .flags = FIELD_ALWAYS, .help = "folders included"),
    FIELD_ROW(staged, 4, "bytes", FIELD_U64, bytes, .flags = FIELD_ALWAYS, .help = "holes included"),
    FIELD_ROW(staged, 5, "sha256", FIELD_STR, sha256, .max = 64),
};
static const struct fields staged_fields = FIELDS_TABLE("staged", staged, staged_rows);

static const struct field record_rows[] = {
    FIELD_ROW(exit_record, 1, "cause", FIELD_ENUM, cause, .of = &end_cause_names, .flags = FIELD_ALWAYS),
    FIELD_ROW(exit_record, 2, "exit_code", FIELD_I32, exit_code, .flags = FIELD_ALWAYS),
    FIELD_ROW(exit_record, 3, "signal", FIELD_I32, signal),
    FIELD_ROW(exit_record, 4, "started", FIELD_TIME, started_utc_us),
    FIELD_ROW(exit_record, 5, "run_us", FIELD_U64, run_us, .flags = FIELD_ALWAYS),
    FIELD_ROW(exit_record, 6, "stray_processes", FIELD_U64, stray_procs),
    FIELD_ROW(exit_record, 7, "detail", FIELD_STR, detail, .flags = FIELD_ESCAPED),
    FIELD_ROW(exit_record, 8, "usage", FIELD_STRUCT, usage, .of = &usage_fields),
    FIELD_ROW(exit_record, 9, "out_bytes", FIELD_U64, out_bytes),
    FIELD_ROW(exit_record, 10, "err_bytes", FIELD_U64, err_bytes),
    FIELD_ROW(exit_record, 11, "out_dropped", FIELD_U64, out_dropped),
    FIELD_ROW(exit_record, 12, "err_dropped", FIELD_U64, err_dropped),
    FIELD_ROW(exit_record, 13, "staged", FIELD_LIST, staged, .of = &staged_fields, .max = 32,
              .help = "inputs and outputs that were brought to their places"),
};
const struct fields exit_record_fields = FIELDS_TABLE("exit record", exit_record, record_rows);
