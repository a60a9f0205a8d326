/* Verified pages of all parts, least recently used out first, bounded in bytes.
 *
 * One lock (rank LEAF) over a chained hash table and a list in order of use. Entries are counted
 * references: a reader keeps its page while others evict it. Immutable parts mean that nothing is
 * ever invalidated; pages of a closed part age out.
 */
#include <string.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"
#include "part/part_private.h"

enum { BUCKETS = 1 << 14, PAGE_SHARE_MAX = 4 /* no page takes more than a fourth */ };

struct entry {
    struct entry *chain;         /* same bucket */
    struct entry *newer, *older; /* order of use */
    uint64_t identity, offset;
    uint32_t references; /* readers, and one for the table */
    size_t size;
    char bytes[];
};

struct part_cache {
    struct lock lock;
    size_t bytes, bytes_max;
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
};

int part_cache_new(size_t bytes_max, struct part_cache **cache_out)
{
    struct part_cache *c = mem_calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_NOMEM;
    }
    lock_init(&c->lock, LOCK_RANK_LEAF);
    c->bytes_max = bytes_max;
    *cache_out = c;
    return 0;
}

static struct entry **bucket_of(struct part_cache *c, uint64_t identity, uint64_t offset)
{
    return &c->buckets[hash_mix64(identity * 0x9e3779b97f4a7c15ull + offset) % BUCKETS];
}

static void unlink_use(struct part_cache *c, struct entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &c->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct part_cache *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

/* Under the lock. */
static void entry_unref(struct entry *e)
{
    if (--e->references == 0) {
        mem_free(e);
    }
}

/* Takes the entry out of the table. Under the lock. */
static void drop(struct part_cache *c, struct entry *e)
{
    struct entry **link = bucket_of(c, e->identity, e->offset);
    while (*link != e) {
        link = &(*link)->chain;
    }
    *link = e->chain;
    unlink_use(c, e);
    c->bytes -= sizeof(*e) + e->size;
    entry_unref(e);
}

void part_cache_clear(struct part_cache *c)
{
    lock_take(&c->lock);
    while (c->oldest != NULL) {
        drop(c, c->oldest);
    }
    lock_give(&c->lock);
}

void part_cache_free(struct part_cache *c)
{
    if (c == NULL) {
        return;
    }
    part_cache_clear(c);
    lock_release(&c->lock);
    mem_free(c);
}

static struct entry *find(struct part_cache *c, uint64_t identity, uint64_t offset)
{
    struct entry *e = *bucket_of(c, identity, offset);
    while (e != NULL && (e->identity != identity || e->offset != offset)) {
        e = e->chain;
    }
    return e;
}

int part_cache_find(
    struct part_cache *c, uint64_t identity, uint64_t offset, struct part_page_ref *ref_out)
{
    lock_take(&c->lock);
    struct entry *e = find(c, identity, offset);
    if (e != NULL) {
        unlink_use(c, e);
        link_newest(c, e);
        e->references++;
        *ref_out = (struct part_page_ref){str_make(e->bytes, e->size), e};
    }
    lock_give(&c->lock);
    return e != NULL;
}

void part_cache_add(struct part_cache *c, uint64_t identity, uint64_t offset, struct str page)
{
    size_t size = sizeof(struct entry) + page.len;
    struct entry *e = size <= c->bytes_max / PAGE_SHARE_MAX ? mem_alloc(size) : NULL;
    if (e == NULL) {
        return;
    }
    *e = (struct entry){.identity = identity, .offset = offset, .references = 1, .size = page.len};
    memcpy(e->bytes, page.ptr, page.len);
    lock_take(&c->lock);
    if (find(c, identity, offset) != NULL) { /* another reader was faster */
        lock_give(&c->lock);
        mem_free(e);
        return;
    }
    while (c->bytes + size > c->bytes_max && c->oldest != NULL) {
        drop(c, c->oldest);
    }
    struct entry **bucket = bucket_of(c, identity, offset);
    e->chain = *bucket;
    *bucket = e;
    link_newest(c, e);
    c->bytes += size;
    lock_give(&c->lock);
}

void part_cache_unref(struct part_cache *c, struct part_page_ref *ref)
{
    if (ref->entry != NULL) {
        lock_take(&c->lock);
        entry_unref(ref->entry);
        lock_give(&c->lock);
    }
    *ref = (struct part_page_ref){.entry = NULL};
}
