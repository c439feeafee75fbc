/*
 * The payload's side of the fork: everything is given up in an order in which no later step could get it back, the
 * system call filter last; all this while the keeper builds the root. Then it waits for the keeper's word, and what
 * is left to do - write the script, change folder, exec - it does as the job would, under the filter.
 * What is the user's own doing - a command or a folder that isn't there - ends like in a
 * shell, with a line on stderr and 127 or 126; every other failure is a failed launch.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/landlock.h"
#include "isolation/sandbox.h"
#include "isolation/sandbox_args.h"

#define GATE_FD 3
#define RULESET_FD 4 /* until it was entered */
#define SCRIPT_PATH "/tmp/.script"
#define PROGRAM_PATH_MAX 4096

struct payload {
    struct sandbox *box;
    struct sandbox_args args;
    struct sandbox_filter filter;
};

static noreturn void fail(uint32_t step, int rc)
{
    struct launch_word word = {LAUNCH_FAILED, step, -rc};
    packet_send(GATE_FD, &word, sizeof word, NULL, 0);
    _exit(1);
}

static void complain(const char *what, int error)
{
    const char *why = strerrordesc_np(error);
    const char *parts[] = {"reeve: ", what, ": ", why != NULL ? why : "failed", "\n"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        (void)!write(2, parts[i], strlen(parts[i]));
}

static noreturn void refuse_like_a_shell(const char *what, int error)
{
    complain(what, error);
    _exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

/* 0 = /dev/null (the keeper's own), 1 and 2 = the pipes, 3 = the gate, nothing else. */
static int settle_fds(struct payload *p, int gate)
{
    struct sandbox *s = p->box;
    gate = fcntl(gate, F_DUPFD_CLOEXEC, 64); /* out of the way of what is read below */
    int ruleset = s->ruleset < 0 ? -1 : fcntl(s->ruleset, F_DUPFD_CLOEXEC, 64);
    if (gate < 0 || (s->ruleset >= 0 && ruleset < 0) || dup2(s->out_write, 1) < 0 || dup2(s->err_write, 2) < 0)
        return -errno;
    int rc = sandbox_args_load(s->args, &p->args);
    if (rc == 0 && sandbox_filter_load(s->filter, &p->filter) < 0)
        rc = -EBADMSG;
    if (dup3(gate, GATE_FD, O_CLOEXEC) < 0 || (ruleset >= 0 && dup3(ruleset, RULESET_FD, O_CLOEXEC) < 0) ||
        close_range((unsigned)(ruleset >= 0 ? RULESET_FD : GATE_FD) + 1, ~0U, 0) < 0)
        _exit(1); /* no gate to say it through: the keeper sees the launch end without a word */
    return rc;
}

static int set_limits(struct payload *p)
{
    (void)p;
    static const struct limit_row {
        int what;
        rlim_t soft, hard;
    } rows[] = {
        {RLIMIT_NOFILE, 1024, 65536},
        {RLIMIT_MEMLOCK, 8 << 20, 8 << 20},
        {RLIMIT_MSGQUEUE, 819200, 819200},
        {RLIMIT_STACK, 8 << 20, RLIM_INFINITY},
        {RLIMIT_RTPRIO, 0, 0},
        {RLIMIT_NICE, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rlimit now;
        if (prlimit(0, (enum __rlimit_resource)rows[i].what, NULL, &now) < 0)
            return -errno;
        struct rlimit want = {.rlim_max = MIN(rows[i].hard, now.rlim_max)};
        want.rlim_cur = MIN(rows[i].soft, want.rlim_max);
        if (prlimit(0, (enum __rlimit_resource)rows[i].what, &want, NULL) < 0)
            return -errno;
    }
    return 0;
}

static int become_job(struct payload *p)
{
    (void)p;
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, JOB_ID, JOB_ID, JOB_ID) < 0 ||
        syscall(SYS_setresuid, JOB_ID, JOB_ID, JOB_ID) < 0)
        return -errno;
    return 0;
}

static int drop_caps(struct payload *p)
{
    (void)p;
    return sandbox_drop_caps(0);
}

static int write_script(struct payload *p)
{
    if (p->args.script_len == 0)
        return 0;
    int fd = open(SCRIPT_PATH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0500);
    if (fd < 0)
        return -errno;
    int rc = write_whole(fd, p->args.script, p->args.script_len);
    if (rc == 0 && fchmod(fd, 0500) < 0)
        rc = -errno;
    close(fd);
    static char path[] = SCRIPT_PATH;
    p->args.argv[0] = path;
    return rc;
}

/* A fresh session, no signal blocked or ignored, the usual mask. */
static int settle_process(struct payload *p)
{
    (void)p;
    /* By system call: the C library won't touch 32 and 33, which it uses itself, and make(1), for one, ignores them. */
    static const unsigned long usual[4]; /* the kernel's struct sigaction: SIG_DFL, no flags, no mask */
    for (int s = 1; s < NSIG; s++) {
        if (syscall(SYS_rt_sigaction, s, usual, NULL, NSIG / 8) < 0 && errno != EINVAL) /* SIGKILL's and SIGSTOP's */
            return -errno;
    }
    sigset_t none;
    sigemptyset(&none);
    umask(022);
    return setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* One of its own. A user may have 200 keys at a time, and the kernel takes ended jobs' off that count a moment later:
 * what a job has otherwise is the zygote's, which is empty too. */
static int join_keyring(struct payload *p)
{
    (void)p;
    bool joined = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0;
    return joined || errno == ENOSYS || errno == EDQUOT ? 0 : -errno;
}

static int enter_rules(struct payload *p)
{
    if (p->box->ruleset < 0)
        return 0;
    int rc = landlock_enter(RULESET_FD);
    close(RULESET_FD);
    return rc;
}

int sandbox_filter_load(int fd, struct sandbox_filter *ret)
{
    ssize_t n = pread(fd, ret->insns, sizeof ret->insns, 0);
    if (n <= 0 || (size_t)n % sizeof ret->insns[0] != 0)
        return n < 0 ? -errno : -EBADMSG;
    ret->count = (unsigned short)((size_t)n / sizeof ret->insns[0]);
    return 0;
}

static int install(const struct sandbox_filter *f, unsigned flags)
{
    const struct sock_fprog program = {f->count, (struct sock_filter *)(uintptr_t)f->insns};
    long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return rc < 0 ? -errno : (int)rc;
}

/* Under every profile: whoever chose or made that one, the kernel takes the stricter of both answers. */
static int load_floor(struct payload *p)
{
    return install(p->box->floor, 0);
}

static bool is_default(const struct filter_spec *f)
{
    return f->kind == FILTER_NAMED && (f->name[0] == '\0' || strcmp(f->name, FILTER_DEFAULT) == 0);
}

/* Calls that the filter tells of wait for the keeper, who gets the listener by the gate. */
static int load_tracing(struct payload *p)
{
    int listener = install(&p->filter, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener < 0)
        return listener;
    struct launch_word word = {.kind = LAUNCH_LISTENER};
    int rc = packet_send(GATE_FD, &word, sizeof word, &listener, 1);
    close_fd(&listener);
    return rc;
}

/* Of our own profile it is known that the steps after it are allowed; it is loaded while the keeper still works. */
static int load_own_filter(struct payload *p)
{
    const struct filter_spec *f = &p->box->spec.filter;
    if (f->kind == FILTER_TRACE)
        return load_tracing(p);
    return is_default(f) ? install(&p->filter, 0) : 0;
}

/* Any other may forbid whatever isn't needed to exec: it comes last. */
static int load_other_filter(struct payload *p)
{
    const struct filter_spec *f = &p->box->spec.filter;
    return f->kind == FILTER_TRACE || is_default(f) ? 0 : install(&p->filter, 0);
}

static int wait_for_run(void)
{
    struct launch_word word;
    ssize_t n = packet_recv(GATE_FD, &word, sizeof word, NULL, NULL);
    return n == (ssize_t)sizeof word && word.kind == LAUNCH_RUN ? 0 : -EPIPE;
}

/* From here on it is the user's program that fails, or an exec that says FAILED after this. */
static int say_started(void)
{
    struct launch_word word = {.kind = LAUNCH_STARTED};
    return packet_send(GATE_FD, &word, sizeof word, NULL, 0);
}

/* A text without "#!" is a shell script, as execvp(3) has it. */
static int run_file(struct payload *p, const char *path)
{
    execve(path, p->args.argv, p->args.envp);
    if (errno != ENOEXEC)
        return errno;
    char **argv = p->args.argv;
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    static char shell[] = "sh";
    memmove(argv + 1, argv, count * sizeof *argv); /* sandbox_args left room for one more */
    argv[0] = shell;
    argv[1] = (char *)(uintptr_t)path;
    argv[count + 1] = NULL;
    execve("/bin/sh", argv, p->args.envp);
    return errno;
}

static const char *find_path(char *const *envp)
{
    for (; *envp != NULL; envp++) {
        if (strncmp(*envp, "PATH=", 5) == 0)
            return *envp + 5;
    }
    return "/usr/bin:/bin";
}

/* Along PATH, inside the sandbox. Like a shell: "not found" only when no folder had it at all. */
static int run_along_path(struct payload *p, const char *name)
{
    static char path[PROGRAM_PATH_MAX];
    size_t name_len = strlen(name);
    int error = ENOENT;
    for (const char *at = find_path(p->args.envp);; at++) {
        size_t len = strcspn(at, ":");
        if (len + name_len + 2 <= sizeof path) {
            memcpy(path, len > 0 ? at : ".", len > 0 ? len : 1);
            size_t used = len > 0 ? len : 1;
            path[used++] = '/';
            memcpy(path + used, name, name_len + 1);
            int now = run_file(p, path);
            if (now != ENOENT && now != ENOTDIR && now != EACCES)
                return now;
            error = now == EACCES ? EACCES : error;
        }
        at += len;
        if (*at == '\0')
            return error;
    }
}

static noreturn void run_program(struct payload *p)
{
    const char *name = p->args.argv[0];
    int error = strchr(name, '/') != NULL ? run_file(p, name) : run_along_path(p, name);
    if (error == ENOMEM || error == EAGAIN || error == EIO || error == ENFILE)
        fail(STEP_EXEC, -error);
    refuse_like_a_shell(name, error);
}

static const struct payload_step_row {
    enum launch_step step;
    int (*run)(struct payload *p);
} steps[] = {
    {STEP_RLIMITS, set_limits}, {STEP_RLIMITS, settle_process}, {STEP_USER, become_job},
    {STEP_KEYRING, join_keyring}, {STEP_CAPS, drop_caps},     {STEP_LANDLOCK, enter_rules},
    {STEP_SECCOMP, load_floor},   {STEP_SECCOMP, load_own_filter},
};

noreturn void sandbox_payload(struct sandbox *s, int gate)
{
    static struct payload payload;
    struct payload *p = &payload;
    p->box = s;
    int rc = settle_fds(p, gate);
    if (rc < 0)
        fail(STEP_ARGS, rc);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        rc = steps[i].run(p);
        if (rc < 0)
            fail(steps[i].step, rc);
    }
    rc = wait_for_run();
    if (rc < 0)
        _exit(1);
    rc = write_script(p);
    if (rc < 0)
        fail(STEP_SCRIPT, rc);
    rc = say_started();
    if (rc < 0)
        fail(STEP_EXEC, rc);
    if (chdir(p->args.cwd) < 0)
        refuse_like_a_shell(p->args.cwd, errno);
    rc = load_other_filter(p);
    if (rc < 0)
        fail(STEP_SECCOMP, rc);
    run_program(p);
}
