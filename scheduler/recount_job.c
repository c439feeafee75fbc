#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "scheduler/recount.h"

enum { REPLY_MAX = 1 << 20, NICE = 10, LOW_FDS = 3 };

/*
 * The child writes one byte, 'r' and the encoded reply or 'e' and a sentence, and ends. The pipe's end is the event.
 */
struct recount_job {
    pid_t pid;
    int pipe;
    struct watch *watch;
    struct buf text;
    void (*on_done)(void *arg, const struct verify_reply *reply, const struct err *why);
    void *arg;
};

/* The child keeps the folders and the pipe and nothing else: not the lock, so that a dead parent's successor can
 * start. Three steps, for the descriptors may lie where others shall be. */
static bool fds_keep(struct recount_call *c, int *out)
{
    int high[LOW_FDS] = {-1, -1, -1}, from[LOW_FDS] = {*out, c->folder, c->archive};
    for (int i = 0; i < LOW_FDS; i++)
        if (from[i] >= 0 && (high[i] = fcntl(from[i], F_DUPFD, 3 + LOW_FDS)) < 0)
            return false;
    for (int i = 0; i < LOW_FDS; i++)
        if (high[i] >= 0 && dup2(high[i], 3 + i) < 0)
            return false;
    *out = 3;
    c->folder = 4;
    c->archive = c->archive >= 0 ? 5 : -1;
    return syscall(SYS_close_range, c->archive >= 0 ? 6u : 5u, ~0u, 0u) == 0;
}

_Noreturn static void child_run(struct recount_call call, int out, pid_t parent)
{
    struct verify_reply reply = {0};
    struct err err = {0};
    struct buf bytes = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL); /* the parent's handlers are the parent's */
    signal(SIGINT, SIG_DFL);
    if (getppid() != parent || !fds_keep(&call, &out))
        _exit(1);
    setpriority(PRIO_PROCESS, 0, NICE);
    if (recount_run(&call, &reply, &err) == 0) {
        buf_add_str(&bytes, "r");
        fields_encode(&verify_reply_fields, &reply, &bytes);
    } else {
        buf_addf(&bytes, "e%s", err_text(&err));
    }
    _exit(!bytes.failed && fd_write_all(out, bytes.data, bytes.len) == 0 ? 0 : 1);
}

static void job_done(struct recount_job *j)
{
    struct verify_reply reply = {0};
    struct err err = {0};
    int rc = -EIO;
    watch_free(TAKE_PTR(j->watch));
    waitpid(j->pid, NULL, 0); /* it has closed the pipe as its last act, or is dead */
    j->pid = -1;
    if (j->text.len > 0 && j->text.data[0] == 'r')
        rc = fields_decode(&verify_reply_fields, j->text.data + 1, j->text.len - 1, &reply, &err);
    else
        err_set(&err, rc, "%s", j->text.len > 1 ? j->text.data + 1 : "the recount ended without an answer");
    j->on_done(j->arg, rc == 0 ? &reply : NULL, rc == 0 ? NULL : &err);
    fields_clear(&verify_reply_fields, &reply);
}

static void on_pipe(void *arg, int what)
{
    (void)what;
    struct recount_job *j = arg;
    char bytes[4096];
    ssize_t n = read(j->pipe, bytes, sizeof bytes);
    if (n > 0 && j->text.len < REPLY_MAX)
        buf_add(&j->text, bytes, (size_t)n);
    else if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        job_done(j);
}

int recount_begin(struct recount_job **ret, struct loop *loop, const struct recount_call *call,
                  void (*on_done)(void *arg, const struct verify_reply *reply, const struct err *why), void *arg,
                  struct err *err)
{
    CLEANUP(close_p) int write_end = -1;
    int ends[2], rc = 0;
    struct recount_job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    *j = (struct recount_job){.pid = -1, .pipe = -1, .on_done = on_done, .arg = arg};
    if (pipe2(ends, O_CLOEXEC) != 0)
        rc = -errno;
    if (rc == 0) {
        j->pipe = ends[0];
        write_end = ends[1];
        pid_t parent = getpid();
        j->pid = fork();
        if (j->pid == 0)
            child_run(*call, write_end, parent);
        rc = j->pid < 0 ? -errno : watch_new(&j->watch, loop, j->pipe, WATCH_READ, on_pipe, j);
    }
    if (rc < 0) {
        recount_job_free(j);
        return err_set(err, rc, "begin the recount: %s", strerror(-rc));
    }
    *ret = j;
    return 0;
}

void recount_job_free(struct recount_job *j)
{
    if (j == NULL)
        return;
    watch_free(j->watch);
    if (j->pid > 0) {
        kill(j->pid, SIGKILL); /* our own child, not yet reaped: the pid is still its */
        waitpid(j->pid, NULL, 0);
    }
    close_p(&j->pipe);
    buf_fini(&j->text);
    free(j);
}
