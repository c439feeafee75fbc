/*
 * reeved_options - reeved's command line. One table: parser, usage text and reeved(8) follow it.
 */
#ifndef REEVE_SCHEDULER_REEVED_OPTIONS_H
#define REEVE_SCHEDULER_REEVED_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct reeved_options {
    const char *dir, *redis, *cell;
    bool drop;             /* --user was given */
    uid_t uid;
    gid_t gid;
    uid_t agent_uid, report_uid; /* (uid_t)-1 = nobody else */
    bool debug, help, version;
};

/* Borrowed from argv. -EINVAL with a sentence. */
int reeved_options_parse(int argc, char **argv, struct reeved_options *ret, struct err *err) MUST_USE;
/* The usage text, static. */
const char *reeved_options_usage(void);

#endif
