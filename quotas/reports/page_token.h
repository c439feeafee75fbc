/*
 * page_token - where a report that is taken page by page goes on: an opaque text that nobody can make but us.
 * It names the journal entry all pages are made from, so that they fit together whatever is posted meanwhile, and it
 * holds only for the same question of the same viewer. Signed with report/page.key, so that it outlives a restart.
 */
#ifndef REEVE_QUOTAS_REPORTS_PAGE_TOKEN_H
#define REEVE_QUOTAS_REPORTS_PAGE_TOKEN_H

#include "base/sha256.h"
#include "quotas/reports/params.h"
#include "quotas/reports/viewer.h"

#define PAGE_KEY_BYTES 32
#define PAGE_TOKEN_MAX 80
#define PAGE_ROWS_MAX 10000

struct page_place {
    uint64_t seq;  /* the journal entry of the first page */
    uint64_t rows; /* how many rows were on the pages before */
};

/* Reads the key's file, or makes it: only its owner may read it. */
int page_key_load(const char *path, uint8_t key[PAGE_KEY_BYTES], struct err *err) MUST_USE;
/* What a token is bound to: the path, the parameters but page_token, and who asks. */
void page_question(const char *path, const struct params *params, const struct viewer *viewer,
                   uint8_t out[SHA256_BYTES]);
const char *page_token_make(const uint8_t key[PAGE_KEY_BYTES], const uint8_t question[SHA256_BYTES],
                            struct page_place place, char out[PAGE_TOKEN_MAX]);
/* -EINVAL: not ours, or another question's. */
int page_token_read(const uint8_t key[PAGE_KEY_BYTES], const uint8_t question[SHA256_BYTES], const char *text,
                    struct page_place *ret) MUST_USE;

#endif
