/* Segments that were not made by our own encoder: what a replay hands out of each, and what it counts.
 * tests/golden/wal_segments.py says how each was made. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "support/sim_vfs.h"
#include "wal/wal.h"

#define GOLDEN "tests/golden/wal_segments.txt"

enum { LINE_BYTES_MAX = 8192, CASES = 19 };

struct golden {
    char name[64], kind[16];
    struct strbuf bytes, shown;
};

/* ---- What is handed out, a line each ---- */

static void add_labels(struct strbuf *out, const struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, " %.*s=%.*s", STR_ARG(labels[i].name), STR_ARG(labels[i].value));
    }
    strbuf_add_char(out, '\n');
}

static int on_target(void *context, uint32_t target, const struct label *labels, size_t count)
{
    strbuf_addf(context, "target %u", target);
    add_labels(context, labels, count);
    return 0;
}

static int on_shape(void *context, uint32_t shape, const struct label *labels, size_t count)
{
    strbuf_addf(context, "shape %u", shape);
    add_labels(context, labels, count);
    return 0;
}

static int on_columns(
    void *context, uint32_t target, uint32_t first, const struct column *columns, uint32_t count)
{
    strbuf_addf(context, "columns %u %u", target, first);
    for (uint32_t i = 0; i < count; i++) {
        const char *kind = columns[i].kind == COLUMN_HISTOGRAM ? "histogram:" : "";
        strbuf_addf(context, " %s%u", kind, columns[i].shape);
    }
    strbuf_add_char(context, '\n');
    return 0;
}

static int on_row(void *context, uint64_t lsn, uint32_t target, int64_t t_ms,
    const uint32_t *columns, const double *values, size_t count)
{
    strbuf_addf(context, "row %llu %u %lld", (unsigned long long)lsn, target, (long long)t_ms);
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(context, " %u=%.17g", columns[i], values[i]);
    }
    strbuf_add_char(context, '\n');
    return 0;
}

static int on_histogram(
    void *context, uint64_t lsn, uint32_t target, int64_t t_ms, uint32_t column, struct str bytes)
{
    strbuf_addf(context, "histogram %llu %u %lld %u ", (unsigned long long)lsn, target,
        (long long)t_ms, column);
    for (size_t i = 0; i < bytes.len; i++) {
        strbuf_addf(context, "%02x", (unsigned)(uint8_t)bytes.ptr[i]);
    }
    strbuf_add_char(context, '\n');
    return 0;
}

static int on_metadata(void *context, uint64_t lsn, struct str metric, enum metric_type type,
    struct str help, struct str unit)
{
    strbuf_addf(context, "metadata %llu %d %.*s %.*s %.*s\n", (unsigned long long)lsn, (int)type,
        STR_ARG(metric), STR_ARG(help), STR_ARG(unit));
    return 0;
}

static int on_exemplar(void *context, uint64_t lsn, uint32_t target, uint32_t column, int64_t t_ms,
    double value, const struct label *labels, size_t count)
{
    strbuf_addf(context, "exemplar %llu %u %u %lld %.17g", (unsigned long long)lsn, target, column,
        (long long)t_ms, value);
    add_labels(context, labels, count);
    return 0;
}

/* ---- Cases ---- */

static void check(const struct golden *g)
{
    struct strbuf shown = STRBUF_INIT, report = STRBUF_INIT;
    const struct wal_handler handler = {&shown, NULL, on_target, on_shape, on_columns, on_row,
        on_histogram, on_metadata, on_exemplar};
    struct wal_replay_statistics s;
    struct err e = ERR_INIT;
    uint64_t problems = 0;
    bool newer = strcmp(g->kind, "newer") == 0, good = strcmp(g->kind, "good") == 0;
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    assert_int_equal(vfs_mkdir_all(fs, "wal"), 0);
    assert_int_equal(
        vfs_write_file_atomic(fs, "wal/00000001.wal", g->bytes.data, g->bytes.size), 0);
    int status = wal_replay(fs, "wal", false, &handler, &s, &e);
    if (status != (newer ? ERR_UNSUPPORTED : 0)) {
        fail_msg("%s: %d (%s)", g->name, status, e.message);
    }
    if (!newer) {
        strbuf_addf(&shown, "corrupt %llu lost %llu cut %llu headers %llu\n",
            (unsigned long long)s.corrupt_frames, (unsigned long long)s.lost_rows,
            (unsigned long long)s.truncated_bytes, (unsigned long long)s.damaged_headers);
        if (!str_eq(strbuf_str(&shown), strbuf_str(&g->shown))) {
            fail_msg("%s:\n%s\nis not\n%s", g->name, shown.data, g->shown.data);
        }
    }
    status = wal_segment_verify(fs, "wal/00000001.wal", &report, &problems);
    assert_int_equal(status, good ? 0 : ERR_CORRUPT);
    assert_int_equal(report.size > 0, !good);
    strbuf_release(&report);
    strbuf_release(&shown);
    sim_vfs_free(sim);
}

static void read_hex(struct golden *g, const char *hex)
{
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        strbuf_add_char(&g->bytes, (char)byte);
    }
}

static void test_golden(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN, "re");
    if (file == NULL) {
        fail_msg("%s cannot be read", GOLDEN);
    }
    static char line[LINE_BYTES_MAX];
    struct golden g = {.bytes = STRBUF_INIT, .shown = STRBUF_INIT};
    unsigned checked = 0;
    bool more = true;
    while (more) {
        more = fgets(line, sizeof(line), file) != NULL;
        if (more && line[0] == '=') {
            strbuf_add_c(&g.shown, line + 2);
            continue;
        }
        if (g.kind[0] != '\0') {
            check(&g);
            checked++;
        }
        strbuf_release(&g.bytes);
        strbuf_release(&g.shown);
        g = (struct golden){.bytes = STRBUF_INIT, .shown = STRBUF_INIT};
        int read = 0;
        if (more) {
            assert_int_equal(sscanf(line, "%63s %15s %n", g.name, g.kind, &read), 2);
            read_hex(&g, line + read);
        }
    }
    (void)fclose(file); // only read
    assert_int_equal(checked, CASES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
