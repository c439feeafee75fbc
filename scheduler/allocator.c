/* What jemalloc reads as it begins (docs/adr/0017). Linked into who has ALLOCATOR; MALLOC_CONF has the last word. */

/* Pages of 2 MiB where the kernel gives them to who asks: what a turn looks at is spread over a gigabyte. */
extern const char *malloc_conf;
const char *malloc_conf = "thp:always";
