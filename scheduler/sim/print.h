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
    const struct workload *workload; /* whose history it is */
    bool whatif;           /* for who decides about a policy: nothing of this machine is in it */
};

/* ---- print.c ---- */
void print_table(const struct history *h, size_t count, struct buf *out);
void print_json(const struct history *h, size_t count, struct buf *out);
void print_html(const struct history *h, size_t count, struct buf *out);

/* "2 h 05 min", "12.5 s" */
const char *print_time(uint64_t us, char out[32]);
/* "93.4 %" */
const char *print_ppm(uint64_t ppm, char out[32]);

/* "12.34" of thousandths; of micro-units. */
const char *print_thousandths(uint64_t value, char out[32]);
const char *print_money(int64_t micros, char out[32]);
/* "+37.5 %" against the first; "" when they are alike or one has none of it. */
const char *print_difference(uint64_t first, uint64_t other, char out[32]);
/* The line ends, without the blanks before its end. */
void print_end_line(struct buf *out);
void print_json_text(const char *text, struct buf *out);

/* ---- print_gains.c: each history against the first one ---- */
/* Who gains and who loses most: those that get to start more, or fewer, of their tasks; then by mean wait. */
void print_gains(const struct history *h, size_t count, struct buf *out);
void print_json_gains(const struct history *h, size_t count, struct buf *out);
/* What of the input the figures can't show. */
void print_notes(const struct history *h, size_t count, struct buf *out);

#endif
