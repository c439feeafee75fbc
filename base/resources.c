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
