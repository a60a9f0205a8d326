/* Hashes of what was said; two that collide cost one metric its metadata for a minute. */
#include "receive/metadata_filter.h"

#include <string.h>

#include "base/hash.h"

static uint64_t hash_text(struct str text, uint64_t seed)
{
    return hash64(text.len > 0 ? text.ptr : "", text.len, seed);
}

bool metadata_filter_is_new(struct metadata_filter *f, int64_t now_ms, enum metric_type type,
    struct str metric, struct str help, struct str unit)
{
    if (now_ms - f->emptied_ms >= METADATA_FILTER_INTERVAL_MS || f->count >= METADATA_FILTER_MAX) {
        *f = (struct metadata_filter){.emptied_ms = now_ms};
    }
    uint64_t hash = hash_text(unit, hash_text(help, hash_text(metric, (uint64_t)type)));
    hash = hash != 0 ? hash : 1;
    size_t at = hash % METADATA_FILTER_SLOTS;
    while (f->slots[at] != 0) {
        if (f->slots[at] == hash) {
            return false;
        }
        at = (at + 1) % METADATA_FILTER_SLOTS;
    }
    f->slots[at] = hash;
    f->count++;
    return true;
}
