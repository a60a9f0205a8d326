/* Texts of rules against what a real promtool made of them: tests/golden/rule_templates.json. The sentences
 * of errors, with line and column, are part of it.
 */
#include "support/support.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "query/template.h"

#define GOLDEN "tests/golden/rule_templates.json"

/* Three series `v{n="…"}` in the order of what was asked. */
static int query(void *context, struct str expr, struct arena *arena,
    struct template_sample **samples_out, size_t *count_out, struct err *e)
{
    (void)context;
    static const struct label labels[][2] = {
        {{{"__name__", 8}, {"v", 1}}, {{"n", 1}, {"one", 3}}},
        {{{"__name__", 8}, {"v", 1}}, {{"n", 1}, {"two", 3}}},
        {{{"__name__", 8}, {"v", 1}}, {{"n", 1}, {"three", 5}}},
    };
    static const struct {
        const char *expr;
        size_t count;
        int series[3];
    } table[] = {
        {"v", 3, {0, 2, 1}}, /* in the order of labels */
        {"sort(v)", 3, {0, 2, 1}},
        {"v > 100", 1, {1}},
        {"v{n=\"one\"}", 1, {0}},
        {"v{n='two'}", 1, {1}},
    };
    static const double values[] = {1, 2000, 3.5};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!str_eq_c(expr, table[i].expr)) {
            continue;
        }
        struct template_sample *samples = arena_calloc(arena, table[i].count, sizeof(*samples));
        for (size_t j = 0; j < table[i].count; j++) {
            int series = table[i].series[j];
            samples[j] = (struct template_sample){labels[series], 2, values[series]};
        }
        *samples_out = samples;
        *count_out = table[i].count;
        return 0;
    }
    return err_set(e, ERR_INVALID, -1, "1:10: parse error: unclosed left parenthesis");
}

/* The type of a rule's data is spelled as in Prometheus 3, where it says `interface {}` of the value; the
 * promtool that wrote the file says float64. */
static void as_version_2(struct strbuf *text)
{
    static const char now[] = "Value interface {}", before[] = "Value float64";
    char *found = strstr(text->data, now);
    if (found != NULL) {
        struct strbuf changed = STRBUF_INIT;
        strbuf_add(&changed, text->data, (size_t)(found - text->data));
        strbuf_add_c(&changed, before);
        strbuf_add_c(&changed, found + sizeof(now) - 1);
        strbuf_reset(text);
        strbuf_add_str(text, strbuf_str(&changed));
        strbuf_release(&changed);
    }
}

static void expand(const char *text, struct strbuf *out, bool *refused_out)
{
    static const struct label pairs[] = {{{"__name__", 8}, {"m", 1}},
        {{"instance", 8}, {"host:9100", 9}}, {{"job", 3}, {"node", 4}},
        {{"path", 4}, {"/a b?c=d&e", 10}}};
    static const struct label external_pairs[] = {{{"region", 6}, {"eu", 2}}};
    const struct labels *labels = NULL, *external = NULL;
    assert_int_equal(labels_new(pairs, 4, &labels, NULL), 0);
    assert_int_equal(labels_new(external_pairs, 1, &external, NULL), 0);
    struct arena arena;
    arena_init(&arena, 0);
    struct template_value root =
        template_rule_data(&arena, labels, external, STR("http://host:9095/p"), 1234567.5);
    struct strbuf whole = STRBUF_INIT;
    strbuf_add_c(&whole, TEMPLATE_RULE_PREFIX);
    strbuf_add_c(&whole, text);
    struct err e = ERR_INIT;
    struct template *t = NULL;
    struct template_options options = {.functions = TEMPLATE_FUNCTIONS_RULES};
    *refused_out = template_parse(STR("__alert_A"), strbuf_str(&whole), &options, &t, &e) != 0;
    struct template_hooks hooks = {.query = query, .external_url = STR("http://host:9095/p")};
    if (*refused_out) {
        strbuf_add_c(out, e.message);
    } else if (template_execute(t, &root, &hooks, NULL, out, &e) != 0) {
        strbuf_reset(out);
        strbuf_addf(
            out, "<error expanding template: error executing template __alert_A: %s>", e.message);
        as_version_2(out);
    }
    template_free(t);
    strbuf_release(&whole);
    arena_release(&arena);
    labels_unref(labels);
    labels_unref(external);
}

static void as_promtool(void **state)
{
    (void)state;
    json_error_t error;
    json_t *file = json_load_file(GOLDEN, 0, &error);
    assert_non_null(file);
    size_t wrong = 0, index;
    json_t *row;
    json_array_foreach(file, index, row)
    {
        const char *text = json_string_value(json_object_get(row, "text"));
        const char *expected = json_string_value(json_object_get(row, "expected"));
        const char *refused = json_string_value(json_object_get(row, "refused"));
        struct strbuf out = STRBUF_INIT;
        bool was_refused = false;
        expand(text, &out, &was_refused);
        strbuf_add_char(&out, '\0');
        const char *wanted = expected != NULL ? expected : refused;
        if (strcmp(out.data, wanted) != 0 || was_refused != (refused != NULL)) {
            printf("%s\n     gives %s\n instead of %s\n", text, out.data, wanted);
            wrong++;
        }
        strbuf_release(&out);
    }
    assert_true(index > 150);
    json_decref(file);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_promtool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
