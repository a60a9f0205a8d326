/* Parts against a plain model: what is written is what is read, on a disk that fails, loses power
 * and rots. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "model/sample.h"
#include "part/part.h"
#include "part/part_format.h"
#include "row/column_block.h"
#include "support/sim_vfs.h"
#include "support/support.h"

#define PATH "data/raw/p-1"

/* ---- The source: tables with random columns, gaps, stale markers and histograms ---- */

enum { SHAPES = 60, TABLES_MAX = 400, CELLS_MAX = 9000 };

struct table {
    uint32_t target, rows, column_count;
    struct column columns[SHAPES];
    int64_t *times;
};

struct model {
    struct part_source source;
    struct part_table tables[TABLES_MAX];
    struct table data[TABLES_MAX];
    uint32_t table_count, target_count;
    const struct labels *targets[TABLES_MAX], *shapes[SHAPES];
    /* The cells handed out last. */
    double values[CELLS_MAX];
    uint64_t presence[PRESENCE_WORDS(CELLS_MAX)];
    struct str histograms[CELLS_MAX];
    char text[CELLS_MAX][8];
};

/* The cell of (table, column, row): the same at every call. */
static uint64_t cell_random(uint32_t table, uint32_t column, uint32_t row)
{
    uint64_t state = ((uint64_t)table << 40) ^ ((uint64_t)column << 20) ^ row;
    return test_random(&state);
}

static double cell_value(const struct model *m, uint32_t table, uint32_t column, uint32_t row)
{
    uint64_t random = cell_random(table, column, row);
    switch (m->data[table].columns[column].shape % 6) {
    case 0:
        return 42; /* constant, alike in all tables */
    case 1:
        return (double)(row * 100 + random % 7);
    case 2:
        return random % 50 == 0 ? value_stale_marker() : (double)(random % 1000) / 10;
    case 3:
        return double_from_bits(random);
    case 4:
        return (double)table;
    default:
        return (double)(row / 10) * 4096;
    }
}

static bool cell_present(const struct model *m, uint32_t table, uint32_t column, uint32_t row)
{
    uint32_t shape = m->data[table].columns[column].shape;
    return shape % 5 != 4 || cell_random(table, column, row) % 100 < 70;
}

static const struct labels *model_target(struct part_source *source, uint32_t target)
{
    return ((struct model *)source)->targets[target];
}

static const struct labels *model_shape(struct part_source *source, uint32_t shape)
{
    return ((struct model *)source)->shapes[shape];
}

static int model_cells(struct part_source *source, uint32_t table, uint32_t column,
    struct part_cells *cells_out, struct err *e)
{
    struct model *m = (struct model *)source;
    const struct table *t = &m->data[table];
    memset(m->presence, 0, sizeof(m->presence));
    bool histogram = t->columns[column].kind == COLUMN_HISTOGRAM;
    for (uint32_t row = 0; row < t->rows; row++) {
        bool present = cell_present(m, table, column, row);
        m->presence[row / 64] |= (uint64_t)present << (row % 64);
        m->values[row] = cell_value(m, table, column, row);
        if (histogram) {
            uint64_t random = cell_random(table, column, row);
            int length = snprintf(
                m->text[row], sizeof(m->text[row]), "h%llu", (unsigned long long)(random % 50));
            m->histograms[row] = str_make(m->text[row], (size_t)length);
        }
    }
    *cells_out = (struct part_cells){m->presence, m->values, histogram ? m->histograms : NULL};
    return 0;
}

static const struct part_source_ops model_ops = {
    .target_labels = model_target, .shape_labels = model_shape, .cells = model_cells};

static const struct labels *labels_of(const char *name, unsigned number)
{
    char value[24];
    snprintf(value, sizeof(value), "%s-%u", name, number);
    struct label pairs[] = {{str_of(name), str_of(value)}, {STR("job"), STR("test")}};
    const struct labels *l = NULL;
    assert_int_equal(labels_new(pairs, 2, &l, NULL), 0);
    return l;
}

static void add_table(struct model *m, uint32_t target, uint32_t rows, uint32_t first_shape,
    uint32_t shape_step, uint64_t *random)
{
    uint32_t index = m->table_count++;
    struct table *t = &m->data[index];
    *t = (struct table){.target = target, .rows = rows};
    for (uint32_t s = first_shape; s < SHAPES; s += shape_step) {
        t->columns[t->column_count++] =
            (struct column){s, s % 12 == 7 ? COLUMN_HISTOGRAM : COLUMN_FLOAT};
    }
    /* Every third table in another order of arrival: still the same schema. */
    for (uint32_t i = 0; index % 3 == 0 && i + 1 < t->column_count; i += 2) {
        struct column swap = t->columns[i];
        t->columns[i] = t->columns[i + 1];
        t->columns[i + 1] = swap;
    }
    t->times = malloc(rows * sizeof(*t->times));
    int64_t time = 1700000000000 + (index % 2 == 0 ? 0 : (int64_t)(test_random(random) % 15000));
    for (uint32_t i = 0; i < rows; i++) {
        t->times[i] = time;
        time += 15000 + (index % 2 == 0 ? 0 : (int64_t)(test_random(random) % 10) - 5);
    }
    m->tables[index] = (struct part_table){.target = target,
        .column_count = t->column_count,
        .row_count = rows,
        .columns = t->columns,
        .times = t->times};
}

static struct model *model_new(uint32_t targets, uint32_t rows, uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));
    uint64_t random = seed;
    m->target_count = targets;
    for (uint32_t i = 0; i < targets; i++) {
        m->targets[i] = labels_of("instance", (i * 7919) % targets);
    }
    for (uint32_t i = 0; i < SHAPES; i++) {
        m->shapes[i] = labels_of("__name__", SHAPES - i);
    }
    for (uint32_t i = 0; i < targets; i++) {
        add_table(m, i, rows, i % 10 == 9 ? 1 : 0, i % 10 == 9 ? 3 : 1, &random);
    }
    m->source =
        (struct part_source){.ops = &model_ops, .tables = m->tables, .table_count = m->table_count};
    return m;
}

static void model_free(struct model *m)
{
    for (uint32_t i = 0; i < m->table_count; i++) {
        free(m->data[i].times);
    }
    for (uint32_t i = 0; i < m->target_count; i++) {
        labels_unref(m->targets[i]);
    }
    for (uint32_t i = 0; i < SHAPES; i++) {
        labels_unref(m->shapes[i]);
    }
    free(m);
}

/* ---- Reading back ---- */

struct names {
    const struct labels *targets[TABLES_MAX], *shapes[SHAPES];
    uint32_t target_count, shape_count;
};

static int on_target(void *context, uint32_t id, const struct label *labels, size_t count)
{
    struct names *n = context;
    assert_int_equal(id, n->target_count);
    return labels_new(labels, count, &n->targets[n->target_count++], NULL);
}

static int on_shape(void *context, uint32_t id, const struct label *labels, size_t count)
{
    struct names *n = context;
    assert_int_equal(id, n->shape_count);
    return labels_new(labels, count, &n->shapes[n->shape_count++], NULL);
}

static void names_release(struct names *n)
{
    for (uint32_t i = 0; i < n->target_count; i++) {
        labels_unref(n->targets[i]);
    }
    for (uint32_t i = 0; i < n->shape_count; i++) {
        labels_unref(n->shapes[i]);
    }
}

/* The model's table and column behind a table and column of the file. */
static uint32_t find_table(
    const struct model *m, const struct labels *target, const struct part_group *g)
{
    for (uint32_t i = 0; i < m->table_count; i++) {
        if (labels_eq(m->targets[m->data[i].target], target)) {
            return i;
        }
    }
    fail();
    return 0;
}

static uint32_t find_column(const struct model *m, uint32_t table, const struct labels *shape)
{
    for (uint32_t c = 0; c < m->data[table].column_count; c++) {
        if (labels_eq(m->shapes[m->data[table].columns[c].shape], shape)) {
            return c;
        }
    }
    fail();
    return 0;
}

static size_t newest_known, newest_unknown;

/* The newest sample of a range is the last of those that reading the range shows. */
static void compare_newest(struct part *p, struct part_buffer *b, uint32_t group, uint32_t table,
    uint32_t column, int64_t min_t, int64_t max_t)
{
    bool floats = part_schema(p, part_groups(p)[group].schema).columns[column].kind == COLUMN_FLOAT;
    size_t found = 2, count = 0;
    int64_t t = 0;
    double value = 0;
    struct err e = ERR_INIT;
    int status = part_read_newest(p, group, table, column, min_t, max_t, b, &found, &t, &value, &e);
    assert_true(status == 1 || (status == 0 && e.code == 0));
    assert_true(status == 0 || floats);
    assert_int_equal(part_read(p, group, table, column, min_t, max_t, b, &count, &e), 0);
    newest_known += status == 1 && count > 0;
    newest_unknown += status == 0 && floats && count > 0;
    if (status == 0) {
        return;
    }
    assert_int_equal(found, count > 0);
    if (count > 0) {
        assert_int_equal(t, b->times[count - 1]);
        assert_int_equal(double_bits(value), double_bits(b->values[count - 1]));
    }
}

/* Ranges that end before, in, at and after the rows of a table. */
static void compare_all_newest(
    struct part *p, struct part_buffer *b, uint32_t group, uint32_t table, uint32_t column)
{
    const struct part_group *g = &part_groups(p)[group];
    int64_t first = 0, last = 0;
    assert_int_equal(part_read_extent(p, group, table, b, &first, &last, NULL), 0);
    int64_t part_way = first + (last - first) / 3;
    compare_newest(p, b, group, table, column, INT64_MIN, INT64_MAX);
    compare_newest(p, b, group, table, column, last - 1, g->max_t);
    compare_newest(p, b, group, table, column, last, last);
    compare_newest(p, b, group, table, column, last - 60000, last - 1);
    compare_newest(p, b, group, table, column, part_way - 90000, part_way);
    compare_newest(p, b, group, table, column, first, first);
    compare_newest(p, b, group, table, column, INT64_MIN, first - 1);
    compare_newest(p, b, group, table, column, last + 1, INT64_MAX);
}

/* Compares one column of the file with the model over a range; returns the samples. */
static size_t compare_column(struct model *m, struct part *p, struct part_buffer *b,
    const struct names *names, uint32_t group, uint32_t table, uint32_t column, int64_t min_t,
    int64_t max_t)
{
    const struct part_group *g = &part_groups(p)[group];
    struct column what = part_schema(p, g->schema).columns[column];
    uint32_t model_table = find_table(m, names->targets[g->targets[table]], g);
    uint32_t model_column = find_column(m, model_table, names->shapes[what.shape]);
    struct part_cells cells;
    size_t count = 0, at = 0;
    struct err e = ERR_INIT;
    assert_int_equal(part_read(p, group, table, column, min_t, max_t, b, &count, &e), 0);
    model_cells(&m->source, model_table, model_column, &cells, NULL);
    const struct table *t = &m->data[model_table];
    for (uint32_t row = 0; row < t->rows; row++) {
        int64_t time = t->times[row];
        bool present = (cells.presence[row / 64] >> (row % 64) & 1) != 0;
        if (!present || time < min_t || time > max_t || time < g->min_t || time > g->max_t ||
            (at == 0 && count > 0 && time < b->times[0])) {
            continue; /* absent, out of range, or a row of another group of this table */
        }
        if (at == count) {
            break; /* the rest is in a later group */
        }
        assert_int_equal(b->times[at], time);
        if (what.kind == COLUMN_HISTOGRAM) {
            assert_true(str_eq(b->histograms[at], cells.histograms[row]));
        } else {
            assert_int_equal(double_bits(b->values[at]), double_bits(cells.values[row]));
        }
        at++;
    }
    assert_int_equal(at, count);
    return count;
}

static uint64_t model_samples(const struct model *m)
{
    uint64_t samples = 0;
    for (uint32_t t = 0; t < m->table_count; t++) {
        for (uint32_t c = 0; c < m->data[t].column_count; c++) {
            for (uint32_t row = 0; row < m->data[t].rows; row++) {
                samples += cell_present(m, t, c, row);
            }
        }
    }
    return samples;
}

static struct part *write_and_open(
    struct model *m, struct sim_vfs *disk, struct part_cache *cache, struct part_info *info)
{
    const struct part_origin origin = {.sequence = 7,
        .level = 1,
        .precedence_first = 2,
        .precedence = 6,
        .day = -3,
        .split = UINT64_MAX - 1};
    struct part *p = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(vfs_mkdir_all(sim_vfs_get(disk), "data/raw"), 0);
    int status = part_write(sim_vfs_get(disk), PATH, &m->source, &origin, info, &e);
    assert_string_equal(e.message, "");
    assert_int_equal(status, 0);
    status = part_open(sim_vfs_get(disk), PATH, cache, &p, &e);
    assert_string_equal(e.message, "");
    assert_int_equal(status, 0);
    return p;
}

static void round_trip(uint32_t targets, uint32_t rows, bool cached)
{
    struct model *m = model_new(targets, rows, test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_cache *cache = NULL;
    struct part_info info;
    struct names names = {.target_count = 0};
    struct part_dictionary_handler handler = {&names, on_target, on_shape};
    struct part_buffer buffer;
    if (cached) {
        assert_int_equal(part_cache_new(1 << 16, &cache), 0);
    }
    struct part *p = write_and_open(m, disk, cache, &info);
    assert_int_equal(part_read_dictionary(p, &handler, NULL), 0);
    assert_int_equal(names.target_count, targets);
    assert_int_equal(info.samples, model_samples(m));
    assert_int_equal(part_info(p)->samples, info.samples);
    assert_int_equal(part_info(p)->file_bytes, info.file_bytes);
    assert_int_equal(part_info(p)->origin.sequence, 7);
    assert_int_equal(part_info(p)->origin.level, 1);
    assert_int_equal(part_info(p)->origin.precedence_first, 2);
    assert_int_equal(part_info(p)->origin.precedence, 6);
    assert_int_equal(part_info(p)->origin.day, -3);
    assert_int_equal(part_info(p)->origin.split, UINT64_MAX - 1);
    part_buffer_init(&buffer);
    uint64_t samples = 0;
    for (uint32_t g = 0; g < info.group_count; g++) {
        const struct part_group *group = &part_groups(p)[g];
        assert_true(g == 0 || group[-1].min_t <= group->min_t);
        for (uint32_t c = 0; c < part_schema(p, group->schema).column_count; c++) {
            for (uint32_t t = 0; t < group->target_count; t++) {
                samples += compare_column(m, p, &buffer, &names, g, t, c, INT64_MIN, INT64_MAX);
                if ((c + t) % 17 == 0 || group->target_count < 20) {
                    compare_all_newest(p, &buffer, g, t, c);
                }
                if ((c + t) % 17 == 0) {
                    int64_t middle = group->min_t + (group->max_t - group->min_t) / 3;
                    compare_column(m, p, &buffer, &names, g, t, c, middle, middle + 100000);
                }
            }
        }
    }
    assert_int_equal(samples, info.samples);
    struct strbuf report = STRBUF_INIT;
    uint64_t problems = 0;
    assert_int_equal(part_verify(sim_vfs_get(disk), PATH, &report, &problems), 0);
    assert_int_equal(problems, 0);
    strbuf_release(&report);
    names_release(&names);
    part_buffer_release(&buffer);
    part_unref(p);
    part_cache_free(cache);
    sim_vfs_free(disk);
    model_free(m);
}

static void test_round_trips(void **state)
{
    newest_known = newest_unknown = 0;
    round_trip(1, 1, false);
    round_trip(3, 20, false);
    round_trip(12, 240, true);
    round_trip(300, 12, true);  /* more targets than a group takes */
    round_trip(2, 8500, false); /* more rows than a group takes */
    assert_true(newest_known > 5000 && newest_known > 100 * newest_unknown);
}

static void test_same_source_same_bytes(void **state)
{
    struct model *m = model_new(20, 60, test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    char *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    part_unref(write_and_open(m, disk, NULL, &info));
    assert_int_equal(vfs_read_file(sim_vfs_get(disk), PATH, 1 << 26, &first, &first_size), 0);
    part_unref(write_and_open(m, disk, NULL, &info));
    assert_int_equal(vfs_read_file(sim_vfs_get(disk), PATH, 1 << 26, &second, &second_size), 0);
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    mem_free(first);
    mem_free(second);
    sim_vfs_free(disk);
    model_free(m);
}

static void test_summary_of_constants(void **state)
{
    struct model *m = model_new(2, 50, test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    struct part *p = write_and_open(m, disk, NULL, &info);
    struct part_buffer buffer;
    part_buffer_init(&buffer);
    size_t known = 0;
    for (uint32_t c = 0; c < SHAPES; c++) {
        struct run_summary s;
        int status = part_read_summary(p, 0, 0, c, INT64_MIN, INT64_MAX, &buffer, &s, NULL);
        assert_true(status == 0 || status == 1);
        if (status == 1) {
            size_t count = 0;
            assert_int_equal(part_read(p, 0, 0, c, INT64_MIN, INT64_MAX, &buffer, &count, NULL), 0);
            assert_int_equal(count, s.count);
            assert_true(buffer.values[0] == s.first && buffer.values[count - 1] == s.last);
            assert_int_equal(buffer.times[0], s.first_t);
            assert_int_equal(buffer.times[count - 1], s.last_t);
            assert_true(s.sum == s.first * (double)count && s.increase == 0);
            known++;
        }
        /* A range that cuts the block cannot be answered. */
        assert_int_equal(part_read_summary(p, 0, 0, c, part_groups(p)[0].min_t + 15001, INT64_MAX,
                             &buffer, &s, NULL),
            0);
    }
    assert_true(known >= 5);
    part_buffer_release(&buffer);
    part_unref(p);
    sim_vfs_free(disk);
    model_free(m);
}

/* What a summary tells of long blocks is what a walk over the decoded samples tells. */
static void test_summary_of_long_blocks(void **state)
{
    struct model *m = model_new(3, PART_CHECKPOINT_ROWS_MIN + 100, test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    struct part *p = write_and_open(m, disk, NULL, &info);
    struct part_buffer buffer;
    part_buffer_init(&buffer);
    size_t changing = 0;
    for (uint32_t g = 0; g < info.group_count; g++) {
        const struct part_group *group = &part_groups(p)[g];
        uint32_t columns = part_schema(p, group->schema).column_count;
        for (uint32_t i = 0; i < columns * group->target_count; i++) {
            uint32_t c = i % columns, t = i / columns;
            struct run_summary s;
            size_t count = 0;
            if (part_read_summary(p, g, t, c, INT64_MIN, INT64_MAX, &buffer, &s, NULL) == 0) {
                continue;
            }
            assert_int_equal(part_read(p, g, t, c, INT64_MIN, INT64_MAX, &buffer, &count, NULL), 0);
            long double increase = 0;
            for (size_t k = 1; k < count; k++) {
                double before = buffer.values[k - 1], now = buffer.values[k];
                increase += now < before ? now : (long double)now - before;
            }
            assert_int_equal(count, s.count);
            assert_true(buffer.times[0] == s.first_t && buffer.times[count - 1] == s.last_t);
            assert_true(buffer.values[0] == s.first && buffer.values[count - 1] == s.last);
            assert_true(fabs((double)increase - s.increase) <= 1e-9 * fabs(s.increase));
            changing += s.increase_only;
        }
    }
    assert_true(changing > 0);
    part_buffer_release(&buffer);
    part_unref(p);
    sim_vfs_free(disk);
    model_free(m);
}

/* Under the final name there is a whole part or none, whichever call fails and when power goes. */
static void test_each_failing_call(void **state)
{
    struct model *m = model_new(5, 30, test_seed());
    for (uint64_t nth = 1;; nth++) {
        struct sim_vfs *disk = sim_vfs_new(nth);
        struct vfs *fs = sim_vfs_get(disk);
        struct part_origin origin = {.sequence = 1};
        struct part_info info;
        struct strbuf report = STRBUF_INIT;
        uint64_t problems = 0;
        assert_int_equal(vfs_mkdir_all(fs, "data/raw"), 0);
        assert_int_equal(vfs_sync_dir(fs, "data"), 0);
        if (nth % 2 == 0) {
            sim_vfs_fail_nth(disk, SIM_CHANGES, nth / 2, ERR_NO_SPACE);
        } else {
            sim_vfs_lose_power_at(disk, SIM_CHANGES, nth / 2 + 1);
        }
        int status = part_write(fs, PATH, &m->source, &origin, &info, NULL);
        bool untouched = sim_vfs_fail_pending(disk);
        assert_true(status == 0 || !untouched);
        sim_vfs_fail_clear(disk);
        sim_vfs_power_cut(disk, nth);
        struct vfs_file *file = NULL;
        int there = vfs_open(fs, PATH, VFS_READ, &file);
        vfs_close(fs, file);
        if (there == 0) {
            assert_int_equal(part_verify(fs, PATH, &report, &problems), 0);
        } else {
            assert_true(status != 0); /* what was promised is there */
        }
        strbuf_release(&report);
        sim_vfs_free(disk);
        if (untouched && nth % 2 == 0) {
            break;
        }
    }
    model_free(m);
}

static void test_failing_allocations(void **state)
{
    struct model *m = model_new(3, 20, test_seed());
    for (uint64_t nth = 1;; nth++) {
        struct sim_vfs *disk = sim_vfs_new(nth);
        struct vfs *fs = sim_vfs_get(disk);
        struct part_origin origin = {.sequence = 1};
        struct part_info info;
        struct part *p = NULL;
        struct part_buffer buffer;
        size_t count = 0;
        assert_int_equal(vfs_mkdir_all(fs, "data/raw"), 0);
        part_buffer_init(&buffer);
        mem_fail_nth(nth);
        int status = part_write(fs, PATH, &m->source, &origin, &info, NULL);
        status = status == 0 ? part_open(fs, PATH, NULL, &p, NULL) : status;
        status = status == 0 ? part_read(p, 0, 0, 7, INT64_MIN, INT64_MAX, &buffer, &count, NULL)
                             : status;
        bool untouched = mem_fail_pending();
        mem_fail_nth(0);
        assert_true(status == 0 || status == ERR_NOMEM);
        part_buffer_release(&buffer);
        part_unref(p);
        sim_vfs_free(disk);
        if (untouched) {
            assert_int_equal(status, 0);
            break;
        }
    }
    model_free(m);
}

/* A flipped bit anywhere is found by verify, and reading never goes astray. */
static void test_every_flipped_bit_is_found(void **state)
{
    struct model *m = model_new(6, 40, test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    uint64_t random = test_seed();
    part_unref(write_and_open(m, disk, NULL, &info));
    for (int round = 0; round < 400; round++) {
        uint64_t bit = test_random(&random) % (info.file_bytes * 8);
        if (round < 64) { /* the tail, bit by bit as far as it goes */
            bit = (info.file_bytes - 24) * 8 + (uint64_t)round * 3;
        }
        struct strbuf report = STRBUF_INIT;
        uint64_t problems = 0;
        assert_int_equal(sim_vfs_flip_bit(disk, PATH, bit), 0);
        int status = part_verify(sim_vfs_get(disk), PATH, &report, &problems);
        if (status != ERR_CORRUPT) {
            print_message("bit %llu of %llu was not noticed\n", (unsigned long long)bit,
                (unsigned long long)info.file_bytes * 8);
        }
        assert_int_equal(status, ERR_CORRUPT);
        assert_true(problems > 0 && report.size > 0);
        strbuf_release(&report);
        assert_int_equal(sim_vfs_flip_bit(disk, PATH, bit), 0);
    }
    sim_vfs_free(disk);
    model_free(m);
}

static void test_a_damaged_run_spares_the_others(void **state)
{
    struct model *m = model_new(40, 100, test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_info info;
    struct part *p = write_and_open(m, disk, NULL, &info);
    struct part_buffer buffer;
    part_buffer_init(&buffer);
    assert_int_equal(sim_vfs_flip_bit(disk, PATH, info.file_bytes / 3 * 8), 0);
    size_t good = 0, bad = 0;
    for (uint32_t g = 0; g < info.group_count; g++) {
        const struct part_group *group = &part_groups(p)[g];
        for (uint32_t c = 0; c < part_schema(p, group->schema).column_count; c++) {
            size_t count = 0;
            struct err e = ERR_INIT;
            int status = part_read(p, g, 0, c, INT64_MIN, INT64_MAX, &buffer, &count, &e);
            assert_true(status == 0 || (status == ERR_CORRUPT && strstr(e.message, "group")));
            *(status == 0 ? &good : &bad) += 1;
        }
    }
    assert_true(bad > 0 && bad < good);
    part_buffer_release(&buffer);
    part_unref(p);
    sim_vfs_free(disk);
    model_free(m);
}

static void test_refuses_a_broken_source(void **state)
{
    struct model *m = model_new(1, 10, test_seed());
    struct sim_vfs *disk = sim_vfs_new(1);
    struct part_origin origin = {.sequence = 1};
    struct part_info info;
    assert_int_equal(vfs_mkdir_all(sim_vfs_get(disk), "data/raw"), 0);
    m->data[0].columns[3] = m->data[0].columns[4];
    assert_int_equal(
        part_write(sim_vfs_get(disk), PATH, &m->source, &origin, &info, NULL), ERR_INVALID);
    m->data[0].columns[3].kind ^= 1;
    m->data[0].times[5] = m->data[0].times[4];
    assert_int_equal(
        part_write(sim_vfs_get(disk), PATH, &m->source, &origin, &info, NULL), ERR_INVALID);
    sim_vfs_free(disk);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_same_source_same_bytes),
        cmocka_unit_test(test_summary_of_constants),
        cmocka_unit_test(test_summary_of_long_blocks),
        cmocka_unit_test(test_each_failing_call),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_every_flipped_bit_is_found),
        cmocka_unit_test(test_a_damaged_run_spares_the_others),
        cmocka_unit_test(test_refuses_a_broken_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
