#include "scheduler/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/numbered.h"

enum { FLUSH_BYTES = 1 << 20 };

static void put_int(struct buf *out, uint64_t v, size_t bytes)
{
    uint8_t b[8];
    for (size_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    buf_add(out, b, bytes);
}

/* ---- writing ---- */
struct writer {
    int fd;
    struct buf out, fact;
    uint8_t chain[SHA256_BYTES];
    uint64_t count;
};

static int writer_flush(struct writer *w)
{
    if (w->out.failed || w->fact.failed)
        return -ENOMEM;
    int rc = fd_write_all(w->fd, w->out.data, w->out.len);
    buf_reset(&w->out);
    return rc;
}

static void head_put(struct writer *w, const struct snapshot_head *h)
{
    size_t cell_len = strlen(h->cell);
    buf_add(&w->out, SNAPSHOT_MAGIC, sizeof SNAPSHOT_MAGIC - 1);
    put_int(&w->out, SNAPSHOT_VERSION, 4);
    put_int(&w->out, cell_len, 4);
    buf_add(&w->out, h->cell, cell_len);
    put_int(&w->out, h->point.seq, 8);
    buf_add(&w->out, h->point.chain, SHA256_BYTES);
    put_int(&w->out, h->term, 8);
    put_int(&w->out, (uint64_t)h->at_utc_us, 8);
    if (w->out.failed)
        return;
    sha256(&(struct sha256_part){w->out.data, w->out.len}, 1, w->chain);
    buf_add(&w->out, w->chain, SHA256_BYTES);
}

static int fact_put(void *arg, const struct fact *fact)
{
    struct writer *w = arg;
    buf_reset(&w->fact);
    fact_encode(fact, &w->fact);
    if (w->fact.failed || w->fact.len > SNAPSHOT_FACT_MAX)
        return -EFBIG;
    size_t begin = w->out.len;
    put_int(&w->out, w->fact.len, 4);
    buf_add(&w->out, w->fact.data, w->fact.len);
    if (w->out.failed)
        return -ENOMEM;
    sha256((struct sha256_part[]){{w->chain, SHA256_BYTES}, {w->out.data + begin, w->out.len - begin}}, 2, w->chain);
    w->count++;
    return w->out.len < FLUSH_BYTES ? 0 : writer_flush(w);
}

static int body_write(struct writer *w, const struct snapshot_head *head, const struct core *core)
{
    head_put(w, head);
    int rc = core_snapshot(core, fact_put, w);
    if (rc < 0)
        return rc;
    put_int(&w->out, 0, 4);
    put_int(&w->out, w->count, 8);
    buf_add(&w->out, w->chain, SHA256_BYTES);
    rc = writer_flush(w);
    return rc == 0 && fsync(w->fd) != 0 ? -errno : rc;
}

int snapshot_write(int folder, const struct snapshot_head *head, const struct core *core, struct err *err)
{
    char name[NUMBERED_NAME_MAX], tmp[NUMBERED_NAME_MAX + 4];
    numbered_name(SNAPSHOT_PREFIX, head->point.seq, name);
    snprintf(tmp, sizeof tmp, "%s.tmp", name);
    struct writer w = {.fd = openat(folder, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    int rc = w.fd < 0 ? -errno : body_write(&w, head, core);
    close_p(&w.fd);
    buf_fini(&w.out);
    buf_fini(&w.fact);
    if (rc == 0 && (renameat(folder, tmp, folder, name) != 0 || fsync(folder) != 0))
        rc = -errno;
    if (rc == 0)
        return 0;
    unlinkat(folder, tmp, 0);
    return err_set(err, rc, "write '%s': %s", name, strerror(-rc));
}

/* The file's own time; of one that can't be asked: long hence, so that nothing begins there. */
static int64_t written_s(int folder, uint64_t seq)
{
    char name[NUMBERED_NAME_MAX];
    struct stat st;
    return fstatat(folder, numbered_name(SNAPSHOT_PREFIX, seq, name), &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtime
                                                                                                     : INT64_MAX / 4;
}

static void forget(int folder, uint64_t seq)
{
    char name[NUMBERED_NAME_MAX];
    unlinkat(folder, numbered_name(SNAPSHOT_PREFIX, seq, name), 0);
}

uint64_t snapshot_prune(int folder, uint64_t upto, int64_t age_s)
{
    uint64_t *seqs = NULL;
    size_t count = 0, past = 0, base = 0;
    int64_t now_s = clock_utc_us() / 1000000, kept_s = INT64_MIN / 2;
    if (snapshot_list(folder, &seqs, &count, NULL) < 0)
        return 0;
    for (; past < count && seqs[past] <= upto; past++)
        if (written_s(folder, seqs[past]) <= now_s - age_s)
            base = past + 1;
    for (size_t i = 0; i + 1 < past; i++) {
        int64_t at_s = written_s(folder, seqs[i]);
        bool stays = i + 1 >= base && (i + 1 == base || at_s - kept_s >= age_s / 24);
        if (!stays)
            forget(folder, seqs[i]);
        else
            kept_s = at_s;
    }
    uint64_t seq = base == 0 ? 0 : seqs[base - 1];
    free(seqs);
    return seq;
}

/* ---- in the background ---- */
struct snapshot_job {
    pid_t pid;
    int pidfd;
    struct watch *watch;
    void (*on_done)(void *arg, bool ok);
    void *arg;
};

/* The child keeps nothing but the folder: not the lock, so that a dead parent's successor can start. */
_Noreturn static void child_write(int folder, const struct snapshot_head *head, const struct core *core, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int kept = dup2(folder, 3);
    if (kept < 0 || syscall(SYS_close_range, 4u, ~0u, 0u) != 0)
        _exit(1);
    _exit(snapshot_write(kept, head, core, NULL) == 0 ? 0 : 1);
}

static void on_child(void *arg, int what)
{
    (void)what;
    struct snapshot_job *s = arg;
    int status = 0;
    pid_t got = waitpid(s->pid, &status, WNOHANG);
    if (got == 0)
        return;
    s->pid = -1;
    watch_free(TAKE_PTR(s->watch));
    s->on_done(s->arg, got > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int snapshot_begin(struct snapshot_job **ret, struct loop *loop, int folder, const struct snapshot_head *head,
                   const struct core *core, void (*on_done)(void *arg, bool ok), void *arg, struct err *err)
{
    struct snapshot_job *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    *s = (struct snapshot_job){.pidfd = -1, .on_done = on_done, .arg = arg};
    pid_t parent = getpid();
    s->pid = fork();
    if (s->pid == 0)
        child_write(folder, head, core, parent);
    int rc = s->pid < 0 ? -errno : 0;
    if (rc == 0 && (s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0)) < 0)
        rc = -errno;
    if (rc == 0)
        rc = watch_new(&s->watch, loop, s->pidfd, WATCH_READ, on_child, s);
    if (rc < 0) {
        snapshot_job_free(s);
        return err_set(err, rc, "start the snapshot: %s", strerror(-rc));
    }
    *ret = s;
    return 0;
}

void snapshot_job_free(struct snapshot_job *s)
{
    if (s == NULL)
        return;
    watch_free(s->watch);
    if (s->pid > 0) {
        kill(s->pid, SIGKILL); /* our own child, not yet reaped: the pid is still its */
        waitpid(s->pid, NULL, 0);
    }
    close_p(&s->pidfd);
    free(s);
}
