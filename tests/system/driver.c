#include "tests/system/driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"

#define WAIT_MS 120000 /* longer than anything here may take; reached only by a defect */

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "driver: %s: %s\n", what, strerror(errno));
    abort();
}

#define NEED(what, condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            give_up(what);                                                                         \
    } while (0)

/* The programs lie in the build tree that this test was built in: ../../ of it. */
static void find_programs(struct driver *d)
{
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    NEED("readlink", n > 0);
    self[n] = '\0';
    const char *given = getenv("REEVE_BUILD");
    for (int up = 0; given == NULL && up < 3; up++)
        *strrchr(self, '/') = '\0';
    snprintf(d->warden, sizeof d->warden, "%s/reeve-warden", given != NULL ? given : self);
    snprintf(d->keeper, sizeof d->keeper, "%s/reeve-keeper", given != NULL ? given : self);
}

void driver_start_warden(struct driver *d)
{
    int ends[2];
    NEED("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    sigset_t term, before; /* Check's own handler, inherited, would pass a SIGTERM on to the whole test */
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    d->pid = fork();
    NEED("fork", d->pid >= 0);
    if (d->pid == 0) {
        setpgid(0, 0); /* Check kills a failed test's whole group; the warden must live to clean up behind it */
        signal(SIGTERM, SIG_DFL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (ends[1] == 3) /* dup2 onto itself would keep CLOEXEC */
            fcntl(3, F_SETFD, 0);
        else
            dup2(ends[1], 3);
        int quiet = getenv("REEVE_TEST_LOG") != NULL ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (quiet >= 0)
            dup2(quiet, 2);
        const char *argv[32] = {d->warden, "--dir", d->dir, "--cgroup", d->cgroup, "--keeper", d->keeper, "--socket-fd",
                                "3", "--kill-on-exit"};
        size_t argc = 10;
        for (size_t i = 0; d->options != NULL && d->options[i] != NULL && argc < COUNT_OF(argv) - 1; i++)
            argv[argc++] = d->options[i];
        execv(d->warden, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    d->sock = ends[0];
}

void driver_prepare(struct driver *d, const char *const *options)
{
    *d = (struct driver){.sock = -1, .job = 1, .options = options};
    snprintf(d->dir, sizeof d->dir, "/tmp/reeve-confine-XXXXXX");
    NEED("mkdtemp", mkdtemp(d->dir) != NULL);
    snprintf(d->cgroup, sizeof d->cgroup, "test%d", (int)getpid());
    find_programs(d);
}

void driver_init_with(struct driver *d, const char *const *options)
{
    driver_prepare(d, options);
    driver_start_warden(d);
}

void driver_init(struct driver *d)
{
    driver_init_with(d, NULL);
}

static void wait_warden(struct driver *d)
{
    int status;
    NEED("waitpid", waitpid(d->pid, &status, 0) == d->pid);
    close_p(&d->sock);
}

void driver_kill_warden(struct driver *d)
{
    kill(d->pid, SIGKILL);
    wait_warden(d);
}

void driver_fini(struct driver *d)
{
    kill(d->pid, SIGTERM);
    wait_warden(d);
    struct err err = {0};
    if (dir_remove(d->dir, &err) < 0)
        fprintf(stderr, "driver: %s\n", err.text);
}

/* Of every cgroup mount: is there a base of ours? Our own group is where we were started, so that is where to look. */
bool driver_groups_gone(const struct driver *d)
{
    char command[256];
    snprintf(command, sizeof command,
             "find /sys/fs/cgroup -xdev -name 'reeve-%s' 2>/dev/null; "
             "for m in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts); do find $m -name 'reeve-%s' 2>/dev/null; done",
             d->cgroup, d->cgroup);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    NEED("popen", f != NULL);
    bool any = fgetc(f) != EOF;
    pclose(f);
    return !any;
}

struct run driver_run(struct driver *d, const char *const *argv)
{
    struct run r = {.argv = argv, .cwd = "/tmp", .seccomp = -1};
    r.spec = (struct sandbox_spec){
        .id = {d->job++, 0, 1},
        .term = 7,
        .cpu_milli = 1000,
        .mem_bytes = (uint64_t)128 << 20,
        .scratch_bytes = (uint64_t)16 << 20,
        .scratch_inodes = 1000,
        .pids_max = 64,
        .network = NET_NONE,
        .paid_us = UINT64_C(60000000),
        .grace_us = 100000,
        .hostname = "job-1",
    };
    return r;
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;
    while (words != NULL && words[n] != NULL)
        n++;
    return n;
}

static size_t put_stage(char *at, const struct stage_try *s, uint32_t index)
{
    struct stage_item item = {.flags = s->flags, .index = index, .max_bytes = s->max_bytes};
    if (s->digest != NULL)
        memcpy(item.digest, s->digest, sizeof item.digest);
    memcpy(at, &item, sizeof item);
    size_t from = strlen(s->from) + 1, to = strlen(s->to) + 1;
    memcpy(at + sizeof item, s->from, from);
    memcpy(at + sizeof item + from, s->to, to);
    return sizeof item + from + to;
}

static int make_args(const struct run *run)
{
    static char bytes[ARGS_BYTES_MAX];
    size_t argc = count_words(run->argv), envc = count_words(run->env);
    size_t script = run->script_len > 0 ? run->script_len : run->script != NULL ? strlen(run->script) : 0;
    const uint32_t head[] = {ARGS_MAGIC, (uint32_t)argc, (uint32_t)envc, (uint32_t)script,
                             (uint32_t)run->stages_count};
    size_t at = sizeof head;
    memcpy(bytes, head, sizeof head);
    for (size_t i = 0; i < argc + envc + 1; i++) {
        const char *word = i < argc ? run->argv[i] : i < argc + envc ? run->env[i - argc] : run->cwd;
        size_t len = strlen(word) + 1;
        NEED("args too long", at + len + script <= sizeof bytes);
        memcpy(bytes + at, word, len);
        at += len;
    }
    if (script > 0)
        memcpy(bytes + at, run->script, script);
    at += script;
    for (size_t i = 0; i < run->stages_count; i++)
        at += put_stage(bytes + at, &run->stages[i], (uint32_t)i);
    int fd = memfd_sealed("args", bytes, at);
    NEED("memfd", fd >= 0);
    return fd;
}

static void make_control(struct task *task)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, task->control_path, MIN(strlen(task->control_path) + 1, sizeof name.sun_path));
    task->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    NEED("control", task->control >= 0 && bind(task->control, (struct sockaddr *)&name, sizeof name) == 0 &&
                        listen(task->control, 4) == 0);
}

static struct op_reply get_reply(struct driver *d, uint64_t tag)
{
    struct {
        struct op_reply reply;
        struct attempt_id ids[OPS_LIST_MAX];
    } packet;
    struct pollfd at = {.fd = d->sock, .events = POLLIN};
    NEED("the warden's answer", poll(&at, 1, WAIT_MS) == 1);
    ssize_t n = fd_recv_packet(d->sock, &packet, sizeof packet, NULL, NULL);
    if (n < (ssize_t)sizeof packet.reply || packet.reply.tag != tag)
        fprintf(stderr, "driver: got %zd bytes, kind %u status %u tag %lu instead of tag %lu\n", n,
                packet.reply.kind, packet.reply.status, (unsigned long)packet.reply.tag, (unsigned long)tag);
    NEED("the warden's answer", n >= (ssize_t)sizeof packet.reply && packet.reply.tag == tag);
    return packet.reply;
}

struct op_reply driver_ask(struct driver *d, enum op_kind kind, struct attempt_id id)
{
    return driver_ask_until(d, kind, id, UINT64_MAX);
}

struct op_reply driver_ask_until(struct driver *d, enum op_kind kind, struct attempt_id id, uint64_t until_boot_us)
{
    struct op_request request = {
        .version = OPS_VERSION, .kind = kind, .tag = ++d->tag, .id = id, .until_boot_us = until_boot_us};
    NEED("send", fd_send_packet(d->sock, &request, sizeof request, NULL, 0) == 0);
    struct op_reply reply = get_reply(d, request.tag);
    for (uint32_t more = reply.count; kind == OP_LIST && more > 0; reply.count += more)
        more = get_reply(d, request.tag).count;
    return reply;
}

struct op_reply driver_remove(struct driver *d, struct attempt_id id)
{
    struct op_reply reply = {.status = OP_BUSY};
    while (reply.status == OP_BUSY)
        reply = driver_ask(d, OP_REMOVE, id);
    return reply;
}

struct op_reply driver_limit(struct driver *d, struct attempt_id id, const struct sandbox_limits *limits)
{
    struct op_request request = {
        .version = OPS_VERSION, .kind = OP_LIMIT, .tag = ++d->tag, .id = id, .sandbox.limits = *limits};
    NEED("send", fd_send_packet(d->sock, &request, sizeof request, NULL, 0) == 0);
    return get_reply(d, request.tag);
}

struct node_abilities driver_able(struct driver *d)
{
    struct {
        struct op_reply reply;
        struct node_abilities able;
    } packet;
    struct op_request request = {.version = OPS_VERSION, .kind = OP_ABLE, .tag = ++d->tag};
    struct pollfd at = {.fd = d->sock, .events = POLLIN};
    NEED("send", fd_send_packet(d->sock, &request, sizeof request, NULL, 0) == 0);
    NEED("able", poll(&at, 1, WAIT_MS) == 1 &&
                     fd_recv_packet(d->sock, &packet, sizeof packet, NULL, NULL) == (ssize_t)sizeof packet);
    NEED("able", packet.reply.status == OP_DONE && packet.reply.tag == request.tag);
    return packet.able;
}

static int make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    NEED("file", fd >= 0);
    return fd;
}

void driver_launch_begin(struct driver *d, const struct run *run, struct task *task)
{
    *task = (struct task){.id = run->spec.id, .link = -1, .out = -1, .err = -1};
    const struct {
        const char *name;
        char *path;
    } files[] = {{"exit", task->exit_path},
                 {"control", task->control_path},
                 {"out", task->out_path},
                 {"err", task->err_path},
                 {"stage", task->stage_path}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(files[i].path, sizeof task->exit_path, "%s/%s.%lu.%u", d->dir, files[i].name,
                 (unsigned long)task->id.job, task->id.epoch);
        unlink(files[i].path);
    }
    task->exit = make_file(task->exit_path);
    make_control(task);
    struct op_request request = {.version = OPS_VERSION, .kind = OP_LAUNCH, .tag = ++d->tag, .sandbox = run->spec};
    int args = make_args(run), out = make_file(task->out_path), err = make_file(task->err_path);
    int fds[LAUNCH_FDS_MAX] = {[LAUNCH_FD_ARGS] = args,         [LAUNCH_FD_EXIT] = task->exit,
                                     [LAUNCH_FD_CONTROL] = task->control, [LAUNCH_FD_OUT] = out,
                                     [LAUNCH_FD_ERR] = err,           [LAUNCH_FD_SECCOMP] = run->seccomp};
    size_t count = LAUNCH_FDS + (run->seccomp >= 0);
    int stage = run->spec.stages != 0 ? make_file(task->stage_path) : -1;
    if (stage >= 0)
        fds[count++] = stage;
    NEED("send", fd_send_packet(d->sock, &request, sizeof request, fds, count) == 0);
    close(args);
    close(out);
    close(err);
    close_p(&stage);
    close_p(&task->control); /* the keeper's alone now: when it is gone, connecting fails */
    close_p(&task->exit);
}

enum op_status driver_launch(struct driver *d, const struct run *run, struct task *task)
{
    driver_launch_begin(d, run, task);
    task->launch = get_reply(d, d->tag);
    return task->launch.status;
}

void driver_launch_finish(struct driver *d, struct task *tasks, size_t count)
{
    for (size_t got = 0; got < count; got++) {
        struct op_reply reply;
        NEED("the warden's answer", fd_recv_packet(d->sock, &reply, sizeof reply, NULL, NULL) == (ssize_t)sizeof reply);
        for (size_t i = 0; i < count; i++) {
            if (tasks[i].id.job == reply.id.job)
                tasks[i].launch = reply;
        }
        NEED("launch", reply.status == OP_DONE);
    }
}

pid_t driver_find(const struct driver *d, const char *name, char status[DRIVER_STATUS_MAX])
{
    char path[300], line[64];
    size_t len = (size_t)snprintf(line, sizeof line, "Name:\t%s\n", name);
    DIR *proc = opendir("/proc");
    NEED("/proc", proc != NULL);
    pid_t found = 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(proc)) != NULL;) {
        CLEANUP(buf_fini) struct buf groups = {0}, what = {0};
        snprintf(path, sizeof path, "/proc/%.20s/cgroup", entry->d_name);
        if (file_read(path, DRIVER_STATUS_MAX, &groups, NULL) < 0 || strstr(buf_text(&groups), d->cgroup) == NULL)
            continue;
        snprintf(path, sizeof path, "/proc/%.20s/status", entry->d_name);
        if (file_read(path, DRIVER_STATUS_MAX, &what, NULL) < 0 || strncmp(buf_text(&what), line, len) != 0)
            continue;
        found = (pid_t)atoi(entry->d_name); /* lint: allow a number of the kernel's */
        snprintf(status, DRIVER_STATUS_MAX, "%s", buf_text(&what));
    }
    closedir(proc);
    return found;
}

bool driver_stage(const struct task *task, struct stage_report *ret)
{
    CLEANUP(close_p) int fd = open(task->stage_path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fd_read_full(fd, ret, sizeof *ret) == (ssize_t)sizeof *ret &&
           stage_report_is_sound(ret, task->id);
}

bool driver_link(struct task *task, struct keeper_message *ret_hello)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, task->control_path, MIN(strlen(task->control_path) + 1, sizeof name.sun_path));
    close_p(&task->link);
    close_p(&task->out);
    close_p(&task->err);
    task->link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(task->link, (struct sockaddr *)&name, sizeof name) < 0)
        return false;
    struct keeper_message hello;
    struct pollfd at = {.fd = task->link, .events = POLLIN};
    int fds[2];
    size_t count = 2;
    if (poll(&at, 1, WAIT_MS) != 1 ||
        fd_recv_packet(task->link, &hello, sizeof hello, fds, &count) != (ssize_t)sizeof hello || count != 2 ||
        hello.op != KEEPER_HELLO)
        return false;
    task->out = fds[0];
    task->err = fds[1];
    if (ret_hello != NULL)
        *ret_hello = hello;
    return true;
}

void driver_say(struct task *task, struct keeper_message m)
{
    m.version = KEEPER_VERSION;
    m.id = task->id;
    NEED("say", fd_send_packet(task->link, &m, sizeof m, NULL, 0) == 0);
}

/* What the keeper took because nobody was there. */
static size_t read_file(const char *path, char *into)
{
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : fd_read_full(fd, into, DRIVER_OUTPUT_MAX - 1);
    NEED("the log file", n >= 0);
    return (size_t)n;
}

/* Both streams to their ends; what doesn't fit is read and dropped. */
static void read_streams(struct task *task, struct ended *ret)
{
    struct pollfd at[] = {{task->out, POLLIN, 0}, {task->err, POLLIN, 0}};
    char *into[] = {ret->out, ret->err};
    size_t used[2] = {read_file(task->out_path, ret->out), read_file(task->err_path, ret->err)};
    while (at[0].fd >= 0 || at[1].fd >= 0) {
        NEED("the job's output to end", poll(at, 2, WAIT_MS) > 0);
        for (int i = 0; i < 2; i++) {
            if (at[i].fd < 0 || at[i].revents == 0)
                continue;
            char spare[65536];
            size_t room = DRIVER_OUTPUT_MAX - 1 - used[i];
            ssize_t n = read(at[i].fd, room > 0 ? into[i] + used[i] : spare, room > 0 ? room : sizeof spare);
            if (n <= 0)
                at[i].fd = -1;
            else if (room > 0)
                used[i] += (size_t)n;
        }
    }
    ret->out_len = used[0];
    ret->out[used[0]] = ret->err[used[1]] = '\0';
}

static void read_record(struct task *task, struct ended *ret)
{
    driver_say(task, (struct keeper_message){.op = KEEPER_DRAINED});
    CLEANUP(close_p) int fd = open(task->exit_path, O_RDONLY | O_CLOEXEC);
    NEED("the exit record", fd_read_full(fd, &ret->record, sizeof ret->record) == (ssize_t)sizeof ret->record);
    NEED("a whole record", keeper_record_is_whole(&ret->record));
}

void driver_drain(struct task *task, struct ended *ret)
{
    memset(ret, 0, sizeof *ret);
    if (task->link < 0)
        NEED("link", driver_link(task, NULL));
    read_streams(task, ret);
    struct keeper_message m = {0};
    bool lost = false;
    while (m.op != KEEPER_ENDED && !lost) {
        struct pollfd at = {.fd = task->link, .events = POLLIN};
        NEED("the keeper's last word", poll(&at, 1, WAIT_MS) == 1);
        lost = fd_recv_packet(task->link, &m, sizeof m, NULL, NULL) <= 0;
    }
    if (!lost)
        read_record(task, ret);
}

void driver_end_all(struct driver *d, struct task *tasks, size_t count, struct ended *spare)
{
    for (size_t i = 0; i < count; i++)
        driver_drain(&tasks[i], spare);
    for (size_t i = 0; i < count; i++) {
        struct op_request request = {.version = OPS_VERSION, .kind = OP_REMOVE, .tag = ++d->tag, .id = tasks[i].id};
        NEED("send", fd_send_packet(d->sock, &request, sizeof request, NULL, 0) == 0);
    }
    for (size_t i = 0; i < count; i++) {
        struct op_reply reply;
        NEED("the warden's answer", fd_recv_packet(d->sock, &reply, sizeof reply, NULL, NULL) == (ssize_t)sizeof reply);
        NEED("remove", reply.kind == OP_REMOVE && reply.status == OP_DONE);
        driver_drop(&tasks[i]);
    }
}

void driver_end(struct driver *d, struct task *task, struct ended *ret)
{
    driver_drain(task, ret);
    struct op_reply reply = driver_remove(d, task->id);
    NEED("remove", reply.status == OP_DONE);
    ret->usage = reply.usage;
    if (ret->record.cause == END_NONE) /* as an agent has it */
        ret->record.cause = measured(reply.usage.oom_kills) > 0 ? END_OOM : END_KEEPER_LOST;
    driver_drop(task);
}

void driver_drop(struct task *task)
{
    close_p(&task->link);
    close_p(&task->out);
    close_p(&task->err);
    unlink(task->exit_path);
    unlink(task->control_path);
    unlink(task->out_path);
    unlink(task->err_path);
}

void driver_do(struct driver *d, const struct run *run, struct ended *ret)
{
    struct task task;
    if (driver_launch(d, run, &task) != OP_DONE) {
        fprintf(stderr, "driver: launch: status %u step %s: %s\n", task.launch.status, task.launch.step,
                strerror(task.launch.error));
        abort();
    }
    driver_end(d, &task, ret);
}
