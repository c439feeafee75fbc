/* What is suspended in the books: it stands still, holds nothing, and its cores are its node's. */
#include "tests/sim/books_state.h"

void book_suspended(struct books *b, const struct fact *f)
{
    struct book_task *t = book_live_task(b, f->suspended.id);
    if (t != NULL)
        t->suspended = f->suspended.suspended;
}

void book_rest(struct books *b, struct attempt_id id, struct book_task *t, bool rests)
{
    const struct book_job *j = book_job_of(b, id.job);
    struct book_node *n = &b->nodes[t->node];
    REQUIRE(b, id, !rests || t->suspended || t->paused, "stands still, and nobody has suspended it");
    REQUIRE(b, id, rests || !t->paused || !t->suspended, "goes on while it is suspended");
    n->cpu -= rests && !t->paused ? j->cpu_milli : 0;
    n->cpu += !rests && t->paused ? j->cpu_milli : 0;
    REQUIRE(b, id, n->cpu <= b->rules.node_cpu_milli, "goes on where others have its cores");
    t->paused = rests;
}
