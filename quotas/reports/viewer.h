/*
 * viewer - who is looking, and which tenants' figures they may see. Decided once per request, asked per row.
 *
 * Over a UNIX socket the kernel says who it is: root, reportd's own user and the policy's admins see everything;
 * others see the subtrees whose `users` name them. Who sees everything may also change what can be changed. Over TCP a
 * token says it (tokens.h). Ownership: viewer_fini(); {0} sees nothing.
 */
#ifndef REEVE_QUOTAS_REPORTS_VIEWER_H
#define REEVE_QUOTAS_REPORTS_VIEWER_H

#include <sqlite3.h>
#include <sys/types.h>

#include "base/fields.h"

#define VIEWER_POINTER "reeve-viewer" /* type tag of sqlite3_bind_pointer() */

enum viewer_scope { SCOPE_COST = 1, SCOPE_METRICS = 2, SCOPE_LEDGER_WRITE = 4 };

struct viewer {
    bool all;             /* the whole cell */
    bool has_uid;
    uid_t uid;
    uint32_t scopes;      /* enum viewer_scope, or-ed */
    struct strs subtrees; /* tenant paths */
    char name[32];        /* "uid:0", "token 9f86d081": whom a change is in the name of */
};

bool viewer_sees(const struct viewer *v, const char *tenant);
/* Somebody the kernel named. */
int viewer_of_uid(struct viewer *ret, sqlite3 *db, uid_t uid, struct err *err) MUST_USE;
/* One line that is the same for viewers who see the same: for ETag. */
void viewer_key(const struct viewer *v, struct buf *out);
int viewer_copy(const struct viewer *from, struct viewer *to) MUST_USE; /* -ENOMEM */
void viewer_fini(struct viewer *v);

#endif
