#include "agent/core/io_status.h"

#include "base/macros.h"

#define TENANTS_MAX 2048
#define NAME_BYTES 255
#define TEXT_BYTES 255

static const char *const standings[] = {"idle", "ready", "full", "limited", "stuck"};
const struct names io_standing_names = {standings, COUNT_OF(standings)};
static const char *const limit_words[] = {"bytes", "operations", "time"};
const struct names io_limit_names = {limit_words, COUNT_OF(limit_words)};

static const struct field tenant_rows[] = {
    FIELD_ROW(io_tenant, 1, "tenant", FIELD_STR, tenant, .max = NAME_BYTES, .help = "its path"),
    FIELD_ROW(io_tenant, 2, "weight", FIELD_U32, weight, .help = "among those that want the disk"),
    FIELD_ROW(io_tenant, 3, "reserved_ppm", FIELD_U32, reserved_ppm, .help = "of the device's time"),
    FIELD_ROW(io_tenant, 4, "limit_ppm", FIELD_U32, limit_ppm, .help = "of the device's time"),
    FIELD_ROW(io_tenant, 5, "bytes_per_s", FIELD_U64, bytes_per_s, .help = "limit"),
    FIELD_ROW(io_tenant, 6, "ops_per_s", FIELD_U64, ops_per_s, .help = "limit"),
    FIELD_ROW(io_tenant, 7, "standing", FIELD_ENUM, standing, .of = &io_standing_names, .flags = FIELD_ALWAYS,
              .help = "idle; ready: waits for its turn; full: all it wants is in flight; limited; stuck"),
    FIELD_ROW(io_tenant, 8, "limited_us", FIELD_U64, limited_us, .help = "held by a limit for so long yet"),
    FIELD_ROW(io_tenant, 9, "charged_us", FIELD_U64, charged_us, .flags = FIELD_ALWAYS, .help = "device time"),
    FIELD_ROW(io_tenant, 10, "read_bytes", FIELD_U64, read_bytes, .flags = FIELD_ALWAYS, .help = "granted"),
    FIELD_ROW(io_tenant, 11, "written_bytes", FIELD_U64, written_bytes, .flags = FIELD_ALWAYS, .help = "granted"),
    FIELD_ROW(io_tenant, 12, "direct_read_bytes", FIELD_U64, direct_read_bytes, .help = "past the queue"),
    FIELD_ROW(io_tenant, 13, "direct_written_bytes", FIELD_U64, direct_written_bytes, .help = "past the queue"),
    FIELD_ROW(io_tenant, 14, "limited_by", FIELD_ENUM, limited_by, .of = &io_limit_names, .help = "which limit"),
    FIELD_ROW(io_tenant, 15, "part_ppm", FIELD_U32, part_ppm,
              .help = "of the disk, what its weight comes to in the tree among those that want it"),
    FIELD_ROW(io_tenant, 17, "limited_above", FIELD_STR, limited_above, .max = NAME_BYTES,
              .help = "whose limit that is, when not its own"),
    FIELD_ROW(io_tenant, 16, "operations", FIELD_U64, operations, .flags = FIELD_ALWAYS, .help = "granted"),
};
static const struct fields tenant_fields = FIELDS_TABLE("tenant", io_tenant, tenant_rows);

static const struct field job_rows[] = {
    FIELD_ROW(io_job, 1, "job", FIELD_U64, job, .flags = FIELD_ALWAYS),
    FIELD_ROW(io_job, 2, "tenant", FIELD_STR, tenant, .max = NAME_BYTES, .help = "its path"),
    FIELD_ROW(io_job, 3, "read_bytes", FIELD_U64, read_bytes, .flags = FIELD_ALWAYS, .help = "granted"),
    FIELD_ROW(io_job, 4, "written_bytes", FIELD_U64, written_bytes, .flags = FIELD_ALWAYS, .help = "granted"),
    FIELD_ROW(io_job, 5, "direct_read_bytes", FIELD_U64, direct_read_bytes, .help = "past the queue"),
    FIELD_ROW(io_job, 6, "direct_written_bytes", FIELD_U64, direct_written_bytes, .help = "past the queue"),
    FIELD_ROW(io_job, 7, "operations", FIELD_U64, operations, .flags = FIELD_ALWAYS, .help = "granted"),
};
static const struct fields job_fields = FIELDS_TABLE("job", io_job, job_rows);

static const struct field rows[] = {
    FIELD_ROW(io_status, 1, "at", FIELD_TIME, utc_us, .help = "when this was so"),
    FIELD_ROW(io_status, 2, "interval_us", FIELD_U64, interval_us, .help = "of what was moved and charged"),
    FIELD_ROW(io_status, 3, "device", FIELD_STR, device, .max = TEXT_BYTES, .help = "major:minor"),
    FIELD_ROW(io_status, 4, "model", FIELD_STR, model, .max = TEXT_BYTES, .help = "where its costs come from"),
    FIELD_ROW(io_status, 5, "window_us", FIELD_U64, window_us, .help = "device time that may be in flight"),
    FIELD_ROW(io_status, 6, "in_flight_us", FIELD_U64, in_flight_us, .flags = FIELD_ALWAYS, .help = "and is"),
    FIELD_ROW(io_status, 7, "speed_ppm", FIELD_U32, speed_ppm, .help = "of what the model says"),
    FIELD_ROW(io_status, 9, "wait_p50_us", FIELD_U64, wait_p50_us, .help = "from being asked for until granted"),
    FIELD_ROW(io_status, 10, "wait_p99_us", FIELD_U64, wait_p99_us, .help = "99 of 100 are below"),
    FIELD_ROW(io_status, 11, "service_p50_us", FIELD_U64, service_p50_us, .help = "from there until done"),
    FIELD_ROW(io_status, 12, "service_p99_us", FIELD_U64, service_p99_us, .help = "99 of 100 are below"),
    FIELD_ROW(io_status, 13, "stuck", FIELD_U32, stuck, .help = "operations that don't come back"),
    FIELD_ROW(io_status, 14, "check", FIELD_STRUCT, check, .of = &io_window_fields,
              .help = "both meters, the present day"),
    FIELD_ROW(io_status, 15, "jobs", FIELD_LIST, jobs, .of = &job_fields, .max = IO_JOBS_MAX,
              .help = "who moved most first"),
    FIELD_ROW(io_status, 8, "tenants", FIELD_LIST, tenants, .of = &tenant_fields, .max = TENANTS_MAX,
              .flags = FIELD_ALWAYS, .help = "who moved or waits, most charged first"),
};
const struct fields io_status_fields = FIELDS_TABLE("io status", io_status, rows);

bool io_status_is_old(const struct io_status *s, int64_t utc_us)
{
    return s->tenants.count > 0 && utc_us - s->utc_us >= (int64_t)IO_STATUS_OLD_MS * 1000;
}
