/* Any bytes as a part file. Checksums would hide everything behind them, so they are put right: those
 * of header, tail and sections in a copy, those of pages as they are read. Whatever opens can be read
 * to its end, or says what is corrupt. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "part/part.h"
#include "part/part_format.h"

enum { GROUPS_READ_MAX = 16, TABLES_READ_MAX = 8, COLUMNS_READ_MAX = 16 };

/* ---- One file in memory ---- */

struct image {
    struct vfs vfs; /* first */
    uint8_t *bytes;
    size_t size;
    size_t bodies_end; /* pages lie between the header and this */
};

static int image_open(
    struct vfs *self, const char *path, enum vfs_open_mode mode, struct vfs_file **file_out)
{
    *file_out = (struct vfs_file *)self;
    return mode == VFS_READ ? 0 : ERR_PERMISSION;
}

static void image_close(struct vfs *self, struct vfs_file *file)
{
}

static int image_size(struct vfs *self, struct vfs_file *file, uint64_t *size_out)
{
    *size_out = ((struct image *)self)->size;
    return 0;
}

/* A read that begins among the bodies is that of a page: four bytes of checksum, and the page. */
static int image_pread(struct vfs *self, struct vfs_file *file, uint64_t offset, void *buffer,
    size_t size, size_t *read_out)
{
    struct image *image = (struct image *)self;
    size_t left = offset < image->size ? image->size - (size_t)offset : 0;
    *read_out = size < left ? size : left;
    if (*read_out > 0) {
        memcpy(buffer, image->bytes + offset, *read_out);
    }
    if (offset >= PART_HEADER_SIZE && offset < image->bodies_end && *read_out == size &&
        size > PART_PAGE_CHECKSUM_SIZE) {
        put_le32(buffer, checksum32((uint8_t *)buffer + 4, size - 4));
    }
    return 0;
}

/* Header, section checksums, table checksum, tail. */
static void mend(struct image *image)
{
    uint8_t *bytes = image->bytes;
    size_t size = image->size;
    image->bodies_end = size;
    if (size < PART_HEADER_SIZE + PART_TAIL_SIZE) {
        return;
    }
    uint8_t *tail = bytes + size - PART_TAIL_SIZE;
    memcpy(bytes, PART_MAGIC, 8);
    put_le32(bytes + 8, PART_VERSION);
    put_le32(bytes + 12, checksum32(bytes, 12));
    memcpy(tail + 16, PART_TAIL_MAGIC, 8);
    uint64_t count = get_le32(tail), table = get_le64(tail + 8);
    if (count > PART_SECTIONS_MAX || table > size ||
        size - table < count * PART_SECTION_ENTRY_SIZE + PART_TAIL_SIZE) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *entry = bytes + table + i * PART_SECTION_ENTRY_SIZE;
        uint64_t at = get_le64(entry + 4), stored = get_le64(entry + 12);
        if (at <= table && stored <= table - at) {
            put_le32(entry + 24, checksum32(bytes + at, (size_t)stored));
            image->bodies_end = at < image->bodies_end ? (size_t)at : image->bodies_end;
        }
    }
    put_le32(tail + 4, checksum32(bytes + table, (size_t)count * PART_SECTION_ENTRY_SIZE));
}

/* ---- Reading all of it ---- */

static int on_labels(void *context, uint32_t id, const struct label *labels, size_t count)
{
    uint32_t *next = context;
    assert(id == (*next)++);
    for (size_t i = 1; i < count; i++) {
        assert(str_cmp(labels[i - 1].name, labels[i].name) < 0);
    }
    return 0;
}

static int on_target(void *context, uint32_t id, const struct label *labels, size_t count)
{
    return on_labels(context, id, labels, count);
}

static int on_shape(void *context, uint32_t id, const struct label *labels, size_t count)
{
    return on_labels((uint32_t *)context + 1, id, labels, count);
}

static void check_times(const struct part_buffer *b, size_t count, int64_t min_t, int64_t max_t)
{
    for (size_t i = 0; i < count; i++) {
        assert(b->times[i] >= min_t && b->times[i] <= max_t);
        assert(i == 0 || b->times[i - 1] < b->times[i]);
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void read_group(struct part *p, uint32_t group, struct part_buffer *b)
{
    const struct part_group *g = &part_groups(p)[group];
    struct part_schema schema = part_schema(p, g->schema);
    uint32_t tables = least(g->target_count, TABLES_READ_MAX);
    uint32_t columns = least(schema.column_count, COLUMNS_READ_MAX);
    for (uint32_t table = 0; table < tables; table++) {
        struct err e = ERR_INIT;
        size_t count = 0;
        assert(g->targets[table] < part_info(p)->target_count);
        if (part_read_times(p, group, table, b, &count, &e) == 0) {
            check_times(b, count, INT64_MIN, INT64_MAX);
        }
        for (uint32_t column = 0; column < columns; column++) {
            struct run_summary summary;
            static volatile double kept;
            assert(schema.columns[column].shape < part_info(p)->shape_count);
            if (part_read(p, group, table, column, 5, INT64_MAX - 5, b, &count, &e) == 0) {
                check_times(b, count, 5, INT64_MAX - 5);
                for (size_t i = 0; i < count; i++) {
                    kept = schema.columns[column].kind == COLUMN_FLOAT
                               ? b->values[i]
                               : (double)b->histograms[i].len;
                }
                (void)kept;
            }
            int64_t newest_t = 0;
            double newest;
            if (part_read_newest(p, group, table, column, 5, INT64_MAX - 5, b, &count, &newest_t,
                    &newest, &e) == 1 &&
                count > 0) {
                assert(count == 1 && newest_t >= 5 && newest_t <= INT64_MAX - 5);
            }
            (void)part_read_summary(p, group, table, column, INT64_MIN, INT64_MAX, b, &summary, &e);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image = {
        .vfs = {.open = image_open, .close = image_close, .pread = image_pread, .size = image_size},
        .bytes = mem_dup(data, size),
        .size = size};
    struct part *p = NULL;
    struct err e = ERR_INIT;
    assert(image.bytes != NULL);
    mend(&image);
    int status = part_open(&image.vfs, "fuzz", NULL, &p, &e);
    if (status != 0) {
        assert(p == NULL && e.code == status && e.message[0] != '\0');
    } else {
        struct part_buffer b;
        uint32_t next[2] = {0, 0};
        struct part_dictionary_handler handler = {next, on_target, on_shape};
        if (part_read_dictionary(p, &handler, &e) == 0) {
            assert(next[0] == part_info(p)->target_count && next[1] == part_info(p)->shape_count);
        }
        part_buffer_init(&b);
        for (uint32_t i = 0; i < least(part_info(p)->group_count, GROUPS_READ_MAX); i++) {
            read_group(p, i, &b);
        }
        part_buffer_release(&b);
        part_unref(p);
    }
    mem_free(image.bytes);
    return 0;
}
