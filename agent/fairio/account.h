/*
 * account - what the bytes of one attempt come to: on its bill, and for its tenant's turns at the disk.
 *
 *   bill = logs + for each direction: moved in memory + the greater of (the kernel's count, what else was moved)
 *
 * Two meters, never summed blindly. The kernel counts for the attempt's groups what reached a device; what was moved by
 * grants is said by whoever moved it, and is in the kernel's count, too, as far as it reached a device:
 *
 *   path                                    billed by  of the kernel's count
 *   a grant, past the page cache to a disk  moved      as much is taken for it
 *   a grant, through the page cache         moved      as much is taken for it: a disk may have seen it
 *   a grant, where no disk is (tmpfs, a     moved      nothing is: what the job does by itself meanwhile is no less
 *     hole that is read for its digest)
 *   logs                                    moved      nothing is: the agent writes them, in its own group
 *   what the job does by itself             kernel     what is left: `direct`
 *
 * A grant has taken a turn of its tenant, so it is billed wherever its bytes lay. Every count is cumulative since the
 * attempt's birth and the bill is a function of them, so that whoever dies in between loses and doubles nothing: what
 * wasn't heard of yet as moved is direct until then. What is never heard of is at most what was moved in memory.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_FAIRIO_ACCOUNT_H
#define REEVE_AGENT_FAIRIO_ACCOUNT_H

#include "agent/fairio/arbiter.h"

/* Cumulative, each one as far as it is known. */
struct io_counts {
    struct io_meter kernel;
    struct io_meter moved;   /* to and from files, by grants */
    struct io_meter memory;  /* of that: no disk can have seen it */
    struct io_meter out;     /* not cumulative: granted and not answered yet, the kernel may have counted it already */
    uint64_t cached_bytes;   /* of the rest: a disk may have seen it or not */
    uint64_t log_bytes;
};

struct io_account {
    struct io_counts at;     /* no count ever falls */
    uint64_t billed;         /* nor does this: what was billed once is */
    struct io_meter fed;     /* direct, as its tenant was charged for it */
    bool began;              /* what was direct before is another life's of the agent */
    struct io_counts told;   /* as of the last io_account_tell() */
    uint64_t told_billed;
};

/* Takes the counts; what is direct of them and wasn't before: to be charged to its tenant, when nothing that is out can
 * account for it. An account that was restored says nothing the first time. */
struct io_meter io_account_read(struct io_account *a, const struct io_counts *now);
/* What the job did by itself, as the counts are. */
struct io_meter io_account_direct(const struct io_account *a);
/* The bill as it is about to be told, and its parts; what rose since the last time goes into the node's books, both
 * meters of it. */
struct io_sums io_account_tell(struct io_account *a, struct io_sums *books);

#endif
