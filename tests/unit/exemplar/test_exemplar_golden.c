/* Blocks of exemplars that were not made by our own encoder: good ones show what they hold, each broken
 * one breaks one rule. tests/golden/exemplar_blocks.py says how each was made. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "exemplar/exemplar_block.h"
#include "support/sim_vfs.h"

#define GOLDEN "tests/golden/exemplar_blocks.txt"

enum { LINE_BYTES_MAX = 8192 };

struct golden {
    char name[64], kind[16];
    struct strbuf bytes, shown;
};

static void read_hex(struct golden *g, const char *hex)
{
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        strbuf_add_char(&g->bytes, (char)byte);
    }
}

/* The lines of a dump behind the first, which is about sizes. */
static void check_dump(const struct golden *g, struct vfs *fs)
{
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    assert_int_equal(exemplar_block_dump(fs, "e", true, &text, &e), 0);
    const char *second = strchr(text.data, '\n');
    assert_non_null(second);
    assert_string_equal(second + 1, g->shown.data);
    strbuf_release(&text);
}

static void check(const struct golden *g)
{
    struct err e = ERR_INIT;
    struct strbuf report = STRBUF_INIT;
    struct exemplar_block_info info;
    bool good = strcmp(g->kind, "good") == 0, newer = strcmp(g->kind, "newer") == 0;
    int expected = good ? 0 : newer ? ERR_UNSUPPORTED : ERR_CORRUPT;
    struct str bytes = str_make(g->bytes.data != NULL ? g->bytes.data : "", g->bytes.size);
    int status = exemplar_block_read(bytes, NULL, &info, &e);
    if (status != expected) {
        fail_msg("%s: %d instead of %d (%s)", g->name, status, expected, e.message);
    }
    struct sim_vfs *sim = sim_vfs_new(1);
    struct vfs *fs = sim_vfs_get(sim);
    assert_int_equal(vfs_write_file_atomic(fs, "e", bytes.ptr, bytes.len), 0);
    assert_int_equal(exemplar_block_verify(fs, "e", &report), expected);
    assert_int_equal(report.size > 0, !good);
    if (good) {
        check_dump(g, fs);
    }
    strbuf_release(&report);
    sim_vfs_free(sim);
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
    assert_int_equal(checked, 23);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
