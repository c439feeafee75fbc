/*
 * redis_child - a private redis-server for one test: a UNIX socket in the test's folder, its own append-only file.
 * It dies with the test. Ready when it says so on its output, not after some time.
 */
#ifndef REEVE_TESTS_SCHEDULER_REDIS_CHILD_H
#define REEVE_TESTS_SCHEDULER_REDIS_CHILD_H

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/ask_store.h"

struct redis_child {
    pid_t pid;
    char dir[200], socket[240], url[256];
    int out;
};

/* `primary`: a port of this machine to follow; NULL = it follows nobody. */
_Noreturn static inline void redis_exec(const struct redis_child *r, int out, const char *primary)
{
    const char *host = primary != NULL ? "127.0.0.1" : "no", *port = primary != NULL ? primary : "one";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, 1);
    dup2(out, 2);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", r->socket, "--dir", r->dir, "--save", "",
           "--appendonly", "yes", "--appendfsync", "no", "--loglevel", "notice", "--maxmemory-policy", "noeviction",
           "--replicaof", host, port, (char *)NULL);
    _exit(127);
}

static inline void redis_start_as(struct redis_child *r, const char *dir, const char *socket, const char *primary)
{
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    snprintf(r->socket, sizeof r->socket, "%s", socket);
    snprintf(r->url, sizeof r->url, "unix:%s", r->socket);
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    r->pid = fork();
    ck_assert_int_ge(r->pid, 0);
    if (r->pid == 0)
        redis_exec(r, fds[1], primary);
    close(fds[1]);
    char log[65536];
    size_t len = 0;
    for (ssize_t n; (n = read(fds[0], log + len, sizeof log - 1 - len)) > 0;) {
        len += (size_t)n;
        log[len] = '\0';
        if (strstr(log, "accept connections at") != NULL) {
            r->out = fds[0];
            return;
        }
    }
    ck_abort_msg("redis-server did not start: %s", log);
}

static inline void redis_start(struct redis_child *r, const char *dir)
{
    char socket[240];
    snprintf(socket, sizeof socket, "%s/redis.sock", dir);
    redis_start_as(r, dir, socket, NULL);
}

static inline void redis_signal(struct redis_child *r, int signo)
{
    ck_assert_int_eq(kill(r->pid, signo), 0);
}

static inline void redis_stop(struct redis_child *r)
{
    if (r->pid <= 0)
        return;
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    close(r->out);
    unlink(r->socket);
    r->pid = -1;
}

#endif
