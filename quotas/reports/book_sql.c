/* Every statement the book writes with. */
#include "quotas/reports/book_rows.h"
#include "quotas/reports/schema.h"

#define FIND_ATTEMPT " WHERE job = ?1 AND task = ?2 AND epoch = ?3"

const char *const book_sql_text[BOOK_SQL_COUNT] = {
    [SQL_META_LOAD] = "SELECT cursor, digest, at_utc_us FROM meta",
    [SQL_META_SAVE] = "UPDATE meta SET cursor = ?1, digest = ?2, at_utc_us = ?3",
    [SQL_META_COUNT] = "UPDATE meta SET refused = refused + ?1, adjusted = adjusted + ?2",
    [SQL_META_CURRENCY] = "UPDATE meta SET currency = ?1",

    [SQL_JOB_ADD] = "INSERT INTO jobs VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, ?10, 0, 0, 0, 0, 0, 0)",
    [SQL_JOB_CANCEL] = "UPDATE jobs SET done = done + ?2, failed = failed + ?2 WHERE job = ?1",
    [SQL_JOB_LEFT_OUT] = "UPDATE jobs SET done = done + ?2 WHERE job = ?1",
    [SQL_JOB_HOLD] = "UPDATE jobs SET held = max(0, held + ?2) WHERE job = ?1",
    [SQL_JOB_PLACED] = "UPDATE jobs SET live = live + 1 WHERE job = ?1",
    [SQL_JOB_ENDED] = "UPDATE jobs SET live = live - 1, done = done + ?2, failed = failed + ?3, held = held + ?4,"
                      " exit_code = CASE ?5 WHEN 0 THEN exit_code ELSE ?5 END WHERE job = ?1",
    [SQL_JOB_SPENT] = "UPDATE jobs SET spent_micros = spent_micros + ?2 WHERE job = ?1",
    [SQL_JOB_DONE] = "UPDATE jobs SET ended_utc_us = ?2, held = 0 WHERE job = ?1",
    [SQL_JOB_TENANT] = "SELECT tenant FROM jobs WHERE job = ?1",
    [SQL_END_COUNT] = "INSERT INTO job_ends VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET tasks = tasks + ?3",
    [SQL_CAUSE_COUNT] = "INSERT INTO ends VALUES(?1, 1) ON CONFLICT DO UPDATE SET attempts = attempts + 1",

    [SQL_ATTEMPT_ADD] = "INSERT INTO attempts(job, task, epoch, state, node, resources, accounts, placed_utc_us,"
                        " hold_micros, paid_us, price_version, cpu_milli, mem_bytes)"
                        " VALUES(?1, ?2, ?3, 'starting', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [SQL_ATTEMPT_FIND] = "SELECT attempt, spent_micros, coalesce(started_utc_us, placed_utc_us), accounts,"
                         " ended_utc_us IS NOT NULL, started_utc_us IS NOT NULL FROM attempts" FIND_ATTEMPT,
    [SQL_ATTEMPT_STATE] = "UPDATE attempts SET state = ?4" FIND_ATTEMPT,
    [SQL_ATTEMPT_STARTED] = "UPDATE attempts SET state = 'running', started_utc_us = ?4" FIND_ATTEMPT,
    [SQL_ATTEMPT_RENEWED] = "UPDATE attempts SET spent_micros = ?2, hold_micros = ?3, settled_us = ?4, paid_us = ?5,"
                            " accounts = ?6 WHERE attempt = ?1",
    [SQL_ATTEMPT_STOPPING] = "UPDATE attempts SET stop_cause = ?4, stop_who = ?5" FIND_ATTEMPT,
    [SQL_ATTEMPT_ENDED] = "UPDATE attempts SET state = ?2, cause = ?3, ended_utc_us = ?4, final = ?5, user_retry = ?6,"
                          " spent_micros = ?7, hold_micros = 0, written_off_micros = ?8, run_us = ?9, settled_us = ?9,"
                          " cpu_us = ?10, mem_peak_bytes = ?11, record = ?12,"
                          " started_utc_us = coalesce(started_utc_us, nullif(?13, 0)) WHERE attempt = ?1",
    [SQL_ATTEMPT_IO] = "UPDATE attempts SET io_bytes = ?2 WHERE attempt = ?1",
    [SQL_ATTEMPT_IO_CHARGED] = "UPDATE attempts SET io_charged = io_charged + ?2 WHERE attempt = ?1",

    /* What was charged of its bytes, at the least price; had they one when it was placed? */
    [SQL_IO_CHARGED] = "SELECT coalesce(sum(amount), 0), coalesce(min(price), 0), count(*), (SELECT count(*)"
                       " FROM attempts a JOIN prices p ON p.version = a.price_version AND p.resource = '" RESOURCE_IO
                       "' WHERE a.attempt = ?1), (SELECT count(*) FROM price_versions v JOIN attempts a ON a.attempt ="
                       " ?1 WHERE v.from_utc_us > coalesce(a.started_utc_us, a.placed_utc_us) AND v.from_utc_us <= ?2"
                       " AND NOT v.withdrawn AND v.version NOT IN (SELECT price_version FROM charges WHERE attempt ="
                       " ?1 AND resource = '" RESOURCE_IO "')) FROM charges WHERE attempt = ?1 AND resource = '"
                       RESOURCE_IO "' AND kind = 'usage'",
    [SQL_IO_DAY_ADD] = "INSERT INTO io_days VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
                       " ON CONFLICT DO UPDATE SET attempts = attempts + ?3, kernel_bytes = kernel_bytes + ?4,"
                       " told_bytes = told_bytes + ?5, uncounted_bytes = uncounted_bytes + ?6,"
                       " cached_bytes = cached_bytes + ?7, charged_bytes = charged_bytes + ?8,"
                       " written_off_bytes = written_off_bytes + ?9, free_bytes = free_bytes + ?10,"
                       " twice_bytes = twice_bytes + ?11, lost_bytes = lost_bytes + ?12,"
                       " unknown_attempts = unknown_attempts + ?13, unknown_bytes = unknown_bytes + ?14",

    [SQL_SET_FIND] = "SELECT accounts FROM account_sets WHERE names = ?1",
    [SQL_SET_ADD] = "INSERT INTO account_sets(names) VALUES(?1)",
    [SQL_SET_MEMBER] = "INSERT OR IGNORE INTO account_members VALUES(?1, ?2)",
    [SQL_PATH_FIND] = "SELECT tenant FROM paths WHERE path = ?1",
    [SQL_PATH_ADD] = "INSERT INTO paths(path) VALUES(?1)",
    [SQL_PRICE_FIND] = "SELECT micros FROM prices WHERE version = ?1 AND resource = ?2",
    [SQL_CHARGE_ADD] = "INSERT INTO charges(seq, line, kind, attempt, job, tenant, billing, correction, resource,"
                       " price_version, price_class, preemptible, charged_by, list_price, price, amount, quantity,"
                       " from_run_us, run_us, from_utc_us, to_utc_us, accounts, micros)"
                       " VALUES(?1, ?2, ?3, nullif(?4, 0), nullif(?5, 0), ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
                       " ?15, ?16, CASE ?23 WHEN 1 THEN ?17 END, ?18, ?19, ?20, ?21, ?22, ?24)",
    [SQL_CHARGE_FROM] = "SELECT charge, seq, line, attempt, resource, price_class, preemptible, charged_by, list_price,"
                        " price, amount, quantity, from_run_us, run_us, from_utc_us, to_utc_us, micros, price_version"
                        " FROM charges WHERE charge >= ?1 ORDER BY charge",
    [SQL_HOUR_ADD] = "INSERT INTO hours VALUES(?1, ?2, coalesce((SELECT user FROM jobs WHERE job = ?3), ''), ?4, ?5)"
                     " ON CONFLICT DO UPDATE SET micros = micros + ?5",
    [SQL_SPEND_ADD] = "INSERT INTO spend VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET micros = micros + ?3",

    [SQL_ADJUSTED_ADD] = "INSERT INTO adjustments VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    /* The newest re-rating of a line before an entry: what it costs now is what that one posted. */
    [SQL_ADJUSTED_LAST] = "SELECT max(a.seq) FROM adjustments a WHERE a.about_seq = ?1 AND a.about_line = ?2"
                          " AND a.seq < ?3 AND a.rerate = 1",
    [SQL_BILLING_LOAD] = "SELECT billing, billed_until_utc_us FROM meta",
    [SQL_BILLING_RULE] = "UPDATE meta SET billing = ?1",
    [SQL_BILLING_UNTIL] = "UPDATE meta SET billed_until_utc_us = ?1",
    [SQL_BILLING_FIND] = "SELECT billing, from_utc_us, to_utc_us, first_charge, last_charge FROM billing_periods"
                         " WHERE name = ?1",
    [SQL_BILLING_ADD] = "INSERT INTO billing_periods(name, from_utc_us, to_utc_us, created_utc_us) SELECT ?1, ?2, ?3,"
                        " CASE count(*) WHEN 0 THEN max(?2, ?4) ELSE ?2 END FROM billing_periods",
    [SQL_BILLING_STRETCH] = "UPDATE billing_periods SET first_charge = nullif(?2, 0), last_charge = nullif(?3, 0)"
                            " WHERE billing = ?1",
    [SQL_BILLING_CLOSE] = "UPDATE billing_periods SET from_utc_us = ?2, to_utc_us = ?3, closed_seq = ?4,"
                          " closed_utc_us = ?5, issuer = coalesce(?6, (SELECT " ISSUER_DEFAULT " FROM meta)),"
                          " layout = ?7 WHERE billing = ?1",
    [SQL_BILLING_CLEAR] = "DELETE FROM billing_periods WHERE first_charge IS NULL AND closed_seq IS NULL",
    [SQL_ZONE_FIND] = "SELECT shifts FROM zones WHERE name = ?1",
    [SQL_ZONE_SET] = "INSERT INTO zones VALUES(?1, ?2) ON CONFLICT DO UPDATE SET shifts = ?2",

    [SQL_POLICY_ADD] = "INSERT INTO policies VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQL_TENANT_SET] = "INSERT INTO tenants VALUES(?1, ?2, 0) ON CONFLICT DO UPDATE SET rule = ?2, removed = 0",
    [SQL_TENANT_REMOVE] = "UPDATE tenants SET removed = 1 WHERE path = ?1",
    [SQL_TENANT_RULE] = "SELECT rule FROM tenants WHERE path = ?1 AND removed = 0",
    /* One name in a list of lines. */
    [SQL_SETS_MOVE] = "UPDATE account_sets SET names = trim(replace(char(10) || names || char(10),"
                      " char(10) || ?1 || char(10), char(10) || ?2 || char(10)), char(10))"
                      " WHERE accounts IN (SELECT accounts FROM account_members WHERE account = ?1)",
    [SQL_MEMBERS_MOVE] = "UPDATE account_members SET account = ?2 WHERE account = ?1",
    [SQL_CLOSED_ADD] = "INSERT INTO closed_accounts VALUES(?1, ?2, ?3, ?4)",
    [SQL_CLOSED_FIND] = "SELECT max(seq) FROM closed_accounts WHERE account = ?1",
    [SQL_CLOSED_MOVE] = "UPDATE closed_accounts SET account = ?2 WHERE account = ?1",
    [SQL_USERS_CLEAR] = "DELETE FROM tenant_users WHERE path = ?1",
    [SQL_USER_ADD] = "INSERT OR IGNORE INTO tenant_users VALUES(?1, ?2)",
    [SQL_ADMINS_CLEAR] = "DELETE FROM admins",
    [SQL_ADMIN_ADD] = "INSERT OR IGNORE INTO admins VALUES(?1)",
    [SQL_PRICES_WITHDRAW] = "UPDATE price_versions SET withdrawn = 1",
    [SQL_PRICE_VERSION] = "INSERT INTO price_versions VALUES(?1, ?2, 0)"
                          " ON CONFLICT DO UPDATE SET from_utc_us = ?2, withdrawn = 0",
    [SQL_PRICES_CLEAR] = "DELETE FROM prices WHERE version = ?1",
    [SQL_PRICE_ADD] = "INSERT INTO prices VALUES(?1, ?2, ?3)",

    [SQL_EVENT_ADD] = "INSERT INTO events VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQL_EVENT_NEXT] = "SELECT seq, body FROM events WHERE seq > ?1 AND at_utc_us >= ?2 AND (type & ?3) <> 0"
                       " AND (?4 = '/' OR tenant = ?4 OR (tenant > ?4 || '/' AND tenant < ?4 || '0'))"
                       " ORDER BY seq LIMIT 1",
    [SQL_HOOK_LOAD] = "SELECT seq FROM webhooks WHERE name = ?1",
    [SQL_HOOK_SAVE] = "INSERT INTO webhooks VALUES(?1, ?2) ON CONFLICT DO UPDATE SET seq = ?2",

    [SQL_SPAN_OPEN] = "SELECT 1 FROM node_spans WHERE node = ?1 AND class = ?2 AND capacity = ?3 AND to_utc_us IS NULL",
    [SQL_SPAN_END] = "UPDATE node_spans SET to_utc_us = ?2 WHERE node = ?1 AND to_utc_us IS NULL",
    [SQL_SPAN_ADD] = "INSERT INTO node_spans(node, class, capacity, from_utc_us) VALUES(?1, ?2, ?3, ?4)",
};
