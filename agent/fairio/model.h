/*
 * model - what `reeve-agent calibrate` found out about a disk: a file of one JSON object, which agents read first.
 * Purity: pure; text is base/io/json.h's, from the same table.
 */
#ifndef REEVE_AGENT_FAIRIO_MODEL_H
#define REEVE_AGENT_FAIRIO_MODEL_H

#include "agent/fairio/cost.h"
#include "base/fields.h"

struct io_model {
    char *device;            /* "254:0": major and minor number of the file system's device */
    int64_t measured_utc_us;
    struct io_cost cost;
};
extern const struct fields io_model_fields;

/* What a disk of which nothing is known is taken for: a cloud's SSD, about 1.1 GB/s and 100,000 operations. */
extern const struct io_cost io_cost_default;

/* Time per operation at two sizes, the disk never idle. */
struct io_measured {
    int64_t small_random_ns, large_random_ns, large_sequential_ns;
    uint64_t small_bytes, large_bytes; /* small < large */
};
/* Fits base and slope through both sizes; what noise would make impossible is brought into range. */
void io_cost_fit(struct io_cost *c, enum io_dir dir, const struct io_measured *m);

#endif
