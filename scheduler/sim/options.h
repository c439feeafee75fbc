/*
 * options - what reeve-sim was asked to do; reeve-sim(1).
 */
#ifndef REEVE_SCHEDULER_SIM_OPTIONS_H
#define REEVE_SCHEDULER_SIM_OPTIONS_H

#include "base/fields.h"
#include "base/io/options.h"

struct sim_options {
    const char *swf, *events;      /* one of them, or neither: generated load */
    const char *tenant_by;
    uint64_t seed, jobs, tenants, per_hour, mean_run_ms;
    uint32_t cores_max;
    const char *cluster, *nodes;   /* a file, or "120x2" */
    struct strs policies, orders;  /* files, names of enum sim_order; each pair is one history */
    bool json;
    const char *html;              /* file */
    bool quiet;
};
extern const struct option_table sim_options;

#endif
