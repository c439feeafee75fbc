#include "base/features.h"

#include <stdio.h>
#include <string.h>

static const char *const names[FEATURE_COUNT] = {
    [FEATURE_MEMORY_HIGH] = "memory_high",     [FEATURE_MEMORY_MIN] = "memory_min",
    [FEATURE_SWAP] = "swap",                   [FEATURE_HUGE_2M] = "huge_pages_2m",
    [FEATURE_HUGE_1G] = "huge_pages_1g",       [FEATURE_PIN_CPUS] = "pin_cpus",
    [FEATURE_IO_READ_BPS] = "io.read_bps",     [FEATURE_IO_WRITE_BPS] = "io.write_bps",
    [FEATURE_IO_READ_OPS] = "io.read_ops",     [FEATURE_IO_WRITE_OPS] = "io.write_ops",
    [FEATURE_IO_WEIGHT] = "io.weight",         [FEATURE_IO_BYTES] = "io_bytes",
};
const struct names node_feature_names = {names, COUNT_OF(names)};

const char *feature_key(const char *feature, char out[FEATURE_NAME_MAX + sizeof "limits."])
{
    static const struct {
        const char *begins, *key;
    } rows[] = {{FEATURE_IMAGE, "image"},
                {FEATURE_OVERLAY, "root"},
                {FEATURE_VOLUME, "volumes"},
                {FEATURE_SECCOMP, "seccomp"},
                {FEATURE_TRANSFER, "transfer"},
                {FEATURE_STAGING, "inputs"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strncmp(feature, rows[i].begins, strlen(rows[i].begins)) == 0)
            return rows[i].key;
    snprintf(out, FEATURE_NAME_MAX + sizeof "limits.", "limits.%.*s", FEATURE_NAME_MAX, feature);
    return out;
}
