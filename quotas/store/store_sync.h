/*
 * store_sync - the blocking connection from inside: one call, or a pipeline of them. Internal to quotas/store.
 *
 * After a failure of the connection (deadline, end of file) the replies that were due are lost for good: the
 * connection is closed at once and opened again by the next call.
 */
#ifndef REEVE_QUOTAS_STORE_STORE_SYNC_H
#define REEVE_QUOTAS_STORE_STORE_SYNC_H

#include "quotas/store/store_call.h"
#include "quotas/store/store_conn.h"
#include "quotas/store/store_reader.h"

#define STORE_PIPELINE 64

struct store_sync {
    struct store_url url;
    char *password;
    char prefix[STORE_PREFIX_MAX];
    redisContext *redis; /* NULL: not connected */
    struct store_reader reader;
    struct store_call call;
    size_t due; /* replies not yet read */
};

/* Connects when needed. -EAGAIN: Redis still loads its data. */
int store_sync_ensure(struct store_sync *s, struct err *err) MUST_USE;
/* Sends the words of s->call. */
int store_sync_send(struct store_sync *s, struct err *err) MUST_USE;
/* The next due reply, error replies too; the caller frees it (freeReplyObject). */
int store_sync_reply(struct store_sync *s, redisReply **ret, struct err *err) MUST_USE;
/* Send and reply in one. */
int store_sync_call(struct store_sync *s, redisReply **ret, struct err *err) MUST_USE;
/* Begins s->call with a command of plain words (borrowed), ended by NULL; then store_sync_send() or _call(). */
int store_sync_words(struct store_sync *s, const char *const *words) MUST_USE;
/* Reads due replies down to `left`, each of which must be no error. */
int store_sync_drain(struct store_sync *s, size_t left, const char *what, struct err *err) MUST_USE;
void store_sync_drop(struct store_sync *s);
/* "<prefix><kind><name>", cut at the size; returns out. */
#define STORE_KEY_MAX 640
const char *store_sync_key(const struct store_sync *s, const char *kind, const char *name, char out[STORE_KEY_MAX]);
void store_reply_free(redisReply **r); /* for CLEANUP */

#endif
