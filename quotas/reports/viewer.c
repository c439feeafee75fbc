#include "quotas/reports/viewer.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/policy.h"
#include "quotas/reports/db.h"

bool viewer_sees(const struct viewer *v, const char *tenant)
{
    for (size_t i = 0; i < v->subtrees.count; i++)
        if (tenant_path_is_below(tenant, v->subtrees.v[i]))
            return true;
    return v->all;
}

/* The login name, or "" when the user has none; a job system's users may be unknown to this machine. */
static void login_of(uid_t uid, char *out, size_t size)
{
    struct passwd entry, *found = NULL;
    char text[4096];
    out[0] = '\0';
    if (getpwuid_r(uid, &entry, text, sizeof text, &found) == 0 && found != NULL)
        snprintf(out, size, "%s", found->pw_name);
}

static int is_admin(sqlite3 *db, const char *login, const char *number, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT 1 FROM admins WHERE user IN (?1, ?2)", &s, err);
    if (r == 0)
        r = db_bind(s, "tt", login, number);
    return r == 0 ? db_step(s, err) : r;
}

static int add_subtrees(struct viewer *v, sqlite3 *db, const char *login, const char *number, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT DISTINCT path FROM tenant_users WHERE user IN (?1, ?2) ORDER BY path", &s, err);
    if (r == 0)
        r = db_bind(s, "tt", login, number);
    while (r == 0 && (r = db_step(s, err)) == 1)
        r = strs_add(&v->subtrees, db_text(s, 0));
    return r;
}

int viewer_of_uid(struct viewer *ret, sqlite3 *db, uid_t uid, struct err *err)
{
    struct viewer v = {.has_uid = true, .uid = uid, .scopes = SCOPE_COST | SCOPE_METRICS};
    char login[256], number[32];
    login_of(uid, login, sizeof login);
    snprintf(number, sizeof number, "uid:%u", (unsigned)uid);
    if (login[0] == '\0')
        snprintf(login, sizeof login, "%s", number);
    int r = uid == 0 || uid == geteuid() ? 1 : is_admin(db, login, number, err);
    snprintf(v.name, sizeof v.name, "%s", number);
    v.all = r == 1;
    v.scopes |= v.all ? SCOPE_LEDGER_WRITE : 0;
    if (r == 0)
        r = add_subtrees(&v, db, login, number, err);
    if (r < 0) {
        viewer_fini(&v);
        return r;
    }
    *ret = v;
    return 0;
}

void viewer_key(const struct viewer *v, struct buf *out)
{
    buf_add_str(out, v->all ? "all" : "some");
    for (size_t i = 0; i < v->subtrees.count; i++)
        buf_addf(out, " %s", v->subtrees.v[i]);
}

int viewer_copy(const struct viewer *from, struct viewer *to)
{
    struct viewer copy = *from;
    copy.subtrees = (struct strs){0};
    for (size_t i = 0; i < from->subtrees.count; i++)
        if (strs_add(&copy.subtrees, from->subtrees.v[i]) < 0) {
            viewer_fini(&copy);
            return -ENOMEM;
        }
    *to = copy;
    return 0;
}

void viewer_fini(struct viewer *v)
{
    for (size_t i = 0; i < v->subtrees.count; i++)
        free(v->subtrees.v[i]);
    free(v->subtrees.v);
    *v = (struct viewer){0};
}
