/*
 * keeper_sys - the few system helpers of the static program: packets with fds, closing, small numbers as text.
 * No stdio, no heap: each page of it is multiplied by the number of running attempts.
 */
#ifndef REEVE_ISOLATION_KEEPER_SYS_H
#define REEVE_ISOLATION_KEEPER_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PACKET_FDS_MAX 20

/* 0 or -errno; EINTR handled. */
int packet_send(int sock, const void *bytes, size_t size, const int *fds, size_t fds_count);
/* Bytes, 0 at the end of file, -errno. A cut packet, too many fds, or some without a byte: -EBADMSG, and
 * every fd is closed. */
ssize_t packet_recv(int sock, void *bytes, size_t size, int *fds, size_t *fds_count);

void close_fd(int *fd); /* and -1 */
int write_whole(int fd, const void *bytes, size_t size);
int write_text_at(int dir, const char *path, const char *text);

#define NUMBER_TEXT_MAX 24
const char *number_text(uint64_t value, char out[NUMBER_TEXT_MAX]);
uint64_t boot_us(void); /* CLOCK_BOOTTIME */
int64_t utc_us(void);   /* for display */

#endif
