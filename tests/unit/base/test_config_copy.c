/* Copies of settings: the same in all rows, independent of what they were made from. */
#include "support/support.h"

#include <stddef.h>
#include <string.h>

#include "base/config.h"

struct child {
    const char *url;
    int64_t wait_ms;
};

struct settings {
    const char *name, *unset;
    bool enabled;
    int64_t count;
    double ratio;
    struct config_strings words;
    struct config_map labels;
    struct child first;
    struct config_list children, named;
};

struct named_child {
    const char *name;
    struct config_strings words;
};

static const struct config_field child_fields[] = {
    {.key = "url", .kind = CONFIG_STRING, .offset = offsetof(struct child, url)},
    {.key = "wait", .kind = CONFIG_DURATION, .offset = offsetof(struct child, wait_ms)},
    {.key = NULL},
};

static const struct config_field named_fields[] = {
    {.key = "words", .kind = CONFIG_STRING_LIST, .offset = offsetof(struct named_child, words)},
    {.key = NULL},
};

static const struct config_field fields[] = {
    {.key = "name", .kind = CONFIG_STRING, .offset = offsetof(struct settings, name)},
    {.key = "unset", .kind = CONFIG_STRING, .offset = offsetof(struct settings, unset)},
    {.key = "enabled", .kind = CONFIG_BOOL, .offset = offsetof(struct settings, enabled)},
    {.key = "count", .kind = CONFIG_INTEGER, .offset = offsetof(struct settings, count)},
    {.key = "ratio", .kind = CONFIG_DOUBLE, .offset = offsetof(struct settings, ratio)},
    {.key = "words", .kind = CONFIG_STRING_LIST, .offset = offsetof(struct settings, words)},
    {.key = "labels", .kind = CONFIG_STRING_MAP, .offset = offsetof(struct settings, labels)},
    {.key = "first",
        .kind = CONFIG_OBJECT,
        .offset = offsetof(struct settings, first),
        .fields = child_fields},
    {.key = "children",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct settings, children),
        .fields = child_fields,
        .item_size = sizeof(struct child)},
    {.key = "named",
        .kind = CONFIG_NAMED_LIST,
        .offset = offsetof(struct settings, named),
        .fields = named_fields,
        .item_size = sizeof(struct named_child)},
    {.key = NULL},
};

static const char base[] =
    "name: n\nenabled: true\ncount: 3\nratio: 0.5\nwords: [a, b]\nlabels: {k: v}\n"
    "first: {url: u, wait: 1s}\nchildren: [{url: x, wait: 2s}, {url: y}]\n"
    "named: {X-One: {words: [q]}, X-Two: {}}\n";

static struct settings read_text(struct arena *arena, const char *text)
{
    struct settings settings = {0};
    struct yaml_node *root = NULL;
    struct err why = ERR_INIT;
    if (yaml_parse(arena, "test", str_of(text), &root, &why) != 0 ||
        config_read(arena, "test", root, fields, &settings, &why) != 0) {
        fail_msg("%s", why.message);
    }
    return settings;
}

static void test_copy_outlives(void **state)
{
    (void)state;
    struct arena from, to;
    struct settings copy, again;
    arena_init(&from, 0);
    arena_init(&to, 0);
    struct settings original = read_text(&from, base);
    assert_int_equal(config_copy(&to, fields, &original, sizeof(original), &copy), 0);
    assert_true(config_eq(fields, &original, &copy));
    arena_release(&from);
    arena_init(&from, 0);
    again = read_text(&from, base);
    assert_true(config_eq(fields, &again, &copy));
    assert_null(copy.unset);
    assert_string_equal(((struct named_child *)copy.named.items)[1].name, "X-Two");
    assert_string_equal(((struct named_child *)copy.named.items)[0].words.items[0], "q");
    assert_string_equal(((struct child *)copy.children.items)[1].url, "y");
    arena_release(&from);
    arena_release(&to);
}

static void test_differences(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } rows[] = {{"name: n", "name: m"}, {"name: n", "unset: n"}, {"true", "false"},
        {"count: 3", "count: 4"}, {"0.5", "0.25"}, {"[a, b]", "[a, c]"}, {"[a, b]", "[a]"},
        {"{k: v}", "{k: w}"}, {"{k: v}", "{j: v}"}, {"{k: v}", "{}"}, {"wait: 1s", "wait: 3s"},
        {"url: x", "url: z"}, {", {url: y}", ""}, {"X-Two", "X-Three"}, {"[q]", "[q, r]"},
        {", X-Two: {}", ""}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        const char *at = strstr(base, rows[i].from);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base, rows[i].to,
            at + strlen(rows[i].from));
        struct arena arena;
        arena_init(&arena, 0);
        struct settings a = read_text(&arena, base), b = read_text(&arena, text);
        if (config_eq(fields, &a, &b)) {
            fail_msg("\"%s\" in place of \"%s\" was not seen", rows[i].to, rows[i].from);
        }
        arena_release(&arena);
    }
}

static void test_short_memory(void **state)
{
    (void)state;
    struct arena from, to;
    struct settings copy;
    arena_init(&from, 0);
    struct settings original = read_text(&from, base);
    arena_init(&to, 1);
    assert_int_equal(config_copy(&to, fields, &original, sizeof(original), &copy), ERR_LIMIT);
    arena_release(&to);
    arena_release(&from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_outlives),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
