/* Maintenance windows in the books: what may be placed on a node that closes, and who may be stopped for it. */
#include <string.h>

#include "tests/sim/books_state.h"

static struct fact_window *find(struct books *b, uint64_t number)
{
    for (size_t i = 0; i < b->windows.count; i++)
        if (((struct fact_window *)b->windows.v)[i].window == number)
            return &((struct fact_window *)b->windows.v)[i];
    return NULL;
}

void book_window_set(struct books *b, const struct fact *f)
{
    struct fact_window *w = find(b, f->window.window);
    if (w == NULL)
        w = list_add(&b->windows, sizeof *w);
    else
        fields_clear(&window_fields, w);
    if (w == NULL || fields_copy(&window_fields, &f->window, w) < 0)
        abort();
}

void book_window_dropped(struct books *b, const struct fact *f)
{
    struct fact_window *w = find(b, f->window_dropped.window);
    const struct fact_window *last = &((struct fact_window *)b->windows.v)[b->windows.count - 1];
    if (w == NULL)
        return;
    fields_clear(&window_fields, w);
    memmove(w, w + 1, (size_t)((const char *)last - (const char *)w));
    b->windows.count--;
}

void book_windows_free(struct books *b)
{
    for (size_t i = 0; i < b->windows.count; i++)
        fields_clear(&window_fields, &((struct fact_window *)b->windows.v)[i]);
    free(b->windows.v);
}

/* By labels a world closes zone a only: every other node, the first one first. */
static bool closes(const struct fact_window *w, const char *node)
{
    bool named = w->cell || (w->where != NULL && strtoul(node + 1, NULL, 10) % 2 == 1);
    for (size_t i = 0; i < w->nodes.count; i++)
        named |= strcmp(w->nodes.v[i], node) == 0;
    return named;
}

bool book_windows_allow(const struct books *b, const char *node, const struct book_job *j, int64_t at_utc_us)
{
    uint64_t stop_us = b->rules.grace_us + b->rules.kill_us;
    uint64_t clear_us = j->limit_us != 0   ? j->limit_us + stop_us
                        : j->preemptible ? WORLD_MIN_RUN_MS * 1000 + stop_us
                                         : b->rules.horizon_us;
    bool may = true;
    for (size_t i = 0; i < b->windows.count; i++) {
        const struct fact_window *w = &((const struct fact_window *)b->windows.v)[i];
        may &= !closes(w, node) || at_utc_us + (int64_t)clear_us <= w->from_utc_us;
    }
    return may;
}

bool book_windows_stop(const struct books *b, const char *node, const struct book_job *j, int64_t at_utc_us)
{
    int64_t early_us = (int64_t)(b->rules.grace_us + b->rules.kill_us);
    bool may = false;
    for (size_t i = 0; i < b->windows.count; i++) {
        const struct fact_window *w = &((const struct fact_window *)b->windows.v)[i];
        may |= closes(w, node) && at_utc_us >= w->from_utc_us - early_us &&
               (w->at_begin == WINDOW_STOPS || j->preemptible);
    }
    return may;
}
