/*
 * resources - what a job asks for, a node has, and a tenant may use at once.
 * Units:  cpu in milli-cores, memory and scratch in bytes, everything generic in whole units (gpu, licences).
 * Purity: pure.
 */
#ifndef REEVE_BASE_RESOURCES_H
#define REEVE_BASE_RESOURCES_H

#include "base/fields.h"

#define RESOURCE_GENERIC_MAX 12           /* generic resources in one cell */
#define RESOURCE_NAME_MAX 31
#define CPU_MILLI_MAX ((uint64_t)1 << 30) /* a million cores */
#define MEM_BYTES_MAX ((uint64_t)1 << 50) /* 1 PiB: keeps bytes * us * price inside 128 bits */
#define GENERIC_MAX ((uint64_t)1 << 30)

/* Moved bytes: priced as a quantity, asked for by nobody, so no generic resource may be called so. */
#define RESOURCE_IO "io"

struct resources {
    uint64_t cpu_milli, mem_bytes, scratch_bytes;
    struct counts generic;
};

/* JSON: {"cpu": 2, "memory": "4Gi", "scratch": "1Gi", "generic": {"gpu": 1}} */
extern const struct fields resources_fields;

/* So many of them together; what no number can hold is the largest. Names stay the one's: the caller frees
 * ret->generic.v alone. Aborts on lack of memory. */
void resources_times(const struct resources *one, uint64_t times, struct resources *ret);

#endif
