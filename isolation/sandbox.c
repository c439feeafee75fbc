#include "isolation/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/job_spec.h"
#include "isolation/keeper.h"
#include "isolation/keeper_sys.h"
#include "isolation/spec/stage.h"

static struct sandbox box;

/* As its first own act: whatever it makes from here on is counted where it belongs. The warden looks whether it is in,
 * before anything of the job's may run. */
static int join_groups(struct sandbox *s)
{
    for (; s->doors_count > 0; s->doors_count--) {
        int *door = &s->doors[s->doors_count - 1];
        if (write(*door, "0", 1) != 1)
            return -errno;
        close_fd(door);
    }
    return 0;
}

static int enter_ids(struct sandbox *s)
{
    (void)s;
    /* By system call: the library's wrappers would look for other threads to tell. */
    if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 ||
        syscall(SYS_setresuid, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}

/* Only now: the namespace's root is where the process is, and it has just joined its groups. */
static int enter_cgroupns(struct sandbox *s)
{
    (void)s;
    return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

static int set_hostname(struct sandbox *s)
{
    return sethostname(s->spec.hostname, strlen(s->spec.hostname)) < 0 ? -errno : 0;
}

static int make_pipes(struct sandbox *s)
{
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        return -errno;
    /* So that the job may open them by name: /dev/stdout. */
    if (fchown(out[1], JOB_ID, JOB_ID) < 0 || fchown(err[1], JOB_ID, JOB_ID) < 0)
        return -errno;
    s->out_read = out[0], s->out_write = out[1];
    s->err_read = err[0], s->err_write = err[1];
    return 0;
}

static int fork_payload(struct sandbox *s)
{
    int gate[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gate) < 0)
        return -errno;
    s->payload = fork();
    if (s->payload < 0)
        return -errno;
    if (s->payload == 0) {
        close(gate[0]);
        sandbox_payload(s, gate[1]);
    }
    close(gate[1]);
    s->gate = gate[0];
    close_fd(&s->out_write);
    close_fd(&s->err_write);
    close_fd(&s->filter);
    close_fd(&s->ruleset);
    return 0;
}

/* Before the fork, so that one loop serves both: nothing that runs here ever gains a capability by running a program.
 * Those that the keeper still has are no less its own. */
static int empty_bounding(struct sandbox *s)
{
    (void)s;
    for (int cap = 0;; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap) < 0) /* EINVAL: there are no more; anything else must not pass for the end */
            return errno == EINVAL && cap > CAP_SYS_ADMIN ? 0 : -errno;
    }
}

int sandbox_drop_caps(uint64_t keep)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t low = (uint32_t)keep, high = (uint32_t)(keep >> 32);
    struct __user_cap_data_struct sets[2] = {{.effective = low, .permitted = low},
                                             {.effective = high, .permitted = high}};
    return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

/* The keeper goes on with one privilege: to signal what runs inside. */
static int drop_keeper_caps(struct sandbox *s)
{
    (void)s;
    return sandbox_drop_caps(UINT64_C(1) << CAP_KILL);
}

/*
 * The payload is forked early: while the root is built here, the payload gives up its privileges there, and the warden
 * sets the keeper's score. All three meet before the payload goes on.
 */
static int say_ready(struct sandbox *s)
{
    struct launch_word word = {.kind = LAUNCH_READY};
    return packet_send(s->launch, &word, sizeof word, NULL, 0);
}

static const struct step_row {
    enum launch_step step;
    int (*run)(struct sandbox *s);
} steps[] = {
    {STEP_ATTACH, join_groups},
    {STEP_IDS, enter_ids},
    {STEP_CGROUPNS, enter_cgroupns},
    {STEP_PIPES, make_pipes},
    {STEP_IMAGE, sandbox_image_check},
    {STEP_PROC, sandbox_root_new_proc},
    {STEP_SCRATCH, sandbox_root_new_scratch},
    {STEP_ROOT, sandbox_root_open},
    {STEP_LANDLOCK, sandbox_root_rules}, /* about file systems, not paths: their places come later */
    {STEP_CAPS, empty_bounding},
    {STEP_FORK, fork_payload},
    {STEP_MOVER, sandbox_mover_fork},
    {STEP_STAGER, sandbox_stager_fork},
    {STEP_FORK, say_ready},
    {STEP_HOSTNAME, set_hostname},
    {STEP_NETWORK, sandbox_network},
    {STEP_ROOT, sandbox_root_attach},
    {STEP_PROC, sandbox_root_proc},
    {STEP_MASKS, sandbox_root_masks},
    {STEP_SCRATCH, sandbox_root_scratch},
    {STEP_PLACE, sandbox_root_places},
    {STEP_VOLUME, sandbox_root_volumes},
    {STEP_PIVOT, sandbox_root_pivot},
    {STEP_MOVER, sandbox_mover_open},
    {STEP_STAGER, sandbox_stager_open},
    {STEP_NSLIMIT, sandbox_root_nslimit}, /* each mount made by fd counts as a namespace: after them */
    {STEP_CAPS, drop_keeper_caps},
    {STEP_KEEPER, keeper_prepare},
};

static noreturn void fail(struct sandbox *s, uint32_t step, int error)
{
    struct launch_word word = {LAUNCH_FAILED, step, error};
    keeper_record_failed_launch(s, step, error);
    packet_send(s->launch, &word, sizeof word, NULL, 0);
    _exit(1); /* pid 1: whatever else runs inside goes with it */
}

/* False at the end of file: the warden is gone, and with it the launch. */
static bool wait_word(struct sandbox *s, uint32_t kind)
{
    struct launch_word word;
    return packet_recv(s->launch, &word, sizeof word, NULL, NULL) == (ssize_t)sizeof word && word.kind == kind;
}

/* The same of the first word, and what came with it. */
static bool wait_go(struct sandbox *s, bool has_event)
{
    struct launch_word word;
    int fds[PACKET_FDS_MAX];
    size_t count = PACKET_FDS_MAX, first_door = has_event ? 2 : 1;
    if (packet_recv(s->launch, &word, sizeof word, fds, &count) != (ssize_t)sizeof word || word.kind != LAUNCH_GO ||
        count < first_door)
        return false;
    s->oom = fds[0];
    s->oom_event = has_event ? fds[1] : -1;
    s->doors_count = count - first_door;
    memcpy(s->doors, fds + first_door, s->doors_count * sizeof fds[0]);
    return true;
}

/* Running and not told of would be running without anybody who answers for it. */
static void say_started(struct sandbox *s)
{
    struct launch_word word = {.kind = LAUNCH_STARTED};
    int rc = packet_send(s->launch, &word, sizeof word, NULL, 0);
    if (rc < 0)
        fail(s, STEP_EXEC, -rc);
}

/* A traced payload sends what its calls come by as soon as its filter is loaded, or which step failed. */
static void take_listener(struct sandbox *s)
{
    struct launch_word word;
    size_t count = 1;
    if (s->trace < 0)
        return;
    ssize_t n = packet_recv(s->gate, &word, sizeof word, &s->listener, &count);
    if (n != (ssize_t)sizeof word || word.kind != LAUNCH_LISTENER || count != 1)
        fail(s, n == (ssize_t)sizeof word ? word.step : STEP_SECCOMP, n == (ssize_t)sizeof word ? word.error : ECHILD);
}

/* The gate ends with the payload's exec, or with the payload: which of them is known by the word before it. */
static void release_payload(struct sandbox *s)
{
    struct launch_word word = {.kind = LAUNCH_RUN};
    bool started = false, reset = false;
    int rc = packet_send(s->gate, &word, sizeof word, NULL, 0);
    if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET) /* when nobody is there, what it said tells why */
        fail(s, STEP_EXEC, -rc);
    for (;;) {
        ssize_t n = packet_recv(s->gate, &word, sizeof word, NULL, NULL);
        if (n == -ECONNRESET && !reset) /* it ended without reading our word; what it said comes after this */
            reset = true;
        else if (n == (ssize_t)sizeof word && word.kind == LAUNCH_STARTED)
            started = true;
        else if (n == (ssize_t)sizeof word)
            fail(s, word.step, word.error);
        else if (n != 0 || !started)
            fail(s, STEP_EXEC, n < 0 ? (int)-n : ECHILD);
        else
            break;
    }
    close_fd(&s->gate);
}

static int take_fds(struct sandbox *s, const struct zygote_request *request, const int *fds)
{
    s->launch = fds[ZYGOTE_FD_LAUNCH];
    s->args = fds[ZYGOTE_FD_ARGS];
    s->exit = fds[ZYGOTE_FD_EXIT];
    s->control = fds[ZYGOTE_FD_CONTROL];
    s->out_file = fds[ZYGOTE_FD_OUT];
    s->err_file = fds[ZYGOTE_FD_ERR];
    s->filter = fds[ZYGOTE_FD_FILTER];
    int next = ZYGOTE_FD_COUNT, cgroup = -1;
    if ((request->flags & ZYGOTE_INTO_CGROUP) != 0)
        cgroup = fds[next++];
    if ((request->flags & ZYGOTE_TRACE) != 0)
        s->trace = fds[next++];
    if (s->spec.stages != 0)
        s->report = fds[next++];
    if (s->spec.root.image[0] != '\0')
        s->image = fds[next++];
    for (uint32_t i = 0; i < s->spec.root.volumes_count; i++)
        s->volumes[i] = fds[next++];
    close_fd(&cgroup);
    close(ZYGOTE_SOCKET_FD);
    int null = open(OUTER_TEMPLATE "/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) {
        /* Else a keeper would hold the warden's terminal or log for as long as its job runs. */
        if (null < 0 || dup2(null, fd) < 0)
            return -errno;
    }
    close_fd(&null);
    prctl(PR_SET_NAME, "reeve-keeper");
    return signal(SIGCHLD, SIG_DFL) == SIG_ERR ? -errno : 0; /* the zygote's children are nobody's; ours are counted */
}

noreturn void sandbox_main(const struct zygote_request *request, const int *fds, const struct sandbox_filter *floor)
{
    struct sandbox *s = &box;
    *s = (struct sandbox){.spec = request->spec, .end = request->end, .floor = floor, .oom_event = -1, .trace = -1,
                          .listener = -1, .root = -1, .proc = -1, .sysctl = -1, .scratch = -1, .shm = -1, .image = -1,
                          .ruleset = -1, .gate = -1, .mover_inbox = -1, .stager_inbox = -1, .channel = -1,
                          .report = -1};
    for (size_t i = 0; i < COUNT_OF(s->volumes); i++)
        s->volumes[i] = -1;
    int taken = take_fds(s, request, fds);
    if (taken < 0)
        fail(s, STEP_CLONE, -taken);
    if (!wait_go(s, (request->flags & ZYGOTE_OOM_EVENT) != 0))
        _exit(1);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        int rc = steps[i].run(s);
        if (rc < 0)
            fail(s, steps[i].step, -rc);
    }
    if (!wait_word(s, LAUNCH_RUN))
        fail(s, STEP_OOM, EPIPE);
    take_listener(s);
    s->start_boot_us = boot_us();
    s->start_utc_us = utc_us();
    if ((s->spec.stages & STAGE_INPUTS) == 0)
        release_payload(s); /* else the keeper does, once they are there */
    say_started(s);
    close_fd(&s->launch);
    keeper_main(s);
}
