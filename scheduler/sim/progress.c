#include "scheduler/sim/progress.h"

#include <inttypes.h>
#include <stdio.h>

#define CELLS 40
#define STEP_PPM 2500

void sim_progress_show(struct sim_progress *p, const char *what, uint64_t ppm)
{
    if (!p->on || (p->drawn != 0 && ppm < p->drawn - 1 + STEP_PPM))
        return;
    char bar[CELLS + 1];
    for (uint64_t i = 0; i < CELLS; i++)
        bar[i] = i * 1000000 < ppm * CELLS ? '#' : '.';
    bar[CELLS] = '\0';
    fprintf(stderr, "\r\033[K%.30s [%s] %3" PRIu64 " %%", what, bar, ppm / 10000);
    p->drawn = ppm + 1;
}

void sim_progress_end(struct sim_progress *p)
{
    if (p->drawn != 0)
        fputs("\r\033[K", stderr);
    p->drawn = 0;
}
