#include "agent/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io/fd.h"

#define FILE_MAGIC 0x31465652u /* "RVF1" */
#define PATH_BYTES (sizeof FOLDER_ROOT + ATTEMPT_ID_TEXT_MAX + 16)

struct file_head {
    uint32_t magic, len;
    uint64_t sum;
};

static const char *path_of(struct attempt_id id, char out[PATH_BYTES])
{
    char text[ATTEMPT_ID_TEXT_MAX];
    snprintf(out, PATH_BYTES, FOLDER_ROOT "/%s", attempt_id_format(id, text));
    return out;
}

int folder_make(struct attempt_id id, int *ret_fd, struct err *err)
{
    char path[PATH_BYTES];
    if (mkdir(path_of(id, path), 0700) < 0)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    int rc = folder_open(id, ret_fd);
    return rc < 0 ? err_set(err, rc, "%s: %s", path, strerror(-rc)) : 0;
}

int folder_open(struct attempt_id id, int *ret_fd)
{
    char path[PATH_BYTES];
    int fd = open(path_of(id, path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

static uint64_t fnv1a(const char *bytes, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)bytes[i]) * UINT64_C(0x100000001b3);
    return h;
}

int folder_write(int dir, const char *name, const struct fields *f, const void *object, struct err *err)
{
    CLEANUP(buf_fini) struct buf bytes = {0};
    struct file_head head = {.magic = FILE_MAGIC};
    buf_add(&bytes, &head, sizeof head);
    fields_encode(f, object, &bytes);
    if (bytes.failed || bytes.len > FOLDER_FILE_MAX)
        return err_set(err, -ENOMEM, "%s: out of memory", name);
    head.len = (uint32_t)(bytes.len - sizeof head);
    head.sum = fnv1a(bytes.data + sizeof head, head.len);
    memcpy(bytes.data, &head, sizeof head);
    CLEANUP(close_p) int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, -errno, "%s: %s", name, strerror(errno));
    int rc = fd_write_all(fd, bytes.data, bytes.len);
    return rc < 0 ? err_set(err, rc, "%s: %s", name, strerror(-rc)) : 0;
}

int folder_replace(int dir, const char *name, const struct fields *f, const void *object, struct err *err)
{
    char temporary[32];
    snprintf(temporary, sizeof temporary, "%s.new", name);
    int rc = folder_write(dir, temporary, f, object, err);
    if (rc == 0 && renameat(dir, temporary, dir, name) < 0)
        rc = err_set(err, -errno, "%s: %s", name, strerror(errno));
    return rc;
}

static int read_whole(int dir, const char *name, struct buf *out)
{
    CLEANUP(close_p) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FOLDER_FILE_MAX)
        return -EBADMSG;
    CLEANUP(free_p) char *bytes = malloc((size_t)st.st_size + 1);
    if (bytes == NULL)
        return -ENOMEM;
    ssize_t n = fd_read_full(fd, bytes, (size_t)st.st_size);
    if (n < 0)
        return (int)n;
    buf_add(out, bytes, (size_t)n);
    return out->failed ? -ENOMEM : 0;
}

int folder_read(int dir, const char *name, const struct fields *f, void *object, struct err *err)
{
    CLEANUP(buf_fini) struct buf bytes = {0};
    int rc = read_whole(dir, name, &bytes);
    if (rc < 0)
        return err_set(err, rc, "%s: %s", name, strerror(-rc));
    struct file_head head;
    if (bytes.len < sizeof head)
        return err_set(err, -EBADMSG, "%s: cut", name);
    memcpy(&head, bytes.data, sizeof head);
    if (head.magic != FILE_MAGIC || head.len != bytes.len - sizeof head ||
        head.sum != fnv1a(bytes.data + sizeof head, head.len))
        return err_set(err, -EBADMSG, "%s: cut or not ours", name);
    rc = fields_decode(f, bytes.data + sizeof head, head.len, object, err);
    return rc < 0 ? err_wrap(err, rc, "%s", name) : 0;
}

int folder_exit_make(int dir)
{
    int fd = openat(dir, "exit", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

const char *const folder_log_names[LOG_FILE_COUNT] = {
    [STREAM_OUT] = "out", [STREAM_ERR] = "err", [STREAM_SECCOMP] = "trace"};

int folder_log_make(int dir, enum log_stream which)
{
    int fd = openat(dir, folder_log_names[which], O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

void folder_exit_drop(int dir)
{
    unlinkat(dir, "exit", 0);
}

bool folder_exit_read(int dir, struct attempt_id id, struct keeper_record *ret)
{
    CLEANUP(close_p) int fd = openat(dir, "exit", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct keeper_record record;
    if (fd < 0 || fd_read_full(fd, &record, sizeof record) != (ssize_t)sizeof record)
        return false;
    if (!keeper_record_is_whole(&record) || !attempt_id_equal(record.id, id) || record.cause >= END_CAUSE_COUNT)
        return false;
    *ret = record;
    return true;
}

int folder_stage_make(int dir)
{
    int fd = openat(dir, "stage", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

/* It may be written meanwhile, and then isn't whole: the next one is. */
bool folder_stage_read(int dir, struct attempt_id id, struct stage_report *ret)
{
    CLEANUP(close_p) int fd = openat(dir, "stage", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && fd_read_full(fd, ret, sizeof *ret) == (ssize_t)sizeof *ret && stage_report_is_sound(ret, id);
}

static socklen_t control_address(struct attempt_id id, struct sockaddr_un *ret)
{
    char path[PATH_BYTES];
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    static_assert(PATH_BYTES + sizeof "/control" <= sizeof ret->sun_path, "a socket path always fits");
    snprintf(ret->sun_path, sizeof ret->sun_path, "%s/control", path_of(id, path));
    return (socklen_t)sizeof *ret;
}

int folder_listen(struct attempt_id id)
{
    struct sockaddr_un address;
    socklen_t len = control_address(id, &address);
    CLEANUP(close_p) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int rc = bind(fd, (const struct sockaddr *)&address, len);
    if (rc < 0 && errno == EADDRINUSE && unlink(address.sun_path) == 0) /* of a launch that was put off */
        rc = bind(fd, (const struct sockaddr *)&address, len);
    if (rc < 0 || listen(fd, 8) < 0)
        return -errno;
    int taken = fd;
    fd = -1;
    return taken;
}

int folder_connect(struct attempt_id id)
{
    struct sockaddr_un address;
    socklen_t len = control_address(id, &address);
    CLEANUP(close_p) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, len) < 0)
        return -errno;
    int taken = fd;
    fd = -1;
    return taken;
}

void folder_found(int dir, struct life_found *ret)
{
    ret->over = faccessat(dir, "over", F_OK, 0) == 0;
    ret->asked = faccessat(dir, "exit", F_OK, 0) == 0;
}

uint64_t folder_log_bytes(int dir, int64_t *ret_ended_s)
{
    uint64_t sum = 0;
    struct stat st;
    for (size_t i = 0; i < LOG_FILE_COUNT; i++)
        if (fstatat(dir, folder_log_names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
            sum += (uint64_t)st.st_blocks * 512;
    *ret_ended_s = fstatat(dir, "over", &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)st.st_ctim.tv_sec : 0;
    return sum;
}

bool folder_retire(int dir, struct attempt_id id)
{
    struct stat st;
    bool keep = false;
    for (size_t i = 0; i < LOG_FILE_COUNT; i++)
        keep = (fstatat(dir, folder_log_names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0) || keep;
    if (!keep) {
        struct err err = {0};
        if (folder_remove(id, &err) == 0)
            return false;
    }
    /* The rename is the moment; leftovers after a kill are harmless and go with the folder. */
    if (renameat(dir, "order", dir, "over") < 0 && errno == ENOENT) {
        int fd = openat(dir, "over", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        close_p(&fd);
    }
    unlinkat(dir, "control", 0);
    unlinkat(dir, "exit", 0);
    unlinkat(dir, "stage", 0);
    unlinkat(dir, FOLDER_IO, 0);
    return true;
}

int folder_remove(struct attempt_id id, struct err *err)
{
    /* `order` first: an order alone would be launched by the next agent, should this one be killed in between. */
    static const char *const files[] = {"order", "control", "exit", "ended", "over",
                                        "out", "err", "stage", FOLDER_IO, FOLDER_IO ".new"};
    char path[PATH_BYTES];
    path_of(id, path);
    CLEANUP(close_p) int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", path, strerror(errno));
    for (size_t i = 0; i < COUNT_OF(files); i++)
        unlinkat(dir, files[i], 0);
    if (rmdir(path) < 0 && errno != ENOENT)
        return dir_remove(path, err);
    return 0;
}
