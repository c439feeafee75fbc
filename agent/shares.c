#include "agent/shares.h"

#include <errno.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/io/yaml.h"
#include "base/parse.h"

#define PERCENT_PPM 10000u

static const struct field tenant_rows[] = {
    FIELD_ROW(tenant_share, 1, "tenant", FIELD_STR, tenant, .min = 1, .max = ARBITER_NAME_MAX - 1,
              .help = "its path: acme/etl"),
    FIELD_ROW(tenant_share, 2, "weight", FIELD_U32, weight, .min = 1, .max = FQ_WEIGHT_MAX,
              .help = "of the device's time among those that want it; default 100"),
    FIELD_ROW(tenant_share, 3, "reserved_percent", FIELD_U32, reserved_percent, .max = 80,
              .help = "of the device's time, whenever it wants it, whatever the others' weights"),
    FIELD_ROW(tenant_share, 4, "limit_percent", FIELD_U32, limit_percent, .max = 100,
              .help = "of the device's time at most, also alone"),
    FIELD_ROW(tenant_share, 5, "bytes_per_s", FIELD_SIZE, bytes_per_s, .max = (uint64_t)1 << 40,
              .help = "bytes a second at most"),
    FIELD_ROW(tenant_share, 6, "ops_per_s", FIELD_U64, ops_per_s, .max = 1000000000,
              .help = "operations a second at most"),
};
static const struct fields tenant_fields = FIELDS_TABLE("tenant", tenant_share, tenant_rows);

static const struct field rows[] = {
    FIELD_ROW(shares_file, 1, "tenants", FIELD_LIST, tenants, .of = &tenant_fields, .flags = FIELD_KEYED,
              .max = FAIR_TENANTS_MAX / 2, .help = "by their paths"),
};
const struct fields shares_fields = FIELDS_TABLE("shares", shares_file, rows);

static int check(const struct shares_file *file, struct err *err)
{
    const struct tenant_share *v = file->tenants.v;
    uint32_t reserved = 0;
    for (size_t i = 0; i < file->tenants.count; i++) {
        if (parse_tenant_path(v[i].tenant, err) < 0)
            return err_wrap(err, -EINVAL, SHARES_PATH ": tenants");
        reserved += v[i].reserved_percent;
    }
    if (reserved > ARBITER_RESERVED_MAX_PPM / PERCENT_PPM)
        return err_set(err, -EINVAL, SHARES_PATH ": %u %% are reserved together; at most %u, so that nobody starves",
                       reserved, ARBITER_RESERVED_MAX_PPM / PERCENT_PPM);
    return 0;
}

static int apply(struct fair *f, const struct shares_file *file, struct err *err)
{
    const struct tenant_share *v = file->tenants.v;
    for (size_t i = 0; i < file->tenants.count; i++) {
        struct fq_share share = {.weight = v[i].weight > 0 ? v[i].weight : arbiter_share_default.weight,
                                 .reserved_ppm = v[i].reserved_percent * PERCENT_PPM,
                                 .limit_ppm = v[i].limit_percent * PERCENT_PPM,
                                 .bytes_per_s = v[i].bytes_per_s,
                                 .ops_per_s = v[i].ops_per_s};
        int rc = fair_share(f, v[i].tenant, &share);
        if (rc < 0)
            return err_set(err, rc, SHARES_PATH ": %s: %s", v[i].tenant, strerror(-rc));
    }
    return 0;
}

int shares_load(struct fair *f, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct shares_file file = {0};
    int rc = file_read(SHARES_PATH, YAML_FILE_MAX, &text, err);
    if (rc == -ENOENT)
        return 0;
    rc = rc < 0 ? rc : yaml_read(&shares_fields, SHARES_PATH, buf_text(&text), text.len, &file, err);
    if (rc < 0)
        return rc;
    rc = check(&file, err);
    rc = rc < 0 ? rc : apply(f, &file, err);
    fields_clear(&shares_fields, &file);
    return rc;
}
