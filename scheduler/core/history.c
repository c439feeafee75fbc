#include <string.h>

#include "scheduler/core/state.h"

/* What is over is kept as bytes: it is looked at rarely and there may be a lot of it. */
void history_add(struct job *j, const struct attempt_view *view, struct attempt_id id, struct node *node)
{
    if (j->aside->history == NULL)
        job_aside(j)->history = core_alloc(sizeof *j->aside->history);
    struct history *h = j->aside->history;
    uint32_t at = (h->first + h->count) % HISTORY_MAX;
    if (h->count == HISTORY_MAX) {
        free(h->v[at].data);
        h->first = (h->first + 1) % HISTORY_MAX;
    } else {
        h->count++;
    }
    struct buf bytes = {0};
    fields_encode(&attempt_view_fields, view, &bytes);
    size_t len = bytes.len;
    h->v[at] = (struct bytes){.data = (uint8_t *)buf_take(&bytes), .len = len};
    h->ids[at] = id;
    h->nodes[at] = node;
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < HISTORY_MAX; i++)
        free(h->v[i].data);
    free(h);
}

void history_each(const struct history *h, void (*fn)(void *arg, struct attempt_view *view), void *arg)
{
    for (uint32_t i = 0; h != NULL && i < h->count; i++) {
        const struct bytes *b = &h->v[(h->first + i) % HISTORY_MAX];
        struct attempt_view view = {0};
        if (b->data != NULL && fields_decode(&attempt_view_fields, b->data, b->len, &view, NULL) == 0)
            fn(arg, &view);
        fields_clear(&attempt_view_fields, &view);
    }
}

void charges_clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        fields_clear(&charge_fields, &((struct charge *)l->v)[i]);
    free(l->v);
    *l = (struct list){0};
}

void marks_clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        fields_clear(&meter_mark_fields, &((struct meter_mark *)l->v)[i]);
    free(l->v);
    *l = (struct list){0};
}

void marks_set(struct list *to, const struct list *from)
{
    marks_clear(to);
    for (size_t i = 0; i < from->count; i++) {
        struct meter_mark *mark = list_add(to, sizeof *mark);
        BUG(mark == NULL);
        int rc = fields_copy(&meter_mark_fields, &((const struct meter_mark *)from->v)[i], mark);
        BUG(rc < 0);
    }
}

static struct charge *line_before(struct list *to, const struct charge *next)
{
    for (size_t i = to->count; i-- > 0;) {
        struct charge *line = &((struct charge *)to->v)[i];
        if (strcmp(line->resource, next->resource) != 0)
            continue;
        bool joins = line->price_version == next->price_version && line->amount == next->amount &&
                     line->price == next->price && line->by == next->by &&
                     line->from_run_us + line->run_us == next->from_run_us;
        return joins ? line : NULL;
    }
    return NULL;
}

void charges_join(struct list *to, const struct list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct charge *next = &((const struct charge *)from->v)[i];
        struct charge *line = line_before(to, next);
        if (line != NULL) {
            line->run_us += next->run_us;
            line->micros += next->micros;
            continue;
        }
        line = list_add(to, sizeof *line);
        BUG(line == NULL);
        int rc = fields_copy(&charge_fields, next, line);
        BUG(rc < 0);
    }
}
