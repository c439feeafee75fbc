/*
 * transfer_client - has a file copied by the mover of the sandbox that we are in (base/transfer.h): at the share of the
 * disk that the job's tenant has, accounted to the job. Needs nothing but the C library; programs of jobs link
 * libreeve-transfer.a.
 *
 *     int mover = transfer_connect();
 *     if (mover >= 0 && transfer_copy(mover, from, to, 0, 0, TRANSFER_ALL, NULL, NULL, &how) == 0) ...
 *
 * Threads: a connection belongs to one at a time; several connections copy at once.
 */
#ifndef REEVE_BASE_IO_TRANSFER_CLIENT_H
#define REEVE_BASE_IO_TRANSFER_CLIENT_H

#include "base/transfer.h"

/* A descriptor for one copy, closed with close(2). -ENOENT: this job has no mover (`transfer: true` in its file), or
 * this is no job; -ECONNREFUSED: the mover is gone. */
int transfer_connect(void);
/* Copies `bytes` (or TRANSFER_ALL) from one open file into another; the descriptors' own places don't count and don't
 * move. 0, or -errno: *ret_how says how far it came, and why it ended there; the connection is of no more use.
 * `goes` is told now and then how much was moved (NULL: nobody). */
int transfer_copy(int mover, int from, int to, uint64_t from_offset, uint64_t to_offset, uint64_t bytes,
                  void (*goes)(void *arg, uint64_t moved_bytes), void *arg, struct transfer_reply *ret_how);

#endif
