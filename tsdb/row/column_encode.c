/* Encoding a column block: set the special rows aside, find how the rest become integers, let the
 * codecs compete, and write the winner. The bytes are described in column_block.c.
 *
 * The search goes from cheap and likely to dear and rare, and ends at the first way that works:
 *   1. all equal;
 *   2. decimals, the last block's exponent and method first, then every method, with up to one value
 *      in sixteen set aside as a literal;
 *   3. the shortest of: decimals and ulps at some exponents, a few fronts with the other bits as they
 *      are, the bits of the doubles in order, their bytes.
 * Integers of 2 and the bits of 3 compete with their dictionary; beside another column, integers of 2
 * also with a multiple of it and with the difference from it.
 */
#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "row/affine.h"
#include "row/bitpack.h"
#include "row/column_block.h"
#include "row/column_format.h"
#include "row/dictionary.h"
#include "row/front_bits.h"
#include "row/integer_column.h"
#include "row/kernels.h"
#include "row/number_map.h"
#include "row/presence.h"

/* One value in so many may be set aside to let the others be decimals. */
#define LITERAL_SHARE 16
/* A dictionary is tried where rows are so many times its values. */
#define DICTIONARY_SHARE 4
/* In blocks of so many, where they cost so many bits without it. */
#define DICTIONARY_ROWS_MIN 24
#define DICTIONARY_BITS_MIN 3

struct encoder {
    const struct column_hint *hint; /* or NULL */
    const double *values;           /* of all rows */
    const double *reference;        /* of all rows, or NULL */
    uint32_t count;
    bool has_rows; /* some rows are not in the stream; `kinds` is filled */
    uint8_t kinds[COLUMN_BLOCK_ROWS_MAX];
    const double *stream; /* the values of the stream rows: `values` itself or `packed` */
    size_t n;
    bool varies; /* the stream has two different values */
    double packed[COLUMN_BLOCK_ROWS_MAX];
    int64_t integers[COLUMN_BLOCK_ROWS_MAX]; /* of the stream, as the chosen mapping has them */
    struct integer_coder coder;              /* what writes them */
    union {                                  /* the other column of a pair */
        int64_t ulps[COLUMN_BLOCK_ROWS_MAX];
        int64_t differences[COLUMN_BLOCK_ROWS_MAX];
    };
    struct integer_coder second_coder; /* what writes that */
    struct dictionary dictionary;      /* only for CODEC_DICTIONARY */
    struct affine affine;              /* only for CODEC_AFFINE */
    struct front_bits fronts;          /* only for CODEC_FRONTS */
};

/* A way to write the stream. */
struct choice {
    enum column_codec codec;
    struct number_map map;
    size_t size; /* of the body and the mapping */
};

/* ---- rows ---- */

static bool is_stale(double value)
{
    return double_bits(value) == STALE_MARKER_BITS;
}

static bool is_present(const uint64_t *presence, uint32_t i)
{
    return presence == NULL || (presence[i / 64] >> (i % 64) & 1) != 0;
}

static bool all_present(const uint64_t *presence, uint32_t count)
{
    uint64_t all = UINT64_MAX;
    for (uint32_t i = 0; presence != NULL && i < count / 64; i++) {
        all &= presence[i];
    }
    uint64_t rest = bit_mask(count % 64);
    return all == UINT64_MAX &&
           (presence == NULL || rest == 0 || (presence[count / 64] & rest) == rest);
}

/* Moves the values of stream rows to `packed`, as `kinds` says. */
static void pack_stream(struct encoder *e)
{
    e->n = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        e->packed[e->n] = e->values[i];
        e->n += e->kinds[i] == ROW_STREAM;
    }
    e->stream = e->packed;
    e->varies = e->n > 0 && row_kernels()->scan(e->packed, e->n).varies;
}

static void split_rows(struct encoder *e, const uint64_t *presence)
{
    struct column_scan scan = row_kernels()->scan(e->values, e->count);
    e->has_rows = scan.stale || !all_present(presence, e->count);
    e->stream = e->values;
    e->n = e->count;
    e->varies = scan.varies;
    if (e->has_rows) {
        for (uint32_t i = 0; i < e->count; i++) {
            e->kinds[i] = !is_present(presence, i) ? ROW_ABSENT
                          : is_stale(e->values[i]) ? ROW_STALE
                                                   : ROW_STREAM;
        }
        pack_stream(e);
    }
}

/* Takes the missed values out of the stream and makes their rows literals. */
static void set_literals(struct encoder *e, const uint64_t *missed)
{
    if (!e->has_rows) {
        memset(e->kinds, ROW_STREAM, e->count);
        e->has_rows = true;
    }
    size_t at = 0;
    size_t kept = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->kinds[i] != ROW_STREAM) {
            continue;
        }
        if ((missed[at / 64] >> (at % 64) & 1) != 0) {
            e->kinds[i] = ROW_LITERAL;
        } else {
            e->integers[kept++] = e->integers[at];
        }
        at++;
    }
    pack_stream(e);
    assert(kept == e->n);
}

static size_t rows_size(const struct encoder *e)
{
    return e->has_rows ? presence_size(e->kinds, e->values, e->count) : 0;
}

/* ---- choosing ---- */

static size_t map_size(const struct number_map *map)
{
    uint8_t bytes[NUMBER_MAP_SIZE_MAX];
    return number_map_is_plain(map) ? 0 : (size_t)(number_map_put(map, bytes) - bytes);
}

/* The dictionary of the integers, if it is shorter than `best`. */
static void try_dictionary(struct encoder *e, struct choice *best)
{
    size_t values_max = e->n / DICTIONARY_SHARE;
    values_max = values_max < DICTIONARY_VALUES_MAX ? values_max : DICTIONARY_VALUES_MAX;
    if (best->size * 8 < e->n * DICTIONARY_BITS_MIN || e->n < DICTIONARY_ROWS_MIN ||
        !dictionary_build(&e->dictionary, e->integers, e->n, values_max)) {
        return;
    }
    size_t size = map_size(&best->map) + dictionary_size(&e->dictionary, e->n);
    if (size < best->size) {
        best->codec = CODEC_DICTIONARY;
        best->size = size;
    }
}

/* The reference times a factor, if that is shorter than `best`. `differences` still holds the integers
 * as the whole map has them. */
static void try_affine(struct encoder *e, struct number_map map, struct choice *best)
{
    double reference[COLUMN_BLOCK_ROWS_MAX];
    size_t at = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        reference[at] = e->reference[i];
        at += !e->has_rows || e->kinds[i] == ROW_STREAM;
    }
    if (affine_find(&e->affine, e->stream, e->differences, reference, e->n)) {
        size_t size = map_size(&map) + affine_size(&e->affine);
        if (size < best->size) {
            *best = (struct choice){CODEC_AFFINE, map, size};
        }
    }
}

/* The differences from the reference's integers, if they are shorter than `best`. Takes the place of
 * the integers, which their coder no longer needs then. */
static void try_differences(struct encoder *e, struct number_map map, struct choice *best)
{
    int64_t rows[COLUMN_BLOCK_ROWS_MAX];
    number_map_reference(&map, e->reference, e->count, rows);
    size_t at = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        if (!e->has_rows || e->kinds[i] == ROW_STREAM) {
            e->differences[at] = (int64_t)((uint64_t)e->differences[at] - (uint64_t)rows[i]);
            at++;
        }
    }
    if (!integer_column_is_linear(e->differences, e->n)) {
        number_map_reduce(&map, e->differences, e->n);
    }
    integer_column_plan(&e->second_coder, e->differences, e->n, CODEC_CONSTANT);
    size_t size = 1 + map_size(&map) + e->second_coder.size;
    if (size < best->size) {
        *best = (struct choice){CODEC_DIFFERENCE, map, size};
    }
}

/* What the integers cost under `map`, which this reduces. */
static struct choice choose_integers(struct encoder *e, struct number_map map)
{
    struct number_map whole = map;
    bool against = e->reference != NULL && map.exponent != MAPPING_BITS;
    if (against) {
        memcpy(e->differences, e->integers, e->n * sizeof(e->integers[0]));
    }
    if (!integer_column_is_linear(e->integers, e->n)) {
        number_map_reduce(&map, e->integers, e->n);
    }
    integer_column_plan(&e->coder, e->integers, e->n, e->hint != NULL ? e->hint->codec : 0);
    struct choice best = {e->coder.codec, map, e->coder.size + map_size(&map)};
    try_dictionary(e, &best);
    if (against) {
        try_affine(e, whole, &best);
        try_differences(e, whole, &best);
    }
    return best;
}

/* Bytes of a constant's body: the integer where the value is one, else the double's high bytes. */
static struct choice choose_constant(double value)
{
    uint64_t bits = double_bits(value);
    struct choice choice = {CODEC_CONSTANT, NUMBER_MAP_PLAIN, 0};
    if (bits == 0) {
        return choice;
    }
    size_t high_bytes = bits == NAN_BITS ? 0 : 8 - (size_t)__builtin_ctzll(bits) / 8;
    choice.map.exponent = MAPPING_BITS;
    choice.size = 1 + high_bytes;
    unsigned exponent = number_map_exponent(value, METHOD_RECIPROCAL, 0);
    if (exponent != NUMBER_MAP_NONE) {
        struct number_map map = {.exponent = (uint8_t)exponent, .scale = 1};
        int64_t integer = number_map_integer(value, exponent);
        size_t size = map_size(&map) + uvarint_size(zigzag_encode(integer));
        if (size <= choice.size) {
            choice.map = map;
            choice.size = size;
        }
    }
    return choice;
}

/* Fills the integers of the stream, from the map's exponent up; few misses become literals. */
static bool map_stream(struct encoder *e, struct number_map *map)
{
    struct number_misses misses = {.count_max = e->n / LITERAL_SHARE};
    if (!number_map_fit(e->stream, e->n, map, e->integers, &misses)) {
        return false;
    }
    if (misses.count > 0) {
        set_literals(e, misses.rows);
    }
    return true;
}

static bool all_multiples_of_ten(const int64_t *integers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (integers[i] % 10 != 0) {
            return false;
        }
    }
    return true;
}

/* The way of the last block. Not taken where a lower exponent would do, or one outlier would keep
 * the exponent high for ever. */
static bool map_as_before(struct encoder *e, struct number_map *map_out)
{
    const struct column_hint *hint = e->hint;
    if (hint == NULL || hint->exponent == 0 || hint->exponent > MAPPING_EXPONENT_MAX ||
        hint->method >= METHOD_COUNT || hint->codec == CODEC_ULP ||
        (hint->method == METHOD_HALVES && hint->exponent % 2 != 0)) {
        return false;
    }
    *map_out = (struct number_map){.exponent = hint->exponent, .method = hint->method, .scale = 1};
    size_t n = e->n;
    return map_stream(e, map_out) && (n != e->n || !all_multiples_of_ten(e->integers, e->n));
}

/* Looks for decimals of any exponent and method. Few columns need more than the first method, and
 * those that need it need it everywhere: three values tell. */
static bool map_as_decimals(struct encoder *e, struct number_map *map_out)
{
    static const uint8_t methods[] = {
        METHOD_RECIPROCAL, METHOD_PRODUCT, METHOD_HALVES, METHOD_QUOTIENT};
    static const uint8_t least[METHOD_COUNT] = {
        [METHOD_QUOTIENT] = 1, [METHOD_PRODUCT] = 1, [METHOD_HALVES] = 2};
    const size_t probes[] = {0, e->n / 2, e->n - 1};
    for (size_t i = 0; i < sizeof(methods); i++) {
        unsigned method = methods[i];
        bool likely = true;
        for (size_t k = 0; k < 3 && method != METHOD_RECIPROCAL; k++) {
            double value = e->stream[probes[k]];
            likely = likely && number_map_exponent(value, method, least[method]) != NUMBER_MAP_NONE;
        }
        *map_out =
            (struct number_map){.exponent = least[method], .method = (uint8_t)method, .scale = 1};
        if (likely && map_stream(e, map_out)) {
            return true;
        }
    }
    return false;
}

/* Decimals and ulps at one exponent: fills both arrays. */
static struct choice choose_ulps(struct encoder *e, unsigned exponent)
{
    struct number_map map = {.exponent = (uint8_t)exponent, .scale = 1};
    number_map_ulps(e->stream, e->n, exponent, e->integers, e->ulps);
    integer_column_plan(&e->coder, e->integers, e->n, CODEC_DELTA_FRAME);
    integer_column_plan(&e->second_coder, e->ulps, e->n, CODEC_FRAME);
    size_t size = 1 + map_size(&map) + e->coder.size + e->second_coder.size;
    return (struct choice){CODEC_ULP, map, size};
}

/* No decimals: the shortest of what takes any double. Leaves the arrays as the winner has them. */
static struct choice choose_hard(struct encoder *e)
{
    const struct column_hint *hint = e->hint;
    static const uint8_t exponents[] = {9, 6, 3};
    struct choice best = {CODEC_RAW, NUMBER_MAP_PLAIN, 8 * e->n};
    bool hinted = hint != NULL && hint->codec == CODEC_ULP && hint->exponent > 0 &&
                  hint->exponent <= MAPPING_EXPONENT_MAX;
    for (size_t i = 0; i < (hinted ? 1 : sizeof(exponents)); i++) {
        struct choice ulps = choose_ulps(e, hinted ? hint->exponent : exponents[i]);
        best = ulps.size < best.size ? ulps : best;
    }
    if (front_bits_plan(&e->fronts, e->stream, e->n) && e->fronts.size < best.size) {
        best = (struct choice){CODEC_FRONTS, NUMBER_MAP_PLAIN, e->fronts.size};
    }
    number_map_bits(e->stream, e->n, e->integers);
    struct choice bits =
        choose_integers(e, (struct number_map){.exponent = MAPPING_BITS, .scale = 1});
    if (bits.size <= best.size) {
        return bits;
    }
    return best.codec == CODEC_ULP ? choose_ulps(e, best.map.exponent) : best;
}

static struct choice choose(struct encoder *e)
{
    if (!e->varies) {
        return choose_constant(e->stream[0]);
    }
    struct number_map map;
    if (map_as_before(e, &map) || map_as_decimals(e, &map)) {
        // Literals may have left a constant.
        return e->varies ? choose_integers(e, map) : choose_constant(e->stream[0]);
    }
    return choose_hard(e);
}

/* ---- writing ---- */

static uint8_t *put_constant(const struct encoder *e, const struct choice *choice, uint8_t *out)
{
    uint64_t bits = double_bits(e->stream[0]);
    if (bits == 0) {
        return out;
    }
    if (choice->map.exponent == MAPPING_BITS) {
        for (bits = bits == NAN_BITS ? 0 : bits; bits != 0; bits <<= 8) {
            *out++ = (uint8_t)(bits >> 56);
        }
        return out;
    }
    int64_t integer = number_map_integer(e->stream[0], choice->map.exponent);
    return out + put_uvarint(out, zigzag_encode(integer));
}

static uint8_t *put_ulps(const struct encoder *e, uint8_t *out)
{
    *out++ = (uint8_t)(e->coder.codec | e->second_coder.codec << PAIR_CODEC_BITS);
    return integer_column_put(&e->second_coder, integer_column_put(&e->coder, out));
}

static uint8_t *put_block(const struct encoder *e, const struct choice *choice, uint8_t *out)
{
    bool has_map = !number_map_is_plain(&choice->map);
    *out++ =
        (uint8_t)(choice->codec | (has_map ? HEAD_MAPPING : 0) | (e->has_rows ? HEAD_ROWS : 0));
    if (has_map) {
        out = number_map_put(&choice->map, out);
    }
    if (e->has_rows) {
        out = presence_put(e->kinds, e->values, e->count, out);
    }
    if (e->n == 0) {
        return out;
    }
    switch (choice->codec) {
    case CODEC_CONSTANT:
        return put_constant(e, choice, out);
    case CODEC_RAW:
        for (size_t i = 0; i < e->n; i++, out += 8) {
            put_le64(out, double_bits(e->stream[i]));
        }
        return out;
    case CODEC_ULP:
        return put_ulps(e, out);
    case CODEC_FRONTS:
        return front_bits_put(&e->fronts, e->stream, e->n, out);
    case CODEC_AFFINE:
        return affine_put(&e->affine, out);
    case CODEC_DIFFERENCE:
        *out++ = (uint8_t)e->second_coder.codec;
        return integer_column_put(&e->second_coder, out);
    case CODEC_DICTIONARY:
        return dictionary_put(&e->dictionary, e->n, out);
    default:
        return integer_column_put(&e->coder, out);
    }
}

int column_block_encode(const double *values, const uint64_t *presence, uint32_t count,
    struct column_hint *hint, struct strbuf *out)
{
    return column_block_encode_against(values, presence, count, NULL, hint, out);
}

int column_block_encode_against(const double *values, const uint64_t *presence, uint32_t count,
    const double *reference, struct column_hint *hint, struct strbuf *out)
{
    assert(count > 0 && count <= COLUMN_BLOCK_ROWS_MAX);
    struct encoder e;
    e.hint = hint;
    e.values = values;
    e.reference = reference;
    e.count = count;
    split_rows(&e, presence);
    struct choice choice = {CODEC_CONSTANT, NUMBER_MAP_PLAIN, 0};
    if (e.n > 0) {
        choice = choose(&e);
    }
    size_t room = 1 + rows_size(&e) + choice.size + BITPACK_SLACK;
    uint8_t *start = (uint8_t *)strbuf_reserve(out, room);
    if (start == NULL) {
        return strbuf_error(out);
    }
    uint8_t *end = put_block(&e, &choice, start);
    assert((size_t)(end - start) + BITPACK_SLACK == room);
    assert((size_t)(end - start) <= COLUMN_BLOCK_SIZE_MAX(count));
    strbuf_commit(out, (size_t)(end - start));
    if (hint != NULL && choice.codec != CODEC_CONSTANT) {
        // What leans on another column says nothing of how the column would go alone.
        bool leans = choice.codec == CODEC_DIFFERENCE || choice.codec == CODEC_AFFINE;
        hint->codec = (uint8_t)(leans ? e.coder.codec : choice.codec);
        hint->exponent = choice.map.exponent;
        hint->method = choice.map.method;
    }
    return 0;
}
