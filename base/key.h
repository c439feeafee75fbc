/*
 * key - a number for what is looked up in a table by text or bytes: eight bytes at a time, another value on another
 * machine. What states are compared by is scheduler/core/table.h's hash_bytes().
 * Purity: pure.
 */
#ifndef REEVE_BASE_KEY_H
#define REEVE_BASE_KEY_H

#include <stddef.h>
#include <stdint.h>

#define KEY_START UINT64_C(0x9e3779b97f4a7c15)
uint64_t key_bytes(uint64_t key, const void *bytes, size_t len);
uint64_t key_text(uint64_t key, const char *text); /* NULL = "" */
uint64_t key_u64(uint64_t key, uint64_t value);

#endif
