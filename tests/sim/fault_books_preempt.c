/* Who is stopped for whom: by whose guarantee, or because it may be. From the books alone. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/books_state.h"

/* Is it the one that takes back, or below it? */
static bool takes_back(const struct books *b, size_t tenant)
{
    for (; tenant != NOBODY; tenant = b->tenants[tenant].up)
        if (strcmp(b->tenants[tenant].path, WORLD_GUARANTEED) == 0)
            return true;
    return false;
}

static bool waits(const struct book_job *j)
{
    for (uint32_t i = 0; i < j->count; i++)
        if (!j->tasks[i].live && !j->tasks[i].final)
            return true;
    return false;
}

void book_preempted(struct books *b, const struct fact *f)
{
    const struct fact_stopping *s = &f->stopping;
    const struct book_job *victim = book_job_of(b, s->id.job), *by = NULL;
    uint64_t job = 0;
    if (s->who != NULL && sscanf(s->who, "job %" SCNu64, &job) == 1)
        by = book_job_of(b, job);
    REQUIRE(b, s->id, by != NULL && by != victim && waits(by), "is stopped for a job that doesn't wait");
    if (by == NULL || victim == NULL)
        return;
    bool own = by->tenant == victim->tenant;
    REQUIRE(b, s->id, !own || victim->preemptible, "is stopped for its own tenant, and may not be");
    REQUIRE(b, s->id, own || (takes_back(b, by->tenant) && !takes_back(b, victim->tenant)),
            "is stopped for who has nothing to take back from it");
    uint32_t end, i = books_gang(victim, s->id.task, &end);
    for (; i < end; i++)
        REQUIRE(b, s->id, !victim->tasks[i].live || !victim->tasks[i].stopped,
                "is stopped for another, and some of it goes already");
}
