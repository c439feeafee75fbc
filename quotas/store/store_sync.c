#include "quotas/store/store_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "base/parse.h"

#define READ_CHUNK 256

void store_reply_free(redisReply **r)
{
    if (*r) {
        freeReplyObject(*r);
        *r = NULL;
    }
}

/* ---- connection -------------------------------------------------------------------------------------------- */

void store_sync_drop(struct store_sync *s)
{
    if (s->redis) {
        redisFree(s->redis);
        s->redis = NULL;
    }
    s->due = 0;
}

static int broken(struct store_sync *s, const char *what, struct err *err)
{
    int rc = -ECONNRESET;
    char why[160] = "connection lost";
    if (s->redis) {
        bool late = s->redis->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETIMEDOUT);
        rc = late ? -ETIMEDOUT : s->redis->err == REDIS_ERR_PROTOCOL ? -EBADMSG : -ECONNRESET;
        snprintf(why, sizeof why, "%s", late ? "no reply in time" : store_reader_why(&s->reader, s->redis->errstr));
    }
    store_sync_drop(s);
    return err_set(err, rc, "redis: %s: %s", what, why);
}

static int authenticate(struct store_sync *s, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    if (!s->password) {
        return 0;
    }
    int rc = store_sync_words(s, (const char *const[]){"AUTH", s->password, NULL});
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    if (rc == 0 && !store_reply_is(r, "OK")) {
        rc = store_reply_wrong(r, "AUTH", err);
        store_sync_drop(s);
    }
    return rc;
}

int store_sync_ensure(struct store_sync *s, struct err *err)
{
    const struct timeval deadline = {STORE_DEADLINE_MS / 1000, STORE_DEADLINE_MS % 1000 * 1000};
    if (s->redis) {
        return 0;
    }
    s->due = 0;
    s->reader = (struct store_reader){0};
    s->redis = s->url.is_unix ? redisConnectUnixWithTimeout(s->url.where, deadline)
                              : redisConnectWithTimeout(s->url.where, s->url.port, deadline);
    if (!s->redis || s->redis->err != 0 || redisSetTimeout(s->redis, deadline) != REDIS_OK) {
        return broken(s, "connect", err);
    }
    (void)fcntl(s->redis->fd, F_SETFD, FD_CLOEXEC);
    store_reader_guard(&s->reader, s->redis);
    return authenticate(s, err);
}

int store_sync_open(struct store_sync **ret, const char *url, const char *cell, struct err *err)
{
    struct store_sync *s = calloc(1, sizeof *s);
    if (!s) {
        return err_set(err, -ENOMEM, "store: out of memory");
    }
    store_ignore_sigpipe();
    int rc = store_url_parse(url, &s->url, err);
    rc = rc < 0 ? rc : store_prefix(cell, s->prefix, err);
    rc = rc < 0 ? rc : store_password(&s->password, err);
    rc = rc < 0 ? rc : store_sync_ensure(s, err);
    if (rc < 0) {
        store_sync_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void store_sync_close(struct store_sync *s)
{
    if (s) {
        store_sync_drop(s);
        store_call_fini(&s->call);
        free(s->password);
        free(s);
    }
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

int store_sync_words(struct store_sync *s, const char *const *words)
{
    store_call_begin(&s->call);
    for (size_t i = 1; words[i]; i++) {
        store_call_arg(&s->call, words[i]);
    }
    return store_call_end(&s->call, words[0], NULL, false);
}

int store_sync_send(struct store_sync *s, struct err *err)
{
    /* Replies that are due came over this connection; a new one in the middle would mix them up. */
    int rc = s->due > 0 && !s->redis ? broken(s, "send", err) : store_sync_ensure(s, err);
    if (rc < 0) {
        return rc;
    }
    if (redisAppendCommandArgv(s->redis, (int)s->call.argc, s->call.argv, s->call.lens) != REDIS_OK) {
        return broken(s, "send", err);
    }
    s->due++;
    s->reader.due++;
    return 0;
}

int store_sync_reply(struct store_sync *s, redisReply **ret, struct err *err)
{
    void *reply = NULL;
    BUG(s->due == 0);
    if (!s->redis || redisGetReply(s->redis, &reply) != REDIS_OK || !reply) {
        return broken(s, "reply", err);
    }
    s->due--;
    s->reader.due--;
    *ret = reply;
    if (s->due == 0 && s->redis->reader->pos != s->redis->reader->len) {
        store_sync_drop(s); /* something follows that nobody asked for: the next call must not take it for its answer */
    }
    return 0;
}

int store_sync_call(struct store_sync *s, redisReply **ret, struct err *err)
{
    int rc = store_sync_send(s, err);
    return rc < 0 ? rc : store_sync_reply(s, ret, err);
}

int store_sync_drain(struct store_sync *s, size_t left, const char *what, struct err *err)
{
    int first = 0;
    while (s->due > left) {
        CLEANUP(store_reply_free) redisReply *r = NULL;
        int rc = store_sync_reply(s, &r, err);
        if (rc < 0) {
            return rc;
        }
        if (r->type == REDIS_REPLY_ERROR && first == 0) {
            first = store_reply_wrong(r, what, err);
        }
    }
    return first;
}

const char *store_sync_key(const struct store_sync *s, const char *kind, const char *name, char out[STORE_KEY_MAX])
{
    snprintf(out, STORE_KEY_MAX, "%s%s%s", s->prefix, kind, name);
    return out;
}

/* ---- library and term ------------------------------------------------------------------------------------- */

static int library_version(struct store_sync *s, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    int rc = store_sync_words(s, (const char *const[]){"FCALL_RO", "reeve_library", "0", NULL});
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    return rc < 0 ? rc : store_reply_version(r, err);
}

static int library_state(struct store_sync *s, enum store_library_state *ret, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    const char *const words[] = {"FUNCTION", "LIST", "LIBRARYNAME", STORE_LIBRARY_NAME, "WITHCODE", NULL};
    int rc = store_sync_words(s, words);
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    return rc < 0 ? rc : store_reply_library(r, ret, err);
}

int store_load_library(struct store_sync *s, struct err *err)
{
    enum store_library_state state;
    CLEANUP(store_reply_free) redisReply *r = NULL;
    int rc = library_state(s, &state, err);
    if (rc < 0 || state == STORE_LIBRARY_SAME) {
        return rc;
    }
    rc = state == STORE_LIBRARY_OTHER ? library_version(s, err) : 0;
    if (rc < 0) {
        return rc;
    }
    size_t len;
    const char *text = store_library_text(&len);
    store_call_begin(&s->call);
    store_call_arg(&s->call, "LOAD");
    store_call_arg(&s->call, "REPLACE");
    store_call_argn(&s->call, text, len);
    rc = store_call_end(&s->call, "FUNCTION", NULL, false);
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    if (rc < 0) {
        return rc;
    }
    return store_reply_is(r, STORE_LIBRARY_NAME) ? 0 : store_reply_wrong(r, "FUNCTION LOAD", err);
}

int store_take_term(struct store_sync *s, const char *writer, uint64_t term, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    if (writer[0] == '\0' || strlen(writer) >= sizeof ((struct store_status *)NULL)->writer) {
        return err_set(err, -EINVAL, "take term: the writer's name has 1 to 63 characters");
    }
    store_call_begin(&s->call);
    store_call_key(&s->call, s->prefix, "c", "");
    store_call_arg(&s->call, writer);
    store_call_argf(&s->call, "%" PRIu64, term);
    store_call_argf(&s->call, "%d", STORE_SCHEMA);
    store_call_arg(&s->call, STORE_ABOUT);
    int rc = store_call_end(&s->call, "FCALL", "reeve_take_term", true);
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    if (rc < 0) {
        return rc;
    }
    if (store_reply_is(r, "ok")) {
        return 0;
    }
    if (r->type == REDIS_REPLY_ARRAY && r->elements == 2 && r->element[1]->type == REDIS_REPLY_STRING) {
        const char *seen = r->element[1]->str;
        if (store_reply_is(r->element[0], "stale")) {
            return err_set(err, -ESTALE, "term %" PRIu64 ": Redis has seen term %.20s", term, seen);
        }
        if (store_reply_is(r->element[0], "torn")) {
            return err_set(err, -EUCLEAN, "Redis holds counters of this cell without their fence; wipe and rebuild it");
        }
        if (store_reply_is(r->element[0], "schema")) {
            return err_set(err, -EPROTONOSUPPORT, "Redis holds schema %.20s, this program knows %d", seen,
                           STORE_SCHEMA);
        }
    }
    return store_reply_wrong(r, "take term", err);
}

/* ---- status and journal ------------------------------------------------------------------------------------ */

/* Seq of a stream entry's id "<seq>-0". */
static bool entry_seq(const redisReply *id, uint64_t *ret)
{
    char text[32];
    if (id->type != REDIS_REPLY_STRING || id->len < 3 || id->len >= sizeof text ||
        strcmp(id->str + id->len - 2, "-0") != 0) {
        return false;
    }
    snprintf(text, sizeof text, "%.*s", (int)id->len - 2, id->str);
    return parse_u64(text, 1, UINT64_MAX, ret, NULL) == 0;
}

struct entry_parts {
    uint64_t seq;
    const redisReply *bytes, *refusal; /* refusal NULL: committed */
};

/* [id, ["d", bytes]] or [id, ["d", bytes, "r", code]], and nothing else. */
static bool entry_parts(const redisReply *entry, struct entry_parts *ret)
{
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 || !entry_seq(entry->element[0], &ret->seq)) {
        return false;
    }
    const redisReply *f = entry->element[1];
    if (f->type != REDIS_REPLY_ARRAY || (f->elements != 2 && f->elements != 4) || !store_reply_is(f->element[0], "d") ||
        f->element[1]->type != REDIS_REPLY_STRING) {
        return false;
    }
    ret->bytes = f->element[1];
    ret->refusal = NULL;
    if (f->elements == 4) {
        if (!store_reply_is(f->element[2], "r") || f->element[3]->type != REDIS_REPLY_STRING) {
            return false;
        }
        ret->refusal = f->element[3];
    }
    return true;
}

static int read_range(struct store_sync *s, uint64_t from, size_t count, redisReply **ret, struct err *err)
{
    char key[STORE_KEY_MAX], start[32], number[24];
    snprintf(start, sizeof start, "%" PRIu64 "-0", from);
    snprintf(number, sizeof number, "%zu", count);
    const char *const words[] = {"XRANGE", store_sync_key(s, "j", "", key), start, "+", "COUNT", number, NULL};
    int rc = store_sync_words(s, words);
    rc = rc < 0 ? rc : store_sync_call(s, ret, err);
    if (rc == 0 && (*ret)->type != REDIS_REPLY_ARRAY) {
        rc = store_reply_wrong(*ret, "XRANGE", err);
    }
    return rc;
}

int store_read(struct store_sync *s, uint64_t from, size_t max,
               bool (*fn)(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len), void *arg,
               struct err *err)
{
    while (max > 0) {
        CLEANUP(store_reply_free) redisReply *r = NULL;
        size_t ask = MIN(max, (size_t)READ_CHUNK);
        int rc = read_range(s, from, ask, &r, err);
        if (rc < 0) {
            return rc;
        }
        for (size_t i = 0; i < r->elements; i++) {
            struct entry_parts e;
            if (!entry_parts(r->element[i], &e) || e.seq < from) {
                return err_set(err, -EBADMSG, "journal in Redis: an entry that isn't one, after seq %" PRIu64,
                               from - 1);
            }
            from = e.seq + 1;
            if (!fn(arg, e.seq, e.refusal ? e.refusal->str : NULL, (const uint8_t *)e.bytes->str, e.bytes->len)) {
                return 0;
            }
        }
        if (r->elements < ask) {
            return 0;
        }
        max -= r->elements;
    }
    return 0;
}

static bool note_first(void *arg, uint64_t seq, const char *refusal, const uint8_t *bytes, size_t len)
{
    (void)refusal;
    (void)bytes;
    (void)len;
    *(uint64_t *)arg = seq;
    return false;
}

static int status_parse(const redisReply *r, struct store_status *ret, struct err *err)
{
    uint64_t library;
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 6) {
        return store_reply_wrong(r, "status", err);
    }
    if (r->element[0]->type == REDIS_REPLY_NIL && r->element[3]->type == REDIS_REPLY_NIL) {
        ret->empty = true;
        return 0;
    }
    if (!store_reply_u64(r->element[0], UINT64_MAX, &ret->schema) ||
        !store_reply_u64(r->element[1], UINT64_MAX, &library)) {
        return err_set(err, -EBADMSG, "status: no schema in Redis");
    }
    if (ret->schema != STORE_SCHEMA || library > STORE_LIBRARY) {
        return err_set(err, -EPROTONOSUPPORT,
                       "Redis holds schema %" PRIu64 " written by function library %" PRIu64
                       "; this program knows schema %d and library %d",
                       ret->schema, library, STORE_SCHEMA, STORE_LIBRARY);
    }
    if (r->element[2]->type != REDIS_REPLY_STRING || r->element[2]->len >= sizeof ret->writer ||
        !store_reply_u64(r->element[3], UINT64_MAX, &ret->term) ||
        !store_reply_u64(r->element[4], UINT64_MAX, &ret->seq) ||
        !store_reply_u64(r->element[5], UINT64_MAX, &ret->durable)) {
        return err_set(err, -EBADMSG, "status: fields in Redis that aren't ours");
    }
    snprintf(ret->writer, sizeof ret->writer, "%s", r->element[2]->str);
    return 0;
}

int store_status(struct store_sync *s, struct store_status *ret, struct err *err)
{
    char key[STORE_KEY_MAX];
    CLEANUP(store_reply_free) redisReply *r = NULL;
    struct store_status status = {0};
    const char *const words[] = {"HMGET", store_sync_key(s, "c", "", key), "schema", "library", "writer", "term",
                                 "seq", "durable", NULL};
    int rc = store_sync_words(s, words);
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    rc = rc < 0 ? rc : status_parse(r, &status, err);
    status.first_seq = status.seq + 1;
    rc = rc < 0 ? rc : store_read(s, 1, 1, note_first, &status.first_seq, err);
    if (rc == 0) {
        *ret = status;
    }
    return rc;
}

int store_trim(struct store_sync *s, uint64_t seq, struct err *err)
{
    char key[STORE_KEY_MAX], id[32];
    CLEANUP(store_reply_free) redisReply *r = NULL;
    snprintf(id, sizeof id, "%" PRIu64 "-0", seq);
    const char *const words[] = {"XTRIM", store_sync_key(s, "j", "", key), "MINID", id, NULL};
    int rc = store_sync_words(s, words);
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    if (rc == 0 && r->type != REDIS_REPLY_INTEGER) {
        rc = store_reply_wrong(r, "XTRIM", err);
    }
    return rc;
}
