/* Bodies in pieces: the runs are the body, and end where they may, wherever the pieces end. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "scrape/line_cutter.h"
#include "support/support.h"

enum { ROUNDS = 2000, TEXT_MAX = 400 };

struct gathered {
    struct strbuf text, runs; /* each run ends with '|' in the second */
};

static void gather(struct gathered *g, struct str run)
{
    if (run.len > 0) {
        strbuf_add_str(&g->text, run);
        strbuf_add_str(&g->runs, run);
        strbuf_add_char(&g->runs, '|');
    }
}

/* Cuts a body whose pieces have the sizes that `next_size` says; the last run goes to the end. */
static void cut(struct str body, uint64_t *random, size_t piece_max, struct gathered *g)
{
    struct line_cutter c;
    line_cutter_init(&c);
    while (body.len > 0) {
        struct str runs[2], piece = body;
        size_t size = 1 + test_random(random) % piece_max;
        piece.len = size < piece.len ? size : piece.len;
        /* A copy of its own: what is read behind its end is seen. */
        char *copy = mem_dup(piece.ptr, piece.len);
        assert_int_equal(line_cutter_add(&c, str_make(copy, piece.len), runs), 0);
        gather(g, runs[0]);
        gather(g, runs[1]);
        mem_free(copy);
        body = str_skip(body, piece.len);
    }
    gather(g, line_cutter_end(&c));
    line_cutter_release(&c);
}

static void test_runs_of_bodies(void **state)
{
    static const struct {
        const char *body, *one_piece, *bytes;
    } rows[] = {
        {"", "", ""},
        {"a 1", "a 1|", "a 1|"},
        {"a 1\n", "a 1\n|", "a 1\n|"},
        {"a 1\nb 2\n", "a 1\nb 2\n|", "a 1\n|b 2\n|"},
        {"a 1\nb", "a 1\n|b|", "a 1\n|b|"},
        {"# x\n# y\na 1\n# z\n", "# x\n# y\na 1\n|# z\n|", "# x\n# y\na 1\n|# z\n|"},
        {"# x\n# y", "# x\n# y|", "# x\n# y|"},
        {"\n\n#\n\n", "\n\n#\n\n|", "\n|\n|#\n\n|"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int bytes = 0; bytes < 2; bytes++) {
            struct gathered g = {STRBUF_INIT, STRBUF_INIT};
            uint64_t random = 1;
            strbuf_add_c(&g.runs, "");
            if (bytes) {
                cut(str_of(rows[i].body), &random, 1, &g);
            } else {
                struct line_cutter c;
                struct str runs[2];
                line_cutter_init(&c);
                assert_int_equal(line_cutter_add(&c, str_of(rows[i].body), runs), 0);
                gather(&g, runs[0]);
                gather(&g, runs[1]);
                gather(&g, line_cutter_end(&c));
                line_cutter_release(&c);
            }
            assert_string_equal(g.runs.data, bytes ? rows[i].bytes : rows[i].one_piece);
            strbuf_release(&g.text);
            strbuf_release(&g.runs);
        }
    }
}

/* Texts of few letters have all the corners; each run but the last ends behind a line that is no comment. */
static void test_random_cuts(void **state)
{
    static const char letters[] = "aa#\n\n ";
    uint64_t random = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        char text[TEXT_MAX];
        size_t size = test_random(&random) % TEXT_MAX;
        for (size_t i = 0; i < size; i++) {
            text[i] = letters[test_random(&random) % (sizeof(letters) - 1)];
        }
        struct gathered g = {STRBUF_INIT, STRBUF_INIT};
        cut(str_make(text, size), &random, 1 + test_random(&random) % 40, &g);
        assert_int_equal(g.text.size, size);
        if (size > 0) {
            assert_memory_equal(g.text.data, text, size);
        }
        struct str rest = strbuf_str(&g.runs);
        while (rest.len > 0) {
            struct str run = str_split(&rest, '|');
            if (rest.len == 0) {
                break;
            }
            assert_int_equal(run.ptr[run.len - 1], '\n');
            const char *before = run.len > 1 ? memrchr(run.ptr, '\n', run.len - 1) : NULL;
            assert_int_not_equal(before != NULL ? before[1] : run.ptr[0], '#');
        }
        strbuf_release(&g.text);
        strbuf_release(&g.runs);
    }
}

/* Neither a line nor a block of comments without an end is waited for for ever. */
static void test_limits(void **state)
{
    enum { PIECE = 16 << 10 };
    static char piece[PIECE];
    struct line_cutter c;
    struct str runs[2];
    size_t given = 0, added = 0;
    memset(piece, 'x', PIECE);
    line_cutter_init(&c);
    while (added + PIECE <= LINE_CUTTER_LINE_MAX) {
        assert_int_equal(line_cutter_add(&c, str_make(piece, PIECE), runs), 0);
        added += PIECE;
    }
    assert_int_equal(line_cutter_add(&c, str_make(piece, PIECE), runs), ERR_LIMIT);
    line_cutter_reset(&c);
    for (size_t i = 0; i < PIECE; i += 2) {
        memcpy(piece + i, "#\n", 2);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(line_cutter_add(&c, str_make(piece, PIECE), runs), 0);
        given += runs[0].len + runs[1].len;
        assert_true((size_t)(i + 1) * PIECE - given <= LINE_CUTTER_COMMENTS_MAX);
    }
    assert_int_equal(given + line_cutter_end(&c).len, 100 * PIECE);
    line_cutter_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_of_bodies),
        cmocka_unit_test(test_random_cuts),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
