/*
 * options - reeve-reportd's command line, as a table: parser and usage come from the same rows.
 */
#ifndef REEVE_QUOTAS_REPORTS_OPTIONS_H
#define REEVE_QUOTAS_REPORTS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct options {
    const char *dir, *redis, *cell; /* borrowed from argv; redis NULL = DIR/redis/redis.sock */
    bool has_port;
    uint16_t port;                  /* 0 = the kernel chooses */
    bool drop;
    uid_t uid;
    gid_t gid;
    bool debug, help, version;
};

int report_options_parse(int argc, char **argv, struct options *ret, struct err *err) MUST_USE;
const char *report_options_usage(void);

#endif
