/*
 * store_view - how the counters in Redis read: strictly, each from one reply. Internal to quotas/store.
 */
#ifndef REEVE_QUOTAS_STORE_STORE_VIEW_H
#define REEVE_QUOTAS_STORE_STORE_VIEW_H

#include "quotas/store/store_sync.h"

/* "t:<path>" or "t:<path> <generic>" with its numbers. */
struct store_tenant_field {
    char *path;    /* owned */
    char *generic; /* inside path, behind its NUL; NULL = the tenant itself */
    int64_t numbers[STORE_T_COUNT];
};

void store_texts_sort(struct strs *texts);
void store_texts_fini(struct strs *texts); /* for CLEANUP */
/* Adds a struct store_account. nil adds nothing: the account closed since its name was read. */
int store_take_account(struct list *accounts, const char *name, const redisReply *r, struct err *err) MUST_USE;
/* Adds a struct store_tenant_field. */
int store_take_field(struct list *fields, const redisReply *name, const redisReply *value, struct err *err) MUST_USE;
void store_tenant_fields_fini(struct list *fields); /* for CLEANUP */
/* Fields (sorted here) into struct store_tenant. */
int store_tenants_of(struct list *fields, struct list *tenants, struct err *err) MUST_USE;
bool store_hold_parse(const char *id, const redisReply *value, struct store_hold *ret);

#endif
