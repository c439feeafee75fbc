/*
 * store_conn - what the asynchronous and the synchronous connection share: where Redis is, its password, the
 * library's text, and the strict reading of replies. A reply that isn't exactly what the call may answer is a failure.
 * Internal to quotas/store.
 */
#ifndef REEVE_QUOTAS_STORE_STORE_CONN_H
#define REEVE_QUOTAS_STORE_STORE_CONN_H

#include <hiredis/hiredis.h>

#include "quotas/store/store.h"

#define STORE_LIBRARY 6 /* LIBRARY in functions/reeve.lua */
#define STORE_LIBRARY_NAME "reeve"
/* A field of the cell's hash. Longer than 64 bytes: so Redis never keeps the hash in its encoding of small ones, which
 * is searched from end to end. */
#define STORE_ABOUT "the state of a Reeve cell; only the function library 'reeve' writes here, see quotas/store/store.h"

struct store_url {
    bool is_unix;
    char where[256]; /* path or host */
    int port;
};
/* -EINVAL */
int store_url_parse(const char *url, struct store_url *ret, struct err *err) MUST_USE;
/* The password from the file REEVE_REDIS_PASSWORD_FILE names; *ret NULL when it isn't set. Caller frees. */
int store_password(char **ret, struct err *err) MUST_USE;

/* hiredis 0.14 writes with write(2): without this the end of Redis would be the end of the program. */
void store_ignore_sigpipe(void);

/* functions/reeve.lua as it was built in. */
const char *store_library_text(size_t *ret_len);

enum store_library_state { STORE_LIBRARY_ABSENT, STORE_LIBRARY_SAME, STORE_LIBRARY_OTHER };
/* From the reply to FUNCTION LIST LIBRARYNAME reeve WITHCODE. -EBADMSG. */
int store_reply_library(const redisReply *r, enum store_library_state *ret, struct err *err) MUST_USE;
/* From the reply to FCALL_RO reeve_library 0, asked when another text is loaded: 0 when ours may replace it. */
int store_reply_version(const redisReply *r, struct err *err) MUST_USE;
/* From the reply to reeve_commit: one for each of the `count` entries of the call. -EBADMSG: believe none of them. */
int store_reply_results(const redisReply *r, struct store_result *ret, size_t count, struct err *err) MUST_USE;
/* Sets err from an error reply or a wrong type; gives -EBADMSG, or -EAGAIN while Redis loads its data. */
int store_reply_wrong(const redisReply *r, const char *what, struct err *err);
bool store_reply_is(const redisReply *r, const char *text); /* a string or status with this text */
/* A decimal number without sign, at most `max`; false when it isn't. */
bool store_reply_u64(const redisReply *r, uint64_t max, uint64_t *ret) MUST_USE;
bool store_reply_i64(const redisReply *r, int64_t *ret) MUST_USE;

#endif
