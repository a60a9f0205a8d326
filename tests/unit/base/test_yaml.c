/* The YAML tree: shapes, positions, anchors, limits, and what is refused. Shapes are compared as a
 * compact text: scalars in <> when plain and in "" when quoted. Expected trees follow YAML 1.1. */
#include "support/support.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/yaml.h"

static void describe(const struct yaml_node *node, struct strbuf *out)
{
    if (node == NULL) {
        strbuf_add_c(out, "(none)");
        return;
    }
    if (node->kind == YAML_SCALAR) {
        strbuf_addf(out, node->plain ? "<%s>" : "\"%s\"", node->text.ptr);
        return;
    }
    strbuf_add_char(out, node->kind == YAML_SEQUENCE ? '[' : '{');
    for (size_t i = 0; i < node->count; i++) {
        strbuf_add_c(out, i > 0 ? " " : "");
        if (node->kind == YAML_MAPPING) {
            strbuf_addf(out, "%s=", node->entries[i].key->text.ptr);
        }
        describe(node->entries[i].value, out);
    }
    strbuf_add_char(out, node->kind == YAML_SEQUENCE ? ']' : '}');
}

static void test_shapes(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "(none)"},
        {"# only a remark\n", "(none)"},
        {"---\n...\n", "(none)"},
        {"~", "(none)"},
        {"word", "<word>"},
        {"'word'", "\"word\""},
        {"\"a\\nb\"", "\"a\nb\""},
        {"!!str 12", "\"12\""},
        {"|\n  two\n  lines\n", "\"two\nlines\n\""},
        {"[]", "[]"},
        {"{}", "{}"},
        {"a: 1\nb: [x, 'y']\n", "{a=<1> b=[<x> \"y\"]}"},
        {"- a: 1\n  b:\n- c\n", "[{a=<1> b=<>} <c>]"},
        {"base: &b {x: 1, y: 2}\nuse: *b\n", "{base={x=<1> y=<2>} use={x=<1> y=<2>}}"},
        {"- &a 1\n- &a 2\n- *a\n", "[<1> <2> <2>]"},
        {"b: &b {x: 1, y: 2}\nm:\n  y: 3\n  <<: *b\n", "{b={x=<1> y=<2>} m={y=<3> x=<1>}}"},
        {"m: {<<: [{x: 1}, {x: 2, z: 3}], y: 4}", "{m={y=<4> x=<1> z=<3>}}"},
        {"m: {'<<': 1}", "{m={<<=<1>}}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct yaml_node *root = NULL;
        struct err e = ERR_INIT;
        if (yaml_parse(&arena, "t", str_of(cases[i].text), &root, &e) != 0) {
            fail_msg("%s: %s", cases[i].text, e.message);
        }
        struct strbuf out = STRBUF_INIT;
        describe(root, &out);
        assert_string_equal(out.data, cases[i].expected);
        strbuf_release(&out);
        arena_release(&arena);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *sentence;
    } cases[] = {
        {"a: [1, 2\n", ERR_INVALID, "f.yaml:2:1: while parsing a flow sequence"},
        {"a: 1\n\tb: 2\n", ERR_INVALID, "f.yaml:2:1: "},
        {"a: 1\nb: 2\na: 3\n", ERR_INVALID, "f.yaml:3:1: key \"a\" is here twice, first on line 1"},
        {"x:\n  {k: 1, k: 2}", ERR_INVALID,
            "f.yaml:2:10: key \"k\" is here twice, first on line 2"},
        {"a: *nowhere", ERR_INVALID, "f.yaml:1:4: alias without an anchor"},
        {"a: &a [*a]", ERR_INVALID, "f.yaml:1:8: alias inside the node it stands for"},
        {"? [a]\n: 1\n", ERR_INVALID, "f.yaml:1:3: a key must be a word"},
        {"a\n---\nb\n", ERR_INVALID, "f.yaml:2:1: a second document begins here"},
        {"m: {<<: word}", ERR_INVALID, "f.yaml:1:9: a merge key takes a mapping"},
        {"ok: 1\nb: \xff\n", ERR_INVALID, "f.yaml:2:4: "},
        {"b: \"\x01\"\n", ERR_INVALID, "f.yaml:1:5: control characters are not allowed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct yaml_node *root = NULL;
        struct err e = ERR_INIT;
        int status = yaml_parse(&arena, "f.yaml", str_of(cases[i].text), &root, &e);
        if (status != cases[i].code ||
            !str_starts_with(str_of(e.message), str_of(cases[i].sentence))) {
            fail_msg("%s: got %d \"%s\", expected %d \"%s\"", cases[i].text, status, e.message,
                cases[i].code, cases[i].sentence);
        }
        assert_null(root);
        arena_release(&arena);
    }
}

static void test_positions(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct yaml_node *root = NULL;
    const char *text = "# first\nouter:\n  inner:\n    - x\n    - 'y'\n";
    assert_int_equal(yaml_parse(&arena, "t", str_of(text), &root, NULL), 0);
    const struct yaml_node *inner = yaml_get(yaml_get(root, "outer"), "inner");
    assert_non_null(inner);
    assert_int_equal(inner->count, 2);
    assert_int_equal(inner->line, 4);
    assert_int_equal(inner->entries[1].value->line, 5);
    assert_int_equal(inner->entries[1].value->column, 7);
    assert_null(inner->entries[1].key);
    assert_null(yaml_get(root, "absent"));
    assert_null(yaml_get(inner, "outer"));
    assert_null(yaml_get(NULL, "outer"));
    arena_release(&arena);
}

/* Opens `levels` sequences around a word. */
static int parse_nested(size_t levels, const char *before, const char *core)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_c(&text, before);
    for (size_t i = 0; i < levels; i++) {
        strbuf_add_char(&text, '[');
    }
    strbuf_add_c(&text, core);
    for (size_t i = 0; i < levels; i++) {
        strbuf_add_char(&text, ']');
    }
    struct arena arena;
    arena_init(&arena, 0);
    struct yaml_node *root;
    int status = yaml_parse(&arena, "t", strbuf_str(&text), &root, NULL);
    arena_release(&arena);
    strbuf_release(&text);
    return status;
}

static void test_depth(void **state)
{
    assert_int_equal(parse_nested(YAML_DEPTH_MAX - 1, "", "x"), 0);
    assert_int_equal(parse_nested(YAML_DEPTH_MAX, "", "x"), ERR_LIMIT);
    assert_int_equal(parse_nested(100000, "", "x"), ERR_LIMIT);
    /* The depth of an alias counts: four levels from the anchor, one from the mapping. */
    assert_int_equal(parse_nested(YAML_DEPTH_MAX - 5, "a: &a [[[x]]]\nb: ", "*a"), 0);
    assert_int_equal(parse_nested(YAML_DEPTH_MAX - 4, "a: &a [[[x]]]\nb: ", "*a"), ERR_LIMIT);
}

/* Ten levels of ten aliases each: a few hundred bytes that stand for 10^10 nodes. */
static void test_alias_bomb(void **state)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_c(&text, "- &a0 x\n");
    for (int i = 1; i <= 10; i++) {
        strbuf_addf(&text, "- &a%d [", i);
        for (int j = 0; j < 10; j++) {
            strbuf_addf(&text, "%s*a%d", j > 0 ? ", " : "", i - 1);
        }
        strbuf_add_c(&text, "]\n");
    }
    struct arena arena;
    arena_init(&arena, 0);
    struct yaml_node *root = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(yaml_parse(&arena, "t", strbuf_str(&text), &root, &e), ERR_LIMIT);
    assert_non_null(strstr(e.message, "more than a million nodes"));
    arena_release(&arena);
    strbuf_release(&text);
}

static void test_memory_short(void **state)
{
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct yaml_node *root = NULL;
        struct err e = ERR_INIT;
        mem_fail_nth(n);
        int status =
            yaml_parse(&arena, "t", STR("a: &a {x: [1, 2]}\nb: {<<: *a, y: 2}\n"), &root, &e);
        struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, struck ? ERR_NOMEM : 0);
        arena_release(&arena);
    }
    struct arena arena;
    arena_init(&arena, 256);
    struct yaml_node *root;
    assert_int_equal(yaml_parse(&arena, "t", STR("[a, b, c, d, e, f]"), &root, NULL), ERR_LIMIT);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_alias_bomb),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
