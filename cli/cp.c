/*
 * cp - inside a job: files are copied by its mover, at its tenant's share of the disk (base/transfer.h).
 * A target appears whole or not at all: it is written under another name beside it, synced, and renamed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/transfer_client.h"
#include "cli/commands.h"

#define NAME_BYTES 256 /* of one file, NAME_MAX and its end */
#define DEPTH_MAX 64   /* folders within folders: one descriptor each */

struct cp_options {
    bool recursive;
};
static const struct option_row rows[] = {
    {.name = "recursive", .letter = 'r', .kind = OPTION_FLAG, .offset = offsetof(struct cp_options, recursive),
     .help = "folders, with all below them"},
};
const struct option_set cp_options = OPTION_SET(rows);

struct cp_reply {
    uint64_t files, bytes;
};
static const struct field reply_rows[] = {
    FIELD_ROW(cp_reply, 1, "files", FIELD_U64, files, .flags = FIELD_ALWAYS, .help = "copied"),
    FIELD_ROW(cp_reply, 2, "bytes", FIELD_U64, bytes, .flags = FIELD_ALWAYS, .help = "of them, holes included"),
};
static const struct fields cp_reply_fields = FIELDS_TABLE("cp", cp_reply, reply_rows);

struct cp {
    struct cp_reply done;
    bool failed;
};

/* Says what went wrong with one name; the others go on. */
static void complain(struct cp *c, const char *name, const char *why)
{
    fprintf(stderr, "reeve: cp: %s: %s\n", name, why);
    c->failed = true;
}

static int write_target(struct cp *c, int from, int to, const struct stat *st, const char *name)
{
    struct transfer_reply how = {0};
    CLEANUP(close_p) int mover = transfer_connect(); /* one copy each */
    int rc = mover < 0 ? mover : transfer_copy(mover, from, to, 0, 0, TRANSFER_ALL, NULL, NULL, &how);
    if (rc < 0) {
        complain(c, name, how.text[0] != '\0' ? how.text : strerror(-rc));
        return rc;
    }
    if (fchmod(to, st->st_mode & 07777) < 0 || fdatasync(to) < 0) {
        complain(c, name, strerror(errno));
        return -EIO;
    }
    c->done.files++;
    c->done.bytes += how.moved_bytes;
    return 0;
}

static void copy_file(struct cp *c, int from, const struct stat *st, int to_dir, const char *to_name,
                      const char *name)
{
    char other[NAME_BYTES];
    int len = snprintf(other, sizeof other, ".%.200s.%d", to_name, (int)getpid());
    CLEANUP(close_p) int to = len < 0 ? -1 : openat(to_dir, other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0) {
        complain(c, to_name, strerror(errno));
        return;
    }
    int rc = write_target(c, from, to, st, name);
    if (rc == 0 && renameat(to_dir, other, to_dir, to_name) == 0)
        return;
    if (rc == 0)
        complain(c, to_name, strerror(errno));
    unlinkat(to_dir, other, 0);
}

static void copy_link(struct cp *c, int from_dir, const char *from_name, int to_dir, const char *to_name)
{
    char text[4096];
    ssize_t n = readlinkat(from_dir, from_name, text, sizeof text - 1);
    if (n < 0) {
        complain(c, from_name, strerror(errno));
        return;
    }
    text[n] = '\0';
    if (symlinkat(text, to_dir, to_name) < 0)
        complain(c, to_name, strerror(errno));
}

static void copy_any(struct cp *c, int from_dir, const char *from_name, int to_dir, const char *to_name,
                     unsigned depth);

static bool is_folder(int fd, const struct stat *st)
{
    struct stat at;
    return fstat(fd, &at) == 0 && at.st_dev == st->st_dev && at.st_ino == st->st_ino;
}

/* Would it be made below, or in place of, what is copied? Then there would be no end to it. */
static bool is_within(int dir, const char *name, const struct stat *source)
{
    struct stat at;
    CLEANUP(close_p) int up = fcntl(dir, F_DUPFD_CLOEXEC, 0), there = openat(dir, name, O_PATH | O_CLOEXEC);
    if (there >= 0 && is_folder(there, source))
        return true;
    while (up >= 0 && !is_folder(up, source)) {
        int next = openat(up, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        bool top = next < 0 || fstat(up, &at) < 0 || is_folder(next, &at);
        close_p(&up);
        up = next;
        if (top)
            return false;
    }
    return up >= 0;
}

static void copy_folder(struct cp *c, int from, const struct stat *st, int to_dir, const char *to_name,
                        unsigned depth)
{
    if (depth == DEPTH_MAX) {
        complain(c, to_name, "too many folders within folders");
        return;
    }
    CLEANUP(close_p) int to = -1;
    if (mkdirat(to_dir, to_name, 0700) == 0 || errno == EEXIST)
        to = openat(to_dir, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int own = to < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 0);
    DIR *folder = own < 0 ? NULL : fdopendir(own);
    if (folder == NULL) {
        complain(c, to_name, strerror(errno));
        close_p(&own);
        return;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            copy_any(c, from, entry->d_name, to, entry->d_name, depth + 1);
    closedir(folder);
    if (fchmod(to, st->st_mode & 07777) < 0)
        complain(c, to_name, strerror(errno));
}

/* Below the first name nothing is followed: a link is copied as one. */
static void copy_any(struct cp *c, int from_dir, const char *from_name, int to_dir, const char *to_name,
                     unsigned depth)
{
    struct stat st;
    bool first = depth == 0;
    if (fstatat(from_dir, from_name, &st, first ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
        complain(c, from_name, strerror(errno));
        return;
    }
    if (S_ISLNK(st.st_mode)) {
        copy_link(c, from_dir, from_name, to_dir, to_name);
        return;
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        complain(c, from_name, "neither a file nor a folder");
        return;
    }
    CLEANUP(close_p) int from = openat(from_dir, from_name, O_RDONLY | O_CLOEXEC | (first ? 0 : O_NOFOLLOW));
    if (from < 0)
        complain(c, from_name, strerror(errno));
    else if (first && S_ISDIR(st.st_mode) && is_within(to_dir, to_name, &st))
        complain(c, from_name, "a folder can't be copied into itself");
    else if (S_ISDIR(st.st_mode))
        copy_folder(c, from, &st, to_dir, to_name, depth);
    else
        copy_file(c, from, &st, to_dir, to_name, from_name);
}

/* The folder of the target, and its name in it: an existing folder gets the source's last name. -errno. */
static int find_target(const char *source, const char *target, char ret_name[NAME_BYTES])
{
    int dir = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *path = dir >= 0 ? source : target, *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t len = strlen(name);
    if (len == 0 || len >= NAME_BYTES || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        close_p(&dir);
        return -EINVAL;
    }
    memcpy(ret_name, name, len + 1);
    if (dir >= 0)
        return dir;
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : MAX((int)(slash - target), 1),
             slash == NULL ? "." : target);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir >= 0 ? dir : -errno;
}

static int run(struct cli *cli, const struct cp_options *o, const char *source, const char *target)
{
    char name[NAME_BYTES];
    struct stat st;
    if (stat(source, &st) == 0 && S_ISDIR(st.st_mode) && !o->recursive)
        return cli_usage(cli, "'%s' is a folder; with -r it is copied with all below it", source);
    CLEANUP(close_p) int dir = find_target(source, target, name);
    if (dir < 0)
        return cli_usage(cli, "'%s': %s", target, strerror(-dir));
    int mover = transfer_connect(); /* is there one? */
    if (mover < 0) {
        fprintf(stderr, "reeve: cp: %s: %s\n", TRANSFER_SOCKET,
                mover == -ENOENT ? "not there: this is no job, or its file lacks `transfer: true`" : strerror(-mover));
        return CLI_UNREACHABLE;
    }
    close(mover); /* a connection that waits holds one of its few places */
    struct cp c = {0};
    copy_any(&c, AT_FDCWD, source, dir, name, 0);
    if (cli->json)
        cli_json(&cp_reply_fields, &c.done);
    return c.failed ? CLI_REFUSED : CLI_DONE;
}

int cmd_cp(struct cli *cli, int argc, char **argv)
{
    struct cp_options o = {0};
    struct words words = {0};
    if (cli_options(cli, &cp_options, &o, argc, argv, &words, 2, 2) < 0)
        return CLI_USAGE;
    int code = run(cli, &o, words.v[0], words.v[1]);
    free(words.v);
    return code;
}
