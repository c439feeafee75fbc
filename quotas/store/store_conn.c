#include "quotas/store/store_conn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/parse.h"

#define PASSWORD_MAX 4096
#define PATH_UNIX_MAX 107 /* sun_path */

/* ---- where ------------------------------------------------------------------------------------------------- */

static int url_tcp(const char *rest, struct store_url *ret, struct err *err)
{
    const char *colon = strrchr(rest, ':');
    uint64_t port;
    if (!colon || colon == rest || parse_u64(colon + 1, 1, 65535, &port, NULL) < 0) {
        return err_set(err, -EINVAL, "'tcp:%s': write tcp:host:port", rest);
    }
    size_t len = (size_t)(colon - rest);
    if (rest[0] == '[' && colon[-1] == ']' && len > 2) {
        rest++; /* an IPv6 address in brackets */
        len -= 2;
    }
    if (len >= sizeof ret->where) {
        return err_set(err, -EINVAL, "the host's name is too long");
    }
    *ret = (struct store_url){.port = (int)port};
    memcpy(ret->where, rest, len);
    return 0;
}

int store_url_parse(const char *url, struct store_url *ret, struct err *err)
{
    if (strncmp(url, "tcp:", 4) == 0) {
        return url_tcp(url + 4, ret, err);
    }
    if (strncmp(url, "unix:", 5) != 0 || url[5] == '\0') {
        return err_set(err, -EINVAL, "'%s' is no address of a Redis; write unix:/path/redis.sock or tcp:host:port",
                       url);
    }
    if (strlen(url + 5) > PATH_UNIX_MAX) {
        return err_set(err, -EINVAL, "'%s': the path of a socket has at most %d characters", url, PATH_UNIX_MAX);
    }
    *ret = (struct store_url){.is_unix = true};
    snprintf(ret->where, sizeof ret->where, "%s", url + 5);
    return 0;
}

int store_password(char **ret, struct err *err)
{
    const char *path = getenv("REEVE_REDIS_PASSWORD_FILE");
    *ret = NULL;
    if (!path || path[0] == '\0') {
        return 0;
    }
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = file_read(path, PASSWORD_MAX, &text, err);
    if (rc < 0) {
        return err_wrap(err, rc, "the password of Redis");
    }
    size_t len = strcspn(buf_text(&text), "\r\n");
    char *password = strndup(buf_text(&text), len);
    if (!password) {
        return err_set(err, -ENOMEM, "the password of Redis: out of memory");
    }
    *ret = password;
    return 0;
}

void store_ignore_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        signal(SIGPIPE, SIG_IGN);
    }
}

/* ---- replies ----------------------------------------------------------------------------------------------- */

static bool is_text(const redisReply *r)
{
    return r && (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS);
}

bool store_reply_is(const redisReply *r, const char *text)
{
    size_t len = strlen(text);
    return is_text(r) && r->len == len && memcmp(r->str, text, len) == 0;
}

bool store_reply_i64(const redisReply *r, int64_t *ret)
{
    /* A reply with a NUL inside is longer than its text. */
    if (r && r->type == REDIS_REPLY_INTEGER) {
        *ret = r->integer;
        return true;
    }
    return is_text(r) && strlen(r->str) == r->len && parse_i64(r->str, INT64_MIN, INT64_MAX, ret, NULL) == 0;
}

bool store_reply_u64(const redisReply *r, uint64_t max, uint64_t *ret)
{
    return is_text(r) && strlen(r->str) == r->len && parse_u64(r->str, 0, max, ret, NULL) == 0;
}

int store_reply_wrong(const redisReply *r, const char *what, struct err *err)
{
    if (!r) {
        return err_set(err, -EBADMSG, "%s: no reply", what);
    }
    if (r->type == REDIS_REPLY_ERROR) {
        int code = strncmp(r->str, "LOADING", 7) == 0 ? -EAGAIN : -EBADMSG;
        return err_set(err, code, "%s: Redis answered '%.160s'", what, r->str);
    }
    return err_set(err, -EBADMSG, "%s: a reply that isn't one (type %d)", what, r->type);
}

/* Copies text of our own making (printable ASCII); false for anything else. Too long a text is cut. */
static bool copy_text(const redisReply *r, char *out, size_t size)
{
    if (!is_text(r)) {
        return false;
    }
    for (size_t i = 0; i < r->len; i++) {
        if (r->str[i] < 0x20 || r->str[i] > 0x7e) {
            return false;
        }
    }
    snprintf(out, size, "%s", r->str);
    if (r->len >= size) {
        memcpy(out + size - 4, "...", 4);
    }
    return true;
}

static int reply_result(const redisReply *r, struct store_result *ret, struct err *err)
{
    static const struct { const char *text; uint32_t outcome; } words[] = {
        {"ok", STORE_OK}, {"dup", STORE_DUP}, {"gap", STORE_GAP}, {"fenced", STORE_FENCED},
    };
    struct store_result result = {0};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (store_reply_is(r, words[i].text)) {
            result.outcome = words[i].outcome;
            *ret = result;
            return 0;
        }
    }
    result.outcome = STORE_REFUSED;
    if (r && r->type == REDIS_REPLY_ARRAY && r->elements == 2 && is_text(r->element[0]) &&
        r->element[0]->len > 0 && r->element[0]->len < sizeof result.refusal &&
        copy_text(r->element[0], result.refusal, sizeof result.refusal) &&
        copy_text(r->element[1], result.detail, sizeof result.detail)) {
        *ret = result;
        return 0;
    }
    return store_reply_wrong(r, "commit", err);
}

int store_reply_results(const redisReply *r, struct store_result *ret, size_t count, struct err *err)
{
    int rc = r && r->type == REDIS_REPLY_ARRAY && r->elements == count ? 0 : store_reply_wrong(r, "commit", err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = reply_result(r->element[i], &ret[i], err);
    }
    return rc;
}

/* One library as FUNCTION LIST gives it: name, value, name, value. NULL when the name isn't there. */
static const redisReply *library_part(const redisReply *library, const char *name)
{
    for (size_t i = 0; i + 1 < library->elements; i += 2) {
        if (store_reply_is(library->element[i], name)) {
            return library->element[i + 1];
        }
    }
    return NULL;
}

int store_reply_library(const redisReply *r, enum store_library_state *ret, struct err *err)
{
    size_t len;
    const char *text = store_library_text(&len);
    if (!r || r->type != REDIS_REPLY_ARRAY || r->elements > 1) {
        return store_reply_wrong(r, "FUNCTION LIST", err);
    }
    if (r->elements == 0) {
        *ret = STORE_LIBRARY_ABSENT;
        return 0;
    }
    const redisReply *library = r->element[0];
    const redisReply *code = library->type == REDIS_REPLY_ARRAY ? library_part(library, "library_code") : NULL;
    if (!is_text(code)) {
        return store_reply_wrong(r, "FUNCTION LIST", err);
    }
    bool same = code->len == len && memcmp(code->str, text, len) == 0;
    *ret = same ? STORE_LIBRARY_SAME : STORE_LIBRARY_OTHER;
    return 0;
}

int store_reply_version(const redisReply *r, struct err *err)
{
    if (!r || r->type != REDIS_REPLY_INTEGER) {
        int rc = store_reply_wrong(r, "function library '" STORE_LIBRARY_NAME "'", err);
        return rc == -EAGAIN ? rc : err_wrap(err, -EPROTONOSUPPORT, "not our library under our name");
    }
    if (r->integer > STORE_LIBRARY) {
        return err_set(err, -EPROTONOSUPPORT,
                       "Redis has version %lld of the function library '" STORE_LIBRARY_NAME "', this program knows %d",
                       r->integer, STORE_LIBRARY);
    }
    return 0;
}
