/* Settings from tables: every kind, defaults, limits, and the sentences of mistakes. */
#include "support/support.h"

#include <stddef.h>

#include "base/config.h"
#include "base/mem.h"

struct backend {
    const char *url;
    int64_t timeout_ms;
    struct config_list children; /* of struct backend */
};

struct settings {
    const char *name;
    bool enabled;
    int64_t count;
    double ratio;
    int64_t interval_ms;
    int64_t size;
    struct config_strings words;
    struct config_map labels;
    struct {
        const char *path;
        int64_t depth;
    } store;
    struct config_list backends;
    size_t custom_length;
    const char *pattern;
    struct config_strings when;
};

static int read_length(struct config_reader *reader, const struct yaml_node *node, void *member)
{
    if (node->kind != YAML_SCALAR) {
        return config_fail(reader, node, "wanted a word");
    }
    *(size_t *)member = node->text.len;
    return 0;
}

static const struct config_field backend_fields[] = {
    {.key = "url",
        .kind = CONFIG_STRING,
        .offset = offsetof(struct backend, url),
        .required = true,
        .help = "where it listens"},
    {.key = "timeout",
        .kind = CONFIG_DURATION,
        .offset = offsetof(struct backend, timeout_ms),
        .default_text = "10s",
        .min = 1,
        .max = 60000,
        .help = "how long to wait"},
    {.key = "children",
        .kind = CONFIG_LIST,
        .offset = offsetof(struct backend, children),
        .fields = backend_fields,
        .item_size = sizeof(struct backend),
        .help = "more of them"},
    {.key = NULL},
};

static const struct config_field store_fields[] = {
    {.key = "path",
        .kind = CONFIG_STRING,
        .offset = 0,
        .default_text = "./data",
        .help = "directory"},
    {.key = "depth",
        .kind = CONFIG_INTEGER,
        .offset = sizeof(const char *),
        .default_text = "3",
        .min = -5,
        .max = 10,
        .help = "levels | steps"},
    {.key = NULL},
};

#define AT(member) .offset = offsetof(struct settings, member)

static const struct config_field fields[] = {
    {.key = "name", .kind = CONFIG_STRING, AT(name), .help = "a name"},
    {.key = "enabled", .kind = CONFIG_BOOL, AT(enabled), .default_text = "true", .help = "on"},
    {.key = "count", .kind = CONFIG_INTEGER, AT(count), .help = "any number"},
    {.key = "ratio", .kind = CONFIG_DOUBLE, AT(ratio), .default_text = "0.5", .help = "a share"},
    {.key = "interval",
        .kind = CONFIG_DURATION,
        AT(interval_ms),
        .default_text = "15s",
        .min = 1000,
        .max = 3600000,
        .help = "how often"},
    {.key = "size",
        .kind = CONFIG_BYTES,
        AT(size),
        .default_text = "64MiB",
        .min = 1024,
        .max = 1 << 30,
        .help = "how large"},
    {.key = "words",
        .kind = CONFIG_STRING_LIST,
        AT(words),
        .default_text = "[job, instance]",
        .help = "a few words"},
    {.key = "labels", .kind = CONFIG_STRING_MAP, AT(labels), .help = "added to each"},
    {.key = "store", .kind = CONFIG_OBJECT, AT(store), .fields = store_fields, .help = "the store"},
    {.key = "backends",
        .kind = CONFIG_LIST,
        AT(backends),
        .fields = backend_fields,
        .item_size = sizeof(struct backend),
        .help = "others"},
    {.key = "custom",
        .kind = CONFIG_CUSTOM,
        AT(custom_length),
        .default_text = "abc",
        .read = read_length,
        .help = "its length counts"},
    {.key = "pattern", .kind = CONFIG_STRING, AT(pattern), .joined_by = "|", .help = "one of"},
    {.key = "when", .kind = CONFIG_STRING_LIST, AT(when), .word_too = true, .help = "one or more"},
    {.key = "colour", .kind = CONFIG_IGNORED, .help = "accepted: everything is grey"},
    {.key = "internal", .kind = CONFIG_REFUSED, .help = "nobody has it; write store"},
    {.key = NULL},
};

static int load(struct arena *arena, const char *text, struct settings *s, struct err *e)
{
    struct yaml_node *root = NULL;
    memset(s, 0xee, sizeof(*s)); /* every member must be written */
    int status = yaml_parse(arena, "c.yaml", str_of(text), &root, e);
    return status != 0 ? status : config_read(arena, "c.yaml", root, fields, s, e);
}

static void test_defaults(void **state)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct settings s;
    struct err e = ERR_INIT;
    if (load(&arena, "count:\nname: ~\n", &s, &e) != 0) {
        fail_msg("%s", e.message);
    }
    assert_null(s.name);
    assert_true(s.enabled);
    assert_int_equal(s.count, 0);
    assert_true(s.ratio == 0.5);
    assert_int_equal(s.interval_ms, 15000);
    assert_int_equal(s.size, 64 << 20);
    assert_int_equal(s.words.count, 2);
    assert_string_equal(s.words.items[1], "instance");
    assert_int_equal(s.labels.count, 0);
    assert_string_equal(s.store.path, "./data");
    assert_int_equal(s.store.depth, 3);
    assert_int_equal(s.backends.count, 0);
    assert_int_equal(s.custom_length, 3);
    struct settings again;
    memset(&again, 0, sizeof(again));
    assert_int_equal(config_defaults(&arena, fields, &again, &e), 0);
    assert_int_equal(again.interval_ms, 15000);
    arena_release(&arena);
}

static void test_every_kind(void **state)
{
    static const char text[] = "name: one\n"
                               "enabled: Off\n"
                               "count: -7\n"
                               "ratio: 1e-3\n"
                               "interval: 1m30s\n"
                               "size: 1MB\n"
                               "words: [a, 'b c']\n"
                               "labels: {dc: fra, rack: 12}\n"
                               "store: {depth: 10}\n"
                               "backends:\n"
                               "  - url: http://a\n"
                               "  - url: http://b\n"
                               "    timeout: 5s\n"
                               "    children: [{url: http://c}]\n"
                               "custom: seven77\n"
                               "pattern: [a, b.c]\n"
                               "when: alone\n";
    struct arena arena;
    arena_init(&arena, 0);
    struct settings s;
    struct err e = ERR_INIT;
    if (load(&arena, text, &s, &e) != 0) {
        fail_msg("%s", e.message);
    }
    assert_string_equal(s.name, "one");
    assert_false(s.enabled);
    assert_int_equal(s.count, -7);
    assert_true(s.ratio == 0.001);
    assert_int_equal(s.interval_ms, 90000);
    assert_int_equal(s.size, 1000000);
    assert_int_equal(s.words.count, 2);
    assert_string_equal(s.words.items[1], "b c");
    assert_int_equal(s.labels.count, 2);
    assert_string_equal(s.labels.items[1].key, "rack");
    assert_string_equal(s.labels.items[1].value, "12");
    assert_string_equal(s.store.path, "./data");
    assert_int_equal(s.store.depth, 10);
    const struct backend *backends = s.backends.items;
    assert_int_equal(s.backends.count, 2);
    assert_string_equal(backends[0].url, "http://a");
    assert_int_equal(backends[0].timeout_ms, 10000);
    assert_int_equal(backends[1].timeout_ms, 5000);
    assert_int_equal(backends[1].children.count, 1);
    const struct backend *child = backends[1].children.items;
    assert_string_equal(child->url, "http://c");
    assert_int_equal(s.custom_length, 7);
    assert_string_equal(s.pattern, "a|b.c");
    assert_int_equal(s.when.count, 1);
    assert_string_equal(s.when.items[0], "alone");
    arena_release(&arena);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"name: a\nintervall: 5s\n",
            "c.yaml:2:1: unknown key \"intervall\"; accepted here: interval, name, enabled, count,"
            " ratio, size, words, labels, store, backends, custom, pattern, when, colour"},
        {"name: a\ninternal: []", "c.yaml:2:1: internal: nobody has it; write store"},
        {"interna: 1", "c.yaml:1:1: unknown key \"interna\"; accepted here: interval, name, "
                       "enabled, count, ratio, size, words, labels, store, backends, custom, "
                       "pattern, when, colour"},
        {"store: {pth: x}", "c.yaml:1:9: unknown key \"pth\"; accepted here: path, depth"},
        {"interval: 1ms", "c.yaml:1:11: interval: 1ms is outside its limits, 1s to 1h"},
        {"interval: 99999999999999y", "c.yaml:1:11: interval: 99999999999999y is outside its "
                                      "limits, 1s to 1h"},
        {"interval: 15", "c.yaml:1:11: interval: expected a duration such as 15s or 1h30m, found "
                         "\"15\""},
        {"size: 2GiB", "c.yaml:1:7: size: 2GiB is outside its limits, 1KiB to 1GiB"},
        {"size: [1]", "c.yaml:1:7: size: expected a size such as 64MiB or 10GB, found a list"},
        {"count: 1.5", "c.yaml:1:8: count: expected a whole number, found \"1.5\""},
        {"ratio: half", "c.yaml:1:8: ratio: expected a number, found \"half\""},
        {"enabled: maybe", "c.yaml:1:10: enabled: expected true or false, found \"maybe\""},
        {"name: {a: b}", "c.yaml:1:7: name: expected text, found a mapping"},
        {"name: \"a\\0b\"", "c.yaml:1:7: name: text may not hold a zero byte"},
        {"words: one", "c.yaml:1:8: words: expected a list of words, found \"one\""},
        {"words: [[a]]", "c.yaml:1:9: words: expected text, found a list"},
        {"labels: [a]", "c.yaml:1:9: labels: expected a mapping of words to words, found a list"},
        {"store: 5", "c.yaml:1:8: expected a mapping of keys to values, found a word"},
        {"backends: {a: b}", "c.yaml:1:11: backends: expected a list, found a mapping"},
        {"backends: [{timeout: 5s}]", "c.yaml:1:12: url is required: where it listens"},
        {"backends: [{url: a, children: [{}]}]", "c.yaml:1:32: url is required: where it listens"},
        {"[a]", "c.yaml:1:1: expected a mapping of keys to values, found a list"},
        {"custom: []", "c.yaml:1:9: wanted a word"},
        {"pattern: [a, [b]]", "c.yaml:1:14: pattern: expected text, found a list"},
        {"pattern: {a: b}", "c.yaml:1:10: pattern: expected text, found a mapping"},
        {"when: {a: b}", "c.yaml:1:7: when: expected a list of words, found a mapping"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct settings s;
        struct err e = ERR_INIT;
        assert_int_equal(load(&arena, cases[i].text, &s, &e), ERR_INVALID);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_equal(e.message, cases[i].sentence);
        arena_release(&arena);
    }
}

static void test_reference(void **state)
{
    struct strbuf out = STRBUF_INIT;
    config_write_reference(fields, &out);
    static const char *const lines[] = {
        "| Key | Kind | Default | Limits | Meaning |\n|---|---|---|---|---|\n",
        "\n| `name` | text |  |  | a name |\n",
        "\n| `interval` | duration | `15s` | 1s to 1h | how often |\n",
        "\n| `size` | size | `64MiB` | 1KiB to 1GiB | how large |\n",
        "\n| `store` | group |  |  | the store |\n",
        "\n| &emsp;`path` | text | `./data` |  | directory |\n",
        "\n| &emsp;`depth` | whole number | `3` | -5 to 10 | levels \\| steps |\n",
        "\n| `backends`[] | list |  |  | others |\n",
        "\n| &emsp;`url` | text | required |  | where it listens |\n",
        "\n| &emsp;`children`[] | list |  |  | more of them |\n| `custom` |",
        "\n| `colour` | any |  |  | accepted: everything is grey |\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (strstr(out.data, lines[i]) == NULL) {
            fail_msg("lacks \"%s\":\n%s", lines[i], out.data);
        }
    }
    assert_null(strstr(out.data, "internal"));
    strbuf_release(&out);
}

static void test_memory_short(void **state)
{
    bool struck = true;
    for (uint64_t n = 1; struck; n++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct settings s;
        struct err e = ERR_INIT;
        mem_fail_nth(n);
        int status =
            load(&arena, "labels: {a: b}\nwords: [a]\nbackends: [{url: x}]\nname: n\n", &s, &e);
        struck = !mem_fail_pending();
        mem_fail_nth(0);
        assert_int_equal(status, struck ? ERR_NOMEM : 0);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
