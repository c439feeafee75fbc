/*
 * store_parts - the counters of a cell that lives: part by part, each with the seq at which it was so. MULTI and EXEC
 * around a part and the seq beside it; a part is small, so nobody waits for it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/store/store_view.h"

#define PART_MAX 500

void store_names_clear(struct store_names *names)
{
    store_texts_fini(&names->accounts);
    store_texts_fini(&names->tenants);
    store_texts_fini(&names->holds);
}

static void part_clear(struct store_part *p)
{
    store_accounts_clear(&p->accounts);
    store_tenants_clear(&p->tenants);
    free(p->holds.v);
    store_names_clear(&p->gone);
}

void store_parts_clear(struct list *parts)
{
    struct store_part *p = parts->v;
    for (size_t i = 0; i < parts->count; i++) {
        part_clear(&p[i]);
    }
    free(parts->v);
    *parts = (struct list){0};
}

/* ---- one transaction ----------------------------------------------------------------------------------------- */

static int send_words(struct store_sync *s, const char *const *words, struct err *err)
{
    int rc = store_sync_words(s, words);
    return rc < 0 ? rc : store_sync_send(s, err);
}

/* MULTI and the seq. Behind it the caller's commands, then transact_end(). */
static int transact_begin(struct store_sync *s, struct err *err)
{
    char key[STORE_KEY_MAX];
    int rc = send_words(s, (const char *const[]){"MULTI", NULL}, err);
    store_sync_key(s, "c", "", key);
    return rc < 0 ? rc : send_words(s, (const char *const[]){"HGET", key, "seq", NULL}, err);
}

/* The seq and `count` answers: *ret is the array of all. */
static int transact_end(struct store_sync *s, size_t count, uint64_t *ret_seq, redisReply **ret, struct err *err)
{
    CLEANUP(store_reply_free) redisReply *r = NULL;
    int rc = send_words(s, (const char *const[]){"EXEC", NULL}, err);
    rc = rc < 0 ? rc : store_sync_drain(s, 1, "MULTI", err);
    rc = rc < 0 ? rc : store_sync_reply(s, &r, err);
    if (rc < 0) {
        return rc;
    }
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 1 + count) {
        return store_reply_wrong(r, "EXEC", err);
    }
    const redisReply *seq = r->element[0];
    if (seq->type == REDIS_REPLY_NIL) {
        *ret_seq = 0;
    } else if (seq->type != REDIS_REPLY_STRING || parse_u64(seq->str, 0, UINT64_MAX, ret_seq, NULL) < 0) {
        return err_set(err, -EBADMSG, "the seq in Redis is no number");
    }
    *ret = TAKE_PTR(r);
    return 0;
}

/* ---- names --------------------------------------------------------------------------------------------------- */

/* Those that begin with `prefix`, sorted. */
static int take_texts(const redisReply *r, const char *prefix, struct strs *ret, struct err *err)
{
    if (r->type != REDIS_REPLY_ARRAY) {
        return store_reply_wrong(r, "names", err);
    }
    for (size_t i = 0; i < r->elements; i++) {
        const redisReply *e = r->element[i];
        if (e->type != REDIS_REPLY_STRING || strlen(e->str) != e->len) {
            return err_set(err, -EBADMSG, "a name in Redis isn't one");
        }
        if (strncmp(e->str, prefix, strlen(prefix)) == 0 && strs_add(ret, e->str) < 0) {
            return err_set(err, -ENOMEM, "names: out of memory");
        }
    }
    store_texts_sort(ret);
    return 0;
}

int store_names(struct store_sync *s, struct store_names *ret, struct err *err)
{
    struct store_names names = {0};
    CLEANUP(store_reply_free) redisReply *r = NULL;
    char accounts[STORE_KEY_MAX], counters[STORE_KEY_MAX], holds[STORE_KEY_MAX];
    store_sync_key(s, "as", "", accounts);
    store_sync_key(s, "c", "", counters);
    store_sync_key(s, "h", "", holds);
    int rc = transact_begin(s, err);
    rc = rc < 0 ? rc : send_words(s, (const char *const[]){"SMEMBERS", accounts, NULL}, err);
    rc = rc < 0 ? rc : send_words(s, (const char *const[]){"HKEYS", counters, NULL}, err);
    rc = rc < 0 ? rc : send_words(s, (const char *const[]){"HKEYS", holds, NULL}, err);
    rc = rc < 0 ? rc : transact_end(s, 3, &names.seq, &r, err);
    rc = rc < 0 ? rc : take_texts(r->element[1], "", &names.accounts, err);
    rc = rc < 0 ? rc : take_texts(r->element[2], "t:", &names.tenants, err);
    rc = rc < 0 ? rc : take_texts(r->element[3], "", &names.holds, err);
    if (rc < 0) {
        store_names_clear(&names);
        return rc;
    }
    *ret = names;
    return 0;
}

/* ---- parts --------------------------------------------------------------------------------------------------- */

/* Names [from, from + count) of one kind. */
struct slice {
    const struct strs *names;
    size_t from, count;
    const char *hash, *prefix; /* which hash, and what stands before the name there */
};

static const char *slice_name(const struct slice *slice, size_t i)
{
    return slice->names->v[slice->from + i];
}

static int slice_read(struct store_sync *s, const struct slice *slice, uint64_t *ret_seq, redisReply **ret,
                      struct err *err)
{
    int rc = transact_begin(s, err);
    if (rc < 0) {
        return rc;
    }
    store_call_begin(&s->call);
    store_call_key(&s->call, s->prefix, slice->hash, "");
    for (size_t i = 0; i < slice->count; i++) {
        store_call_argf(&s->call, "%s%s", slice->prefix, slice_name(slice, i));
    }
    rc = store_call_end(&s->call, "HMGET", NULL, false);
    rc = rc < 0 ? rc : store_sync_send(s, err);
    rc = rc < 0 ? rc : transact_end(s, 1, ret_seq, ret, err);
    const redisReply *values = rc < 0 ? NULL : (*ret)->element[1];
    if (rc == 0 && (values->type != REDIS_REPLY_ARRAY || values->elements != slice->count)) {
        rc = store_reply_wrong(values, "HMGET", err);
    }
    return rc;
}

typedef int (*slice_take)(struct store_part *p, const struct slice *slice, redisReply *const *values, struct err *err);

static int take_accounts(struct store_part *p, const struct slice *slice, redisReply *const *values, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < slice->count; i++) {
        const char *name = slice_name(slice, i);
        rc = values[i]->type == REDIS_REPLY_NIL ? strs_add(&p->gone.accounts, name)
                                                : store_take_account(&p->accounts, name, values[i], err);
    }
    return rc;
}

static int take_tenants(struct store_part *p, const struct slice *slice, redisReply *const *values, struct err *err)
{
    CLEANUP(store_tenant_fields_fini) struct list fields = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < slice->count; i++) {
        const char *name = slice_name(slice, i);
        redisReply named = {.type = REDIS_REPLY_STRING, .str = (char *)(uintptr_t)name, .len = strlen(name)};
        if (values[i]->type != REDIS_REPLY_NIL) {
            rc = store_take_field(&fields, &named, values[i], err);
        } else if (strchr(name, ' ') == NULL) { /* a generic resource that is no longer used says nothing */
            rc = strs_add(&p->gone.tenants, name + strlen("t:"));
        }
    }
    return rc < 0 ? rc : store_tenants_of(&fields, &p->tenants, err);
}

static int take_holds(struct store_part *p, const struct slice *slice, redisReply *const *values, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < slice->count; i++) {
        const char *id = slice_name(slice, i);
        if (values[i]->type == REDIS_REPLY_NIL) {
            rc = strs_add(&p->gone.holds, id);
            continue;
        }
        struct store_hold *h = list_add(&p->holds, sizeof *h);
        if (!h || !store_hold_parse(id, values[i], h)) {
            rc = err_set(err, -EBADMSG, "hold %s in Redis isn't one", id);
        }
    }
    return rc;
}

/* A tenant and its generic resources stay together: they are read at one instant. */
static size_t slice_len(const struct strs *names, size_t from)
{
    size_t count = MIN(names->count - from, (size_t)PART_MAX);
    while (from + count < names->count && strchr(names->v[from + count], ' ')) {
        count++;
    }
    return count;
}

static int read_all(struct store_sync *s, struct slice slice, slice_take take, struct list *parts, struct err *err)
{
    int rc = 0;
    for (slice.from = 0; rc == 0 && slice.from < slice.names->count; slice.from += slice.count) {
        CLEANUP(store_reply_free) redisReply *r = NULL;
        uint64_t seq = 0;
        slice.count = slice_len(slice.names, slice.from);
        rc = slice_read(s, &slice, &seq, &r, err);
        struct store_part *p = rc < 0 ? NULL : list_add(parts, sizeof *p);
        if (p) {
            p->seq = seq;
            rc = take(p, &slice, r->element[1]->element, err);
        } else if (rc == 0) {
            rc = err_set(err, -ENOMEM, "parts: out of memory");
        }
    }
    return rc;
}

int store_parts(struct store_sync *s, const struct store_names *names, struct list *ret_parts, struct err *err)
{
    struct list parts = {0};
    int rc = read_all(s, (struct slice){&names->accounts, 0, 0, "c", "a:"}, take_accounts, &parts, err);
    rc = rc < 0 ? rc : read_all(s, (struct slice){&names->tenants, 0, 0, "c", ""}, take_tenants, &parts, err);
    rc = rc < 0 ? rc : read_all(s, (struct slice){&names->holds, 0, 0, "h", ""}, take_holds, &parts, err);
    if (rc < 0) {
        store_parts_clear(&parts);
        return rc;
    }
    *ret_parts = parts;
    return 0;
}
