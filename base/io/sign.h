/*
 * sign - Ed25519: the cell's key, made at its first start, and what is signed with it. With base/sha256.c the only user
 * of OpenSSL.
 *
 *   FILE.key   the private key, PEM, 0600, its owner's alone      FILE.pub   the public one, PEM, for everybody
 *
 * `openssl pkey -pubin -in FILE.pub -noout -text` reads it, too. Whoever has the private key can sign another history:
 * a signed head counts because it was copied elsewhere before somebody got at the key.
 */
#ifndef REEVE_BASE_IO_SIGN_H
#define REEVE_BASE_IO_SIGN_H

#include "base/journal_head.h"

struct sign_key;

/* Reads FOLDER/NAME.key, or makes it (durably) when there is none, and NAME.pub beside it when that is missing.
 * -EBADMSG: it is no key, or not a key that only its owner may read. */
int sign_key_open(struct sign_key **ret, int folder, const char *name, struct err *err) MUST_USE;
void sign_key_free(struct sign_key *k); /* NULL is fine */
const uint8_t *sign_key_public(const struct sign_key *k); /* SIGN_KEY_BYTES */
int sign_make(const struct sign_key *k, const void *bytes, size_t len, uint8_t ret[SIGN_BYTES],
              struct err *err) MUST_USE;

/* The public key in a PEM file. -ENOENT, -EBADMSG. */
int sign_public_read(const char *path, uint8_t ret[SIGN_KEY_BYTES], struct err *err) MUST_USE;
bool sign_check(const uint8_t key[SIGN_KEY_BYTES], const void *bytes, size_t len, const uint8_t sig[SIGN_BYTES]);

#endif
