#include "base/tenant_path.h"

#include <string.h>

/* End of text first, then '/', then everything else. */
static int rank(char c)
{
    return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 1;
}

int tenant_path_compare(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return rank(*a) - rank(*b);
}

bool tenant_path_is_below(const char *path, const char *top)
{
    size_t len = strlen(top);
    return strcmp(top, TENANT_ROOT) == 0 || (strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

size_t tenant_path_depth(const char *path)
{
    if (strcmp(path, TENANT_ROOT) == 0)
        return 0;
    size_t depth = 1;
    for (; *path != '\0'; path++)
        depth += *path == '/';
    return depth;
}
