#include "scheduler/sim/past_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io/fd.h"
#include "base/io/numbered.h"

static int folder_of(const char *path, const char *below, char out[PAST_PATH_MAX])
{
    if (snprintf(out, PAST_PATH_MAX, "%s%s", path, below) >= PAST_PATH_MAX)
        return -1;
    return open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int cant_open(const char *path, struct err *err)
{
    int code = errno;
    return err_set(err, -code, "open '%s': %s%s", path, strerror(code),
                   code == EACCES ? "; a journal is its scheduler's: as root, or on a copy of the folder" : "");
}

/* One segment alone: its folder, and its number. */
static int segment_open(const char *path, struct past_files *f, struct err *err)
{
    char folder[PAST_PATH_MAX];
    const char *name = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", name != NULL ? (int)(name - path) : 1, name != NULL ? path : ".");
    name = name != NULL ? name + 1 : path;
    unsigned long long number;
    int used = 0;
    if (sscanf(name, JOURNAL_PREFIX "-%20llu%n", &number, &used) != 1 || name[used] != '\0')
        return err_set(err, -EINVAL, "'%s' is no segment of a journal: they are called " JOURNAL_PREFIX "-NUMBER",
                       path);
    f->folder = folder_of(folder, "", f->path);
    f->segments = calloc(1, sizeof f->segments[0]);
    if (f->folder < 0 || f->segments == NULL)
        return err_set(err, -errno, "open '%s': %s", folder, strerror(errno));
    f->segments[0] = number;
    f->count = 1;
    return 0;
}

static int folder_open(const struct past_source *s, struct past_files *f, struct err *err)
{
    char archive[PAST_PATH_MAX];
    f->folder = folder_of(s->journal, "/scheduler/journal", f->path);
    bool system = f->folder >= 0;
    if (!system && errno != EACCES) /* a journal that is there and shut is not looked for elsewhere */
        f->folder = folder_of(s->journal, "", f->path);
    if (f->folder < 0)
        return cant_open(s->journal, err);
    if (s->archive != NULL)
        f->archive = folder_of(s->archive, "", archive);
    else
        f->archive = folder_of(f->path, "/../archive", archive);
    if (s->archive != NULL && f->archive < 0)
        return cant_open(s->archive, err);
    int rc = journal_segments(f->folder, f->archive, &f->segments, &f->count, err);
    if (rc < 0)
        return err_wrap(err, rc, "'%s'", f->path);
    return f->count > 0 ? 0
                        : err_set(err, -ENOENT, "'%s' has no journal: its segments are called " JOURNAL_PREFIX
                                  "-NUMBER, in the folder that reeved was given with --journal", f->path);
}

/* Whose journal it is, says its first segment. */
static int cell_read(struct past_files *f, struct err *err)
{
    char name[NUMBERED_NAME_MAX];
    uint8_t bytes[512];
    struct journal_header h;
    size_t size;
    numbered_name(JOURNAL_PREFIX, f->segments[0], name);
    CLEANUP(close_p) int fd = openat(f->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && f->archive >= 0)
        fd = openat(f->archive, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -errno : fd_read_full(fd, bytes, sizeof bytes);
    if (n < 0)
        return err_set(err, (int)n, "read '%s/%s': %s", f->path, name, strerror((int)-n));
    int rc = journal_header_get(bytes, (size_t)n, &h, &size, err);
    if (rc < 0)
        return err_wrap(err, rc, "'%s/%s'", f->path, name);
    snprintf(f->cell, sizeof f->cell, "%s", h.cell);
    return 0;
}

int past_files_open(const struct past_source *s, struct past_files *ret, struct err *err)
{
    struct stat st;
    *ret = (struct past_files){.folder = -1, .archive = -1};
    if (stat(s->journal, &st) != 0)
        return cant_open(s->journal, err);
    int rc = S_ISDIR(st.st_mode) ? folder_open(s, ret, err) : segment_open(s->journal, ret, err);
    return rc == 0 ? cell_read(ret, err) : rc;
}

void past_files_close(struct past_files *f)
{
    close_p(&f->folder);
    close_p(&f->archive);
    free(f->segments);
}

int past_files_base(struct past_files *f, int (*fn)(void *arg, const struct fact *fact), void *arg, struct err *err)
{
    uint64_t *seqs = NULL, seq = 0;
    size_t count = 0;
    if (f->segments[0] == 1)
        return 0;
    int rc = snapshot_list(f->folder, &seqs, &count, err);
    for (size_t i = 0; rc == 0 && i < count && seq == 0; i++)
        seq = seqs[i] + 1 >= f->segments[0] ? seqs[i] : 0;
    free(seqs);
    if (rc < 0)
        return err_wrap(err, rc, "'%s'", f->path);
    if (seq == 0)
        return err_set(err, -ENODATA, "the journal in '%s' begins at seq %" PRIu64 ", and no snapshot there says what "
                       "was before it; name the folder of older segments: --archive DIR", f->path, f->segments[0]);
    struct snapshot_head head;
    rc = snapshot_load(f->folder, seq, f->cell, &head, fn, arg, err);
    f->base = head.point;
    return rc < 0 ? err_wrap(err, rc == -EPROTO ? -EBADMSG : rc, "'%s'", f->path) : 0;
}

int past_files_walk(const struct past_files *f, journal_fn fn, void *arg, uint64_t *ret_torn, struct err *err)
{
    struct journal_walk w = {.folder = f->folder, .archive = f->archive, .path = f->path, .cell = f->cell,
                             .segments = f->segments, .count = f->count, .from_seq = f->base.seq,
                             .expect = f->base.seq > 0 ? &f->base : NULL, .fn = fn, .arg = arg};
    int rc = journal_walk(&w, err);
    *ret_torn = w.torn_bytes;
    return rc;
}
