#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/mover.h"

#define BLOCK MOVER_BLOCK_BYTES
#define TELL_BYTES ((uint64_t)16 << 20)
#define OWN_PATH_MAX 64

/* ---- files ---- */

static int open_own(int fd, int flags)
{
    char path[OWN_PATH_MAX] = "/proc/self/fd/", number[NUMBER_TEXT_MAX];
    strcat(path, number_text((uint64_t)fd, number)); /* lint: allow 14 and at most 20 characters */
    return open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* The descriptor is the program's, its flags and its place are seen by it: holes are looked for, and the page cache is
 * passed by, through one of our own. With the job's rights; -1 when they don't reach. */
static int open_again(int fd, int flags)
{
    int own = open_own(fd, flags | O_DIRECT);
    return own >= 0 ? own : open_own(fd, flags);
}

/* What isn't a whole block goes through the page cache: by another of our own where the program's passes it by. */
static int with_cache(int fd, int flags)
{
    int own = (fcntl(fd, F_GETFL) & O_DIRECT) != 0 ? open_own(fd, flags) : -1;
    if (own < 0)
        return fd;
    close(fd);
    return own;
}

static bool is_aligned(uint64_t offset, uint64_t bytes)
{
    return offset % BLOCK == 0 && bytes % BLOCK == 0;
}

static ssize_t call(bool writes, int fd, unsigned char *bytes, uint64_t count, uint64_t offset)
{
    ssize_t n;
    do
        n = writes ? pwrite(fd, bytes, count, (off_t)offset) : pread(fd, bytes, count, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static enum mover_path path_of(int own)
{
    return mover_path_of(own, own >= 0 && (fcntl(own, F_GETFL) & O_DIRECT) != 0);
}

static ssize_t transfer(const struct copy *c, bool writes, unsigned char *bytes, uint64_t count, uint64_t offset,
                        enum mover_path *ret_path)
{
    int own = writes ? c->to_own : c->from_own;
    ssize_t n = own >= 0 && is_aligned(offset, count) ? call(writes, own, bytes, count, offset) : -EINVAL;
    *ret_path = writes ? c->to_path : c->from_path;
    if (n != -EINVAL)
        return n;
    if (*ret_path != MOVER_PATH_MEMORY)
        *ret_path = MOVER_PATH_CACHE;
    return call(writes, writes ? c->to : c->from, bytes, count, offset);
}

/* ---- lanes ---- */

static unsigned lane_number(const struct mover *m, const struct copy *c, const struct lane *l)
{
    return (unsigned)(c - m->copies) * 2 + (unsigned)(l - c->lanes);
}

static void want(struct mover *m, const struct copy *c, const struct lane *l)
{
    struct mover_message say = {.op = MOVER_WANT, .want = lane_number(m, c, l), .bytes = l->bytes,
                                .dir = l->state == LANE_READS ? MOVER_READ : MOVER_WRITE};
    mover_say(m, &say);
}

static void want_phase(struct mover *m, struct copy *c, struct lane *l, enum lane_state state, uint64_t skip,
                       uint64_t length)
{
    l->state = state;
    l->length = l->upto = length;
    l->skip = skip;
    l->bytes = length - skip;
    l->granted = 0;
    want(m, c, l);
}

/* ---- pieces ---- */

/* A hole of the source is one of the target: past its end it is already, before it is made. The last one ends it. */
static bool make_hole(const struct copy *c, uint64_t at, uint64_t length, bool last)
{
    struct stat st;
    if (fstat(c->to, &st) < 0)
        return false;
    if ((uint64_t)st.st_size > at &&
        fallocate(c->to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)length) < 0)
        return false;
    uint64_t end = at + length;
    return !last || (uint64_t)st.st_size >= end || ftruncate(c->to, (off_t)end) == 0;
}

static bool pass_hole(struct copy *c, uint64_t length)
{
    if (!make_hole(c, c->to_at, length, length == c->left))
        return false;
    c->from_at += length;
    c->to_at += length;
    c->left -= length;
    c->moved += length;
    return true;
}

/* How much of the source from here on is data, or all of it a hole, at most `most`. */
static uint64_t next_hashed(const struct copy *c, uint64_t most, bool *ret_hole)
{
    uint64_t run = c->left;
    if (c->sparse) {
        off_t data = lseek(c->from_own, (off_t)c->from_at, SEEK_DATA);
        *ret_hole = data > (off_t)c->from_at || (data < 0 && errno == ENXIO);
        off_t end = *ret_hole ? data : lseek(c->from_own, (off_t)c->from_at, SEEK_HOLE);
        run = end < 0 ? c->left : (uint64_t)end - c->from_at;
    }
    return MIN(MIN(run, most), c->left);
}

/* How much of the source from here on is data, at most `most`; 0: nothing is left. Passes over holes, unless their
 * zeros are to be hashed: they are read then, as granted as all else. */
static uint64_t next_data(struct copy *c, uint64_t most, bool *ret_hole)
{
    *ret_hole = false;
    if (c->hashes)
        return next_hashed(c, most, ret_hole);
    while (c->sparse && c->left > 0) {
        off_t data = lseek(c->from_own, (off_t)c->from_at, SEEK_DATA);
        if (data < 0 && errno != ENXIO)
            break;
        uint64_t hole = data < 0 ? c->left : (uint64_t)data - c->from_at;
        if (hole == 0) {
            off_t end = lseek(c->from_own, (off_t)c->from_at, SEEK_HOLE);
            uint64_t run = end < 0 ? c->left : (uint64_t)end - c->from_at;
            return MIN(MIN(run, most), c->left);
        }
        c->sparse = pass_hole(c, MIN(hole, c->left));
    }
    return MIN(most, c->left);
}

static bool is_idle(const struct copy *c)
{
    return c->lanes[0].state == LANE_IDLE && c->lanes[1].state == LANE_IDLE;
}

/* Ends at a multiple of a want, so that what follows is aligned. */
static void begin_piece(struct mover *m, struct copy *c, struct lane *l)
{
    bool hole;
    uint64_t length = next_data(c, MOVER_WANT_BYTES - c->from_at % BLOCK, &hole);
    if (length == 0)
        return;
    l->hole = hole;
    l->read = l->hashed = false;
    l->from = c->from_at;
    l->to = c->to_at;
    c->from_at += length;
    c->to_at += length;
    c->left -= length;
    want_phase(m, c, l, LANE_READS, 0, length);
}

#define DIGEST_TEXT (2 * DIGEST_BYTES + 1)

static const char *digest_text(struct copy *c, char out[DIGEST_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[DIGEST_BYTES];
    out[0] = '\0';
    if (!c->hashes)
        return out;
    digest_end(&c->digest, bytes);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[DIGEST_TEXT - 1] = '\0';
    return out;
}

/* Gives idle lanes their next piece; answers when all is done. */
static void go_on(struct mover *m, struct copy *c)
{
    char text[DIGEST_TEXT];
    for (unsigned i = 0; i < 2 && c->error == 0; i++)
        if (c->lanes[i].state == LANE_IDLE)
            begin_piece(m, c, &c->lanes[i]);
    if (!is_idle(c))
        return;
    if (c->error != 0)
        mover_answer(c, TRANSFER_FAILED, c->error,
                     c->error == ESTALE ? "the first file changed meanwhile" : strerrordesc_np(c->error));
    else
        mover_answer(c, TRANSFER_DONE, 0, digest_text(c, text));
    copy_end(m, c);
}

static void close_files(struct copy *c)
{
    close_fd(&c->from);
    close_fd(&c->to);
    close_fd(&c->from_own);
    close_fd(&c->to_own);
}

void copy_begin(struct mover *m, struct copy *c, const struct transfer_request *r, int from, int to)
{
    struct stat st = {0};
    c->state = COPY_GOES;
    c->from_own = open_again(from, O_RDONLY);
    c->to_own = open_again(to, O_WRONLY);
    c->from = from = with_cache(from, O_RDONLY);
    c->to = to = with_cache(to, O_WRONLY);
    c->from_path = path_of(c->from_own >= 0 ? c->from_own : from);
    c->to_path = path_of(c->to_own >= 0 ? c->to_own : to);
    (void)fstat(from, &st); /* it was looked at a moment ago */
    c->from_at = r->from_offset;
    c->to_at = r->to_offset;
    uint64_t there = (uint64_t)st.st_size > c->from_at ? (uint64_t)st.st_size - c->from_at : 0;
    c->left = MIN(r->bytes, there);
    c->moved = c->told = 0;
    c->error = 0;
    c->hashes = (r->flags & TRANSFER_SHA256) != 0;
    c->hashed_at = c->from_at;
    digest_begin(&c->digest);
    c->sparse = c->from_own >= 0 && (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size;
    if (!c->sparse && c->left > 0) /* room first: then it can't end half way, and lies together on the disk */
        c->error = fallocate(to, FALLOC_FL_KEEP_SIZE, (off_t)c->to_at, (off_t)c->left) < 0 && errno == ENOSPC ? ENOSPC
                                                                                                           : 0;
    go_on(m, c);
}

/* It was asked for what the agent hasn't granted yet. */
static bool is_out(const struct lane *l)
{
    return l->state == LANE_READS || l->state == LANE_WRITES;
}

/* Pieces that wait for their digest wait for nobody once there won't be one. */
static void let_go(struct copy *c)
{
    for (unsigned i = 0; i < 2; i++)
        if (c->lanes[i].state == LANE_HELD)
            c->lanes[i].state = LANE_IDLE;
}

/* Lanes whose wants are still out are counted down by their grants; the copy is free again once none is. */
void copy_end(struct mover *m, struct copy *c)
{
    (void)m;
    if (!c->stays)
        close_fd(&c->client);
    close_files(c);
    c->left = 0;
    let_go(c);
    if (is_idle(c))
        c->state = c->stays ? COPY_ASKED : COPY_FREE;
    else if (c->error == 0)
        c->error = ECANCELED;
}

/* What was read goes into the digest in the order of the file, whatever order it was read in. */
static void hash(struct mover *m, struct copy *c)
{
    for (unsigned i = 0; i < 4; i++) { /* each of the two may make the other's turn */
        struct lane *l = &c->lanes[i % 2];
        if (l->state == LANE_IDLE || !l->read || l->hashed || l->from != c->hashed_at)
            continue;
        digest_add(&c->digest, m->buffers + (size_t)lane_number(m, c, l) * MOVER_WANT_BYTES, l->upto_read);
        c->hashed_at += l->upto_read;
        l->hashed = true;
        if (l->state == LANE_HELD)
            l->state = LANE_IDLE;
    }
}

/* A piece is in its place. */
static void end_piece(struct copy *c, struct lane *l)
{
    c->moved += l->upto_read;
    l->state = c->hashes && !l->hashed ? LANE_HELD : LANE_IDLE;
}

/* A piece was read, up to where the source ends. */
static void end_read(struct mover *m, struct copy *c, struct lane *l)
{
    l->read = true;
    l->upto_read = l->upto;
    if (l->upto < l->length)
        c->left = 0; /* it ended earlier than it said */
    if (l->upto < l->length && c->hashes)
        c->error = ESTALE; /* no digest of that would mean anything */
    if (c->error != 0 || l->upto == 0)
        return;
    l->state = LANE_WRITES; /* so that it counts as under way */
    if (c->hashes)
        hash(m, c);
    if (l->hole && make_hole(c, l->to, l->upto, c->left == 0 && l->from + l->upto == c->from_at))
        end_piece(c, l);
    else
        want_phase(m, c, l, LANE_WRITES, 0, l->upto);
}

/* Part of it was read though there is more: what comes next can't be read, and says why itself. */
static bool is_cut_short(const struct copy *c, const struct lane *l)
{
    struct stat st;
    return l->upto < l->length && l->upto > l->skip && fstat(c->from, &st) == 0 &&
           (uint64_t)st.st_size > l->from + l->upto;
}

/* A want is worked off: what comes after it? */
static void end_want(struct mover *m, struct copy *c, struct lane *l)
{
    bool read = l->state == LANE_READS;
    l->state = LANE_IDLE;
    if (c->error == 0 && read && is_cut_short(c, l))
        want_phase(m, c, l, LANE_READS, l->upto, l->length);
    else if (c->error == 0 && read)
        end_read(m, c, l);
    else if (c->error == 0 && l->upto < l->length)
        want_phase(m, c, l, LANE_WRITES, l->upto, l->length);
    else if (c->error == 0)
        end_piece(c, l);
    if (c->error != 0)
        let_go(c);
    if (c->client < 0 && is_idle(c)) {
        c->state = COPY_FREE;
        return;
    }
    if (c->moved >= c->told + TELL_BYTES && c->client >= 0) {
        c->told = c->moved;
        mover_answer(c, TRANSFER_GOES, 0, "");
    }
    if (c->client >= 0)
        go_on(m, c);
}

static uint64_t do_grant(struct mover *m, struct copy *c, struct lane *l, const struct mover_message *g,
                         enum mover_path *ret_path)
{
    bool writes = l->state == LANE_WRITES;
    uint64_t at = l->skip + g->offset;
    if (c->error != 0 || l->upto < at) /* a gap before it: what follows is asked for again, or not at all */
        return 0;
    unsigned char *bytes = m->buffers + (size_t)g->want * MOVER_WANT_BYTES + at;
    ssize_t n = transfer(c, writes, bytes, g->bytes, (writes ? l->to : l->from) + at, ret_path);
    if (n < 0 || (writes && n == 0))
        c->error = n < 0 ? (int)-n : EIO;
    if (n < (ssize_t)g->bytes)
        l->upto = MIN(l->upto, at + (uint64_t)MAX(n, 0));
    if (!writes && l->hole)
        *ret_path = MOVER_PATH_MEMORY;
    enum mover_dir dir = writes ? MOVER_WRITE : MOVER_READ;
    m->totals.ops[dir]++;
    m->totals.bytes[dir] += (uint64_t)MAX(n, 0);
    m->memory_bytes[dir] += *ret_path == MOVER_PATH_MEMORY ? (uint64_t)MAX(n, 0) : 0;
    return (uint64_t)MAX(n, 0);
}

bool copy_granted(struct mover *m, const struct mover_message *grant)
{
    struct copy *c = &m->copies[grant->want / 2];
    struct lane *l = &c->lanes[grant->want % 2];
    if (!is_out(l) || grant->offset != l->granted || grant->bytes > l->bytes - l->granted)
        return false;
    struct mover_message done = {.op = MOVER_DONE, .grant = grant->grant};
    enum mover_path path = MOVER_PATH_UNSAID;
    enum mover_dir dir = l->state == LANE_WRITES ? MOVER_WRITE : MOVER_READ;
    done.bytes = do_grant(m, c, l, grant, &path);
    done.totals = m->totals;
    done.want = path;
    done.offset = m->memory_bytes[dir];
    l->granted += grant->bytes;
    mover_say(m, &done);
    if (l->granted == l->bytes)
        end_want(m, c, l);
    return true;
}

void copy_want_again(struct mover *m)
{
    for (unsigned i = 0; i < MOVER_WANTS; i++) {
        struct copy *c = &m->copies[i / 2];
        struct lane *l = &c->lanes[i % 2];
        if (!is_out(l))
            continue;
        l->skip += l->granted;
        l->bytes -= l->granted;
        l->granted = 0;
        want(m, c, l);
    }
}
