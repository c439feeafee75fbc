/*
 * redis_server - a private redis-server for one test: a UNIX socket in a temporary folder, no port, no persistence
 * unless asked for. It dies with the test (PDEATHSIG); its folder goes with redis_stop(), or with the program's folder.
 */
#ifndef REEVE_TESTS_QUOTAS_STORE_REDIS_SERVER_H
#define REEVE_TESTS_QUOTAS_STORE_REDIS_SERVER_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "quotas/store/store.h"

/* One folder per test program, made and removed by the process that runs the tests: a failed test leaves nothing. */
static char test_top[64];

static inline void test_top_make(void)
{
    snprintf(test_top, sizeof test_top, "/tmp/reeve-store-XXXXXX");
    if (!mkdtemp(test_top)) {
        abort();
    }
}

static inline void test_top_remove(void)
{
    if (dir_remove(test_top, NULL) < 0) {
        abort();
    }
}

static inline void test_dir(char out[64])
{
    int len = snprintf(out, 64, "%s/XXXXXX", test_top);
    if (len < 0 || len >= 64 || !mkdtemp(out)) {
        abort();
    }
}

struct redis_server {
    pid_t pid; /* 0 = not running */
    bool aof;
    char dir[64], socket[96], url[128];
};

static inline void redis_exec(const struct redis_server *r)
{
    int log = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(log, 1);
    dup2(log, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* With "everysec" a busy disk lets the last two seconds wait in the process, which is what is killed here. */
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", r->socket, "--dir", r->dir, "--save", "",
           "--appendonly", r->aof ? "yes" : "no", "--appendfsync", "no", "--maxmemory-policy", "noeviction",
           (char *)NULL);
    _exit(127);
}

/* Starts (again) and waits until it answers; aborts the test when it doesn't within 10 s. */
static inline void redis_run(struct redis_server *r)
{
    unlink(r->socket);
    r->pid = fork();
    if (r->pid == 0) {
        if (chdir(r->dir) == 0) {
            redis_exec(r);
        }
        _exit(127);
    }
    struct timespec now, start, pause = {.tv_nsec = 2000000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        struct store_sync *s = NULL;
        struct store_status status;
        struct err err = {0};
        if (store_sync_open(&s, r->url, "probe", &err) == 0 && store_status(s, &status, &err) == 0) {
            store_sync_close(s);
            return;
        }
        store_sync_close(s);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec > 10 || waitpid(r->pid, NULL, WNOHANG) == r->pid) {
            fprintf(stderr, "redis-server doesn't answer: %s\n", err_text(&err));
            abort();
        }
        nanosleep(&pause, NULL); /* no event tells that a process will soon listen */
    }
}

static inline struct redis_server redis_start(bool aof)
{
    struct redis_server r = {.aof = aof};
    test_dir(r.dir);
    snprintf(r.socket, sizeof r.socket, "%s/redis.sock", r.dir);
    snprintf(r.url, sizeof r.url, "unix:%s", r.socket);
    redis_run(&r);
    return r;
}

static inline void redis_kill(struct redis_server *r)
{
    if (r->pid > 0) {
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
        r->pid = 0;
    }
}

static inline void redis_stop(struct redis_server *r)
{
    redis_kill(r);
    if (dir_remove(r->dir, NULL) < 0) {
        abort();
    }
}

#endif
