#include "tests/system/faults.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACED_MAX 16
#define WAIT_MS 30000

const char *const fault_role_names[FAULT_ROLES] = {"warden", "zygote", "keeper", "payload"};

struct traced {
    pid_t pid;
    enum fault_role role;
    bool in_call;
    int pending; /* -errno that the call under way is to give; 0 */
    bool skip;   /* it isn't made at all */
};

static struct {
    struct traced at[TRACED_MAX];
    int count;
    enum fault_role role;
    pid_t warden, zygote;
    struct fault *armed;
    int seen;
    bool warden_ended;
    int warden_status;
    int signals;
} state = {.signals = -1};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
    abort();
}

#if defined(__x86_64__)
/* User-mode-linux has no PTRACE_GET_SYSCALL_INFO (its architecture gives the kernel no generic entry to ask), and to
 * count stops instead goes wrong at the first call that a filter answers or a signal cuts off: the fault would hit
 * another call than the one that the report names. On v2 it is tried in qemu. */
bool faults_possible(void)
{
    struct __ptrace_syscall_info info;
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    bool possible = ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) > 0;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return possible;
}

static void skip_call(pid_t pid)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        return;
    regs.orig_rax = ~0ull;
    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static void set_result(pid_t pid, long result)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        return;
    regs.rax = (unsigned long long)result;
    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}
#else
bool faults_possible(void)
{
    return false;
}

static void skip_call(pid_t pid)
{
    (void)pid;
}

static void set_result(pid_t pid, long result)
{
    (void)pid, (void)result;
}
#endif

static struct traced *find(pid_t pid)
{
    for (int i = 0; i < state.count; i++) {
        if (state.at[i].pid == pid)
            return &state.at[i];
    }
    return NULL;
}

static struct traced *add(pid_t pid, enum fault_role role)
{
    if (state.count == TRACED_MAX)
        give_up("too many processes");
    state.at[state.count] = (struct traced){.pid = pid, .role = role};
    return &state.at[state.count++];
}

static void forget(pid_t pid)
{
    struct traced *t = find(pid);
    if (t != NULL)
        *t = state.at[--state.count];
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    pid_t parent = 0;
    while (f != NULL && parent == 0 && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "PPid:", 5) == 0)
            parent = (pid_t)strtol(line + 5, NULL, 10);
    }
    if (f != NULL)
        fclose(f);
    return parent;
}

static bool counts(const struct traced *t)
{
    return state.armed != NULL && !state.armed->happened && t->role == state.role;
}

static void go_on(struct traced *t, int sig)
{
    bool calls = counts(t) || t->pending != 0 || t->in_call;
    ptrace(calls ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, NULL, (void *)(long)sig);
}

/* A close() that fails has closed nevertheless; an end can't fail. */
static void begin_call(struct traced *t, long number)
{
    if (!counts(t) || number == SYS_exit_group || number == SYS_rt_sigreturn || ++state.seen != state.armed->n)
        return;
    state.armed->happened = true;
    state.armed->call = number;
    if (state.armed->error == 0) {
        kill(t->pid, SIGKILL);
        return;
    }
    t->pending = -state.armed->error;
    t->skip = number != SYS_close;
    if (t->skip)
        skip_call(t->pid);
}

static void on_call(struct traced *t)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof info, &info) < 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        t->in_call = true;
        begin_call(t, (long)info.entry.nr);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        t->in_call = false;
        if (t->pending != 0)
            set_result(t->pid, t->pending);
        t->pending = 0;
    }
}

static void on_end(pid_t pid, int status)
{
    if (pid == state.warden) {
        state.warden_ended = true;
        state.warden_status = status;
    }
    if (pid == state.zygote)
        state.zygote = 0;
    forget(pid);
}

static void on_stop(pid_t pid, int status)
{
    struct traced *t = find(pid);
    if (t == NULL)
        t = add(pid, parent_of(pid) == state.zygote ? FAULT_KEEPER : FAULT_PAYLOAD);
    int sig = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_EXEC) { /* what it does from here on is the job's own */
        if (state.armed != NULL && !state.armed->happened)
            state.armed->exec_done = true;
        ptrace(PTRACE_DETACH, pid, NULL, NULL);
        forget(pid);
        return;
    }
    if (sig == (SIGTRAP | 0x80))
        on_call(t);
    go_on(t, event != 0 || sig == (SIGTRAP | 0x80) ? 0 : sig);
}

static void pump(void)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;) {
        if (WIFSTOPPED(status))
            on_stop(pid, status);
        else
            on_end(pid, status);
    }
}

static void open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    state.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (state.signals < 0)
        give_up("signalfd");
}

static void clear_signals(void)
{
    struct signalfd_siginfo info;
    while (read(state.signals, &info, sizeof info) > 0)
        continue;
}

void faults_attach(enum fault_role role, pid_t warden, pid_t zygote)
{
    if (state.signals < 0)
        open_signals();
    long options = PTRACE_O_TRACESYSGOOD;
    if (role == FAULT_KEEPER || role == FAULT_PAYLOAD)
        options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    state.role = role;
    state.warden = warden;
    state.zygote = zygote;
    state.count = 0;
    state.warden_ended = false;
    state.armed = NULL;
    pid_t pid = role == FAULT_WARDEN ? warden : zygote;
    if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) < 0)
        give_up("seize");
    add(pid, role == FAULT_WARDEN ? FAULT_WARDEN : FAULT_ZYGOTE);
}

/* Whoever waits in a call is stopped once, to go on with his calls counted. */
void faults_arm(struct fault *fault)
{
    state.armed = fault;
    state.seen = 0;
    for (int i = 0; i < state.count; i++)
        ptrace(PTRACE_INTERRUPT, state.at[i].pid, NULL, NULL);
    for (int i = 0, status; i < state.count; i++) {
        pid_t pid = state.at[i].pid;
        if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
            give_up("the traced process ended too early");
        on_stop(pid, status);
    }
}

bool faults_wait_readable(int fd)
{
    for (;;) {
        pump();
        if (state.warden_ended)
            return false;
        struct pollfd at[] = {{fd, POLLIN, 0}, {state.signals, POLLIN, 0}};
        if (poll(at, 2, WAIT_MS) <= 0)
            return false;
        clear_signals();
        if (at[0].revents != 0) {
            pump();
            return true;
        }
    }
}

/* Stops it and lets go; what it was about to be told is told. */
static void let_go(pid_t pid)
{
    int status;
    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
    while (waitpid(pid, &status, __WALL) == pid) {
        if (!WIFSTOPPED(status)) {
            on_end(pid, status);
            return;
        }
        struct traced *t = find(pid);
        int sig = WSTOPSIG(status), event = status >> 16;
        if (sig == (SIGTRAP | 0x80))
            on_call(t);
        int passed_on = event != 0 || sig == (SIGTRAP | 0x80) ? 0 : sig;
        if (t->pending == 0) { /* any stop takes the place of the one that was asked for */
            ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)passed_on);
            forget(pid);
            return;
        }
        go_on(t, passed_on);
    }
    forget(pid);
}

void faults_disarm(void)
{
    state.armed = NULL;
    pump();
    for (int i = 0; i < state.count; i++) {
        if (state.at[i].role == FAULT_KEEPER || state.at[i].role == FAULT_PAYLOAD)
            let_go(state.at[i--].pid);
    }
}

bool faults_warden_ended(int *ret_status)
{
    pump();
    if (state.warden_ended && state.zygote > 0 && find(state.zygote) != NULL) {
        int status;
        while (find(state.zygote) != NULL && waitpid(state.zygote, &status, __WALL) > 0) {
            if (WIFSTOPPED(status))
                on_stop(state.zygote, status);
            else
                on_end(state.zygote, status);
        }
    }
    *ret_status = state.warden_status;
    return state.warden_ended;
}

bool faults_zygote_ended(void)
{
    pump();
    return state.zygote == 0;
}

void faults_detach(void)
{
    faults_disarm();
    while (state.count > 0)
        let_go(state.at[0].pid);
}
