/* Writing the index of a block, section by section, in one pass over the file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "block/block_index.h"
#include "block/symbol_table.h"
#include "tsdb/crc32c.h"

enum { SERIES_ALIGNMENT = 16, SECTION_ALIGNMENT = 4, CONTENTS = 6 };

static const uint8_t HEADER[] = {0xba, 0xaa, 0xd7, 0x00, 2};

/* Written at once. */
#define WRITE_BYTES ((size_t)1 << 20)
/* One section: its length has 32 bits. */
#define SECTION_BYTES_MAX UINT32_MAX
#define PAIRS_MAX ((size_t)1 << 32)

/* A label of a series: what postings are made of. */
struct pair {
    uint32_t name, value; /* symbols */
    uint32_t series;      /* reference */
};

/* Where the postings or the values of something went. */
struct offset {
    uint32_t name, value;
    uint64_t at;
};

struct index_writer {
    struct vfs *fs;
    struct vfs_file *file;
    struct strbuf buffer;  /* waits to be written */
    struct strbuf section; /* under construction */
    uint64_t at;           /* bytes of the file so far, the buffer included */
    uint64_t contents[CONTENTS];
    struct symbol_table symbols;
    const struct index_entry *entries;
    size_t entry_count;
    uint32_t *references; /* of each entry */
    struct pair *pairs;
    size_t pair_count, pair_cap;
    struct offset *label_offsets, *postings_offsets;
    size_t label_count, label_cap, postings_count, postings_cap;
};

/* ---- Bytes ---- */

static int put(struct index_writer *w, const void *bytes, size_t size)
{
    strbuf_add(&w->buffer, bytes, size);
    w->at += size;
    int status = strbuf_error(&w->buffer);
    if (status == 0 && w->buffer.size >= WRITE_BYTES) {
        status = vfs_append(w->fs, w->file, w->buffer.data, w->buffer.size);
        strbuf_reset(&w->buffer);
    }
    return status;
}

static int align(struct index_writer *w, size_t to)
{
    static const uint8_t zeros[SERIES_ALIGNMENT] = {0};
    size_t over = (size_t)(w->at % to);
    return over > 0 ? put(w, zeros, to - over) : 0;
}

/* What is in w->section: length, content, checksum. */
static int put_section(struct index_writer *w)
{
    uint8_t number[4];
    int status = strbuf_error(&w->section);
    if (status == 0) {
        put_be32(number, (uint32_t)w->section.size);
        status = put(w, number, sizeof(number));
    }
    if (status == 0) {
        status = put(w, w->section.data, w->section.size);
    }
    if (status == 0) {
        put_be32(number, crc32c(0, w->section.data, w->section.size));
        status = put(w, number, sizeof(number));
    }
    strbuf_reset(&w->section);
    return status;
}

/* ---- Symbols and series ---- */

static int collect_symbols(struct index_writer *w)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < w->entry_count; i++) {
        const struct labels *labels = w->entries[i].labels;
        for (size_t j = 0; status == 0 && j < labels_count(labels); j++) {
            struct label label = labels_at(labels, j);
            status = symbol_table_add(&w->symbols, label.name);
            if (status == 0) {
                status = symbol_table_add(&w->symbols, label.value);
            }
        }
    }
    return status == 0 ? symbol_table_sort(&w->symbols) : status;
}

static int put_symbols(struct index_writer *w)
{
    w->contents[0] = w->at;
    strbuf_add_be32(&w->section, (uint32_t)w->symbols.count);
    for (size_t i = 0; i < w->symbols.count; i++) {
        strbuf_add_sized(&w->section, w->symbols.sorted[i]);
    }
    return put_section(w);
}

static int add_labels(struct index_writer *w, const struct labels *labels, uint32_t reference)
{
    size_t count = labels_count(labels);
    int status = mem_array_grow(
        (void **)&w->pairs, &w->pair_cap, w->pair_count + count, sizeof(*w->pairs), PAIRS_MAX);
    strbuf_add_uvarint(&w->section, count);
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct label label = labels_at(labels, i);
        struct pair pair = {symbol_table_number(&w->symbols, label.name),
            symbol_table_number(&w->symbols, label.value), reference};
        w->pairs[w->pair_count++] = pair;
        strbuf_add_uvarint(&w->section, pair.name);
        strbuf_add_uvarint(&w->section, pair.value);
    }
    return status;
}

static void add_chunks(struct strbuf *out, const struct block_chunk *chunks, size_t count)
{
    strbuf_add_uvarint(out, count);
    for (size_t i = 0; i < count; i++) {
        const struct block_chunk *c = &chunks[i];
        uint64_t span = (uint64_t)c->max_t - (uint64_t)c->min_t;
        if (i == 0) {
            strbuf_add_svarint(out, c->min_t);
            strbuf_add_uvarint(out, span);
            strbuf_add_uvarint(out, c->reference);
        } else {
            strbuf_add_uvarint(out, (uint64_t)c->min_t - (uint64_t)c[-1].max_t);
            strbuf_add_uvarint(out, span);
            strbuf_add_svarint(out, (int64_t)(c->reference - c[-1].reference));
        }
    }
}

/* A series: its length is a uvarint, unlike that of a section. */
static int put_series(struct index_writer *w, size_t entry)
{
    uint8_t number[VARINT_MAX];
    int status = align(w, SERIES_ALIGNMENT);
    if (w->at / SERIES_ALIGNMENT > UINT32_MAX) {
        return ERR_LIMIT; /* postings have 32 bits */
    }
    w->references[entry] = (uint32_t)(w->at / SERIES_ALIGNMENT);
    if (status == 0) {
        status = add_labels(w, w->entries[entry].labels, w->references[entry]);
    }
    add_chunks(&w->section, w->entries[entry].chunks, w->entries[entry].chunk_count);
    status = status == 0 ? strbuf_error(&w->section) : status;
    if (status == 0) {
        status = put(w, number, put_uvarint(number, w->section.size));
    }
    if (status == 0) {
        status = put(w, w->section.data, w->section.size);
    }
    if (status == 0) {
        put_be32(number, crc32c(0, w->section.data, w->section.size));
        status = put(w, number, 4);
    }
    strbuf_reset(&w->section);
    return status;
}

static int put_all_series(struct index_writer *w)
{
    int status = align(w, SERIES_ALIGNMENT);
    w->contents[1] = w->at;
    for (size_t i = 0; status == 0 && i < w->entry_count; i++) {
        status = put_series(w, i);
    }
    return status;
}

/* ---- Postings ---- */

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->name != y->name) {
        return x->name < y->name ? -1 : 1;
    }
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->series < y->series ? -1 : x->series > y->series;
}

/* The pairs that begin at `from` and have its name, and its value when `value`. */
static size_t group_end(const struct index_writer *w, size_t from, bool value)
{
    size_t end = from;
    while (end < w->pair_count && w->pairs[end].name == w->pairs[from].name &&
           (!value || w->pairs[end].value == w->pairs[from].value)) {
        end++;
    }
    return end;
}

static int note_offset(struct offset **offsets, size_t *count, size_t *cap, struct offset offset)
{
    int status = mem_array_grow((void **)offsets, cap, *count + 1, sizeof(**offsets), PAIRS_MAX);
    if (status == 0) {
        (*offsets)[(*count)++] = offset;
    }
    return status;
}

static int put_label_indices(struct index_writer *w)
{
    int status = align(w, SECTION_ALIGNMENT);
    w->contents[2] = w->at;
    for (size_t from = 0, end; status == 0 && from < w->pair_count; from = end) {
        end = group_end(w, from, false);
        status = align(w, SECTION_ALIGNMENT);
        if (status == 0) {
            struct offset offset = {.name = w->pairs[from].name, .at = w->at};
            status = note_offset(&w->label_offsets, &w->label_count, &w->label_cap, offset);
        }
        strbuf_add_be32(&w->section, 1);
        strbuf_add_be32(&w->section, 0);
        uint32_t values = 0;
        for (size_t i = from; i < end; i = group_end(w, i, true)) {
            strbuf_add_be32(&w->section, w->pairs[i].value);
            values++;
        }
        if (status == 0 && strbuf_error(&w->section) == 0) {
            put_be32((uint8_t *)w->section.data + 4, values);
            status = put_section(w);
        }
    }
    return status;
}

static int put_posting(struct index_writer *w, struct offset offset)
{
    int status = strbuf_error(&w->section);
    if (status == 0) {
        status = note_offset(&w->postings_offsets, &w->postings_count, &w->postings_cap, offset);
    }
    return status == 0 ? put_section(w) : status;
}

/* First all series, then each pair. */
static int put_postings(struct index_writer *w)
{
    int status = align(w, SECTION_ALIGNMENT);
    w->contents[4] = w->at;
    strbuf_add_be32(&w->section, (uint32_t)w->entry_count);
    for (size_t i = 0; i < w->entry_count; i++) {
        strbuf_add_be32(&w->section, w->references[i]);
    }
    if (status == 0) {
        status = put_posting(w, (struct offset){.at = w->at});
    }
    for (size_t from = 0, end; status == 0 && from < w->pair_count; from = end) {
        end = group_end(w, from, true);
        status = align(w, SECTION_ALIGNMENT);
        strbuf_add_be32(&w->section, (uint32_t)(end - from));
        for (size_t i = from; i < end; i++) {
            strbuf_add_be32(&w->section, w->pairs[i].series);
        }
        if (status == 0) {
            struct offset offset = {w->pairs[from].name, w->pairs[from].value, w->at};
            status = put_posting(w, offset);
        }
    }
    return status;
}

/* ---- Tables of offsets, contents ---- */

static int put_label_offsets(struct index_writer *w)
{
    w->contents[3] = w->at;
    strbuf_add_be32(&w->section, (uint32_t)w->label_count);
    for (size_t i = 0; i < w->label_count; i++) {
        strbuf_add_uvarint(&w->section, 1);
        strbuf_add_sized(&w->section, w->symbols.sorted[w->label_offsets[i].name]);
        strbuf_add_uvarint(&w->section, w->label_offsets[i].at);
    }
    return put_section(w);
}

static int put_postings_offsets(struct index_writer *w)
{
    w->contents[5] = w->at;
    strbuf_add_be32(&w->section, (uint32_t)w->postings_count);
    for (size_t i = 0; i < w->postings_count; i++) {
        const struct offset *o = &w->postings_offsets[i];
        bool all = i == 0;
        strbuf_add_uvarint(&w->section, 2);
        strbuf_add_sized(&w->section, all ? STR("") : w->symbols.sorted[o->name]);
        strbuf_add_sized(&w->section, all ? STR("") : w->symbols.sorted[o->value]);
        strbuf_add_uvarint(&w->section, o->at);
    }
    return put_section(w);
}

static int put_contents(struct index_writer *w)
{
    uint8_t number[4];
    for (int i = 0; i < CONTENTS; i++) {
        strbuf_add_be64(&w->section, w->contents[i]);
    }
    int status = strbuf_error(&w->section);
    if (status == 0) {
        put_be32(number, crc32c(0, w->section.data, w->section.size));
        status = put(w, w->section.data, w->section.size);
    }
    return status == 0 ? put(w, number, sizeof(number)) : status;
}

static int write_sections(struct index_writer *w)
{
    int status = put(w, HEADER, sizeof(HEADER));
    status = status == 0 ? collect_symbols(w) : status;
    status = status == 0 ? put_symbols(w) : status;
    status = status == 0 ? put_all_series(w) : status;
    if (status == 0 && w->pair_count > 0) {
        qsort(w->pairs, w->pair_count, sizeof(*w->pairs), compare_pairs);
    }
    status = status == 0 ? put_label_indices(w) : status;
    status = status == 0 ? put_postings(w) : status;
    status = status == 0 ? put_label_offsets(w) : status;
    status = status == 0 ? put_postings_offsets(w) : status;
    status = status == 0 ? put_contents(w) : status;
    if (status == 0) {
        status = vfs_append(w->fs, w->file, w->buffer.data, w->buffer.size);
    }
    return status == 0 ? vfs_sync(w->fs, w->file) : status;
}

int block_index_write(struct vfs *fs, const char *path, const struct index_entry *entries,
    size_t count, struct err *e)
{
    struct index_writer w = {.fs = fs, .entries = entries, .entry_count = count};
    strbuf_init(&w.buffer, SECTION_BYTES_MAX + WRITE_BYTES);
    strbuf_init(&w.section, SECTION_BYTES_MAX);
    w.references = mem_calloc(count + 1, sizeof(*w.references));
    int status = w.references != NULL ? vfs_open(fs, path, VFS_CREATE, &w.file) : ERR_NOMEM;
    status = status == 0 ? write_sections(&w) : status;
    vfs_close(fs, w.file);
    symbol_table_release(&w.symbols);
    strbuf_release(&w.buffer);
    strbuf_release(&w.section);
    mem_free(w.references);
    mem_free(w.pairs);
    mem_free(w.label_offsets);
    mem_free(w.postings_offsets);
    return status == 0 ? 0
                       : err_set(e, status, -1, "%s cannot be written: %s", path, err_text(status));
}
