#include "cli/confine_inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/parse.h"

#define LOOK_AGAIN_MS 1
#define FILTER_INSNS_MOST 4096

static ssize_t read_text(const char *path, char *out, size_t size)
{
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -errno : fd_read_full(fd, out, size - 1);
    out[MAX(n, 0)] = '\0';
    while (n > 0 && out[n - 1] == '\n')
        out[--n] = '\0';
    return n;
}

const char *inspect_file(pid_t pid, const char *name, char out[INSPECT_TEXT_MAX])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    (void)!read_text(path, out, INSPECT_TEXT_MAX);
    return out;
}

const char *inspect_link(pid_t pid, const char *name, char out[256])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    ssize_t n = readlink(path, out, 255);
    out[MAX(n, 0)] = '\0';
    return out;
}

const char *inspect_value(pid_t pid, const char *name, const char *key, char out[256])
{
    char text[INSPECT_TEXT_MAX];
    size_t len = strlen(key), n = 0;
    const char *at = inspect_file(pid, name, text);
    while (*at != '\0' && strncmp(at, key, len) != 0) { /* the next line */
        at += strcspn(at, "\n");
        at += *at != '\0';
    }
    at += *at != '\0' ? len : 0;
    at += strspn(at, ": \t");
    for (; *at != '\0' && *at != '\n' && n < 255; at++) {
        bool space = *at == ' ' || *at == '\t';
        if (!space)
            out[n++] = *at;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    out[n > 0 && out[n - 1] == ' ' ? n - 1 : n] = '\0';
    return out;
}

/* Fields 2 to 4 of /proc/PID/stat; the name may hold anything, so the last ')' ends it. */
static bool read_stat(pid_t pid, char name[64], char *ret_state, pid_t *ret_parent)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof text) <= 0)
        return false;
    char *open_at = strchr(text, '('), *close_at = strrchr(text, ')');
    if (open_at == NULL || close_at == NULL || strlen(close_at) < 5)
        return false;
    snprintf(name, 64, "%.*s", (int)(close_at - open_at - 1), open_at + 1);
    *ret_state = close_at[2];
    *ret_parent = (pid_t)strtol(close_at + 4, NULL, 10);
    return true;
}

char inspect_state(pid_t pid)
{
    char name[64], state = '\0';
    pid_t parent;
    return read_stat(pid, name, &state, &parent) ? state : '\0';
}

pid_t inspect_child(pid_t parent, const char *name)
{
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *entry; proc != NULL && found == 0 && (entry = readdir(proc)) != NULL;) {
        char its_name[64], state;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), its_parent;
        if (pid > 0 && read_stat(pid, its_name, &state, &its_parent) && its_parent == parent &&
            (name == NULL || strcmp(name, its_name) == 0))
            found = pid;
    }
    if (proc != NULL)
        closedir(proc);
    return found;
}

int inspect_wait_stopped(pid_t pid, int timeout_ms)
{
    for (int waited = 0; waited <= timeout_ms; waited += LOOK_AGAIN_MS) {
        char state = inspect_state(pid);
        if (state == '\0' || state == 'Z')
            return -ESRCH;
        if (state == 'T')
            return 0;
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
    return -ETIMEDOUT;
}

static _Noreturn void tell_from_inside(pid_t pid, const char *path, int to)
{
    char text[256];
    int pidfd = pidfd_open(pid, 0);
    int all = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP;
    if (pidfd >= 0 && setns(pidfd, all) == 0) { /* lint: allow in a child, which reads one file and ends */
        ssize_t n = read_text(path, text, sizeof text);
        (void)!write(to, text, (size_t)MAX(n, 0));
    }
    _exit(0);
}

const char *inspect_inside(pid_t pid, const char *path, char out[256])
{
    int ends[2];
    out[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return out;
    pid_t child = fork();
    if (child == 0)
        tell_from_inside(pid, path, ends[1]);
    close_p(&ends[1]);
    ssize_t n = child > 0 ? fd_read_full(ends[0], out, 255) : 0;
    out[MAX(n, 0)] = '\0';
    close_p(&ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return out;
}

int inspect_filter(pid_t pid, unsigned index, struct buf *out)
{
    struct sock_filter insns[FILTER_INSNS_MOST];
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
        return -errno;
    int status;
    long count = ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) < 0
                     ? -1
                     : ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)(uintptr_t)index, NULL);
    if (count > FILTER_INSNS_MOST)
        count = -1, errno = EFBIG;
    if (count > 0)
        count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)(uintptr_t)index, insns);
    int rc = count < 0 ? (errno == ENOENT ? 0 : -errno) : (int)count;
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    if (rc > 0)
        buf_add(out, insns, (size_t)rc * sizeof insns[0]);
    return rc;
}
