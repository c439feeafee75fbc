#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/spec/step.h"
#include "isolation/warden.h"

#define REMOVE_TIME_US UINT64_C(1000000)
#define KILL_AGAIN_US UINT64_C(50000)
#define LOOK_AGAIN_US UINT64_C(1000) /* v1 without a cgroup2 mount, or empty and still busy: no event tells */

static void send_packet(struct warden *w, const void *bytes, size_t size)
{
    int rc = fd_send_packet(w->agent.sock, bytes, size, NULL, 0);
    if (rc < 0)
        warden_agent_lost(w, rc == -EAGAIN ? "it does not read its answers" : strerror(-rc));
}

void warden_ops_send(struct warden *w, uint32_t generation, const struct op_reply *reply)
{
    if (w->agent.sock >= 0 && generation == w->agent.generation)
        send_packet(w, reply, sizeof *reply);
}

static struct op_reply reply_to(const struct op_request *request, uint32_t status)
{
    return (struct op_reply){.version = OPS_VERSION, .kind = request->kind, .status = status, .tag = request->tag,
                             .id = request->id};
}

static void answer(struct warden *w, const struct op_request *request, uint32_t status)
{
    struct op_reply reply = reply_to(request, status);
    warden_ops_send(w, w->agent.generation, &reply);
}

/* --- removal ----------------------------------------------------------------------------------------------------- */

void warden_remove(struct warden *w, struct attempt *attempt, const struct op_reply *reply, uint32_t generation)
{
    attempt->removal = (struct removal){
        .active = true,
        .give_up_us = warden_now_us() + REMOVE_TIME_US,
        .generation = generation,
        .events = cg_events_fd(&w->cg, attempt->group),
        .reply = *reply,
    };
    struct epoll_event changed = {.events = EPOLLPRI, .data.u32 = attempts_slot(&w->attempts, attempt)};
    struct epoll_event died = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = changed.data.u32};
    if (attempt->removal.events >= 0)
        epoll_ctl(w->removals, EPOLL_CTL_ADD, attempt->removal.events, &changed); /* else it is looked after by time */
    /* The kernel tells of a group's change at most every 10 ms (cgroup_file_notify): a short job's end would wait. */
    if (attempt->keeper >= 0)
        epoll_ctl(w->removals, EPOLL_CTL_ADD, attempt->keeper, &died);
}

void warden_forget(struct warden *w, struct attempt *attempt)
{
    struct err err = {0};
    if (cg_guarantee(&w->cg, attempt->guarantee, false, &err) < 0)
        log_line(LOG_WARN, "guarantee", "error=%s", log_quote(err.text));
    images_release(&w->images, attempt->image);
    network_leave(&w->network, w->options.uid_base / SLOT_IDS + attempts_slot(&w->attempts, attempt));
    warden_cpus_give_back(w, attempt);
    attempts_drop(&w->attempts, attempt);
}

static void finish_removal(struct warden *w, struct attempt *attempt)
{
    close_p(&attempt->removal.events);
    struct removal done = attempt->removal;
    warden_forget(w, attempt);
    warden_ops_send(w, done.generation, &done.reply);
}

static void give_up(struct warden *w, struct attempt *attempt)
{
    close_p(&attempt->removal.events);
    epoll_ctl(w->removals, EPOLL_CTL_DEL, attempt->keeper, NULL); /* not there: fine */
    struct removal late = attempt->removal;
    attempt->removal.active = false; /* the groups stay, and with them the slot; the agent may ask again */
    if (late.reply.kind == OP_REMOVE)
        late.reply.status = OP_BUSY;
    log_line(LOG_ERROR, "remove.busy", "group=%s", attempt->group);
    warden_ops_send(w, late.generation, &late.reply);
}

/* Kills, and says so again until the group is empty; then reads and removes. */
static void advance(struct warden *w, struct attempt *attempt)
{
    struct removal *r = &attempt->removal;
    bool empty = cg_is_empty(&w->cg, attempt->group, r->events);
    if (empty && r->usage_wanted) {
        cg_usage(&w->cg, attempt->group, &r->reply.usage);
        r->usage_wanted = false; /* what is empty counts no further: these are the last words */
    }
    if (empty && cg_remove(&w->cg, attempt->group) == 0)
        finish_removal(w, attempt);
    else if (warden_now_us() >= r->give_up_us)
        give_up(w, attempt);
    else if (!empty)
        (void)!cg_kill(&w->cg, attempt->group);
    r->due_us = warden_now_us() + (empty || r->events < 0 ? LOOK_AGAIN_US : KILL_AGAIN_US);
}

void warden_removals_hear(struct warden *w)
{
    struct epoll_event heard[64];
    int count = epoll_wait(w->removals, heard, COUNT_OF(heard), 0);
    for (int i = 0; i < count; i++)
        w->attempts.at[heard[i].data.u32].removal.due_us = 0;
}

uint64_t warden_removals_advance(struct warden *w)
{
    uint64_t now = warden_now_us(), next = UINT64_MAX;
    for (uint32_t i = 0; i < w->attempts.top; i++) {
        struct attempt *attempt = &w->attempts.at[i];
        if (attempt->used && attempt->removal.active && attempt->removal.due_us <= now)
            advance(w, attempt);
        if (attempt->used && attempt->removal.active)
            next = MIN(next, attempt->removal.due_us);
    }
    return next;
}

/* --- operations -------------------------------------------------------------------------------------------------- */

static void on_launch(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    launch_begin(w, request, fds, fds_count);
}

static void on_read(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    (void)fds, (void)fds_count;
    const struct attempt *attempt = attempts_find(&w->attempts, request->id);
    struct op_reply reply = reply_to(request, attempt != NULL ? OP_DONE : OP_GONE);
    if (attempt != NULL)
        ((request->flags & OP_IO_ALONE) != 0 ? cg_io_usage : cg_usage)(&w->cg, attempt->group, &reply.usage);
    warden_ops_send(w, w->agent.generation, &reply);
}

static void on_remove(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    (void)fds, (void)fds_count;
    struct attempt *attempt = attempts_find(&w->attempts, request->id);
    if (attempt == NULL) {
        answer(w, request, OP_GONE);
    } else if (attempt->launching || attempt->removal.active) {
        answer(w, request, OP_BUSY);
    } else {
        struct op_reply reply = reply_to(request, OP_DONE);
        warden_remove(w, attempt, &reply, w->agent.generation);
        attempt->removal.usage_wanted = (request->flags & OP_USAGE_IS_KNOWN) == 0;
    }
}

static void on_freeze(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    (void)fds, (void)fds_count;
    struct attempt *attempt = attempts_find(&w->attempts, request->id);
    struct op_reply reply = reply_to(request, attempt == NULL ? OP_GONE : OP_BUSY);
    if (attempt != NULL && !attempt->launching && !attempt->removal.active)
        reply.status = request->kind == OP_FREEZE
                           ? warden_freeze(w, attempt, request->until_boot_us, &reply.error)
                           : warden_thaw(w, attempt, &reply.error);
    warden_ops_send(w, w->agent.generation, &reply);
}

static void on_limit(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    (void)fds, (void)fds_count;
    const struct sandbox_limits *asked = &request->sandbox.limits, io = sandbox_limits_io(asked);
    struct attempt *attempt = attempts_find(&w->attempts, request->id);
    struct err err = {0};
    if (memcmp(asked, &io, sizeof io) != 0 || sandbox_limits_check(&io, 0, 0, &err) < 0) {
        answer(w, request, OP_BAD_REQUEST);
        return;
    }
    struct op_reply reply = reply_to(request, attempt == NULL ? OP_GONE : OP_BUSY);
    if (attempt != NULL && !attempt->launching && !attempt->removal.active) {
        const char *unable = launch_unable(w, &io);
        snprintf(reply.step, sizeof reply.step, "limits.%s", unable != NULL ? unable : "io");
        int rc = unable != NULL ? -EOPNOTSUPP : cg_limit_io(&w->cg, attempt->group, &io, &err);
        reply.status = rc < 0 ? OP_FAILED : OP_DONE;
        reply.error = rc < 0 ? -rc : 0;
        if (rc < 0)
            log_line(LOG_ERROR, "limit", "group=%s step=%s error=%s", attempt->group, reply.step,
                     log_quote(err.text[0] != '\0' ? err.text : "this node can't enforce it"));
    }
    warden_ops_send(w, w->agent.generation, &reply);
}

static void on_able(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    (void)fds, (void)fds_count;
    struct {
        struct op_reply reply;
        struct node_abilities able;
    } packet = {reply_to(request, OP_DONE), w->cg.able};
    images_offer(&w->images, &packet.able.root);
    volumes_offer(&w->volumes, &packet.able.root);
    for (size_t i = FILTERS_OWN; i < w->filters.count; i++)
        memcpy(packet.able.profiles[packet.able.profiles_count++], w->filters.at[i].name, FILTER_NAME_MAX + 1);
    send_packet(w, &packet, sizeof packet);
}

static void on_list(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    (void)fds, (void)fds_count;
    struct {
        struct op_reply reply;
        struct attempt_id ids[OPS_LIST_MAX];
    } packet = {.reply = reply_to(request, OP_DONE)};
    for (uint32_t i = 0; i < w->attempts.top; i++) {
        const struct attempt *attempt = &w->attempts.at[i];
        if (attempt->used && !attempt->launching && !attempt->removal.active)
            packet.ids[packet.reply.count++] = attempt->id;
        bool last = i + 1 == w->attempts.top;
        if (packet.reply.count == OPS_LIST_MAX || (last && packet.reply.count > 0)) {
            send_packet(w, &packet, sizeof packet.reply + packet.reply.count * sizeof packet.ids[0]);
            packet.reply.count = 0;
            if (w->agent.sock < 0)
                return;
        }
    }
    warden_ops_send(w, w->agent.generation, &packet.reply);
}

static const struct op_row {
    uint32_t kind;
    size_t fds, fds_most;
    void (*run)(struct warden *w, const struct op_request *request, int *fds, size_t fds_count);
} ops[] = {
    {OP_LAUNCH, LAUNCH_FDS, LAUNCH_FDS_MAX, on_launch},
    {OP_READ, 0, 0, on_read},
    {OP_REMOVE, 0, 0, on_remove},
    {OP_LIST, 0, 0, on_list},
    {OP_FREEZE, 0, 0, on_freeze},
    {OP_THAW, 0, 0, on_freeze},
    {OP_ABLE, 0, 0, on_able},
    {OP_LIMIT, 0, 0, on_limit},
};

static void dispatch(struct warden *w, const struct op_request *request, int *fds, size_t fds_count)
{
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (request->version == OPS_VERSION && ops[i].kind == request->kind && ops[i].fds <= fds_count &&
            fds_count <= ops[i].fds_most) {
            ops[i].run(w, request, fds, fds_count);
            return;
        }
    }
    answer(w, request, OP_BAD_REQUEST);
}

void warden_ops_read(struct warden *w)
{
    struct op_request request = {0};
    int fds[FD_PACKET_MAX];
    size_t count = COUNT_OF(fds);
    ssize_t n = fd_recv_packet(w->agent.sock, &request, sizeof request, fds, &count);
    if (n == 0 || (n < 0 && n != -EBADMSG)) {
        warden_agent_lost(w, n == 0 ? "it closed its socket" : strerror((int)-n));
        return;
    }
    if (n == -EBADMSG) /* longer than any request of ours, or too many fds: there is no tag to answer to */
        count = 0;
    if (n == (ssize_t)sizeof request)
        dispatch(w, &request, fds, count);
    else
        answer(w, &request, OP_BAD_REQUEST);
    for (size_t i = 0; i < count; i++)
        close_p(&fds[i]);
}
