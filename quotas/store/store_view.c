/*
 * store_view - the counters as Redis has them, read back strictly. Each object is read at once, all of them one after
 * another: compare while no writer writes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/store/store_sync.h"

#define SCAN_CHUNK "1000"

/* ---- sets of names ----------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static void names_fini(struct strs *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->v[i]);
    }
    free(names->v);
    *names = (struct strs){0};
}

static int read_names(struct store_sync *s, const char *set, struct strs *ret, struct err *err)
{
    char key[STORE_KEY_MAX];
    CLEANUP(store_reply_free) redisReply *r = NULL;
    int rc = store_sync_words(s, (const char *const[]){"SMEMBERS", store_sync_key(s, set, "", key), NULL});
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    if (rc < 0) {
        return rc;
    }
    if (r->type != REDIS_REPLY_ARRAY) {
        return store_reply_wrong(r, "SMEMBERS", err);
    }
    for (size_t i = 0; i < r->elements; i++) {
        if (r->element[i]->type != REDIS_REPLY_STRING || strs_add(ret, r->element[i]->str) < 0) {
            return err_set(err, -EBADMSG, "SMEMBERS: a name that isn't one");
        }
    }
    if (ret->count > 0) {
        qsort(ret->v, ret->count, sizeof ret->v[0], by_text);
    }
    return 0;
}

/* HGETALL of every name, pipelined; `fn` takes each reply. */
static int read_hashes(struct store_sync *s, const struct strs *names, const char *kind,
                       int (*fn)(void *arg, const char *name, const redisReply *r, struct err *err), void *arg,
                       struct err *err)
{
    size_t sent = 0;
    for (size_t done = 0; done < names->count; done++) {
        CLEANUP(store_reply_free) redisReply *r = NULL;
        int rc = 0;
        for (; rc == 0 && sent < names->count && sent - done < STORE_PIPELINE; sent++) {
            char key[STORE_KEY_MAX];
            rc = store_sync_words(s, (const char *const[]){"HGETALL", store_sync_key(s, kind, names->v[sent], key),
                                                           NULL});
            rc = rc < 0 ? rc : store_sync_send(s, err);
        }
        rc = rc < 0 ? rc : store_sync_reply(s, &r, err);
        if (rc == 0 && (r->type != REDIS_REPLY_ARRAY || r->elements % 2 != 0)) {
            rc = store_reply_wrong(r, "HGETALL", err);
        }
        rc = rc < 0 ? rc : fn(arg, names->v[done], r, err);
        if (rc < 0) {
            store_sync_drop(s);
            return rc;
        }
    }
    return 0;
}

/* ---- accounts ---------------------------------------------------------------------------------------------- */

void store_accounts_clear(struct list *accounts)
{
    for (size_t i = 0; i < accounts->count; i++) {
        free(((struct store_account *)accounts->v)[i].name);
    }
    free(accounts->v);
    *accounts = (struct list){0};
}

static int take_account(void *arg, const char *name, const redisReply *r, struct err *err)
{
    struct store_account read = {.limit_micros = INT64_MIN, .spent_micros = -1, .held_micros = -1};
    const struct { const char *name; int64_t *value; } fields[] = {
        {"limit", &read.limit_micros}, {"spent", &read.spent_micros}, {"held", &read.held_micros},
    };
    bool good = r->elements == 2 * COUNT_OF(fields);
    for (size_t i = 0; good && i < r->elements; i += 2) {
        bool known = false;
        for (size_t k = 0; k < COUNT_OF(fields) && !known; k++) {
            known = store_reply_is(r->element[i], fields[k].name) &&
                    store_reply_i64(r->element[i + 1], fields[k].value);
        }
        good = known;
    }
    if (!good || read.limit_micros < -1) {
        return err_set(err, -EBADMSG, "account %s in Redis isn't one", name);
    }
    struct store_account *a = list_add(arg, sizeof *a);
    if (!a) {
        return err_set(err, -ENOMEM, "accounts: out of memory");
    }
    *a = read;
    return str_set(&a->name, name);
}

int store_accounts(struct store_sync *s, struct list *ret_accounts, struct err *err)
{
    CLEANUP(names_fini) struct strs names = {0};
    struct list accounts = {0};
    int rc = read_names(s, "as", &names, err);
    rc = rc < 0 ? rc : read_hashes(s, &names, "a:", take_account, &accounts, err);
    if (rc < 0) {
        store_accounts_clear(&accounts);
        return rc;
    }
    *ret_accounts = accounts;
    return 0;
}

/* ---- tenants ----------------------------------------------------------------------------------------------- */

static void counts_clear(struct counts *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->v[i].name);
    }
    free(c->v);
    *c = (struct counts){0};
}

void store_tenants_clear(struct list *tenants)
{
    for (size_t i = 0; i < tenants->count; i++) {
        struct store_tenant *t = &((struct store_tenant *)tenants->v)[i];
        free(t->path);
        counts_clear(&t->used);
    }
    free(tenants->v);
    *tenants = (struct list){0};
}

/* One field of a tenant's hash; limits and budget are not ours to show. */
static bool take_use(struct store_tenant *t, const redisReply *field, const redisReply *value)
{
    uint64_t number;
    if (field->type != REDIS_REPLY_STRING) {
        return false;
    }
    const char *name = field->str;
    if (name[0] != 'u') {
        return true;
    }
    const char *resource = strncmp(name, "u:", 2) == 0 ? name + 2 : strncmp(name, "ug:", 3) == 0 ? name + 3 : NULL;
    if (!resource || !store_reply_u64(value, INT64_MAX, &number)) {
        return false;
    }
    if (strcmp(name, "u:queued") == 0) {
        t->queued = number;
        return true;
    }
    if (strcmp(name, "u:running") == 0) {
        t->running = number;
        return true;
    }
    return number == 0 || counts_set(&t->used, resource, number) == 0;
}

static int take_tenant(void *arg, const char *name, const redisReply *r, struct err *err)
{
    struct store_tenant *t = list_add(arg, sizeof *t);
    if (!t || str_set(&t->path, name) < 0) {
        return err_set(err, -ENOMEM, "tenants: out of memory");
    }
    for (size_t i = 0; i < r->elements; i += 2) {
        if (!take_use(t, r->element[i], r->element[i + 1])) {
            return err_set(err, -EBADMSG, "tenant %s in Redis isn't one", name);
        }
    }
    return r->elements > 0 ? 0 : err_set(err, -EBADMSG, "tenant %s isn't there, though it is listed", name);
}

int store_tenants(struct store_sync *s, struct list *ret_tenants, struct err *err)
{
    CLEANUP(names_fini) struct strs names = {0};
    struct list tenants = {0};
    int rc = read_names(s, "ts", &names, err);
    rc = rc < 0 ? rc : read_hashes(s, &names, "t:", take_tenant, &tenants, err);
    if (rc < 0) {
        store_tenants_clear(&tenants);
        return rc;
    }
    *ret_tenants = tenants;
    return 0;
}

/* ---- holds ------------------------------------------------------------------------------------------------- */

struct held {
    struct attempt_id id;
    uint64_t micros;
};

static int by_attempt(const void *a, const void *b)
{
    const struct held *left = a, *right = b;
    if (left->id.job != right->id.job) {
        return left->id.job < right->id.job ? -1 : 1;
    }
    if (left->id.task != right->id.task) {
        return left->id.task < right->id.task ? -1 : 1;
    }
    return left->id.epoch < right->id.epoch ? -1 : left->id.epoch > right->id.epoch;
}

/* "<spent> <held>\n…" */
static bool held_parse(const redisReply *id, const redisReply *value, struct held *ret)
{
    char text[32];
    if (id->type != REDIS_REPLY_STRING || attempt_id_parse(id->str, &ret->id) < 0 ||
        value->type != REDIS_REPLY_STRING) {
        return false;
    }
    const char *line = memchr(value->str, '\n', value->len);
    const char *space = line ? memchr(value->str, ' ', (size_t)(line - value->str)) : NULL;
    if (!space || (size_t)(line - space) > sizeof text) {
        return false;
    }
    snprintf(text, sizeof text, "%.*s", (int)(line - space - 1), space + 1);
    return parse_u64(text, 0, INT64_MAX, &ret->micros, NULL) == 0;
}

static int scan_holds(struct store_sync *s, const char *key, char cursor[32], struct list *holds, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    int rc = store_sync_words(s, (const char *const[]){"HSCAN", key, cursor, "COUNT", SCAN_CHUNK, NULL});
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    if (rc < 0) {
        return rc;
    }
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || r->element[0]->type != REDIS_REPLY_STRING ||
        r->element[0]->len >= 32 || r->element[1]->type != REDIS_REPLY_ARRAY || r->element[1]->elements % 2 != 0) {
        return store_reply_wrong(r, "HSCAN", err);
    }
    for (size_t i = 0; i < r->element[1]->elements; i += 2) {
        struct held *h = list_add(holds, sizeof *h);
        if (!h || !held_parse(r->element[1]->element[i], r->element[1]->element[i + 1], h)) {
            return err_set(err, -EBADMSG, "a hold in Redis isn't one");
        }
    }
    snprintf(cursor, 32, "%s", r->element[0]->str);
    return 0;
}

int store_holds(struct store_sync *s, uint64_t *ret_count, int64_t *ret_micros, struct err *err)
{
    char key[STORE_KEY_MAX], cursor[32] = "0";
    struct list holds = {0};
    uint64_t count = 0, sum = 0;
    int rc;
    store_sync_key(s, "h", "", key);
    do {
        rc = scan_holds(s, key, cursor, &holds, err);
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    const struct held *h = holds.v;
    if (rc == 0 && holds.count > 0) {
        qsort(holds.v, holds.count, sizeof *h, by_attempt);
    }
    for (size_t i = 0; i < holds.count; i++) {
        /* A scan may give the same field twice while the hash is resized. */
        if (i == 0 || !attempt_id_equal(h[i].id, h[i - 1].id)) {
            count++;
            sum += h[i].micros;
        }
    }
    free(holds.v);
    if (rc == 0) {
        *ret_count = count;
        *ret_micros = (int64_t)sum;
    }
    return rc;
}
