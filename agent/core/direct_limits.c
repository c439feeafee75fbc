#include "agent/core/direct_limits.h"

#include "base/limits.h"
#include "base/macros.h"

static void tighten(uint64_t *limit, uint64_t most, uint64_t features, enum node_feature feature)
{
    if (most > 0 && (features & FEATURE_BIT(feature)) != 0 && (*limit == 0 || *limit > most))
        *limit = most;
}

static uint32_t kernel_weight(uint32_t part_ppm, uint32_t tenants)
{
    uint64_t weight = (uint64_t)part_ppm * tenants * DIRECT_WEIGHT_EVEN / 1000000;
    return (uint32_t)(weight < 1 ? 1 : MIN(weight, LIMIT_IO_WEIGHT_MAX));
}

void direct_limits(const struct io_rule *has, uint32_t part_ppm, uint32_t tenants, uint64_t features,
                   struct sandbox_limits *limits)
{
    tighten(&limits->io_read_bps, has->bytes_per_s, features, FEATURE_IO_READ_BPS);
    tighten(&limits->io_write_bps, has->bytes_per_s, features, FEATURE_IO_WRITE_BPS);
    tighten(&limits->io_read_ops, has->ops_per_s, features, FEATURE_IO_READ_OPS);
    tighten(&limits->io_write_ops, has->ops_per_s, features, FEATURE_IO_WRITE_OPS);
    if (limits->io_weight == 0 && (features & FEATURE_BIT(FEATURE_IO_WEIGHT)) != 0)
        limits->io_weight = kernel_weight(part_ppm, tenants);
}
