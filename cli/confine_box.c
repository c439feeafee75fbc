/* The warden of one command, and everything that an agent would hold for it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/confine.h"
#include "cli/services.h"

#define WARDEN_SOCKET_FD 3
#define CLOSE_MS 15000 /* the warden gives up on a group after a second; reached only by a defect */
#define LOG_BYTES_MAX 65536

/* ---- the pieces ------------------------------------------------------------------------------------------- */

static int find_programs(struct box *b, struct err *err)
{
    static const char *const names[] = {"reeve-warden", "reeve-keeper"};
    char *const paths[] = {b->warden_path, b->keeper_path};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (service_find_program(names[i], paths[i], sizeof b->warden_path) < 0)
            return err_set(err, -ENOENT, "%s: program not found; build it or install it", names[i]);
    return 0;
}

static int make_name(struct box *b, struct err *err)
{
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, -EIO, "make a name: %s", strerror(errno));
    snprintf(b->group, sizeof b->group, "confine-%d-%08" PRIx32, (int)getpid(), random);
    return 0;
}

/* A file without a name, on no disk: gone with the last descriptor. */
static int make_memfd(const char *name, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? err_set(err, -errno, "memfd: %s", strerror(errno)) : fd;
}

/* The warden takes files that can only be written. */
static int write_only(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_WRONLY | O_CLOEXEC);
    return again < 0 ? -errno : again;
}

/* A folder that nobody else can reach or name, and that ends with this descriptor. */
static int make_hidden_folder(void)
{
    CLEANUP(close_p) int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* The keeper's door, and our foot in it before the keeper is born: the connection waits in the queue of the socket. */
static int make_door(struct box *b)
{
    CLEANUP(close_p) int folder = make_hidden_folder();
    if (folder < 0)
        return folder;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "/proc/self/fd/%d/control", folder);
    b->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    b->link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (b->control < 0 || b->link < 0 || bind(b->control, (struct sockaddr *)&name, sizeof name) < 0 ||
        listen(b->control, 1) < 0 || connect(b->link, (struct sockaddr *)&name, sizeof name) < 0)
        return -errno;
    return 0;
}

/* ---- the warden's process --------------------------------------------------------------------------------- */

/* On cgroup v2 alone, a warden needs a group that it doesn't share with us; systemd gives one. */
static bool needs_scope(void)
{
    struct statfs fs;
    return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC &&
           access("/run/systemd/system", F_OK) == 0;
}

/* The scope's words, the warden's own, then the node's. */
static char **warden_words(const struct box *b, const struct strs *options)
{
    static char socket_fd[8];
    snprintf(socket_fd, sizeof socket_fd, "%d", WARDEN_SOCKET_FD);
    char *warden = (char *)(uintptr_t)b->warden_path, *keeper = (char *)(uintptr_t)b->keeper_path;
    char *group = (char *)(uintptr_t)b->group;
    char *const own[] = {"systemd-run", "--scope", "--quiet", "--collect", "-p", "Delegate=yes", "--", warden, "--dir",
                         "/", "--cgroup", group, "--keeper", keeper, "--socket-fd", socket_fd, "--kill-on-exit",
                         "--at-root"}; /* without systemd our group is the shell's too */
    static char *all[COUNT_OF(own) + NODE_OPTION_WORDS_MAX + 1];
    size_t count = COUNT_OF(own);
    memcpy(all, own, sizeof own);
    for (size_t i = 0; options != NULL && i < options->count; i++)
        all[count++] = options->v[i];
    all[count] = NULL;
    return needs_scope() ? all : all + 7; /* from the warden's own name on */
}

static _Noreturn void become_warden(const struct box *b, const struct strs *options, int sock)
{
    char **argv = warden_words(b, options);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), high = fcntl(sock, F_DUPFD_CLOEXEC, 16),
        log = fcntl(b->log, F_DUPFD_CLOEXEC, 16);
    /* A session of its own: Ctrl-C of the terminal is for us, who pass it on. */
    if (setsid() < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(high, WARDEN_SOCKET_FD) < 0 ||
        close_range(WARDEN_SOCKET_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        _exit(127);
    execvp(argv[0], argv);
    dprintf(2, "reeve-warden: cannot run '%s': %s\n", argv[0], strerror(errno));
    _exit(127);
}

static int start_warden(struct box *b, const struct strs *options, struct err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_set(err, -errno, "socketpair: %s", strerror(errno));
    CLEANUP(close_p) int theirs = ends[1];
    b->sock = ends[0];
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "fork: %s", strerror(errno));
    if (pid == 0)
        become_warden(b, options, theirs);
    b->warden = pid;
    return 0;
}

int box_open(struct box *b, const struct strs *options, struct err *err)
{
    *b = (struct box){.sock = -1, .log = -1, .control = -1, .link = -1, .exit = -1, .out = -1, .err = -1,
                      .trace = -1};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int rc = find_programs(b, err);
    rc = rc < 0 ? rc : make_name(b, err);
    static const char *const names[] = {"log", "exit", "out", "err", "trace"};
    int *const files[] = {&b->log, &b->exit, &b->out, &b->err, &b->trace};
    for (size_t i = 0; i < COUNT_OF(files) && rc >= 0; i++)
        rc = *files[i] = make_memfd(names[i], err);
    if (rc >= 0 && (rc = make_door(b)) < 0)
        (void)err_set(err, rc, "the keeper's socket: %s", strerror(-rc));
    if (rc >= 0 && (rc = fcntl(b->log, F_SETFL, O_APPEND)) < 0)
        (void)err_set(err, rc = -errno, "the warden's log: %s", strerror(errno));
    return rc < 0 ? rc : start_warden(b, options, err);
}

/* Waits for its end: it has things to take down. */
static void wait_warden(struct box *b)
{
    CLEANUP(close_p) int pidfd = pidfd_open(b->warden, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0 && poll(&ended, 1, CLOSE_MS) == 0) {
        fprintf(stderr, "reeve: confine: the warden (pid %d) does not end; killed\n", (int)b->warden);
        kill(b->warden, SIGKILL);
    }
    int status = 0;
    while (waitpid(b->warden, &status, 0) < 0 && errno == EINTR)
        continue;
    b->warden = 0;
    b->crashed = status != 0;
}

/* It didn't come to its end, and what it made may still be there: the next of the same name takes that down. */
static void clean_up_behind(struct box *b)
{
    if (start_warden(b, NULL, NULL) < 0)
        return;
    close_p(&b->sock);
    wait_warden(b);
}

void box_close(struct box *b)
{
    int *const fds[] = {&b->link, &b->control, &b->sock};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close_p(fds[i]);
    if (b->warden > 0)
        wait_warden(b);
    if (b->crashed && b->tag > 0)
        clean_up_behind(b);
    while (waitpid(-1, NULL, WNOHANG) > 0) /* what a warden left that was killed: it became ours */
        continue;
    int *const files[] = {&b->log, &b->exit, &b->out, &b->err, &b->trace};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        close_p(files[i]);
}

/* ---- talking ---------------------------------------------------------------------------------------------- */

static int ask(struct box *b, struct op_request *request, const int *fds, size_t count, struct err *err)
{
    request->version = OPS_VERSION;
    request->tag = ++b->tag;
    int rc = fd_send_packet(b->sock, request, sizeof *request, fds, count);
    if (rc == -EPIPE || rc == -ECONNRESET)
        return 0; /* it is gone: why is heard where its answer would be */
    return rc < 0 ? err_set(err, rc, "ask the warden: %s", strerror(-rc)) : 0;
}

/* What comes along for the filter: nothing, the filter, or where a trace goes. */
static int along(const struct box *b, const struct filter_spec *filter, int given)
{
    return filter->kind == FILTER_TRACE ? write_only(b->trace) : fcntl(given, F_DUPFD_CLOEXEC, 0);
}

int box_launch(struct box *b, const struct sandbox_spec *spec, const struct buf *args, int filter, struct err *err)
{
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = OP_LAUNCH;
    request.sandbox = *spec;
    size_t count = LAUNCH_FDS + filter_fds(&spec->filter);
    int fds[LAUNCH_FDS_MAX] = {[LAUNCH_FD_ARGS] = memfd_sealed("args", args->data, args->len),
                               [LAUNCH_FD_EXIT] = write_only(b->exit),
                               [LAUNCH_FD_CONTROL] = b->control,
                               [LAUNCH_FD_OUT] = write_only(b->out),
                               [LAUNCH_FD_ERR] = write_only(b->err),
                               [LAUNCH_FD_SECCOMP] = count > LAUNCH_FDS ? along(b, &spec->filter, filter) : -1};
    b->control = -1; /* the keeper's alone: when it is gone, our connection ends */
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = fds[i] < 0 ? err_set(err, fds[i], "what a launch needs: %s", strerror(-fds[i])) : 0;
    rc = rc < 0 ? rc : ask(b, &request, fds, count, err);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close_p(&fds[i]);
    return rc;
}

int box_remove(struct box *b, struct attempt_id id, struct err *err)
{
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = OP_REMOVE;
    request.id = id;
    return ask(b, &request, NULL, 0, err);
}

/* It said nothing that was expected: `n` is what receiving gave. */
static int explain_silence(struct box *b, ssize_t n, struct err *err)
{
    if (n > 0)
        return err_set(err, -EPROTO, "the warden answers something else than what was asked");
    close_p(&b->sock);
    wait_warden(b); /* its last words are written when it has ended */
    CLEANUP(buf_fini) struct buf words = {0};
    box_last_words(b, &words);
    return err_set(err, -ECHILD, "%s", words.len > 0 ? buf_text(&words) : "the warden ended without a word");
}

int box_able(struct box *b, struct node_abilities *ret, struct err *err)
{
    struct op_request request;
    struct {
        struct op_reply reply;
        struct node_abilities able;
    } packet;
    memset(&request, 0, sizeof request);
    request.kind = OP_ABLE;
    int rc = ask(b, &request, NULL, 0, err);
    if (rc < 0)
        return rc;
    ssize_t n = fd_recv_packet(b->sock, &packet, sizeof packet, NULL, NULL);
    if (n != (ssize_t)sizeof packet || packet.reply.tag != b->tag || packet.reply.status != OP_DONE)
        return explain_silence(b, n, err);
    *ret = packet.able;
    return 0;
}

int box_hear(struct box *b, struct op_reply *ret, struct err *err)
{
    struct op_reply reply;
    ssize_t n = fd_recv_packet(b->sock, &reply, sizeof reply, NULL, NULL);
    if (n != (ssize_t)sizeof reply || reply.tag != b->tag)
        return explain_silence(b, n, err);
    *ret = reply;
    return 0;
}

int box_tell(struct box *b, struct keeper_message m)
{
    m.version = KEEPER_VERSION;
    return fd_send_packet(b->link, &m, sizeof m, NULL, 0);
}

int box_record(const struct box *b, struct keeper_record *ret)
{
    struct keeper_record record;
    ssize_t n = pread(b->exit, &record, sizeof record, 0);
    if (n != (ssize_t)sizeof record || !keeper_record_is_whole(&record))
        return -ENODATA;
    *ret = record;
    return 0;
}

/* ---- the warden's log ------------------------------------------------------------------------------------- */

/* The text of error=... or error="..." at the end of a log line. */
static size_t find_error(const char *line, const char **ret)
{
    const char *at = strstr(line, " error=");
    if (at == NULL)
        return 0;
    at += strlen(" error=");
    bool quoted = *at == '"';
    *ret = at + (quoted ? 1 : 0);
    return strcspn(*ret, quoted ? "\"" : " ");
}

/* A sentence of its own when it ended ("reeve-warden: ..."); else what its last warning or error says. */
void box_last_words(const struct box *b, struct buf *out)
{
    static char text[LOG_BYTES_MAX];
    ssize_t n = pread(b->log, text, sizeof text - 1, 0);
    text[MAX(n, 0)] = '\0';
    const char *best = "";
    size_t len = 0;
    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        const char *found;
        size_t found_len = find_error(line, &found);
        if (found_len > 0 &&
            (len == 0 || strstr(line, "launch.failed") == NULL)) /* that one knows no more than the errno */
            best = found, len = found_len;
        else if (strncmp(line, "reeve-warden: ", strlen("reeve-warden: ")) == 0)
            best = line, len = strlen(line);
    }
    buf_add(out, best, len);
}
