/* Whole queries as people write them: queries.txt beside this file, and, when SONDE_DASHBOARD_QUERIES
 * names one, a larger file of the same form. Each must parse, print, and parse again to the same.
 *
 * Form: one expression a line; lines that begin with # are comments. Grafana's variables ($name,
 * ${name}, ${name:format}) are replaced by the values that "# sub: NAME = VALUE  (note)" lines give,
 * else by the word x. Two spaces end a value. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vfs.h"
#include "query/promql.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)
#define SUBSTITUTION_MAX 256

struct substitution {
    struct str name, value;
};

static struct substitution substitutions[SUBSTITUTION_MAX];
static size_t substitution_count;

static void read_substitution(struct str line)
{
    struct str rest = str_skip(line, strlen("# sub: "));
    struct str name = str_trim(str_split(&rest, '='));
    size_t end = 0;
    while (end < rest.len &&
           !(end > 0 && end + 1 < rest.len && rest.ptr[end] == ' ' && rest.ptr[end + 1] == ' ')) {
        end++;
    }
    assert_true(substitution_count < SUBSTITUTION_MAX);
    substitutions[substitution_count++] =
        (struct substitution){name, str_trim(str_make(rest.ptr, end))};
}

static struct str value_of(struct str name)
{
    for (size_t i = 0; i < substitution_count; i++) {
        if (str_eq(substitutions[i].name, name)) {
            return substitutions[i].value;
        }
    }
    return STR("x");
}

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Replaces variables; a `$` that begins none stays. */
static void substitute(struct str line, struct strbuf *out)
{
    strbuf_reset(out);
    for (size_t i = 0; i < line.len;) {
        bool braces = line.ptr[i] == '$' && i + 1 < line.len && line.ptr[i + 1] == '{';
        size_t begin = i + (braces ? 2 : 1), end = begin;
        if (line.ptr[i] == '$') {
            while (end < line.len && (braces ? line.ptr[end] != '}' : is_word(line.ptr[end]))) {
                end++;
            }
        }
        if (end == begin || (line.ptr[begin] >= '0' && line.ptr[begin] <= '9')) {
            strbuf_add_char(out, line.ptr[i++]);
            continue;
        }
        struct str name = str_make(line.ptr + begin, end - begin);
        struct str value = value_of(name);
        if (str_eq_c(value, "x")) {
            value = value_of(str_split(&name, ':'));
        }
        strbuf_add_str(out, value);
        i = end + (braces ? 1 : 0);
    }
}

/* True when the text parses; types may be wrong where a variable stood for a part of a name. */
static void check(const char *text, struct strbuf *printed)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct expr *expr;
    struct err e = ERR_INIT;
    int status = promql_parse(str_of(text), PROMQL_FEATURES_DEFAULT, &arena, &expr, &e);
    if (status != 0 && strstr(e.message, "expected type") == NULL) {
        fail_msg("%s\n  %s", text, e.message);
    }
    if (status == 0) {
        strbuf_reset(printed);
        promql_write(expr, printed);
        struct expr *again;
        if (promql_parse(strbuf_str(printed), PROMQL_FEATURES_DEFAULT, &arena, &again, &e) != 0) {
            fail_msg("%s\n  printed as %s\n  %s", text, printed->data, e.message);
        }
        struct strbuf twice = STRBUF_INIT;
        promql_write(again, &twice);
        assert_string_equal(printed->data, twice.data);
        strbuf_release(&twice);
    }
    arena_release(&arena);
}

static size_t check_file(const char *path)
{
    char *data;
    size_t size, count = 0;
    assert_int_equal(vfs_read_file(vfs_posix(), path, FILE_BYTES_MAX, &data, &size), 0);
    struct str rest = {data, size};
    struct strbuf text = STRBUF_INIT, printed = STRBUF_INIT;
    substitution_count = 0;
    while (rest.len > 0) {
        struct str line = str_trim(str_split(&rest, '\n'));
        if (str_starts_with(line, STR("# sub: "))) {
            read_substitution(line);
        } else if (line.len > 0 && line.ptr[0] != '#') {
            substitute(line, &text);
            check(text.data, &printed);
            count++;
        }
    }
    strbuf_release(&text);
    strbuf_release(&printed);
    mem_free(data);
    return count;
}

static void test_own_queries(void **state)
{
    (void)state;
    assert_true(check_file("tests/unit/promql/queries.txt") >= 200);
}

static void test_outside_queries(void **state)
{
    (void)state;
    const char *path = getenv("SONDE_DASHBOARD_QUERIES");
    if (path == NULL) {
        skip();
    }
    print_message("%zu queries of %s\n", check_file(path), path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_queries),
        cmocka_unit_test(test_outside_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
