#include "quotas/reports/book_event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/reports/book_rows.h"
#include "quotas/reports/escape.h"

/* ---- an event's words ------------------------------------------------------------------------------------------- */
static void text_member(struct buf *out, const char *name, const char *text)
{
    buf_addf(out, ",\"%s\":", name);
    json_text(out, text);
}

static void crossed(const struct fact *fact, struct buf *out)
{
    const struct fact_budget_crossed *c = &fact->budget_crossed;
    text_member(out, "account", c->account);
    buf_addf(out, ",\"percent\":%u", c->percent);
    text_member(out, "of", names_get(&threshold_of_names, c->of));
    text_member(out, "direction", c->up ? "up" : "down");
    json_money(out, "limit", c->limit_micros >= 0, c->limit_micros);
    json_money(out, "spent", true, c->spent_micros);
    json_money(out, "held", true, c->held_micros);
    json_money(out, "forecast", c->of == THRESHOLD_FORECAST, c->forecast_micros);
}

static void closed(const struct fact *fact, struct buf *out)
{
    const struct fact_period_closed *c = &fact->period_closed;
    char time[PARSE_TEXT_MAX];
    text_member(out, "period", c->period);
    text_member(out, "from", format_time(c->from_utc_us, time));
    text_member(out, "to", format_time(c->to_utc_us, time));
}

static void proposed(const struct fact *fact, struct buf *out)
{
    const struct fact_policy_proposed *p = &fact->policy_proposed;
    buf_addf(out, ",\"proposal\":%" PRIu64, p->proposal);
    text_member(out, "who", p->change.who);
    buf_add_str(out, ",\"lines\":[");
    for (size_t i = 0; i < p->lines.count; i++) {
        buf_add_str(out, i > 0 ? "," : "");
        json_text(out, p->lines.v[i]);
    }
    buf_add_str(out, "]");
}

static const struct event_kind {
    uint32_t fact;
    void (*write)(const struct fact *fact, struct buf *out);
} kinds[EVENT_TYPE_COUNT] = {
    [EVENT_BUDGET_CROSSED] = {FACT_BUDGET_CROSSED, crossed},
    [EVENT_PERIOD_CLOSED] = {FACT_PERIOD_CLOSED, closed},
    [EVENT_POLICY_PROPOSED] = {FACT_POLICY_PROPOSED, proposed},
};

static int currency_of(struct book *b, char out[8], struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(b->db, "SELECT currency FROM meta", &s, err);
    if (r == 0)
        r = db_step(s, err);
    const char *currency = r == 1 ? db_text(s, 0) : "";
    snprintf(out, 8, "%s", currency[0] != '\0' ? currency : CURRENCY_DEFAULT);
    return MIN(r, 0);
}

static int add_event(struct book *b, uint64_t seq, uint32_t type, const struct fact *fact, struct err *err)
{
    const char *tenant = type == EVENT_BUDGET_CROSSED ? fact->budget_crossed.tenant : TENANT_ROOT;
    char time[PARSE_TEXT_MAX], currency[8];
    struct buf body = {0};
    tenant = tenant != NULL ? tenant : TENANT_ROOT;
    int r = currency_of(b, currency, err);
    if (r < 0)
        return r;
    buf_addf(&body, "{\"id\":\"%s-%" PRIu64 "\",\"type\":\"%s\",\"time\":\"%s\",\"cell\":\"%s\"", b->cell, seq,
             names_get(&event_type_names, type), format_time(fact->at_utc_us, time),
             b->cell); /* a cell's name is plain */
    text_member(&body, "tenant", tenant);
    kinds[type].write(fact, &body);
    text_member(&body, "currency", currency);
    buf_add_str(&body, "}");
    r = body.failed ? err_set(err, -ENOMEM, "no memory")
                    : book_run(b, SQL_EVENT_ADD, err, "uiitt", seq, fact->at_utc_us, (int64_t)(1u << type), tenant,
                               buf_text(&body));
    buf_fini(&body);
    return MIN(r, 0);
}

int book_event(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    for (uint32_t i = 0; i < EVENT_TYPE_COUNT; i++)
        if (kinds[i].fact == fact->kind)
            return add_event(b, seq, i, fact, err);
    return 0;
}

/* ---- who has heard what ----------------------------------------------------------------------------------------- */
int book_event_next(struct book *b, const struct webhook *hook, uint64_t after, int64_t since_utc_us,
                    struct book_event *ret, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_EVENT_NEXT];
    int r = db_bind(s, "uiit", after, since_utc_us, (int64_t)hook->events, hook->tenant);
    if (r == 0)
        r = db_step(s, err);
    *ret = (struct book_event){0};
    if (r == 1) {
        ret->seq = (uint64_t)sqlite3_column_int64(s, 0);
        ret->body = strdup(db_text(s, 1));
        r = ret->body != NULL ? 0 : err_set(err, -ENOMEM, "no memory");
    }
    sqlite3_reset(s);
    return r;
}

int book_hook_load(struct book *b, const char *name, uint64_t *ret_seq, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_HOOK_LOAD];
    int r = db_bind(s, "t", name);
    if (r == 0)
        r = db_step(s, err);
    uint64_t seq = r == 1 ? (uint64_t)sqlite3_column_int64(s, 0) : b->committed.cursor;
    sqlite3_reset(s);
    if (r == 0)
        r = book_hook_save(b, name, seq, err);
    if (r >= 0)
        *ret_seq = seq;
    return MIN(r, 0);
}

int book_hook_save(struct book *b, const char *name, uint64_t seq, struct err *err)
{
    BUG(b->begun);
    return MIN(book_run(b, SQL_HOOK_SAVE, err, "tu", name, seq), 0);
}
