/*
 * fd - descriptors and small files. Every fd is CLOEXEC at birth.
 */
#ifndef REEVE_BASE_IO_FD_H
#define REEVE_BASE_IO_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Closes and sets to -1; -1 is fine. CLEANUP(close_p) int fd = -1; */
void close_p(int *fd);
int fd_nonblock(int fd, bool on) MUST_USE;
/* All of it or -errno; EINTR handled. fd_read_full gives the count (short = end of file). */
int fd_write_all(int fd, const void *bytes, size_t len) MUST_USE;
ssize_t fd_read_full(int fd, void *bytes, size_t len) MUST_USE;
/* Whole small file into out; -EFBIG beyond max. */
int file_read(const char *path, size_t max, struct buf *out, struct err *err) MUST_USE;
/* The same of what is open already and may not be ours to open: standard input. `name` is for errors. */
int fd_read_all(int fd, const char *name, size_t max, struct buf *out, struct err *err) MUST_USE;
/* Writes path.tmp, fsyncs, renames, fsyncs the folder: after it the file is the new one or the old one. */
int file_write_durable(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err) MUST_USE;
/* Not durable: writes path.new and renames it, so that a reader sees the new file or the old one whole. -errno. */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode) MUST_USE;
int dir_make(const char *path, mode_t mode, struct err *err) MUST_USE; /* exists = fine, its mode stays */
/* Removes a folder and all below it without following links or crossing mounts; absent = fine. A mount inside it is
 * a failure (-EXDEV, -EBUSY), and what lies beside it may be gone already. */
int dir_remove(const char *path, struct err *err) MUST_USE;
/* A sealed memfd holding these bytes: nobody can change it any more. */
int memfd_sealed(const char *name, const void *bytes, size_t len) MUST_USE;
/* SOCK_SEQPACKET message with up to FD_PACKET_MAX fds. recv: *fds_count is the room in `fds` before the call and the
 * count after it (NULL, NULL = none wanted); returns the bytes, 0 at the end. More fds than room, fds without a byte,
 * or a message longer than `size`: all its fds are closed and -EBADMSG. */
#define FD_PACKET_MAX 20
int fd_send_packet(int sock, const void *bytes, size_t len, const int *fds, size_t fds_count) MUST_USE;
ssize_t fd_recv_packet(int sock, void *bytes, size_t size, int *fds, size_t *fds_count) MUST_USE;

#endif
