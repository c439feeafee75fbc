/*
 * options - reeve-reportd's command line: the rows are in options.c, base/io/options.h says what they do.
 */
#ifndef REEVE_QUOTAS_REPORTS_OPTIONS_H
#define REEVE_QUOTAS_REPORTS_OPTIONS_H

#include "base/io/options.h"

#define HTTP_PORT_NONE UINT32_MAX

struct report_options {
    const char *dir, *redis, *cell; /* redis NULL = DIR/redis/redis.sock */
    uint32_t http_port;             /* HTTP_PORT_NONE, or 0 = the kernel chooses */
    const char *webhooks;           /* NULL = DIR/report/webhooks */
    struct option_user user;
    bool debug;
};

extern const struct option_table report_options;

#endif
