#include "scheduler/fact_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/io/log.h"
#include "base/parse.h"

struct line {
    const struct core *core;
    const struct fact *fact;
    const char *event;
};

/* "812.17": what people call a task. */
#define TASK_TEXT_MAX 40
static const char *task_text(struct attempt_id id, char out[TASK_TEXT_MAX])
{
    snprintf(out, TASK_TEXT_MAX, "%" PRIu64 ".%u", id.job, id.task);
    return out;
}

static const char *job_tenant(const struct line *l, uint64_t job)
{
    const char *tenant = NULL;
    uint32_t uid;
    return core_job_owner(l->core, job, &tenant, &uid) ? tenant : "";
}

static void log_term(const struct line *l)
{
    const struct fact_term *f = &l->fact->term;
    log_line(LOG_INFO, l->event, "term=%" PRIu64 " writer=%s", f->term, log_quote(f->writer));
}

static void log_policy(const struct line *l)
{
    const struct policy_change *f = &l->fact->policy;
    if (f->proposal == 0)
        log_line(LOG_INFO, l->event, "version=%" PRIu64 " who=%s tenants=%zu removed=%zu", f->version,
                 log_quote(f->who), f->tenants.count, f->removed.count);
    else
        log_line(LOG_INFO, l->event,
                 "version=%" PRIu64 " who=%s tenants=%zu removed=%zu proposal=%" PRIu64 " approved_by=%s", f->version,
                 log_quote(f->who), f->tenants.count, f->removed.count, f->proposal, log_quote(f->approved_by));
}

static void log_proposed(const struct line *l)
{
    const struct fact_policy_proposed *f = &l->fact->policy_proposed;
    log_line(LOG_INFO, l->event, "proposal=%" PRIu64 " version=%" PRIu64 " who=%s uid=%u raises=%zu", f->proposal,
             f->change.version, log_quote(f->change.who), f->uid, f->raises.count);
}

static void log_dropped(const struct line *l)
{
    const struct fact_policy_dropped *f = &l->fact->policy_dropped;
    log_line(LOG_INFO, l->event, "proposal=%" PRIu64 " who=%s reason=%s", f->proposal, log_quote(f->who),
             log_quote(f->reason));
}

static void log_submitted(const struct line *l)
{
    const struct fact_submitted *f = &l->fact->submitted;
    log_line(LOG_INFO, l->event, "job=%" PRIu64 " tenant=%s user=%s name=%s tasks=%u", f->job, log_quote(f->tenant),
             log_quote(f->user), log_quote(f->spec.name), job_spec_tasks(&f->spec));
}

static void log_tasks(const struct line *l)
{
    const struct fact_tasks *f = &l->fact->cancelled; /* held, released and cancelled have one shape */
    log_line(LOG_INFO, l->event, "job=%" PRIu64 " tenant=%s first=%u count=%u who=%s reason=%s", f->job,
             log_quote(job_tenant(l, f->job)), f->first, f->count, log_quote(f->who), log_quote(f->reason));
}

static void log_changed(const struct line *l)
{
    const struct fact_job_changed *f = &l->fact->job_changed;
    if (f->set_hold)
        log_line(LOG_INFO, l->event, "job=%" PRIu64 " hold=%s who=%s", f->job, f->hold ? "yes" : "no",
                 log_quote(f->who));
    if (f->set_priority)
        log_line(LOG_INFO, l->event, "job=%" PRIu64 " priority=%d who=%s", f->job, f->priority, log_quote(f->who));
}

static void log_placement(const struct line *l, const struct fact_placed *f)
{
    struct job_row row = {0};
    int64_t waited_us = 0;
    if (core_job_row(l->core, f->id.job, (struct core_now){.utc_us = l->fact->at_utc_us}, &row))
        waited_us = l->fact->at_utc_us - row.submitted_utc_us;
    fields_clear(&job_row_fields, &row);
    char task[TASK_TEXT_MAX], money[PARSE_TEXT_MAX];
    log_line(LOG_INFO, l->event, "job=%s epoch=%u tenant=%s node=%s waited_ms=%" PRId64 " held=%s",
             task_text(f->id, task), f->id.epoch, log_quote(f->path.count > 0 ? f->path.v[0] : ""),
             log_quote(f->node), waited_us / 1000, format_money(f->hold_micros, money));
}

/* A line for each member of a gang, and one for those that it leaves out. */
static void log_placed(const struct line *l)
{
    struct fact room;
    for (size_t i = 0; i < fact_placements(l->fact); i++)
        log_placement(l, &fact_placement(l->fact, i, &room)->placed);
    if (l->fact->kind == FACT_GANG_PLACED && l->fact->gang_placed.left_out > 0)
        log_line(LOG_INFO, "gang.left_out", "job=%" PRIu64 " tasks=%u", l->fact->gang_placed.job,
                 l->fact->gang_placed.left_out);
}

static void log_running(const struct line *l)
{
    char task[TASK_TEXT_MAX];
    log_line(LOG_INFO, l->event, "job=%s epoch=%u", task_text(l->fact->running.id, task), l->fact->running.id.epoch);
}

static void log_renewed(const struct line *l)
{
    const struct fact_renewed *f = &l->fact->renewed;
    char task[TASK_TEXT_MAX], spent[PARSE_TEXT_MAX], held[PARSE_TEXT_MAX];
    log_line(LOG_INFO, l->event, "job=%s epoch=%u spent=%s held=%s paid_ms=%" PRIu64 " final=%d%s",
             task_text(f->id, task), f->id.epoch, format_money(f->spent_micros, spent),
             format_money(f->hold_micros, held), f->paid_us / 1000, f->final, f->paused ? " paused=1" : "");
}

static void log_stopping(const struct line *l)
{
    const struct fact_stopping *f = &l->fact->stopping;
    char task[TASK_TEXT_MAX];
    log_line(LOG_INFO, l->event, "job=%s epoch=%u cause=%s who=%s", task_text(f->id, task), f->id.epoch,
             names_get(&end_cause_names, f->cause), log_quote(f->who));
}

static void log_contact(const struct line *l)
{
    const struct fact_attempt *f = &l->fact->unreachable;
    char task[TASK_TEXT_MAX];
    log_line(LOG_WARN, l->event, "job=%s epoch=%u node=%s", task_text(f->id, task), f->id.epoch, log_quote(f->node));
}

static void log_ended(const struct line *l)
{
    const struct fact_ended *f = &l->fact->ended;
    char task[TASK_TEXT_MAX], spent[PARSE_TEXT_MAX];
    const char *next =
        f->next == NEXT_FINAL ? names_get(&task_state_names, f->state) : names_get(&task_next_names, f->next);
    log_line(LOG_INFO, l->event,
             "job=%s epoch=%u node=%s cause=%s exit=%d signal=%d next=%s run_ms=%" PRIu64 " spent=%s%s%s",
             task_text(f->id, task), f->id.epoch, log_quote(f->node), names_get(&end_cause_names, f->record.cause),
             f->record.exit_code, f->record.signal, next, f->record.run_us / 1000,
             format_money(f->spent_micros, spent),
             f->record.detail == NULL ? "" : " detail=", f->record.detail == NULL ? "" : log_quote(f->record.detail));
}

static void log_joined(const struct line *l)
{
    const struct fact_node *f = &l->fact->joined;
    char cpu[PARSE_TEXT_MAX], mem[PARSE_TEXT_MAX], most[40] = "";
    if (f->max_attempts != 0)
        snprintf(most, sizeof most, " max_attempts=%u", f->max_attempts);
    log_line(LOG_INFO, l->event, "node=%s cpu=%s memory=%s%s version=%s", log_quote(f->node),
             format_cpu(f->capacity.cpu_milli, cpu), format_size(f->capacity.mem_bytes, mem), most,
             log_quote(f->version));
}

static void log_lost(const struct line *l)
{
    log_line(LOG_WARN, l->event, "node=%s reason=%s", log_quote(l->fact->lost.node), log_quote(l->fact->lost.reason));
}

static void log_drained(const struct line *l)
{
    const struct fact_drained *f = &l->fact->drained;
    log_line(LOG_INFO, l->event, "node=%s drained=%d reason=%s who=%s", log_quote(f->node), f->drained,
             log_quote(f->reason), log_quote(f->who));
}

static void log_suspended(const struct line *l)
{
    const struct fact_suspended *f = &l->fact->suspended;
    char id[ATTEMPT_ID_TEXT_MAX];
    log_line(LOG_INFO, l->event, "attempt=%s node=%s suspended=%d reason=%s who=%s", attempt_id_format(f->id, id),
             log_quote(f->node), f->suspended, log_quote(f->reason), log_quote(f->who));
}

static void log_quarantined(const struct line *l)
{
    const struct fact_quarantined *f = &l->fact->quarantined;
    char until[PARSE_TEXT_MAX];
    log_line(f->quarantined ? LOG_WARN : LOG_INFO, l->event,
             "node=%s quarantined=%d times=%u until=%s reason=%s who=%s", log_quote(f->node), f->quarantined, f->level,
             format_time(f->until_utc_us, until), log_quote(f->reason), log_quote(f->who));
}

static void log_window(const struct line *l)
{
    const struct fact_window *f = &l->fact->window;
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    log_line(LOG_INFO, l->event, "window=%llu nodes=%zu where=%s cell=%d from=%s until=%s at_begin=%s reason=%s who=%s",
             (unsigned long long)f->window, f->nodes.count, log_quote(f->where), f->cell,
             format_time(f->from_utc_us, from), format_time(f->to_utc_us, to),
             names_get(&window_begin_names, f->at_begin), log_quote(f->reason), log_quote(f->who));
}

static void log_window_dropped(const struct line *l)
{
    const struct fact_window_dropped *f = &l->fact->window_dropped;
    log_line(LOG_INFO, l->event, "window=%llu reason=%s who=%s", (unsigned long long)f->window, log_quote(f->reason),
             log_quote(f->who));
}

static void log_opened(const struct line *l)
{
    const struct fact_budget_opened *f = &l->fact->budget_opened;
    char limit[PARSE_TEXT_MAX], carried[PARSE_TEXT_MAX];
    log_line(LOG_INFO, l->event, "account=%s limit=%s carried=%s", log_quote(f->account),
             f->limit_micros < 0 ? "none" : format_money(f->limit_micros, limit),
             format_money(f->carried_micros, carried));
}

static void log_crossed(const struct line *l)
{
    const struct fact_budget_crossed *f = &l->fact->budget_crossed;
    char limit[PARSE_TEXT_MAX], spent[PARSE_TEXT_MAX], held[PARSE_TEXT_MAX], forecast[PARSE_TEXT_MAX];
    log_line(f->up ? LOG_WARN : LOG_INFO, l->event,
             "account=%s percent=%u of=%s up=%d limit=%s spent=%s held=%s forecast=%s", log_quote(f->account),
             f->percent, names_get(&threshold_of_names, f->of), f->up, format_money(f->limit_micros, limit),
             format_money(f->spent_micros, spent), format_money(f->held_micros, held),
             format_money(f->forecast_micros, forecast));
}

static void log_adjusted(const struct line *l)
{
    const struct fact_adjusted *f = &l->fact->adjusted;
    char amount[PARSE_TEXT_MAX];
    log_line(LOG_INFO, l->event, "tenant=%s kind=%s amount=%s key=%s who=%s reason=%s", log_quote(f->tenant),
             names_get(&adjust_kind_names, f->kind), format_money(f->micros, amount), log_quote(f->key),
             log_quote(f->who), log_quote(f->reason));
}

static void log_moved(const struct line *l)
{
    const struct fact_tenant_moved *f = &l->fact->tenant_moved;
    log_line(LOG_INFO, l->event, "from=%s to=%s tenants=%zu jobs=%zu running=%zu who=%s", log_quote(f->from),
             log_quote(f->to), f->tenants.count, f->jobs.count, f->attempts.count, log_quote(f->who));
}

static void log_closed(const struct line *l)
{
    const struct fact_period_closed *f = &l->fact->period_closed;
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    log_line(LOG_INFO, l->event, "period=%s from=%s to=%s", log_quote(f->period), format_time(f->from_utc_us, from),
             format_time(f->to_utc_us, to));
}

static void log_accounts(const struct line *l)
{
    const struct list *accounts = &l->fact->accounts_closed.accounts;
    const struct closed_account *v = accounts->v;
    char spent[PARSE_TEXT_MAX];
    for (size_t i = 0; i < accounts->count; i++)
        log_line(LOG_INFO, l->event, "account=%s spent=%s", log_quote(v[i].account),
                 format_money(v[i].spent_micros, spent));
}

typedef void (*writer)(const struct line *l);
static const writer writers[FACT_KIND_COUNT] = {
    [FACT_TERM_TAKEN] = log_term,
    [FACT_POLICY_SET] = log_policy,
    [FACT_POLICY_PROPOSED] = log_proposed,
    [FACT_POLICY_DROPPED] = log_dropped,
    [FACT_JOB_SUBMITTED] = log_submitted,
    [FACT_TASKS_CANCELLED] = log_tasks,
    [FACT_TASK_HELD] = log_tasks,
    [FACT_TASK_RELEASED] = log_tasks,
    [FACT_ATTEMPT_PLACED] = log_placed,
    [FACT_GANG_PLACED] = log_placed,
    [FACT_ATTEMPT_RUNNING] = log_running,
    [FACT_HOLD_RENEWED] = log_renewed,
    [FACT_ATTEMPT_STOPPING] = log_stopping,
    [FACT_ATTEMPT_UNREACHABLE] = log_contact,
    [FACT_ATTEMPT_REACHED] = log_contact,
    [FACT_ATTEMPT_ENDED] = log_ended,
    [FACT_NODE_JOINED] = log_joined,
    [FACT_PERIOD_CLOSED] = log_closed,
    [FACT_NODE_LOST] = log_lost,
    [FACT_NODE_DRAINED] = log_drained,
    [FACT_BUDGET_OPENED] = log_opened,
    [FACT_BUDGET_CROSSED] = log_crossed,
    [FACT_LEDGER_ADJUSTED] = log_adjusted,
    [FACT_TENANT_MOVED] = log_moved,
    [FACT_JOB_CHANGED] = log_changed,
    [FACT_ACCOUNTS_CLOSED] = log_accounts,
    [FACT_ATTEMPT_SUSPENDED] = log_suspended,
    [FACT_NODE_QUARANTINED] = log_quarantined,
    [FACT_WINDOW_SET] = log_window,
    [FACT_WINDOW_DROPPED] = log_window_dropped,
};

void fact_log(const struct core *core, uint64_t seq, const struct fact *fact)
{
    (void)seq;
    struct line l = {core, fact, names_get(&fact_names, fact->kind)};
    if (fact->kind < FACT_KIND_COUNT && writers[fact->kind] != NULL)
        writers[fact->kind](&l);
}
