/*
 * options - the agent's command line: the rows are in options.c, base/io/options.h says what they do.
 */
#ifndef REEVE_AGENT_OPTIONS_H
#define REEVE_AGENT_OPTIONS_H

#include "agent/shelf.h"
#include "base/io/options.h"
#include "base/resources.h"

struct agent_options {
    const char *dir, *name;      /* name NULL = the host's */
    struct resources capacity;   /* 0 = the machine's own */
    struct pairs labels;
    uint32_t max_attempts;       /* 0 = any number */
    uint64_t keep_bytes, keep_ms;
    bool debug;
};

/* reeve-agent calibrate */
struct calibrate_options {
    const char *dir;
    uint64_t file_bytes, time_ms;
};

struct io_check_options {
    char *dir;
    bool json;
};
extern const struct option_table io_check_options;
extern const struct option_table agent_options, calibrate_options;

void agent_options_fini(struct agent_options *o);

#endif
