/* Descriptors, small files, folders to delete, packets with descriptors. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct scratch scratch;

static void setup(void)
{
    scratch = scratch_new();
}

static void teardown(void)
{
    scratch_remove(&scratch);
}

static int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* As `sudo -u other reeve submit - <mine.yaml`: it is open, but could not be opened once more. */
START_TEST(what_is_open_is_read_whoever_owns_it)
{
    int ends[2];
    struct buf out = {0};
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "name: x\n", 8), 8);
    close(ends[1]);
    ck_assert_int_eq(fd_read_all(ends[0], "stdin", 100, &out, NULL), 0);
    ck_assert_str_eq(buf_text(&out), "name: x\n");
    struct err err = {0};
    ck_assert_int_eq(fd_read_all(-1, "stdin", 100, &out, &err), -EBADF);
    ck_assert_ptr_nonnull(strstr(err.text, "stdin"));
    close(ends[0]);
    buf_fini(&out);
}
END_TEST

START_TEST(a_durable_file_reads_back_with_its_mode)
{
    struct buf out = {0};
    struct stat st;
    umask(077);
    const char *path = scratch_path(&scratch, "f");
    ck_assert_int_eq(file_write_durable(path, "hello", 5, 0644, NULL), 0);
    ck_assert_int_eq(file_write_durable(path, "hi", 2, 0644, NULL), 0);
    ck_assert_int_eq(file_read(path, 2, &out, NULL), 0);
    ck_assert_str_eq(out.data, "hi");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0644);
    buf_fini(&out);
    ck_assert_int_eq(access(scratch_path(&scratch, "f.tmp"), F_OK), -1);
}
END_TEST

START_TEST(a_failed_write_names_the_file_and_leaves_the_old_one)
{
    struct err err = {0};
    ck_assert_int_eq(file_write_durable("/proc/no/such", "x", 1, 0600, &err), -ENOENT);
    ck_assert_str_eq(err.text, "write '/proc/no/such': No such file or directory");
}
END_TEST

START_TEST(a_file_beyond_the_limit_is_refused_and_leaves_the_buffer_alone)
{
    struct err err = {0};
    struct buf out = {0};
    const char *path = scratch_path(&scratch, "f");
    ck_assert_int_eq(file_write_durable(path, "hello", 5, 0600, NULL), 0);
    buf_add_str(&out, "old");
    ck_assert_int_eq(file_read(path, 4, &out, &err), -EFBIG);
    ck_assert_str_eq(buf_text(&out), "old");
    ck_assert_ptr_nonnull(strstr(err.text, "larger than 4 bytes"));
    buf_fini(&out);
}
END_TEST

START_TEST(files_of_proc_have_no_size_and_are_read_all_the_same)
{
    struct buf out = {0};
    ck_assert_int_eq(file_read("/proc/self/status", 1 << 20, &out, NULL), 0);
    ck_assert_uint_gt(out.len, 100);
    buf_fini(&out);
    ck_assert_uint_eq(strlen(clock_boot_id()), 36);
}
END_TEST

START_TEST(making_a_folder_twice_is_fine_but_not_over_a_file)
{
    struct err err = {0};
    char path[256];
    snprintf(path, sizeof path, "%s", scratch_path(&scratch, "d"));
    ck_assert_int_eq(dir_make(path, 0750, &err), 0);
    ck_assert_int_eq(dir_make(path, 0700, &err), 0);
    ck_assert_int_eq(file_write_durable(scratch_path(&scratch, "f"), "", 0, 0600, NULL), 0);
    ck_assert_int_eq(dir_make(scratch.path, 0700, &err), -EEXIST);
}
END_TEST

START_TEST(an_absent_folder_is_removed_already)
{
    ck_assert_int_eq(dir_remove(scratch_path(&scratch, "no"), NULL), 0);
}
END_TEST

START_TEST(links_are_removed_not_followed)
{
    char dir[256], outside[256];
    snprintf(outside, sizeof outside, "%s", scratch_path(&scratch, "outside"));
    ck_assert_int_eq(file_write_durable(outside, "x", 1, 0600, NULL), 0);
    snprintf(dir, sizeof dir, "%s", scratch_path(&scratch, "d"));
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(symlink(scratch.dir, scratch_path(&scratch, "d/up")), 0);
    ck_assert_int_eq(symlink("/etc/passwd", scratch_path(&scratch, "d/passwd")), 0);
    ck_assert_int_eq(dir_remove(dir, NULL), 0);
    ck_assert_int_eq(access(dir, F_OK), -1);
    ck_assert_int_eq(access(outside, F_OK), 0);
    ck_assert_int_eq(symlink(scratch.dir, dir), 0);
    ck_assert_int_eq(dir_remove(dir, NULL), -ENOTDIR); /* the folder itself is none either */
    ck_assert_int_eq(unlink(dir), 0);
}
END_TEST

/* mkdir d, enter it, 600 times: deeper than any number of descriptors we would want to hold. */
START_TEST(a_tree_of_any_depth_is_removed_with_few_descriptors)
{
    char dir[256];
    snprintf(dir, sizeof dir, "%s", scratch_path(&scratch, "deep"));
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(chdir(dir), 0);
    for (int i = 0; i < 600; i++) {
        ck_assert_int_eq(mkdir("a-long-enough-name", 0700), 0);
        ck_assert_int_eq(mkdir("sister", 0700), 0);
        ck_assert_int_eq(chdir("a-long-enough-name"), 0);
    }
    ck_assert_int_eq(fchdir(home), 0);
    close(home);
    int before = open_count();
    struct err err = {0};
    ck_assert_msg(dir_remove(dir, &err) == 0, "%s", err.text);
    ck_assert_int_eq(access(dir, F_OK), -1);
    ck_assert_int_eq(open_count(), before);
}
END_TEST

START_TEST(a_mount_is_not_entered)
{
    if (geteuid() != 0)
        return; /* mounting needs root; make test runs as root */
    char dir[256], inner[256], file[256];
    snprintf(dir, sizeof dir, "%s", scratch_path(&scratch, "d"));
    snprintf(inner, sizeof inner, "%s", scratch_path(&scratch, "d/m"));
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    snprintf(file, sizeof file, "%s", scratch_path(&scratch, "kept"));
    ck_assert_int_eq(mkdir(file, 0700), 0);
    ck_assert_int_eq(mount(file, inner, NULL, MS_BIND, NULL), 0); /* the same file system: st_dev is equal */
    ck_assert_int_eq(file_write_durable(scratch_path(&scratch, "kept/f"), "x", 1, 0600, NULL), 0);
    struct err err = {0};
    int rc = dir_remove(dir, &err);
    ck_assert_int_eq(umount2(inner, MNT_DETACH), 0);
    ck_assert_int_eq(rc, -EXDEV);
    ck_assert_ptr_nonnull(strstr(err.text, "at 'm'"));
    ck_assert_int_eq(access(scratch.path, F_OK), 0);
}
END_TEST

START_TEST(a_sealed_memfd_is_constant)
{
    int fd = memfd_sealed("test", "abc", 3);
    ck_assert_int_ge(fd, 0);
    char text[8];
    ck_assert_int_eq(fd_read_full(fd, text, sizeof text), 3);
    ck_assert_int_eq(write(fd, "d", 1), -1);
    ck_assert_int_eq(ftruncate(fd, 1), -1);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
}
END_TEST

static void packet_pair(int pair[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

START_TEST(a_packet_carries_descriptors_that_are_cloexec)
{
    int pair[2], got[FD_PACKET_MAX], send[] = {0, 1, 2};
    size_t count = FD_PACKET_MAX;
    char text[16];
    packet_pair(pair);
    ck_assert_int_eq(fd_send_packet(pair[0], "hello", 5, send, 3), 0);
    ck_assert_int_eq(fd_recv_packet(pair[1], text, sizeof text, got, &count), 5);
    ck_assert_uint_eq(count, 3);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(fcntl(got[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(got[i]);
    }
    close(pair[0]);
    count = FD_PACKET_MAX;
    ck_assert_int_eq(fd_recv_packet(pair[1], text, sizeof text, got, &count), 0); /* the end */
    close(pair[1]);
}
END_TEST

static const struct {
    const char *what;
    size_t bytes, fds, room; /* sent, sent, wanted */
} excesses[] = {
    {"one descriptor more than room closes all of them", 4, 3, 2},
    {"a descriptor where none is wanted is closed", 4, 1, 0},
    {"a message longer than its buffer is refused, its descriptors closed", 64, 2, 8},
    {"descriptors without a byte are no end of file, and closed", 0, 2, 8},
};

START_TEST(excess)
{
    int pair[2], got[FD_PACKET_MAX], send[] = {0, 1, 2};
    char sent[64] = {0}, text[16];
    packet_pair(pair);
    int before = open_count();
    size_t count = excesses[_i].room;
    ck_assert_int_eq(fd_send_packet(pair[0], sent, excesses[_i].bytes, send, excesses[_i].fds), 0);
    ssize_t n = fd_recv_packet(pair[1], text, sizeof text, got, &count);
    ck_assert_msg(n == -EBADMSG, "%s: %zd", excesses[_i].what, n);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(open_count(), before);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(sending_to_nobody_is_an_error_not_a_signal)
{
    int pair[2];
    packet_pair(pair);
    close(pair[1]);
    ck_assert_int_eq(fd_send_packet(pair[0], "x", 1, NULL, 0), -EPIPE);
    close(pair[0]);
}
END_TEST

START_TEST(closing_twice_is_fine)
{
    int fd = dup(0);
    close_p(&fd);
    ck_assert_int_eq(fd, -1);
    close_p(&fd);
    int pair[2];
    packet_pair(pair);
    ck_assert_int_eq(fd_nonblock(pair[0], true), 0);
    char byte;
    ck_assert_int_eq(fd_recv_packet(pair[0], &byte, 1, NULL, NULL), -EAGAIN);
    ck_assert_int_eq(fd_nonblock(pair[0], false), 0);
    ck_assert_int_eq(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
    close(pair[0]);
    close(pair[1]);
    ck_assert_int_eq(fd_nonblock(pair[0], true), -EBADF);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("fd");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_open_is_read_whoever_owns_it);
    tcase_add_test(t, a_durable_file_reads_back_with_its_mode);
    tcase_add_test(t, a_failed_write_names_the_file_and_leaves_the_old_one);
    tcase_add_test(t, a_file_beyond_the_limit_is_refused_and_leaves_the_buffer_alone);
    tcase_add_test(t, files_of_proc_have_no_size_and_are_read_all_the_same);
    tcase_add_test(t, making_a_folder_twice_is_fine_but_not_over_a_file);
    tcase_add_test(t, an_absent_folder_is_removed_already);
    tcase_add_test(t, links_are_removed_not_followed);
    tcase_add_test(t, a_tree_of_any_depth_is_removed_with_few_descriptors);
    tcase_add_test(t, a_mount_is_not_entered);
    tcase_add_test(t, a_sealed_memfd_is_constant);
    tcase_add_test(t, a_packet_carries_descriptors_that_are_cloexec);
    tcase_add_loop_test(t, excess, 0, COUNT_OF(excesses));
    tcase_add_test(t, sending_to_nobody_is_an_error_not_a_signal);
    tcase_add_test(t, closing_twice_is_fine);
    Suite *s = suite_create("base/io/fd");
    suite_add_tcase(s, t);
    return run_suite(s);
}
