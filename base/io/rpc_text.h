/*
 * rpc_text - the lines of JSON-RPC as text: what a call, an answer, a refusal and a broken call look like, and what
 * an answer means. Shared by the asynchronous connection and the blocking client; no sockets here.
 */
#ifndef REEVE_BASE_IO_RPC_TEXT_H
#define REEVE_BASE_IO_RPC_TEXT_H

#include "base/io/json.h"
#include "base/proto.h"

enum rpc_code {
    RPC_NOT_JSON = -32700,
    RPC_NOT_A_CALL = -32600,
    RPC_NO_METHOD = -32601,
    RPC_BAD_PARAMS = -32602,
    RPC_INTERNAL = -32603,
    RPC_REFUSED = 1,
    RPC_UNAVAILABLE = 2,
};

/* Each appends one line with its newline. A `code` answer carries data only when `data` is not NULL.
 * When an object can't be written, the buffer holds what it held and -errno comes back. */
int rpc_text_call(struct buf *out, uint64_t id, const struct method *m, const void *params, struct err *err) MUST_USE;
int rpc_text_notify(struct buf *out, const struct method *m, const void *params, struct err *err) MUST_USE;
int rpc_text_result(struct buf *out, const char *id, const struct fields *f, const void *result) MUST_USE;
void rpc_text_error(struct buf *out, const char *id, int code, const char *message, const struct refusal *data);

/* What an answer says: 0 and *result filled; 1 and *refusal filled (the caller clears both); -errno. Refused,
 * unavailable (code "unavailable") and wrong parameters ("bad_request") are refusals; the rest are failures. */
int rpc_text_outcome(const struct json_message *answer, const struct fields *f, void *result, struct refusal *refusal,
                     struct err *err) MUST_USE;

#endif
