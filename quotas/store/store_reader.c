#include "quotas/store/store_reader.h"

/* hiredis takes NULL from a create function for "out of memory" and gives up the connection: just what is wanted. */
static bool is_welcome(const redisReadTask *task)
{
    struct store_reader *g = task->privdata;
    if (!task->parent && g->due == 0) {
        g->why = "a reply that nobody asked for";
        return false;
    }
    return true;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    const struct store_reader *g = task->privdata;
    return is_welcome(task) ? g->own->createString(task, text, len) : NULL;
}

static void *create_array(const redisReadTask *task, int elements)
{
    struct store_reader *g = task->privdata;
    if (elements > STORE_REPLY_ELEMENTS_MAX) {
        g->why = "a list longer than any that is ours";
        return NULL;
    }
    return is_welcome(task) ? g->own->createArray(task, elements) : NULL;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    const struct store_reader *g = task->privdata;
    return is_welcome(task) ? g->own->createInteger(task, value) : NULL;
}

static void *create_nil(const redisReadTask *task)
{
    const struct store_reader *g = task->privdata;
    return is_welcome(task) ? g->own->createNil(task) : NULL;
}

void store_reader_guard(struct store_reader *g, redisContext *c)
{
    *g = (struct store_reader){.own = c->reader->fn};
    g->fn = *g->own;
    g->fn.createString = create_string;
    g->fn.createArray = create_array;
    g->fn.createInteger = create_integer;
    g->fn.createNil = create_nil;
    c->reader->fn = &g->fn;
    c->reader->privdata = g;
}

const char *store_reader_why(const struct store_reader *g, const char *errstr)
{
    return g->why ? g->why : errstr;
}
