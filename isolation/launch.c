#include "isolation/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/warden.h"

#define LAUNCH_TIME_US UINT64_C(10000000)

static struct op_reply reply_to(const struct launch *l, uint32_t status)
{
    return (struct op_reply){.version = OPS_VERSION, .kind = OP_LAUNCH, .status = status, .tag = l->request_tag,
                             .launch_us = warden_now_us() - l->began_us};
}

static void release(struct launch *l)
{
    close_p(&l->sock);
    close_p(&l->proc);
    l->state = LAUNCH_FREE;
}

static void fill_failure(struct op_reply *reply, enum launch_step step, int error)
{
    reply->error = error;
    snprintf(reply->step, sizeof reply->step, "%s", launch_step_name(step));
}

/* Something exists already: it goes before the agent hears of the failure. */
static void fail(struct warden *w, struct launch *l, enum launch_step step, int error)
{
    struct op_reply reply = reply_to(l, OP_FAILED);
    reply.id = l->attempt->id;
    fill_failure(&reply, step, error);
    char id[ATTEMPT_ID_TEXT_MAX];
    log_line(LOG_WARN, "launch.failed", "attempt=%s step=%s errno=%d error=%s", attempt_id_format(reply.id, id),
             reply.step, error, log_quote(strerror(error)));
    l->attempt->launching = false;
    release(l);
    warden_remove(w, l->attempt, &reply, l->generation);
}

/* --- the request ------------------------------------------------------------------------------------------------- */

static bool is_sealed_args(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS), want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    return seals >= 0 && (seals & want) == want && fstat(fd, &st) == 0 && st.st_size <= (off_t)ARGS_BYTES_MAX;
}

static bool is_writable_file(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY && (flags & (O_PATH | O_APPEND)) == 0 && fstat(fd, &st) == 0 &&
           S_ISREG(st.st_mode);
}

static bool socket_is(int fd, int option, int want)
{
    int value;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == want;
}

static bool is_listening_socket(int fd)
{
    return socket_is(fd, SO_DOMAIN, AF_UNIX) && socket_is(fd, SO_TYPE, SOCK_SEQPACKET) &&
           socket_is(fd, SO_ACCEPTCONN, 1);
}

/* What comes along for the filter. */
static bool is_filter(const struct filter_spec *filter, const int *fds)
{
    if (filter->kind == FILTER_GIVEN)
        return filter_is_sound(fds[LAUNCH_FD_SECCOMP]);
    return filter->kind != FILTER_TRACE || is_writable_file(fds[LAUNCH_FD_SECCOMP]);
}

/* The file for what the stager reports comes last. */
static int report_of(const struct sandbox_spec *spec, const int *fds)
{
    return fds[LAUNCH_FDS + filter_fds(&spec->filter)];
}

/* What comes along beside the five, and nothing else. */
static bool is_rest(const struct sandbox_spec *spec, const int *fds, size_t fds_count)
{
    bool reports = spec->stages != 0;
    return fds_count == LAUNCH_FDS + filter_fds(&spec->filter) + reports && is_filter(&spec->filter, fds) &&
           (!reports || is_writable_file(report_of(spec, fds)));
}

/* The filter above the floor. -1: the node has none of that name. Borrowed. */
static int filter_of(const struct warden *w, const struct filter_spec *filter, const int *fds)
{
    if (filter->kind == FILTER_GIVEN)
        return fds[LAUNCH_FD_SECCOMP];
    const char *name = filter->kind == FILTER_TRACE ? "trace" : filter->name;
    return filters_find(&w->filters, name[0] != '\0' ? name : FILTER_DEFAULT);
}

/* The first reason against it, before anything was made; STEP_NONE: go on, *ret_attempt has a slot. */
static enum op_status check_request(struct warden *w, const struct op_request *request, const int *fds,
                                    size_t fds_count, struct attempt **ret_attempt)
{
    struct err err = {0};
    if (sandbox_spec_check(&request->sandbox, &err) < 0) {
        log_line(LOG_WARN, "launch.refused", "error=%s", log_quote(err.text));
        return OP_BAD_REQUEST;
    }
    if (!is_sealed_args(fds[LAUNCH_FD_ARGS]) || !is_writable_file(fds[LAUNCH_FD_EXIT]) ||
        !is_listening_socket(fds[LAUNCH_FD_CONTROL]) || !is_writable_file(fds[LAUNCH_FD_OUT]) ||
        !is_writable_file(fds[LAUNCH_FD_ERR]) || !is_rest(&request->sandbox, fds, fds_count)) {
        log_line(LOG_WARN, "launch.refused", "error=\"what came along is not of the kind it must be\"");
        return OP_BAD_REQUEST;
    }
    if (attempts_find(&w->attempts, request->sandbox.id) != NULL)
        return OP_EXISTS;
    *ret_attempt = attempts_add(&w->attempts, request->sandbox.id);
    return *ret_attempt != NULL ? OP_DONE : OP_BUSY;
}

const char *launch_unable(const struct warden *w, const struct sandbox_limits *l)
{
    uint64_t lacks = sandbox_limits_need(l) & ~w->cg.able.features;
    for (uint32_t f = 0; f < FEATURE_COUNT; f++) {
        if ((lacks & FEATURE_BIT(f)) != 0)
            return names_get(&node_feature_names, f);
    }
    bool known = (uint64_t)l->devices >> w->cg.able.devices_count == 0;
    return known ? NULL : "devices";
}

static void refuse_limit(struct warden *w, const struct launch *refused, struct attempt_id id, const char *limit)
{
    struct op_reply reply = reply_to(refused, OP_FAILED);
    reply.id = id;
    reply.error = EOPNOTSUPP;
    snprintf(reply.step, sizeof reply.step, "limits.%s", limit);
    log_line(LOG_WARN, "launch.refused", "step=%s error=\"this node can't enforce it\"", reply.step);
    warden_ops_send(w, w->agent.generation, &reply);
}

static struct launch *free_flow(struct warden *w)
{
    for (int i = 0; i < LAUNCHES_MAX; i++) {
        if (w->launches[i].state == LAUNCH_FREE)
            return &w->launches[i];
    }
    return NULL;
}

/* --- outside: groups, the clone ---------------------------------------------------------------------------------- */

static int take_guarantee(struct warden *w, struct attempt *attempt, uint64_t bytes, struct err *err)
{
    int rc = cg_guarantee(&w->cg, bytes, true, err);
    if (rc == 0)
        attempt->guarantee = bytes;
    return rc;
}

/* The group to be born into; what it is promised is set aside. */
static int begin_groups(struct warden *w, const struct launch *l, const struct sandbox_spec *spec)
{
    struct err err = {0};
    int rc = warden_cpus_take(w, l->attempt, spec->limits.pinned_cpus, &err);
    rc = rc < 0 ? rc : take_guarantee(w, l->attempt, spec->limits.mem_min_bytes, &err);
    l->attempt->parts = cg_parts(&w->cg, spec);
    rc = rc < 0 ? rc : cg_make_leaf(&w->cg, l->attempt->group, &err);
    if (rc < 0)
        log_line(LOG_ERROR, "launch.cgroup", "error=%s", log_quote(err.text));
    return rc;
}

/* All the others, and every limit. */
static int finish_groups(struct warden *w, const struct launch *l, const struct sandbox_spec *spec)
{
    struct err err = {0};
    const struct cg_cpus *cpus = spec->limits.pinned_cpus > 0 ? &l->attempt->cpus : NULL;
    int rc = cg_make_rest(&w->cg, l->attempt->group, l->attempt->parts, &err);
    rc = rc < 0 ? rc : cg_limit(&w->cg, l->attempt->group, spec, cpus, &err);
    if (rc < 0)
        log_line(LOG_ERROR, "launch.cgroup", "error=%s", log_quote(err.text));
    return rc;
}

static uint32_t first_id(const struct warden *w, const struct launch *l)
{
    return w->options.uid_base + attempts_slot(&w->attempts, l->attempt) * SLOT_IDS;
}

/* What is to be mounted inside, in the order in which the sandbox takes it. Attached nowhere: closed is gone. */
struct launch_mounts {
    int fds[1 + JOB_VOLUMES_MAX];
    size_t count;
};

static void close_mounts(struct launch_mounts *m)
{
    for (size_t i = 0; i < m->count; i++)
        close_p(&m->fds[i]);
    m->count = 0;
}

/* STEP_NONE, or the step that failed, with *ret_rc and a line in the log. */
static enum launch_step open_mounts(struct warden *w, const struct launch *l, const struct root_spec *root,
                                    struct launch_mounts *m, int *ret_rc)
{
    struct err err = {0};
    int fd = 0;
    enum launch_step step = STEP_IMAGE;
    if (root->image[0] != '\0') {
        fd = images_take(&w->images, root, first_id(w, l), &l->attempt->image, &err);
        if (fd >= 0)
            m->fds[m->count++] = fd;
    }
    for (uint32_t i = 0; fd >= 0 && i < root->volumes_count; i++) {
        step = STEP_VOLUME;
        fd = volumes_take(&w->volumes, &root->volumes[i], first_id(w, l), &err);
        if (fd >= 0)
            m->fds[m->count++] = fd;
    }
    if (fd >= 0)
        return STEP_NONE;
    log_line(LOG_WARN, "launch.root", "error=%s", log_quote(err.text));
    *ret_rc = fd;
    return step;
}

/* Sends the clone request with everything the sandbox will own; our copies are closed. */
static int ask_zygote(struct warden *w, struct launch *l, const struct sandbox_spec *spec, const int *given,
                      const struct launch_mounts *mounts, const struct network_end *end)
{
    struct zygote_request request = {.magic = ZYGOTE_MAGIC, .tag = l->tag, .spec = *spec, .end = *end};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    l->sock = ends[0];
    CLEANUP(close_p) int inner = ends[1];
    CLEANUP(close_p) int leaf = cg_leaf_fd(&w->cg, l->attempt->group);
    if (leaf < 0 && leaf != -ENOENT)
        return leaf;
    int fds[ZYGOTE_FDS_MAX] = {[ZYGOTE_FD_LAUNCH] = inner,
                               [ZYGOTE_FD_ARGS] = given[LAUNCH_FD_ARGS],
                               [ZYGOTE_FD_EXIT] = given[LAUNCH_FD_EXIT],
                               [ZYGOTE_FD_CONTROL] = given[LAUNCH_FD_CONTROL],
                               [ZYGOTE_FD_OUT] = given[LAUNCH_FD_OUT],
                               [ZYGOTE_FD_ERR] = given[LAUNCH_FD_ERR],
                               [ZYGOTE_FD_FILTER] = filter_of(w, &spec->filter, given)};
    size_t count = ZYGOTE_FD_COUNT;
    if (leaf >= 0) {
        request.flags |= ZYGOTE_INTO_CGROUP;
        fds[count++] = leaf;
    }
    if (!w->cg.at[w->cg.of[CG_MEMORY]].v2)
        request.flags |= ZYGOTE_OOM_EVENT;
    if (spec->filter.kind == FILTER_TRACE) {
        request.flags |= ZYGOTE_TRACE;
        fds[count++] = given[LAUNCH_FD_SECCOMP];
    }
    if (spec->stages != 0)
        fds[count++] = report_of(spec, given);
    for (size_t i = 0; i < mounts->count; i++)
        fds[count++] = mounts->fds[i];
    return fd_send_packet(w->zygote, &request, sizeof request, fds, count);
}

void launch_begin(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    struct launch refused = {
        .request_tag = request->tag, .began_us = warden_now_us(), .generation = w->agent.generation};
    struct launch *l = free_flow(w);
    struct attempt *attempt = NULL;
    enum op_status status = l == NULL ? OP_BUSY : check_request(w, request, fds, fds_count, &attempt);
    if (status != OP_DONE) {
        struct op_reply reply = reply_to(&refused, status);
        reply.id = request->sandbox.id;
        fill_failure(&reply, status == OP_BUSY ? STEP_SLOT : STEP_REQUEST, status == OP_BUSY ? EAGAIN : EINVAL);
        warden_ops_send(w, w->agent.generation, &reply);
        return;
    }
    const char *limit = launch_unable(w, &request->sandbox.limits);
    if (limit != NULL) {
        attempts_drop(&w->attempts, attempt);
        refuse_limit(w, &refused, request->sandbox.id, limit);
        return;
    }
    *l = (struct launch){
        .state = LAUNCH_CLONING,
        .tag = ++w->next_tag,
        .request_tag = request->tag,
        .generation = w->agent.generation,
        .began_us = refused.began_us,
        .deadline_us = refused.began_us + LAUNCH_TIME_US,
        .attempt = attempt,
        .sock = -1,
        .proc = -1,
    };
    attempt->launching = true;
    if (filter_of(w, &request->sandbox.filter, fds) < 0) { /* the node lacks that profile */
        fail(w, l, STEP_SECCOMP, ENOENT);
        return;
    }
    int rc = begin_groups(w, l, &request->sandbox);
    if (rc < 0) {
        fail(w, l, STEP_CGROUP, -rc);
        return;
    }
    CLEANUP(close_mounts) struct launch_mounts mounts = {.count = 0};
    enum launch_step step = open_mounts(w, l, &request->sandbox.root, &mounts, &rc);
    struct network_end end = {0};
    if (step == STEP_NONE && request->sandbox.network == NET_PRIVATE) {
        rc = network_end(&w->network, attempts_slot(&w->attempts, attempt), &end);
        l->joins_network = end.address != 0;
        step = rc < 0 ? STEP_NETWORK : STEP_NONE;
    }
    if (step == STEP_NONE) {
        rc = ask_zygote(w, l, &request->sandbox, fds, &mounts, &end);
        step = STEP_CLONE;
    }
    if (rc < 0) {
        fail(w, l, step, -rc);
        return;
    }
    /* While the zygote clones. What it makes waits for "go", which it gets when every limit was read back. */
    rc = finish_groups(w, l, &request->sandbox);
    if (rc < 0)
        fail(w, l, STEP_CGROUP, -rc);
}

/* --- outside: ids, membership ------------------------------------------------------------------------------------ */

static struct launch *find_flow(struct warden *w, uint64_t tag)
{
    for (int i = 0; i < LAUNCHES_MAX; i++) {
        if (w->launches[i].state != LAUNCH_FREE && w->launches[i].tag == tag)
            return &w->launches[i];
    }
    return NULL;
}

/* The number could be another process's by now; a directory opened while the pidfd says "alive" is the right one. */
static int open_proc(pid_t pid, int pidfd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    CLEANUP(close_p) int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return -errno;
    struct pollfd alive = {.fd = pidfd, .events = POLLIN};
    int ended = poll(&alive, 1, 0);
    if (ended != 0)
        return ended < 0 ? -errno : -ESRCH;
    int fd = proc;
    proc = -1;
    return fd;
}

static int map_ids(struct warden *w, const struct launch *l)
{
    char text[48];
    snprintf(text, sizeof text, "0 %" PRIu32 " %u", first_id(w, l), SLOT_IDS);
    int rc = cg_file_write(l->proc, ".", "uid_map", text);
    return rc < 0 ? rc : cg_file_write(l->proc, ".", "gid_map", text);
}

static int join_network(struct warden *w, const struct launch *l)
{
    if (!l->joins_network)
        return 0;
    CLEANUP(close_p) int namespace = openat(l->proc, "ns/net", O_RDONLY | O_CLOEXEC);
    return namespace < 0 ? -errno : network_join(&w->network, first_id(w, l) / SLOT_IDS, namespace);
}

/* "Go", and what the keeper needs of its groups. */
static int say_go(struct warden *w, const struct launch *l)
{
    int fds[2 + CG_HIERARCHIES_MAX], oom = -1, event = -1;
    int rc = cg_oom_fds(&w->cg, l->attempt->group, &oom, &event);
    if (rc < 0)
        return rc;
    size_t count = 0;
    fds[count++] = oom;
    if (event >= 0)
        fds[count++] = event;
    int doors = cg_doors(&w->cg, l->attempt->group, l->attempt->parts, fds + count);
    count += (size_t)MAX(doors, 0);
    struct launch_word word = {.kind = LAUNCH_GO};
    rc = doors < 0 ? doors : fd_send_packet(l->sock, &word, sizeof word, fds, count);
    for (size_t i = 0; i < count; i++)
        close_p(&fds[i]);
    return rc;
}

static int say(const struct launch *l, uint32_t kind)
{
    struct launch_word word = {.kind = kind};
    return fd_send_packet(l->sock, &word, sizeof word, NULL, 0);
}

void launch_on_clone(struct warden *w, const struct zygote_reply *reply, int pidfd_given)
{
    CLEANUP(close_p) int pidfd = pidfd_given;
    struct launch *l = find_flow(w, reply->tag);
    if (l == NULL || l->state != LAUNCH_CLONING)
        return; /* its deadline came first; the group was killed */
    if (reply->error != 0 || pidfd < 0) {
        fail(w, l, STEP_CLONE, reply->error != 0 ? reply->error : EPROTO);
        return;
    }
    l->proc = open_proc(reply->pid, pidfd);
    l->attempt->keeper = pidfd;
    pidfd = -1;
    int rc = l->proc < 0 ? l->proc : map_ids(w, l);
    if (rc < 0) {
        fail(w, l, STEP_IDMAP, -rc);
        return;
    }
    rc = join_network(w, l);
    if (rc < 0) {
        fail(w, l, STEP_NETWORK, -rc);
        return;
    }
    rc = say_go(w, l);
    if (rc < 0) {
        fail(w, l, STEP_ATTACH, -rc);
        return;
    }
    l->state = LAUNCH_BUILDING;
}

/* Before it is let run a keeper says nothing but that it failed. Who has exited is in no group any more. */
static bool has_failed(const struct launch *l)
{
    struct pollfd word = {.fd = l->sock, .events = POLLIN};
    return poll(&word, 1, 0) > 0;
}

/* The payload was forked before this: it keeps the score that jobs have, and may not lower it. */
static void protect_keeper(struct warden *w, struct launch *l)
{
    int rc = cg_check_member(&w->cg, l->attempt->group, l->attempt->parts, l->proc);
    if (rc == -EXDEV && has_failed(l))
        rc = -ESRCH;
    if (rc < 0 && rc != -ESRCH) { /* it says that it moved itself in, and the kernel says that it didn't */
        fail(w, l, STEP_ATTACH, -rc);
        return;
    }
    rc = rc < 0 ? rc : cg_file_write(l->proc, ".", "oom_score_adj", w->cg.protect ? "-1000" : "0");
    rc = rc < 0 ? rc : say(l, LAUNCH_RUN);
    bool is_gone = rc == -ESRCH || rc == -EPIPE || rc == -ECONNRESET; /* why, lies unread in its socket */
    if (rc < 0 && !is_gone)
        fail(w, l, STEP_OOM, -rc);
    else
        l->state = LAUNCH_STARTING;
}

static void succeed(struct warden *w, struct launch *l)
{
    struct op_reply reply = reply_to(l, OP_DONE);
    reply.id = l->attempt->id;
    l->attempt->launching = false;
    uint32_t generation = l->generation;
    release(l);
    warden_ops_send(w, generation, &reply);
}

void launch_on_word(struct warden *w, struct launch *l)
{
    struct launch_word word;
    ssize_t n = fd_recv_packet(l->sock, &word, sizeof word, NULL, NULL);
    if (n < 0 && n != -EBADMSG)
        return; /* also ECONNRESET: what it said is still there, heard in the next turn, or not before the deadline */
    if (n != (ssize_t)sizeof word)
        fail(w, l, l->state == LAUNCH_CLONING ? STEP_CLONE : STEP_FORK, ECHILD);
    else if (word.kind == LAUNCH_READY && l->state == LAUNCH_BUILDING)
        protect_keeper(w, l);
    else if (word.kind == LAUNCH_STARTED && l->state == LAUNCH_STARTING)
        succeed(w, l);
    else if (word.kind == LAUNCH_FAILED)
        fail(w, l, (enum launch_step)MIN(word.step, STEP_COUNT - 1), word.error);
    else
        fail(w, l, STEP_REQUEST, EPROTO);
}

void launch_on_deadline(struct warden *w, struct launch *l)
{
    fail(w, l, STEP_TIMEOUT, ETIMEDOUT);
}
