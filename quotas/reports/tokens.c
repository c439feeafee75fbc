#include "quotas/reports/tokens.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/parse.h"
#include "base/policy.h"

#define FILE_MAX ((size_t)1 << 20)
#define SECRET_BYTES 32
#define YEAR_US (INT64_C(365) * 86400 * 1000000)

static const struct {
    const char *name;
    uint32_t scope;
} scopes[] = {{"cost:read", SCOPE_COST}, {"metrics:read", SCOPE_METRICS}, {"ledger:write", SCOPE_LEDGER_WRITE}};

static bool read_scopes(char *text, uint32_t *ret)
{
    *ret = 0;
    for (char *save = NULL, *word = strtok_r(text, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
        uint32_t found = 0;
        for (size_t i = 0; i < COUNT_OF(scopes); i++)
            if (strcmp(word, scopes[i].name) == 0)
                found = scopes[i].scope;
        if (found == 0)
            return false;
        *ret |= found;
    }
    return *ret != 0;
}

static bool read_hash(const char *text, uint8_t out[SHA256_BYTES])
{
    if (strlen(text) != (size_t)2 * SHA256_BYTES || strspn(text, "0123456789abcdef") != (size_t)2 * SHA256_BYTES)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        unsigned byte = 0;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

static int read_line(char *line, size_t number, struct tokens *t, struct err *err)
{
    char *save = NULL, *words[5] = {0};
    size_t count = 0;
    for (char *word = strtok_r(line, " \t\r", &save); word != NULL && count < 5; word = strtok_r(NULL, " \t\r", &save))
        words[count++] = word;
    if (count == 0 || words[0][0] == '#')
        return 0;
    struct token token = {0};
    const char *wrong = NULL;
    if (count != 4)
        wrong = "four words: hash, scopes, tenant, expiry";
    else if (!read_hash(words[0], token.hash))
        wrong = "a hash of 64 lower-case hex digits";
    else if (!read_scopes(words[1], &token.scopes))
        wrong = "scopes: cost:read, metrics:read, ledger:write";
    else if (strcmp(words[2], TENANT_ROOT) != 0 && parse_tenant_path(words[2], NULL) < 0)
        wrong = "a tenant's path, or /";
    else if (parse_time(words[3], &token.expires_utc_us, NULL) < 0)
        wrong = "an expiry like 2027-11-23T00:00:00Z";
    if (wrong != NULL)
        return err_set(err, -EINVAL, "line %zu: needs %s", number, wrong);
    if (t->count == TOKENS_MAX)
        return err_set(err, -E2BIG, "more than %d tokens", TOKENS_MAX);
    struct token *grown = realloc(t->v, (t->count + 1) * sizeof *grown);
    if (grown != NULL)
        t->v = grown;
    if (grown == NULL || str_set(&token.tenant, words[2]) < 0)
        return err_set(err, -ENOMEM, "no memory");
    t->v[t->count++] = token;
    return 0;
}

static void clear(struct tokens *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->v[i].tenant);
    free(t->v);
    t->v = NULL;
    t->count = 0;
}

int tokens_parse(const char *text, struct tokens *ret, struct err *err)
{
    CLEANUP(free_p) char *copy = strdup(text);
    struct tokens t = *ret;
    t.v = NULL;
    t.count = 0;
    if (copy == NULL)
        return err_set(err, -ENOMEM, "no memory");
    size_t number = 0;
    int r = 0;
    for (char *at = copy, *next = copy; next != NULL && r == 0; at = next + 1) {
        next = strchr(at, '\n');
        if (next != NULL)
            *next = '\0';
        r = read_line(at, ++number, &t, err);
        if (next == NULL)
            break;
    }
    if (r < 0) {
        clear(&t);
        return r;
    }
    clear(ret);
    *ret = t;
    return 0;
}

void tokens_fini(struct tokens *t)
{
    clear(t);
}

int tokens_refresh(struct tokens *t, struct err *err)
{
    struct stat st;
    if (stat(t->path, &st) < 0) {
        clear(t);
        t->read_inode = 0;
        return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", t->path, strerror(errno));
    }
    if (st.st_ino == t->read_inode && st.st_size == t->read_size && st.st_mtim.tv_sec == t->read_mtime.tv_sec &&
        st.st_mtim.tv_nsec == t->read_mtime.tv_nsec)
        return 0;
    struct buf text = {0};
    int r = file_read(t->path, FILE_MAX, &text, err);
    if (r == 0)
        r = tokens_parse(buf_text(&text), t, err);
    buf_fini(&text);
    if (r < 0) {
        clear(t);
        t->read_inode = 0;
        return err_wrap(err, r, "%s", t->path);
    }
    t->read_inode = st.st_ino;
    t->read_size = st.st_size;
    t->read_mtime = st.st_mtim;
    return 0;
}

int tokens_viewer(const struct tokens *t, const char *secret, int64_t now_utc_us, struct viewer *ret)
{
    uint8_t hash[SHA256_BYTES];
    const struct token *found = NULL;
    sha256(&(struct sha256_part){secret, strlen(secret)}, 1, hash);
    for (size_t i = 0; i < t->count; i++)
        if (sha256_same(hash, t->v[i].hash) && now_utc_us < t->v[i].expires_utc_us)
            found = &t->v[i];
    if (found == NULL)
        return -EACCES;
    struct viewer v = {.scopes = found->scopes, .all = strcmp(found->tenant, TENANT_ROOT) == 0};
    char hex[SHA256_HEX_MAX];
    snprintf(v.name, sizeof v.name, "token %.8s", sha256_hex(hash, hex));
    int r = strs_add(&v.subtrees, found->tenant);
    if (r < 0)
        return r;
    *ret = v;
    return 0;
}

int tokens_create(const char *path, const char *secret_path, int64_t now_utc_us, struct err *err)
{
    uint8_t random[SECRET_BYTES], hash[SHA256_BYTES];
    char secret[2 * SECRET_BYTES + 2], hex[SHA256_HEX_MAX], expiry[PARSE_TEXT_MAX], line[512];
    if (access(path, F_OK) == 0)
        return 0;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, -errno, "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(secret + 2 * i, 3, "%02x", random[i]);
    sha256(&(struct sha256_part){secret, strlen(secret)}, 1, hash);
    int64_t expires = (now_utc_us + YEAR_US) / 1000000 * 1000000;
    int n = snprintf(line, sizeof line, "# sha256 scopes tenant expiry; see reeve-reportd(8)\n%s %s,%s / %s\n",
                     sha256_hex(hash, hex), scopes[0].name, scopes[1].name, format_time(expires, expiry));
    /* The secret first: a hash whose secret nobody has would be a locked door for ever. */
    strncat(secret, "\n", 2);
    int r = file_write_durable(secret_path, secret, strlen(secret), 0600, err);
    return r == 0 ? file_write_durable(path, line, (size_t)n, 0600, err) : r;
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* "user:password" in base64: the part after the first colon. */
static bool basic_password(const char *text, char out[TOKEN_SECRET_MAX])
{
    char plain[2 * TOKEN_SECRET_MAX];
    size_t n = 0;
    unsigned bits = 0, value = 0;
    for (; *text != '\0' && *text != '='; text++) {
        int digit = base64_digit(*text);
        if (digit < 0 || n + 1 >= sizeof plain)
            return false;
        value = (value << 6 | (unsigned)digit) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            plain[n++] = (char)(value >> bits & 0xff);
        }
    }
    plain[n] = '\0';
    const char *colon = strchr(plain, ':');
    if (colon == NULL || strlen(colon + 1) >= TOKEN_SECRET_MAX)
        return false;
    snprintf(out, TOKEN_SECRET_MAX, "%s", colon + 1);
    return out[0] != '\0';
}

bool token_of_header(const char *header, bool basic, char out[TOKEN_SECRET_MAX])
{
    if (header == NULL)
        return false;
    if (basic && strncasecmp(header, "Basic ", 6) == 0)
        return basic_password(header + 6, out);
    if (strncasecmp(header, "Bearer ", 7) != 0 || strlen(header + 7) >= TOKEN_SECRET_MAX || header[7] == '\0')
        return false;
    snprintf(out, TOKEN_SECRET_MAX, "%s", header + 7);
    return true;
}
