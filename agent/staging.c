#include "agent/staging.h"

#include <inttypes.h>
#include <string.h>

#include "agent/folder.h"
#include "base/hex.h"
#include "base/io/clock.h"
#include "base/parse.h"

/* ---- how far ---- */

static uint32_t part_of(const struct attempt *t)
{
    struct arbiter_standing standing;
    arbiter_standing(fair_arbiter(t->all->with.fair), t->tenant, &standing);
    return standing.part_ppm;
}

/* Since it was looked at last; a new phase begins at nothing. */
static uint64_t rate(struct attempt *t, const struct stage_report *r)
{
    uint64_t now = clock_boot_us(), since = now - t->staged_boot_us;
    bool same = t->staged_phase == r->phase && t->staged_boot_us != 0 && r->bytes >= t->staged_bytes && since > 0;
    uint64_t bps = same ? (r->bytes - t->staged_bytes) * 1000000 / since : 0;
    t->staged_phase = r->phase;
    t->staged_bytes = r->bytes;
    t->staged_boot_us = now;
    return bps;
}

void staging_look(struct attempt *t, struct stage_view *ret)
{
    struct stage_report r;
    if (!t->stages || t->dir < 0 || !folder_stage_read(t->dir, t->id, &r) ||
        (r.phase != STAGE_IN && r.phase != STAGE_BRINGS_OUT))
        return;
    *ret = (struct stage_view){.present = true, .out = r.phase == STAGE_BRINGS_OUT, .files = r.files,
                               .files_all = r.files_all, .bytes = r.bytes, .bytes_all = r.bytes_all,
                               .bytes_per_s = rate(t, &r), .part_ppm = part_of(t)};
}

/* ---- what came of it ---- */

/* Names of files are bytes: what no terminal should see, and no text can hold, is shown as \xNN. */
static void put_path(struct buf *out, const char *path)
{
    bool text = parse_utf8(path, strlen(path), NULL) == 0;
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;
        if (c < ' ' || c == 0x7f || (c >= 0x80 && !text))
            buf_addf(out, "\\x%02x", c);
        else
            buf_add(out, path, 1);
    }
}

/* "outputs[0]: '/tmp/out' can't be opened: No such file or directory". */
static void put_failure(struct buf *out, const struct stage_report *r, const struct stage_item *item)
{
    if (item != NULL)
        buf_addf(out, "%s[%" PRIu32 "]: ", (item->flags & STAGE_OUT) != 0 ? "outputs" : "inputs", item->index);
    if (r->path[0] != '\0') {
        buf_add_str(out, "'");
        put_path(out, r->path);
        buf_add_str(out, "' ");
    }
    buf_add_str(out, stage_why_says(r->why));
    if (r->error > 0)
        buf_addf(out, ": %s", strerror(r->error));
    if (stage_why_hint(r->why)[0] != '\0')
        buf_addf(out, "; %s", stage_why_hint(r->why));
}

/* Items lie in the order of the args: inputs, then outputs (agent/core/launch_args.h). */
static struct stage_item item_of(const struct job_spec *spec, uint32_t at)
{
    bool out = at >= spec->inputs.count;
    return (struct stage_item){.flags = out ? STAGE_OUT : 0,
                               .index = out ? at - (uint32_t)spec->inputs.count : at};
}

static void add_staged(struct attempt *t, const struct stage_result *r, const struct stage_item *item)
{
    CLEANUP(buf_fini) struct buf hex = {0};
    struct staged *to = r->done == 1 ? list_add(&t->record.staged, sizeof *to) : NULL;
    if (to == NULL)
        return; /* not done, or no memory to say so */
    *to = (struct staged){.out = (item->flags & STAGE_OUT) != 0, .index = item->index, .files = r->files,
                          .bytes = r->bytes};
    if (r->hashed != 1)
        return;
    hex_put(&hex, r->digest, sizeof r->digest);
    if (hex.failed || str_set(&to->sha256, buf_text(&hex)) < 0)
        to->sha256 = NULL;
}

static void take(struct attempt *t, const struct stage_report *r, const struct job_spec *spec)
{
    uint32_t all = (uint32_t)(spec->inputs.count + spec->outputs.count);
    for (uint32_t i = 0; i < MIN(all, r->items); i++) {
        struct stage_item item = item_of(spec, i);
        add_staged(t, &r->results[i], &item);
    }
    if (r->why == STAGE_WHY_NONE || t->record.detail != NULL)
        return;
    CLEANUP(buf_fini) struct buf text = {0};
    struct stage_item item = item_of(spec, r->about);
    put_failure(&text, r, r->about < all ? &item : NULL);
    if (text.failed || str_set(&t->record.detail, buf_text(&text)) < 0)
        t->record.detail = NULL; /* the cause says enough */
}

void staging_finish(struct attempt *t)
{
    struct stage_report r;
    struct run_call order = {0};
    if (!t->stages || t->dir < 0 || t->record.staged.count > 0 || !folder_stage_read(t->dir, t->id, &r))
        return;
    if (folder_read(t->dir, "order", &run_call_fields, &order, NULL) == 0)
        take(t, &r, &order.spec);
    fields_clear(&run_call_fields, &order);
}
