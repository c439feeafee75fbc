#include "base/resources.h"

static const struct field rows[] = {
    FIELD_ROW(resources, 1, "cpu", FIELD_CPU, cpu_milli, .max = CPU_MILLI_MAX,
              .help = "processor time: 2, 0.5 or 250m (milli-cores)"),
    FIELD_ROW(resources, 2, "memory", FIELD_SIZE, mem_bytes, .max = MEM_BYTES_MAX,
              .help = "memory, without swap: 4Gi, 512Mi"),
    FIELD_ROW(resources, 3, "scratch", FIELD_SIZE, scratch_bytes, .max = MEM_BYTES_MAX,
              .help = "room in /tmp, private to the task"),
    FIELD_ROW(resources, 4, "generic", FIELD_COUNTS, generic, .max = RESOURCE_GENERIC_MAX,
              .help = "whole units of anything else a node declares: {gpu: 1}"),
};
const struct fields resources_fields = FIELDS_TABLE("resources", resources, rows);

static uint64_t times_as_many(uint64_t amount, uint64_t times)
{
    uint64_t many;
    return __builtin_mul_overflow(amount, times, &many) ? UINT64_MAX : many;
}

void resources_times(const struct resources *one, uint64_t times, struct resources *ret)
{
    *ret = *one;
    ret->cpu_milli = times_as_many(one->cpu_milli, times);
    ret->mem_bytes = times_as_many(one->mem_bytes, times);
    ret->scratch_bytes = times_as_many(one->scratch_bytes, times);
    ret->generic.v = calloc(one->generic.count + 1, sizeof ret->generic.v[0]);
    if (ret->generic.v == NULL)
        abort();
    for (size_t i = 0; i < one->generic.count; i++)
        ret->generic.v[i] = (struct count){one->generic.v[i].name, times_as_many(one->generic.v[i].value, times)};
}
