/*
 * tenant_path - names of tenants in their tree: "acme", "acme/etl"; "/" is the cell itself, above them all. Whether a
 * text is such a path is parse_tenant_path()'s to say (base/parse.h).
 * Purity: pure.
 */
#ifndef REEVE_BASE_TENANT_PATH_H
#define REEVE_BASE_TENANT_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define TENANT_ROOT "/" /* the cell itself; always there */

/* '/' before every other character, so that a tenant is followed by everything below it. */
int tenant_path_compare(const char *a, const char *b);
/* Is this tenant `top` itself or below it? */
bool tenant_path_is_below(const char *path, const char *top);
/* "acme/etl" -> 2; the root is no level of its own: 0. */
size_t tenant_path_depth(const char *path);

#endif
