#include "base/io_rule.h"

#include "base/macros.h"

/* A limit of 0 would be none: who writes it means another thing. */
#define IO_ROWS(type, at, flag)                                                                                      \
    FIELD_ROW(type, 2, "weight", FIELD_U32, at weight, .flags = (flag), .min = 1, .max = IO_WEIGHT_MAX,              \
              .help = "of the disk's time among siblings that want it; default 100 times the tenant's weight"),      \
    FIELD_ROW(type, 3, "reserved_percent", FIELD_U32, at reserved_percent, .max = IO_RESERVED_MAX,                   \
              .help = "of the disk's time, whenever its jobs want it, whatever the others' weights"),                \
    FIELD_ROW(type, 4, "limit_percent", FIELD_U32, at limit_percent, .flags = FIELD_MAYBE, .min = 1, .max = 100,     \
              .help = "of the disk's time at most, also alone"),                                                     \
    FIELD_ROW(type, 5, "bytes_per_s", FIELD_SIZE, at bytes_per_s, .flags = FIELD_MAYBE, .min = 1,                    \
              .max = IO_BYTES_PER_S_MAX, .help = "bytes a second at most"),                                          \
    FIELD_ROW(type, 6, "ops_per_s", FIELD_U64, at ops_per_s, .flags = FIELD_MAYBE, .min = 1,                         \
              .max = IO_OPS_PER_S_MAX, .help = "operations a second at most")

static const struct field rule_rows[] = {IO_ROWS(io_rule, , FIELD_MAYBE)};
const struct fields io_rule_fields = FIELDS_TABLE("io", io_rule, rule_rows);

static const struct field share_rows[] = {
    FIELD_ROW(io_share, 1, "tenant", FIELD_STR, tenant, .min = 1, .max = 255, .help = "its path: acme/etl"),
    IO_ROWS(io_share, is., 0),
};
const struct fields io_share_fields = FIELDS_TABLE("tenant", io_share, share_rows);

bool io_rule_is_empty(const struct io_rule *r)
{
    return fields_equal(&io_rule_fields, r, &(struct io_rule){0});
}
