/*
 * follow - reads the journal from the store into the book, batch by batch, and says how far it is.
 *
 *   starting -> ok <-> store_down      the store is away or refuses us
 *               ok <-> behind          durable < cursor: the store is being repaired; wait for it
 *               ok  -> gap             entries behind the cursor are gone: the history would have a hole
 *               ok  -> other_journal   the entry at the cursor is another one: not the history we have
 *               ok  -> unreadable      an entry this version can't understand, or that contradicts the book
 *               ok <-> disk            SQLite can't write
 *
 * gap, other_journal and unreadable stop archiving and are never skipped by themselves; each poll looks again, so what
 * somebody repairs goes on by itself. Only entries up to `durable` are read: they are in both copies of the journal
 * and can't be taken back.
 *
 * Polling: the store's reading calls are synchronous, with a deadline and without a blocking wait, because a wait
 *          inside one would stop HTTP in this single thread. So: a batch, at once the next while there is more, then a
 *          pause that doubles from 20 to 500 ms. Whoever asks for a report calls follow_now() first and sees what was
 *          durable at that moment: no answer is half a second old because of the pause.
 */
#ifndef REEVE_QUOTAS_REPORTS_FOLLOW_H
#define REEVE_QUOTAS_REPORTS_FOLLOW_H

#include "base/io/loop.h"
#include "quotas/reports/book.h"
#include "quotas/reports/link.h"

enum follow_state {
    FOLLOW_STARTING, FOLLOW_OK, FOLLOW_STORE_DOWN, FOLLOW_BEHIND, FOLLOW_GAP, FOLLOW_OTHER_JOURNAL, FOLLOW_UNREADABLE,
    FOLLOW_DISK, FOLLOW_STATE_COUNT
};
extern const struct names follow_state_names;

struct follow_view {
    uint32_t state;
    const char *text;         /* why, "" when ok; borrowed until the next poll */
    struct book_mark mark;
    uint64_t durable, seq;    /* as the store last said */
    uint64_t entries_total, batches_total;
    uint64_t ok_boot_us;      /* when it was last fine */
    uint64_t behind_since_boot_us; /* since when there has been something durable to archive; 0 = there is nothing */
};

struct follow;

/* on_archived: after each commit, everything up to seq is safe here. */
int follow_new(struct follow **ret, struct loop *loop, struct book *book, struct link *link,
               void (*on_archived)(void *arg, uint64_t seq), void *arg, struct err *err) MUST_USE;
void follow_free(struct follow *f);
/* One round now, unless one has just been. */
void follow_now(struct follow *f);
struct follow_view follow_view(const struct follow *f);
/* Reads at most `max` entries, book_next() .. upto, into the open transaction of the book. A failure is the store's or
 * the book's (codes of book_apply(), -ERANGE when they are not there). */
int follow_read(struct book *book, struct store_sync *sync, uint64_t upto, size_t max, bool *ret_store_broke,
                struct err *err) MUST_USE;

#endif
