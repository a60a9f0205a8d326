/* A queue somebody has damaged, ten thousand times: a byte of one of its files is another one, or a file has lost its
 * end. It always opens; every record that was not touched comes, in order and whole; what was touched is missing or
 * comes as it was, and that something is wrong is said. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "ship/queue.h"
#include "ship/queue_segment.h"
#include "support/fake_clock.h"
#include "support/sim_vfs.h"
#include "support/support.h"

enum {
    ROUNDS = 10000,
    RECORDS = 24,
    PAYLOAD = 60,
    RECORD = QUEUE_RECORD_HEADER + PAYLOAD,
    SEGMENT_RECORDS = 5,
    TAKEN_MAX = 10,
    CURSOR_BYTES = 128,
};

static const char *const cursors[] = {"store"};

static struct queue *open_queue(struct sim_vfs *disk, struct fake_clock *clock)
{
    struct queue *q = NULL;
    const struct queue_options options = {.path = "queue",
        .vfs = sim_vfs_get(disk),
        .clock = &clock->clock,
        .segment_bytes = SEGMENT_RECORDS * RECORD,
        .cursors = cursors,
        .cursor_count = 1};
    assert_int_equal(queue_open(&options, &q, NULL), 0);
    return q;
}

/* Fills a queue and takes the first of it. */
static void prepare(struct sim_vfs *disk, struct fake_clock *clock, uint64_t taken)
{
    struct queue *q = open_queue(disk, clock);
    uint8_t payload[PAYLOAD] = {0};
    for (uint64_t n = 1; n <= RECORDS; n++) {
        put_le64(payload, n);
        assert_int_equal(
            queue_append(q, str_make((char *)payload, PAYLOAD), 10, (int64_t)n, (int64_t)n), 0);
    }
    struct queue_record record;
    for (uint64_t n = 1; n <= taken; n++) {
        assert_int_equal(queue_peek(q, 0, &record), 1);
        queue_advance(q, 0);
    }
    queue_maintain(q);
    queue_close(q);
}

/* Changes bytes `at` to `end` of a file, or cuts it there. */
static void damage(struct sim_vfs *disk, const char *path, uint64_t at, bool cut, uint8_t flip)
{
    struct vfs *fs = sim_vfs_get(disk);
    struct vfs_file *file = NULL;
    assert_int_equal(vfs_open(fs, path, VFS_READWRITE, &file), 0);
    if (cut) {
        assert_int_equal(vfs_truncate(fs, file, at), 0);
    } else {
        uint8_t byte;
        size_t got;
        assert_int_equal(vfs_pread(fs, file, at, &byte, 1, &got), 0);
        assert_int_equal(got, 1);
        byte ^= flip;
        assert_int_equal(vfs_pwrite(fs, file, at, &byte, 1), 0);
    }
    vfs_close(fs, file);
}

struct damaged {
    uint64_t first, last; /* records that were touched; first > last: none */
    bool partly;          /* a piece of a record is left, or a wrong one */
};

/* Damages a segment somewhere, one time in eight the cursor instead. */
static struct damaged damage_something(struct sim_vfs *disk, uint64_t *random, uint64_t taken)
{
    char path[64];
    bool cut = test_random(random) % 2 == 0;
    uint8_t flip = (uint8_t)(1u << test_random(random) % 8);
    if (taken > 0 && test_random(random) % 8 == 0) {
        damage(disk, "queue/store.cursor", test_random(random) % CURSOR_BYTES, cut, flip);
        return (struct damaged){1, 0, false};
    }
    uint64_t n = taken + 1 + test_random(random) % (RECORDS - taken);
    uint64_t first = (n - 1) / SEGMENT_RECORDS * SEGMENT_RECORDS + 1;
    uint64_t last = first + SEGMENT_RECORDS - 1 < RECORDS ? first + SEGMENT_RECORDS - 1 : RECORDS;
    uint64_t offset = test_random(random) % RECORD, at = (n - first) * RECORD + offset;
    snprintf(path, sizeof(path), "queue/%016llx.queue", (unsigned long long)first);
    damage(disk, path, at, cut, flip);
    return (struct damaged){n, cut ? last : n, !cut || offset > 0};
}

static void check(struct queue *q, uint64_t taken, const struct damaged *d)
{
    struct queue_record record;
    struct queue_statistics s;
    uint64_t before = 0;
    bool came[RECORDS + 1] = {false};
    while (queue_peek(q, 0, &record)) {
        uint64_t n = get_le64((const uint8_t *)record.payload.ptr);
        assert_int_equal(record.payload.len, PAYLOAD);
        assert_int_equal(record.sequence, n);
        assert_int_equal(record.samples, 10);
        assert_true(n > before && n <= RECORDS);
        came[n] = true;
        before = n;
        queue_advance(q, 0);
    }
    for (uint64_t n = taken + 1; n <= RECORDS; n++) {
        if (!came[n] && (n < d->first || n > d->last)) {
            fail_msg("record %llu is lost; %llu were taken, %llu to %llu damaged",
                (unsigned long long)n, (unsigned long long)taken, (unsigned long long)d->first,
                (unsigned long long)d->last);
        }
    }
    queue_statistics(q, &s);
    assert_true(!d->partly || s.corrupt_bytes > 0);
    assert_int_equal(s.samples, 0);
}

static void test_any_damage(void **state)
{
    uint64_t random = test_seed();
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct fake_clock clock;
        struct sim_vfs *disk = sim_vfs_new(test_random(&random));
        uint64_t taken = test_random(&random) % (TAKEN_MAX + 1);
        fake_clock_init(&clock, 1000);
        prepare(disk, &clock, taken);
        struct damaged d = damage_something(disk, &random, taken);
        struct queue *q = open_queue(disk, &clock);
        check(q, taken, &d);
        /* It goes on: what is put in now comes out. */
        assert_int_equal(queue_append(q, STR("next"), 1, 1, 1), 0);
        struct queue_record record;
        assert_int_equal(queue_peek(q, 0, &record), 1);
        assert_true(str_eq(record.payload, STR("next")));
        queue_close(q);
        sim_vfs_free(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
