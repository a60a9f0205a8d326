/* The inner loops for AVX2 with FMA and BMI2: four 64-bit lanes, unaligned, the last few values by
 * the portable rules. */
#include "row/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "base/bytes.h"
#include "row/bitpack.h"
#include "row/decimal.h"
#include "row/row_limits.h"

#define AVX2 __attribute__((target("avx2,fma,bmi2,lzcnt,popcnt")))
#define LANES 4

static AVX2 inline __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static AVX2 inline void store(void *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

/* ---- unpacking ---- */

/* Two 16-byte loads, one in each half. */
static AVX2 inline __m256i load_halves(const uint8_t *low, const uint8_t *high)
{
    __m128i a = _mm_loadu_si128((const __m128i *)low);
    __m128i b = _mm_loadu_si128((const __m128i *)high);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
}

/* Where eight values of one width lie: each 32-bit lane selects the four bytes that hold its value
 * and shifts them into place. Values 4..7 begin at byte width / 2, half a byte in where the width is
 * odd. */
struct narrow_lanes {
    __m256i select, shift, mask;
};

static AVX2 inline struct narrow_lanes narrow_lanes(unsigned width)
{
    int half = 4 * (int)(width & 1);
    __m256i bit = _mm256_mullo_epi32(
        _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3), _mm256_set1_epi32((int)width));
    bit = _mm256_add_epi32(bit, _mm256_setr_epi32(0, 0, 0, 0, half, half, half, half));
    __m256i bytes = _mm256_mullo_epi32(_mm256_srli_epi32(bit, 3), _mm256_set1_epi32(0x01010101));
    return (struct narrow_lanes){
        _mm256_add_epi32(bytes, _mm256_set1_epi32(0x03020100)),
        _mm256_and_si256(bit, _mm256_set1_epi32(7)),
        _mm256_set1_epi32((int)bit_mask(width)),
    };
}

static AVX2 inline __m256i unpack_eight(
    const uint8_t *bytes, unsigned width, const struct narrow_lanes *lanes)
{
    __m256i v = _mm256_shuffle_epi8(load_halves(bytes, bytes + width / 2), lanes->select);
    return _mm256_and_si256(_mm256_srlv_epi32(v, lanes->shift), lanes->mask);
}

static AVX2 void unpack_narrow(
    const uint8_t *bytes, size_t count, unsigned width, uint32_t *values_out)
{
    struct narrow_lanes lanes = narrow_lanes(width);
    size_t i = 0;
    for (; i + 8 <= count; i += 8, bytes += width) {
        store(values_out + i, unpack_eight(bytes, width, &lanes));
    }
    uint64_t mask = bit_mask(width);
    for (size_t bit = 0; i < count; i++, bit += width) {
        values_out[i] = (uint32_t)(get_le64(bytes + bit / 8) >> (bit % 8) & mask);
    }
}

static AVX2 void unpack_narrow_to_wide(
    const uint8_t *bytes, size_t groups, unsigned width, uint64_t *values_out)
{
    struct narrow_lanes lanes = narrow_lanes(width);
    for (size_t i = 0; i < groups; i++, bytes += width, values_out += 8) {
        __m256i v = unpack_eight(bytes, width, &lanes);
        store(values_out, _mm256_cvtepu32_epi64(_mm256_castsi256_si128(v)));
        store(values_out + 4, _mm256_cvtepu32_epi64(_mm256_extracti128_si256(v, 1)));
    }
}

/* Selector and shift for four values of which the halves begin `low` and `high` bits into a byte. */
struct wide_lanes {
    __m256i select, shift;
};

static AVX2 inline struct wide_lanes make_lanes(unsigned low, unsigned high, unsigned width)
{
    __m256i bit = _mm256_setr_epi64x(low, low + width, high, high + width);
    __m256i byte = _mm256_srli_epi64(bit, 3);
    __m256i spread =
        _mm256_shuffle_epi8(byte, _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8,
                                      0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8));
    __m256i select = _mm256_add_epi8(spread, _mm256_set1_epi64x(0x0706050403020100));
    return (struct wide_lanes){select, _mm256_and_si256(bit, _mm256_set1_epi64x(7))};
}

/* Eight values at a time in 64-bit lanes, width at most 57, two to a 16-byte load. */
static AVX2 void unpack_wide(
    const uint8_t *bytes, size_t groups, unsigned width, uint64_t *values_out)
{
    unsigned at[4];
    unsigned bit[4];
    for (unsigned pair = 0; pair < 4; pair++) {
        at[pair] = 2 * pair * width / 8;
        bit[pair] = 2 * pair * width % 8;
    }
    struct wide_lanes first = make_lanes(bit[0], bit[1], width);
    struct wide_lanes second = make_lanes(bit[2], bit[3], width);
    __m256i mask = _mm256_set1_epi64x((int64_t)bit_mask(width));
    for (size_t i = 0; i < groups; i++) {
        __m256i v = _mm256_shuffle_epi8(load_halves(bytes + at[0], bytes + at[1]), first.select);
        store(values_out, _mm256_and_si256(_mm256_srlv_epi64(v, first.shift), mask));
        v = _mm256_shuffle_epi8(load_halves(bytes + at[2], bytes + at[3]), second.select);
        store(values_out + 4, _mm256_and_si256(_mm256_srlv_epi64(v, second.shift), mask));
        bytes += width;
        values_out += 8;
    }
}

static AVX2 void unpack(const uint8_t *bytes, size_t count, unsigned width, uint64_t *values_out)
{
    size_t groups = count / 8;
    if (width <= NARROW_BITS_MAX) {
        unpack_narrow_to_wide(bytes, groups, width, values_out);
    } else {
        unpack_wide(bytes, groups, width, values_out);
    }
    uint64_t mask = bit_mask(width);
    size_t bit = 8 * groups * width;
    for (size_t i = 8 * groups; i < count; i++, bit += width) {
        values_out[i] = get_le64(bytes + bit / 8) >> (bit % 8) & mask;
    }
}

/* ---- sums ---- */

static AVX2 void add(int64_t *values, size_t count, int64_t base)
{
    __m256i b = _mm256_set1_epi64x(base);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        store(values + i, _mm256_add_epi64(load(values + i), b));
    }
    for (; i < count; i++) {
        values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)base);
    }
}

static AVX2 void add_narrow(const uint32_t *values, size_t count, int64_t base, int64_t *out)
{
    __m256i b = _mm256_set1_epi64x(base);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i v = load(values + i);
        __m256i low = _mm256_cvtepu32_epi64(_mm256_castsi256_si128(v));
        __m256i high = _mm256_cvtepu32_epi64(_mm256_extracti128_si256(v, 1));
        store(out + i, _mm256_add_epi64(low, b));
        store(out + i + 4, _mm256_add_epi64(high, b));
    }
    for (; i < count; i++) {
        out[i] = (int64_t)((uint64_t)values[i] + (uint64_t)base);
    }
}

/* Sums of the 32-bit lanes 0..i in each lane i. */
static AVX2 inline __m256i prefix_sum_narrow(__m256i v)
{
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
    __m256i low_total = _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(3));
    __m256i upper = _mm256_blend_epi32(_mm256_setzero_si256(), low_total, 0xf0);
    return _mm256_add_epi32(v, upper);
}

/* Both halves of signed 32-bit sums, widened, and their total in every lane. */
struct widened {
    __m256i low, high, total;
};

static AVX2 inline struct widened widen(__m256i v)
{
    __m128i high = _mm256_extracti128_si256(v, 1);
    return (struct widened){_mm256_cvtepi32_epi64(_mm256_castsi256_si128(v)),
        _mm256_cvtepi32_epi64(high), _mm256_cvtepi32_epi64(_mm_shuffle_epi32(high, 0xff))};
}

static AVX2 int64_t accumulate_narrow(
    const uint32_t *values, size_t count, int64_t start, int64_t step, int64_t *out)
{
    uint64_t s = (uint64_t)step;
    __m256i ramp =
        _mm256_setr_epi64x((int64_t)s, (int64_t)(2 * s), (int64_t)(3 * s), (int64_t)(4 * s));
    __m256i sum = _mm256_set1_epi64x(start);
    __m256i four = _mm256_set1_epi64x((int64_t)(4 * s));
    __m256i eight = _mm256_set1_epi64x((int64_t)(8 * s));
    size_t i = 0;
    // The total is widened apart from the running sum, so that the chain is one addition long.
    for (; i + 8 <= count; i += 8) {
        struct widened w = widen(prefix_sum_narrow(load(values + i)));
        __m256i base = _mm256_add_epi64(sum, ramp);
        store(out + i, _mm256_add_epi64(w.low, base));
        store(out + i + 4, _mm256_add_epi64(w.high, _mm256_add_epi64(base, four)));
        sum = _mm256_add_epi64(sum, _mm256_add_epi64(w.total, eight));
    }
    uint64_t rest = (uint64_t)_mm256_extract_epi64(sum, 0);
    for (; i < count; i++) {
        rest += (uint64_t)values[i] + s;
        out[i] = (int64_t)rest;
    }
    return (int64_t)rest;
}

static AVX2 int64_t accumulate_zigzag_narrow(
    const uint32_t *values, size_t count, int64_t start, int64_t *out)
{
    __m256i sum = _mm256_set1_epi64x(start);
    __m256i one = _mm256_set1_epi32(1);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i v = load(values + i);
        __m256i sign = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_and_si256(v, one));
        v = _mm256_xor_si256(_mm256_srli_epi32(v, 1), sign);
        struct widened w = widen(prefix_sum_narrow(v));
        store(out + i, _mm256_add_epi64(w.low, sum));
        store(out + i + 4, _mm256_add_epi64(w.high, sum));
        sum = _mm256_add_epi64(sum, w.total);
    }
    uint64_t rest = (uint64_t)_mm256_extract_epi64(sum, 0);
    for (; i < count; i++) {
        rest += (uint64_t)zigzag_decode(values[i]);
        out[i] = (int64_t)rest;
    }
    return (int64_t)rest;
}

/* Sums of lanes 0..i in each lane i. */
static AVX2 inline __m256i prefix_sum(__m256i v)
{
    v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));
    __m256i low_total = _mm256_permute4x64_epi64(v, _MM_SHUFFLE(1, 1, 1, 1));
    __m256i upper = _mm256_blend_epi32(_mm256_setzero_si256(), low_total, 0xf0);
    return _mm256_add_epi64(v, upper);
}

static AVX2 inline __m256i last_lane(__m256i v)
{
    return _mm256_permute4x64_epi64(v, _MM_SHUFFLE(3, 3, 3, 3));
}

static AVX2 inline __m256i unzigzag(__m256i v)
{
    __m256i sign =
        _mm256_sub_epi64(_mm256_setzero_si256(), _mm256_and_si256(v, _mm256_set1_epi64x(1)));
    return _mm256_xor_si256(_mm256_srli_epi64(v, 1), sign);
}

static AVX2 void accumulate(int64_t *values, size_t count, int64_t start, int64_t step)
{
    __m256i sum = _mm256_set1_epi64x(start);
    __m256i s = _mm256_set1_epi64x(step);
    size_t i = 0;
    // The total is broadcast apart from the running sum, so that the chain is one addition long.
    for (; i + LANES <= count; i += LANES) {
        __m256i v = prefix_sum(_mm256_add_epi64(load(values + i), s));
        store(values + i, _mm256_add_epi64(v, sum));
        sum = _mm256_add_epi64(sum, last_lane(v));
    }
    uint64_t rest = (uint64_t)_mm256_extract_epi64(sum, 0);
    for (; i < count; i++) {
        rest += (uint64_t)values[i] + (uint64_t)step;
        values[i] = (int64_t)rest;
    }
}

static AVX2 void accumulate_zigzag(int64_t *values, size_t count, int64_t start)
{
    __m256i sum = _mm256_set1_epi64x(start);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m256i v = prefix_sum(unzigzag(load(values + i)));
        store(values + i, _mm256_add_epi64(v, sum));
        sum = _mm256_add_epi64(sum, last_lane(v));
    }
    uint64_t rest = (uint64_t)_mm256_extract_epi64(sum, 0);
    for (; i < count; i++) {
        rest += (uint64_t)zigzag_decode((uint64_t)values[i]);
        values[i] = (int64_t)rest;
    }
}

/* ---- doubles ---- */

/* int64 to double, rounded once: the high 48 bits and the low 16 ... 52 each become an exact double
 * by way of the mantissa of a power of two, and one addition joins them. */
static AVX2 inline __m256d to_double(__m256i v)
{
    const __m256d high_bias = _mm256_set1_pd(0x1.8p68);
    const __m256d both_bias = _mm256_set1_pd(0x1.8p68 + 0x1p52);
    __m256i high = _mm256_blend_epi16(_mm256_srai_epi32(v, 16), _mm256_setzero_si256(), 0x33);
    high = _mm256_add_epi64(high, _mm256_castpd_si256(high_bias));
    __m256i low = _mm256_blend_epi16(v, _mm256_castpd_si256(_mm256_set1_pd(0x1p52)), 0x88);
    return _mm256_add_pd(
        _mm256_sub_pd(_mm256_castsi256_pd(high), both_bias), _mm256_castsi256_pd(low));
}

/* The factors of a decimal in every lane. */
struct decimal_lanes {
    __m256d power, half_power, inverse;
};

static AVX2 inline struct decimal_lanes decimal_lanes(unsigned exponent)
{
    return (struct decimal_lanes){_mm256_set1_pd(power_of_ten[exponent]),
        _mm256_set1_pd(power_of_ten[exponent / 2]), _mm256_set1_pd(inverse_power[exponent])};
}

/* decimal_value in lanes. */
static AVX2 inline __m256d decimal_in_lanes(
    __m256d integer, unsigned method, unsigned exponent, const struct decimal_lanes *f)
{
    switch (method) {
    case METHOD_QUOTIENT:
        return _mm256_div_pd(integer, f->power);
    case METHOD_PRODUCT:
        return _mm256_mul_pd(integer, f->inverse);
    case METHOD_HALVES:
        return _mm256_div_pd(_mm256_div_pd(integer, f->half_power), f->half_power);
    default:
        break;
    }
    if (exponent == 0) {
        return integer;
    }
    __m256d q = _mm256_mul_pd(integer, f->inverse);
    __m256d rest = _mm256_fnmadd_pd(q, f->power, integer);
    return _mm256_fmadd_pd(rest, f->inverse, q);
}

/* `method`, `exponent` and `scaled` are constants at each call, so that every combination gets a loop
 * without branches. */
static AVX2 inline __attribute__((always_inline)) size_t convert(const struct number_map *map,
    unsigned method, unsigned exponent, bool scaled, const int64_t *integers, size_t count,
    double *values_out)
{
    struct decimal_lanes factors = decimal_lanes(map->exponent);
    __m256d scale = _mm256_set1_pd((double)map->scale);
    __m256d remainder = _mm256_set1_pd((double)map->remainder);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m256d v = to_double(load(integers + i));
        v = scaled ? _mm256_add_pd(_mm256_mul_pd(v, scale), remainder) : v;
        _mm256_storeu_pd(values_out + i, decimal_in_lanes(v, method, exponent, &factors));
    }
    return i;
}

static AVX2 void to_doubles(
    const struct number_map *map, const int64_t *integers, size_t count, double *values_out)
{
    bool scaled = map->scale != 1;
    size_t i;
    if (map->exponent == 0) {
        i = scaled ? convert(map, METHOD_RECIPROCAL, 0, true, integers, count, values_out)
                   : convert(map, METHOD_RECIPROCAL, 0, false, integers, count, values_out);
    } else if (map->method == METHOD_RECIPROCAL) {
        i = scaled ? convert(map, METHOD_RECIPROCAL, 1, true, integers, count, values_out)
                   : convert(map, METHOD_RECIPROCAL, 1, false, integers, count, values_out);
    } else {
        i = convert(map, map->method, 1, true, integers, count, values_out);
    }
    double scale = (double)map->scale;
    double remainder = (double)map->remainder;
    for (; i < count; i++) {
        double integer = (double)integers[i] * scale + remainder;
        values_out[i] = decimal_value(integer, map->method, map->exponent);
    }
}

static AVX2 void fill(double *values_out, size_t count, double value)
{
    __m256d v = _mm256_set1_pd(value);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        _mm256_storeu_pd(values_out + i, v);
    }
    for (; i < count; i++) {
        values_out[i] = value;
    }
}

static AVX2 struct column_scan scan(const double *values, size_t count)
{
    uint64_t first_bits = double_bits(values[0]);
    __m256i first = _mm256_set1_epi64x((int64_t)first_bits);
    __m256i marker = _mm256_set1_epi64x((int64_t)STALE_MARKER_BITS);
    __m256i differs = _mm256_setzero_si256();
    __m256i stale = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m256i v = load(values + i);
        differs = _mm256_or_si256(differs, _mm256_xor_si256(v, first));
        stale = _mm256_or_si256(stale, _mm256_cmpeq_epi64(v, marker));
    }
    struct column_scan result = {
        _mm256_testz_si256(differs, differs) == 0, _mm256_testz_si256(stale, stale) == 0};
    for (; i < count; i++) {
        result.varies |= double_bits(values[i]) != first_bits;
        result.stale |= double_bits(values[i]) == STALE_MARKER_BITS;
    }
    return result;
}

/* Integers of four values, by rounding and the mantissa of 1.5 * 2^52; all ones in the lanes that are
 * exact. Beyond 2^51 a lane counts as not exact here, which the portable rule then decides. */
static AVX2 inline __m256i exact_lanes(__m256d v, unsigned method, unsigned exponent,
    const struct decimal_lanes *factors, __m256i *integers_out)
{
    const __m256d bias = _mm256_set1_pd(0x1.8p52);
    __m256d scaled = _mm256_mul_pd(v, factors->power);
    __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), scaled);
    __m256d in_range = _mm256_cmp_pd(size, _mm256_set1_pd(0x1p51), _CMP_LT_OQ);
    __m256d integer = _mm256_round_pd(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    // Adding zero makes -0 the +0 that an integer becomes.
    integer = _mm256_add_pd(integer, _mm256_setzero_pd());
    *integers_out = _mm256_sub_epi64(
        _mm256_castpd_si256(_mm256_add_pd(integer, bias)), _mm256_castpd_si256(bias));
    __m256d back = decimal_in_lanes(integer, method, exponent, factors);
    __m256i same = _mm256_cmpeq_epi64(_mm256_castpd_si256(back), _mm256_castpd_si256(v));
    return _mm256_and_si256(same, _mm256_castpd_si256(in_range));
}

static AVX2 size_t to_integers(
    const double *values, size_t count, unsigned method, unsigned exponent, int64_t *integers_out)
{
    struct decimal_lanes factors = decimal_lanes(exponent);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m256i integers;
        __m256i exact =
            exact_lanes(_mm256_loadu_pd(values + i), method, exponent, &factors, &integers);
        store(integers_out + i, integers);
        if (_mm256_movemask_epi8(exact) == -1) {
            continue;
        }
        for (size_t k = i; k < i + LANES; k++) {
            if (!decimal_exact(values[k], method, exponent, &integers_out[k])) {
                return k;
            }
        }
    }
    while (i < count && decimal_exact(values[i], method, exponent, &integers_out[i])) {
        i++;
    }
    return i;
}

/* ---- residuals ---- */

static AVX2 int64_t minimum(const int64_t *values, size_t count)
{
    int64_t least = values[0];
    size_t i = 0;
    if (count >= LANES) {
        __m256i m = load(values);
        for (i = LANES; i + LANES <= count; i += LANES) {
            __m256i v = load(values + i);
            m = _mm256_blendv_epi8(m, v, _mm256_cmpgt_epi64(m, v));
        }
        int64_t lanes[LANES];
        store(lanes, m);
        for (size_t k = 0; k < LANES; k++) {
            least = lanes[k] < least ? lanes[k] : least;
        }
    }
    for (; i < count; i++) {
        least = values[i] < least ? values[i] : least;
    }
    return least;
}

static AVX2 void subtract(const int64_t *values, size_t count, int64_t base, uint64_t *out)
{
    __m256i b = _mm256_set1_epi64x(base);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        store(out + i, _mm256_sub_epi64(load(values + i), b));
    }
    for (; i < count; i++) {
        out[i] = (uint64_t)values[i] - (uint64_t)base;
    }
}

static AVX2 size_t steps(const int64_t *values, size_t count, int64_t *steps_out)
{
    __m256i unchanged = _mm256_setzero_si256(); // minus the number of zeros in each lane
    size_t i = 0;
    for (; i + LANES < count; i += LANES) {
        __m256i step = _mm256_sub_epi64(load(values + i + 1), load(values + i));
        unchanged = _mm256_add_epi64(unchanged, _mm256_cmpeq_epi64(step, _mm256_setzero_si256()));
        store(steps_out + i, step);
    }
    int64_t lanes[LANES];
    store(lanes, unchanged);
    size_t changes = i + (size_t)(lanes[0] + lanes[1] + lanes[2] + lanes[3]);
    for (; i + 1 < count; i++) {
        steps_out[i] = (int64_t)((uint64_t)values[i + 1] - (uint64_t)values[i]);
        changes += steps_out[i] != 0;
    }
    return changes;
}

static AVX2 void zigzag(const int64_t *values, size_t count, uint64_t *out)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m256i v = load(values + i);
        __m256i sign = _mm256_cmpgt_epi64(_mm256_setzero_si256(), v);
        store(out + i, _mm256_xor_si256(_mm256_slli_epi64(v, 1), sign));
    }
    for (; i < count; i++) {
        out[i] = zigzag_encode(values[i]);
    }
}

/* The bits of eight values below 2^31, by the exponent of the float. The bit below the highest is
 * cleared first, so that rounding cannot carry into the next power of two. */
static AVX2 inline __m256i narrow_widths(__m256i v)
{
    v = _mm256_andnot_si256(_mm256_srli_epi32(v, 1), v);
    __m256i exponent = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(v)), 23);
    return _mm256_subs_epu16(exponent, _mm256_set1_epi32(126)); // 0 stays 0
}

/* Eight 64-bit values below 2^32 to 32-bit lanes, in some order. */
static AVX2 inline __m256i narrow_eight(const uint64_t *values)
{
    __m256 low = _mm256_castsi256_ps(load(values));
    __m256 high = _mm256_castsi256_ps(load(values + 4));
    return _mm256_castps_si256(_mm256_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0)));
}

static AVX2 inline __m256i widths_of_32(const uint64_t *values)
{
    __m256i a = _mm256_packs_epi32(
        narrow_widths(narrow_eight(values)), narrow_widths(narrow_eight(values + 8)));
    __m256i b = _mm256_packs_epi32(
        narrow_widths(narrow_eight(values + 16)), narrow_widths(narrow_eight(values + 24)));
    return _mm256_packus_epi16(a, b);
}

static AVX2 bool all_below_2_31(const uint64_t *values, size_t count)
{
    __m256i any = _mm256_setzero_si256();
    uint64_t rest = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        any = _mm256_or_si256(any, load(values + i));
    }
    for (; i < count; i++) {
        rest |= values[i];
    }
    return rest >> 31 == 0 && _mm256_testz_si256(any, _mm256_set1_epi64x(~0x7fffffffll)) != 0;
}

static AVX2 unsigned widths(const uint64_t *values, size_t count, uint8_t *widths_out)
{
    bool narrow = all_below_2_31(values, count);
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < count; i += KERNEL_WIDTHS_STEP) {
        __m256i w;
        size_t left = count - i;
        if (left >= 32 && narrow) {
            w = widths_of_32(values + i);
        } else if (narrow) {
            uint64_t padded[32] = {0};
            memcpy(padded, values + i, left * sizeof(padded[0]));
            w = widths_of_32(padded);
        } else {
            uint8_t bytes[32] = {0};
            for (size_t k = 0; k < 32 && k < left; k++) {
                bytes[k] = (uint8_t)(64 - _lzcnt_u64(values[i + k]));
            }
            w = load(bytes);
        }
        store(widths_out + i, w);
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(w, _mm256_setzero_si256()));
    }
    uint64_t lanes[LANES];
    store(lanes, sum);
    return (unsigned)(lanes[0] + lanes[1] + lanes[2] + lanes[3]);
}

static AVX2 inline unsigned largest_byte(__m256i v)
{
    __m128i m = _mm_max_epu8(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epu8(m, _mm_srli_si128(m, 8));
    m = _mm_max_epu8(m, _mm_srli_si128(m, 4));
    m = _mm_max_epu8(m, _mm_srli_si128(m, 2));
    m = _mm_max_epu8(m, _mm_srli_si128(m, 1));
    return (unsigned)_mm_extract_epi8(m, 0);
}

static AVX2 inline unsigned count_above(__m256i v, __m256i limit)
{
    return (unsigned)__builtin_popcount(
        (unsigned)_mm256_movemask_epi8(_mm256_cmpgt_epi8(v, limit)));
}

/* Small blocks are common: one vector of widths does. */
static AVX2 unsigned count_wider_of_32(__m256i v, uint8_t *wider_out)
{
    unsigned widest = largest_byte(v);
    for (unsigned width = 0; width < widest; width++) {
        wider_out[width] = (uint8_t)count_above(v, _mm256_set1_epi8((char)width));
    }
    return widest;
}

static AVX2 unsigned count_wider(const uint8_t *widths_in, size_t count, uint8_t *wider_out)
{
    __m256i a = load(widths_in);
    if (count <= 32) {
        return count_wider_of_32(a, wider_out);
    }
    __m256i b = load(widths_in + 32);
    __m256i c = count > 64 ? load(widths_in + 64) : _mm256_setzero_si256();
    __m256i d = count > 96 ? load(widths_in + 96) : _mm256_setzero_si256();
    unsigned widest = largest_byte(_mm256_max_epu8(_mm256_max_epu8(a, b), _mm256_max_epu8(c, d)));
    for (unsigned width = 0; width < widest; width++) {
        __m256i limit = _mm256_set1_epi8((char)width);
        wider_out[width] = (uint8_t)(count_above(a, limit) + count_above(b, limit) +
                                     count_above(c, limit) + count_above(d, limit));
    }
    return widest;
}

static AVX2 uint64_t differing_bits(const int64_t *values, size_t count)
{
    __m256i first = _mm256_set1_epi64x(values[0]);
    __m256i any = _mm256_setzero_si256();
    uint64_t rest = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        any = _mm256_or_si256(any, _mm256_sub_epi64(load(values + i), first));
    }
    for (; i < count; i++) {
        rest |= (uint64_t)values[i] - (uint64_t)values[0];
    }
    uint64_t lanes[LANES];
    store(lanes, any);
    return rest | lanes[0] | lanes[1] | lanes[2] | lanes[3];
}

static const struct row_kernels avx2 = {
    .name = "avx2",
    .unpack = unpack,
    .unpack_narrow = unpack_narrow,
    .add_narrow = add_narrow,
    .accumulate_narrow = accumulate_narrow,
    .accumulate_zigzag_narrow = accumulate_zigzag_narrow,
    .add = add,
    .accumulate = accumulate,
    .accumulate_zigzag = accumulate_zigzag,
    .to_doubles = to_doubles,
    .fill = fill,
    .scan = scan,
    .to_integers = to_integers,
    .minimum = minimum,
    .subtract = subtract,
    .steps = steps,
    .zigzag = zigzag,
    .widths = widths,
    .count_wider = count_wider,
    .differing_bits = differing_bits,
};

const struct row_kernels *row_kernels_avx2(void)
{
    // Every processor with AVX2 and BMI2 has LZCNT and POPCNT, which not all compilers can ask for.
    bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2");
    return has ? &avx2 : NULL;
}

#else

const struct row_kernels *row_kernels_avx2(void)
{
    return NULL;
}

#endif
