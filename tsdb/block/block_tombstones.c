/* Reading tombstones, and asking them. */
#include "block/block_tombstones.h"

#include <stdlib.h>

#include "base/mem.h"
#include "block/big_endian.h"
#include "tsdb/crc32c.h"

enum { HEADER_SIZE = 5, CRC_SIZE = 4, VERSION = 1 };

static const uint32_t MAGIC = 0x0130ba30;

int block_tombstones_add(struct block_tombstones *t, struct block_tombstone stone)
{
    int status = mem_array_grow(
        (void **)&t->items, &t->cap, t->count + 1, sizeof(*t->items), BLOCK_TOMBSTONES_MAX);
    if (status == 0) {
        t->items[t->count++] = stone;
    }
    return status;
}

static int compare(const void *a, const void *b)
{
    const struct block_tombstone *x = a, *y = b;
    if (x->series != y->series) {
        return x->series < y->series ? -1 : 1;
    }
    return x->min_t < y->min_t ? -1 : x->min_t > y->min_t;
}

void block_tombstones_sort(struct block_tombstones *t)
{
    if (t->count > 1) {
        qsort(t->items, t->count, sizeof(*t->items), compare);
    }
}

void block_tombstones_release(struct block_tombstones *t)
{
    mem_free(t->items);
    *t = (struct block_tombstones){.items = NULL};
}

int block_tombstones_decode(struct str bytes, struct block_tombstones *t_out, struct err *e)
{
    struct block_tombstones t = {.items = NULL};
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    if (bytes.len < HEADER_SIZE + CRC_SIZE || get_be32(p) != MAGIC || p[4] != VERSION) {
        return err_set(
            e, ERR_CORRUPT, 0, "this is not a file of tombstones of version %d", VERSION);
    }
    size_t size = bytes.len - HEADER_SIZE - CRC_SIZE;
    if (get_be32(p + HEADER_SIZE + size) != crc32c(0, p + HEADER_SIZE, size)) {
        return err_set(e, ERR_CORRUPT, -1, "the checksum of the tombstones is wrong");
    }
    struct decbuf d = decbuf_of(p + HEADER_SIZE, size);
    int status = 0;
    while (status == 0 && decbuf_left(&d) > 0 && !d.failed) {
        struct block_tombstone stone = {.series = decbuf_uvarint(&d)};
        stone.min_t = decbuf_svarint(&d);
        stone.max_t = decbuf_svarint(&d);
        status = d.failed ? ERR_CORRUPT : block_tombstones_add(&t, stone);
    }
    if (status != 0 || d.failed) {
        status = status != 0 ? status : ERR_CORRUPT;
        block_tombstones_release(&t);
        return err_set(e, status, -1, "the tombstones: %s", err_text(status));
    }
    block_tombstones_sort(&t);
    *t_out = t;
    return 0;
}

bool block_tombstones_find(const struct block_tombstones *t, uint64_t series,
    const struct block_tombstone **first_out, size_t *count_out)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->items[middle].series < series) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t end = low;
    while (end < t->count && t->items[end].series == series) {
        end++;
    }
    *first_out = t->items + low;
    *count_out = end - low;
    return end > low;
}

bool block_tombstones_cover(const struct block_tombstone *stones, size_t count, int64_t t)
{
    for (size_t i = 0; i < count && stones[i].min_t <= t; i++) {
        if (t <= stones[i].max_t) {
            return true;
        }
    }
    return false;
}

void block_tombstones_encode_none(struct strbuf *out)
{
    strbuf_add_be32(out, MAGIC);
    strbuf_add_char(out, VERSION);
    strbuf_add_be32(out, crc32c(0, "", 0));
}
