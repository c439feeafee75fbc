/*
 * yaml - a YAML (or JSON) file into a struct described by a table, with places a person can find:
 * "train.yaml:7:12: resources.memory: '4 Gigs' is not a size; write 4Gi, 4096Mi or bytes".
 * The only code that knows libyaml. No anchors, aliases, tags or merge keys: they are refused by name.
 * Same strictness and the same sentences as json.h, because the same table decides.
 */
#ifndef REEVE_BASE_IO_YAML_H
#define REEVE_BASE_IO_YAML_H

#include "base/fields.h"

#define YAML_FILE_MAX ((size_t)4 << 20)

/* `name` is what messages call it. -EINVAL with "name:line:column: ..." in err. */
int yaml_read(const struct fields *f, const char *name, const char *text, size_t len, void *object,
              struct err *err) MUST_USE;
int yaml_write(const struct fields *f, const void *object, struct buf *out) MUST_USE;

#endif
