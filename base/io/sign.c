#include "base/io/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"

enum { NAME_MAX_BYTES = 64, PEM_MAX = 4096 };

struct sign_key {
    EVP_PKEY *key;
    uint8_t public[SIGN_KEY_BYTES];
};

static void pkey_p(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void bio_p(BIO **b)
{
    BIO_free(*b);
}

static void context_p(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

/* No file of ours has a passphrase: nobody is asked for one. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return -1;
}

static int public_of(EVP_PKEY *key, uint8_t ret[SIGN_KEY_BYTES])
{
    size_t len = SIGN_KEY_BYTES;
    bool good = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 && EVP_PKEY_get_raw_public_key(key, ret, &len) == 1;
    return good && len == SIGN_KEY_BYTES ? 0 : -EBADMSG;
}

/* ---- the files ---- */
/* tmp, fsync, link: what is there already stays, so that two who start at once have one key. */
static int file_make(int folder, const char *name, BIO *pem, mode_t mode, struct err *err)
{
    char tmp[NAME_MAX_BYTES + 8];
    char *bytes = NULL;
    long len = BIO_get_mem_data(pem, &bytes);
    snprintf(tmp, sizeof tmp, "%s.tmp", name);
    unlinkat(folder, tmp, 0);
    CLEANUP(close_p) int fd = openat(folder, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    int rc = fd < 0 ? -errno : fchmod(fd, mode) != 0 ? -errno : fd_write_all(fd, bytes, (size_t)len);
    if (rc == 0 && fsync(fd) != 0)
        rc = -errno;
    if (rc == 0 && linkat(folder, tmp, folder, name, 0) != 0 && errno != EEXIST)
        rc = -errno;
    unlinkat(folder, tmp, 0);
    if (rc == 0 && fsync(folder) != 0)
        rc = -errno;
    return rc == 0 ? 0 : err_set(err, rc, "write '%s': %s", name, strerror(-rc));
}

static int key_make(int folder, const char *name, struct err *err)
{
    CLEANUP(pkey_p) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    CLEANUP(bio_p) BIO *pem = BIO_new(BIO_s_secmem());
    if (key == NULL || pem == NULL || PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1)
        return err_set(err, -EIO, "make a signing key");
    return file_make(folder, name, pem, 0600, err);
}

static int public_make(int folder, const char *name, EVP_PKEY *key, struct err *err)
{
    CLEANUP(bio_p) BIO *pem = BIO_new(BIO_s_mem());
    if (pem == NULL || PEM_write_bio_PUBKEY(pem, key) != 1)
        return err_set(err, -ENOMEM, "out of memory");
    return file_make(folder, name, pem, 0644, err);
}

static int key_read(int folder, const char *name, EVP_PKEY **ret, struct err *err)
{
    char text[PEM_MAX];
    CLEANUP(close_p) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_set(err, -errno, "open '%s': %s", name, strerror(errno));
    if ((st.st_mode & 077) != 0)
        return err_set(err, -EBADMSG, "'%s' may be read by others than its owner: chmod 600 it, or make a new one",
                       name);
    ssize_t len = fd_read_full(fd, text, sizeof text);
    CLEANUP(bio_p) BIO *pem = len > 0 ? BIO_new_mem_buf(text, (int)len) : NULL;
    EVP_PKEY *key = pem == NULL ? NULL : PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
    OPENSSL_cleanse(text, sizeof text);
    if (key == NULL)
        return err_set(err, -EBADMSG, "'%s' is no private key in PEM", name);
    *ret = key;
    return 0;
}

static int pair_open(struct sign_key *k, int folder, const char *name, struct err *err)
{
    char private[NAME_MAX_BYTES], public[NAME_MAX_BYTES];
    snprintf(private, sizeof private, "%s.key", name);
    snprintf(public, sizeof public, "%s.pub", name);
    int rc = key_read(folder, private, &k->key, err);
    if (rc == -ENOENT && (rc = key_make(folder, private, err)) == 0)
        rc = key_read(folder, private, &k->key, err);
    if (rc < 0)
        return rc;
    if (public_of(k->key, k->public) < 0)
        return err_set(err, -EBADMSG, "'%s' is no Ed25519 key", private);
    return faccessat(folder, public, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : public_make(folder, public, k->key, err);
}

int sign_key_open(struct sign_key **ret, int folder, const char *name, struct err *err)
{
    BUG(strlen(name) + sizeof ".key" > NAME_MAX_BYTES);
    struct sign_key *k = calloc(1, sizeof *k);
    if (k == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    int rc = pair_open(k, folder, name, err);
    if (rc < 0) {
        sign_key_free(k);
        return rc;
    }
    *ret = k;
    return 0;
}

void sign_key_free(struct sign_key *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_free(k->key);
    free(k);
}

const uint8_t *sign_key_public(const struct sign_key *k)
{
    return k->public;
}

/* ---- signing and checking ---- */
int sign_make(const struct sign_key *k, const void *bytes, size_t len, uint8_t ret[SIGN_BYTES], struct err *err)
{
    CLEANUP(context_p) EVP_MD_CTX *c = EVP_MD_CTX_new();
    size_t sig_len = SIGN_BYTES;
    if (c == NULL || EVP_DigestSignInit(c, NULL, NULL, NULL, k->key) != 1 ||
        EVP_DigestSign(c, ret, &sig_len, bytes, len) != 1)
        return err_set(err, -EIO, "OpenSSL could not sign");
    return 0;
}

bool sign_check(const uint8_t key[SIGN_KEY_BYTES], const void *bytes, size_t len, const uint8_t sig[SIGN_BYTES])
{
    CLEANUP(pkey_p) EVP_PKEY *p = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, SIGN_KEY_BYTES);
    CLEANUP(context_p) EVP_MD_CTX *c = EVP_MD_CTX_new();
    return p != NULL && c != NULL && EVP_DigestVerifyInit(c, NULL, NULL, NULL, p) == 1 &&
           EVP_DigestVerify(c, sig, SIGN_BYTES, bytes, len) == 1;
}

int sign_public_read(const char *path, uint8_t ret[SIGN_KEY_BYTES], struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = file_read(path, PEM_MAX, &text, err);
    if (rc < 0)
        return rc;
    CLEANUP(bio_p) BIO *pem = BIO_new_mem_buf(buf_text(&text), (int)text.len);
    CLEANUP(pkey_p) EVP_PKEY *key = pem == NULL ? NULL : PEM_read_bio_PUBKEY(pem, NULL, no_passphrase, NULL);
    uint8_t bytes[SIGN_KEY_BYTES];
    if (key == NULL || public_of(key, bytes) < 0)
        return err_set(err, -EBADMSG, "'%s' is no Ed25519 public key in PEM", path);
    memcpy(ret, bytes, sizeof bytes);
    return 0;
}
