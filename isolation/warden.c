#include "isolation/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/landlock.h"
#include "isolation/own_filter.h"
#include "isolation/subids.h"

#define STOP_TIME_US UINT64_C(10000000)

static struct warden warden;

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t warden_now_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t warden_boot_us(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

/* --- start ------------------------------------------------------------------------------------------------------- */

static bool has_cap(int cap)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{0}};
    return syscall(SYS_capget, &header, sets) == 0 && (sets[cap / 32].effective >> cap % 32 & 1) != 0;
}

/* What an earlier life left: whole groups are attempts, running or ended, which the agent will ask for. Half of one is
 * a launch that was cut off. */
static void adopt(void *context, const char *group)
{
    struct warden *w = context;
    struct attempt_id id;
    uint32_t slot;
    if (!attempt_group_parse(group, &id, &slot) || attempts_find(&w->attempts, id) != NULL)
        return;
    struct attempt *attempt = attempts_adopt(&w->attempts, group);
    if (attempt != NULL) {
        cg_recall(&w->cg, group, &attempt->cpus, &attempt->guarantee);
        w->cg.guaranteed += attempt->guarantee;
    }
    if (attempt == NULL)
        log_line(LOG_ERROR, "adopt.refused", "group=%s", group);
    else if (!cg_is_whole(&w->cg, group))
        warden_remove(w, attempt, &(struct op_reply){0}, 0);
    else
        log_line(LOG_INFO, "adopt", "group=%s running=%d", group, !cg_is_empty(&w->cg, group, -1));
}

static int open_signals(struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        sigaddset(&set, taken[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_set(err, -errno, "signalfd: %s", strerror(errno)) : fd;
}

/* What is mounted for jobs is nobody else's to see, and goes with us; what the host mounts later still comes in. */
static int open_mounts(struct warden *w, struct err *err)
{
    const struct warden_options *o = &w->options;
    bool any = o->images != NULL || o->volumes.count > 0;
    if (any && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0))
        return err_set(err, -errno, "own mount namespace: %s", strerror(errno));
    int rc = images_open(&w->images, o->images, err);
    for (int i = 0; rc == 0 && i < o->volumes.count; i++)
        rc = volumes_add(&w->volumes, o->volumes.text[i], err);
    return rc < 0 ? rc : network_open(&w->network, o->private_net, err);
}

static int check_ids(const struct warden *w, struct err *err)
{
    uint64_t count = (uint64_t)w->attempts.slots * SLOT_IDS;
    int rc = subids_check("/etc/subuid", w->options.uid_base, count, err);
    return rc < 0 ? rc : subids_check("/etc/subgid", w->options.uid_base, count, err);
}

static const struct own_filter *own_filter_of(const struct warden_options *o)
{
    bool alone = o->socket_fd >= 0, roots = o->images != NULL || o->private_net != NULL || o->volumes.count > 0;
    if (roots)
        return alone ? &own_filter_warden_alone_roots : &own_filter_warden_roots;
    return alone ? &own_filter_warden_alone : &own_filter_warden;
}

static int start(struct warden *w, struct err *err)
{
    int rc = warden_preflight(err);
    if (rc < 0)
        return rc;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    rc = open_mounts(w, err); /* before any folder is entered or opened */
    if (rc < 0)
        return rc;
    if (chdir(w->options.dir) < 0)
        return err_set(err, -errno, "--dir '%s': %s", w->options.dir, strerror(errno));
    rc = warden_filters_open(w, err); /* while there is nothing yet that a failure would leave behind */
    if (rc < 0)
        return rc;
    w->signals = open_signals(err);
    rc = w->signals < 0 ? w->signals : cg_open(&w->cg, w->options.cgroup, w->options.at_root, err);
    if (rc < 0)
        return rc;
    w->removals = epoll_create1(EPOLL_CLOEXEC);
    if (w->removals < 0)
        return err_set(err, -errno, "epoll: %s", strerror(errno));
    w->cg.protect = has_cap(CAP_SYS_RESOURCE);
    rc = warden_equip(w, err);
    if (rc < 0)
        return rc;
    w->attempts.slots = MIN((UINT32_MAX - 1 - w->options.uid_base) / SLOT_IDS, ATTEMPTS_MAX);
    rc = check_ids(w, err);
    if (rc < 0)
        return rc;
    cg_list(&w->cg, adopt, w);
    warden_thaw_all(w);
    rc = warden_cpus_share(w, err);
    rc = rc < 0 ? rc : warden_zygote_start(w, err);
    if (rc < 0)
        return rc;
    rc = own_filter_load(own_filter_of(&w->options));
    if (rc < 0)
        return err_set(err, rc, "own system call filter: %s", strerror(-rc));
    return warden_agent_start(w, err);
}

/* --- loop -------------------------------------------------------------------------------------------------------- */

enum { ON_SIGNAL, ON_ZYGOTE, ON_AGENT, ON_REMOVALS, ON_LAUNCHES, ON_COUNT = ON_LAUNCHES + LAUNCHES_MAX };

static void on_zygote(struct warden *w)
{
    struct zygote_reply reply;
    int pidfd = -1;
    size_t count = 1;
    ssize_t n = fd_recv_packet(w->zygote, &reply, sizeof reply, &pidfd, &count);
    if (n == (ssize_t)sizeof reply) {
        launch_on_clone(w, &reply, count == 1 ? pidfd : -1);
        return;
    }
    /* Without it nothing can start; whoever supervises us starts both anew, and the keepers live on. */
    log_line(LOG_ERROR, "zygote.lost", "error=%s", log_quote(n < 0 ? strerror((int)-n) : "it is gone"));
    exit(1);
}

static void begin_stop(struct warden *w)
{
    if (w->stopping)
        return;
    w->stopping = true;
    w->stop_kill_us = warden_now_us() + STOP_TIME_US;
    if (w->agent.pid > 0)
        kill(w->agent.pid, SIGTERM);
}

static void on_agent_exit(struct warden *w, int status)
{
    w->agent.pid = 0;
    if (w->agent.sock >= 0)
        warden_agent_lost(w, "it ended");
    log_line(w->stopping ? LOG_INFO : LOG_WARN, "agent.ended", "exit=%d signal=%d",
             WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void on_signals(struct warden *w)
{
    struct signalfd_siginfo info;
    while (read(w->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGCHLD)
            begin_stop(w);
    }
    int status;
    if (w->agent.pid > 0 && waitpid(w->agent.pid, &status, WNOHANG) == w->agent.pid)
        on_agent_exit(w, status);
}

static uint64_t next_time(const struct warden *w, uint64_t due_us)
{
    uint64_t next = due_us;
    for (int i = 0; i < LAUNCHES_MAX; i++) {
        if (w->launches[i].state != LAUNCH_FREE)
            next = MIN(next, w->launches[i].deadline_us);
    }
    if (w->stopping)
        next = MIN(next, w->stop_kill_us);
    else if (w->agent.sock < 0)
        next = MIN(next, w->agent.restart_us);
    return next;
}

static void wait_events(struct warden *w, struct pollfd at[ON_COUNT], uint64_t due_us)
{
    at[ON_SIGNAL] = (struct pollfd){w->signals, POLLIN, 0};
    at[ON_ZYGOTE] = (struct pollfd){w->zygote, POLLIN, 0};
    at[ON_AGENT] = (struct pollfd){w->agent.sock, POLLIN, 0};
    at[ON_REMOVALS] = (struct pollfd){w->removals, POLLIN, 0};
    for (int i = 0; i < LAUNCHES_MAX; i++)
        at[ON_LAUNCHES + i] =
            (struct pollfd){w->launches[i].state != LAUNCH_FREE ? w->launches[i].sock : -1, POLLIN, 0};
    uint64_t next = next_time(w, due_us), now = warden_now_us(), wait = next > now ? next - now : 0;
    int ms = next == UINT64_MAX ? -1 : (int)MIN((wait + 999) / 1000, 60000);
    if (poll(at, ON_COUNT, ms) < 0) {
        for (int i = 0; i < ON_COUNT; i++)
            at[i].revents = 0;
    }
}

static void on_time(struct warden *w)
{
    uint64_t now = warden_now_us();
    for (int i = 0; i < LAUNCHES_MAX; i++) {
        if (w->launches[i].state != LAUNCH_FREE && w->launches[i].deadline_us <= now)
            launch_on_deadline(w, &w->launches[i]);
    }
    if (w->stopping && now >= w->stop_kill_us && w->agent.pid > 0)
        kill(w->agent.pid, SIGKILL);
    struct err err = {0};
    if (!w->stopping && w->agent.sock < 0 && w->agent.pid == 0 && w->options.socket_fd < 0 &&
        now >= w->agent.restart_us && warden_agent_start(w, &err) < 0)
        warden_agent_lost(w, err.text);
}

/* The work of one turn: what was heard, in a fixed order; then what time brings. */
static void turn(struct warden *w)
{
    struct pollfd at[ON_COUNT];
    uint64_t removal_us = warden_removals_advance(w), thaw_us = warden_thaws_advance(w);
    wait_events(w, at, MIN(removal_us, thaw_us));
    if (at[ON_SIGNAL].revents != 0)
        on_signals(w);
    for (int i = 0; i < LAUNCHES_MAX; i++) {
        if (at[ON_LAUNCHES + i].revents != 0)
            launch_on_word(w, &w->launches[i]);
    }
    if (at[ON_REMOVALS].revents != 0)
        warden_removals_hear(w);
    if (at[ON_ZYGOTE].revents != 0)
        on_zygote(w);
    if (at[ON_AGENT].revents != 0 && w->agent.sock >= 0)
        warden_ops_read(w);
    on_time(w);
}

static bool is_done(const struct warden *w)
{
    bool agent_gone = w->options.socket_fd >= 0 ? w->stopping || w->agent.sock < 0 : w->stopping && w->agent.pid == 0;
    return agent_gone;
}

/* --kill-on-exit: nothing of ours is left behind. */
static void kill_everything(struct warden *w)
{
    for (uint32_t i = 0; i < w->attempts.top; i++) {
        struct attempt *attempt = &w->attempts.at[i];
        if (attempt->used && !attempt->removal.active)
            warden_remove(w, attempt, &(struct op_reply){.kind = OP_REMOVE}, 0);
    }
    struct pollfd at = {w->removals, POLLIN, 0};
    for (uint64_t due; (due = warden_removals_advance(w)) != UINT64_MAX; warden_removals_hear(w)) {
        uint64_t now = warden_now_us();
        poll(&at, 1, due > now ? (int)((due - now + 999) / 1000) : 0);
    }
}

static void finish(struct warden *w)
{
    close_p(&w->agent.sock);
    if (w->options.kill_on_exit)
        kill_everything(w);
    else
        warden_thaw_all(w);
    close_p(&w->zygote);
    int status;
    while (waitpid(w->zygote_pid, &status, 0) < 0 && errno == EINTR)
        continue;
    cg_close(&w->cg, w->options.kill_on_exit);
    images_close(&w->images);
    volumes_close(&w->volumes);
    network_close(&w->network);
    log_line(LOG_INFO, "warden.stopped", "attempts_left=%" PRIu32, w->attempts.top);
}

int main(int argc, char **argv)
{
    struct warden *w = &warden;
    struct err err = {0};
    w->options.socket_fd = w->agent.sock = w->zygote = w->cg.no_devices = -1;
    log_init("reeve-warden", LOG_INFO);
    int code = options_read(&warden_options, &w->options, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    if (warden_options_check(&w->options, &err) < 0) {
        fprintf(stderr, "reeve-warden: %s\n", err.text);
        return 2;
    }
    int landlock = landlock_abi(); /* before our own filter closes that call, too */
    if (start(w, &err) < 0) {
        cg_close(&w->cg, true); /* what attempts of an earlier life live in is not empty, and stays */
        fprintf(stderr, "reeve-warden: %s\n", err.text);
        return 1;
    }
    log_line(LOG_INFO, "warden.ready", "cgroup=%s v2=%d keeper_protected=%d landlock=%d slots=%" PRIu32,
             w->options.cgroup, w->cg.at[w->cg.of[CG_MEMORY]].v2, w->cg.protect, landlock, w->attempts.slots);
    while (!is_done(w))
        turn(w);
    finish(w);
    return 0;
}
