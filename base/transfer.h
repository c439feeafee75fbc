/*
 * transfer - what a program inside a sandbox and its mover say to each other: copy this open file to that one, at my
 * tenant's share of the disk. `reeve cp` and base/io/transfer_client.h speak it; a program of yours may, too.
 *
 * TRANSFER_SOCKET is a SOCK_SEQPACKET socket. One request on a connection, then it is closed:
 *
 *   program -> mover  struct transfer_request, with two descriptors: from (readable), to (writable); both stay the
 *                     program's, and are kept open by the mover until it has answered
 *   mover -> program  struct transfer_reply TRANSFER_GOES, now and then, with what was moved so far
 *                     struct transfer_reply, the last one: TRANSFER_DONE, _REFUSED (nothing was moved) or _FAILED
 *
 * Closing the connection ends the copy; what was written stays written. Nothing is renamed, synced or cut off: that is
 * the program's. Holes stay holes where the target is empty or ends before them.
 * Purity: pure. The structs' sizes are for ever.
 */
#ifndef REEVE_BASE_TRANSFER_H
#define REEVE_BASE_TRANSFER_H

#include <stdint.h>

#define TRANSFER_SOCKET "/tmp/.reeve-transfer" /* inside; only of jobs with `transfer: true` */
#define TRANSFER_VERSION 1
#define TRANSFER_SHA256 1u /* of the bytes that are moved, holes as zeros: 64 digits are the text of TRANSFER_DONE */
#define TRANSFER_ALL UINT64_MAX /* bytes: to the end of the file, as it is when it begins */
#define TRANSFER_OFFSET_MAX ((uint64_t)1 << 62)
#define TRANSFER_TEXT_MAX 104

enum transfer_status { TRANSFER_GOES = 1, TRANSFER_DONE, TRANSFER_REFUSED, TRANSFER_FAILED };

struct transfer_request {
    uint32_t version, flags; /* TRANSFER_VERSION; 0 or TRANSFER_SHA256 */
    uint64_t from_offset, to_offset, bytes;
};

struct transfer_reply {
    uint32_t version, status; /* enum transfer_status */
    int32_t error;            /* REFUSED, FAILED: errno */
    uint32_t reserved;
    uint64_t moved_bytes;     /* holes that were passed over count */
    char text[TRANSFER_TEXT_MAX]; /* REFUSED, FAILED: a sentence; DONE: the digest; NUL-terminated */
};

#endif
