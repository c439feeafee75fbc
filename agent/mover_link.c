#include "agent/mover_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/fd.h"

struct out {
    bool used;
    bool returned; /* given back to the queue while it is still out: the mover stands still */
    uint32_t generation;
    struct fq_grant grant;
};

struct want {
    uint64_t bytes, left; /* as it was said; not granted yet */
    uint64_t base;        /* where in it the request begins that is in the queue */
    uint64_t posted;      /* of that, not granted yet; 0: none is */
    enum io_dir dir;
};

struct mover_link {
    struct mover_link_setup with;
    struct watch *watch;
    arbiter_id turn;
    struct want wants[MOVER_WANTS];
    struct out out[MOVER_GRANTS_MAX];
    struct io_counts counts; /* as it says */
    uint64_t disk_before[IO_DIR_COUNT]; /* of that when it began: not in memory */
    bool heard[IO_DIR_COUNT];           /* since then */
    uint64_t may;            /* be posted beyond what is posted and out */
    bool to_the_byte;
    bool broken, stands;
};

static void give_back(struct mover_link *m, struct out *o)
{
    if (o->used && !o->returned)
        fair_done(m->with.fair, &o->grant, 0);
    o->returned = true;
}

static void give_back_all(struct mover_link *m)
{
    for (uint32_t i = 0; i < MOVER_GRANTS_MAX; i++)
        give_back(m, &m->out[i]);
}

/* ---- down ---- */

static uint64_t grant_id(const struct mover_link *m, uint32_t slot)
{
    return (uint64_t)m->out[slot].generation << 32 | slot;
}

/* Its turn has come. More than the queue lets out at once there never are. */
static void on_granted(void *owner, uint64_t token, const struct fq_grant *grant)
{
    (void)token;
    struct mover_link *m = owner;
    uint32_t slot = 0;
    while (slot < MOVER_GRANTS_MAX && m->out[slot].used)
        slot++;
    assert(slot < MOVER_GRANTS_MAX);
    m->out[slot] = (struct out){.used = true, .generation = m->out[slot].generation + 1, .grant = *grant};
    struct mover_message say;
    memset(&say, 0, sizeof say);
    say.version = MOVER_VERSION;
    say.op = MOVER_GRANT;
    say.want = (uint32_t)grant->token;
    say.grant = grant_id(m, slot);
    struct want *w = &m->wants[say.want];
    say.offset = w->base + grant->offset;
    say.bytes = grant->bytes;
    w->left -= grant->bytes;
    w->posted -= grant->bytes;
    if (fd_send_packet(m->with.sock, &say, sizeof say, NULL, 0) == 0)
        return;
    m->broken = true; /* it doesn't read: the watch will say that it is gone */
    give_back(m, &m->out[slot]);
    m->out[slot].used = false;
}

static bool is_behind(const struct mover_link *m)
{
    for (uint32_t i = 0; i < MOVER_GRANTS_MAX; i++)
        if (m->out[i].used && m->out[i].returned)
            return true;
    return false;
}

/* How much of it may be posted: all of it, or as many whole blocks as are paid. */
static uint64_t part_of(const struct mover_link *m, const struct want *w)
{
    bool whole = w->left <= m->may || m->to_the_byte;
    return whole ? MIN(w->left, m->may) : m->may - m->may % MOVER_BLOCK_BYTES;
}

/* Not while it stands still, nor before it has worked off what it was granted then. False: the node's queue is full. */
static bool post_wants(struct mover_link *m)
{
    for (uint32_t i = 0; i < MOVER_WANTS && !m->stands && !is_behind(m); i++) {
        struct want *w = &m->wants[i];
        uint64_t bytes = part_of(m, w);
        if (bytes == 0 || w->posted > 0)
            continue;
        w->base = w->bytes - w->left;
        if (fair_post(m->with.fair, m->turn, &(struct fq_request){.dir = w->dir, .bytes = bytes, .token = i}) < 0)
            return false;
        w->posted = bytes;
        m->may -= bytes;
    }
    return true;
}

/* ---- up ---- */

static bool take_want(struct mover_link *m, const struct mover_message *say)
{
    struct want *w = &m->wants[say->want];
    if (w->left != 0)
        return false;
    *w = (struct want){.bytes = say->bytes, .left = say->bytes, .dir = say->dir == MOVER_READ ? IO_READ : IO_WRITE};
    return post_wants(m);
}

static enum mover_dir dir_of(enum io_dir dir)
{
    return dir == IO_READ ? MOVER_READ : MOVER_WRITE;
}

static uint64_t on_disk(const struct io_counts *c, enum io_dir dir)
{
    return LESS(c->moved.bytes[dir], c->memory.bytes[dir]);
}

/* The mover counts from its birth, for any number of agents: what an agent before this one didn't hear isn't lost. */
static void count(struct mover_link *m, const struct out *o, const struct mover_message *say)
{
    enum io_dir dir = o->grant.dir;
    uint64_t bytes = MIN(say->bytes, o->grant.bytes);
    for (enum io_dir d = 0; d < IO_DIR_COUNT; d++) {
        m->counts.moved.ops[d] = say->totals.ops[dir_of(d)];
        m->counts.moved.bytes[d] = say->totals.bytes[dir_of(d)];
    }
    m->counts.memory.bytes[dir] = MIN(say->offset, m->counts.moved.bytes[dir]);
    m->counts.memory.ops[dir] += say->want == MOVER_PATH_MEMORY;
    m->counts.cached_bytes += say->want == MOVER_PATH_CACHE ? bytes : 0;
    if (!m->heard[dir])
        m->counts.cached_bytes +=
            LESS(on_disk(&m->counts, dir), m->disk_before[dir] + (say->want == MOVER_PATH_MEMORY ? 0 : bytes));
    m->heard[dir] = true;
}

static bool take_done(struct mover_link *m, const struct mover_message *say)
{
    uint64_t slot = say->grant & UINT32_MAX;
    if (slot >= MOVER_GRANTS_MAX || !m->out[slot].used || grant_id(m, (uint32_t)slot) != say->grant)
        return false;
    struct out *o = &m->out[slot];
    count(m, o, say);
    bool returned = o->returned;
    o->used = false;
    if (returned)
        fair_late(m->with.fair, &o->grant, say->bytes);
    else
        fair_done(m->with.fair, &o->grant, say->bytes);
    return !returned || post_wants(m);
}

static void lose(struct mover_link *m, const char *why)
{
    watch_free(m->watch);
    m->watch = NULL;
    arbiter_close(fair_arbiter(m->with.fair), m->turn);
    give_back_all(m);
    m->with.on_gone(m->with.owner, m->with.token, why);
}

static void on_readable(void *arg, int what)
{
    (void)what;
    struct mover_link *m = arg;
    struct mover_message say;
    ssize_t n = fd_recv_packet(m->with.sock, &say, sizeof say, NULL, NULL);
    if (n == -EAGAIN)
        return;
    if (n != (ssize_t)sizeof say) {
        lose(m, n == 0 ? "end of file" : n < 0 ? strerror((int)-n) : "a message of another size");
        return;
    }
    bool fine = !m->broken && mover_message_is_sound(&say, false);
    if (fine)
        fine = say.op == MOVER_WANT ? take_want(m, &say) : take_done(m, &say);
    if (!fine)
        lose(m, m->broken ? "it doesn't read what it is granted" : "it broke the protocol");
}

static void take_before(struct mover_link *m, const struct io_counts *before)
{
    if (before == NULL)
        return;
    m->counts = (struct io_counts){.moved = before->moved, .memory = before->memory,
                                   .cached_bytes = before->cached_bytes};
    for (enum io_dir d = 0; d < IO_DIR_COUNT; d++)
        m->disk_before[d] = on_disk(before, d);
}

int mover_link_open(struct mover_link **ret, const struct mover_link_setup *setup)
{
    int sock = setup->sock;
    struct mover_link *m = calloc(1, sizeof *m);
    int rc = m == NULL ? -ENOMEM : watch_new(&m->watch, setup->loop, sock, WATCH_READ, on_readable, m);
    if (rc == 0) {
        m->with = *setup;
        m->may = UINT64_MAX;
        take_before(m, setup->before);
        struct arbiter_stream turn = {.tenant = setup->tenant, .job = setup->job, .out_max = MOVER_GRANTS_MAX / 2,
                                      .go = on_granted, .owner = m};
        rc = arbiter_open(fair_arbiter(setup->fair), &turn, &m->turn);
        if (rc < 0)
            watch_free(m->watch);
    }
    if (rc < 0) {
        free(m);
        close_p(&sock);
        return rc;
    }
    m->with.tenant = NULL; /* the caller's, both */
    m->with.before = NULL;
    *ret = m;
    return 0;
}

void mover_link_free(struct mover_link *m)
{
    if (m == NULL)
        return;
    if (m->watch != NULL) {
        watch_free(m->watch);
        arbiter_close(fair_arbiter(m->with.fair), m->turn);
        give_back_all(m);
    }
    close_p(&m->with.sock);
    free(m);
}

/* What waits in the queue is asked for anew. */
static void forget_posted(struct mover_link *m)
{
    arbiter_forget(fair_arbiter(m->with.fair), m->turn);
    for (uint32_t i = 0; i < MOVER_WANTS; i++) {
        m->may += MIN(m->wants[i].posted, UINT64_MAX - m->may);
        m->wants[i].posted = 0;
    }
}

void mover_link_stands(struct mover_link *m, bool stands)
{
    if (m == NULL)
        return;
    m->stands = stands;
    if (!stands) {
        m->broken |= !post_wants(m);
        return;
    }
    forget_posted(m);
    give_back_all(m);
}

static uint64_t out_bytes(const struct mover_link *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < MOVER_GRANTS_MAX; i++)
        sum += m->out[i].used ? m->out[i].grant.bytes : 0;
    return sum;
}

void mover_link_bound(struct mover_link *m, uint64_t left_bytes, bool to_the_byte)
{
    uint64_t out = 0, posted = 0;
    if (m == NULL)
        return;
    for (uint32_t i = 0; i < MOVER_WANTS; i++)
        posted += m->wants[i].posted;
    out = out_bytes(m);
    if (out + posted > left_bytes) { /* the job itself has used some of it */
        forget_posted(m);
        posted = 0;
    }
    m->may = left_bytes > out + posted ? left_bytes - out - posted : 0;
    m->to_the_byte = to_the_byte;
    m->broken |= !post_wants(m);
}

bool mover_link_waits(const struct mover_link *m)
{
    bool waits = false;
    for (uint32_t i = 0; m != NULL && i < MOVER_WANTS; i++)
        waits |= m->wants[i].left > m->wants[i].posted && part_of(m, &m->wants[i]) == 0;
    return waits && !m->stands;
}

static void add_meter(struct io_meter *to, const struct io_meter *from)
{
    for (int dir = 0; dir < IO_DIR_COUNT; dir++) {
        to->ops[dir] += from->ops[dir];
        to->bytes[dir] += from->bytes[dir];
    }
}

void mover_link_counts(const struct mover_link *m, struct io_counts *to)
{
    if (m == NULL)
        return;
    add_meter(&to->moved, &m->counts.moved);
    add_meter(&to->memory, &m->counts.memory);
    to->cached_bytes += m->counts.cached_bytes;
    for (uint32_t i = 0; i < MOVER_GRANTS_MAX; i++) {
        to->out.ops[m->out[i].grant.dir] += m->out[i].used;
        to->out.bytes[m->out[i].grant.dir] += m->out[i].used ? m->out[i].grant.bytes : 0;
    }
}
