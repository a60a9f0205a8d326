/* Any bytes as a segment of the agent's queue that a former run left. The first byte says whether
 * checksums are put right first (odd), so that what lies behind them is reached too. The queue opens,
 * hands out records in order, and accounts for every sample it counted. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "ship/queue_segment.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"

/* Walks records by their lengths and gives each its magic, version and checksum. */
static void mend(uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (size - at >= QUEUE_RECORD_HEADER) {
        size_t length = get_le32(bytes + at + 8);
        if (length > size - at - QUEUE_RECORD_HEADER) {
            break;
        }
        put_le32(bytes + at, QUEUE_RECORD_MAGIC);
        put_le16(bytes + at + 36, QUEUE_SAMPLES);
        put_le16(bytes + at + 38, QUEUE_RECORD_VERSION);
        put_le32(bytes + at + 4, checksum32(bytes + at + 8, QUEUE_RECORD_HEADER - 8 + length));
        at += QUEUE_RECORD_HEADER + length;
    }
}

static void put_file(struct vfs *fs, const uint8_t *bytes, size_t size)
{
    struct vfs_file *file = NULL;
    assert(vfs_mkdir(fs, "queue") == 0);
    assert(vfs_open(fs, "queue/0000000000000001" QUEUE_SUFFIX, VFS_CREATE, &file) == 0);
    assert(vfs_append(fs, file, bytes, size) == 0);
    vfs_close(fs, file);
}

static void read_all(struct queue *q)
{
    struct queue_cursor_statistics before, after;
    struct queue_record record;
    uint64_t last = 0, taken = 0, records = 0;
    queue_cursor_statistics(q, 0, &before);
    while (queue_peek(q, 0, &record)) {
        assert(record.sequence > last && record.payload.len > 0);
        assert(record.min_t <= record.max_t);
        last = record.sequence;
        taken += record.samples;
        records++;
        queue_advance(q, 0);
    }
    queue_cursor_statistics(q, 0, &after);
    assert(after.samples == 0);
    for (size_t i = 0; i < QUEUE_DROP_COUNT; i++) {
        taken += after.dropped_samples[i];
    }
    assert(taken == before.samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const cursors[] = {"a"};
    if (size == 0) {
        return 0;
    }
    struct fake_clock clock;
    struct sim_vfs *disk = sim_vfs_new(1);
    uint8_t *bytes = mem_dup(data + 1, size - 1);
    assert(bytes != NULL);
    if (data[0] % 2 == 1) {
        mend(bytes, size - 1);
    }
    put_file(sim_vfs_get(disk), bytes, size - 1);
    mem_free(bytes);
    fake_clock_init(&clock, 1700000000000);
    struct queue_options options = {.path = "queue",
        .vfs = sim_vfs_get(disk),
        .clock = &clock.clock,
        .cursors = cursors,
        .cursor_count = 1};
    struct queue *q = NULL;
    struct err e = ERR_INIT;
    assert(queue_open(&options, &q, &e) == 0); /* damage never keeps the agent from starting */
    read_all(q);
    assert(queue_append(q, STR("more"), 1, 1, 1) == 0);
    struct queue_record record;
    assert(queue_peek(q, 0, &record) && str_eq(record.payload, STR("more")));
    queue_maintain(q);
    queue_close(q);
    sim_vfs_free(disk);
    return 0;
}
