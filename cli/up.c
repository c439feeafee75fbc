/*
 * up, down - a complete single-node system in one folder: private redis, reeved,
 * warden (with agent and zygote), reportd.
 *
 * `up` is the supervisor: it stays, restarts what dies, and takes everything down on Ctrl-C, SIGTERM or `down`.
 * DIR/up.lock is locked as long as it lives; that lock is how `down` knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "cli/commands.h"
#include "cli/up_system.h"

#define READY_MS 20000
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000
#define SETTLED_MS 10000

/* ---- running ------------------------------------------------------------------------------------------------- */
static uint64_t now_ms(void)
{
    return clock_boot_us() / 1000;
}

static int start_all(struct system *up, struct err *err)
{
    for (int i = 0; i < SERVICES; i++) {
        struct service *s = &up->services[i];
        if (!system_uses(up, i))
            continue;
        int r = service_start(s, up->dir, err);
        if (r == 0)
            r = service_wait_ready(s, up->dir, READY_MS, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void stop_all(struct system *up)
{
    static const int order[] = {WARDEN, REPORTD, REEVED, REDIS};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        service_stop(&up->services[order[i]], up->dir);
    static const char *const sockets[] = {"reeve.sock", "agent/agent.sock", "report/report.sock", "report/http.sock",
                                          "report/http.port", "redis/redis.sock"};
    for (size_t i = 0; i < COUNT_OF(sockets); i++)
        unlink(sockets[i]);
    rmdir("run");
}

/* After a supervisor that was killed. */
static void stop_leftovers(const struct system *up, uint32_t patience_ms)
{
    static const char *const names[] = {"warden", "reportd", "reeved", "redis"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        service_stop_leftover(names[i], up->dir, patience_ms);
}

static struct service *service_of(struct system *up, pid_t pid)
{
    for (int i = 0; i < SERVICES; i++)
        if (up->services[i].pid == pid)
            return &up->services[i];
    return NULL;
}

static void note_end(struct service *s, int status)
{
    bool settled = now_ms() - s->started_ms >= SETTLED_MS;
    s->pause_ms = settled || s->pause_ms == 0 ? PAUSE_FIRST_MS : MIN(s->pause_ms * 2, (uint64_t)PAUSE_MAX_MS);
    s->restart_at_ms = now_ms() + s->pause_ms;
    s->pid = 0;
    close_p(&s->pidfd);
    s->restarts++;
    char why[64];
    if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(why, sizeof why, "exited with %d", WEXITSTATUS(status));
    fprintf(stderr, "%s %s; starting it again in %" PRIu64 " ms (log/%s.log)\n", s->name, why, s->pause_ms, s->name);
}

/* Also what was left to us as subreaper: keepers whose warden was killed. Not every machine's init collects them. */
static void reap(struct system *up)
{
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct service *s = service_of(up, pid);
        if (s != NULL)
            note_end(s, status);
    }
}

/* Milliseconds until the next restart is due; -1 = none. */
static int restart_due(struct system *up)
{
    int wait = -1;
    for (int i = 0; i < SERVICES; i++) {
        struct service *s = &up->services[i];
        if (!system_uses(up, i) || s->pid != 0)
            continue;
        struct err err = {0};
        uint64_t now = now_ms();
        if (now >= s->restart_at_ms && service_start(s, up->dir, &err) < 0) {
            fprintf(stderr, "%s: %s\n", s->name, err_text(&err));
            s->restart_at_ms = now + PAUSE_MAX_MS;
        }
        if (s->pid == 0) {
            int left = (int)(s->restart_at_ms > now ? s->restart_at_ms - now : 0);
            wait = wait < 0 || left < wait ? left : wait;
        }
    }
    return wait;
}

static void supervise(struct system *up)
{
    for (;;) {
        reap(up);
        int wait = restart_due(up);
        struct pollfd asked = {.fd = up->signals, .events = POLLIN};
        if (poll(&asked, 1, wait) <= 0)
            continue;
        struct signalfd_siginfo info;
        while (read(up->signals, &info, sizeof info) == (ssize_t)sizeof info)
            if (info.ssi_signo != SIGCHLD)
                return;
    }
}

static void read_line(const char *path, char *out, size_t size)
{
    struct buf text = {0};
    out[0] = '\0';
    if (file_read(path, size - 1, &text, NULL) == 0)
        snprintf(out, size, "%.*s", (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
    buf_fini(&text);
}

static void say_where(const struct system *up)
{
    printf("reeve is up in %s\n", up->dir);
    printf("  clients    %s/reeve.sock      REEVE_SOCKET=%s/reeve.sock or --dir %s\n", up->dir, up->dir, up->dir);
    printf("  reports    %s/report/http.sock\n", up->dir);
    if (up->http_port != UINT32_MAX) {
        char port[16];
        read_line("report/http.port", port, sizeof port);
        printf("  page       http://127.0.0.1:%s/   (user: reeve, password: the text in %s/report/token)\n", port,
               up->dir);
    }
    printf("  logs       %s/log/\n", up->dir);
    printf(up->detach ? "stop it with: reeve down --dir %s\n" : "Ctrl-C stops it, or: reeve down --dir %s\n", up->dir);
    fflush(stdout);
}

/* ---- options ----------------------------------------------------------------------------------------------------- */
#define AT(member) offsetof(struct system, member)
static const struct option_row up_rows[] = {
    {.name = "http-port", .kind = OPTION_U32, .value = "N", .offset = AT(http_port), .max = 65535,
     .help = "the reports and their page on 127.0.0.1, too; 0 lets the kernel choose"},
    {.name = "redis", .kind = OPTION_TEXT, .value = "URL", .offset = AT(redis_url),
     .help = "a store that runs already (default: a private one)"},
    {.name = "slice", .kind = OPTION_TEXT, .value = "DURATION", .offset = AT(slice),
     .help = "hold money for so much run time at a time (default 15m)"},
    {.name = "pause-max", .kind = OPTION_TEXT, .value = "DURATION", .offset = AT(pause_max),
     .help = "stop what has been paused for want of money for longer (default 24h)"},
    {.name = "detach", .kind = OPTION_FLAG, .offset = AT(detach),
     .help = "return when everything answers, and leave it running"},
};
const struct option_set up_options = {
    .rows = up_rows, .count = COUNT_OF(up_rows), .also = &node_options, .also_at = AT(node)};
const struct option_set down_options = {0};

/* -1: the person was told. */
static int parse_options(struct system *up, struct cli *cli, const struct option_set *set, int argc, char **argv)
{
    struct words words = {0};
    if (cli_options(cli, set, up, argc, argv, &words, 0, 0) < 0)
        return -1;
    free(words.v);
    const char *dir = cli->dir != NULL ? cli->dir : getenv("REEVE_DIR");
    if (dir == NULL || dir[0] == '\0' || strlen(dir) >= sizeof up->dir) {
        cli_usage(cli, "--dir DIR is needed: where the system keeps its files");
        return -1;
    }
    snprintf(up->dir, sizeof up->dir, "%s", dir);
    return 0;
}

/* Makes DIR, goes there, and takes the lock that says this system is ours. */
static int enter(struct system *up, bool create, struct err *err)
{
    char real[4096];
    if (create) {
        int r = dir_make(up->dir, 0755, err);
        if (r < 0)
            return r;
    }
    if (realpath(up->dir, real) == NULL || chdir(real) < 0)
        return err_set(err, -errno, "folder '%s': %s", up->dir, strerror(errno));
    memcpy(up->dir, real, sizeof real);
    up->lock = open("up.lock", O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
    if (up->lock < 0)
        return err_set(err, -errno, "no system in '%s': %s", up->dir, strerror(errno));
    return 0;
}

static int lock_owner(int lock)
{
    char text[32] = "";
    ssize_t n = pread(lock, text, sizeof text - 1, 0);
    return n > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static int take_lock(struct system *up, struct err *err)
{
    if (flock(up->lock, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, -EBUSY, "a system is running in '%s' already (pid %d); stop it with: reeve down --dir %s",
                       up->dir, lock_owner(up->lock), up->dir);
    return 0;
}

static int write_owner(struct system *up, struct err *err)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(up->lock, 0) < 0 || pwrite(up->lock, text, (size_t)n, 0) != n)
        return err_set(err, -EIO, "write '%s/up.lock': %s", up->dir, strerror(errno));
    return 0;
}

static void catch_signals(struct system *up)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    up->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run(struct system *up, int tell, struct err *err)
{
    int r = write_owner(up, err);
    if (r == 0)
        r = system_make_folders(err);
    if (r < 0)
        return r;
    stop_leftovers(up, 10000);
    r = system_describe(up, err);
    if (r < 0)
        return r;
    catch_signals(up);
    r = start_all(up, err);
    if (r == 0) {
        say_where(up);
        if (tell >= 0) {
            if (write(tell, "u", 1) != 1)
                r = -EPIPE;
            close(tell);
            int null = open("/dev/null", O_RDWR | O_CLOEXEC);
            int log = open("log/up.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
            dup2(null, 0);
            dup2(null, 1);
            dup2(log >= 0 ? log : null, 2);
        }
        supervise(up);
    }
    stop_all(up);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    for (int i = 0; i < SERVICES; i++)
        service_fini(&up->services[i]);
    return r;
}

/* The parent of a detached system waits for its word and leaves. */
static int wait_for_word(pid_t child, int hear)
{
    char word = 0;
    if (read(hear, &word, 1) == 1)
        return 0;
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

static int start(struct system *up)
{
    struct err err = {0};
    if (geteuid() != 0) {
        fprintf(stderr, "reeve up: needs root, because it confines jobs with cgroups, namespaces and mounts\n");
        return 1;
    }
    if (enter(up, true, &err) < 0 || take_lock(up, &err) < 0)
        goto failed;
    int tell = -1;
    if (up->detach) {
        int pipe_fds[2];
        pid_t child = pipe2(pipe_fds, O_CLOEXEC) == 0 ? fork() : -1;
        if (child < 0) {
            (void)err_set(&err, -errno, "leave it running: %s", strerror(errno));
            goto failed;
        }
        if (child > 0) {
            close(pipe_fds[1]);
            return wait_for_word(child, pipe_fds[0]);
        }
        setsid();
        close(pipe_fds[0]);
        tell = pipe_fds[1];
    }
    if (run(up, tell, &err) == 0)
        return 0;
failed:
    fprintf(stderr, "reeve up: %s\n", err_text(&err));
    return 1;
}

int cmd_up(struct cli *cli, int argc, char **argv)
{
    struct system up = {.lock = -1, .signals = -1, .http_port = UINT32_MAX};
    int code = parse_options(&up, cli, &up_options, argc, argv) < 0 ? CLI_USAGE : start(&up);
    node_options_fini(&up.node);
    return code;
}

int cmd_down(struct cli *cli, int argc, char **argv)
{
    struct system up = {.lock = -1, .signals = -1};
    struct err err = {0};
    if (parse_options(&up, cli, &down_options, argc, argv) < 0)
        return CLI_USAGE;
    if (enter(&up, false, &err) < 0) {
        fprintf(stderr, "reeve down: %s\n", err_text(&err));
        return 1;
    }
    if (flock(up.lock, LOCK_EX | LOCK_NB) == 0) {
        stop_leftovers(&up, 20000);
        printf("nothing is running in %s\n", up.dir);
        return 0;
    }
    int owner = lock_owner(up.lock);
    CLEANUP(close_p) int pidfd = owner > 1 ? pidfd_open(owner, 0) : -1;
    if (pidfd < 0 || pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0) {
        fprintf(stderr, "reeve down: stop pid %d: %s\n", owner, strerror(errno));
        return 1;
    }
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    if (poll(&gone, 1, 60000) <= 0) {
        fprintf(stderr, "reeve down: pid %d is still stopping after 60 s; see %s/log/\n", owner, up.dir);
        return 1;
    }
    printf("reeve is down in %s\n", up.dir);
    return 0;
}
