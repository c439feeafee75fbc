/*
 * heads - signed heads of the journal (base/journal_head.h) as they are made: when a segment is full, every
 * HEADS_EVERY_MS, when somebody asks, and at a clean stop.
 *
 *   DIR/scheduler/journal.key, .pub     the cell's key, made at its first start
 *   DIR/scheduler/journal/heads         every head ever made, a line each, fsynced
 *   log                                 journal.head line="...": whoever ships the log ships the heads
 *
 * A head is made only of what is on the disk, so no crash takes it back. When nothing was written since the last one,
 * that one is given again.
 * Ownership: the journal is borrowed and closed after it.
 */
#ifndef REEVE_SCHEDULER_HEADS_H
#define REEVE_SCHEDULER_HEADS_H

#include "base/journal_head.h"
#include "scheduler/journal.h"

#define HEADS_EVERY_MS ((uint64_t)3600 * 1000)
#define HEADS_FILE "heads"
#define HEADS_KEY "journal"

struct heads;

/* `folder`: where the key is, an open descriptor, borrowed for the call. -EBADMSG: the key is none. */
int heads_new(struct heads **ret, struct loop *loop, struct journal *journal, const char *cell, int folder,
              struct err *err) MUST_USE;
void heads_free(struct heads *h); /* NULL is fine */
/* The head of what is durable now; its line is valid until the next call. -ENODATA: nothing is. */
int heads_sign(struct heads *h, uint64_t *ret_seq, const char **ret_line, struct err *err) MUST_USE;
/* The same for ourselves: what fails is logged. */
void heads_note(struct heads *h);
uint64_t heads_seq(const struct heads *h); /* of the newest one made; 0 = none since the start */

#endif
