/* Relabelling, action by action. Expected results are those of Prometheus' documents and, for hashmod,
 * of MD5 computed elsewhere. */
#include "support/support.h"

#include <string.h>

#include "base/config.h"
#include "base/yaml.h"
#include "model/relabel.h"
#include "support/fault_loop.h"

/* "a=1,b=2" into a builder; the text must live on. */
static void parse_labels(const char *text, struct labels_builder *b)
{
    labels_builder_init(b);
    while (*text != '\0') {
        const char *equals = strchr(text, '='), *end = strchrnul(text, ',');
        labels_builder_set(b, str_make(text, (size_t)(equals - text)),
            str_make(equals + 1, (size_t)(end - equals - 1)));
        text = *end == ',' ? end + 1 : end;
    }
}

static void write_labels(const struct labels_builder *b, struct strbuf *out)
{
    const struct labels *l = NULL;
    assert_int_equal(labels_builder_finish(b, &l), 0);
    for (size_t i = 0; i < labels_count(l); i++) {
        struct label pair = labels_at(l, i);
        strbuf_addf(out, "%s%.*s=%.*s", i > 0 ? "," : "", STR_ARG(pair.name), STR_ARG(pair.value));
    }
    labels_unref(l);
}

struct rule_file {
    struct config_list rules;
};

static const struct config_field file_fields[] = {
    {.key = "rules",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct rule_file, rules),
        .fields = relabel_fields,
        .item_size = sizeof(struct relabel_rule)},
    {.key = NULL},
};

/* Compiles rules as a file has them: YAML in flow style. */
static int compile(const char *yaml, struct relabel **relabel_out, struct err *e)
{
    struct arena arena;
    struct yaml_node *root = NULL;
    struct rule_file file;
    struct strbuf text = STRBUF_INIT;
    arena_init(&arena, 0);
    strbuf_addf(&text, "rules: [%s]\n", yaml);
    int status = strbuf_error(&text);
    status = status == 0 ? yaml_parse(&arena, "test", strbuf_str(&text), &root, e) : status;
    if (status == 0) {
        status = config_read(&arena, "test", root, file_fields, &file, e);
    }
    if (status == 0) {
        status = relabel_new(file.rules.items, file.rules.count, relabel_out, e);
    }
    strbuf_release(&text);
    arena_release(&arena);
    return status;
}

static void test_actions(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        const char *before;
        const char *after; /* NULL: dropped */
    } cases[] = {
        {"{source_labels: [a], regex: 'f(.*)', target_label: 'd', replacement: 'ch${1}-ch${1}', "
         "action: 'replace'}",
            "a=foo,b=bar", "a=foo,b=bar,d=choo-choo"},
        {"{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: 'a', replacement: "
         "'b${1}${2}m', action: 'replace'}",
            "a=foo,b=bar", "a=boobam,b=bar"},
        /* No match changes nothing; an empty result deletes. */
        {"{source_labels: [a], regex: 'x(.*)', target_label: 'b', action: 'replace'}",
            "a=foo,b=bar", "a=foo,b=bar"},
        {"{source_labels: [none], target_label: 'b', action: 'replace'}", "a=foo,b=bar", "a=foo"},
        {"{target_label: 'team', replacement: 'infra', action: 'replace'}", "a=foo",
            "a=foo,team=infra"},
        /* Groups in the name of the target; one that comes out empty sets nothing. */
        {"{source_labels: [a], regex: 'some-([^-]+)-(.*)', target_label: 'x_${1}', replacement: "
         "'$2', action: 'replace'}",
            "a=some-job-17", "a=some-job-17,x_job=17"},
        {"{source_labels: [a], regex: '(f)(oo)', target_label: '${3}', action: 'replace'}", "a=foo",
            "a=foo"},
        /* Patterns are anchored. */
        {"{source_labels: [a], regex: 'fo', action: 'keep'}", "a=foo", NULL},
        {"{source_labels: [a], regex: 'fo.', action: 'keep'}", "a=foo", "a=foo"},
        {"{source_labels: [a], regex: 'fo.', action: 'drop'}", "a=foo", NULL},
        {"{source_labels: [a], regex: 'o', action: 'drop'}", "a=foo", "a=foo"},
        {"{source_labels: [a, b], separator: '/', regex: '1/2', action: 'Drop'}", "a=1,b=2", NULL},
        {"{source_labels: [a], target_label: 'b', action: 'keepequal'}", "a=1,b=1", "a=1,b=1"},
        {"{source_labels: [a], target_label: 'b', action: 'keepequal'}", "a=1,b=2", NULL},
        {"{source_labels: [a], target_label: 'b', action: 'dropequal'}", "a=1,b=1", NULL},
        {"{source_labels: [a], target_label: 'b', action: 'dropequal'}", "a=1,b=2", "a=1,b=2"},
        {"{source_labels: [c], modulus: 1000, target_label: 'd', action: 'hashmod'}", "c=baz",
            "c=baz,d=976"},
        {"{source_labels: [a], modulus: 1000, target_label: 'd', action: 'hashmod'}", "a=foo\nbar",
            "a=foo\nbar,d=734"},
        {"{regex: 'meta_(.+)', action: 'labelmap'}", "a=1,meta_x=2,meta_y=3",
            "a=1,meta_x=2,meta_y=3,x=2,y=3"},
        {"{regex: '(.*)', replacement: 'x$1', action: 'labelmap'}", "a=1", "a=1,xa=1"},
        {"{regex: 'tmp_.*', action: 'labeldrop'}", "a=1,tmp_b=2,tmp_c=3", "a=1"},
        {"{regex: 'a|b', action: 'labelkeep'}", "a=1,b=2,c=3", "a=1,b=2"},
        {"{source_labels: [a], target_label: 'l', action: 'lowercase'}", "a=QuX-3",
            "a=QuX-3,l=qux-3"},
        {"{source_labels: [a], target_label: 'a', action: 'uppercase'}", "a=QuX-3", "a=QUX-3"},
        /* As vmagent's documents say. */
        {"{source_labels: [a, b, c], action: keep_if_equal}", "a=1,b=1,c=1", "a=1,b=1,c=1"},
        {"{source_labels: [a, b, c], action: keep_if_equal}", "a=1,b=1,c=2", NULL},
        {"{source_labels: [a, b], action: drop_if_equal}", "a=1,b=1", NULL},
        {"{source_labels: [a, b], action: drop_if_equal}", "a=1", "a=1"},
        {"{source_labels: [a, b], target_label: t, action: keep_if_contains}", "a=x,b=yz,t=yzx",
            "a=x,b=yz,t=yzx"},
        {"{source_labels: [a, b], target_label: t, action: keep_if_contains}", "a=x,b=yz,t=xy",
            NULL},
        {"{source_labels: [a], target_label: t, action: keep_if_contains}", "a=x", NULL},
        {"{source_labels: [a], target_label: t, action: drop_if_contains}", "a=x,t=axb", NULL},
        {"{source_labels: [a], target_label: t, action: drop_if_contains}", "a=x,t=ab", "a=x,t=ab"},
        {"{regex: 'go_.*', action: keep_metrics}", "__name__=go_x", "__name__=go_x"},
        {"{regex: 'go_.*', action: keep_metrics}", "__name__=a_go_x", NULL},
        {"{regex: 'go_.*', action: drop_metrics}", "__name__=go_x", NULL},
        {"{regex: 'go_.*', action: drop_metrics}", "a=go_x", "a=go_x"},
        {"{regex: [foo, 'b.r'], action: drop_metrics}", "__name__=bar", NULL},
        {"{regex: [foo, 'b.r'], action: drop_metrics}", "__name__=foobar", "__name__=foobar"},
        {"{source_labels: [a], regex: '-', replacement: '_', target_label: b, action: replace_all}",
            "a=x-y-z", "a=x-y-z,b=x_y_z"},
        {"{source_labels: [a], regex: '-', replacement: '_', target_label: b, action: replace_all}",
            "a=xyz,b=1", "a=xyz,b=1"},
        {"{source_labels: [a, b], separator: ';', regex: '(.);(.)', replacement: '$2.$1', "
         "target_label: a, action: replace_all}",
            "a=xy,b=z", "a=xz.y,b=z"},
        {"{regex: '-', replacement: '_', action: labelmap_all}", "a-b-c=1,d=2", "a_b_c=1,d=2"},
        {"{action: graphite, match: 'foo.*.*.bar', labels: {instance: '$2:9100', job: '$1', "
         "__name__: 'foo_bar'}}",
            "__name__=foo.app.host1.bar,x=y", "__name__=foo_bar,instance=host1:9100,job=app,x=y"},
        {"{action: graphite, match: 'foo.*.bar', labels: {job: '$1'}}", "__name__=foo.a.b.bar",
            "__name__=foo.a.b.bar"},
        {"{action: graphite, match: 'foo+bar.*', labels: {job: '$1'}}", "__name__=foobar.x",
            "__name__=foobar.x"},
        /* The filter: what it is not for stays as it is, and is no reason to keep. */
        {"{if: '{a=\"x\"}', target_label: t, replacement: y}", "a=x", "a=x,t=y"},
        {"{if: '{a=\"x\"}', target_label: t, replacement: y}", "a=z", "a=z"},
        {"{if: 'up{a=~\"x.*\"}', action: drop}", "__name__=up,a=xy", NULL},
        {"{if: 'up{a=~\"x.*\"}', action: drop}", "__name__=down,a=xy", "__name__=down,a=xy"},
        {"{if: [foo, '{a!=\"x\"}'], action: drop}", "__name__=foo,a=x", NULL},
        {"{if: [foo, '{a!=\"x\"}'], action: drop}", "__name__=bar,a=y", NULL},
        {"{if: [foo, '{a!=\"x\"}'], action: drop}", "__name__=bar,a=x", "__name__=bar,a=x"},
        {"{if: foo, action: keep}", "__name__=foo", "__name__=foo"},
        {"{if: foo, action: keep}", "__name__=bar", NULL},
        {"{if: foo, source_labels: [a], regex: x, action: keep}", "__name__=foo,a=y", NULL},
        {"{if: foo, source_labels: [a, b], action: keep_if_equal}", "__name__=bar,a=1,b=2",
            "__name__=bar,a=1,b=2"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct relabel *r = NULL;
        struct labels_builder b;
        struct arena arena;
        struct strbuf text = STRBUF_INIT;
        struct err e = ERR_INIT;
        if (compile(cases[i].rule, &r, &e) != 0) {
            fail_msg("case %zu: %s", i, e.message);
        }
        arena_init(&arena, 0);
        parse_labels(cases[i].before, &b);
        int kept = relabel_apply(r, &b, &arena);
        assert_true(kept == 0 || kept == 1);
        write_labels(&b, &text);
        if (kept != (cases[i].after != NULL) ||
            (kept && !str_eq_c(strbuf_str(&text), cases[i].after))) {
            fail_msg("case %zu, %s on %s: expected %s, got %s%.*s", i, cases[i].rule,
                cases[i].before, cases[i].after != NULL ? cases[i].after : "(dropped)",
                kept ? "" : "(dropped) ", STR_ARG(strbuf_str(&text)));
        }
        strbuf_release(&text);
        labels_builder_release(&b);
        arena_release(&arena);
        relabel_unref(r);
    }
}

/* A rule sees what those before it left, and nothing runs behind a drop. */
static void test_lists(void **state)
{
    (void)state;
    static const char rules[] = "{source_labels: [a], target_label: b},"
                                "{source_labels: [b], target_label: c, action: uppercase},"
                                "{source_labels: [c], regex: FOO, action: drop},"
                                "{target_label: d, replacement: x}";
    struct relabel *r = NULL;
    struct labels_builder b;
    struct arena arena;
    struct strbuf text = STRBUF_INIT;
    assert_int_equal(compile(rules, &r, NULL), 0);
    assert_int_equal(relabel_count(r), 4);
    arena_init(&arena, 0);
    parse_labels("a=foo", &b);
    assert_int_equal(relabel_apply(r, &b, &arena), 0);
    write_labels(&b, &text);
    assert_string_equal(text.data, "a=foo,b=foo,c=FOO");
    assert_int_equal(relabel_apply(NULL, &b, &arena), 1);
    strbuf_release(&text);
    labels_builder_release(&b);
    arena_release(&arena);
    relabel_unref(r);
}

static void test_equal(void **state)
{
    (void)state;
    static const char *const lists[] = {"", "{target_label: a, replacement: x}",
        "{target_label: a, replacement: y}",
        "{source_labels: [a], target_label: a, replacement: x}",
        "{target_label: a, replacement: x}, {target_label: a, replacement: y}",
        "{target_label: a, replacement: x, if: b}", "{target_label: a, replacement: x, if: c}",
        "{action: graphite, match: 'a.*', labels: {b: $1}}",
        "{action: graphite, match: 'a.*', labels: {b: $2}}"};
    enum { LISTS = sizeof(lists) / sizeof(lists[0]) };
    struct relabel *first[LISTS], *second[LISTS];
    for (size_t i = 0; i < LISTS; i++) {
        assert_int_equal(compile(lists[i], &first[i], NULL), 0);
        assert_int_equal(compile(lists[i], &second[i], NULL), 0);
    }
    for (size_t i = 0; i < LISTS; i++) {
        for (size_t k = 0; k < LISTS; k++) {
            assert_int_equal(relabel_eq(first[i], second[k]), i == k);
        }
    }
    assert_true(relabel_eq(first[0], NULL));
    assert_false(relabel_eq(NULL, first[1]));
    for (size_t i = 0; i < LISTS; i++) {
        relabel_unref(relabel_ref(first[i]));
        relabel_unref(first[i]);
        relabel_unref(second[i]);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        const char *sentence; /* part of it */
    } cases[] = {
        {"{action: 'replcae'}", "accepted: replace, keep"},
        {"{action: 'replace'}", "needs a target_label"},
        {"{target_label: 'x', action: 'hashmod'}", "needs a modulus"},
        {"{regex: '(', action: 'keep'}", "regex \"(\""},
        {"{target_label: 'x', action: 'labeldrop'}", "takes no target_label"},
        {"{source_labels: [a], action: 'labelkeep'}", "takes no source_labels"},
        {"{regex: 'x', target_label: 'a', action: 'keepequal'}", "takes no regex"},
        {"{target_label: 'a', replacement: 'x', action: 'lowercase'}", "takes no replacement"},
        {"{separator: ',', target_label: 'a', action: 'dropequal'}", "takes no separator"},
        {"{action: graphite, labels: {a: b}}", "action graphite needs match and labels"},
        {"{action: graphite, match: 'a.*'}", "action graphite needs match and labels"},
        {"{action: keep, match: 'a.*'}", "action keep takes no match and labels"},
        {"{action: replace_all, regex: x}", "action replace_all needs a target_label"},
        {"{action: drop, if: '{a='}", "relabel rule 1: if: selector \"{a=\", character 4"},
        {"{action: drop, if: ''}", "no condition at all"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct relabel *r = NULL;
        struct err e = ERR_INIT;
        int status = compile(cases[i].rule, &r, &e);
        if (status != ERR_INVALID || strstr(e.message, cases[i].sentence) == NULL ||
            strstr(e.message, "rule 1") == NULL) {
            fail_msg("case %zu: expected INVALID \"%s\", got %s \"%s\"", i, cases[i].sentence,
                err_name(status), e.message);
        }
    }
    static struct relabel_rule many[RELABEL_RULES_MAX + 1];
    struct relabel *r = NULL;
    assert_int_equal(relabel_new(many, RELABEL_RULES_MAX + 1, &r, NULL), ERR_LIMIT);
}

static int relabel_under_fire(void *context, struct vfs *fs)
{
    (void)context, (void)fs;
    static const char rules[] =
        "{source_labels: [a, b], target_label: c},"
        "{regex: '(.*)', replacement: 'x$1', action: labelmap},"
        "{source_labels: [a], target_label: h, modulus: 8, action: hashmod}";
    struct relabel *r = NULL;
    int status = compile(rules, &r, NULL);
    if (status == 0) {
        struct labels_builder b;
        struct arena arena;
        arena_init(&arena, 0);
        parse_labels("a=foo,b=bar", &b);
        int kept = relabel_apply(r, &b, &arena);
        status = kept == 1 ? 0 : kept;
        labels_builder_release(&b);
        arena_release(&arena);
    }
    relabel_unref(r);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    struct fault_scenario scenario = {.name = "relabel", .run = relabel_under_fire};
    fault_loop(&scenario, FAULT_ALLOCATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
