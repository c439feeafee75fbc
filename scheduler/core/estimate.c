#include "scheduler/core/estimate.h"

#include "base/parse.h"
#include "scheduler/core/reserve.h"

#define SECOND_US INT64_C(1000000)
#define NEW_US INT64_C(100000) /* in which ESTIMATES_NEW_MAX submissions get one */

/* Full seconds, not sooner than that. */
static const char *at_words(int64_t utc_us, char out[PARSE_TEXT_MAX])
{
    return format_time((utc_us + SECOND_US - 1) / SECOND_US * SECOND_US, out);
}

struct estimate estimate_start(const struct core *c, const struct shape *s, int64_t utc_us)
{
    struct estimate e = {.next = true};
    const struct node *early;
    bool kept;
    e.from_utc_us = reserve_earliest(c, s, utc_us, true, &early, &kept);
    e.to_utc_us = reserve_earliest(c, s, utc_us, false, &e.node, &e.kept);
    e.far = e.to_utc_us - utc_us >= (int64_t)c->limits.horizon_ms * 1000 / 2;
    return e;
}

bool estimate_may_answer(struct core *c, int64_t utc_us)
{
    if (utc_us >= c->estimates_utc_us + NEW_US || utc_us < c->estimates_utc_us) {
        c->estimates_utc_us = utc_us;
        c->estimates = 0;
    }
    bool may = c->estimates < ESTIMATES_NEW_MAX;
    c->estimates += may;
    return may;
}

bool estimate_is_next(const struct job *j)
{
    const struct shape *s = j->shape;
    const struct entry *first = s != NULL ? queue_first(s) : NULL;
    return first != NULL && entry_job(first) == j && (s->blocked_at != NULL || heap_top(&s->tenant->shapes) == s);
}

bool estimate_is_known(const struct estimate *e)
{
    return e->node != NULL && !e->far;
}

char *estimate_words(const struct estimate *e, const struct job *j)
{
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    const char *more = j->gang_min > 1 ? " and others" : "";
    const char *whose = e->kept ? "which is kept for it" : "if nobody goes first";
    if (e->node == NULL)
        return text_of("not known: nothing that runs where it fits has an end that can be counted on");
    if (!e->next)
        return text_of("not before %s: others of %s go first", at_words(e->from_utc_us, from), j->tenant);
    if (e->far)
        return text_of("not known: what runs where it fits may run on for days, or has no time limit");
    if (e->to_utc_us - e->from_utc_us < SECOND_US)
        return text_of("at %s, on %s%s, %s", at_words(e->to_utc_us, to), e->node->name, more, whose);
    return text_of("between %s and %s, on %s%s, %s", at_words(e->from_utc_us, from), at_words(e->to_utc_us, to),
                   e->node->name, more, whose);
}

char *estimate_first_end(const struct core *c, const struct job *j, int64_t utc_us)
{
    int64_t soonest = INT64_MAX;
    uint64_t job = 0;
    for (size_t i = 0; i < c->nodes_count; i++)
        for (const struct task *t = c->nodes[i]->tasks; t != NULL; t = t->node_next) {
            uint64_t limit_us = t->job->shape->limit_us;
            if ((j != NULL && t->job != j) || t->started_utc_us == 0 || limit_us == 0)
                continue;
            int64_t end = t->started_utc_us + (int64_t)limit_us;
            if (end < soonest || (end == soonest && t->job->id < job)) {
                soonest = end;
                job = t->job->id;
            }
        }
    if (soonest == INT64_MAX)
        return NULL;
    char when[PARSE_TEXT_MAX];
    return text_of("not before job %llu ends, at %s at the latest", (unsigned long long)job,
                   format_second(MAX(soonest, utc_us), when));
}
