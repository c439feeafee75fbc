/* Nodes in the books that are drained, lost or in quarantine: nothing until its time is over, then one attempt, until
 * that has said how it goes. */
#include "tests/sim/books_state.h"

void book_joined(struct books *b, const struct fact *f)
{
    struct book_node *n = book_node_of(b, f->joined.node);
    n->max_attempts = f->joined.max_attempts;
    n->joined_utc_us = f->at_utc_us;
}

void book_drained(struct books *b, const struct fact *f)
{
    struct book_node *n = book_node_of(b, f->drained.node);
    n->drained = f->drained.drained;
    n->drained_utc_us = f->at_utc_us;
}

void book_lost(struct books *b, const struct fact *f)
{
    require(b, book_node_of(b, f->lost.node)->cpu == 0, "node %s is called lost while attempts are there",
            f->lost.node);
}

void book_quarantined(struct books *b, const struct fact *f)
{
    struct book_node *n = book_node_of(b, f->quarantined.node);
    n->quarantined_until_utc_us = f->quarantined.quarantined ? f->quarantined.until_utc_us : 0;
    n->tried = (struct attempt_id){0};
}

void book_try(struct books *b, struct attempt_id id, struct book_node *n, int64_t at_utc_us)
{
    if (n->quarantined_until_utc_us == 0)
        return;
    const struct book_job *j = n->tried.job != 0 ? book_job_of(b, n->tried.job) : NULL;
    bool tries = j != NULL && j->tasks[n->tried.task].epoch == n->tried.epoch && j->tasks[n->tried.task].live;
    REQUIRE(b, id, at_utc_us >= n->quarantined_until_utc_us, "is placed on a quarantined node");
    REQUIRE(b, id, !tries, "is the second one that a quarantined node gets");
    n->tried = id;
}
