/*
 * print - a simulated history for people (a table), for programs (JSON) and as a page with its plots (HTML that needs
 * nothing else). Several histories stand beside each other: the first one is what the others are compared with.
 */
#ifndef REEVE_SCHEDULER_SIM_PRINT_H
#define REEVE_SCHEDULER_SIM_PRINT_H

#include "scheduler/sim/run.h"

struct history {
    const char *name;      /* of the policy: a file, or how it decides */
    const struct measure_cell *measure;
    struct run_totals totals;
    const char *currency;
    size_t left_out;
};

void print_table(const struct history *h, size_t count, struct buf *out);
void print_json(const struct history *h, size_t count, struct buf *out);
void print_html(const struct history *h, size_t count, struct buf *out);

/* "2 h 05 min", "12.5 s" */
const char *print_time(uint64_t us, char out[32]);
/* "93.4 %" */
const char *print_ppm(uint64_t ppm, char out[32]);

#endif
