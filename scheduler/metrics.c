#include "scheduler/metrics.h"

#include <inttypes.h>

#include "base/parse.h"

enum metric_kind { COUNTER, GAUGE, COUNTER_US, COUNTER_MICROS };

struct metric {
    const char *name, *help;
    enum metric_kind kind;
    size_t offset;
    const char *labels; /* NULL = none; rows of one name stand together */
};
#define ROW(name, kind, member, labels, help) {name, help, kind, offsetof(struct metrics_input, member), labels}

static const struct metric metrics[] = {
    ROW("reeve_jobs", GAUGE, core.jobs, NULL, "Unfinished jobs."),
    ROW("reeve_jobs_finished", GAUGE, core.finished, NULL, "Finished jobs still kept in memory."),
    ROW("reeve_tasks", GAUGE, core.queued, "state=\"queued\"", "Tasks by state."),
    ROW("reeve_tasks", GAUGE, core.held, "state=\"held\"", NULL),
    ROW("reeve_tasks", GAUGE, core.starting, "state=\"starting\"", NULL),
    ROW("reeve_tasks", GAUGE, core.running, "state=\"running\"", NULL),
    ROW("reeve_tasks", GAUGE, core.unreachable, "state=\"unreachable\"", NULL),
    ROW("reeve_attempts_suspended", GAUGE, core.suspended, NULL, "Attempts that a person has suspended."),
    ROW("reeve_nodes", GAUGE, core.nodes, NULL, "Nodes known to the cell."),
    ROW("reeve_nodes_closed", GAUGE, core.nodes_closed, NULL, "Nodes closed for maintenance now."),
    ROW("reeve_nodes_quarantined", GAUGE, core.nodes_quarantined, NULL, "Nodes left alone for what failed there."),
    ROW("reeve_quarantines_total", COUNTER, core.quarantines_total, NULL, "Times a node was put into quarantine."),
    ROW("reeve_windows", GAUGE, core.windows, NULL, "Maintenance windows that are planned or open."),
    ROW("reeve_node_links", GAUGE, agents.links, NULL, "Nodes connected now."),
    ROW("reeve_jobs_submitted_total", COUNTER, core.submitted_total, NULL, "Jobs accepted."),
    ROW("reeve_attempts_placed_total", COUNTER, core.placed_total, NULL, "Attempts placed on a node."),
    ROW("reeve_attempts_ended_total", COUNTER, core.ended_total, NULL, "Attempts ended."),
    ROW("reeve_holds_renewed_total", COUNTER, core.renewed_total, NULL, "Further slices of money held."),
    ROW("reeve_reports_stale_total", COUNTER, core.stale_total, NULL,
        "Reports of attempts that are no longer current."),
    ROW("reeve_written_off_currency_total", COUNTER_MICROS, core.written_off_micros, NULL,
        "Cost that no tenant pays, in units of the currency."),
    ROW("reeve_decisions_total", COUNTER, core.decisions_total, NULL, "Tasks looked at while deciding."),
    ROW("reeve_decide_seconds_total", COUNTER_US, turn.decide_us_total, NULL, "Time spent deciding."),
    ROW("reeve_term", GAUGE, turn.term, NULL, "Term under which this scheduler writes."),
    ROW("reeve_journal_seq", GAUGE, turn.seq, NULL, "Newest journal entry."),
    ROW("reeve_journal_durable_seq", GAUGE, turn.durable, NULL, "Newest journal entry that is in both copies."),
    ROW("reeve_journal_signed_seq", GAUGE, signed_seq, NULL,
        "Newest journal entry with a signed head since the start."),
    ROW("reeve_journal_archived_seq", GAUGE, turn.archived, NULL, "Newest journal entry that the reports have."),
    ROW("reeve_journal_snapshot_seq", GAUGE, turn.snapshot_seq, NULL, "Entry up to which a snapshot exists."),
    ROW("reeve_snapshots_total", COUNTER, turn.snapshots_total, NULL, "Snapshots written by this process."),
    ROW("reeve_commits_total", COUNTER, turn.committed_total, NULL, "Facts committed."),
    ROW("reeve_commits_refused_total", COUNTER, turn.refused_total, NULL, "Facts refused at commit."),
    ROW("reeve_commit_batches_total", COUNTER, turn.batches_total, NULL, "Batches sent to the store."),
    ROW("reeve_commit_unknown_total", COUNTER, turn.unknown_total, NULL,
        "Batches whose outcome had to be looked up."),
    ROW("reeve_store_ready", GAUGE, ready, NULL, "1 when commits are possible."),
    ROW("reeve_store_recoveries_total", COUNTER, turn.recoveries_total, NULL, "Times both copies were made equal."),
    ROW("reeve_store_rebuilds_total", COUNTER, turn.rebuilds_total, NULL, "Times Redis was emptied and rebuilt."),
    ROW("reeve_requests_waiting", GAUGE, turn.inbox, NULL, "Requests waiting for a commit turn."),
    ROW("reeve_facts_in_flight", GAUGE, turn.inflight, NULL, "Facts sent to the store, not yet answered."),
    ROW("reeve_facts_unsynced", GAUGE, turn.unsynced, NULL, "Committed facts waiting for the journal's fsync."),
    ROW("reeve_requests_busy_total", COUNTER, turn.busy_total, NULL, "Requests turned away because too many waited."),
    ROW("reeve_requests_unavailable_total", COUNTER, turn.unavailable_total, NULL,
        "Requests answered unavailable instead of being committed."),
    ROW("reeve_refusals_total", COUNTER, refusals_total, NULL, "Calls answered with a refusal."),
    ROW("reeve_waiters", GAUGE, waiters, NULL, "Clients waiting for a job to change."),
    ROW("reeve_log_relays", GAUGE, relays, NULL, "Log reads on their way to nodes."),
    ROW("reeve_agent_hellos_total", COUNTER, agents.hellos_total, NULL, "Hellos of nodes."),
    ROW("reeve_agent_beats_total", COUNTER, agents.beats_total, NULL, "Beats of nodes."),
    ROW("reeve_agent_reports_total", COUNTER, agents.reports_total, NULL, "Attempt reports of nodes."),
    ROW("reeve_agent_messages_total", COUNTER, agents.sent_total, NULL, "Messages sent to nodes."),
};

static void head_write(struct buf *out, const char *name, const char *help, bool gauge)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, gauge ? "gauge" : "counter");
}

static void value_write(const struct metric *m, const struct metrics_input *in, struct buf *out)
{
    const void *at = (const char *)in + m->offset;
    char text[PARSE_TEXT_MAX];
    switch (m->kind) {
    case COUNTER:
    case GAUGE:
        buf_addf(out, "%" PRIu64 "\n", *(const uint64_t *)at);
        break;
    case COUNTER_US:
        buf_addf(out, "%" PRIu64 ".%06" PRIu64 "\n", *(const uint64_t *)at / 1000000, *(const uint64_t *)at % 1000000);
        break;
    case COUNTER_MICROS:
        buf_addf(out, "%s\n", format_money(*(const int64_t *)at, text));
        break;
    }
}

void metrics_write(const struct metrics_input *in, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(metrics); i++) {
        const struct metric *m = &metrics[i];
        if (m->help != NULL)
            head_write(out, m->name, m->help, m->kind == GAUGE);
        buf_add_str(out, m->name);
        if (m->labels != NULL)
            buf_addf(out, "{%s}", m->labels);
        buf_add_str(out, " ");
        value_write(m, in, out);
    }
    head_write(out, "reeve_calls_total", "Calls by clients, by method.", false);
    for (size_t i = 0; i < CLIENT_METHOD_COUNT; i++)
        buf_addf(out, "reeve_calls_total{method=\"%s\"} %" PRIu64 "\n", client_methods[i].name, in->calls_total[i]);
}
