#include "cli/services.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"

#define POLL_MS 10

void service_arg(struct service *s, const char *format, ...)
{
    size_t n = 0;
    while (s->args[n] != NULL)
        n++;
    BUG(n + 2 >= SERVICE_ARGS_MAX);
    va_list args;
    va_start(args, format);
    int r = vasprintf(&s->args[n], format, args);
    va_end(args);
    BUG(r < 0);
}

void service_fini(struct service *s)
{
    for (size_t n = 0; s->args[n] != NULL; n++)
        free(s->args[n]);
    close_p(&s->pidfd);
}

static uint64_t now_ms(void)
{
    return clock_boot_us() / 1000;
}

static bool try_program(char *out, size_t size, const char *folder, const char *name)
{
    int n = snprintf(out, size, "%s/%s", folder, name);
    return n > 0 && (size_t)n < size && access(out, X_OK) == 0;
}

int service_find_program(const char *name, char *out, size_t size)
{
    static const char *const folders[] = {"/usr/local/sbin", "/usr/local/libexec/reeve", "/usr/libexec/reeve",
                                          "/usr/sbin",       "/usr/local/bin",           "/usr/bin"};
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = '\0';
        char *slash = strrchr(self, '/');
        if (slash != NULL) {
            *slash = '\0';
            if (try_program(out, size, self, name))
                return 0;
        }
    }
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (try_program(out, size, folders[i], name))
            return 0;
    return -ENOENT;
}

/* Field 22 of /proc/PID/stat; the name in field 2 may hold spaces and brackets, so count from the last ')'. */
static uint64_t start_time(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

static void note_path(char *out, size_t size, const char *dir, const char *name)
{
    snprintf(out, size, "%s/run/%s", dir, name);
}

static void write_note(const struct service *s, const char *dir)
{
    char path[4200], text[160];
    note_path(path, sizeof path, dir, s->name);
    int n = snprintf(text, sizeof text, "%d %" PRIu64 " %s\n", (int)s->pid, start_time(s->pid), clock_boot_id());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0) {
        /* A note that could not be written only means that a leftover would not be found. */
        if (fd_write_all(fd, text, (size_t)n) < 0)
            unlink(path);
        close(fd);
    }
}

static void remove_note(const char *name, const char *dir)
{
    char path[4200];
    note_path(path, sizeof path, dir, name);
    unlink(path);
}

/* In the child: nothing here may return. */
static _Noreturn void become(struct service *s, const char *dir, const char *program, int log)
{
    char cwd[4200];
    snprintf(cwd, sizeof cwd, "%s/%s", dir, s->cwd);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    char *argv[SERVICE_ARGS_MAX + 1] = {strdup(s->program)};
    for (size_t i = 0; s->args[i] != NULL; i++)
        argv[i + 1] = s->args[i];
    if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || chdir(cwd) < 0)
        _exit(125);
    /* Its own session: a Ctrl-C at the terminal reaches the supervisor alone, which then stops them in order. */
    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        _exit(125);
    if (s->uid != 0 && (setgroups(0, NULL) < 0 || setresgid((gid_t)s->uid, (gid_t)s->uid, (gid_t)s->uid) < 0 ||
                        setresuid(s->uid, s->uid, s->uid) < 0))
        _exit(125);
    execv(program, argv);
    dprintf(2, "exec %s: %s\n", program, strerror(errno));
    _exit(127);
}

int service_start(struct service *s, const char *dir, struct err *err)
{
    char program[4200], path[4200];
    if (service_find_program(s->program, program, sizeof program) < 0)
        return err_set(err, -ENOENT, "%s: program not found; build it or run packaging/install-deps", s->program);
    snprintf(path, sizeof path, "%s/log/%s.log", dir, s->name);
    CLEANUP(close_p) int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0)
        return err_set(err, -errno, "open '%s': %s", path, strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "fork: %s", strerror(errno));
    if (pid == 0)
        become(s, dir, program, log);
    s->pid = pid;
    close_p(&s->pidfd);
    s->pidfd = pidfd_open(pid, 0); /* our child: the pid can't be reused before we reap it */
    s->started_ms = now_ms();
    write_note(s, dir);
    return 0;
}

static void last_log_line(const char *dir, const char *name, char *out, size_t size)
{
    char path[4200], tail[2048];
    snprintf(path, sizeof path, "%s/log/%s.log", dir, name);
    out[0] = '\0';
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof tail - 1 ? end - ((off_t)sizeof tail - 1) : 0;
    ssize_t n = pread(fd, tail, sizeof tail - 1, from);
    while (n > 0 && tail[n - 1] == '\n')
        n--;
    if (n <= 0)
        return;
    tail[n] = '\0';
    const char *line = strrchr(tail, '\n');
    line = line != NULL ? line + 1 : tail;
    snprintf(out, size, "%.*s", (int)size - 1, line);
}

int service_wait_ready(struct service *s, const char *dir, uint32_t timeout_ms, struct err *err)
{
    char line[400];
    for (uint64_t until = now_ms() + timeout_ms; now_ms() < until;) {
        if (s->answers == NULL || s->answers(dir))
            return 0;
        struct pollfd gone = {.fd = s->pidfd, .events = POLLIN};
        if (poll(&gone, 1, POLL_MS) > 0) {
            last_log_line(dir, s->name, line, sizeof line);
            return err_set(err, -ECHILD, "%s ended at start: %s", s->name, line);
        }
    }
    last_log_line(dir, s->name, line, sizeof line);
    return err_set(err, -ETIMEDOUT, "%s does not answer after %u s: %s", s->name, timeout_ms / 1000, line);
}

static void stop_by_pidfd(int pidfd, uint32_t patience_ms)
{
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
    if (poll(&gone, 1, (int)patience_ms) == 0) {
        pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        poll(&gone, 1, 5000);
    }
}

void service_stop(struct service *s, const char *dir)
{
    if (s->pid == 0)
        return;
    stop_by_pidfd(s->pidfd, s->patience_ms);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
    close_p(&s->pidfd);
    remove_note(s->name, dir);
}

void service_stop_leftover(const char *name, const char *dir, uint32_t patience_ms)
{
    char path[4200], text[160] = "", boot[80];
    int pid = 0;
    uint64_t started = 0;
    note_path(path, sizeof path, dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n > 0 && sscanf(text, "%d %" SCNu64 " %79s", &pid, &started, boot) == 3 && pid > 1 &&
        strcmp(boot, clock_boot_id()) == 0) {
        CLEANUP(close_p) int pidfd = pidfd_open(pid, 0);
        if (pidfd >= 0 && started != 0 && start_time(pid) == started)
            stop_by_pidfd(pidfd, patience_ms);
    }
    remove_note(name, dir);
}
