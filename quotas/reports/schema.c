#include "quotas/reports/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/resources.h"
#include "quotas/reports/db.h"

#define SCHEMA_OLDEST 2 /* that can be brought up */

/* Accounts of periods that are over, as they stood when the ledger closed them: Redis has them no more. */
static const char closed_accounts[] =
    "CREATE TABLE closed_accounts(account TEXT NOT NULL, seq INTEGER NOT NULL, resource TEXT,"
    " spent_micros INTEGER NOT NULL, PRIMARY KEY(account, seq)) WITHOUT ROWID;";

/* Running sums of what attempts moved, by node and day of their end (base/ledger_io.h). */
#define IO_DAYS                                                                                                     \
    "CREATE TABLE io_days("                                                                                         \
    " day_utc_us INTEGER NOT NULL, node TEXT NOT NULL, attempts INTEGER NOT NULL, kernel_bytes INTEGER NOT NULL,"   \
    " told_bytes INTEGER NOT NULL, uncounted_bytes INTEGER NOT NULL, cached_bytes INTEGER NOT NULL,"                \
    " charged_bytes INTEGER NOT NULL, written_off_bytes INTEGER NOT NULL, free_bytes INTEGER NOT NULL,"             \
    " twice_bytes INTEGER NOT NULL, lost_bytes INTEGER NOT NULL, unknown_attempts INTEGER NOT NULL,"                \
    " unknown_bytes INTEGER NOT NULL, PRIMARY KEY(day_utc_us, node)) WITHOUT ROWID;"

/* What brings a file of version SCHEMA_OLDEST + i to the next one. */
static const char *const steps[SCHEMA_VERSION - SCHEMA_OLDEST] = {
    closed_accounts,
    "ALTER TABLE prices RENAME COLUMN micros_per_hour TO micros;"
    "ALTER TABLE attempts ADD COLUMN io_bytes INTEGER;"
    "ALTER TABLE attempts ADD COLUMN io_charged INTEGER NOT NULL DEFAULT 0;"
    "UPDATE attempts SET io_charged = coalesce((SELECT sum(amount) FROM charges c WHERE c.attempt = attempts.attempt"
    " AND c.resource = '" RESOURCE_IO "' AND c.kind = 'usage'), 0) WHERE ended_utc_us IS NULL;" IO_DAYS,
};

/* Instants are UTC microseconds, money is micro-units. What people ask for by SQL has a column; what only our own code
 * reads back is the encoded struct (base/fields.h), which newer versions can extend. docs/reports.md explains them. */
static const char *const tables[] = {
    "CREATE TABLE meta("
    " one INTEGER PRIMARY KEY CHECK(one = 1), cell TEXT NOT NULL,"
    " cursor INTEGER NOT NULL," /* last journal entry that is in these tables */
    " digest BLOB NOT NULL,"    /* sha256 of that entry: the same journal is the one that goes on from here */
    " at_utc_us INTEGER NOT NULL, currency TEXT NOT NULL,"
    " refused INTEGER NOT NULL, adjusted INTEGER NOT NULL,"
    " billing BLOB NOT NULL,"            /* the policy's struct billing_rule */
    " billed_until_utc_us INTEGER);"     /* what begins before it belongs to a closed month; NULL: no fact yet */

    "CREATE TABLE jobs("
    " job INTEGER PRIMARY KEY, tenant TEXT NOT NULL, uid INTEGER NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL,"
    " key TEXT NOT NULL, labels TEXT NOT NULL, spec BLOB NOT NULL, submitted_utc_us INTEGER NOT NULL, ended_utc_us "
    "INTEGER,"
    " tasks INTEGER NOT NULL, live INTEGER NOT NULL, held INTEGER NOT NULL, done INTEGER NOT NULL,"
    " failed INTEGER NOT NULL, exit_code INTEGER NOT NULL, spent_micros INTEGER NOT NULL);"
    "CREATE INDEX jobs_tenant ON jobs(tenant, job);"
    "CREATE INDEX jobs_uid ON jobs(uid, job);"
    "CREATE INDEX jobs_spent ON jobs(spent_micros);"
    /* How the tasks of a job ended. */
    "CREATE TABLE job_ends(job INTEGER NOT NULL, state TEXT NOT NULL, tasks INTEGER NOT NULL,"
    " PRIMARY KEY(job, state)) WITHOUT ROWID;"

    "CREATE TABLE attempts("
    " attempt INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES jobs, task INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " state TEXT NOT NULL, node TEXT NOT NULL, resources BLOB NOT NULL, accounts INTEGER NOT NULL,"
    " placed_utc_us INTEGER NOT NULL, started_utc_us INTEGER, ended_utc_us INTEGER, stop_cause TEXT, stop_who TEXT,"
    " cause TEXT, final INTEGER NOT NULL DEFAULT 0, user_retry INTEGER NOT NULL DEFAULT 0,"
    " spent_micros INTEGER NOT NULL DEFAULT 0, hold_micros INTEGER NOT NULL, written_off_micros INTEGER NOT NULL "
    "DEFAULT 0,"
    " paid_us INTEGER NOT NULL, settled_us INTEGER NOT NULL DEFAULT 0, price_version INTEGER NOT NULL,"
    " cpu_milli INTEGER NOT NULL, mem_bytes INTEGER NOT NULL,"
    " run_us INTEGER, cpu_us INTEGER, mem_peak_bytes INTEGER, record BLOB,"
    " io_bytes INTEGER," /* of its node's count: that it was last charged up to; ended: all */
    " io_charged INTEGER NOT NULL DEFAULT 0," /* bytes, all its rows so far */
    " UNIQUE(job, task, epoch));"
    "CREATE INDEX attempts_ended ON attempts(ended_utc_us);"

    /* The accounts one charge was posted to, leaf first; few sets, many charges. */
    "CREATE TABLE account_sets(accounts INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);"
    "CREATE TABLE account_members(accounts INTEGER NOT NULL, account TEXT NOT NULL,"
    " PRIMARY KEY(accounts, account)) WITHOUT ROWID;",

    /* Tenants as charges name them: where a job was at that time, wherever it was moved later. */
    "CREATE TABLE paths(tenant INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
    /* Months that costs are closed by. first_charge..last_charge: where the lines of a month are to be found. */
    "CREATE TABLE billing_periods("
    " billing INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, from_utc_us INTEGER NOT NULL, to_utc_us INTEGER NOT "
    "NULL,"
    " created_utc_us INTEGER NOT NULL, closed_seq INTEGER, closed_utc_us INTEGER,"
    " issuer TEXT, layout INTEGER," /* as they stood when it was closed: its export never changes */
    " first_charge INTEGER, last_charge INTEGER);"
    "CREATE TABLE zones(name TEXT PRIMARY KEY, shifts BLOB NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE charges("
    " charge INTEGER PRIMARY KEY, seq INTEGER NOT NULL, line INTEGER NOT NULL," /* of the entry's charges, from 0 */
    " kind TEXT NOT NULL,"                        /* usage, credit, adjustment, rerate */
    " attempt INTEGER REFERENCES attempts, job INTEGER REFERENCES jobs," /* NULL: posted by a person, about none */
    " tenant INTEGER NOT NULL REFERENCES paths, billing INTEGER NOT NULL REFERENCES billing_periods,"
    " correction INTEGER NOT NULL,"               /* its own month was closed before */
    " resource TEXT NOT NULL, price_version INTEGER NOT NULL,"
    " price_class TEXT, preemptible INTEGER NOT NULL, charged_by INTEGER NOT NULL,"
    " list_price INTEGER NOT NULL, price INTEGER NOT NULL," /* micro-units per hour of a core, GiB, unit; io: per GiB */
    " amount INTEGER NOT NULL, quantity INTEGER,"  /* quantity: billionths of such hours, or GiB; NULL: not measured */
    " from_run_us INTEGER NOT NULL, run_us INTEGER NOT NULL,"
    " from_utc_us INTEGER NOT NULL, to_utc_us INTEGER NOT NULL, accounts INTEGER NOT NULL REFERENCES account_sets,"
    " micros INTEGER NOT NULL);"
    /* What persons posted, and re-rating: the words of those charges. */
    "CREATE TABLE adjustments("
    " seq INTEGER PRIMARY KEY, key TEXT NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,"
    " about_seq INTEGER NOT NULL, about_line INTEGER NOT NULL, rerate INTEGER NOT NULL);"
    "CREATE INDEX adjustments_about ON adjustments(about_seq, about_line) WHERE rerate = 1;"
    "CREATE INDEX charges_from ON charges(from_utc_us);"
    "CREATE INDEX charges_attempt ON charges(attempt);"
    /* Running sums for /metrics, which is asked every few seconds; /v1/ledger/check recounts them from the rows. */
    "CREATE TABLE spend(tenant TEXT NOT NULL, resource TEXT NOT NULL, micros INTEGER NOT NULL,"
    " PRIMARY KEY(tenant, resource)) WITHOUT ROWID;"
    "CREATE TABLE ends(cause TEXT PRIMARY KEY, attempts INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE policies(seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, at_utc_us INTEGER NOT NULL,"
    " who TEXT NOT NULL, change BLOB NOT NULL);"
    "CREATE TABLE tenants(path TEXT PRIMARY KEY, rule BLOB NOT NULL, removed INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE tenant_users(path TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY(path, user)) WITHOUT ROWID;"
    "CREATE INDEX tenant_users_user ON tenant_users(user);"
    "CREATE TABLE admins(user TEXT PRIMARY KEY) WITHOUT ROWID;"
    /* withdrawn: no longer in the price book, but charges may name it. */
    "CREATE TABLE price_versions(version INTEGER PRIMARY KEY, from_utc_us INTEGER NOT NULL, withdrawn INTEGER NOT "
    "NULL);"
    "CREATE TABLE prices(version INTEGER NOT NULL, resource TEXT NOT NULL, micros INTEGER NOT NULL,"
    " PRIMARY KEY(version, resource)) WITHOUT ROWID;",

    /* Running sums by the hour, for questions over months; they are asked instead of the rows where they say the same.
     * user '': of no job. /v1/ledger/check recounts them. */
    "CREATE TABLE hours(hour_utc_us INTEGER NOT NULL, tenant INTEGER NOT NULL REFERENCES paths, user TEXT NOT NULL,"
    " resource TEXT NOT NULL, micros INTEGER NOT NULL, PRIMARY KEY(hour_utc_us, tenant, user, resource)) WITHOUT ROWID;"

    /* What others are told of, and the last event each webhook has heard. type: 1 << enum event_type. */
    "CREATE TABLE events(seq INTEGER PRIMARY KEY, at_utc_us INTEGER NOT NULL, type INTEGER NOT NULL,"
    " tenant TEXT NOT NULL, body TEXT NOT NULL);"
    "CREATE TABLE webhooks(name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;"

    /* What a node offered, from when to when; the class of its price list. */
    "CREATE TABLE node_spans("
    " span INTEGER PRIMARY KEY, node TEXT NOT NULL, class TEXT NOT NULL, capacity BLOB NOT NULL,"
    " from_utc_us INTEGER NOT NULL, to_utc_us INTEGER);" /* NULL: it still does */
    "CREATE INDEX node_spans_node ON node_spans(node, from_utc_us);",

    closed_accounts, IO_DAYS};

static int create(sqlite3 *db, const char *cell, struct err *err)
{
    char versions[96];
    snprintf(versions, sizeof versions, "PRAGMA application_id=%d; PRAGMA user_version=%d;", SCHEMA_APPLICATION,
             SCHEMA_VERSION);
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_exec(db, "BEGIN IMMEDIATE", err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < COUNT_OF(tables) && r == 0; i++)
        r = db_exec(db, tables[i], err);
    if (r == 0)
        r = db_prepare(db, "INSERT INTO meta VALUES(1, ?1, 0, x'', 0, '', 0, 0, x'', NULL)", &s, err);
    if (r == 0)
        r = db_bind(s, "t", cell);
    if (r == 0)
        r = db_run(s, err);
    if (r == 0)
        r = db_exec(db, versions, err);
    if (r == 0)
        r = db_exec(db, "COMMIT", err);
    if (r < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

/* All or nothing. */
static int bring_up(sqlite3 *db, int64_t version, struct err *err)
{
    char commit[64];
    snprintf(commit, sizeof commit, "PRAGMA user_version=%d; COMMIT", SCHEMA_VERSION);
    int r = db_exec(db, "BEGIN IMMEDIATE", err);
    if (r < 0)
        return r;
    for (; r == 0 && version < SCHEMA_VERSION; version++)
        r = db_exec(db, steps[version - SCHEMA_OLDEST], err);
    if (r == 0)
        r = db_exec(db, commit, err);
    if (r < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static int check_cell(sqlite3 *db, const char *cell, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT cell FROM meta", &s, err);
    if (r == 0)
        r = db_step(s, err);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(err, -EBADMSG, "its meta row is missing");
    if (strcmp(db_text(s, 0), cell) != 0)
        return err_set(err, -EXDEV, "holds the history of cell '%s', not of '%s'", db_text(s, 0), cell);
    return 0;
}

int schema_prepare(sqlite3 *db, const char *cell, struct err *err)
{
    int64_t application = 0, version = 0, objects = 0;
    int r = db_number(db, "PRAGMA application_id", &application, err);
    if (r == 0)
        r = db_number(db, "PRAGMA user_version", &version, err);
    if (r == 0)
        r = db_number(db, "SELECT count(*) FROM sqlite_master", &objects, err);
    if (r < 0)
        return r;
    if (application == 0 && version == 0 && objects == 0)
        return create(db, cell, err);
    if (application != SCHEMA_APPLICATION)
        return err_set(err, -EBADMSG, "is an SQLite file, but not one of Reeve's");
    if (version < SCHEMA_OLDEST || version > SCHEMA_VERSION)
        return err_set(err, -EPROTONOSUPPORT, "has schema version %lld, this program knows %d", (long long)version,
                       SCHEMA_VERSION);
    r = check_cell(db, cell, err);
    return r == 0 && version < SCHEMA_VERSION ? bring_up(db, version, err) : r;
}
