/*
 * store_reader - a guard in hiredis' reply reader, for what 0.14 leaves to trust: a reply that nobody asked for ends in
 * an assert of the library, and a list announced with 2^31 elements is allocated and walked, whoever announces it.
 * With the guard both are an ordinary failure of the connection. Internal to quotas/store.
 * Ownership: lies in the connection's struct and must live as long as the context it guards.
 */
#ifndef REEVE_QUOTAS_STORE_STORE_READER_H
#define REEVE_QUOTAS_STORE_STORE_READER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#define STORE_REPLY_ELEMENTS_MAX ((int)1 << 22)

struct store_reader {
    redisReplyObjectFunctions fn;         /* what hiredis calls */
    const redisReplyObjectFunctions *own; /* what hiredis brought */
    uint64_t due;                         /* replies that were asked for and haven't come; the connection counts */
    const char *why;                      /* what was wrong, once something was */
};

void store_reader_guard(struct store_reader *g, redisContext *c);
/* What ended the connection: ours if the guard spoke, else hiredis' own text. */
const char *store_reader_why(const struct store_reader *g, const char *errstr);

#endif
