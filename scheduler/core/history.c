#include <string.h>

#include "base/resources.h"
#include "scheduler/core/state.h"

static struct past_attempt *past_new(const struct attempt_view *view, struct attempt_id id, struct node *node)
{
    struct buf bytes = {0};
    fields_encode(&attempt_view_fields, view, &bytes);
    size_t len = bytes.failed ? 0 : bytes.len;
    struct past_attempt *p = core_alloc(sizeof *p + len);
    *p = (struct past_attempt){.id = id, .node = node, .len = len};
    memcpy(p->bytes, buf_text(&bytes), len);
    buf_fini(&bytes);
    return p;
}

/* What is over is kept as bytes: it is looked at rarely and there may be a lot of it. */
void history_add(struct job *j, const struct attempt_view *view, struct attempt_id id, struct node *node)
{
    if (j->aside->history == NULL)
        job_aside(j)->history = core_alloc(sizeof *j->aside->history);
    struct history *h = j->aside->history;
    if (h->count == HISTORY_MAX) {
        free(h->v[h->first]);
        h->first = (h->first + 1) % h->size;
        h->count--;
    } else if (h->count == h->size) { /* most jobs have one attempt */
        h->size = h->size == 0 ? 1 : MIN(h->size * 4, (uint32_t)HISTORY_MAX);
        h->v = core_grow(h->v, h->size * sizeof h->v[0]);
    }
    h->v[(h->first + h->count++) % h->size] = past_new(view, id, node);
}

static const struct past_attempt *at(const struct history *h, uint32_t i) /* the oldest first */
{
    return h->v[(h->first + i) % h->size];
}

const struct past_attempt *history_find(const struct history *h, struct attempt_id id)
{
    for (uint32_t i = h != NULL ? h->count : 0; i-- > 0;) {
        const struct past_attempt *p = at(h, i);
        if (p->id.task == id.task && (id.epoch == 0 || p->id.epoch == id.epoch))
            return p;
    }
    return NULL;
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    for (uint32_t i = 0; i < h->count; i++)
        free(h->v[(h->first + i) % h->size]);
    free(h->v);
    free(h);
}

bool history_read(const struct past_attempt *p, struct attempt_view *ret)
{
    return p->len > 0 && fields_decode(&attempt_view_fields, p->bytes, p->len, ret, NULL) == 0;
}

void history_each(const struct history *h, void (*fn)(void *arg, struct attempt_view *view), void *arg)
{
    for (uint32_t i = 0; h != NULL && i < h->count; i++) {
        struct attempt_view view = {0};
        if (history_read(at(h, i), &view))
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

/* Bytes add up; of all else so much was had at a time, and what adds up is the time. */
static bool adds_up(const struct charge *line)
{
    return strcmp(line->resource, RESOURCE_IO) == 0;
}

static struct charge *line_before(struct list *to, const struct charge *next)
{
    for (size_t i = to->count; i-- > 0;) {
        struct charge *line = &((struct charge *)to->v)[i];
        if (strcmp(line->resource, next->resource) != 0)
            continue;
        bool follows = line->amount == next->amount && line->from_run_us + line->run_us == next->from_run_us;
        bool joins = line->price_version == next->price_version && line->price == next->price &&
                     line->by == next->by && (follows || adds_up(line));
        return joins ? line : NULL;
    }
    return NULL;
}

static void join(struct charge *line, const struct charge *next)
{
    line->micros += next->micros;
    if (adds_up(line)) { /* its lines overlap: each begins where its node had counted last */
        line->amount += next->amount;
        line->run_us = MAX(line->run_us, next->from_run_us + next->run_us - line->from_run_us);
    } else {
        line->run_us += next->run_us;
    }
}

void charges_join(struct list *to, const struct list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct charge *next = &((const struct charge *)from->v)[i];
        struct charge *line = line_before(to, next);
        if (line != NULL) {
            join(line, next);
            continue;
        }
        line = list_add(to, sizeof *line);
        BUG(line == NULL);
        int rc = fields_copy(&charge_fields, next, line);
        BUG(rc < 0);
    }
}
