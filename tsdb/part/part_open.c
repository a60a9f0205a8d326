/* Opening a part: tail, section table, info, schemas, group index. Nothing is believed before its
 * checksum, and no number before it is held against the file. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "part/part_dictionary.h"
#include "part/part_private.h"

static _Atomic uint64_t next_identity = 1;

/* Which section and why, for the sentence. */
struct opening {
    struct part *p;
    uint64_t file_size;
    uint64_t bodies_end; /* where the section table says the first section begins */
    struct part_section_place places[PART_SECTION_GROUPS + 1];
    const char *what;
};

static int corrupt(struct opening *o, const char *what)
{
    o->what = what;
    return ERR_CORRUPT;
}

/* ---- Sections ---- */

int part_section_read(struct part *p, const struct part_section_place *place, struct strbuf *out)
{
    struct strbuf stored;
    struct zstd_codec *zstd = NULL;
    strbuf_init(&stored, (size_t)place->stored_size);
    char *room = strbuf_reserve(&stored, (size_t)place->stored_size);
    int status = room == NULL ? ERR_NOMEM
                              : vfs_pread_exact(p->fs, p->file, place->offset, room,
                                    (size_t)place->stored_size);
    if (status == 0) {
        strbuf_commit(&stored, (size_t)place->stored_size);
        status = checksum32(stored.data, stored.size) == place->checksum ? 0 : ERR_CORRUPT;
    }
    if (status == 0 && place->stored_size == place->plain_size) {
        strbuf_add_str(out, strbuf_str(&stored));
        status = strbuf_error(out);
    } else if (status == 0) {
        status = zstd_codec_new(&zstd);
        status =
            status == 0 ? zstd_decode(zstd, strbuf_str(&stored), place->plain_size, out) : status;
        if (status == ERR_LIMIT || (status == 0 && out->size != place->plain_size)) {
            status = ERR_CORRUPT;
        }
        zstd_codec_free(zstd);
    }
    strbuf_release(&stored);
    return status;
}

static int read_header(struct opening *o)
{
    uint8_t header[PART_HEADER_SIZE];
    int status = vfs_pread_exact(o->p->fs, o->p->file, 0, header, sizeof(header));
    if (status != 0) {
        return status == ERR_CORRUPT ? corrupt(o, "shorter than its header") : status;
    }
    if (memcmp(header, PART_MAGIC, 8) != 0 || get_le32(header + 12) != checksum32(header, 12)) {
        return corrupt(o, "header is damaged");
    }
    return get_le32(header + 8) == PART_VERSION ? 0 : ERR_UNSUPPORTED;
}

/* The place of one section, from its entry of the table. */
static int read_entry(struct opening *o, const uint8_t *entry, uint64_t table_offset)
{
    uint32_t kind = get_le32(entry);
    struct part_section_place place = {
        get_le64(entry + 4), get_le64(entry + 12), get_le32(entry + 20), get_le32(entry + 24)};
    if (place.offset < PART_HEADER_SIZE || place.offset > table_offset ||
        place.stored_size > table_offset - place.offset ||
        place.plain_size > PART_SECTION_PLAIN_MAX || place.stored_size > place.plain_size) {
        return corrupt(o, "a section lies outside the file");
    }
    if (kind >= PART_SECTION_INFO && kind <= PART_SECTION_GROUPS) {
        o->places[kind] = place;
    }
    o->bodies_end = place.offset < o->bodies_end ? place.offset : o->bodies_end;
    return 0;
}

static int read_table(struct opening *o)
{
    uint8_t tail[PART_TAIL_SIZE];
    uint8_t table[PART_SECTIONS_MAX * PART_SECTION_ENTRY_SIZE];
    struct part *p = o->p;
    if (o->file_size < PART_HEADER_SIZE + PART_TAIL_SIZE) {
        return corrupt(o, "shorter than header and tail");
    }
    uint64_t tail_offset = o->file_size - PART_TAIL_SIZE;
    int status = vfs_pread_exact(p->fs, p->file, tail_offset, tail, sizeof(tail));
    if (status != 0) {
        return status;
    }
    uint32_t count = get_le32(tail);
    uint64_t offset = get_le64(tail + 8);
    uint64_t size = (uint64_t)count * PART_SECTION_ENTRY_SIZE;
    if (memcmp(tail + 16, PART_TAIL_MAGIC, 8) != 0 || count == 0 || count > PART_SECTIONS_MAX ||
        offset > tail_offset || size != tail_offset - offset) {
        return corrupt(o, "tail is damaged");
    }
    status = vfs_pread_exact(p->fs, p->file, offset, table, (size_t)size);
    if (status != 0) {
        return status;
    }
    if (checksum32(table, (size_t)size) != get_le32(tail + 4)) {
        return corrupt(o, "section table is damaged");
    }
    o->bodies_end = offset;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = read_entry(o, table + i * PART_SECTION_ENTRY_SIZE, offset);
    }
    return status;
}

static int read_info(struct opening *o, struct str plain)
{
    struct part_info *info = &o->p->info;
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    info->origin.sequence = decbuf_le64(&in);
    info->origin.level = decbuf_le32(&in);
    info->min_t = (int64_t)decbuf_le64(&in);
    info->max_t = (int64_t)decbuf_le64(&in);
    info->samples = decbuf_le64(&in);
    info->target_count = decbuf_le32(&in);
    info->shape_count = decbuf_le32(&in);
    if (in.failed || info->target_count > PART_IDS_MAX || info->shape_count > PART_IDS_MAX) {
        return corrupt(o, "info section is malformed");
    }
    if (decbuf_left(&in) > 0) {
        info->origin.precedence_first = decbuf_le64(&in);
        info->origin.precedence = decbuf_le64(&in);
        info->origin.day = (int64_t)decbuf_le64(&in);
        info->origin.split = decbuf_le64(&in);
        if (in.failed || info->origin.precedence_first > info->origin.precedence) {
            return corrupt(o, "info section is malformed");
        }
    }
    info->file_bytes = o->file_size;
    return 0;
}

/* ---- Schemas ---- */

static int read_schema(struct opening *o, struct decbuf *in, struct part_schema *schema_out)
{
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count == 0 || count > TABLE_COLUMNS_MAX || count > decbuf_left(in)) {
        return corrupt(o, "schemas section is malformed");
    }
    struct column *columns = arena_calloc(&o->p->arena, count, sizeof(*columns));
    if (columns == NULL) {
        return arena_error(&o->p->arena);
    }
    uint64_t shape = 0;
    for (uint64_t c = 0; c < count; c++) {
        uint64_t code = decbuf_uvarint(in);
        shape += code >> 1;
        columns[c] = (struct column){(uint32_t)shape, (uint32_t)(code & 1)};
        bool ascends = c == 0 || code >> 1 > 0 || columns[c].kind > columns[c - 1].kind;
        if (in->failed || code >> 1 > PART_IDS_MAX || shape >= o->p->info.shape_count || !ascends) {
            return corrupt(o, "schemas section names a shape that is not there");
        }
    }
    *schema_out = (struct part_schema){columns, (uint32_t)count};
    return 0;
}

static int read_schemas(struct opening *o, struct str plain)
{
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = decbuf_uvarint(&in);
    if (in.failed || count > PART_SCHEMAS_MAX || count > decbuf_left(&in) / 2) {
        return corrupt(o, "schemas section is malformed");
    }
    o->p->schemas = arena_calloc(&o->p->arena, count, sizeof(*o->p->schemas));
    int status = o->p->schemas == NULL ? arena_error(&o->p->arena) : 0;
    for (uint64_t i = 0; status == 0 && i < count; i++) {
        status = read_schema(o, &in, &o->p->schemas[i]);
    }
    o->p->info.schema_count = (uint32_t)count;
    return status;
}

/* ---- Groups ---- */

static int read_group_targets(struct opening *o, struct decbuf *in, struct part_group *g)
{
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count == 0 || count > PART_GROUP_TARGETS_MAX) {
        return corrupt(o, "a group has no targets, or too many");
    }
    uint32_t *targets = arena_calloc(&o->p->arena, count, sizeof(*targets));
    if (targets == NULL) {
        return arena_error(&o->p->arena);
    }
    int64_t target = 0;
    for (uint64_t i = 0; i < count; i++) {
        int64_t step = decbuf_svarint(in);
        if (step < -(int64_t)PART_IDS_MAX || step > (int64_t)PART_IDS_MAX) {
            return corrupt(o, "a group names a target that is not there");
        }
        target += step;
        if (in->failed || target < 0 || target >= (int64_t)o->p->info.target_count) {
            return corrupt(o, "a group names a target that is not there");
        }
        targets[i] = (uint32_t)target;
    }
    g->targets = targets;
    g->target_count = (uint32_t)count;
    return 0;
}

/* Offsets and first columns of the value pages; `*end` walks through the file. */
static int read_group_pages(struct opening *o, struct decbuf *in, uint32_t columns,
    struct part_group_place *place, uint64_t *end)
{
    uint64_t gap = decbuf_uvarint(in);
    uint64_t times_size = decbuf_uvarint(in);
    uint64_t count = decbuf_uvarint(in);
    if (in->failed || count == 0 || count > columns || gap > o->bodies_end - *end ||
        times_size > o->bodies_end - *end - gap || times_size > PART_PAGE_BYTES_MAX) {
        return corrupt(o, "a group lies outside the file");
    }
    uint32_t *page_columns = arena_calloc(&o->p->arena, count, sizeof(*page_columns));
    uint64_t *offsets = arena_calloc(&o->p->arena, count + 1, sizeof(*offsets));
    if (page_columns == NULL || offsets == NULL) {
        return arena_error(&o->p->arena);
    }
    *place = (struct part_group_place){
        *end + gap, (uint32_t)times_size, (uint32_t)count, page_columns, offsets};
    offsets[0] = *end + gap + times_size;
    uint64_t column = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t step = decbuf_uvarint(in);
        uint64_t size = decbuf_uvarint(in);
        bool ascends = i == 0 ? step == 0 : step > 0 && step < columns;
        column += step;
        if (in->failed || !ascends || column >= columns || size > PART_PAGE_BYTES_MAX ||
            size > o->bodies_end - offsets[i]) {
            return corrupt(o, "a page lies outside the file");
        }
        page_columns[i] = (uint32_t)column;
        offsets[i + 1] = offsets[i] + size;
    }
    *end = offsets[count];
    return 0;
}

static int read_group(struct opening *o, struct decbuf *in, uint32_t index, uint64_t *end)
{
    struct part_group *g = &o->p->groups[index];
    uint64_t before = index > 0 ? (uint64_t)o->p->groups[index - 1].min_t : 0;
    g->min_t = (int64_t)(before + (uint64_t)decbuf_svarint(in));
    g->max_t = (int64_t)((uint64_t)g->min_t + decbuf_uvarint(in));
    g->samples = decbuf_uvarint(in);
    uint64_t schema = decbuf_uvarint(in);
    if (in->failed || g->max_t < g->min_t || schema >= o->p->info.schema_count) {
        return corrupt(o, "a group is malformed");
    }
    g->schema = (uint32_t)schema;
    int status = read_group_targets(o, in, g);
    if (status == 0) {
        struct part_group_place *place = &o->p->places[index];
        status = read_group_pages(o, in, o->p->schemas[schema].column_count, place, end);
        g->bytes = status == 0 ? *end - place->body : 0;
    }
    return status;
}

static int read_groups(struct opening *o, struct str plain)
{
    struct part *p = o->p;
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    uint64_t count = decbuf_uvarint(&in);
    if (in.failed || count > PART_GROUPS_MAX || count > decbuf_left(&in) / 8) {
        return corrupt(o, "groups section is malformed");
    }
    p->groups = arena_calloc(&p->arena, count, sizeof(*p->groups));
    p->places = arena_calloc(&p->arena, count, sizeof(*p->places));
    int status = p->groups == NULL || p->places == NULL ? arena_error(&p->arena) : 0;
    uint64_t end = PART_HEADER_SIZE;
    for (uint32_t i = 0; status == 0 && i < count; i++) {
        status = read_group(o, &in, i, &end);
    }
    p->info.group_count = (uint32_t)count;
    return status;
}

/* ---- Opening ---- */

static int read_section(struct opening *o, enum part_section kind, const char *what,
    int (*parse)(struct opening *o, struct str plain))
{
    struct strbuf plain;
    if (o->places[kind].offset == 0) {
        return corrupt(o, what);
    }
    strbuf_init(&plain, PART_SECTION_PLAIN_MAX);
    int status = part_section_read(o->p, &o->places[kind], &plain);
    if (status == ERR_CORRUPT) {
        o->what = what;
    }
    status = status == 0 ? parse(o, strbuf_str(&plain)) : status;
    strbuf_release(&plain);
    return status;
}

static int read_all(struct opening *o)
{
    int status = vfs_size(o->p->fs, o->p->file, &o->file_size);
    status = status == 0 ? read_header(o) : status;
    status = status == 0 ? read_table(o) : status;
    if (status == 0) {
        status = read_section(o, PART_SECTION_INFO, "info section is damaged", read_info);
    }
    if (status == 0) {
        status = read_section(o, PART_SECTION_SCHEMAS, "schemas section is damaged", read_schemas);
    }
    if (status == 0) {
        status = read_section(o, PART_SECTION_GROUPS, "groups section is damaged", read_groups);
    }
    o->p->dictionary = o->places[PART_SECTION_DICTIONARY];
    if (status == 0 && o->p->dictionary.offset == 0) {
        status = corrupt(o, "has no dictionary section");
    }
    return status;
}

int part_open(struct vfs *fs, const char *path, struct part_cache *cache, struct part **part_out,
    struct err *e)
{
    struct part *p = mem_calloc(1, sizeof(*p));
    char *path_copy = mem_strdup(path);
    if (p == NULL || path_copy == NULL) {
        mem_free(p);
        mem_free(path_copy);
        return err_set(e, ERR_NOMEM, -1, "out of memory for opening %s", path);
    }
    atomic_init(&p->references, 1);
    p->fs = fs;
    p->cache = cache;
    p->path = path_copy;
    p->identity = atomic_fetch_add(&next_identity, 1);
    arena_init(&p->arena, 0);
    struct opening o = {.p = p, .what = NULL};
    int status = vfs_open(fs, path, VFS_READ, &p->file);
    status = status == 0 ? read_all(&o) : status;
    if (status == 0) {
        *part_out = p;
        return 0;
    }
    const char *why = status == ERR_UNSUPPORTED ? "written by a newer version"
                      : o.what != NULL          ? o.what
                                                : err_text(status);
    err_set(e, status, -1, "%s: %s", path, why);
    part_unref(p);
    return status;
}

struct part *part_ref(struct part *p)
{
    atomic_fetch_add(&p->references, 1);
    return p;
}

void part_unref(struct part *p)
{
    if (p == NULL || atomic_fetch_sub(&p->references, 1) > 1) {
        return;
    }
    vfs_close(p->fs, p->file);
    arena_release(&p->arena);
    mem_free(p->path);
    mem_free(p);
}

const struct part_info *part_info(const struct part *p)
{
    return &p->info;
}

const char *part_path(const struct part *p)
{
    return p->path;
}

size_t part_memory(const struct part *p)
{
    return sizeof(*p) + strlen(p->path) + 1 + p->arena.used;
}

struct part_schema part_schema(const struct part *p, uint32_t schema)
{
    return p->schemas[schema];
}

const struct part_group *part_groups(const struct part *p)
{
    return p->groups;
}

int part_read_dictionary(
    struct part *p, const struct part_dictionary_handler *handler, struct err *e)
{
    struct strbuf plain;
    strbuf_init(&plain, PART_SECTION_PLAIN_MAX);
    int status = part_section_read(p, &p->dictionary, &plain);
    if (status == 0) {
        status = part_dictionary_decode(
            strbuf_str(&plain), p->info.target_count, p->info.shape_count, handler);
    }
    strbuf_release(&plain);
    if (status == ERR_CORRUPT) {
        err_set(e, status, -1, "%s: dictionary section is damaged", p->path);
    } else if (status != 0) {
        err_set(e, status, -1, "%s: dictionary: %s", p->path, err_text(status));
    }
    return status;
}
