/* What attacks report with, and how they make their calls. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/hostile.h"

void got(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
}

void must_be_refused(const char *what, long result)
{
    if (result >= 0)
        got("%s: %ld", what, result);
    else if (result != -EPERM && result != -ENOSYS && result != -EACCES)
        got("%s: tried, and ended with %s", what, strerror((int)-result));
}

long call(long number, long a, long b, long c, long d, long e, long f)
{
    long rc = syscall(number, a, b, c, d, e, f);
    return rc < 0 ? -errno : rc;
}

int in_child(void (*body)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        body();
        fflush(stdout);
        _exit(0);
    }
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}
