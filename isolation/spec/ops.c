#include "isolation/spec/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/job_spec.h"
#include "isolation/spec/stage.h"

#define TIME_US_MAX ((uint64_t)1 << 62) /* sums of two stay inside 63 bits */
#define SCRATCH_INODES_MAX ((uint64_t)1 << 32)

struct number_row {
    const char *name;
    uint64_t value, min, max;
};

static int check_numbers(const struct number_row *rows, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].value < rows[i].min || rows[i].value > rows[i].max)
            return err_set(err, -EINVAL, "%s: %" PRIu64 " is not within %" PRIu64 "..%" PRIu64, rows[i].name,
                           rows[i].value, rows[i].min, rows[i].max);
    }
    return 0;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* One DNS label: non-empty, ended by a NUL inside the field, no '-' at either end. */
static int check_hostname(const char *name, size_t size, struct err *err)
{
    const char *end = memchr(name, '\0', size);
    if (end == NULL || end == name)
        return err_set(err, -EINVAL, "hostname: must have 1 to %zu characters", size - 1);
    for (const char *c = name; c < end; c++) {
        if (!is_host_char(*c))
            return err_set(err, -EINVAL, "hostname: only a-z, 0-9 and '-' are allowed");
    }
    if (name[0] == '-' || end[-1] == '-')
        return err_set(err, -EINVAL, "hostname: must not begin or end with '-'");
    return 0;
}

int sandbox_spec_check(const struct sandbox_spec *spec, struct err *err)
{
    const struct number_row rows[] = {
        {"id.epoch", spec->id.epoch, 1, UINT32_MAX},
        {"cpu_milli", spec->cpu_milli, 1, CPU_MILLI_MAX},
        {"mem_bytes", spec->mem_bytes, SANDBOX_MEM_MIN, MEM_BYTES_MAX},
        {"scratch_bytes", spec->scratch_bytes, 4096, MEM_BYTES_MAX},
        {"scratch_inodes", spec->scratch_inodes, 4, SCRATCH_INODES_MAX},
        {"pids_max", spec->pids_max, 2, SANDBOX_PIDS_MAX}, /* the keeper is one of them */
        {"network", spec->network, 0, NET_MODE_COUNT - 1},
        {"time_limit_us", spec->time_limit_us, 0, TIME_US_MAX},
        {"paid_us", spec->paid_us, 1, TIME_US_MAX},
        {"lease_us", spec->lease_us, 0, TIME_US_MAX},
        {"grace_us", spec->grace_us, 0, TIME_US_MAX},
        {"pauses_at_paid_end", spec->pauses_at_paid_end, 0, 1},
        {"mover", spec->mover, 0, 1},
        {"stages", spec->stages, 0, STAGE_NEEDS},
        {"reserved", spec->reserved, 0, 0},
    };
    int rc = check_numbers(rows, COUNT_OF(rows), err);
    rc = rc < 0 ? rc : sandbox_limits_check(&spec->limits, spec->mem_bytes, spec->cpu_milli, err);
    rc = rc < 0 ? rc : check_hostname(spec->hostname, sizeof spec->hostname, err);
    rc = rc < 0 ? rc : filter_spec_check(&spec->filter, err);
    return rc < 0 ? rc : root_spec_check(&spec->root, err);
}
