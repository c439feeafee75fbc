/* The journal's entries, in a file, in the store and on their way: who holds which facts, and how they are read. */
#include <string.h>

#include "tests/sim/fault_world.h"

/* ---- records ---- */
/* A fact's room is so large that giving it back and asking for it again takes longer than what is done with it. */
static struct fact_room {
    struct fact fact;
    struct fact_room *next;
} *rooms;

static struct fact *room_take(void)
{
    struct fact_room *room = rooms;
    if (room == NULL)
        room = malloc(sizeof *room);
    else
        rooms = room->next;
    MUST_NOT(room == NULL);
    return &room->fact;
}

static void room_give(struct fact *f)
{
    struct fact_room *room = (struct fact_room *)f;
    room->next = rooms;
    rooms = room;
}

struct record *record_new(struct world *w, struct fact *f)
{
    buf_reset(&w->bytes);
    fact_encode(f, &w->bytes);
    MUST_NOT(w->bytes.failed);
    struct record *r = malloc(sizeof *r + w->bytes.len);
    MUST_NOT(r == NULL);
    *r = (struct record){.refs = 1, .pending = true, .len = w->bytes.len, .fact = room_take()};
    memcpy(r->bytes, buf_text(&w->bytes), r->len);
    fact_hand_over(f, r->fact);
    return r;
}

void record_forget(struct record *r)
{
    if (r->pending || r->fact == NULL)
        return;
    fact_clear(r->fact);
    room_give(r->fact);
    r->fact = NULL;
}

void record_drop(struct record *r)
{
    if (--r->refs > 0)
        return;
    r->pending = false;
    record_forget(r);
    free(r);
}

bool record_equal(const struct record *a, const struct record *b)
{
    return a == b || (a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0);
}

static void decode(struct world *w, uint64_t seq, const struct record *r, struct fact *ret)
{
    struct err err = {0};
    if (fact_decode(r->bytes, r->len, ret, &err) < 0)
        broken(w, "seq %llu can't be read: %s", (unsigned long long)seq, err_text(&err));
    if (r->fact == NULL)
        return;
    const struct fact *f = r->fact;
    if (f->kind != ret->kind || f->at_utc_us != ret->at_utc_us ||
        !fields_equal(fact_fields(f->kind), fact_body_const(f), fact_body_const(ret))) {
        fact_clear(ret);
        broken(w, "seq %llu is read as another fact than was written", (unsigned long long)seq);
    }
}

const struct fact *entry_read(struct world *w, const struct entry *e, struct fact *room)
{
    room->kind = FACT_NONE;
    if (e->record->fact != NULL && ++w->reads % w->decode_every != 0)
        return e->record->fact;
    decode(w, e->seq, e->record, room);
    return room;
}

/* ---- entries ---- */
void entries_add(struct entries *e, const struct entry *from)
{
    if (e->count == e->size) {
        e->size = e->size == 0 ? 4 : e->size * 2;
        e->v = realloc(e->v, e->size * sizeof e->v[0]);
        MUST_NOT(e->v == NULL);
    }
    e->v[e->count++] = *from;
    from->record->refs++;
}

void entries_cut(struct entries *e, size_t count)
{
    while (e->count > count)
        record_drop(e->v[--e->count].record);
    if (count == 0) {
        free(e->v);
        *e = (struct entries){0};
    }
}

bool entry_equal(const struct entry *a, const struct entry *b)
{
    return a->seq == b->seq && strcmp(a->refusal, b->refusal) == 0 && record_equal(a->record, b->record);
}
