/*
 * up_system - what a complete single-node system is made of: its folder's folders, and its four services, each with
 * what it is called with, whose it is, and how it is known to answer. Its life is up.c's.
 *
 * All paths are relative: the working directory is the system's folder.
 */
#ifndef REEVE_CLI_UP_SYSTEM_H
#define REEVE_CLI_UP_SYSTEM_H

#include "cli/node_options.h"
#include "cli/services.h"

/* In the order in which they start. */
enum { REDIS, REEVED, WARDEN, REPORTD, SERVICES };

struct system {
    char dir[4096];
    const char *redis_url; /* NULL = a private one */
    struct node_options node;
    uint32_t http_port; /* UINT32_MAX = none */
    const char *slice, *pause_max; /* reeved's; NULL = its own */
    bool detach;
    int lock;
    int signals;
    struct service services[SERVICES];
};

/* Is this service one of ours? A store that was named isn't. */
bool system_uses(const struct system *up, int service);
/* Makes what is missing, and says whose each folder is. */
int system_make_folders(struct err *err) MUST_USE;
/* Fills up->services from what the system was asked for: nothing is started yet. The caller clears each with
 * service_fini(), and also after an error. */
int system_describe(struct system *up, struct err *err) MUST_USE;

#endif
