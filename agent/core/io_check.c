#include "agent/core/io_check.h"

#define ALWAYS .flags = FIELD_ALWAYS
static const struct field window_rows[] = {
    FIELD_ROW(io_window, 1, "from", FIELD_TIME, from_utc_us, ALWAYS),
    FIELD_ROW(io_window, 2, "to", FIELD_TIME, to_utc_us, .help = "absent: it goes on"),
    FIELD_ROW(io_window, 3, "kernel_read_bytes", FIELD_U64, sums.kernel_read_bytes, ALWAYS),
    FIELD_ROW(io_window, 4, "kernel_written_bytes", FIELD_U64, sums.kernel_written_bytes, ALWAYS),
    FIELD_ROW(io_window, 5, "billed_bytes", FIELD_U64, sums.billed_bytes, ALWAYS),
    FIELD_ROW(io_window, 6, "memory_bytes", FIELD_U64, sums.memory_bytes, ALWAYS, .help = "of them no disk saw"),
    FIELD_ROW(io_window, 7, "log_bytes", FIELD_U64, sums.log_bytes, ALWAYS, .help = "of them"),
    FIELD_ROW(io_window, 8, "cached_bytes", FIELD_U64, sums.cached_bytes, ALWAYS, .help = "of the rest"),
};
const struct fields io_window_fields = FIELDS_TABLE("window", io_window, window_rows);

static const struct field check_rows[] = {
    FIELD_ROW(io_check, 1, "now", FIELD_STRUCT, now, .of = &io_window_fields, ALWAYS),
    FIELD_ROW(io_check, 2, "before", FIELD_STRUCT, before, .of = &io_window_fields, .help = "the whole one before"),
};
const struct fields io_check_fields = FIELDS_TABLE("io check", io_check, check_rows);
