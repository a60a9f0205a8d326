/* Columns that lean on others: chains longer than the limit, sums of two, references with gaps, and
 * what becomes of bytes that lie. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "model/sample.h"
#include "part/part.h"
#include "part/part_page.h"
#include "row/column_block.h"
#include "support/sim_vfs.h"
#include "support/support.h"

#define PATH "data/raw/p-1"

enum { TABLES = 3, ROWS = 600, CHAIN = 12, COLUMNS = CHAIN + 8 };

/* Columns behind the chain. */
enum { FREE = CHAIN, USED, TOTAL, GAPPY, ON_GAPPY, ODD, ON_ODD, HISTOGRAMS };

struct source {
    struct part_source source;
    struct part_table tables[TABLES];
    struct column columns[COLUMNS];
    int64_t times[ROWS];
    double values[TABLES][COLUMNS][ROWS];
    uint64_t presence[TABLES][COLUMNS][PRESENCE_WORDS(ROWS)];
    struct str histograms[ROWS];
    const struct labels *targets[TABLES], *shapes[COLUMNS];
};

static const struct labels *target_labels(struct part_source *source, uint32_t target)
{
    return ((struct source *)source)->targets[target];
}

static const struct labels *shape_labels(struct part_source *source, uint32_t shape)
{
    return ((struct source *)source)->shapes[shape];
}

static int cells(struct part_source *source, uint32_t table, uint32_t column,
    struct part_cells *cells_out, struct err *e)
{
    struct source *s = (struct source *)source;
    *cells_out = (struct part_cells){s->presence[table][column], s->values[table][column],
        s->columns[column].kind == COLUMN_HISTOGRAM ? s->histograms : NULL};
    return 0;
}

static const struct part_source_ops ops = {
    .target_labels = target_labels, .shape_labels = shape_labels, .cells = cells};

/* Values of 20 bits that are another column's plus at most a few, or have nothing to do with it. */
static void fill_row(struct source *s, uint32_t t, uint32_t row, uint64_t *random)
{
    double *column[COLUMNS];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        column[c] = &s->values[t][c][row];
        *column[c] = (double)(test_random(random) % 1000000);
    }
    for (uint32_t c = 1; c < CHAIN; c++) {
        *column[c] = *column[c - 1] + (double)(test_random(random) % 4);
    }
    *column[TOTAL] = *column[FREE] + *column[USED];
    *column[ON_GAPPY] = *column[GAPPY] + 7;
    *column[ON_ODD] = *column[ODD] - 1000;
    const double odd[] = {NAN, INFINITY, -INFINITY, -0.0, 1e300, 0.3, value_stale_marker()};
    if (row % 50 == 49) {
        *column[ODD] = odd[row / 50 % 7];
    }
    if (row % 70 == 69) {
        *column[ON_ODD] = odd[row / 70 % 7];
    }
    for (uint32_t c = 0; c < COLUMNS; c++) {
        bool gap = (c == GAPPY && row % 9 < 2) || (c == ON_GAPPY && row % 11 == 3) ||
                   (c == 3 && row > 100 && row < 140);
        s->presence[t][c][row / 64] |= (uint64_t)!gap << (row % 64);
    }
}

static struct source *source_new(uint64_t seed)
{
    struct source *s = mem_calloc(1, sizeof(*s));
    uint64_t random = seed;
    for (uint32_t c = 0; c < COLUMNS; c++) {
        char name[16];
        snprintf(name, sizeof(name), "m%02u", c);
        struct label pair = {STR("__name__"), str_of(name)};
        assert_int_equal(labels_new(&pair, 1, &s->shapes[c], NULL), 0);
        s->columns[c] = (struct column){c, c == HISTOGRAMS ? COLUMN_HISTOGRAM : COLUMN_FLOAT};
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        s->times[row] = 1700000000000 + (int64_t)row * 15000;
        s->histograms[row] = STR("bytes");
    }
    for (uint32_t t = 0; t < TABLES; t++) {
        char name[16];
        snprintf(name, sizeof(name), "host-%u", t);
        struct label pair = {STR("instance"), str_of(name)};
        assert_int_equal(labels_new(&pair, 1, &s->targets[t], NULL), 0);
        s->tables[t] = (struct part_table){.target = t,
            .column_count = COLUMNS,
            .row_count = ROWS,
            .columns = s->columns,
            .times = s->times};
        for (uint32_t row = 0; row < ROWS; row++) {
            fill_row(s, t, row, &random);
        }
    }
    s->source = (struct part_source){.ops = &ops, .tables = s->tables, .table_count = TABLES};
    return s;
}

static void source_free(struct source *s)
{
    for (uint32_t c = 0; c < COLUMNS; c++) {
        labels_unref(s->shapes[c]);
    }
    for (uint32_t t = 0; t < TABLES; t++) {
        labels_unref(s->targets[t]);
    }
    mem_free(s);
}

static struct part *write_and_open(
    struct source *s, struct sim_vfs *disk, struct part_cache *cache, struct part_info *info)
{
    struct part_origin origin = {.sequence = 1};
    struct part *p = NULL;
    assert_int_equal(vfs_mkdir_all(sim_vfs_get(disk), "data/raw"), 0);
    assert_int_equal(part_write(sim_vfs_get(disk), PATH, &s->source, &origin, info, NULL), 0);
    assert_int_equal(part_open(sim_vfs_get(disk), PATH, cache, &p, NULL), 0);
    return p;
}

static void compare(struct source *s, struct part *p, struct part_buffer *b, uint32_t t, uint32_t c)
{
    size_t count = 0, at = 0;
    assert_int_equal(part_read(p, 0, t, c, INT64_MIN, INT64_MAX, b, &count, NULL), 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        if ((s->presence[t][c][row / 64] >> (row % 64) & 1) == 0) {
            continue;
        }
        assert_true(at < count);
        assert_int_equal(b->times[at], s->times[row]);
        if (c != HISTOGRAMS) {
            assert_int_equal(double_bits(b->values[at]), double_bits(s->values[t][c][row]));
        }
        at++;
    }
    assert_int_equal(at, count);
}

/* Whatever was read before, and with a cache or without. */
static void test_reads_in_any_order(void **state)
{
    uint64_t random = test_seed();
    struct source *s = source_new(random);
    struct sim_vfs *disk = sim_vfs_new(1);
    for (int cached = 0; cached < 2; cached++) {
        struct part_cache *cache = NULL;
        struct part_buffer b;
        struct part_info info;
        assert_int_equal(cached ? part_cache_new(1 << 20, &cache) : 0, 0);
        struct part *p = write_and_open(s, disk, cache, &info);
        part_buffer_init(&b);
        for (uint32_t t = 0; t < TABLES; t++) {
            for (uint32_t c = 0; c < COLUMNS; c++) {
                compare(s, p, &b, t, c);
            }
        }
        for (uint32_t i = 0; i < 300; i++) {
            compare(s, p, &b, (uint32_t)(test_random(&random) % TABLES),
                (uint32_t)(test_random(&random) % COLUMNS));
        }
        part_buffer_release(&b);
        part_unref(p);
        part_cache_free(cache);
    }
    sim_vfs_free(disk);
    source_free(s);
}

/* The newest sample up to a row, asked without anything having been read, or after a few reads. Leaning
 * columns are followed to what they lean on; where that has no decimal only decoding can tell. */
static void test_newest(void **state)
{
    uint64_t random = test_seed();
    struct source *s = source_new(random);
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    struct part *p = write_and_open(s, disk, NULL, &info);
    unsigned known = 0, unknown = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t t = (uint32_t)(test_random(&random) % TABLES);
        uint32_t c = (uint32_t)(test_random(&random) % COLUMNS);
        uint32_t end = 1 + (uint32_t)(test_random(&random) % ROWS), wanted = end;
        struct part_buffer b;
        size_t count = 0;
        int64_t time = 0;
        double value = 0;
        struct err e = ERR_INIT;
        part_buffer_init(&b);
        if (i % 8 == 0) {
            compare(s, p, &b, t, (uint32_t)(test_random(&random) % COLUMNS));
        }
        int status = part_read_newest(
            p, 0, t, c, INT64_MIN, s->times[end - 1] + 100, &b, &count, &time, &value, &e);
        assert_string_equal(e.message, "");
        assert_true(status == 0 || (status == 1 && c != HISTOGRAMS));
        while (
            wanted > 0 && (s->presence[t][c][(wanted - 1) / 64] >> ((wanted - 1) % 64) & 1) == 0) {
            wanted--;
        }
        if (status == 1 && wanted > 0) {
            assert_int_equal(count, 1);
            assert_int_equal(time, s->times[wanted - 1]);
            assert_int_equal(double_bits(value), double_bits(s->values[t][c][wanted - 1]));
        }
        known += status == 1;
        unknown += status == 0 && c != HISTOGRAMS;
        assert_true(status == 1 || c == HISTOGRAMS || c == ON_ODD || c == ON_GAPPY || wanted == 0);
        part_buffer_release(&b);
    }
    assert_true(unknown > 0 && known > 10 * unknown);
    part_unref(p);
    sim_vfs_free(disk);
    source_free(s);
}

/* Of 20 columns three are free to take any of a million values, twice two thirds of the gappy and the
 * odd; the chain begins anew once in six. All others cost a few bits a row. */
static void test_leaning_pays(void **state)
{
    struct source *s = source_new(test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    part_unref(write_and_open(s, disk, NULL, &info));
    const double free_columns = 3 + 2, chain_starts = 3, bits = 20;
    double most = TABLES * ROWS * ((free_columns + chain_starts) * bits + COLUMNS * 4) / 8;
    double alone = TABLES * ROWS * (COLUMNS - 1) * bits / 8;
    print_message("%llu bytes, alone %.0f, expected at most %.0f\n",
        (unsigned long long)info.file_bytes, alone, most);
    assert_true((double)info.file_bytes < most);
    assert_true(most < alone * 0.7);
    sim_vfs_free(disk);
    source_free(s);
}

/* The plan itself: earlier columns, none of histograms, chains within the limit. */
static void test_plan_keeps_the_rules(void **state)
{
    struct source *s = source_new(test_seed());
    struct part_references references[COLUMNS];
    struct part_schema schema = {s->columns, COLUMNS};
    uint32_t order[COLUMNS], depth[COLUMNS] = {0}, deepest = 0;
    for (uint32_t c = 0; c < COLUMNS; c++) {
        order[c] = c;
    }
    struct part_piece piece = {0, 0, 0, ROWS, order};
    struct part_plan_group group = {0, 1, &piece, NULL, s->times[0], s->times[ROWS - 1]};
    assert_int_equal(part_reference_plan(&s->source, &schema, &group, references, NULL), 0);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        for (uint32_t i = 0; i < references[c].count; i++) {
            uint32_t on = references[c].items[i].column;
            assert_true(on < c && on != HISTOGRAMS && c != HISTOGRAMS);
            depth[c] = depth[on] + 1 > depth[c] ? depth[on] + 1 : depth[c];
        }
        deepest = depth[c] > deepest ? depth[c] : deepest;
    }
    assert_true(deepest >= 1 && deepest <= PART_REFERENCE_DEPTH_MAX);
    assert_int_equal(references[0].count, 0);
    assert_int_equal(references[TOTAL].count, 2);
    assert_int_equal(references[TOTAL].items[0].column + references[TOTAL].items[1].column,
        (uint32_t)FREE + USED);
    assert_int_equal(references[ON_GAPPY].count, 1);
    assert_int_equal(references[ON_GAPPY].items[0].column, GAPPY);
    source_free(s);
}

static void test_every_flipped_bit_is_found(void **state)
{
    struct source *s = source_new(test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    uint64_t random = test_seed();
    part_unref(write_and_open(s, disk, NULL, &info));
    for (int round = 0; round < 200; round++) {
        uint64_t bit = test_random(&random) % (info.file_bytes * 8), problems = 0;
        struct strbuf report = STRBUF_INIT;
        assert_int_equal(sim_vfs_flip_bit(disk, PATH, bit), 0);
        int status = part_verify(sim_vfs_get(disk), PATH, &report, &problems);
        if (status != ERR_CORRUPT) {
            print_message("bit %llu was not noticed\n", (unsigned long long)bit);
        }
        assert_int_equal(status, ERR_CORRUPT);
        strbuf_release(&report);
        assert_int_equal(sim_vfs_flip_bit(disk, PATH, bit), 0);
    }
    sim_vfs_free(disk);
    source_free(s);
}

/* Memory that fails while a chain is followed is an error, not a wrong value. */
static void test_failing_allocations(void **state)
{
    struct source *s = source_new(test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    struct part *p = write_and_open(s, disk, NULL, &info);
    bool untouched = false;
    for (uint64_t nth = 1; !untouched; nth++) {
        struct part_buffer b;
        size_t count = 0;
        part_buffer_init(&b);
        mem_fail_nth(nth);
        int status = part_read(p, 0, 1, CHAIN - 1, INT64_MIN, INT64_MAX, &b, &count, NULL);
        untouched = mem_fail_pending();
        mem_fail_nth(0);
        assert_true(status == ERR_NOMEM || status == 0);
        if (status == 0) {
            compare(s, p, &b, 1, CHAIN - 1);
        }
        part_buffer_release(&b);
    }
    part_unref(p);
    sim_vfs_free(disk);
    source_free(s);
}

/* Heads of runs as bytes: what part_format.h says, and what it rules out. */
static void test_run_heads(void **state)
{
    static const struct {
        const char *what;
        struct str bytes;
        uint32_t column;
        int status;
        uint32_t count, first, second;
    } rows[] = {
        {"no reference", STR("\x01\x01x"), 0, 0, 0, 0, 0},
        {"one before", STR("\x41\x02\x01x"), 5, 0, 1, 4, 0},
        {"two, one subtracted", STR("\x81\x02\x07\x01x"), 5, 0, 2, 4, 2},
        {"the first column", STR("\x41\x0a\x01x"), 5, 0, 1, 0, 0},
        {"before the first", STR("\x41\x0c\x01x"), 5, ERR_CORRUPT, 0, 0, 0},
        {"itself", STR("\x41\x01\x01x"), 5, ERR_CORRUPT, 0, 0, 0},
        {"three", STR("\xc1\x02\x02\x02\x01x"), 5, ERR_CORRUPT, 0, 0, 0},
        {"cut off", STR("\x81\x02"), 5, ERR_CORRUPT, 0, 0, 0},
        {"a checkpoint",
            STR("\x21\x01\x01"
                "\x00"
                "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40"
                "x"),
            0, 0, 0, 0, 0},
        {"a checkpoint with its increase",
            STR("\x21\x01\x01\x01"
                "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\x08\x40"
                "x"),
            0, 0, 0, 0, 0},
        {"half a checkpoint",
            STR("\x21\x01\x01\x01"
                "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40x"),
            0, ERR_CORRUPT, 0, 0, 0},
        {"no bits of checkpoints", STR("\x21\x01\x01"), 0, ERR_CORRUPT, 0, 0, 0},
        {"a distance beyond 32 bits", STR("\x41\x80\x80\x80\x80\x80\x01\x01x"), 5, ERR_CORRUPT, 0,
            0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct part_run run;
        int status = part_run_parse(rows[i].bytes, rows[i].column, 1, &run);
        if (status != rows[i].status) {
            print_message("%s: %d, expected %d\n", rows[i].what, status, rows[i].status);
        }
        assert_int_equal(status, rows[i].status);
        if (status == 0) {
            const struct part_references *r = &run.references;
            assert_true(str_eq(str_make(run.blocks + run.offsets[0], run.sizes[0]), STR("x")));
            assert_int_equal(r->count, rows[i].count);
            assert_true(r->count < 1 || r->items[0].column == rows[i].first);
            assert_true(
                r->count < 2 || (r->items[1].column == rows[i].second && r->items[1].subtract));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_in_any_order),
        cmocka_unit_test(test_newest),
        cmocka_unit_test(test_leaning_pays),
        cmocka_unit_test(test_plan_keeps_the_rules),
        cmocka_unit_test(test_every_flipped_bit_is_found),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_run_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
