/*
 * options - the agent's command line, as a table: parser, usage text and the manual follow its rows.
 */
#ifndef REEVE_AGENT_OPTIONS_H
#define REEVE_AGENT_OPTIONS_H

#include "agent/shelf.h"
#include "base/resources.h"

struct options {
    char *dir, *name;
    struct resources capacity;   /* 0 = the machine's own */
    struct pairs labels;
    struct shelf_limits keep;
    bool debug, help, version;
};

/* -EINVAL with the option's name and what it wants. */
int options_parse(struct options *o, int argc, char **argv, struct err *err) MUST_USE;
void options_fini(struct options *o);
void options_usage(struct buf *out);

#endif
