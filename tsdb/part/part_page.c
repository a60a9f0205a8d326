/* Pages and runs. The format is in part_format.h. */
#include "part/part_page.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "part/part_format.h"
#include "row/bitpack.h"
#include "row/column_block.h"
#include "row/row_times.h"

int part_page_check(struct str stored, struct str *page_out)
{
    if (stored.len <= PART_PAGE_CHECKSUM_SIZE) {
        return ERR_CORRUPT;
    }
    struct str page = str_skip(stored, PART_PAGE_CHECKSUM_SIZE);
    if (get_le32((const uint8_t *)stored.ptr) != checksum32(page.ptr, page.len)) {
        return ERR_CORRUPT;
    }
    *page_out = page;
    return 0;
}

/* ---- Times ---- */

/* The first table whose stream equals that of `table`. */
static uint32_t first_with_stream(
    const int64_t *const *times, const uint32_t *rows, const uint32_t *stream_of, uint32_t table)
{
    for (uint32_t t = table; t-- > 0;) {
        if (rows[t] == rows[table] &&
            memcmp(times[t], times[table], rows[t] * sizeof(int64_t)) == 0) {
            return stream_of[t];
        }
        /* Streams of a group are either all alike or all different: one look back tells. */
        if (table - t >= 8) {
            break;
        }
    }
    return UINT32_MAX;
}

int part_times_encode(
    const int64_t *const *times, const uint32_t *rows, uint32_t table_count, struct strbuf *out)
{
    uint32_t stream_of[PART_GROUP_TARGETS_MAX], streams = 0;
    uint32_t leader[PART_GROUP_TARGETS_MAX]; /* a table of each stream */
    for (uint32_t t = 0; t < table_count; t++) {
        uint32_t stream = first_with_stream(times, rows, stream_of, t);
        if (stream == UINT32_MAX) {
            leader[streams] = t;
            stream = streams++;
        }
        stream_of[t] = stream;
    }
    struct strbuf encoded = STRBUF_INIT;
    int status = 0;
    strbuf_add_uvarint(out, streams);
    for (uint32_t s = 0; status == 0 && s < streams; s++) {
        strbuf_reset(&encoded);
        status = row_times_encode(times[leader[s]], rows[leader[s]], &encoded);
        strbuf_add_uvarint(out, rows[leader[s]]);
        strbuf_add_sized(out, strbuf_str(&encoded));
    }
    for (uint32_t t = 0; t < table_count; t++) {
        strbuf_add_uvarint(out, stream_of[t]);
    }
    for (uint32_t s = 0; s < streams; s++) {
        int64_t first = times[leader[s]][0], last = times[leader[s]][rows[leader[s]] - 1];
        strbuf_add_svarint(out, first);
        strbuf_add_uvarint(out, (uint64_t)last - (uint64_t)first);
    }
    strbuf_release(&encoded);
    return status != 0 ? status : strbuf_error(out);
}

int part_times_parse(struct str page, uint32_t table_count, struct part_times *times_out)
{
    struct decbuf in = decbuf_of(page.ptr, page.len);
    uint64_t count = decbuf_uvarint(&in);
    if (in.failed || count == 0 || count > table_count || table_count > PART_GROUP_TARGETS_MAX) {
        return ERR_CORRUPT;
    }
    for (uint32_t s = 0; s < count; s++) {
        uint64_t rows = decbuf_uvarint(&in);
        times_out->rows[s] = (uint32_t)rows;
        times_out->streams[s] = decbuf_sized(&in);
        if (in.failed || rows == 0 || rows > PART_GROUP_ROWS_MAX) {
            return ERR_CORRUPT;
        }
    }
    for (uint32_t t = 0; t < table_count; t++) {
        uint64_t stream = decbuf_uvarint(&in);
        if (in.failed || stream >= count) {
            return ERR_CORRUPT;
        }
        times_out->stream_of[t] = (uint8_t)stream;
    }
    times_out->has_extents = decbuf_left(&in) > 0;
    for (uint32_t s = 0; times_out->has_extents && s < count; s++) {
        times_out->first[s] = decbuf_svarint(&in);
        times_out->last[s] = (int64_t)((uint64_t)times_out->first[s] + decbuf_uvarint(&in));
    }
    times_out->stream_count = (uint32_t)count;
    return in.failed || decbuf_left(&in) > 0 ? ERR_CORRUPT : 0;
}

/* ---- Runs ---- */

void part_run_begin(struct part_run_writer *w)
{
    strbuf_reset(&w->blocks);
    w->count = 0;
    w->last_offset = 0;
    w->last_size = 0;
}

bool part_checkpoint_make(const double *values, const uint64_t *presence, uint32_t rows,
    struct part_checkpoint *checkpoint_out)
{
    if (rows < PART_CHECKPOINT_ROWS_MIN) {
        return false;
    }
    for (uint32_t i = 0; i < rows; i++) {
        bool present = presence == NULL || (presence[i / 64] >> (i % 64) & 1) != 0;
        if (!present || !isfinite(values[i])) {
            return false;
        }
    }
    bool varies = false;
    double increase = values[rows - 1] - values[0];
    for (uint32_t i = 1; i < rows; i++) {
        varies = varies || values[i] != values[0];
        increase += values[i] < values[i - 1] ? values[i - 1] : 0;
    }
    *checkpoint_out = (struct part_checkpoint){values[0], values[rows - 1], increase};
    return varies && isfinite(increase); // of constants the block itself tells all
}

void part_run_end_block(struct part_run_writer *w, const struct part_checkpoint *checkpoint)
{
    w->has_checkpoint[w->count] = checkpoint != NULL;
    if (checkpoint != NULL) {
        w->checkpoints[w->count] = *checkpoint;
    }
    if (strbuf_error(&w->blocks) != 0) {
        return;
    }
    size_t offset = w->last_offset + w->last_size;
    size_t size = w->blocks.size - offset;
    bool same = w->count > 0 && size == w->last_size &&
                memcmp(w->blocks.data + offset, w->blocks.data + w->last_offset, size) == 0;
    if (same) {
        strbuf_truncate(&w->blocks, offset);
        w->lengths[w->count++] = 0;
        return;
    }
    w->last_offset = offset;
    w->last_size = size;
    w->lengths[w->count++] = size;
}

enum { RUN_WIDTH_MASK = 0x1f, RUN_CHECKPOINTS = 0x20, RUN_REFERENCES_SHIFT = 6 };

static bool increase_differs(const struct part_checkpoint *c)
{
    return double_bits(c->increase) != double_bits(c->last - c->first);
}

static void put_checkpoints(const struct part_run_writer *w, struct strbuf *out)
{
    uint8_t bits[2][PART_GROUP_TARGETS_MAX / 8] = {{0}};
    size_t size = (w->count + 7) / 8;
    for (uint32_t t = 0; t < w->count; t++) {
        uint8_t bit = (uint8_t)(1u << (t % 8));
        bits[0][t / 8] |= w->has_checkpoint[t] ? bit : 0;
        bits[1][t / 8] |= w->has_checkpoint[t] && increase_differs(&w->checkpoints[t]) ? bit : 0;
    }
    strbuf_add(out, bits[0], size);
    strbuf_add(out, bits[1], size);
    for (uint32_t t = 0; t < w->count; t++) {
        const struct part_checkpoint *c = &w->checkpoints[t];
        if (w->has_checkpoint[t]) {
            strbuf_add_le64(out, double_bits(c->first));
            strbuf_add_le64(out, double_bits(c->last));
        }
        if (w->has_checkpoint[t] && increase_differs(c)) {
            strbuf_add_le64(out, double_bits(c->increase));
        }
    }
}

void part_run_finish(struct part_run_writer *w, uint32_t column,
    const struct part_references *references, struct strbuf *out)
{
    uint64_t widest = 0;
    bool has_checkpoints = false;
    for (uint32_t i = 0; i < w->count; i++) {
        widest |= w->lengths[i];
        has_checkpoints = has_checkpoints || w->has_checkpoint[i];
    }
    unsigned width = bit_width(widest);
    size_t size = bitpack_size(w->count, width);
    strbuf_add_char(out, (char)(width | (has_checkpoints ? RUN_CHECKPOINTS : 0) |
                                references->count << RUN_REFERENCES_SHIFT));
    for (uint32_t i = 0; i < references->count; i++) {
        const struct part_reference *r = &references->items[i];
        strbuf_add_uvarint(out, (uint64_t)(column - r->column) << 1 | r->subtract);
    }
    uint8_t *room = (uint8_t *)strbuf_reserve(out, size + BITPACK_SLACK);
    if (room != NULL) {
        bitpack_put(w->lengths, w->count, width, room);
        strbuf_commit(out, size);
    }
    if (has_checkpoints) {
        put_checkpoints(w, out);
    }
    strbuf_add_str(out, strbuf_str(&w->blocks));
    if (w->blocks.error != 0 && out->error == 0) {
        out->error = w->blocks.error;
    }
}

/* The beginning of a run: the width, or 0 for what cannot be. */
static unsigned read_run_head(struct decbuf *in, uint32_t column,
    struct part_references *references_out, bool *has_checkpoints_out)
{
    uint8_t head = decbuf_u8(in);
    unsigned width = head & RUN_WIDTH_MASK;
    struct part_references references = {.count = head >> RUN_REFERENCES_SHIFT};
    if (references.count > PART_REFERENCES_MAX) {
        return 0;
    }
    for (uint32_t i = 0; i < references.count; i++) {
        uint64_t code = decbuf_uvarint(in);
        if (in->failed || code >> 1 == 0 || code >> 1 > column) {
            return 0;
        }
        references.items[i] =
            (struct part_reference){column - (uint32_t)(code >> 1), (code & 1) != 0};
    }
    *references_out = references;
    *has_checkpoints_out = (head & RUN_CHECKPOINTS) != 0;
    return in->failed ? 0 : width;
}

/* Set bits of the first `count`. */
static uint32_t count_bits(const uint8_t *bits, uint32_t count)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < count; i++) {
        set += bits[i / 8] >> (i % 8) & 1;
    }
    return set;
}

/* Bytes of the checkpoints at the cursor; more than are left when they are cut off. */
static size_t checkpoints_size(const struct decbuf *in, uint32_t table_count)
{
    size_t bits = (table_count + 7) / 8;
    if (decbuf_left(in) < 2 * bits) {
        return SIZE_MAX;
    }
    return 2 * bits + 16 * (size_t)count_bits(in->p, table_count) +
           8 * (size_t)count_bits(in->p + bits, table_count);
}

bool part_run_checkpoint(
    const struct part_run *run, uint32_t table, struct part_checkpoint *checkpoint_out)
{
    const uint8_t *has = run->checkpoints;
    if (has == NULL || (has[table / 8] >> (table % 8) & 1) == 0) {
        return false;
    }
    size_t size = (run->table_count + 7) / 8;
    const uint8_t *differs = has + size;
    const uint8_t *p = has + 2 * size + 16 * (size_t)count_bits(has, table) +
                       8 * (size_t)count_bits(differs, table);
    struct part_checkpoint c = {
        .first = double_from_bits(get_le64(p)), .last = double_from_bits(get_le64(p + 8))};
    bool own = (differs[table / 8] >> (table % 8) & 1) != 0;
    c.increase = own ? double_from_bits(get_le64(p + 16)) : c.last - c.first;
    *checkpoint_out = c;
    return true;
}

int part_run_parse(struct str run, uint32_t column, uint32_t table_count, struct part_run *run_out)
{
    uint64_t lengths[PART_GROUP_TARGETS_MAX];
    struct decbuf in = decbuf_of(run.ptr, run.len);
    bool has_checkpoints = false;
    unsigned width = read_run_head(&in, column, &run_out->references, &has_checkpoints);
    if (width == 0 || table_count > PART_GROUP_TARGETS_MAX ||
        bitpack_size(table_count, width) > decbuf_left(&in)) {
        return ERR_CORRUPT;
    }
    bitpack_get(in.p, decbuf_left(&in), table_count, width, lengths);
    (void)decbuf_bytes(&in, bitpack_size(table_count, width)); /* failure sticks */
    run_out->table_count = table_count;
    run_out->checkpoints = has_checkpoints ? in.p : NULL;
    if (has_checkpoints) {
        (void)decbuf_bytes(&in, checkpoints_size(&in, table_count));
    }
    if (in.failed) {
        return ERR_CORRUPT;
    }
    struct str blocks = str_make((const char *)in.p, decbuf_left(&in));
    uint64_t offset = 0, size = 0;
    for (uint32_t t = 0; t < table_count; t++) {
        if (lengths[t] > 0) {
            offset += size;
            size = lengths[t];
        }
        if (size == 0 || offset > blocks.len || size > blocks.len - offset) {
            return ERR_CORRUPT;
        }
        run_out->offsets[t] = (uint32_t)offset;
        run_out->sizes[t] = (uint32_t)size;
    }
    run_out->blocks = blocks.ptr;
    return 0;
}

int part_page_run(struct str page, uint32_t index, uint32_t *run_count_out, struct str *run_out)
{
    struct decbuf in = decbuf_of(page.ptr, page.len);
    uint64_t count = decbuf_uvarint(&in);
    if (in.failed || count == 0 || count > TABLE_COLUMNS_MAX || index >= count) {
        return ERR_CORRUPT;
    }
    uint64_t before = 0, size = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t run = decbuf_uvarint(&in);
        if (run > page.len) {
            return ERR_CORRUPT;
        }
        before += i < index ? run : 0;
        size = i == index ? run : size;
    }
    (void)decbuf_bytes(&in, before); /* failure sticks */
    struct str run = decbuf_bytes(&in, size);
    if (in.failed) {
        return ERR_CORRUPT;
    }
    *run_count_out = (uint32_t)count;
    *run_out = run;
    return 0;
}

/* ---- Histograms ---- */

enum { HISTOGRAMS_PLAIN = 0, HISTOGRAMS_ZSTD = 1, HISTOGRAM_ZSTD_LEVEL = 3 };

static bool is_present(const uint64_t *presence, uint32_t row)
{
    return presence == NULL || (presence[row / 64] >> (row % 64) & 1) != 0;
}

int part_histograms_encode(struct zstd_codec *zstd, const struct str *cells,
    const uint64_t *presence, uint32_t rows, struct strbuf *scratch, struct strbuf *out)
{
    strbuf_reset(scratch);
    for (uint32_t from = 0; from < rows; from += 8) {
        unsigned bits = 0;
        for (uint32_t i = 0; i < 8 && from + i < rows; i++) {
            bits |= (unsigned)is_present(presence, from + i) << i;
        }
        strbuf_add_char(scratch, (char)bits);
    }
    for (uint32_t i = 0; i < rows; i++) {
        if (is_present(presence, i)) {
            strbuf_add_uvarint(scratch, cells[i].len);
        }
    }
    for (uint32_t i = 0; i < rows; i++) {
        if (is_present(presence, i)) {
            strbuf_add_str(scratch, cells[i]);
        }
    }
    if (strbuf_error(scratch) != 0) {
        return strbuf_error(scratch);
    }
    size_t begin = out->size;
    strbuf_add_char(out, HISTOGRAMS_ZSTD);
    strbuf_add_uvarint(out, scratch->size);
    int status = strbuf_error(out);
    if (status == 0) {
        status = zstd_encode(zstd, strbuf_str(scratch), HISTOGRAM_ZSTD_LEVEL, out);
    }
    if (status == 0 && out->size - begin > scratch->size + 1) {
        strbuf_truncate(out, begin);
        strbuf_add_char(out, HISTOGRAMS_PLAIN);
        strbuf_add_str(out, strbuf_str(scratch));
        status = strbuf_error(out);
    }
    return status;
}

/* The plain bytes of a block: itself, or what it decompresses to. */
static int histogram_bytes(
    struct zstd_codec *zstd, struct str block, struct strbuf *scratch, struct str *plain_out)
{
    struct decbuf in = decbuf_of(block.ptr, block.len);
    uint8_t how = decbuf_u8(&in);
    if (in.failed || how > HISTOGRAMS_ZSTD) {
        return ERR_CORRUPT;
    }
    strbuf_reset(scratch);
    if (how == HISTOGRAMS_PLAIN) {
        strbuf_add(scratch, in.p, decbuf_left(&in));
        *plain_out = strbuf_str(scratch);
        return strbuf_error(scratch);
    }
    uint64_t plain_size = decbuf_uvarint(&in);
    if (in.failed) {
        return ERR_CORRUPT;
    }
    int status = zstd_decode(
        zstd, str_make((const char *)in.p, decbuf_left(&in)), PART_PAGE_BYTES_MAX, scratch);
    if (status != 0 || scratch->size != plain_size) {
        return status == ERR_NOMEM ? status : ERR_CORRUPT;
    }
    *plain_out = strbuf_str(scratch);
    return 0;
}

int part_histograms_decode(struct zstd_codec *zstd, struct str block, uint32_t rows,
    struct strbuf *scratch, struct str *cells_out, uint64_t *presence_out)
{
    struct str plain;
    int status = histogram_bytes(zstd, block, scratch, &plain);
    if (status != 0) {
        return status;
    }
    struct decbuf in = decbuf_of(plain.ptr, plain.len);
    struct str bitmap = decbuf_bytes(&in, (rows + 7) / 8);
    if (in.failed) {
        return ERR_CORRUPT;
    }
    memset(presence_out, 0, PRESENCE_WORDS(rows) * sizeof(*presence_out));
    struct decbuf sizes = in;
    for (uint32_t i = 0; i < rows; i++) {
        if (((uint8_t)bitmap.ptr[i / 8] >> (i % 8) & 1) != 0) {
            presence_out[i / 64] |= (uint64_t)1 << (i % 64);
            (void)decbuf_uvarint(&in); /* failure sticks */
        }
    }
    for (uint32_t i = 0; i < rows && !in.failed; i++) {
        cells_out[i] = str_make(NULL, 0);
        if ((presence_out[i / 64] >> (i % 64) & 1) != 0) {
            cells_out[i] = decbuf_bytes(&in, decbuf_uvarint(&sizes));
        }
    }
    return in.failed || decbuf_left(&in) != 0 ? ERR_CORRUPT : 0;
}
