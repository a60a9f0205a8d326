/* Blocks made by an independent script from the description of the format: each decodes to its values,
 * and where the encoder is expected to choose the same way, it writes the same bytes. The bytes of a
 * released format never change; tests/golden/row_blocks.py says how each was made. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "row/column_block.h"
#include "row/row_times.h"

#define GOLDEN "tests/golden/row_blocks.txt"
#define ROWS 256
#define LINE_MAX_BYTES 1024

struct golden {
    char kind[16], name[64], purpose[16];
    uint32_t count;
    uint32_t values_read;
    uint64_t values[ROWS]; /* bits of doubles, or times */
    uint64_t presence[PRESENCE_WORDS(ROWS)];
    uint32_t references_read;
    double reference[ROWS];
    struct strbuf bytes;
};

/* Blocks that the encoder writes otherwise; all are named before the test fails. */
static unsigned differing;

static void add_value(struct golden *g, const char *word)
{
    assert_true(g->values_read < ROWS);
    uint32_t i = g->values_read++;
    if (strcmp(word, "absent") == 0) {
        g->values[i] = STALE_MARKER_BITS;
        return;
    }
    g->presence[i / 64] |= (uint64_t)1 << (i % 64);
    g->values[i] = strtoull(word, NULL, strcmp(g->kind, "times") == 0 ? 10 : 16);
}

static void add_reference(struct golden *g, const char *word)
{
    assert_true(g->references_read < ROWS);
    bool absent = strcmp(word, "absent") == 0;
    g->reference[g->references_read++] =
        double_from_bits(absent ? STALE_MARKER_BITS : strtoull(word, NULL, 16));
}

/* The words after the first of a line. */
static void add_line(struct golden *g, char *line)
{
    char *save = NULL;
    const char *what = strtok_r(line, " \n", &save);
    for (char *word = strtok_r(NULL, " \n", &save); word != NULL;
         word = strtok_r(NULL, " \n", &save)) {
        if (strcmp(what, "reference") == 0) {
            add_reference(g, word);
        } else if (strcmp(what, "bytes") == 0) {
            strbuf_add_char(&g->bytes, (char)strtoul(word, NULL, 16));
        } else {
            add_value(g, word);
        }
    }
}

static void check_block(const struct golden *g)
{
    double values[ROWS];
    uint64_t presence[PRESENCE_WORDS(ROWS)];
    const double *reference = g->references_read > 0 ? g->reference : NULL;
    int status = column_block_decode_against(
        g->bytes.data, g->bytes.size, g->count, reference, values, presence);
    if (status != 0) {
        fail_msg("%s: %s", g->name, err_name(status));
    }
    for (uint32_t i = 0; i < g->count; i++) {
        if (double_bits(values[i]) != g->values[i]) {
            fail_msg("%s, row %u: expected %016llx, got %016llx", g->name, i,
                (unsigned long long)g->values[i], (unsigned long long)double_bits(values[i]));
        }
    }
    assert_memory_equal(presence, g->presence, PRESENCE_WORDS(g->count) * sizeof(uint64_t));
    if (strcmp(g->purpose, "encode") == 0) {
        struct strbuf encoded = STRBUF_INIT;
        assert_int_equal(
            column_block_encode_against(values, presence, g->count, reference, NULL, &encoded), 0);
        struct strbuf words = STRBUF_INIT;
        assert_int_equal(column_block_describe(encoded.data, encoded.size, g->count, &words), 0);
        if (!str_eq(strbuf_str(&encoded), strbuf_str(&g->bytes))) {
            print_error("%s: expected %zu bytes, got %zu as %s\n", g->name, g->bytes.size,
                encoded.size, words.data);
            differing++;
        }
        strbuf_release(&words);
        strbuf_release(&encoded);
    }
}

static void check_times(const struct golden *g)
{
    int64_t times[ROWS];
    assert_int_equal(row_times_decode(g->bytes.data, g->bytes.size, g->count, times), 0);
    assert_memory_equal(times, g->values, g->count * sizeof(times[0]));
    struct strbuf encoded = STRBUF_INIT;
    assert_int_equal(row_times_encode(times, g->count, &encoded), 0);
    if (!str_eq(strbuf_str(&encoded), strbuf_str(&g->bytes))) {
        fail_msg("%s: other bytes, %zu instead of %zu", g->name, encoded.size, g->bytes.size);
    }
    strbuf_release(&encoded);
}

static void check(struct golden *g, unsigned *checked)
{
    if (g->bytes.size == 0) {
        return;
    }
    assert_int_equal(g->values_read, g->count);
    if (strcmp(g->kind, "times") == 0) {
        check_times(g);
    } else {
        check_block(g);
    }
    (*checked)++;
    strbuf_release(&g->bytes);
}

static void test_golden(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN, "re");
    if (file == NULL) {
        fail_msg("%s cannot be read", GOLDEN);
    }
    char line[LINE_MAX_BYTES];
    struct golden g = {.bytes = STRBUF_INIT};
    unsigned checked = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "block ", 6) == 0 || strncmp(line, "times ", 6) == 0) {
            g = (struct golden){.bytes = STRBUF_INIT};
            assert_int_equal(
                sscanf(line, "%15s %63s %15s %u", g.kind, g.name, g.purpose, &g.count), 4);
        } else if (strncmp(line, "values ", 7) == 0 || strncmp(line, "reference ", 10) == 0 ||
                   strncmp(line, "bytes ", 6) == 0) {
            add_line(&g, line);
        } else if (line[0] == '\n') {
            check(&g, &checked);
        }
    }
    (void)fclose(file); // only read
    assert_true(checked >= 30);
    assert_int_equal(differing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
