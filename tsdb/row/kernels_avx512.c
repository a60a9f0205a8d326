/* The inner loops for AVX-512: eight 64-bit lanes, unaligned, the last few values one by one.
 *
 * Written in the compiler's vector types rather than in intrinsics, so that the very same lines also
 * compile for machines without AVX-512, with the lanes split among narrower registers: tests include
 * this file with ROW_KERNELS_EMULATED and compare it anywhere. Only loops that are whole lanes of
 * 64 bits are here; bit unpacking, decimals and widths are those of AVX2.
 */
#include "row/kernels.h"

#include <string.h>

#include "base/bytes.h"
#include "row/row_limits.h"

#if defined(__x86_64__)

#ifdef ROW_KERNELS_EMULATED
#define WIDE
#else
#define WIDE __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#endif
#define WIDE_INLINE WIDE inline __attribute__((always_inline))
#define LANES 8

typedef uint64_t lanes __attribute__((vector_size(8 * LANES)));
typedef int64_t signed_lanes __attribute__((vector_size(8 * LANES)));
typedef uint32_t narrow_lanes __attribute__((vector_size(4 * LANES)));

/* Through pointers: how such vectors are passed by value depends on the machine. */
static WIDE_INLINE void load(lanes *v, const void *p)
{
    memcpy(v, p, sizeof(*v));
}

static WIDE_INLINE void store(void *p, const lanes *v)
{
    memcpy(p, v, sizeof(*v));
}

static WIDE_INLINE void load_narrow(lanes *v, const uint32_t *p)
{
    narrow_lanes narrow;
    memcpy(&narrow, p, sizeof(narrow));
    *v = __builtin_convertvector(narrow, lanes);
}

static WIDE_INLINE void decode_zigzag(lanes *v)
{
    *v = (*v >> 1) ^ (0 - (*v & 1));
}

/* Each lane plus those before it, and `sum` on all; `sum` becomes the last lane. */
static WIDE_INLINE void prefix_sum(lanes *v, uint64_t *sum)
{
    const lanes zero = {0};
    *v += __builtin_shufflevector(zero, *v, 0, 8, 9, 10, 11, 12, 13, 14);
    *v += __builtin_shufflevector(zero, *v, 0, 1, 8, 9, 10, 11, 12, 13);
    *v += __builtin_shufflevector(zero, *v, 0, 1, 2, 3, 8, 9, 10, 11);
    *v += *sum;
    *sum = (*v)[LANES - 1];
}

static WIDE_INLINE uint64_t or_of(const lanes *v)
{
    uint64_t any = 0;
    for (int i = 0; i < LANES; i++) {
        any |= (*v)[i];
    }
    return any;
}

static WIDE void add_narrow(const uint32_t *values, size_t count, int64_t base, int64_t *out)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load_narrow(&v, values + i);
        v += (uint64_t)base;
        store(out + i, &v);
    }
    for (; i < count; i++) {
        out[i] = (int64_t)((uint64_t)values[i] + (uint64_t)base);
    }
}

static WIDE int64_t accumulate_narrow(
    const uint32_t *values, size_t count, int64_t start, int64_t step, int64_t *out)
{
    uint64_t sum = (uint64_t)start;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load_narrow(&v, values + i);
        v += (uint64_t)step;
        prefix_sum(&v, &sum);
        store(out + i, &v);
    }
    for (; i < count; i++) {
        sum += (uint64_t)values[i] + (uint64_t)step;
        out[i] = (int64_t)sum;
    }
    return (int64_t)sum;
}

static WIDE int64_t accumulate_zigzag_narrow(
    const uint32_t *values, size_t count, int64_t start, int64_t *out)
{
    uint64_t sum = (uint64_t)start;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load_narrow(&v, values + i);
        decode_zigzag(&v);
        prefix_sum(&v, &sum);
        store(out + i, &v);
    }
    for (; i < count; i++) {
        sum += (uint64_t)zigzag_decode(values[i]);
        out[i] = (int64_t)sum;
    }
    return (int64_t)sum;
}

static WIDE void add(int64_t *values, size_t count, int64_t base)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load(&v, values + i);
        v += (uint64_t)base;
        store(values + i, &v);
    }
    for (; i < count; i++) {
        values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)base);
    }
}

static WIDE void accumulate(int64_t *values, size_t count, int64_t start, int64_t step)
{
    uint64_t sum = (uint64_t)start;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load(&v, values + i);
        v += (uint64_t)step;
        prefix_sum(&v, &sum);
        store(values + i, &v);
    }
    for (; i < count; i++) {
        sum += (uint64_t)values[i] + (uint64_t)step;
        values[i] = (int64_t)sum;
    }
}

static WIDE void accumulate_zigzag(int64_t *values, size_t count, int64_t start)
{
    uint64_t sum = (uint64_t)start;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load(&v, values + i);
        decode_zigzag(&v);
        prefix_sum(&v, &sum);
        store(values + i, &v);
    }
    for (; i < count; i++) {
        sum += (uint64_t)zigzag_decode((uint64_t)values[i]);
        values[i] = (int64_t)sum;
    }
}

static WIDE struct column_scan scan(const double *values, size_t count)
{
    uint64_t first = double_bits(values[0]), differs = 0;
    lanes other = {0}, marked = {0};
    bool stale = false;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load(&v, values + i);
        other |= v ^ first;
        marked |= (lanes)(v == STALE_MARKER_BITS);
    }
    for (; i < count; i++) {
        differs |= double_bits(values[i]) ^ first;
        stale |= double_bits(values[i]) == STALE_MARKER_BITS;
    }
    return (struct column_scan){(differs | or_of(&other)) != 0, stale || or_of(&marked) != 0};
}

static WIDE int64_t minimum(const int64_t *values, size_t count)
{
    int64_t least = values[0];
    size_t i = 0;
    if (count >= LANES) {
        signed_lanes low, v;
        memcpy(&low, values, sizeof(low));
        for (i = LANES; i + LANES <= count; i += LANES) {
            memcpy(&v, values + i, sizeof(v));
            signed_lanes smaller = v < low;
            low = (v & smaller) | (low & ~smaller);
        }
        for (int k = 0; k < LANES; k++) {
            least = low[k] < least ? low[k] : least;
        }
    }
    for (; i < count; i++) {
        least = values[i] < least ? values[i] : least;
    }
    return least;
}

static WIDE void subtract(const int64_t *values, size_t count, int64_t base, uint64_t *out)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load(&v, values + i);
        v -= (uint64_t)base;
        store(out + i, &v);
    }
    for (; i < count; i++) {
        out[i] = (uint64_t)values[i] - (uint64_t)base;
    }
}

static WIDE size_t steps(const int64_t *values, size_t count, int64_t *steps_out)
{
    lanes same = {0}; /* counts down */
    size_t changes = 0, i = 0;
    for (; i + LANES < count; i += LANES) {
        lanes v, next;
        load(&v, values + i);
        load(&next, values + i + 1);
        next -= v;
        store(steps_out + i, &next);
        same += (lanes)(next == 0);
        changes += LANES;
    }
    for (int k = 0; k < LANES; k++) {
        changes -= (size_t)(0 - same[k]);
    }
    for (; i + 1 < count; i++) {
        steps_out[i] = (int64_t)((uint64_t)values[i + 1] - (uint64_t)values[i]);
        changes += steps_out[i] != 0;
    }
    return changes;
}

static WIDE void zigzag(const int64_t *values, size_t count, uint64_t *out)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        signed_lanes v;
        memcpy(&v, values + i, sizeof(v));
        lanes encoded = ((lanes)v << 1) ^ (lanes)(v >> 63);
        store(out + i, &encoded);
    }
    for (; i < count; i++) {
        out[i] = zigzag_encode(values[i]);
    }
}

static WIDE uint64_t differing_bits(const int64_t *values, size_t count)
{
    lanes any = {0};
    uint64_t rest = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes v;
        load(&v, values + i);
        any |= v - (uint64_t)values[0];
    }
    for (; i < count; i++) {
        rest |= (uint64_t)values[i] - (uint64_t)values[0];
    }
    return rest | or_of(&any);
}

/* What eight lanes do; the rest is that of `base`. */
static void widen(struct row_kernels *kernels, const struct row_kernels *base)
{
    *kernels = *base;
    kernels->name = "avx512";
    kernels->add_narrow = add_narrow;
    kernels->accumulate_narrow = accumulate_narrow;
    kernels->accumulate_zigzag_narrow = accumulate_zigzag_narrow;
    kernels->add = add;
    kernels->accumulate = accumulate;
    kernels->accumulate_zigzag = accumulate_zigzag;
    kernels->scan = scan;
    kernels->minimum = minimum;
    kernels->subtract = subtract;
    kernels->steps = steps;
    kernels->zigzag = zigzag;
    kernels->differing_bits = differing_bits;
}

#endif

#ifndef ROW_KERNELS_EMULATED

#if defined(__x86_64__)

static struct row_kernels avx512;
static bool has_avx512;

/* Before main, while there is one thread: the table is read without a lock ever after. */
__attribute__((constructor)) static void find_avx512(void)
{
    __builtin_cpu_init();
    const struct row_kernels *base = row_kernels_avx2();
    has_avx512 = base != NULL && __builtin_cpu_supports("avx512f") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl");
    if (has_avx512) {
        widen(&avx512, base);
    }
}

const struct row_kernels *row_kernels_avx512(void)
{
    return has_avx512 ? &avx512 : NULL;
}

#else

const struct row_kernels *row_kernels_avx512(void)
{
    return NULL;
}

#endif
#endif
