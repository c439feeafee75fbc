/*
 * options - what reeve-sim was asked to do: by itself, reeve-sim(1), or for `reeve whatif`, which compares what is with
 * what is proposed. A row is an option of both, but for two that only the former has.
 */
#ifndef REEVE_SCHEDULER_SIM_OPTIONS_H
#define REEVE_SCHEDULER_SIM_OPTIONS_H

#include "base/fields.h"
#include "base/io/options.h"

struct sim_options {
    const char *journal, *swf, *events; /* one of them, or none: generated load */
    const char *archive, *since;
    const char *tenant_by;
    uint64_t seed, jobs, tenants, per_hour, mean_run_ms;
    uint32_t cores_max;
    const char *cluster, *nodes;   /* a file, or "120x2" */
    const char *against;           /* whatif: the policy that is, when it isn't the journal's own */
    struct strs policies, orders;  /* files, names of enum sim_order; each pair is one history */
    bool json;
    const char *html;              /* file */
    bool quiet;
    bool whatif;
};
extern const struct option_table sim_options, whatif_options;

#endif
