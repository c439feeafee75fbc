#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/log.h"
#include "scheduler/exit_codes.h"
#include "scheduler/turn_inner.h"

/* ---- effects wait for their seq ---- */
static bool effects_grow(struct effects *e)
{
    size_t size = e->size == 0 ? 1024 : 2 * e->size;
    struct effect *v = malloc(size * sizeof *v);
    if (v == NULL)
        return false;
    for (size_t i = 0; i < e->count; i++)
        v[i] = e->v[(e->head + i) % e->size];
    free(e->v);
    *e = (struct effects){.v = v, .size = size, .count = e->count};
    return true;
}

/* What was committed must have its effects: without memory for them this process is of no use; the next one recovers.
 */
void turn_effect(struct turn *t, struct effect e)
{
    if (t->effects.count == t->effects.size && !effects_grow(&t->effects))
        abort();
    t->effects.v[(t->effects.head + t->effects.count) % t->effects.size] = e;
    t->effects.count++;
}

static void request_settle(struct turn *t, struct request *r)
{
    if (r == NULL || --r->open > 0)
        return;
    if (!r->told && r->ops->settled(r))
        turn_repost(t, r);
    else
        r->ops->free(r);
}

static void effect_release(struct turn *t, struct effect *e)
{
    if (e->fact.kind != FACT_NONE && !e->refused)
        t->setup.on_durable(t->setup.arg, e->seq, &e->fact);
    request_settle(t, e->request);
    fact_clear(&e->fact);
}

void turn_on_synced(void *turn, uint64_t durable)
{
    struct turn *t = turn;
    while (t->effects.count > 0 && t->effects.v[t->effects.head].seq <= durable) {
        struct effect e = t->effects.v[t->effects.head];
        t->effects.head = (t->effects.head + 1) % t->effects.size;
        t->effects.count--;
        effect_release(t, &e);
    }
    if (t->store != NULL && store_is_up(t->store) && t->term > 0)
        store_note_durable(t->store, t->term, durable);
}

void turn_settle_when_durable(struct turn *t, struct request *r)
{
    r->open++;
    uint64_t seq = journal_seq(t->setup.journal);
    if (t->effects.count == 0 && seq <= journal_durable(t->setup.journal))
        request_settle(t, r);
    else
        turn_effect(t, (struct effect){.seq = seq, .request = r});
}

bool turn_placement_pending(const struct turn *t, struct attempt_id id)
{
    for (size_t i = 0; i < t->effects.count; i++) {
        const struct effect *e = &t->effects.v[(t->effects.head + i) % t->effects.size];
        struct fact room;
        for (size_t k = e->refused ? 0 : fact_placements(&e->fact); k-- > 0;)
            if (attempt_id_equal(fact_placement(&e->fact, k, &room)->placed.id, id))
                return true;
    }
    return false;
}

void turn_effects_free(struct turn *t)
{
    for (size_t i = 0; i < t->effects.count; i++) {
        struct effect *e = &t->effects.v[(t->effects.head + i) % t->effects.size];
        if (e->request != NULL && --e->request->open == 0) {
            if (!e->request->told)
                e->request->ops->unavailable(e->request, "reeved is stopping; the outcome is not known yet");
            e->request->ops->free(e->request);
        }
        fact_clear(&e->fact);
    }
    free(t->effects.v);
    t->effects = (struct effects){0};
}

/* ---- outcomes ---- */
static void record(struct turn *t, size_t i, const char *refusal)
{
    const struct store_entry *e = &t->entries[i];
    struct journal_record r = {.seq = e->seq, .term = t->term, .fact = e->bytes, .fact_len = e->len};
    snprintf(r.refusal, sizeof r.refusal, "%s", refusal);
    journal_append(t->setup.journal, &r);
}

static void move_to_effects(struct turn *t, size_t i, bool refused)
{
    turn_effect(t, (struct effect){.seq = t->entries[i].seq, .fact = t->facts[i], .request = t->owners[i],
                                   .refused = refused});
    t->facts[i] = (struct fact){0};
    t->owners[i] = NULL;
}

void turn_accept(struct turn *t, size_t i)
{
    record(t, i, "");
    core_apply(t->setup.core, t->entries[i].seq, &t->facts[i]);
    t->stats.committed_total++;
    move_to_effects(t, i, false);
}

void turn_refuse(struct turn *t, size_t i, const char *code, const char *detail)
{
    record(t, i, code[0] == '\0' ? "refused" : code);
    core_refused(t->setup.core, &t->facts[i], code, detail, turn_now(t));
    t->stats.refused_total++;
    struct request *r = t->owners[i];
    if (r != NULL && r->refusal[0] == '\0') {
        snprintf(r->refusal, sizeof r->refusal, "%s", code);
        snprintf(r->detail, sizeof r->detail, "%s", detail);
    }
    move_to_effects(t, i, true);
}

void turn_shift(struct turn *t, size_t n)
{
    size_t left = t->count - n;
    memmove(t->facts, t->facts + n, left * sizeof *t->facts);
    memmove(t->owners, t->owners + n, left * sizeof *t->owners);
    memmove(t->offsets, t->offsets + n, left * sizeof *t->offsets);
    t->count = left;
    t->first_seq += n;
    t->decide_due = true;
}

/* Nobody waits longer for a store that doesn't come back; the answer says that the outcome is open. */
void turn_on_unknown_timer(void *turn)
{
    struct turn *t = turn;
    for (size_t i = 0; i < t->count && t->state == TURN_RECOVER; i++) {
        struct request *r = t->owners[i];
        if (r == NULL || r->told || r->ops->patient)
            continue;
        r->told = true;
        t->stats.unavailable_total++;
        r->ops->unavailable(r, "store unavailable: the outcome is not known yet, ask again with the same key");
    }
}

/* What the store could not tell is cleared up by reading what it has. */
static void outcome_unknown(struct turn *t)
{
    t->stats.unknown_total++;
    if (t->state == TURN_READY) {
        t->state = TURN_RECOVER;
        snprintf(t->store_text, sizeof t->store_text, "store unavailable: it did not answer in time");
        log_line(LOG_WARN, "store.unknown", "seq=%" PRIu64 " entries=%zu", t->first_seq, t->count);
    }
    turn_fail_inbox(t, t->store_text);
    t->recover_due = store_is_up(t->store);
    timer_set_ms(t->unknown_timer, TURN_UNKNOWN_MS);
}

void turn_on_committed(void *turn, const struct store_result *results, size_t count)
{
    struct turn *t = turn;
    BUG(count != t->count || !t->out);
    t->out = false;
    size_t done = 0;
    for (bool known = true; known && done < count;) {
        const struct store_result *r = &results[done];
        switch ((enum store_outcome)r->outcome) {
        case STORE_OK:
            turn_accept(t, done++);
            break;
        case STORE_REFUSED:
            turn_refuse(t, done++, r->refusal, r->detail);
            break;
        case STORE_GAP:
        case STORE_FENCED:
            turn_fatal(t, EXIT_FENCED, "another scheduler has taken the cell");
            return;
        case STORE_DUP:
        case STORE_UNKNOWN:
        case STORE_OUTCOME_COUNT:
            known = false;
            break;
        }
    }
    turn_shift(t, done);
    if (t->count > 0)
        outcome_unknown(t);
}
