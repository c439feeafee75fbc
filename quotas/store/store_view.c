/*
 * store_view - the counters as Redis has them, read back strictly. An account is read at one instant, and so are the
 * STORE_VIEW_CHUNK around it; tenants and holds are scanned: compare those while no writer writes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/store/store_view.h"

#define SCAN_CHUNK "1000"
#define STORE_VIEW_CHUNK 500

/* ---- sets of names ----------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

void store_texts_sort(struct strs *texts)
{
    if (texts->count > 0) {
        qsort(texts->v, texts->count, sizeof texts->v[0], by_text);
    }
}

void store_texts_fini(struct strs *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->v[i]);
    }
    free(texts->v);
    *texts = (struct strs){0};
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
    store_texts_sort(ret);
    return 0;
}

/* All fields of a hash, in pages; a page may repeat what another had. */
static int scan(struct store_sync *s, const char *kind, const char *match,
                int (*fn)(void *arg, redisReply *const *v, size_t count, struct err *err), void *arg, struct err *err)
{
    char key[STORE_KEY_MAX], cursor[32] = "0";
    int rc;
    store_sync_key(s, kind, "", key);
    do {
        CLEANUP(store_reply_free) redisReply *r = NULL;
        const char *const words[] = {"HSCAN", key, cursor, "MATCH", match, "COUNT", SCAN_CHUNK, NULL};
        rc = store_sync_words(s, words);
        rc = rc < 0 ? rc : store_sync_call(s, &r, err);
        if (rc < 0) {
            return rc;
        }
        if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 || r->element[0]->type != REDIS_REPLY_STRING ||
            r->element[0]->len >= sizeof cursor || r->element[1]->type != REDIS_REPLY_ARRAY ||
            r->element[1]->elements % 2 != 0) {
            return store_reply_wrong(r, "HSCAN", err);
        }
        snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
        rc = fn(arg, r->element[1]->element, r->element[1]->elements, err);
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    return rc;
}

/* ---- accounts ---------------------------------------------------------------------------------------------- */

void store_accounts_clear(struct list *accounts)
{
    for (size_t i = 0; i < accounts->count; i++) {
        struct store_account *a = &((struct store_account *)accounts->v)[i];
        free(a->name);
        free(a->resource);
    }
    free(accounts->v);
    *accounts = (struct list){0};
}

int store_take_account(struct list *accounts, const char *name, const redisReply *r, struct err *err)
{
    int64_t n[STORE_A_COUNT];
    if (r->type == REDIS_REPLY_NIL) {
        return 0;
    }
    if (r->type != REDIS_REPLY_STRING || r->len > sizeof n + RESOURCE_NAME_MAX ||
        !store_numbers_read(r->str, r->len, n, STORE_A_COUNT) || n[STORE_A_LIMIT] < -1) {
        return err_set(err, -EBADMSG, "account %s in Redis isn't one", name);
    }
    struct store_account *a = list_add(accounts, sizeof *a);
    if (!a) {
        return err_set(err, -ENOMEM, "accounts: out of memory");
    }
    a->limit_micros = n[STORE_A_LIMIT];
    a->spent_micros = n[STORE_A_SPENT];
    a->held_micros = n[STORE_A_HELD];
    int rc = r->len > sizeof n ? str_set(&a->resource, r->str + sizeof n) : 0;
    return rc < 0 ? rc : str_set(&a->name, name);
}

static int read_accounts(struct store_sync *s, const struct strs *names, size_t from, size_t count,
                         struct list *accounts, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    store_call_begin(&s->call);
    store_call_key(&s->call, s->prefix, "c", "");
    for (size_t i = 0; i < count; i++) {
        store_call_argf(&s->call, "a:%s", names->v[from + i]);
    }
    int rc = store_call_end(&s->call, "HMGET", NULL, false);
    rc = rc < 0 ? rc : store_sync_call(s, &r, err);
    if (rc == 0 && (r->type != REDIS_REPLY_ARRAY || r->elements != count)) {
        rc = store_reply_wrong(r, "HMGET", err);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = store_take_account(accounts, names->v[from + i], r->element[i], err);
    }
    return rc;
}

int store_accounts(struct store_sync *s, struct list *ret_accounts, struct err *err)
{
    CLEANUP(store_texts_fini) struct strs names = {0};
    struct list accounts = {0};
    int rc = read_names(s, "as", &names, err);
    for (size_t at = 0; rc == 0 && at < names.count; at += STORE_VIEW_CHUNK) {
        rc = read_accounts(s, &names, at, MIN(names.count - at, (size_t)STORE_VIEW_CHUNK), &accounts, err);
    }
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

/* Each tenant before its generic resources. */
static int by_path(const void *a, const void *b)
{
    const struct store_tenant_field *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    return order != 0 ? order : strcmp(left->generic ? left->generic : "", right->generic ? right->generic : "");
}

void store_tenant_fields_fini(struct list *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        free(((struct store_tenant_field *)fields->v)[i].path);
    }
    free(fields->v);
    *fields = (struct list){0};
}

int store_take_field(struct list *fields, const redisReply *name, const redisReply *value, struct err *err)
{
    if (name->type != REDIS_REPLY_STRING || strncmp(name->str, "t:", 2) != 0) {
        return err_set(err, -EBADMSG, "HSCAN gave a field that wasn't asked for");
    }
    struct store_tenant_field *f = list_add(fields, sizeof *f);
    if (!f || str_set(&f->path, name->str + 2) < 0) {
        return err_set(err, -ENOMEM, "tenants: out of memory");
    }
    char *space = strchr(f->path, ' ');
    if (space) {
        *space = '\0';
        f->generic = space + 1;
    }
    size_t count = space ? STORE_G_COUNT : STORE_T_COUNT;
    bool good = value->type == REDIS_REPLY_STRING && store_numbers_read(value->str, value->len, f->numbers, count);
    for (size_t i = 0; good && i < (space ? STORE_G_LIMIT : STORE_T_LIMIT_QUEUED); i++) {
        good = f->numbers[i] >= 0;
    }
    return good ? 0 : err_set(err, -EBADMSG, "tenant %s in Redis isn't one", f->path);
}

static int use_set(struct counts *used, const char *resource, int64_t value)
{
    return value == 0 ? 0 : counts_set(used, resource, (uint64_t)value);
}

int store_tenants_of(struct list *fields, struct list *tenants, struct err *err)
{
    if (fields->count > 0) {
        qsort(fields->v, fields->count, sizeof(struct store_tenant_field), by_path);
    }
    const struct store_tenant_field *f = fields->v;
    struct store_tenant *t = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < fields->count; i++) {
        bool again = t && strcmp(t->path, f[i].path) == 0;
        if (f[i].generic) {
            rc = again ? use_set(&t->used, f[i].generic, f[i].numbers[STORE_G_USED]) : -EBADMSG;
        } else if (!again) { /* a scan may give a field twice */
            t = list_add(tenants, sizeof *t);
            rc = t ? str_set(&t->path, f[i].path) : -ENOMEM;
            rc = rc < 0 ? rc : use_set(&t->used, "cpu", f[i].numbers[STORE_T_CPU]);
            rc = rc < 0 ? rc : use_set(&t->used, "memory", f[i].numbers[STORE_T_MEMORY]);
            rc = rc < 0 ? rc : use_set(&t->used, "scratch", f[i].numbers[STORE_T_SCRATCH]);
            if (rc == 0) {
                t->queued = (uint64_t)f[i].numbers[STORE_T_QUEUED];
                t->running = (uint64_t)f[i].numbers[STORE_T_RUNNING];
            }
        }
        if (rc < 0) {
            rc = err_set(err, rc, "tenant %s could not be read", f[i].path);
        }
    }
    return rc;
}

static int take_fields(void *arg, redisReply *const *v, size_t count, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i += 2) {
        rc = store_take_field(arg, v[i], v[i + 1], err);
    }
    return rc;
}

int store_tenants(struct store_sync *s, struct list *ret_tenants, struct err *err)
{
    CLEANUP(store_tenant_fields_fini) struct list fields = {0};
    struct list tenants = {0};
    int rc = scan(s, "c", "t:*", take_fields, &fields, err);
    rc = rc < 0 ? rc : store_tenants_of(&fields, &tenants, err);
    if (rc < 0) {
        store_tenants_clear(&tenants);
        return rc;
    }
    *ret_tenants = tenants;
    return 0;
}

/* ---- holds ------------------------------------------------------------------------------------------------- */

static int by_attempt(const void *a, const void *b)
{
    const struct store_hold *left = a, *right = b;
    if (left->id.job != right->id.job) {
        return left->id.job < right->id.job ? -1 : 1;
    }
    if (left->id.task != right->id.task) {
        return left->id.task < right->id.task ? -1 : 1;
    }
    return left->id.epoch < right->id.epoch ? -1 : left->id.epoch > right->id.epoch;
}

/* HOLD of functions/reeve.lua: begins with spent and held. */
bool store_hold_parse(const char *id, const redisReply *value, struct store_hold *ret)
{
    int64_t numbers[STORE_H_COUNT];
    if (attempt_id_parse(id, &ret->id) < 0 || value->type != REDIS_REPLY_STRING ||
        !store_numbers_read(value->str, value->len, numbers, STORE_H_COUNT) || numbers[STORE_H_SPENT] < 0 ||
        numbers[STORE_H_HELD] < 0) {
        return false;
    }
    ret->spent_micros = numbers[STORE_H_SPENT];
    ret->held_micros = numbers[STORE_H_HELD];
    return true;
}

static int take_holds(void *arg, redisReply *const *v, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i += 2) {
        struct store_hold *h = list_add(arg, sizeof *h);
        if (!h || v[i]->type != REDIS_REPLY_STRING || !store_hold_parse(v[i]->str, v[i + 1], h)) {
            return err_set(err, -EBADMSG, "a hold in Redis isn't one");
        }
    }
    return 0;
}

int store_holds(struct store_sync *s, uint64_t *ret_count, int64_t *ret_micros, struct err *err)
{
    struct list holds = {0};
    uint64_t count = 0, sum = 0;
    int rc = scan(s, "h", "*", take_holds, &holds, err);
    const struct store_hold *h = holds.v;
    if (rc == 0 && holds.count > 0) {
        qsort(holds.v, holds.count, sizeof *h, by_attempt);
    }
    for (size_t i = 0; i < holds.count; i++) {
        if (i == 0 || !attempt_id_equal(h[i].id, h[i - 1].id)) {
            count++;
            sum += (uint64_t)h[i].held_micros;
        }
    }
    free(holds.v);
    if (rc == 0) {
        *ret_count = count;
        *ret_micros = (int64_t)sum;
    }
    return rc;
}
