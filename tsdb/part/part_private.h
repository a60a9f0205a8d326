/* An open part, as its own files see it. Private to tsdb/part. */
#ifndef SONDE_PART_PART_PRIVATE_H
#define SONDE_PART_PART_PRIVATE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "part/part.h"
#include "part/part_format.h"
#include "part/part_reference.h"
#include "wire/zstd_codec.h"

struct part_section_place {
    uint64_t offset, stored_size;
    uint32_t plain_size, checksum;
};

/* Where the pages of a group lie. */
struct part_group_place {
    uint64_t body;
    uint32_t times_size;
    uint32_t page_count;
    const uint32_t *page_columns; /* first column of each page */
    const uint64_t *page_offsets; /* page_count + 1 of them, from the start of the file */
};

struct part {
    _Atomic uint32_t references;
    struct vfs *fs;
    struct vfs_file *file;
    struct part_cache *cache;
    uint64_t identity; /* key in the cache, unique in the process */
    char *path;
    struct part_info info;
    struct arena arena; /* schemas and groups */
    struct part_schema *schemas;
    struct part_group *groups;
    struct part_group_place *places;
    struct part_section_place dictionary;
};

/* Plain bytes of a section, checked. */
int part_section_read(struct part *p, const struct part_section_place *place, struct strbuf *out);

/* What the run of a column leans on. For tools. Errors as part_read. */
int part_read_references(struct part *p, uint32_t group, uint32_t column,
    struct part_buffer *buffer, struct part_references *references_out);

/* ---- Cache ---- */

/* A verified page held in memory, without its checksum; a reference. */
struct part_page_ref {
    struct str page;
    void *entry; /* NULL: the bytes are the caller's buffer */
};

/* 1 and a reference, or 0. */
int part_cache_find(
    struct part_cache *cache, uint64_t identity, uint64_t offset, struct part_page_ref *ref_out);
/* Copies the page in, if it fits; never fails the caller. */
void part_cache_add(struct part_cache *cache, uint64_t identity, uint64_t offset, struct str page);
void part_cache_unref(struct part_cache *cache, struct part_page_ref *ref);

#endif
