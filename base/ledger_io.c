#include "base/ledger_io.h"

#define ALWAYS .flags = FIELD_ALWAYS
static const struct field rows[] = {
    FIELD_ROW(ledger_io_row, 1, "node", FIELD_STR, node),
    FIELD_ROW(ledger_io_row, 2, "day", FIELD_TIME, day_utc_us, .help = "absent: of attempts that still run"),
    FIELD_ROW(ledger_io_row, 3, "attempts", FIELD_U64, attempts, ALWAYS),
    FIELD_ROW(ledger_io_row, 4, "kernel_bytes", FIELD_U64, kernel_bytes, ALWAYS),
    FIELD_ROW(ledger_io_row, 5, "told_bytes", FIELD_U64, told_bytes, ALWAYS, .help = "by their node"),
    FIELD_ROW(ledger_io_row, 6, "uncounted_bytes", FIELD_U64, uncounted_bytes, ALWAYS,
              .help = "of them: in memory, logs"),
    FIELD_ROW(ledger_io_row, 7, "cached_bytes", FIELD_U64, cached_bytes, ALWAYS, .help = "of the rest"),
    FIELD_ROW(ledger_io_row, 8, "charged_bytes", FIELD_U64, charged_bytes, ALWAYS),
    FIELD_ROW(ledger_io_row, 9, "written_off_bytes", FIELD_U64, written_off_bytes, ALWAYS),
    FIELD_ROW(ledger_io_row, 10, "free_bytes", FIELD_U64, free_bytes, ALWAYS, .help = "they had no price"),
    FIELD_ROW(ledger_io_row, 11, "twice_bytes", FIELD_U64, twice_bytes, ALWAYS, .help = "charged and never told"),
    FIELD_ROW(ledger_io_row, 12, "lost_bytes", FIELD_U64, lost_bytes, ALWAYS, .help = "told, and nobody pays"),
    FIELD_ROW(ledger_io_row, 13, "unknown_attempts", FIELD_U64, unknown_attempts, ALWAYS,
              .help = "whose nodes don't say what they counted"),
    FIELD_ROW(ledger_io_row, 14, "unknown_bytes", FIELD_U64, unknown_bytes, ALWAYS, .help = "that these were charged"),
};
const struct fields ledger_io_row_fields = FIELDS_TABLE("row", ledger_io_row, rows);

/* What is twice of one attempt and lost of another doesn't make up for each other. */
struct io_verdict ledger_io_verdict(const struct ledger_io_row *r)
{
    bool runs = r->day_utc_us == 0;
    struct io_sums sums = {.kernel_read_bytes = runs ? r->told_bytes : r->kernel_bytes,
                           .memory_bytes = r->uncounted_bytes,
                           .cached_bytes = r->cached_bytes,
                           .billed_bytes = r->told_bytes + r->twice_bytes};
    struct io_verdict v = io_verdict(&sums);
    sums.billed_bytes = LESS(r->told_bytes, r->lost_bytes);
    return v.agrees ? io_verdict(&sums) : v;
}
