#include "cli/confine_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/job_spec.h"
#include "cli/services.h"

#define COMPILE_MS 10000
#define COMPILER_ID 1879048191u /* below the range of jobs' ids: nobody's, as the warden has it */
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static _Noreturn void become_compiler(int program, const int fds[3], const char *option)
{
    static char name[] = "reeve-seccomp";
    char *argv[] = {name, (char *)(uintptr_t)option, NULL}, *envp[] = {NULL};
    int high[3] = {-1, -1, -1};
    bool fine = true;
    for (int i = 0; i < 3; i++)
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
    for (int i = 0; i < 3; i++)
        fine = fine && dup2(high[i], i) == i;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        prctl(PR_CAPBSET_DROP, cap);
    if (fine && syscall(SYS_setgroups, 0, NULL) == 0 &&
        syscall(SYS_setresgid, COMPILER_ID, COMPILER_ID, COMPILER_ID) == 0 &&
        syscall(SYS_setresuid, COMPILER_ID, COMPILER_ID, COMPILER_ID) == 0 &&
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        fexecve(program, argv, envp);
    _exit(126);
}

/* Its status; -ETIMEDOUT: it was killed. */
static int wait_compiler(pid_t pid)
{
    CLEANUP(close_p) int pidfd = pidfd_open(pid, 0);
    struct pollfd at = {.fd = pidfd, .events = POLLIN};
    bool late = pidfd < 0 || poll(&at, 1, COMPILE_MS) == 0;
    if (late)
        kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return late ? -ETIMEDOUT : status;
}

/* What it complained of, without the line's end. */
static int explain(int said, int status, struct err *err)
{
    char text[ERR_TEXT_MAX - 64];
    ssize_t n = pread(said, text, sizeof text - 1, 0);
    text[MAX(n, 0)] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (status == -ETIMEDOUT || (status > 0 && WIFSIGNALED(status)))
        return err_set(err, -ETIMEDOUT, "seccomp: compiling the profile takes too much time or memory");
    return err_set(err, -EINVAL, "seccomp: %s", text[0] != '\0' ? text : "the profiles' compiler did not start");
}

static int run_compiler(int in, int out, const char *option, struct err *err)
{
    char path[PATH_MAX];
    if (service_find_program("reeve-seccomp", path, sizeof path) < 0)
        return err_set(err, -ENOENT, "reeve-seccomp: program not found; build it or install it");
    CLEANUP(close_p) int program = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(close_p) int said = memfd_create("said", MFD_CLOEXEC);
    if (program < 0 || said < 0)
        return err_set(err, -errno, "the profiles' compiler: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "fork: %s", strerror(errno));
    if (pid == 0)
        become_compiler(program, (const int[]){in, out, said}, option);
    int status = wait_compiler(pid);
    return status == 0 ? 0 : explain(said, status, err);
}

int confine_filter_compile(const char *profile, size_t len, struct err *err)
{
    CLEANUP(close_p) int in = memfd_sealed("profile", profile, len);
    CLEANUP(close_p) int out = memfd_create("filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (in < 0 || out < 0)
        return err_set(err, -EIO, "seccomp: a memfd can't be made");
    int rc = run_compiler(in, out, NULL, err);
    if (rc == 0 && fcntl(out, F_ADD_SEALS, SEALS) < 0)
        rc = err_set(err, -errno, "seccomp: %s", strerror(errno));
    return rc < 0 ? rc : TAKE_FD(out);
}

int confine_filter_from_trace(int trace, struct buf *ret, struct err *err)
{
    CLEANUP(close_p) int out = memfd_create("profile", MFD_CLOEXEC);
    if (out < 0 || lseek(trace, 0, SEEK_SET) < 0)
        return err_set(err, -errno, "seccomp: %s", strerror(errno));
    int rc = run_compiler(trace, out, "--from-trace", err);
    if (rc == 0 && lseek(out, 0, SEEK_SET) < 0)
        rc = err_set(err, -errno, "seccomp: %s", strerror(errno));
    return rc < 0 ? rc : fd_read_all(out, "the profile", JOB_SECCOMP_MAX, ret, err);
}
