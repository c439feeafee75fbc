/*
 * tokens - who may read over TCP: report/tokens, one line per token, read again whenever it changed.
 *
 *   <sha256 of the secret, hex> <scope>[,<scope>] <tenant subtree> <expiry, UTC>
 *   9f86d0...0a08 cost:read,metrics:read / 2027-11-23T00:00:00Z
 *
 * Only hashes are kept; a secret is 256 random bits in hex, so a plain hash is enough. Lines beginning with # are
 * comments. A line that can't be understood is refused by number, and with it the whole file: nobody's access is wider
 * than what was written.
 * Comparison takes the same time whatever matches, and every token is compared.
 */
#ifndef REEVE_QUOTAS_REPORTS_TOKENS_H
#define REEVE_QUOTAS_REPORTS_TOKENS_H

#include <time.h>

#include "base/sha256.h"
#include "quotas/reports/viewer.h"

#define TOKENS_MAX 1000
#define TOKEN_SECRET_MAX 256 /* bytes a caller may send */

struct token {
    uint8_t hash[SHA256_BYTES];
    uint32_t scopes;
    char *tenant;
    int64_t expires_utc_us;
};

struct tokens {
    const char *path;      /* borrowed */
    struct token *v;
    size_t count;
    struct timespec read_mtime; /* and size, inode: of what was read */
    int64_t read_size;
    uint64_t read_inode;
};

int tokens_parse(const char *text, struct tokens *ret, struct err *err) MUST_USE;
/* Reads the file again when it is another one. An absent file has no tokens. */
int tokens_refresh(struct tokens *t, struct err *err) MUST_USE;
void tokens_fini(struct tokens *t);
/* Fills the viewer for a secret that is known and hasn't expired at `now`; -EACCES, and nothing says which it was. */
int tokens_viewer(const struct tokens *t, const char *secret, int64_t now_utc_us, struct viewer *ret) MUST_USE;
/* When there is no tokens file: makes one token for all of the cell, one year; its secret goes to secret_path. */
int tokens_create(const char *path, const char *secret_path, int64_t now_utc_us, struct err *err) MUST_USE;
/* The secret in an Authorization header: "Bearer <secret>" or, where basic is allowed, the password of Basic (any
 * user): a browser can ask a person for that. false: there is none. */
bool token_of_header(const char *header, bool basic, char out[TOKEN_SECRET_MAX]);

#endif
