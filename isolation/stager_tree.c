/*
 * A file, or a folder with all that is in it: first weighed, so that what is too much is refused before a byte is
 * copied, then copied. Both walks see what is there at their time; what changes in between is refused when it is a
 * file that is just copied, and is simply what it is otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "isolation/digest.h"
#include "isolation/stager.h"

/* What is done with each thing in a folder. `to` is -1 while it is weighed. */
struct walk {
    struct stager *s;
    int from, to;
    uint32_t depth;
};

static bool walk_folder(struct walk w);

/* ---- links ---- */

static bool add_link(struct stager *s, const char *target, size_t len)
{
    uint8_t sum[DIGEST_BYTES];
    struct digest d;
    digest_begin(&d);
    digest_add(&d, target, len);
    digest_end(&d, sum);
    return tree_digest_add(s, 'l', 0777, sum);
}

static bool bring_link(struct walk w, const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(w.from, name, target, sizeof target - 1);
    if (n < 0)
        return stage_fail(w.s, STAGE_WHY_LOOK, errno);
    target[n] = '\0';
    if (!stage_link_stays(target, w.depth))
        return stage_fail(w.s, STAGE_WHY_LINK, 0);
    if (w.to >= 0 && symlinkat(target, w.to, name) < 0)
        return stage_fail(w.s, STAGE_WHY_MAKE, errno);
    if (w.to < 0)
        return true;
    stage_moved(w.s, 1, 0);
    return add_link(w.s, target, (size_t)n);
}

/* ---- files ---- */

static bool is_hashed(const struct stager *s)
{
    return (s->items[s->at].item.flags & STAGE_HASHED) != 0;
}

static bool finish_file(struct stager *s, int to, mode_t mode)
{
    if (fchmod(to, mode & STAGE_MODE_KEPT) < 0)
        return stage_fail(s, STAGE_WHY_MAKE, errno);
    return !s->durable || fsync(to) == 0 || stage_fail(s, STAGE_WHY_SYNC, errno);
}

static bool bring_file(struct walk w, const char *name)
{
    struct stat st;
    int from = place_open(w.from, name, O_RDONLY | O_NONBLOCK | O_NOCTTY), to = -1;
    if (from < 0)
        return stage_fail(w.s, from == -EXDEV ? STAGE_WHY_MOUNT : STAGE_WHY_LOOK, -from);
    bool good = fstat(from, &st) == 0 && S_ISREG(st.st_mode);
    if (!good)
        stage_fail(w.s, STAGE_WHY_KIND, 0); /* another came in its place */
    if (good) {
        to = openat(w.to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        good = to >= 0 || stage_fail(w.s, STAGE_WHY_MAKE, errno);
    }
    uint8_t sum[DIGEST_BYTES];
    good = good && copy_file(w.s, from, to, is_hashed(w.s) ? sum : NULL) && finish_file(w.s, to, st.st_mode);
    close(from);
    close_fd(&to);
    if (good)
        stage_moved(w.s, 1, 0);
    return good && tree_digest_add(w.s, 'f', st.st_mode, sum);
}

/* ---- folders ---- */

static bool count(struct stager *s, const struct stat *st)
{
    s->weighed++;
    if (s->weighed > STAGE_FILES_MAX)
        return stage_fail(s, STAGE_WHY_FILES, 0);
    if (S_ISREG(st->st_mode))
        s->weight += (uint64_t)st->st_size;
    uint64_t max = s->items[s->at].item.max_bytes;
    return max == 0 || s->weight <= max || stage_fail(s, STAGE_WHY_MAX, 0);
}

static bool make_folder(struct walk w, const char *name, int *ret)
{
    *ret = -1;
    if (w.to < 0)
        return true;
    if (mkdirat(w.to, name, 0700) < 0)
        return stage_fail(w.s, STAGE_WHY_MAKE, errno);
    *ret = place_open(w.to, name, O_RDONLY | O_DIRECTORY);
    return *ret >= 0 || stage_fail(w.s, STAGE_WHY_MAKE, -*ret);
}

/* Its mode comes last: it may forbid to write there. */
static bool finish_folder(struct stager *s, int to, mode_t mode)
{
    if (to < 0)
        return true;
    if (fchmod(to, mode & STAGE_MODE_KEPT) < 0)
        return stage_fail(s, STAGE_WHY_MAKE, errno);
    return !s->durable || fsync(to) == 0 || stage_fail(s, STAGE_WHY_SYNC, errno);
}

static bool bring_folder(struct walk w, const char *name)
{
    struct stat st;
    if (w.depth + 1 > STAGE_DEPTH_MAX)
        return stage_fail(w.s, STAGE_WHY_DEEP, 0);
    struct walk inner = {.s = w.s, .depth = w.depth + 1, .to = -1};
    inner.from = place_open(w.from, name, O_RDONLY | O_DIRECTORY);
    if (inner.from < 0)
        return stage_fail(w.s, inner.from == -EXDEV ? STAGE_WHY_MOUNT : STAGE_WHY_LOOK, -inner.from);
    bool good = fstat(inner.from, &st) == 0 || stage_fail(w.s, STAGE_WHY_LOOK, errno);
    good = good && make_folder(w, name, &inner.to) && walk_folder(inner) && finish_folder(w.s, inner.to, st.st_mode);
    close(inner.from);
    close_fd(&inner.to);
    if (!good || w.to < 0)
        return good;
    stage_moved(w.s, 1, 0);
    return tree_digest_add(w.s, 'd', st.st_mode, NULL);
}

static bool bring_one(struct walk w, const char *name)
{
    struct stat st;
    if (fstatat(w.from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || stage_fail(w.s, STAGE_WHY_LOOK, errno); /* it has just gone */
    if (!count(w.s, &st))
        return false;
    if (S_ISDIR(st.st_mode))
        return bring_folder(w, name);
    if (S_ISLNK(st.st_mode))
        return bring_link(w, name);
    if (!S_ISREG(st.st_mode))
        return stage_fail(w.s, STAGE_WHY_KIND, 0);
    return w.to < 0 || bring_file(w, name);
}

static bool walk_folder(struct walk w)
{
    for (;;) {
        long n = place_names(w.s, w.from, w.depth), at = 0;
        if (n < 0)
            return stage_fail(w.s, STAGE_WHY_LOOK, (int)-n);
        if (n == 0)
            return true;
        for (const char *name; (name = place_name(w.s->names[w.depth], n, &at)) != NULL;) {
            size_t len;
            if (w.s->stopped)
                return stage_fail(w.s, STAGE_WHY_STOPPED, 0);
            if (!stage_enter(w.s, name, &len) || !bring_one(w, name))
                return false;
            stage_leave(w.s, len);
        }
    }
}

/* ---- an item ---- */

/* Opens what an item is made of, for reading. */
static bool open_source(struct stager *s, const struct stage_source *i, int *ret, struct stat *st)
{
    stage_leave(s, 0);
    size_t len;
    if (!stage_enter(s, i->from + 1, &len))
        return false;
    s->item_len = s->path_len;
    int place = place_find(i->from);
    if (place < 0)
        return stage_fail(s, place == -ELOOP ? STAGE_WHY_LINK : STAGE_WHY_LOOK, place == -ELOOP ? 0 : -place);
    bool good = fstat(place, st) == 0 || stage_fail(s, STAGE_WHY_LOOK, errno);
    if (good && S_ISLNK(st->st_mode))
        good = stage_fail(s, STAGE_WHY_LINK, 0);
    if (good && !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
        good = stage_fail(s, STAGE_WHY_KIND, 0);
    if (good) {
        *ret = place_reopen(place, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        good = *ret >= 0 || stage_fail(s, STAGE_WHY_LOOK, -*ret);
    }
    close(place);
    return good;
}

bool tree_weigh(struct stager *s, const struct stage_source *i)
{
    struct stat st;
    int from = -1;
    s->weight = s->weighed = 0;
    bool good = open_source(s, i, &from, &st);
    good = good && count(s, &st);
    if (good && S_ISDIR(st.st_mode))
        good = walk_folder((struct walk){.s = s, .from = from, .to = -1});
    if (good && is_hashed(s) && s->weighed > STAGE_HASHED_MAX)
        good = stage_fail(s, STAGE_WHY_MANY, 0);
    close_fd(&from);
    s->report.files_all += s->weighed;
    s->report.bytes_all += s->weight;
    return good;
}

static bool bring_top(struct stager *s, const struct publish *p, int from, uint8_t *digest)
{
    if (!p->is_folder)
        return copy_file(s, from, p->made, digest);
    tree_digest_begin();
    bool good = walk_folder((struct walk){.s = s, .from = from, .to = p->made}) &&
                tree_digest_add(s, 'd', p->mode, NULL);
    if (good && digest != NULL)
        tree_digest_end(digest);
    return good;
}

static bool bring_whole(struct stager *s, const struct stage_source *i, struct publish *p, int from)
{
    struct stage_result *r = &s->report.results[s->at];
    bool hashed = is_hashed(s);
    bool good = bring_top(s, p, from, hashed ? r->digest : NULL);
    if (good && (i->item.flags & STAGE_HASH_KNOWN) != 0 && memcmp(r->digest, i->item.digest, sizeof r->digest) != 0)
        good = stage_fail(s, STAGE_WHY_DIGEST, 0);
    if (good)
        stage_moved(s, 1, 0);
    r->hashed = good && hashed;
    return good;
}

bool tree_bring(struct stager *s, const struct stage_source *i)
{
    struct stat st;
    struct publish p = {.parent = -1, .made = -1};
    int from = -1;
    size_t len;
    uint64_t files = s->report.files, bytes = s->report.bytes;
    s->weight = s->weighed = 0;
    bool good = open_source(s, i, &from, &st) && count(s, &st) && publish_begin(s, &p, i, st.st_mode) &&
                bring_whole(s, i, &p, from);
    if (good) { /* from here on it is about the other end */
        stage_leave(s, 0);
        good = stage_enter(s, i->to + 1, &len) && publish_end(s, &p);
    }
    publish_drop(s, &p);
    close_fd(&from);
    struct stage_result *r = &s->report.results[s->at];
    r->done = good;
    r->files = s->report.files - files;
    r->bytes = s->report.bytes - bytes;
    return good;
}
