/* The store of traces from inside. */
#ifndef SONDE_TSDB_SPAN_STORE_PRIVATE_H
#define SONDE_TSDB_SPAN_STORE_PRIVATE_H

#include <stdatomic.h>

#include "base/lock.h"
#include "span/span_gather.h"
#include "span/span_log.h"
#include "span/span_page_cache.h"
#include "tsdb/span_store.h"
#include "wire/zstd_codec.h"

enum { SPAN_PATH_BYTES_MAX = 4096 };

struct span_store {
    struct span_store_options options; /* defaults filled in; rules are in `retention` */
    struct span_retention retention;
    struct vfs *fs;
    struct clock *clock;
    char *path;
    struct vfs_file *lock_file;

    /* Who appends: one at a time. The log is written with it held, as the order of the log is the
     * order of spans; readers take it only for the page that is being filled. */
    struct lock writing;
    struct span_log *log;
    struct otlp_traces *walker;
    struct span_pager *pager;
    _Atomic(struct zstd_codec *) packer; /* one that is not in use, for the next message; or NULL */
    int64_t head_since_ms;               /* when the oldest span that is in no block came */
    uint64_t head_spans, head_bytes;
    bool unsynced;
    int64_t synced_ms;

    /* Which pages there are. */
    struct lock list;
    struct span_sources head;    /* ended pagers since the last cut: full, or looked at */
    struct span_sources sealing; /* those that a block is being made of */
    struct span_sources blocks;  /* by number */
    uint64_t damaged_pages;

    struct span_page_cache pages; /* that stay open */
    struct span_resource_pool resources;

    atomic_int disk_level; /* enum disk_level */
    atomic_bool cut_wanted;

    /* The thread that maintains. */
    bool wants_room;          /* a block should go, as the disk is nearly full */
    uint64_t sealing_covered; /* segments of the log that `sealing` came from */
    uint64_t next_number;
    uint64_t cut_spans, merged_spans; /* with `list` held */

    struct span_scrub {
        uint64_t number; /* the next page */
        uint32_t page;
        int64_t last_ms, allowance;
    } scrub;

    uint64_t appended_spans, replayed_spans;
    _Atomic(uint64_t) scrubbed_bytes;
};

/* In a filled-in path. */
void span_store_block_path(
    const struct span_store *store, uint64_t number, char path[SPAN_PATH_BYTES_MAX]);
/* Looks at some pages for damage, as the time that passed allows. */
int span_store_scrub(struct span_store *store, struct err *e);
/* With `writing` held: the pager's spans become a source of the head, and a new one is begun. 0 or
 * ERR_NOMEM. */
int span_store_end_page(struct span_store *store);

#endif
