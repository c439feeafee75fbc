#include "quotas/store/library.h"

#include "quotas/store/store_conn.h"

const char *store_library_text(size_t *ret_len)
{
    *ret_len = store_library_lua_len;
    return (const char *)store_library_lua;
}
