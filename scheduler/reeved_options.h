/*
 * reeved_options - reeved's command line: the rows are in reeved_options.c, base/io/options.h says what they do.
 */
#ifndef REEVE_SCHEDULER_REEVED_OPTIONS_H
#define REEVE_SCHEDULER_REEVED_OPTIONS_H

#include "base/io/options.h"

struct reeved_options {
    const char *dir, *redis, *cell, *archive; /* archive NULL = what is pruned is gone */
    struct option_user user;
    uid_t agent_uid, report_uid; /* (uid_t)-1 = nobody else */
    uint64_t slice_ms, pause_max_ms;
    bool debug;
};

extern const struct option_table reeved_options;

#endif
