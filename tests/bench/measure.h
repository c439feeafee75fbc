/* measure - what the benches of the sandbox share: the clock, percentiles, the floor. */
#ifndef REEVE_TESTS_BENCH_MEASURE_H
#define REEVE_TESTS_BENCH_MEASURE_H

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* /bin/true in the same namespaces as a sandbox, and nothing else of it. */
static inline void floor_once(void)
{
    struct clone_args args = {
        .flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                 CLONE_NEWNET,
        .exit_signal = SIGCHLD,
    };
    char program[] = "/bin/true", *argv[] = {program, NULL}, *envp[] = {NULL};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        execve(program, argv, envp);
        _exit(127);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
        abort();
}

#endif
