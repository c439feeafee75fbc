#include "agent/profiles.h"

#include <errno.h>
#include <fcntl.h>
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
#include "base/io/log.h"
#include "base/sha256.h"

#define PART_NAME "profile.part"

/* One process: from a text to a filter, or from a trace to a profile. */
struct run {
    struct profiles *all;
    bool used;
    pid_t pid;
    int pidfd, out, said;
    struct watch *watch;
    struct timer *timer;
    uint8_t hash[SHA256_BYTES];
    profile_fn fn; /* NULL: a trace, in `dir` */
    void *owner;
    uint64_t token;
    int dir;
};

struct kept {
    uint8_t hash[SHA256_BYTES];
    int fd; /* -1: free */
};

struct profiles {
    struct loop *loop;
    int program;
    void (*on_profile)(void *arg);
    void *arg;
    struct run runs[PROFILE_RUNS_MAX];
    struct kept kept[PROFILE_CACHE_MAX];
    size_t next_kept;
};

/* --- one process ----------------------------------------------------------------- */

static void run_clear(struct run *r)
{
    if (r->watch != NULL)
        watch_free(TAKE_PTR(r->watch));
    if (r->timer != NULL)
        timer_free(TAKE_PTR(r->timer));
    close_p(&r->pidfd);
    close_p(&r->out);
    close_p(&r->said);
    close_p(&r->dir);
    r->used = false;
}

/* Until it execs or ends the child has this process's memory: nothing but system calls. */
static pid_t spawn(int program, const int fds[3], const char *option)
{
    static char name[] = "reeve-seccomp";
    char *argv[] = {name, (char *)(uintptr_t)option, NULL};
    static char *envp[] = {NULL};
    pid_t pid = vfork();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        syscall(SYS_dup3, fds[i], i, 0);
    syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    _exit(127);
}

static void on_end(void *arg, int what);

static void on_late(void *arg)
{
    struct run *r = arg;
    kill(r->pid, SIGKILL); /* ours and not yet waited for: the number is its */
}

/* Starts it in `r`, which has `out`; `in` stays the caller's. */
static int run_start(struct run *r, int in, const char *option)
{
    r->said = memfd_create("said", MFD_CLOEXEC);
    const int fds[3] = {in, r->out, r->said};
    r->pid = r->said < 0 ? -errno : spawn(r->all->program, fds, option);
    if (r->pid < 0)
        return r->pid;
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    int rc = r->pidfd < 0 ? -errno : watch_new(&r->watch, r->all->loop, r->pidfd, WATCH_READ, on_end, r);
    rc = rc < 0 ? rc : timer_new(&r->timer, r->all->loop, on_late, r);
    if (rc == 0) {
        timer_set_ms(r->timer, PROFILE_MS);
        return 0;
    }
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    return rc;
}

static struct run *free_run(struct profiles *p)
{
    for (size_t i = 0; i < PROFILE_RUNS_MAX; i++) {
        if (!p->runs[i].used) {
            p->runs[i] = (struct run){.all = p, .used = true, .pidfd = -1, .out = -1, .said = -1, .dir = -1};
            return &p->runs[i];
        }
    }
    return NULL;
}

/* --- how it ended ----------------------------------------------------------------- */

static void keep(struct profiles *p, const struct run *r)
{
    struct kept *k = &p->kept[p->next_kept++ % PROFILE_CACHE_MAX];
    close_p(&k->fd);
    memcpy(k->hash, r->hash, sizeof k->hash);
    k->fd = fcntl(r->out, F_DUPFD_CLOEXEC, 0);
}

static void end_compiling(struct run *r, int status)
{
    char why[ERR_TEXT_MAX];
    ssize_t n = pread(r->said, why, sizeof why - 1, 0);
    why[n > 0 ? n : 0] = '\0';
    why[strcspn(why, "\n")] = '\0';
    profile_fn fn = r->fn;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
        fcntl(r->out, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        keep(r->all, r);
        fn(r->owner, r->token, r->out, NULL);
    } else if (WIFSIGNALED(status)) {
        fn(r->owner, r->token, -EINVAL, "compiling the profile takes too much time or memory");
    } else if (WEXITSTATUS(status) == 1) {
        fn(r->owner, r->token, -EINVAL, why);
    } else {
        fn(r->owner, r->token, -ENOEXEC, "the profiles' compiler did not start");
    }
}

static void end_trace(struct run *r, int status)
{
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good)
        log_line(LOG_WARN, "trace.failed", "status=%#x", (unsigned)status);
    if (renameat(r->dir, PART_NAME, r->dir, "profile") < 0) /* failed: cut, but there; nobody waits for ever */
        log_line(LOG_WARN, "trace.failed", "error=%s", log_quote(strerror(errno)));
    if (r->all->on_profile != NULL)
        r->all->on_profile(r->all->arg);
}

static void on_end(void *arg, int what)
{
    (void)what;
    struct run *r = arg;
    int status;
    if (waitpid(r->pid, &status, WNOHANG) != r->pid)
        return;
    struct run done = *r; /* whoever is told may start the next */
    *r = (struct run){.all = done.all};
    if (done.fn != NULL)
        end_compiling(&done, status);
    else
        end_trace(&done, status);
    run_clear(&done);
}

/* --- what is asked ----------------------------------------------------------------- */

static const struct kept *find_kept(const struct profiles *p, const uint8_t hash[SHA256_BYTES])
{
    for (size_t i = 0; i < PROFILE_CACHE_MAX; i++) {
        if (p->kept[i].fd >= 0 && memcmp(p->kept[i].hash, hash, SHA256_BYTES) == 0)
            return &p->kept[i];
    }
    return NULL;
}

int profiles_compile(struct profiles *p, const char *text, profile_fn fn, void *owner, uint64_t token)
{
    const struct sha256_part part = {text, strlen(text)};
    uint8_t hash[SHA256_BYTES];
    sha256(&part, 1, hash);
    const struct kept *known = find_kept(p, hash);
    if (known != NULL) {
        fn(owner, token, known->fd, NULL);
        return 0;
    }
    struct run *r = free_run(p);
    if (r == NULL)
        return -EBUSY;
    r->fn = fn;
    r->owner = owner;
    r->token = token;
    memcpy(r->hash, hash, sizeof r->hash);
    CLEANUP(close_p) int in = memfd_sealed("profile", text, part.len);
    r->out = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int rc = in < 0 ? in : r->out < 0 ? -errno : run_start(r, in, NULL);
    if (rc < 0)
        run_clear(r);
    return rc;
}

void profiles_from_trace(struct profiles *p, int dir)
{
    CLEANUP(close_p) int in = openat(dir, "trace", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || faccessat(dir, "profile", F_OK, 0) == 0)
        return;
    struct run *r = free_run(p);
    int rc = r == NULL ? -EBUSY : 0;
    if (r != NULL) {
        r->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
        r->out = openat(dir, PART_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        rc = r->dir < 0 || r->out < 0 ? -errno : run_start(r, in, "--from-trace");
    }
    if (rc < 0)
        log_line(LOG_WARN, "trace.failed", "error=%s", log_quote(strerror(-rc)));
    if (rc < 0 && r != NULL)
        run_clear(r);
}

int profiles_new(struct profiles **ret, struct loop *l, int program, void (*on_profile)(void *arg), void *arg,
                 struct err *err)
{
    struct profiles *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    p->loop = l;
    p->program = program;
    p->on_profile = on_profile;
    p->arg = arg;
    for (size_t i = 0; i < PROFILE_CACHE_MAX; i++)
        p->kept[i].fd = -1;
    *ret = p;
    return 0;
}

void profiles_free(struct profiles *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < PROFILE_RUNS_MAX; i++) {
        struct run *r = &p->runs[i];
        if (!r->used)
            continue;
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
        run_clear(r);
    }
    for (size_t i = 0; i < PROFILE_CACHE_MAX; i++)
        close_p(&p->kept[i].fd);
    free(p);
}
