#include "isolation/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/own_filter.h"

#define OOM_ASK_US 1000 /* v1 says "out of memory" before it has counted the kill, and then may not need to kill */
#define OOM_ASKS 50
#define LINGER_CHECK_MS 60000
#define REST_CHUNK (1u << 20) /* as much as a pipe can hold */

static struct keeper keeper;

/* "oom_kill 3" in memory.events (v2) or memory.oom_control (v1); 0 when there is no such line. */
static uint64_t read_oom_kills(int fd)
{
    char text[512];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *at = strstr(text, "oom_kill ");
    uint64_t kills = 0;
    for (at = at != NULL ? at + strlen("oom_kill ") : ""; *at >= '0' && *at <= '9'; at++)
        kills = kills * 10 + (uint64_t)(*at - '0');
    return kills;
}

static void set_timer(struct keeper *k, uint64_t at_us)
{
    struct itimerspec when = {0};
    if (at_us != KEEPER_NEVER) {
        at_us = MAX(at_us, 1);
        when.it_value.tv_sec = (time_t)(at_us / 1000000);
        when.it_value.tv_nsec = (long)(at_us % 1000000) * 1000;
    }
    timerfd_settime(k->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void kill_all(struct keeper *k)
{
    k->killing = true;
    kill(-1, SIGKILL);
}

static bool is_over(const struct keeper *k)
{
    return k->main_ended && k->stage != STAGE_BRINGS_OUT;
}

static void set_next(struct keeper *k)
{
    uint64_t next = k->killing ? KEEPER_NEVER : keeper_ends_next(&k->ends);
    set_timer(k, k->oom_asks > 0 ? MIN(next, boot_us() + OOM_ASK_US) : next);
}

void keeper_term(struct keeper *k)
{
    kill(-1, SIGTERM);
    keeper_stage_stop(k);
}

void keeper_act_when_due(struct keeper *k)
{
    if (k->killing)
        return;
    switch (keeper_ends_due(&k->ends, boot_us())) {
    case KEEPER_TERM:
        keeper_term(k);
        break;
    case KEEPER_KILL:
        kill_all(k);
        break;
    case KEEPER_PAUSE: /* nobody forks past it: the kernel lets a signal to all meet the child as well */
        kill(-1, SIGSTOP);
        keeper_link_say(k, KEEPER_PAUSED);
        break;
    case KEEPER_SIGNAL:
        if (k->stage == STAGE_RUN && !k->main_ended) /* before it and after it there is nothing to save */
            kill(k->box->payload, SIGUSR1);
        break;
    case KEEPER_WAIT:
        break;
    }
}

/* One of ours was killed for lack of memory: half a job is no job, the rest goes too, as memory.oom.group has it. */
static void check_oom(struct keeper *k)
{
    if (k->oom_seen || read_oom_kills(k->box->oom) == 0)
        return;
    k->oom_seen = true;
    k->oom_asks = 0;
    if (k->ends.cause == END_NONE && !k->killing)
        k->ends.cause = END_OOM;
    kill_all(k);
}

static void on_oom_event(struct keeper *k)
{
    uint64_t count;
    if (k->box->oom_event >= 0 && read(k->box->oom_event, &count, sizeof count) > 0)
        k->oom_asks = OOM_ASKS;
    check_oom(k);
}

/* What a payload left behind, and only it, is killed by the stager before outputs are looked at, and by sweep(). */
static void count_stray(struct keeper *k, pid_t pid, int status)
{
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; /* the others had ended by themselves */
    if (killed && pid != k->box->mover && pid != k->box->stager)
        k->record.stray_procs++;
}

static void reap(struct keeper *k)
{
    int status;
    for (pid_t pid; !is_over(k) && (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == k->box->mover)
            close_fd(&k->box->mover_inbox); /* and with it an agent's end that it hadn't taken yet */
        if (pid == k->box->payload) {
            k->main_ended = true;
            k->main_status = status;
        } else if (k->main_ended) {
            count_stray(k, pid, status);
        }
    }
}

/* The payload's end is the attempt's: what it left behind is killed and counted. */
static void sweep(struct keeper *k)
{
    for (;;) {
        kill(-1, SIGKILL);
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno == ECHILD)
            return;
        if (pid > 0)
            count_stray(k, pid, status);
    }
}

static void judge(struct keeper *k)
{
    struct keeper_record *r = &k->record;
    bool signaled = WIFSIGNALED(k->main_status);
    r->exit_code = signaled ? 0 : WEXITSTATUS(k->main_status);
    r->signal = signaled ? WTERMSIG(k->main_status) : 0;
    r->cause = k->ends.cause;
    if (r->cause == END_NONE && r->signal == SIGKILL && !k->killing && read_oom_kills(k->box->oom) > 0)
        r->cause = END_OOM;
    bool launched = r->step == STEP_NONE && (k->started || signaled || (k->box->spec.stages & STAGE_INPUTS) == 0);
    if (r->cause == END_NONE && !launched)
        r->cause = END_LAUNCH_FAILED;
    if (r->cause == END_NONE)
        r->cause = signaled ? END_SIGNAL : END_EXIT;
    if (r->cause == END_EXIT && r->exit_code == 0 && k->out_error != 0)
        r->cause = END_OUTPUTS;
}

static void move_rest(int from, int to)
{
    off_t end = lseek(to, 0, SEEK_END);
    ssize_t n = end < 0 ? -1 : 1;
    while (n > 0)
        n = splice(from, NULL, to, &end, REST_CHUNK, SPLICE_F_NONBLOCK);
}

/* The agent that held the pipes is gone, and with its connection everything it had in flight. A full disk: what is left
 * waits in the pipe for the next one. */
static void take_rest(struct keeper *k)
{
    if (k->link >= 0)
        return;
    move_rest(k->box->out_read, k->box->out_file);
    move_rest(k->box->err_read, k->box->err_file);
}

static void finish(struct keeper *k)
{
    judge(k);
    sweep(k);
    take_rest(k);
    keeper_trace_write(k);
    k->record.id = k->box->spec.id;
    k->record.term = k->box->spec.term;
    k->record.started_utc_us = k->box->start_utc_us;
    k->record.run_us = keeper_ends_run_us(&k->ends, boot_us());
    k->over = true;
    keeper_record_write(k->box->exit, &k->record); /* a full disk: the agent finds no record and says so */
}

enum { ON_SIGNAL, ON_TIMER, ON_CONTROL, ON_OOM, ON_LINK, ON_TRACE, ON_STAGER, ON_GATE, ON_COUNT };

static void wait_events(struct keeper *k, struct pollfd at[ON_COUNT])
{
    bool event = k->box->oom_event >= 0;
    at[ON_SIGNAL] = (struct pollfd){k->signals, POLLIN, 0};
    at[ON_TIMER] = (struct pollfd){k->timer, POLLIN, 0};
    at[ON_CONTROL] = (struct pollfd){k->box->control, POLLIN, 0};
    at[ON_OOM] = (struct pollfd){event ? k->box->oom_event : k->box->oom, event ? POLLIN : POLLPRI, 0};
    at[ON_LINK] = (struct pollfd){k->link, POLLIN, 0};
    at[ON_TRACE] = (struct pollfd){k->box->listener, POLLIN, 0};
    at[ON_STAGER] = (struct pollfd){k->box->stager_inbox, POLLIN, 0};
    at[ON_GATE] = (struct pollfd){k->box->gate, POLLIN, 0};
    if (poll(at, ON_COUNT, -1) < 0) {
        for (int i = 0; i < ON_COUNT; i++)
            at[i].revents = 0;
    }
}

static void clear_signals(struct keeper *k)
{
    struct signalfd_siginfo info;
    while (read(k->signals, &info, sizeof info) > 0)
        continue;
}

static void clear_timer(struct keeper *k)
{
    uint64_t count;
    (void)!read(k->timer, &count, sizeof count);
    if (k->oom_asks > 0) {
        k->oom_asks--;
        check_oom(k);
    }
}

static void run(struct keeper *k)
{
    struct pollfd at[ON_COUNT];
    while (reap(k), keeper_stage_settle(k), !is_over(k)) {
        keeper_act_when_due(k);
        set_next(k);
        wait_events(k, at);
        if (at[ON_SIGNAL].revents != 0)
            clear_signals(k);
        if (at[ON_TIMER].revents != 0)
            clear_timer(k);
        if (at[ON_OOM].revents != 0)
            on_oom_event(k);
        if (at[ON_TRACE].revents != 0)
            keeper_trace_hear(k);
        if (at[ON_STAGER].revents != 0)
            keeper_stage_hear(k);
        if (at[ON_GATE].revents != 0 && k->box->gate >= 0)
            keeper_gate_hear(k);
        if (at[ON_LINK].revents != 0)
            keeper_link_read(k);
        if (at[ON_CONTROL].revents != 0)
            keeper_link_accept(k);
    }
}

/* Until an agent has every byte in its files, or KEEPER_LINGER_US long. Every connection is told of the end. */
static void linger(struct keeper *k)
{
    uint64_t until = boot_us() + KEEPER_LINGER_US;
    if (k->link >= 0)
        keeper_link_send(k, KEEPER_ENDED);
    take_rest(k);
    while (!k->drained && boot_us() < until) {
        struct pollfd at[] = {{k->box->control, POLLIN, 0}, {k->link, POLLIN, 0}};
        if (poll(at, COUNT_OF(at), LINGER_CHECK_MS) < 0)
            continue;
        if (at[1].revents != 0)
            keeper_link_read(k);
        if (!k->drained)
            take_rest(k);
        if (at[0].revents != 0) {
            keeper_link_accept(k);
            if (k->link >= 0)
                keeper_link_send(k, KEEPER_ENDED);
        }
    }
}

int keeper_prepare(struct sandbox *box)
{
    struct keeper *k = &keeper;
    k->box = box;
    k->link = -1;
    sigset_t all, child;
    sigfillset(&all);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        return -errno;
    k->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    k->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    return k->signals < 0 || k->timer < 0 ? -errno : own_filter_load(&own_filter_keeper);
}

noreturn void keeper_main(struct sandbox *box)
{
    struct keeper *k = &keeper;
    keeper_ends_init(&k->ends, &box->spec, box->start_boot_us);
    keeper_stage_begin(k);
    run(k);
    finish(k);
    linger(k);
    _exit(0);
}
