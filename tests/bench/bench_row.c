/* Size and speed of the value codecs on recorded scrapes, against XOR (Gorilla) coding.
 *
 *   bench_row CAPTURE [STEP]
 *
 * CAPTURE is text (or one .zst frame of it): lines `#T <milliseconds> <job>`, each followed by an
 * exposition. Every series becomes a column of its job's scrapes, cut into blocks of 32 to 960 rows.
 * STEP takes every STEP-th scrape only. Printed per block size: bytes a sample of values, without the
 * caller's headers; the same of the XOR coder; rates in million samples a second of one core's time,
 * for all columns and for those that vary; then where the bytes are, by codec.
 */
#include <assert.h>
#include <fcntl.h>
#include <math.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "row/column_block.h"
#include "row/column_format.h"
#include "row/row_times.h"
#include "wire/zstd_codec.h"
#include "xor_codec.h"

#define CAPTURE_BYTES_MAX ((size_t)1 << 30)
#define JOBS_MAX 8
#define COLUMNS_MAX 65536
#define SLOTS (2 * COLUMNS_MAX)
#define BLOCK_ROWS_MAX 960
#define RUNS 40

struct bench_column {
    struct str series; /* borrowed from the capture */
    unsigned job;
    double *values;
    uint64_t *presence;
};

struct capture {
    struct strbuf text;
    struct str jobs[JOBS_MAX];
    int64_t *times[JOBS_MAX];
    uint32_t rows[JOBS_MAX]; /* while reading: rows so far */
    uint32_t rows_max;
    unsigned job_count;
    struct bench_column *columns;
    size_t column_count;
    uint32_t *slots; /* hash table of column index + 1 */
};

static void die(const char *what)
{
    fprintf(stderr, "bench_row: %s\n", what);
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // cannot fail on Linux
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- reading a capture ---- */

static void read_capture(const char *path, struct strbuf *text)
{
    struct strbuf file = STRBUF_INIT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;
    while (fd >= 0 && got > 0 && strbuf_error(&file) == 0) {
        char *room = strbuf_reserve(&file, 1 << 20);
        got = room != NULL ? read(fd, room, 1 << 20) : -1;
        if (got > 0) {
            strbuf_commit(&file, (size_t)got);
        }
    }
    if (fd < 0 || got < 0) {
        die("the capture cannot be read");
    }
    (void)close(fd);
    struct zstd_codec *codec = NULL;
    if (file.size >= 4 && get_le32((const uint8_t *)file.data) == 0xfd2fb528) {
        if (zstd_codec_new(&codec) != 0 ||
            zstd_decode(codec, strbuf_str(&file), CAPTURE_BYTES_MAX, text) != 0) {
            die("the capture is not one frame of zstd that states its size");
        }
        strbuf_release(&file);
    } else {
        *text = file;
    }
    zstd_codec_free(codec);
}

static unsigned find_job(struct capture *capture, struct str name)
{
    for (unsigned i = 0; i < capture->job_count; i++) {
        if (str_eq(capture->jobs[i], name)) {
            return i;
        }
    }
    if (capture->job_count == JOBS_MAX) {
        die("too many jobs");
    }
    capture->jobs[capture->job_count] = name;
    return capture->job_count++;
}

static struct bench_column *find_column(struct capture *capture, struct str series, unsigned job)
{
    size_t slot = hash64(series.ptr, series.len, job) % SLOTS;
    while (capture->slots[slot] != 0) {
        struct bench_column *column = &capture->columns[capture->slots[slot] - 1];
        if (column->job == job && str_eq(column->series, series)) {
            return column;
        }
        slot = (slot + 1) % SLOTS;
    }
    if (capture->column_count == COLUMNS_MAX) {
        die("too many series");
    }
    struct bench_column *column = &capture->columns[capture->column_count++];
    capture->slots[slot] = (uint32_t)capture->column_count;
    *column = (struct bench_column){
        .series = series,
        .job = job,
        .values = mem_calloc(capture->rows_max, sizeof(double)),
        .presence = mem_calloc(PRESENCE_WORDS(capture->rows_max), sizeof(uint64_t)),
    };
    return column;
}

static void add_sample(struct capture *capture, unsigned job, struct str line)
{
    size_t space = line.len;
    while (space > 0 && line.ptr[space - 1] != ' ') {
        space--;
    }
    double value;
    if (space < 2 || str_to_double(str_skip(line, space), &value) != 0) {
        die("a line is not `series value`");
    }
    struct bench_column *column = find_column(capture, str_make(line.ptr, space - 1), job);
    uint32_t row = capture->rows[job] - 1;
    column->values[row] = value;
    column->presence[row / 64] |= (uint64_t)1 << (row % 64);
}

static void parse_capture(struct capture *capture, uint32_t step)
{
    capture->slots = mem_calloc(SLOTS, sizeof(uint32_t));
    capture->columns = mem_calloc(COLUMNS_MAX, sizeof(struct bench_column));
    struct str rest = strbuf_str(&capture->text);
    for (size_t i = 0; i + 3 < rest.len; i++) {
        capture->rows_max += memcmp(rest.ptr + i, "\n#T ", 4) == 0;
    }
    capture->rows_max++;
    uint32_t seen[JOBS_MAX] = {0};
    unsigned job = 0;
    bool skipped = false;
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        if (str_starts_with(line, STR("#T "))) {
            struct str fields = str_skip(line, 3);
            struct str time = str_split(&fields, ' ');
            job = find_job(capture, fields);
            skipped = seen[job]++ % step != 0;
            if (capture->times[job] == NULL) {
                capture->times[job] = mem_calloc(capture->rows_max, sizeof(int64_t));
            }
            if (!skipped && str_to_i64(time, &capture->times[job][capture->rows[job]++]) != 0) {
                die("a #T line has no time");
            }
        } else if (!skipped && line.len > 0 && line.ptr[0] != '#') {
            add_sample(capture, job, line);
        }
    }
}

/* ---- blocks ---- */

/* Blocks of all columns at one size, and what they became. */
struct block {
    const struct bench_column *column;
    uint64_t presence[PRESENCE_WORDS(BLOCK_ROWS_MAX)]; /* of its rows, the first at bit 0 */
    bool all_present;
    uint32_t row, count;
    size_t start, size; /* in `bytes` */
};

struct blocks {
    struct block *all;
    size_t count, cap;
    uint64_t samples;
    struct strbuf bytes;
};

static const double *block_rows(const struct block *block)
{
    return block->column->values + block->row;
}

static void encode_all(struct blocks *blocks)
{
    strbuf_reset(&blocks->bytes);
    struct column_hint hint = {0};
    for (size_t i = 0; i < blocks->count; i++) {
        struct block *block = &blocks->all[i];
        if (i == 0 || block[-1].column != block->column) {
            hint = (struct column_hint){0};
        }
        const uint64_t *presence = block->all_present ? NULL : block->presence;
        block->start = blocks->bytes.size;
        if (column_block_encode(block_rows(block), presence, block->count, &hint, &blocks->bytes) !=
            0) {
            die("encoding failed");
        }
        block->size = blocks->bytes.size - block->start;
    }
}

static void decode_all(const struct blocks *blocks, uint64_t *sum)
{
    double values[BLOCK_ROWS_MAX];
    for (size_t i = 0; i < blocks->count; i++) {
        const struct block *block = &blocks->all[i];
        if (column_block_decode(
                blocks->bytes.data + block->start, block->size, block->count, values, NULL) != 0) {
            die("decoding failed");
        }
        *sum += double_bits(values[block->count - 1]);
    }
}

static void check_all(const struct blocks *blocks)
{
    double values[BLOCK_ROWS_MAX];
    uint64_t presence[PRESENCE_WORDS(BLOCK_ROWS_MAX)];
    for (size_t i = 0; i < blocks->count; i++) {
        const struct block *block = &blocks->all[i];
        const double *rows = block_rows(block);
        int status = column_block_decode(
            blocks->bytes.data + block->start, block->size, block->count, values, presence);
        bool same = status == 0 && memcmp(presence, block->presence,
                                       PRESENCE_WORDS(block->count) * sizeof(uint64_t)) == 0;
        for (uint32_t r = 0; r < block->count && same; r++) {
            same = (presence[r / 64] >> (r % 64) & 1) == 0 ||
                   double_bits(rows[r]) == double_bits(values[r]);
        }
        if (!same) {
            die("what came back differs");
        }
    }
}

static void add_block(
    struct blocks *blocks, const struct bench_column *column, uint32_t row, uint32_t count)
{
    if (mem_array_grow((void **)&blocks->all, &blocks->cap, blocks->count + 1, sizeof(struct block),
            SIZE_MAX / sizeof(struct block)) != 0) {
        die("out of memory");
    }
    struct block *block = &blocks->all[blocks->count++];
    *block = (struct block){.column = column, .row = row, .count = count};
    uint32_t samples = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bit = column->presence[(row + i) / 64] >> ((row + i) % 64) & 1;
        block->presence[i / 64] |= bit << (i % 64);
        samples += (uint32_t)bit;
    }
    block->all_present = samples == count;
    blocks->samples += samples;
}

static struct blocks cut_blocks(const struct capture *capture, uint32_t size)
{
    struct blocks blocks = {.bytes = STRBUF_INIT};
    for (size_t i = 0; i < capture->column_count; i++) {
        const struct bench_column *column = &capture->columns[i];
        uint32_t rows = capture->rows[column->job];
        for (uint32_t row = 0; row < rows; row += size) {
            add_block(&blocks, column, row, rows - row < size ? rows - row : size);
        }
    }
    return blocks;
}

static bool varies(const struct blocks *blocks, const struct block *block)
{
    return ((uint8_t)blocks->bytes.data[block->start] & HEAD_CODEC_MASK) != CODEC_CONSTANT;
}

static struct blocks only_varying(const struct blocks *blocks)
{
    struct blocks varying = {.bytes = STRBUF_INIT};
    for (size_t i = 0; i < blocks->count; i++) {
        const struct block *block = &blocks->all[i];
        if (varies(blocks, block)) {
            add_block(&varying, block->column, block->row, block->count);
        }
    }
    return varying;
}

/* ---- figures ---- */

/* The best of several short runs, for the machine has other things to do. */
struct stopwatch {
    int runs;
    double start, best; /* seconds, samples a second */
};

static bool watch_again(struct stopwatch *watch, uint64_t samples)
{
    double now = cpu_seconds();
    if (watch->runs > 0 && now > watch->start) {
        double rate = (double)samples / (now - watch->start);
        watch->best = rate > watch->best ? rate : watch->best;
    }
    watch->runs++;
    watch->start = cpu_seconds();
    return watch->runs <= RUNS;
}

static double encode_rate(struct blocks *blocks)
{
    struct stopwatch watch = {0};
    while (watch_again(&watch, blocks->samples)) {
        encode_all(blocks);
    }
    return watch.best / 1e6;
}

static double decode_rate(const struct blocks *blocks, uint64_t *sum)
{
    struct stopwatch watch = {0};
    while (watch_again(&watch, blocks->samples)) {
        decode_all(blocks, sum);
    }
    return watch.best / 1e6;
}

struct xor_figures {
    double bytes, encode, decode;
};

static struct xor_figures measure_xor(const struct blocks *blocks, uint64_t *sum)
{
    uint8_t *coded = mem_alloc(blocks->count * XOR_SIZE_MAX(blocks->all[0].count));
    double values[BLOCK_ROWS_MAX];
    struct stopwatch encode = {0};
    uint64_t bytes = 0;
    size_t room = XOR_SIZE_MAX(blocks->all[0].count);
    while (watch_again(&encode, blocks->samples)) {
        bytes = 0;
        for (size_t i = 0; i < blocks->count; i++) {
            const struct block *block = &blocks->all[i];
            bytes += xor_encode(block_rows(block), block->count, coded + i * room);
        }
    }
    struct stopwatch decode = {0};
    while (watch_again(&decode, blocks->samples)) {
        for (size_t i = 0; i < blocks->count; i++) {
            xor_decode(coded + i * room, blocks->all[i].count, values);
            *sum += double_bits(values[blocks->all[i].count - 1]);
        }
    }
    mem_free(coded);
    return (struct xor_figures){
        (double)bytes / (double)blocks->samples, encode.best / 1e6, decode.best / 1e6};
}

static void print_codecs(const struct blocks *blocks)
{
    static const char *const names[CODEC_COUNT] = {"constant", "sparse", "frame", "delta",
        "delta frame", "delta delta", "linear", "ulp", "dictionary", "difference", "affine", "raw"};
    uint64_t bytes[CODEC_COUNT][3] = {0};
    uint64_t samples[CODEC_COUNT][3] = {0};
    for (size_t i = 0; i < blocks->count; i++) {
        const struct block *block = &blocks->all[i];
        const uint8_t *b = (const uint8_t *)blocks->bytes.data + block->start;
        unsigned kind = (b[0] & HEAD_MAPPING) == 0                       ? 0
                        : (b[1] & MAPPING_EXPONENT_MASK) == MAPPING_BITS ? 2
                                                                         : 1;
        bytes[b[0] & HEAD_CODEC_MASK][kind] += block->size;
        samples[b[0] & HEAD_CODEC_MASK][kind] += block->count;
    }
    static const char *const kinds[3] = {"integers", "scaled", "bits"};
    for (unsigned c = 0; c < CODEC_COUNT; c++) {
        for (unsigned k = 0; k < 3; k++) {
            if (samples[c][k] > 0) {
                printf("    %-12s %-9s %5.1f %% of samples %5.1f %% of bytes %6.3f B/sample\n",
                    names[c], kinds[k], 100.0 * (double)samples[c][k] / (double)blocks->samples,
                    100.0 * (double)bytes[c][k] / (double)blocks->bytes.size,
                    (double)bytes[c][k] / (double)samples[c][k]);
            }
        }
    }
}

static void print_worst(const struct blocks *blocks)
{
    size_t at = 0;
    while (at < blocks->count) {
        const struct bench_column *column = blocks->all[at].column;
        size_t first = at;
        uint64_t bytes = 0;
        uint64_t samples = 0;
        for (; at < blocks->count && blocks->all[at].column == column; at++) {
            bytes += blocks->all[at].size;
            samples += blocks->all[at].count;
        }
        struct strbuf words = STRBUF_INIT;
        (void)column_block_describe(blocks->bytes.data + blocks->all[first].start,
            blocks->all[first].size, blocks->all[first].count, &words);
        if (bytes * 10 > samples * 4) {
            printf("%7.3f %s: %.*s\n", (double)bytes / (double)samples, words.data,
                STR_ARG(column->series));
        }
        strbuf_release(&words);
    }
}

/* A bucket of a histogram and the one before it in the exposition. */
static bool are_neighbours(const struct bench_column *a, const struct bench_column *b)
{
    const char *brace = memchr(a->series.ptr, '{', a->series.len);
    size_t name = brace != NULL ? (size_t)(brace - a->series.ptr) : 0;
    return name > 7 && memcmp(brace - 7, "_bucket", 7) == 0 && a->job == b->job &&
           str_starts_with(b->series, str_make(a->series.ptr, name + 1));
}

/* A number that is equal for columns that differ by a constant, and hardly ever otherwise. */
static uint64_t likeness_of(const double *values, const uint64_t *presence, uint32_t count)
{
    static uint64_t differences[BLOCK_ROWS_MAX];
    double first = 0;
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        bool in =
            (presence[i / 64] >> (i % 64) & 1) != 0 && double_bits(values[i]) != STALE_MARKER_BITS;
        first = in && !found ? values[i] : first;
        found = found || in;
        differences[i] = in ? double_bits(values[i] - first) : STALE_MARKER_BITS;
    }
    return hash64(differences, count * sizeof(differences[0]), 0);
}

/* Bytes when each column may lean on a copy of it that came before, or on the bucket below. */
static void measure_references(const struct blocks *blocks, uint32_t size)
{
    static uint64_t likeness[SLOTS];
    static const struct block *bearer[SLOTS];
    struct strbuf bytes = STRBUF_INIT;
    uint64_t leaning = 0;
    uint32_t last_row = 0;
    for (size_t i = 0; i < blocks->count; i++) {
        last_row = blocks->all[i].row > last_row ? blocks->all[i].row : last_row;
    }
    double rows[BLOCK_ROWS_MAX];
    for (uint32_t row = 0; row <= last_row; row += size) {
        memset(bearer, 0, sizeof(bearer));
        const struct block *before = NULL;
        for (size_t i = 0; i < blocks->count; i++) {
            const struct block *block = &blocks->all[i];
            if (block->row != row) {
                continue;
            }
            const double *values = block_rows(block);
            uint64_t like = likeness_of(values, block->presence, block->count);
            size_t slot = (like ^ block->column->job) % SLOTS;
            while (bearer[slot] != NULL &&
                   (likeness[slot] != like || bearer[slot]->column->job != block->column->job)) {
                slot = (slot + 1) % SLOTS;
            }
            const struct block *reference = bearer[slot];
            if (reference == NULL) {
                bearer[slot] = block;
                likeness[slot] = like;
                bool near = before != NULL && are_neighbours(before->column, block->column);
                reference = near ? before : NULL;
            }
            for (uint32_t r = 0; reference != NULL && r < block->count; r++) {
                bool in = (reference->presence[r / 64] >> (r % 64) & 1) != 0;
                rows[r] = in ? block_rows(reference)[r] : double_from_bits(STALE_MARKER_BITS);
            }
            size_t start = bytes.size;
            if (column_block_encode_against(values, block->presence, block->count,
                    reference != NULL ? rows : NULL, NULL, &bytes) != 0) {
                die("encoding failed");
            }
            leaning += column_block_needs_reference(bytes.data + start, bytes.size - start);
            before = block;
        }
    }
    printf("           %.4f B/sample with references, %.1f %% of blocks lean on another\n",
        (double)bytes.size / (double)blocks->samples,
        100.0 * (double)leaning / (double)blocks->count);
    strbuf_release(&bytes);
}

static void measure_size(const struct capture *capture, uint32_t size, bool listing)
{
    uint64_t sum = 0; // keeps the compiler from leaving decodes out
    struct blocks blocks = cut_blocks(capture, size);
    encode_all(&blocks);
    check_all(&blocks);
    double bytes = (double)blocks.bytes.size / (double)blocks.samples;
    struct blocks varying = only_varying(&blocks);
    struct xor_figures x = measure_xor(&blocks, &sum);
    struct xor_figures x_varying = measure_xor(&varying, &sum);
    double varying_share = (double)varying.samples / (double)blocks.samples;
    double rates[4] = {encode_rate(&blocks), decode_rate(&blocks, &sum)};
    rates[2] = encode_rate(&varying);
    rates[3] = decode_rate(&varying, &sum);
    printf(
        "%4u rows  %.4f B/sample (xor %.3f, %.2f times)  encode %5.0f varying %4.0f (xor %3.0f)  "
        "decode %5.0f varying %4.0f (xor %3.0f)  varying %.0f %%\n",
        size, bytes, x.bytes, x.bytes / bytes, rates[0], rates[2], x_varying.encode, rates[1],
        rates[3], x_varying.decode, 100 * varying_share);
    measure_references(&blocks, size);
    if (listing) {
        print_codecs(&blocks);
        print_worst(&blocks);
    }
    strbuf_release(&blocks.bytes);
    strbuf_release(&varying.bytes);
    mem_free(blocks.all);
    mem_free(varying.all);
    assert(sum != 1);
}

/* Rates of single codecs on made-up columns, 1024 rows. */
static void measure_codecs(void)
{
    static const char *const names[] = {"frame of 10 bits", "delta of 10 bits", "steps of 8 bits",
        "delta of delta, 7 bits", "delta of 10 bits, decimal 2", "delta of 30 bits", "constant"};
    enum { ROWS = 1024, COLUMNS = 7, REPEATS = 200 };
    static double values[ROWS];
    for (size_t c = 0; c < COLUMNS; c++) {
        uint64_t state = 1;
        double level = 1e6;
        double step = 1000;
        for (size_t i = 0; i < ROWS; i++) {
            double random = (double)(hash_mix64(state++ * 0x9e3779b97f4a7c15) >> 40) * 0x1p-24;
            step += c == 3 ? floor(random * 100) - 50 : 0;
            level += c == 1 || c == 4 ? floor(random * 1000) - 500
                     : c == 2         ? floor(random * 256)
                     : c == 3         ? step
                     : c == 5         ? floor(random * 0x1p30) - 0x1p29
                                      : 0;
            values[i] = c == 0 ? floor(random * 1000) : c == 4 ? level / 100 : level;
        }
        struct strbuf bytes = STRBUF_INIT;
        struct column_hint hint = {0};
        double rates[2];
        for (int decoding = 0; decoding < 2; decoding++) {
            static double decoded[ROWS];
            struct stopwatch watch = {0};
            while (watch_again(&watch, REPEATS * ROWS)) {
                for (int k = 0; k < REPEATS; k++) {
                    if (decoding == 0) {
                        strbuf_reset(&bytes);
                        (void)column_block_encode(values, NULL, ROWS, &hint, &bytes);
                    } else {
                        (void)column_block_decode(bytes.data, bytes.size, ROWS, decoded, NULL);
                    }
                }
            }
            rates[decoding] = watch.best / 1e6;
        }
        struct strbuf words = STRBUF_INIT;
        (void)column_block_describe(bytes.data, bytes.size, ROWS, &words);
        printf("%-28s %.3f B/sample  encode %5.0f  decode %5.0f  (%s)\n", names[c],
            (double)bytes.size / ROWS, rates[0], rates[1], words.data);
        strbuf_release(&words);
        strbuf_release(&bytes);
    }
}

static void measure_times(const struct capture *capture)
{
    for (unsigned job = 0; job < capture->job_count; job++) {
        struct strbuf bytes = STRBUF_INIT;
        uint32_t rows = capture->rows[job];
        for (uint32_t row = 0; row < rows; row += 240) {
            uint32_t count = rows - row < 240 ? rows - row : 240;
            if (row_times_encode(capture->times[job] + row, count, &bytes) != 0) {
                die("times do not increase");
            }
        }
        printf("times of %.*s: %.2f bytes a row\n", STR_ARG(capture->jobs[job]),
            (double)bytes.size / rows);
        strbuf_release(&bytes);
    }
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {32, 120, 240, 480, 960};
    uint64_t step = 1;
    if (argc < 2 || argc > 3 || (argc == 3 && str_to_u64(str_of(argv[2]), &step) != 0) ||
        step < 1 || step > UINT32_MAX) {
        die("usage: bench_row CAPTURE [STEP]");
    }
    struct capture capture = {.text = STRBUF_INIT};
    read_capture(argv[1], &capture.text);
    parse_capture(&capture, (uint32_t)step);
    printf("%zu series, %u jobs\n", capture.column_count, capture.job_count);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        measure_size(&capture, sizes[i], getenv("BENCH_ROW_LIST") != NULL && sizes[i] == 240);
    }
    measure_times(&capture);
    measure_codecs();
    return 0;
}
