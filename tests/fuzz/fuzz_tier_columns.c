/* Any bytes as the columns of a tier: labels of a shape, which must split into those of a series and an
 * aggregate or be refused, and cells of a bucket, of which a summary must come that holds together. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tier/tier_columns.h"

enum { PAIRS_MAX = 8 };

/* Counted pairs of sized texts. */
static void check_shape(struct decbuf *d)
{
    struct label pairs[PAIRS_MAX], kept[PAIRS_MAX];
    size_t count = decbuf_u8(d) % (PAIRS_MAX + 1), reserved = 0;
    enum tier_aggregate aggregate = TIER_AGGREGATES;
    for (size_t i = 0; i < count; i++) {
        pairs[i].name = decbuf_sized(d);
        pairs[i].value = decbuf_sized(d);
        reserved += str_eq_c(pairs[i].name, "\xff");
    }
    if (d->failed) {
        return;
    }
    int status = tier_shape_split(pairs, count, kept, &aggregate);
    if (status < 0) {
        assert(status == ERR_CORRUPT);
        return;
    }
    assert((size_t)status == count - reserved && reserved > 0);
    assert(aggregate < TIER_AGGREGATES);
    for (int i = 0; i < status; i++) {
        assert(!str_eq_c(kept[i].name, "\xff"));
    }
}

/* The end, which cells there are, and those. */
static void check_bucket(struct decbuf *d)
{
    struct tier_bucket b = {.end = (int64_t)decbuf_le64(d) / 4};
    struct run_summary s;
    b.present = decbuf_le16(d);
    for (int a = 0; a <= TIER_FIRST_AGE; a++) {
        b.cells[a] = double_from_bits(decbuf_le64(d));
    }
    if (d->failed) {
        return;
    }
    unsigned estimated = tier_restore(&b, &s);
    assert(s.count >= 1);
    assert(s.first_t <= s.last_t && s.last_t <= b.end);
    assert((estimated & ~(unsigned)(RUN_SUM_ESTIMATED | RUN_INCREASE_ESTIMATED)) == 0);
    assert((b.present & TIER_BIT(TIER_SUM)) == 0 || (estimated & RUN_SUM_ESTIMATED) == 0);
    assert((b.present & TIER_BIT(TIER_INCREASE)) == 0 || (estimated & RUN_INCREASE_ESTIMATED) == 0);
    if ((b.present & (TIER_BIT(TIER_MIN) | TIER_BIT(TIER_MAX))) == 0 && !isnan(s.first)) {
        assert(!(s.min > s.max));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decbuf shape = decbuf_of(data, size), bucket = decbuf_of(data, size);
    check_shape(&shape);
    check_bucket(&bucket);
    return 0;
}
