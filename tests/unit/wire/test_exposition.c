/* Expositions: what is accepted and how it reads, what is refused and where, and writing. */
#include <math.h>
#include <string.h>

#include "support/support.h"
#include "wire/exposition.h"

/* Renders every entry of a body as one line of plain text; the error's sentence at the end. */
static void render(enum exposition_format format, struct str body, struct strbuf *out)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct exposition_parser p;
    struct exposition_entry entry;
    struct err e = ERR_INIT;
    int status;
    exposition_begin(&p, format, body, &arena);
    while ((status = exposition_next(&p, &entry, &e)) == 1) {
        struct label pairs[16];
        size_t count = 0;
        switch (entry.kind) {
        case EXPOSITION_TYPE:
            strbuf_addf(out, "T %.*s %s|", STR_ARG(entry.metric), metric_type_name(entry.type));
            continue;
        case EXPOSITION_HELP:
            strbuf_addf(out, "H %.*s %.*s|", STR_ARG(entry.metric), STR_ARG(entry.text));
            continue;
        case EXPOSITION_UNIT:
            strbuf_addf(out, "U %.*s %.*s|", STR_ARG(entry.metric), STR_ARG(entry.text));
            continue;
        case EXPOSITION_SAMPLE:
            break;
        }
        status = exposition_labels(&p, entry.series_text, pairs, 16, &count, &e);
        if (status != 0) {
            break;
        }
        for (size_t i = 0; i < count; i++) {
            strbuf_addf(out, "%.*s=%.*s ", STR_ARG(pairs[i].name), STR_ARG(pairs[i].value));
        }
        strbuf_addf(out, "%g", entry.value);
        if (entry.has_timestamp) {
            strbuf_addf(out, " @%lld", (long long)entry.t_ms);
        }
        if (entry.has_exemplar) {
            strbuf_addf(out, " #%.*s %g", STR_ARG(entry.exemplar_text), entry.exemplar_value);
        }
        strbuf_add_c(out, "|");
    }
    if (status < 0) {
        strbuf_addf(out, "ERROR %s", e.message);
    }
    strbuf_add_char(out, '\0');
    arena_release(&arena);
}

struct reading {
    const char *body, *expected;
};

static void check(enum exposition_format format, const struct reading *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct strbuf out = STRBUF_INIT;
        render(format, str_of(cases[i].body), &out);
        if (strncmp(cases[i].expected, "ERROR", 5) == 0) {
            assert_non_null(strstr(out.data, "ERROR"));
            if (strstr(out.data, cases[i].expected + 6) == NULL) {
                assert_string_equal(out.data, cases[i].expected);
            }
        } else {
            assert_string_equal(out.data, cases[i].expected);
        }
        strbuf_release(&out);
    }
}

static void test_text_is_read(void **state)
{
    static const struct reading cases[] = {
        {"up 1\n", "__name__=up 1|"},
        {"up 1", "__name__=up 1|"},
        {"up\t1\t1500\r\n", "__name__=up 1 @1500|"},
        {"  up 1 -5\n\n", "__name__=up 1 @-5|"},
        {"m{a=\"1\",b=\"2\",} +Inf\n", "__name__=m a=1 b=2 inf|"},
        {"m { a = \"1\" } 2\n", "__name__=m a=1 2|"},
        {"m{} NaN\n", "__name__=m nan|"},
        {"m{a=\"x\\\\y\\\"z\\n\"} 1e3\n", "__name__=m a=x\\y\"z\n 1000|"},
        {"m{a=\"}{,\"} 1\n", "__name__=m a=}{, 1|"},
        {"m{a=\"x\"}1\n", "__name__=m a=x 1|"},
        {"{\"my.metric\",\"a b\"=\"c\"} 3\n", "__name__=my.metric a b=c 3|"},
        {"# HELP m line\\n two \\\\ x\n", "H m line\n two \\ x|"},
        {"# TYPE m counter\n# TYPE n untyped\n", "T m counter|T n unknown|"},
        {"# HELP m-n x\n# HELP p\n", "H m -n x|H p |"},
        {"# a remark\n#\n#x\n# HELP\nup 0\n", "__name__=up 0|"},
        {"", ""},
    };
    check(EXPOSITION_TEXT, cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_text_is_refused_with_its_place(void **state)
{
    static const struct reading cases[] = {
        {"up 1\na 2 3 4\n", "ERROR line 2, column 7"},
        {"a\n", "ERROR line 1, column 2: expected a blank and a value"},
        {"a{b=\"c\" 1\n", "ERROR line 1"},
        {"a{b=\"c} 1\n", "ERROR the braces are not closed"},
        {"a{b=c} 1\n", "ERROR expected a quoted string"},
        {"a{b=\"c\"d=\"e\"} 1\n", "ERROR expected , or }"},
        {"a{9b=\"c\"} 1\n", "ERROR expected a label name"},
        {"9a 1\n", "ERROR line 1, column 1: expected a metric name"},
        {"a 1_000\n", "ERROR line 1, column 3: expected a value"},
        {"a 0x1p-3\n", "ERROR expected a value"},
        {"a 1 1.5\n", "ERROR line 1, column 5: expected a timestamp"},
        {"a true\n", "ERROR expected a value"},
        {"a{b=\"\xff\"} 1\n", "ERROR UTF-8"},
        {"# TYPE a sausage\n", "ERROR invalid metric type"},
        {"a{,} 1\n", "ERROR expected a label name"},
    };
    check(EXPOSITION_TEXT, cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_openmetrics(void **state)
{
    static const struct reading cases[] = {
        {"# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds h\n"
         "a_seconds_total 1 1.5 # {trace_id=\"x\"} 0.5 2\n# EOF\n",
            "T a_seconds counter|U a_seconds seconds|H a_seconds h|"
            "__name__=a_seconds_total 1 @1500 #{trace_id=\"x\"} 0.5|"},
        {"a_total 1 # {} 7\n# EOF", "__name__=a_total 1 #{} 7|"},
        {"a 1\n", "ERROR does not end with # EOF"},
        {"a 1\n# EOF\nb 2\n", "ERROR text after # EOF"},
        {"a  1\n# EOF\n", "ERROR expected a value"},
        {"a 1 \n# EOF\n", "ERROR blank at the end of the line"},
        {"a 1 Inf\n# EOF\n", "ERROR expected a timestamp"},
        {"\na 1\n# EOF\n", "ERROR empty line"},
        {"#HELP a b\n# EOF\n", "ERROR expected a blank after #"},
        {"# UNIT a_x seconds\n# EOF\n", "ERROR unit is not a suffix"},
        {"a_total 1 #{} 1\n# EOF\n", "ERROR expected a blank before the exemplar"},
    };
    check(EXPOSITION_OPENMETRICS, cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_too_many_labels(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct exposition_parser p;
    struct exposition_entry entry;
    struct label pairs[2];
    size_t count = 0;
    exposition_begin(&p, EXPOSITION_TEXT, STR("m{a=\"1\",b=\"2\"} 1\n"), &arena);
    assert_int_equal(exposition_next(&p, &entry, NULL), 1);
    assert_int_equal(exposition_labels(&p, entry.series_text, pairs, 2, &count, NULL), ERR_LIMIT);
    arena_release(&arena);
}

static void test_what_is_written_reads_back(void **state)
{
    struct strbuf out = STRBUF_INIT, again = STRBUF_INIT;
    struct label odd[] = {{STR("a"), STR("q\"b\\n\n")}, {STR("le"), STR("0.005")}};
    exposition_write_help(&out, STR("m"), STR("two\nlines \\ slash"));
    exposition_write_type(&out, STR("m"), METRIC_TYPE_HISTOGRAM);
    exposition_write_sample(&out, STR("m"), odd, 2, 1e-7, INT64_MIN);
    exposition_write_sample(&out, STR("my.metric"), odd, 1, -INFINITY, 12);
    exposition_write_sample(&out, STR("bare"), NULL, 0, NAN, INT64_MIN);
    render(EXPOSITION_TEXT, strbuf_str(&out), &again);
    assert_string_equal(again.data,
        "H m two\nlines \\ slash|T m histogram|__name__=m a=q\"b\\n\n le=0.005 1e-07|"
        "__name__=my.metric a=q\"b\\n\n -inf @12|__name__=bare nan|");
    assert_non_null(strstr(out.data, "m{a=\"q\\\"b\\\\n\\n\",le=\"0.005\"} 1e-07\n"));
    strbuf_release(&out);
    strbuf_release(&again);
}

static void test_figures_of_one_metric_share_its_head(void **state)
{
    struct strbuf out = STRBUF_INIT;
    const struct label first = {STR("source"), STR("a")}, second = {STR("source"), STR("b")};
    exposition_write_figure(&out, "taken_total", METRIC_TYPE_COUNTER, "Taken", &first, 1, 1);
    exposition_write_figure(&out, "taken_total", METRIC_TYPE_COUNTER, NULL, &second, 1, 2);
    assert_string_equal(out.data, "# HELP taken_total Taken\n# TYPE taken_total counter\n"
                                  "taken_total{source=\"a\"} 1\ntaken_total{source=\"b\"} 2\n");
    strbuf_release(&out);
}

/* ---- A body in parts ---- */

/* Entries, and the error of a body whose lines come in parts of `lines` lines each. */
static void render_parts(
    enum exposition_format format, struct str body, size_t lines, struct strbuf *out)
{
    struct arena arena;
    struct exposition_parser p;
    struct exposition_entry entry;
    struct err e = ERR_INIT;
    int status = 0;
    arena_init(&arena, 0);
    exposition_begin(&p, format, STR(""), &arena);
    do {
        size_t length = 0;
        for (size_t i = 0; i < lines && length < body.len; i++) {
            const char *newline = memchr(body.ptr + length, '\n', body.len - length);
            length = newline != NULL ? (size_t)(newline - body.ptr) + 1 : body.len;
        }
        struct str part = str_make(body.ptr, length);
        body = str_skip(body, length);
        exposition_go_on(&p, part, body.len == 0);
        while ((status = exposition_next(&p, &entry, &e)) == 1) {
            strbuf_addf(out, "%d %.*s %.*s %g|", (int)entry.kind, STR_ARG(entry.series_text),
                STR_ARG(entry.metric), entry.value);
        }
    } while (status == 0 && body.len > 0);
    if (status != 0) {
        strbuf_addf(out, "ERROR at %lld: %s", (long long)e.position, e.message);
    }
    strbuf_add_char(out, '\0');
    arena_release(&arena);
}

/* However many lines a part has, entries and errors are those of the whole body: lines counted through, no end
 * asked for before the end, nothing taken behind it. */
static void test_parts_read_like_the_whole(void **state)
{
    static const char *const bodies[] = {"a 1\nb 2\n", "# TYPE a counter\na_total 1\n# EOF\n",
        "a 1\n# EOF\nb 2\n", "a 1\nb 2", "a 1\n\nb 2\nc x\nd 4\n", "# HELP a x\n# EOF", ""};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        for (int format = EXPOSITION_TEXT; format <= EXPOSITION_OPENMETRICS; format++) {
            struct strbuf whole = STRBUF_INIT;
            render_parts((enum exposition_format)format, str_of(bodies[i]), SIZE_MAX, &whole);
            for (size_t lines = 1; lines < 4; lines++) {
                struct strbuf parts = STRBUF_INIT;
                render_parts((enum exposition_format)format, str_of(bodies[i]), lines, &parts);
                assert_string_equal(parts.data, whole.data);
                strbuf_release(&parts);
            }
            strbuf_release(&whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_of_one_metric_share_its_head),
        cmocka_unit_test(test_text_is_read),
        cmocka_unit_test(test_text_is_refused_with_its_place),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_too_many_labels),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_parts_read_like_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
