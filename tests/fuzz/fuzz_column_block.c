/* Column blocks: whatever the bytes, decoding stays inside them, the summary and the newest row agree with
 * what was decoded, and decoded values survive being encoded again. The first two bytes are the row count. */
#include <assert.h>

#include "base/bytes.h"
#include "base/err.h"
#include "row/column_block.h"
#include "row/column_newest.h"

static double values[COLUMN_BLOCK_ROWS_MAX];
static double reference[COLUMN_BLOCK_ROWS_MAX];
static double again[COLUMN_BLOCK_ROWS_MAX];
static uint64_t presence[PRESENCE_WORDS(COLUMN_BLOCK_ROWS_MAX)];
static uint64_t presence_again[PRESENCE_WORDS(COLUMN_BLOCK_ROWS_MAX)];

static bool is_sample(uint32_t i)
{
    return (presence[i / 64] >> (i % 64) & 1) != 0 && double_bits(values[i]) != STALE_MARKER_BITS;
}

/* A stream value may be a stale marker in hostile bytes, which the summary counts as a sample; so only
 * what our encoder writes is compared. */
static void check_summary(const struct strbuf *bytes, uint32_t count)
{
    struct column_summary summary;
    int status = column_block_summary(bytes->data, bytes->size, count, &summary);
    assert(status == 0);
    (void)status;
    uint32_t samples = 0;
    for (uint32_t i = 0; i < count; i++) {
        samples += is_sample(i);
    }
    assert(samples == summary.count);
}

static int reference_value(struct column_reference *self, uint32_t row, double *value_out)
{
    (void)self;
    *value_out = reference[row];
    return 1;
}

/* What decodes has the newest row that decoding shows, or it is not known; what does not may have one. */
static void check_newest(const uint8_t *data, size_t size, uint32_t count, uint32_t end, bool valid)
{
    struct column_reference by_row = {reference_value};
    uint32_t row = 0, wanted = end;
    double value = 0;
    int status = column_block_newest(data, size, count, end, &by_row, &row, &value);
    assert(status == 1 || status == 0 || (status == ERR_CORRUPT && !valid));
    assert(status != 1 || row < end);
    while (valid && wanted > 0 && (presence[(wanted - 1) / 64] >> ((wanted - 1) % 64) & 1) == 0) {
        wanted--;
    }
    if (valid && status == 1) {
        assert(wanted > 0 && row == wanted - 1 && memcmp(&value, &values[row], sizeof(value)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    uint32_t count = get_le16(data) % COLUMN_BLOCK_ROWS_MAX + 1;
    struct column_summary summary;
    (void)column_block_summary(data + 2, size - 2, count, &summary);
    for (uint32_t i = 0; i < count; i++) {
        reference[i] = i % 5 == 4 ? double_from_bits(STALE_MARKER_BITS) : 0.25 * i;
    }
    bool valid =
        column_block_decode_against(data + 2, size - 2, count, reference, values, presence) == 0;
    check_newest(data + 2, size - 2, count, count, valid);
    check_newest(data + 2, size - 2, count, (count + 1) / 2, valid);
    if (!valid) {
        return 0;
    }
    struct strbuf bytes = STRBUF_INIT;
    int status = column_block_encode(values, presence, count, NULL, &bytes);
    assert(status == 0 && bytes.size <= COLUMN_BLOCK_SIZE_MAX(count));
    check_summary(&bytes, count);
    status = column_block_decode(bytes.data, bytes.size, count, again, presence_again);
    assert(status == 0);
    assert(memcmp(values, again, count * sizeof(double)) == 0);
    assert(memcmp(presence, presence_again, PRESENCE_WORDS(count) * sizeof(uint64_t)) == 0);
    strbuf_reset(&bytes);
    status = column_block_encode_against(values, presence, count, reference, NULL, &bytes);
    assert(status == 0);
    status = column_block_decode_against(
        bytes.data, bytes.size, count, reference, again, presence_again);
    assert(status == 0);
    assert(memcmp(values, again, count * sizeof(double)) == 0);
    (void)status;
    strbuf_release(&bytes);
    return 0;
}
