#include "isolation/filters.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"

#define COMPILE_MS 10000
#define SUFFIX ".json"
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static const char *const builtins[FILTERS_OWN] = {"floor", FILTER_DEFAULT, "trace"};

int filters_find(const struct filters *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->at[i].name, name) == 0)
            return f->at[i].fd;
    }
    return -1;
}

bool filter_is_sound(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 && st.st_size > 0 &&
           (size_t)st.st_size % sizeof(struct sock_filter) == 0 &&
           (size_t)st.st_size <= FILTER_INSNS_MAX * sizeof(struct sock_filter);
}

void filters_close(struct filters *f)
{
    for (size_t i = 0; i < f->count; i++)
        close_p(&f->at[i].fd);
    f->count = 0;
}

/* --- one compilation ----------------------------------------------------------------- */

struct compiling {
    int program, in, out, said;
    const char *builtin; /* or the text comes by `in` */
    uid_t user;
};

static _Noreturn void become_compiler(const struct compiling *c)
{
    int fds[] = {fcntl(c->in, F_DUPFD_CLOEXEC, 16), fcntl(c->out, F_DUPFD_CLOEXEC, 16),
                 fcntl(c->said, F_DUPFD_CLOEXEC, 16)};
    for (int i = 0; i < 3; i++) {
        if (dup2(fds[i], i) < 0)
            _exit(126);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        prctl(PR_CAPBSET_DROP, cap);
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, c->user, c->user, c->user) < 0 ||
        syscall(SYS_setresuid, c->user, c->user, c->user) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        _exit(126);
    char name[] = "reeve-seccomp", option[] = "--builtin";
    char *argv[] = {name, c->builtin != NULL ? option : NULL, (char *)(uintptr_t)c->builtin, NULL}, *envp[] = {NULL};
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    fexecve(c->program, argv, envp);
    _exit(126);
}

/* Its exit status; -ETIMEDOUT: it was killed. */
static int wait_compiler(pid_t pid)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status;
    struct pollfd at = {.fd = pidfd, .events = POLLIN};
    bool late = pidfd >= 0 && poll(&at, 1, COMPILE_MS) == 0;
    if (late)
        kill(pid, SIGKILL);
    close_p(&pidfd);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return late ? -ETIMEDOUT : status;
}

/* What it complained of, without the line's end. */
static int failed(int said, int status, const char *what, struct err *err)
{
    char text[ERR_TEXT_MAX - 64];
    ssize_t n = pread(said, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (status == -ETIMEDOUT || (status > 0 && WIFSIGNALED(status)))
        return err_set(err, -ETIMEDOUT, "profile '%s': compiling it took too much time or memory", what);
    return err_set(err, -EINVAL, "profile '%s': %s", what, text[0] != '\0' ? text : "the compiler did not start");
}

static int compile(struct compiling *c, const char *what, struct err *err)
{
    CLEANUP(close_p) int out = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CLEANUP(close_p) int said = memfd_create("said", MFD_CLOEXEC);
    if (out < 0 || said < 0)
        return err_set(err, -errno, "memfd: %s", strerror(errno));
    c->out = out;
    c->said = said;
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "fork: %s", strerror(errno));
    if (pid == 0)
        become_compiler(c);
    int status = wait_compiler(pid);
    if (status != 0)
        return failed(said, status, what, err);
    if (fcntl(out, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0 || !filter_is_sound(out))
        return err_set(err, -EBADMSG, "profile '%s': what came back is no filter", what);
    int fd = out;
    out = -1;
    return fd;
}

/* --- all of them ----------------------------------------------------------------- */

static int add(struct filters *f, struct compiling *c, const char *name, struct err *err)
{
    if (f->count == FILTERS_MAX)
        return err_set(err, -E2BIG, "more than %d profiles", NODE_PROFILES_MAX);
    int fd = compile(c, name, err);
    if (fd < 0)
        return fd;
    struct filter_row *row = &f->at[f->count++];
    snprintf(row->name, sizeof row->name, "%s", name);
    row->fd = fd;
    return 0;
}

/* "docker.json" -> "docker"; false: not a profile's name. */
static bool name_of(const char *file, char name[FILTER_NAME_MAX + 1])
{
    size_t len = strlen(file), suffix = strlen(SUFFIX);
    if (len <= suffix || len - suffix > FILTER_NAME_MAX || strcmp(file + len - suffix, SUFFIX) != 0)
        return false;
    snprintf(name, FILTER_NAME_MAX + 1, "%.*s", (int)(len - suffix), file);
    return seccomp_name_is_valid(name);
}

static int add_file(struct filters *f, struct compiling *c, int dir, const char *file, struct err *err)
{
    char name[FILTER_NAME_MAX + 1];
    struct stat st;
    if (!name_of(file, name))
        return err_set(err, -EINVAL, "profile '%s': a profile's file is NAME.json, NAME of a-z, 0-9 and '-'", file);
    if (filters_find(f, name) >= 0)
        return err_set(err, -EEXIST, "profile '%s': that name is taken", name);
    CLEANUP(close_p) int in = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (in < 0 || fstat(in, &st) < 0)
        return err_set(err, -errno, "profile '%s': %s", name, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(err, -EPERM, "profile '%s': not a file that only root may write", name);
    c->in = in;
    return add(f, c, name, err);
}

static int add_folder(struct filters *f, struct compiling *c, const char *path, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int rc = err_set(err, -errno, "profiles '%s': %s", path, strerror(errno));
        close_p(&fd);
        return rc;
    }
    int rc = 0;
    if (fstat(fd, &st) < 0 || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        rc = err_set(err, -EPERM, "profiles '%s': not a folder that only root may write", path);
    c->builtin = NULL;
    for (struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] != '.')
            rc = add_file(f, c, fd, e->d_name, err);
    }
    closedir(dir);
    return rc;
}

int filters_open(struct filters *f, const struct filters_options *o, struct err *err)
{
    *f = (struct filters){0};
    CLEANUP(close_p) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return err_set(err, -errno, "/dev/null: %s", strerror(errno));
    struct compiling c = {.program = o->program, .in = null, .user = o->user};
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(builtins) && rc == 0; i++) {
        c.builtin = builtins[i];
        rc = add(f, &c, builtins[i], err);
    }
    if (rc == 0 && o->dir != NULL)
        rc = add_folder(f, &c, o->dir, err);
    if (rc < 0)
        filters_close(f);
    return rc;
}
