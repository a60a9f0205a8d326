/* Segments and fragments of a Prometheus log; its records are prometheus_wal_record.c. */
#include "block/prometheus_wal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "block/chunk_file.h"
#include "tsdb/crc32c.h"
#include "wire/snappy_codec.h"
#include "wire/zstd_codec.h"

enum {
    PAGE_SIZE = 32768,
    FRAGMENT_HEADER = 7,
    TYPE_BITS = 7,
    SNAPPY_BIT = 8,
    ZSTD_BIT = 16,
    TYPE_EMPTY = 0,
    TYPE_WHOLE = 1,
    TYPE_FIRST = 2,
    TYPE_MIDDLE = 3,
    TYPE_LAST = 4,
    SEGMENTS_MAX = 1000000,
};

#define CHECKPOINT_PREFIX "checkpoint."

/* ---- Records of a segment ---- */

struct assembly {
    struct strbuf record; /* pieces so far */
    struct strbuf plain;
    struct zstd_codec *zstd;
    bool begun;
};

/* Pieces in their order, or ERR_CORRUPT. */
static int add_piece(struct assembly *a, unsigned type, struct str data)
{
    bool begins = type == TYPE_WHOLE || type == TYPE_FIRST;
    if (type > TYPE_LAST || begins == a->begun) {
        return ERR_CORRUPT;
    }
    if (begins) {
        strbuf_reset(&a->record);
    }
    strbuf_add_str(&a->record, data);
    a->begun = type == TYPE_FIRST || type == TYPE_MIDDLE;
    return strbuf_error(&a->record);
}

/* The record that is complete, decompressed. */
static int decompress(struct assembly *a, unsigned flags, struct str *record_out)
{
    struct str record = strbuf_str(&a->record);
    int status = 0;
    strbuf_reset(&a->plain);
    if ((flags & SNAPPY_BIT) != 0 && record.len > 0) {
        status = snappy_decode(record, PROMETHEUS_WAL_RECORD_MAX, &a->plain);
        record = strbuf_str(&a->plain);
    } else if ((flags & ZSTD_BIT) != 0 && record.len > 0) {
        status = a->zstd == NULL ? zstd_codec_new(&a->zstd) : 0;
        if (status == 0) {
            status = zstd_decode(a->zstd, record, PROMETHEUS_WAL_RECORD_MAX, &a->plain);
        }
        record = strbuf_str(&a->plain);
    }
    *record_out = record;
    return status == ERR_LIMIT ? ERR_CORRUPT : status;
}

static bool all_zeros(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

static int read_fragments(struct str bytes, struct assembly *a,
    const struct prometheus_wal_handler *handler, struct arena *arena,
    struct prometheus_wal_counts *counts)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    size_t at = 0;
    int status = 0;
    while (status == 0 && at < bytes.len) {
        size_t page_left = PAGE_SIZE - at % PAGE_SIZE;
        size_t left = bytes.len - at < page_left ? bytes.len - at : page_left;
        unsigned flags = p[at];
        if ((flags & TYPE_BITS) == TYPE_EMPTY) {
            if (!all_zeros(p + at, left)) {
                return ERR_CORRUPT;
            }
            at += page_left;
            continue;
        }
        size_t size = left >= FRAGMENT_HEADER ? get_be16(p + at + 1) : 0;
        if (left < FRAGMENT_HEADER || size > left - FRAGMENT_HEADER ||
            get_be32(p + at + 3) != crc32c(0, p + at + FRAGMENT_HEADER, size)) {
            return ERR_CORRUPT;
        }
        struct str data = str_make(bytes.ptr + at + FRAGMENT_HEADER, size), record;
        status = add_piece(a, flags & TYPE_BITS, data);
        at += FRAGMENT_HEADER + size;
        if (status == 0 && !a->begun) {
            struct arena_mark mark = arena_mark(arena);
            status = decompress(a, flags, &record);
            status = status == 0 ? prometheus_wal_record(record, handler, arena, counts) : status;
            arena_rewind(arena, mark);
        }
    }
    return status == 0 && a->begun ? ERR_CORRUPT : status;
}

int prometheus_wal_segment(struct str bytes, const struct prometheus_wal_handler *handler,
    struct arena *arena, struct prometheus_wal_counts *counts)
{
    struct assembly a = {.begun = false};
    strbuf_init(&a.record, PROMETHEUS_WAL_RECORD_MAX);
    strbuf_init(&a.plain, PROMETHEUS_WAL_RECORD_MAX);
    int status = read_fragments(bytes, &a, handler, arena, counts);
    strbuf_release(&a.record);
    strbuf_release(&a.plain);
    zstd_codec_free(a.zstd);
    return status;
}

/* ---- Segments of a directory ---- */

struct listing {
    uint64_t *numbers;
    size_t count, cap;
    int64_t checkpoint; /* -1: none */
};

/* Digits only: "00000012". */
static bool parse_number(struct str text, uint64_t *number_out)
{
    return text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9' &&
           str_to_u64(text, number_out) == 0;
}

static int note_entry(void *context, const char *name, bool is_directory)
{
    struct listing *l = context;
    struct str text = str_of(name);
    uint64_t number = 0;
    if (is_directory && str_starts_with(text, STR(CHECKPOINT_PREFIX))) {
        if (parse_number(str_skip(text, strlen(CHECKPOINT_PREFIX)), &number) &&
            (int64_t)number > l->checkpoint) {
            l->checkpoint = (int64_t)number;
        }
    } else if (!is_directory && parse_number(text, &number)) {
        int status = mem_array_grow(
            (void **)&l->numbers, &l->cap, l->count + 1, sizeof(*l->numbers), SEGMENTS_MAX);
        if (status != 0) {
            return status;
        }
        l->numbers[l->count++] = number;
    }
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int list_directory(struct vfs *fs, const char *directory, struct listing *l)
{
    *l = (struct listing){.checkpoint = -1};
    int status = vfs_list(fs, directory, note_entry, l);
    if (l->count > 1) {
        qsort(l->numbers, l->count, sizeof(*l->numbers), compare_numbers);
    }
    return status == ERR_NOT_FOUND ? 0 : status;
}

static int read_segment(struct vfs *fs, const char *path,
    const struct prometheus_wal_handler *handler, struct prometheus_wal_counts *counts,
    struct err *e)
{
    char *bytes = NULL;
    size_t size = 0;
    struct arena arena;
    int status = vfs_read_file(fs, path, PROMETHEUS_WAL_SEGMENT_MAX, &bytes, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s cannot be read: %s", path, err_text(status));
    }
    arena_init(&arena, 0);
    status = prometheus_wal_segment(str_make(bytes, size), handler, &arena, counts);
    counts->segments++;
    arena_release(&arena);
    mem_free(bytes);
    return status;
}

/* Those of one directory with numbers > `after`; 1 when the log ends here because it is damaged. */
static int read_segments(struct vfs *fs, const char *directory, const struct listing *l,
    int64_t after, const struct prometheus_wal_handler *handler,
    struct prometheus_wal_counts *counts, struct err *e)
{
    for (size_t i = 0; i < l->count; i++) {
        char path[BLOCK_PATH_MAX];
        int written =
            snprintf(path, sizeof(path), "%s/%08llu", directory, (unsigned long long)l->numbers[i]);
        if ((int64_t)l->numbers[i] <= after) {
            continue;
        }
        if (written <= 0 || written >= BLOCK_PATH_MAX) {
            return err_set(e, ERR_LIMIT, -1, "the path of %s is too long", directory);
        }
        int status = read_segment(fs, path, handler, counts, e);
        if (status == ERR_CORRUPT) {
            counts->torn++;
            return 1;
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int prometheus_wal_read(struct vfs *fs, const char *directory,
    const struct prometheus_wal_handler *handler, struct prometheus_wal_counts *counts,
    struct err *e)
{
    struct listing log, checkpoint = {.checkpoint = -1};
    char path[BLOCK_PATH_MAX];
    int status = list_directory(fs, directory, &log);
    if (status == 0 && log.checkpoint >= 0) {
        int written = snprintf(path, sizeof(path), "%s/" CHECKPOINT_PREFIX "%08lld", directory,
            (long long)log.checkpoint);
        status = written > 0 && written < BLOCK_PATH_MAX ? list_directory(fs, path, &checkpoint)
                                                         : ERR_LIMIT;
        if (status == 0) {
            status = read_segments(fs, path, &checkpoint, -1, handler, counts, e);
        }
    }
    if (status == 0) {
        status = read_segments(fs, directory, &log, log.checkpoint, handler, counts, e);
    }
    mem_free(log.numbers);
    mem_free(checkpoint.numbers);
    if (status < 0 && (e == NULL || e->code != status)) {
        err_set(e, status, -1, "%s: %s", directory, err_text(status));
    }
    return status < 0 ? status : 0;
}
