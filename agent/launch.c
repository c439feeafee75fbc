/*
 * launch - from an order to a question to the warden; at most LAUNCHES_MAX at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/attempt.h"
#include "agent/core/launch_args.h"
#include "agent/folder.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/spec/step.h"

#define EXIT_NOT_RUN 126 /* as a shell has it */
#define BUSY_PAUSE_US UINT64_C(20000)

void launch_queue(struct attempt *t)
{
    struct queue *q = &t->all->launches;
    if (t->launch_queued)
        return;
    t->launch_queued = true;
    t->next_launch = NULL;
    if (q->first == NULL)
        q->first = t;
    else
        q->last->next_launch = t;
    q->last = t;
}

static struct attempt *take_first(struct queue *q)
{
    struct attempt *t = q->first;
    q->first = t->next_launch;
    t->next_launch = NULL;
    t->launch_queued = false;
    return t;
}

static bool older_is_alive(const struct attempt *t)
{
    const struct attempt *older = attempt_get(t->all, t->older);
    return older != NULL && older->life < LIFE_TELLING;
}

/* Without a fresh contact the order may be stale, and its lease would count from the wrong moment. */
static bool lease_is_fresh(const struct attempt *t, uint64_t now)
{
    uint64_t since = t->all->contact_boot_us;
    return since != 0 && now < since + t->lease_us;
}

void launch_pump(struct attempts *a)
{
    uint64_t now = clock_boot_us();
    if (now < a->launch_pause_boot_us) {
        timer_set_us(a->pump, a->launch_pause_boot_us - now);
        return;
    }
    uint32_t looked_at = 0, waiting = a->live;
    while (a->launches.first != NULL && a->launching < LAUNCHES_MAX && looked_at++ < waiting) {
        struct attempt *t = take_first(&a->launches);
        if (t->life != LIFE_ORDERED)
            continue; /* stopped while it waited */
        if (older_is_alive(t) || !lease_is_fresh(t, now))
            launch_queue(t);
        else
            attempt_feed(t, LIFE_EV_SLOT);
    }
}

static void failed(struct attempt *t, const char *step, const char *why)
{
    char detail[256];
    snprintf(detail, sizeof detail, "%s: %s", step, why);
    attempt_verdict(t, END_LAUNCH_FAILED, detail);
}

/* What it asked for can't be had: like a command that can't be run it costs the job, not the node. */
static void refuse(struct attempt *t, const char *step, const char *why)
{
    CLEANUP(close_p) int fd = folder_log_make(t->dir, STREAM_ERR);
    if (fd < 0 || dprintf(fd, "reeve: %s: %s\n", step, why) < 0)
        log_line(LOG_WARN, "launch.untold", "attempt=%s step=%s why=%s", t->name, step, log_quote(why));
    t->record.exit_code = EXIT_NOT_RUN;
    t->record.started_utc_us = clock_utc_us();
    attempt_verdict(t, END_EXIT, why);
}

static void try_later(struct attempt *t)
{
    folder_exit_drop(t->dir);
    t->asked = false;
    t->all->launch_pause_boot_us = clock_boot_us() + BUSY_PAUSE_US;
    attempt_feed(t, LIFE_EV_BUSY);
}

static void on_launched(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)ids;
    struct attempts *a = owner;
    a->launching--;
    struct attempt *t = attempt_get(a, token);
    if (t == NULL)
        return;
    if (reply->status == OP_DONE) {
        fields_clear(&run_call_fields, t->order);
        free(TAKE_PTR(t->order));
        t->account = (struct io_account){.began = true}; /* a new group: its counts begin with nothing */
        follow_look(t); /* before what it may end */
        attempt_feed(t, LIFE_EV_LAUNCHED);
    } else if (reply->status == OP_BUSY) {
        try_later(t);
    } else if (reply->status == OP_EXISTS) {
        failed(t, reply->step, "the warden has groups of this attempt already");
    } else if (reply->status == OP_BAD_REQUEST) {
        failed(t, reply->step, "the warden refused the request");
    } else if (launch_step_blames_job(launch_step_find(reply->step), reply->error)) {
        refuse(t, launch_step_name(STEP_VOLUME), "its place is no folder of the root, and none can be made there");
    } else {
        failed(t, reply->step, reply->error == 0 ? "failed" : strerror(reply->error));
    }
}

/* What goes along. Opened ones are closed by the caller on failure. */
static int open_parts(struct attempt *t, const struct sandbox_spec *spec, int given, int fds[LAUNCH_FDS_MAX],
                      struct err *err)
{
    const struct filter_spec *filter = &spec->filter;
    CLEANUP(buf_fini) struct buf args = {0};
    int rc = launch_args(t->order, &args, err);
    if (rc < 0)
        return rc;
    const struct {
        enum launch_fd which;
        const char *name;
        int fd;
    } parts[] = {
        {LAUNCH_FD_ARGS, "args", memfd_sealed("reeve-args", args.data, args.len)},
        {LAUNCH_FD_EXIT, "exit", folder_exit_make(t->dir)},
        {LAUNCH_FD_CONTROL, "control", folder_listen(t->id)},
        {LAUNCH_FD_OUT, "out", folder_log_make(t->dir, STREAM_OUT)},
        {LAUNCH_FD_ERR, "err", folder_log_make(t->dir, STREAM_ERR)},
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        fds[parts[i].which] = parts[i].fd;
        if (parts[i].fd < 0 && rc == 0)
            rc = err_set(err, parts[i].fd, "%s: %s", parts[i].name, strerror(-parts[i].fd));
    }
    if (rc == 0 && filter->kind != FILTER_NAMED) {
        bool traced = filter->kind == FILTER_TRACE;
        int fd = traced ? folder_log_make(t->dir, STREAM_SECCOMP) : fcntl(given, F_DUPFD_CLOEXEC, 0);
        fds[LAUNCH_FD_SECCOMP] = fd;
        rc = fd >= 0 ? 0 : err_set(err, -errno, "seccomp: %s", strerror(errno));
    }
    if (rc == 0 && spec->stages != 0) {
        int fd = fds[LAUNCH_FDS + filter_fds(filter)] = folder_stage_make(t->dir);
        rc = fd >= 0 ? 0 : err_set(err, fd, "stage: %s", strerror(-fd));
    }
    return rc;
}

/* `filter`: of a job that brought its profile; else -1. Borrowed. */
static void launch_with(struct attempt *t, int filter)
{
    struct attempts *a = t->all;
    uint64_t left_us = a->contact_boot_us + t->lease_us - clock_boot_us();
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = OP_LAUNCH;
    request.id = t->id;
    int fds[LAUNCH_FDS_MAX] = {-1, -1, -1, -1, -1, -1, -1};
    struct err err = {0};
    t->order->paid_us = MAX(t->order->paid_us, t->paid_us);
    t->order->at_paid_end = t->pauses ? PAID_END_PAUSE : PAID_END_STOP;
    int rc = launch_sandbox(t->order, left_us, a->with.able, &request.sandbox, &err);
    follow_limit(t, &request.sandbox.limits);
    if (rc == 0)
        rc = open_parts(t, &request.sandbox, filter, fds, &err);
    if (rc < 0) {
        for (size_t i = 0; i < COUNT_OF(fds); i++)
            close_p(&fds[i]);
        failed(t, "order", err_text(&err));
        return;
    }
    t->paid_us = request.sandbox.paid_us;
    t->paid_due = t->signal_us != 0 || t->suspends != 0;
    t->lease_said_boot_us = a->contact_boot_us + t->lease_us;
    t->asked = true;
    t->follows = a->followed;
    a->launching++;
    size_t count = LAUNCH_FDS + filter_fds(&request.sandbox.filter) + (request.sandbox.stages != 0);
    rc = warden_link_ask(a->with.warden, &request, fds, count, on_launched, a, t->handle);
    if (rc < 0) {
        a->launching--;
        try_later(t);
    }
}

static void on_compiled(void *owner, uint64_t token, int fd, const char *why)
{
    struct attempts *a = owner;
    a->launching--;
    struct attempt *t = attempt_get(a, token);
    if (t == NULL || t->life != LIFE_LAUNCHING)
        return;
    if (fd >= 0)
        launch_with(t, fd);
    else if (fd == -EINVAL)
        refuse(t, "seccomp", why);
    else
        failed(t, "seccomp", why);
}

void launch_start(struct attempt *t)
{
    struct attempts *a = t->all;
    const char *profile = job_spec_seccomp(&t->order->spec);
    if (profile == NULL || strcmp(profile, SECCOMP_INLINE) != 0) {
        launch_with(t, -1);
        return;
    }
    a->launching++;
    int rc = profiles_compile(a->profiles, t->order->spec.seccomp, on_compiled, a, t->handle);
    if (rc < 0) {
        a->launching--;
        try_later(t);
    }
}
