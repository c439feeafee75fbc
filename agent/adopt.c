/*
 * adopt - what an agent finds when it starts: the folders of its predecessor, keepers that lived on, groups nobody
 * knows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "agent/attempt.h"
#include "agent/core/launch_args.h"
#include "agent/folder.h"
#include "agent/metering.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"

struct found {
    struct attempt_id id;
    int64_t ended_s;
    uint64_t bytes;
};

static void adopt_order(struct attempt *t, struct run_call *order, struct life_found found)
{
    enum life_state state;
    enum life_event event;
    attempt_take_order(t, order);
    if (!life_resume(found, &state, &event))
        return;
    t->life = state;
    t->asked = found.asked;
    if (event == LIFE_EV_LAUNCHED)
        attempt_feed(t, event); /* its keeper answers, or its record does, or nobody */
    else if (event == LIFE_EV_VERDICT)
        attempt_verdict(t, END_NODE_LOST, "the node was restarted");
    else if (event == LIFE_EV_RECORDED)
        attempt_feed(t, event);
    else
        launch_queue(t);
}

/* Takes dir over. */
static int adopt_one(struct attempts *a, struct attempt_id id, int dir, bool rebooted)
{
    struct life_found found = {.rebooted = rebooted};
    folder_found(dir, &found);
    struct run_call *order = calloc(1, sizeof *order);
    if (order == NULL) {
        close_p(&dir);
        return -ENOMEM;
    }
    found.order = folder_read(dir, "order", &run_call_fields, order, NULL) == 0 && attempt_id_equal(order->id, id);
    if (!found.order) {
        fields_clear(&run_call_fields, order);
        free(order);
        close_p(&dir);
        return folder_remove(id, NULL);
    }
    struct attempt *t = attempt_new(a, id);
    if (t == NULL) {
        fields_clear(&run_call_fields, order);
        free(order);
        close_p(&dir);
        return -ENOSPC;
    }
    t->dir = dir;
    found.ended = folder_read(dir, "ended", &exit_record_fields, &t->record, NULL) == 0;
    t->verdict = found.ended;
    t->started_utc_us = t->record.started_utc_us;
    metering_restore(t);
    log_line(LOG_INFO, "attempt.found", "attempt=%s ended=%d asked=%d rebooted=%d", t->name, found.ended, found.asked,
             rebooted);
    adopt_order(t, order, found);
    return 0;
}

static int by_end(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return (x->ended_s > y->ended_s) - (x->ended_s < y->ended_s);
}

static void shelve_all(struct attempts *a, struct list *over)
{
    struct found *v = over->v;
    if (over->count > 1)
        qsort(v, over->count, sizeof *v, by_end);
    for (size_t i = 0; i < over->count; i++)
        attempts_shelve(a, v[i].id, MAX(v[i].bytes, UINT64_C(1)), v[i].ended_s);
    free(v);
}

static int look_at(struct attempts *a, struct attempt_id id, bool rebooted, struct list *over)
{
    int dir;
    struct life_found found = {0};
    int rc = folder_open(id, &dir);
    if (rc < 0)
        return rc;
    folder_found(dir, &found);
    if (!found.over)
        return adopt_one(a, id, dir, rebooted);
    struct found *one = list_add(over, sizeof *one);
    if (one != NULL) {
        one->id = id;
        one->bytes = folder_log_bytes(dir, &one->ended_s);
    }
    close_p(&dir);
    return one == NULL ? -ENOMEM : 0;
}

/* Groups without an attempt: their folder was wiped, or a kill came between an end and its removal. */
static void on_removed(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)owner;
    (void)token;
    (void)ids;
    char name[ATTEMPT_ID_TEXT_MAX];
    if (reply->status == OP_FAILED)
        log_line(LOG_WARN, "group.stays", "attempt=%s step=%s error=%s", attempt_id_format(reply->id, name),
                 log_quote(reply->step), log_quote(strerror(reply->error)));
}

static void on_listed(void *owner, uint64_t token, const struct op_reply *reply, const struct attempt_id *ids)
{
    (void)token;
    struct attempts *a = owner;
    for (uint32_t i = 0; reply->status == OP_DONE && i < reply->count; i++) {
        const struct roster_row *row = roster_find(a->roster, ids[i]);
        if (row != NULL && row->data != NULL)
            continue;
        char name[ATTEMPT_ID_TEXT_MAX];
        struct op_request request;
        memset(&request, 0, sizeof request);
        request.kind = OP_REMOVE;
        request.id = ids[i];
        log_line(LOG_WARN, "group.unknown", "attempt=%s", attempt_id_format(ids[i], name));
        if (warden_link_ask(a->with.warden, &request, NULL, 0, on_removed, a, 0) < 0)
            return; /* the next start asks again */
    }
}

static int list_groups(struct attempts *a, struct err *err)
{
    struct op_request request;
    memset(&request, 0, sizeof request);
    request.kind = OP_LIST;
    int rc = warden_link_ask(a->with.warden, &request, NULL, 0, on_listed, a, 0);
    return rc < 0 ? err_set(err, rc, "ask the warden for its groups: %s", strerror(-rc)) : 0;
}

int attempts_adopt(struct attempts *a, bool rebooted, struct err *err)
{
    struct list over = {0};
    DIR *folder = opendir(FOLDER_ROOT);
    if (folder == NULL)
        return err_set(err, -errno, "%s: %s", FOLDER_ROOT, strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct attempt_id id;
        if (entry->d_name[0] == '.' || attempt_id_parse(entry->d_name, &id) < 0)
            continue;
        int rc = look_at(a, id, rebooted, &over);
        if (rc < 0)
            log_line(LOG_WARN, "folder.skipped", "folder=%s error=%s", log_quote(entry->d_name),
                     log_quote(strerror(-rc)));
    }
    closedir(folder);
    shelve_all(a, &over);
    return list_groups(a, err);
}
