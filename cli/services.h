/*
 * services - the daemons of one single-node system, as a table, and the supervisor that keeps them running.
 *
 *   start    in the table's order, each waits until it answers
 *   die      started again after a pause that doubles from 100 ms to 5 s; a service that lived 10 s starts afresh
 *   stop     SIGTERM in reverse order, SIGKILL after the service's patience
 *
 * Every daemon runs with DIR as its working directory and is told `--dir .`: it works below a home that other users
 * can't pass through, and with paths longer than a socket address can hold.
 * A daemon is known by its pidfd; DIR/run/<name> keeps pid, start time and boot id, so that what a killed supervisor
 * left behind can be told from a stranger with the same pid.
 */
#ifndef REEVE_CLI_SERVICES_H
#define REEVE_CLI_SERVICES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SERVICE_ARGS_MAX 256 /* a node's options may be given many times */

struct service {
    const char *name;
    const char *program;             /* found beside our own binary, in libexec, or in PATH */
    char *args[SERVICE_ARGS_MAX];    /* argv without argv[0], NULL-terminated; owned */
    const char *cwd;                 /* below DIR */
    uid_t uid;                       /* dropped before exec; 0 = the daemon drops by itself */
    uint32_t patience_ms;            /* between SIGTERM and SIGKILL */
    bool (*answers)(const char *dir);

    pid_t pid; /* 0 = not running */
    int pidfd;
    uint64_t started_ms, restart_at_ms, pause_ms;
    uint32_t restarts;
};

/* A program's path: beside our own binary (build tree), then where packages put daemons. -ENOENT. */
int service_find_program(const char *name, char *out, size_t size) MUST_USE;
/* Adds one more argument (copied); lack of memory or room aborts: this is start-up. */
void service_arg(struct service *s, const char *format, ...) PRINTF_LIKE(2, 3);
void service_fini(struct service *s);
/* Forks and execs; stderr and stdout go to DIR/log/<name>.log. */
int service_start(struct service *s, const char *dir, struct err *err) MUST_USE;
/* Waits until it answers; -ETIMEDOUT, or -ECHILD when it died: err has the last line of its log. */
int service_wait_ready(struct service *s, const char *dir, uint32_t timeout_ms, struct err *err) MUST_USE;
/* SIGTERM, patience, SIGKILL; returns once it is gone. */
void service_stop(struct service *s, const char *dir);
/* What an earlier supervisor left running under this name: stopped if it is still the same process. */
void service_stop_leftover(const char *name, const char *dir, uint32_t patience_ms);

#endif
