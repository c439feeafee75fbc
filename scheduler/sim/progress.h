/*
 * progress - a bar on a terminal while a history is simulated; nothing elsewhere.
 */
#ifndef REEVE_SCHEDULER_SIM_PROGRESS_H
#define REEVE_SCHEDULER_SIM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct sim_progress {
    bool on;         /* standard error is a terminal and nobody asked for quiet */
    uint64_t drawn;  /* millionths, as last drawn, plus one; 0 = never */
};

void sim_progress_show(struct sim_progress *p, const char *what, uint64_t ppm);
void sim_progress_end(struct sim_progress *p);

#endif
