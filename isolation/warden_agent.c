/* The agent's process: born with nothing but its own ids, its socket and where to write its log. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/own_filter.h"
#include "isolation/warden.h"

#define AGENT_SOCKET_FD 3
#define AGENT_COMPILER_FD 4
/* Whoever computes on all cores would else decide when the disk gets its next work: it is granted by the agent. */
#define AGENT_NICE (-15)
#define BACKOFF_FIRST_US UINT64_C(100000)
#define BACKOFF_MOST_US UINT64_C(5000000)
#define STEADY_US UINT64_C(10000000) /* an agent that lived so long starts the pauses anew */

static const char *const env_kept[] = {"PATH", "LANG", "LC_ALL", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS"};

static void make_env(char *out[COUNT_OF(env_kept) + 1], char bytes[COUNT_OF(env_kept)][1024])
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(env_kept); i++) {
        const char *value = getenv(env_kept[i]);
        int n = value != NULL ? snprintf(bytes[count], sizeof bytes[0], "%s=%s", env_kept[i], value) : 0;
        if (n > 0 && n < (int)sizeof bytes[0]) {
            out[count] = bytes[count];
            count++;
        }
    }
    out[count] = NULL;
}

static int drop_to(uid_t uid, gid_t gid)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        prctl(PR_CAPBSET_DROP, cap);
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, gid, gid, gid) < 0 ||
        syscall(SYS_setresuid, uid, uid, uid) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return setuid(0) == 0 ? -EPERM : 0; /* it must not come back */
}

static _Noreturn void become_agent(const struct warden_options *o, int sock, int compiler)
{
    static char bytes[COUNT_OF(env_kept)][1024];
    char *envp[COUNT_OF(env_kept) + 1];
    make_env(envp, bytes);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* Opened as root: a build tree below /root serves as well as /usr/bin. */
    int program = open(o->agent, O_PATH | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high = fcntl(program, F_DUPFD_CLOEXEC, 16), high_sock = fcntl(sock, F_DUPFD_CLOEXEC, 16);
    int high_compiler = fcntl(compiler, F_DUPFD_CLOEXEC, 16);
    const char *what = "its files";
    if (high >= 0 && dup2(null, 0) == 0 && dup2(high_sock, AGENT_SOCKET_FD) >= 0 &&
        dup2(high_compiler, AGENT_COMPILER_FD) >= 0 &&
        close_range(AGENT_COMPILER_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
        what = "its user";
        (void)setpriority(PRIO_PROCESS, 0, AGENT_NICE);
        int rc = drop_to(o->agent_uid, o->agent_gid);
        errno = -rc;
        if (rc == 0) {
            what = "its filter"; /* without the mounts that a warden may have */
            rc = own_filter_load(&own_filter_warden);
            errno = -rc;
        }
        if (rc == 0) {
            what = o->agent;
            execveat(high, "", o->agent_argv, envp, AT_EMPTY_PATH);
        }
    }
    log_line(LOG_ERROR, "agent.exec", "what=%s error=%s", log_quote(what), log_quote(strerror(errno)));
    _exit(127);
}

/* One that doesn't read its answers must not hold the warden up for ever. */
static int limit_sending(int sock)
{
    struct timeval most = {.tv_sec = SEND_TIMEOUT_S};
    return setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) < 0 ? -errno : 0;
}

int warden_agent_start(struct warden *w, struct err *err)
{
    struct agent_process *a = &w->agent;
    int ends[2] = {w->options.socket_fd, -1};
    if (ends[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_set(err, -errno, "socketpair: %s", strerror(errno));
    CLEANUP(close_p) int theirs = ends[1];
    a->sock = ends[0];
    a->generation++;
    a->started_us = warden_now_us();
    int rc = limit_sending(a->sock);
    if (rc < 0)
        return err_set(err, rc, "the agent's socket: %s", strerror(-rc));
    if (w->options.socket_fd >= 0)
        return 0;
    a->pid = fork();
    if (a->pid < 0) {
        a->pid = 0;
        close_p(&a->sock);
        return err_set(err, -errno, "fork: %s", strerror(errno));
    }
    if (a->pid == 0)
        become_agent(&w->options, theirs, w->compiler);
    log_line(LOG_INFO, "agent.started", "pid=%d", (int)a->pid);
    return 0;
}

void warden_agent_lost(struct warden *w, const char *why)
{
    struct agent_process *a = &w->agent;
    close_p(&a->sock);
    if (a->pid > 0)
        kill(a->pid, SIGKILL); /* ours and not yet waited for: the number is its */
    uint64_t now = warden_now_us();
    bool steady = now - a->started_us > STEADY_US;
    a->backoff_us = steady || a->backoff_us == 0 ? BACKOFF_FIRST_US : MIN(a->backoff_us * 2, BACKOFF_MOST_US);
    a->restart_us = now + a->backoff_us;
    if (!w->stopping)
        log_line(LOG_WARN, "agent.lost", "why=%s", log_quote(why));
}
