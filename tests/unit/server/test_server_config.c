/* The server's settings: defaults, file, flags, their order, and what is said about mistakes. */
#include "support/support.h"

#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vfs.h"
#include "server/server_config.h"

/* A file of the test's own with the text; the caller removes it. */
static const char *write_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/test_server_config.%d.yaml", (int)getpid());
    assert_int_equal(vfs_write_file_atomic(vfs_posix(), path, text, strlen(text)), 0);
    return path;
}

static int load(struct arena *arena, const char *text, const struct server_flags *flags,
    struct server_config *config, struct err *e)
{
    const char *path = text != NULL ? write_file(text) : NULL;
    int status = server_config_load(arena, path, flags, config, e);
    if (path != NULL) {
        assert_int_equal(vfs_remove(vfs_posix(), path), 0);
    }
    return status;
}

static void test_defaults(void **state)
{
    (void)state;
    struct arena arena;
    struct server_config config;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    assert_int_equal(load(&arena, NULL, NULL, &config, &e), 0);
    assert_string_equal(config.listen, "127.0.0.1:9095");
    assert_string_equal(config.data, "./data");
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_int_equal(config.storage.retention_ms, INT64_C(2592000000));
    assert_int_equal(config.storage.seal_interval_ms, 1800000);
    assert_int_equal(config.storage.wal_sync, WAL_SYNC_EVERY_SECOND);
    assert_int_equal(config.query.timeout_ms, 120000);
    assert_int_equal(config.query.lookback_ms, 300000);
    assert_int_equal(config.query.samples_max, 50000000);
    assert_int_equal(config.features.count, 0);
    assert_int_equal(config.limits.series, 0);
    assert_int_equal(config.limits.series_per_target, 200000);
    assert_int_equal(config.limits.label_value_bytes, 8192);
    /* An empty file is no file. */
    assert_int_equal(load(&arena, "# nothing\n", NULL, &config, &e), 0);
    assert_string_equal(config.listen, "127.0.0.1:9095");
    arena_release(&arena);
}

static void test_flags_win(void **state)
{
    (void)state;
    struct arena arena;
    struct server_config config;
    struct server_flags flags;
    struct flag table[SERVER_FLAGS_MAX];
    struct err e = ERR_INIT;
    const char *argv[] = {"sonde-server", "--listen=:1", "--retention", "0", "--query.timeout=3s",
        "--log-level", "warn", "--memory-limit=3MiB",
        "--enable-feature=promql-delayed-name-removal, all"};
    arena_init(&arena, 0);
    server_flags_init(&flags, table);
    assert_int_equal(flags_parse(table, 9, (char **)(uintptr_t)argv, NULL, 0, NULL, &e), 0);
    assert_int_equal(load(&arena,
                         "listen: ':2'\ndata: /d\nlog_level: debug\n"
                         "features: [type-and-unit-labels]\n"
                         "storage: {retention: 1d, wal_sync: sync}\nquery: {timeout: 1m}\n",
                         &flags, &config, &e),
        0);
    assert_string_equal(config.listen, ":1");
    assert_string_equal(config.data, "/d");
    assert_int_equal(config.log_level, LOG_LEVEL_WARN);
    assert_int_equal(config.storage.retention_ms, 0);
    assert_int_equal(config.storage.wal_sync, WAL_SYNC_ALWAYS);
    assert_int_equal(config.query.timeout_ms, 3000);
    assert_int_equal(config.memory_limit, 3 << 20);
    assert_int_equal(config.features.count, 3);
    struct engine_options engine = {0};
    server_config_features(&config, &engine);
    assert_true(engine.features.experimental_functions && engine.features.fill_modifiers);
    assert_true(engine.delayed_name_removal && engine.type_and_unit_labels);
    arena_release(&arena);
}

/* "all" is every feature there is; none of them is on without being asked for, but arithmetic in
 * durations, which Prometheus has on as well. */
static void test_features(void **state)
{
    (void)state;
    const char *all[] = {"all"};
    struct server_config config = {.features = {all, 1}};
    struct engine_options engine = {0};
    server_config_features(&config, &engine);
    assert_true(engine.features.experimental_functions && engine.features.duration_expressions);
    assert_true(engine.features.extended_range_selectors && engine.features.fill_modifiers);
    assert_true(engine.delayed_name_removal && engine.type_and_unit_labels);
    config.features.count = 0;
    engine = (struct engine_options){0};
    server_config_features(&config, &engine);
    assert_true(engine.features.duration_expressions);
    assert_false(engine.features.experimental_functions || engine.delayed_name_removal);
}

/* A prefix that is not given is the path of the external URL; "/" is none. */
static void test_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *prefix; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"web: {external_url: 'https://a.example/sonde/'}", "/sonde"},
        {"web: {external_url: 'http://a.example'}", ""},
        {"web: {external_url: 'https://a.example/x', route_prefix: /}", ""},
        {"web: {external_url: 'https://a.example/x', route_prefix: /y}", "/y"},
        {"web: {external_url: a.example}", NULL},
        {"web: {route_prefix: y}", NULL},
        {"web: {cors_origin: 'https://(a|b)'}", ""},
        {"web: {cors_origin: '('}", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct server_config config;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        int status = load(&arena, cases[i].text, NULL, &config, &e);
        assert_int_equal(status, cases[i].prefix != NULL ? 0 : ERR_INVALID);
        if (status == 0) {
            assert_string_equal(config.web.route_prefix, cases[i].prefix);
        }
        arena_release(&arena);
    }
}

static void test_otlp(void **state)
{
    (void)state;
    struct arena arena;
    struct server_config config, again;
    struct err e = ERR_INIT;
    struct strbuf text = STRBUF_INIT;
    arena_init(&arena, 0);
    assert_int_equal(load(&arena, NULL, NULL, &config, &e), 0);
    assert_string_equal(config.otlp.metrics.translation_strategy, "UnderscoreEscapingWithSuffixes");
    assert_false(config.otlp.metrics.promote_scope);
    assert_int_equal(load(&arena,
                         "otlp:\n  translation_strategy: NoTranslation\n"
                         "  promote_resource_attributes: [host.name]\n"
                         "  promote_scope_metadata: true\n  max_delta_series: 7\n",
                         NULL, &config, &e),
        0);
    assert_string_equal(config.otlp.metrics.promoted.items[0], "host.name");
    assert_int_equal(config.otlp.metrics.delta_series_max, 7);
    server_config_write(&config, &text);
    assert_int_equal(load(&arena, text.data, NULL, &again, &e), 0);
    assert_null(server_config_needs_restart(&config, &again));
    again.otlp.metrics.promote_scope = false;
    assert_string_equal(server_config_needs_restart(&config, &again), "promote_scope_metadata");
    assert_int_equal(
        load(&arena, "otlp: {translation_strategy: best}\n", NULL, &config, &e), ERR_INVALID);
    assert_non_null(strstr(e.message, "\"best\": expected UnderscoreEscapingWithSuffixes"));
    strbuf_release(&text);
    arena_release(&arena);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *sentence; /* after the file's name */
    } cases[] = {
        {"storage:\n  retentoin: 3d\n",
            ":2:3: unknown key \"retentoin\"; accepted here: retention, "
            "retention_size, retention_rules, disk_low, disk_refuse, ballast, scrub_rate, "
            "seal_interval, "
            "future_limit, wal_sync, exemplar_retention, exemplars_per_minute, identity_labels"},
        {"listen: [a]\n", ":1:9: listen: expected text, found a list"},
        {"query: {timeout: soon}\n",
            ":1:18: timeout: expected a duration such as 15s or 1h30m, found \"soon\""},
        {"query: {timeout: 0s}\n", ":1:18: timeout: 0s is outside its limits, 1ms to 1d"},
        {"storage: {wal_sync: often}\n", ":1:21: wal_sync: expected 1s, sync or none"},
        {"log_level: loud\n", ":1:12: log_level: expected debug, info, warn or error"},
        {"a: b: c\n", ":1:5: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct server_config config;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        assert_int_equal(load(&arena, cases[i].text, NULL, &config, &e), ERR_INVALID);
        const char *sentence = strstr(e.message, ".yaml");
        assert_non_null(sentence);
        if (strncmp(sentence + 5, cases[i].sentence, strlen(cases[i].sentence)) != 0) {
            fail_msg("%s\n  wants %s", e.message, cases[i].sentence);
        }
        arena_release(&arena);
    }
}

static void test_mistakes_about_alertmanagers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"alerting: {alert_relabel_configs: [{regex: '('}]}\n", "alerting.alert_relabel_configs: "},
        {"alerting: {alertmanagers: [{static_configs: [{targets: [a]}], relabel_configs: "
         "[{target_label: __scheme__, replacement: ftp}]}]}\n",
            "scheme \"ftp\": expected http or https"},
        {"alerting: {alertmanagers: [{static_configs: [{targets: [a]}], relabel_configs: "
         "[{target_label: __alerts_path__, replacement: /x}]}]}\n",
            "expected one that ends with /api/v2/alerts"},
        {"alerting: {alertmanagers: [{static_configs: [{targets: ['http://a']}]}]}\n",
            "a target must be host:port"},
        {"alerting: {trace_url: 'http://x/'}\n", "with {traceID} in it"},
        {"alerting: {trace_url: 'ftp://x/{traceID}'}\n", "with {traceID} in it"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct server_config config;
        struct err e = ERR_INIT;
        arena_init(&arena, 0);
        assert_int_equal(load(&arena, cases[i].text, NULL, &config, &e), ERR_INVALID);
        if (strstr(e.message, cases[i].sentence) == NULL) {
            fail_msg("%s\n  wants %s", e.message, cases[i].sentence);
        }
        arena_release(&arena);
    }
}

static void test_other_mistakes(void **state)
{
    (void)state;
    struct arena arena;
    struct server_config config;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    assert_int_equal(
        server_config_load(&arena, "/nowhere/a.yaml", NULL, &config, &e), ERR_NOT_FOUND);
    assert_string_equal(e.message, "cannot read the configuration /nowhere/a.yaml: not found");
    assert_int_equal(load(&arena, "features: [magic]\n", NULL, &config, &e), ERR_INVALID);
    assert_true(strstr(e.message, "unknown feature \"magic\"; there are: all, promql-") != NULL);
    assert_int_equal(load(&arena, "web: {route_prefix: sonde/}\n", NULL, &config, &e), ERR_INVALID);
    arena_release(&arena);
}

/* What is written reads back to the same. */
static void test_round_trip(void **state)
{
    (void)state;
    struct arena arena;
    struct server_config first, second;
    struct err e = ERR_INIT;
    struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
    arena_init(&arena, 0);
    assert_int_equal(load(&arena,
                         "data: \"it's: here\"\nlog_level: error\nfeatures: [all]\n"
                         "storage: {wal_sync: none, identity_labels: [job, \"a'b\"]}\n"
                         "query: {timeout: 1h30m, max_memory: 1GiB}\nweb: {cors_origin: ''}\n",
                         NULL, &first, &e),
        0);
    server_config_write(&first, &a);
    if (load(&arena, a.data, NULL, &second, &e) != 0) {
        fail_msg("%s in\n%s", e.message, a.data);
    }
    server_config_write(&second, &b);
    assert_string_equal(a.data, b.data);
    assert_string_equal(second.data, "it's: here");
    assert_null(server_config_needs_restart(&first, &second));
    strbuf_release(&a);
    strbuf_release(&b);
    arena_release(&arena);
}

/* Everybody may see what is written: each kind of secret is hidden, wherever it stands. */
static void test_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *shown;
    } cases[] = {
        {"basic_auth: {username: open, password: hush1}", "password: '<secret>'"},
        {"basic_auth: {username: open, password_file: open2}", "password_file: 'open2'"},
        {"authorization: {credentials: hush3}", "credentials: '<secret>'"},
        {"authorization: {credentials_file: open4}", "credentials_file: 'open4'"},
        {"bearer_token: hush5", "bearer_token: '<secret>'"},
        {"proxy_url: 'http://hush6:hush7@proxy:3128/open?a=b@c'",
            "proxy_url: 'http://<secret>@proxy:3128/open?a=b@c'"},
        {"proxy_url: 'http://hush@8@proxy'", "proxy_url: 'http://<secret>@proxy'"},
        {"proxy_url: 'http://proxy:3128/a@b'", "proxy_url: 'http://proxy:3128/a@b'"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        struct server_config config, again;
        struct err e = ERR_INIT;
        struct strbuf file = STRBUF_INIT, text = STRBUF_INIT;
        arena_init(&arena, 0);
        strbuf_addf(&file,
            "alerting:\n  alertmanagers:\n    - static_configs: [{targets: ['am:9093']}]\n"
            "      %s\n",
            cases[i].setting);
        assert_int_equal(load(&arena, file.data, NULL, &config, &e), 0);
        server_config_write(&config, &text);
        if (strstr(text.data, cases[i].shown) == NULL || strstr(text.data, "hush") != NULL) {
            fail_msg("%s: expected %s in\n%s", cases[i].setting, cases[i].shown, text.data);
        }
        assert_int_equal(load(&arena, text.data, NULL, &again, &e), 0); /* still a good file */
        strbuf_release(&file);
        strbuf_release(&text);
        arena_release(&arena);
    }
}

static void test_needs_restart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *key; /* NULL: taken over by a running server */
    } cases[] = {
        {"query: {timeout: 5s, lookback_delta: 1m, max_samples: 7}\nlog_level: warn\n", NULL},
        {"limits: {series: 1, series_per_target: 2, series_per_metric: 3, values_per_label: 4, "
         "new_series_per_hour: 5, labels_per_series: 6, label_name_bytes: 7, label_value_bytes: "
         "8}\n",
            NULL},
        {"memory_limit: 1GiB\n", "memory_limit"},
        {"listen: ':1'\n", "listen"},
        {"storage: {retention: 1d}\n", "retention"},
        {"storage: {wal_sync: sync}\n", "wal_sync"},
        {"storage: {identity_labels: [a]}\n", "identity_labels"},
        {"query: {max_concurrency: 3}\n", "max_concurrency"},
    };
    struct arena arena;
    struct server_config before, after;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    assert_int_equal(load(&arena, NULL, NULL, &before, &e), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(load(&arena, cases[i].text, NULL, &after, &e), 0);
        const char *key = server_config_needs_restart(&before, &after);
        assert_string_equal(key != NULL ? key : "", cases[i].key != NULL ? cases[i].key : "");
    }
    arena_release(&arena);
}

/* docs/configuration.md holds both tables as the program writes them. */
static void test_reference(void **state)
{
    (void)state;
    struct strbuf settings = STRBUF_INIT, help = STRBUF_INIT;
    struct server_flags flags;
    struct flag table[SERVER_FLAGS_MAX];
    char *text;
    size_t size;
    config_write_reference(server_config_fields, &settings);
    server_flags_init(&flags, table);
    flags_write_help(table, &help);
    assert_int_equal(vfs_read_file(vfs_posix(), "docs/configuration.md", 1 << 20, &text, &size), 0);
    if (strstr(text, settings.data) == NULL || strstr(text, help.data) == NULL) {
        printf("%s\n%s\n", settings.data, help.data);
        fail_msg("docs/configuration.md does not hold the tables above");
    }
    mem_free(text);
    strbuf_release(&settings);
    strbuf_release(&help);
}

/* Rules of tiers: selectors are read when the file is, and come back when it is written. */
static void test_tiers(void **state)
{
    struct arena arena;
    struct server_config config, again;
    struct tsdb_options options = {0};
    struct err e = ERR_INIT;
    struct strbuf text = STRBUF_INIT;
    arena_init(&arena, 0);
    assert_int_equal(load(&arena, NULL, NULL, &config, &e), 0);
    assert_int_equal(tiers_config_apply(&config.storage.tiers, &arena, &options, &e), 0);
    assert_true(options.tiers[TSDB_TIER_5M].enabled && !options.tiers[TSDB_TIER_5M].sketches);
    assert_true(options.tiers[TSDB_TIER_1H].enabled && options.tiers[TSDB_TIER_1H].sketches);
    assert_int_equal(options.tiers[TSDB_TIER_5M].retention_ms / 86400000, 180);
    assert_int_equal(options.tiers[TSDB_TIER_1H].retention_ms / 86400000, 5 * 365);
    assert_int_equal(load(&arena,
                         "storage:\n  tiers:\n    five_minutes: {enabled: false}\n    rules:\n"
                         "      - match: 'up{job=~\"a|b\"}'\n        one_hour: {retention: 1y}\n"
                         "      - match: '{job=\"c\"}'\n",
                         NULL, &config, &e),
        0);
    assert_int_equal(tiers_config_apply(&config.storage.tiers, &arena, &options, &e), 0);
    assert_false(options.tiers[TSDB_TIER_5M].enabled);
    assert_int_equal(options.tier_rule_count, 2);
    assert_int_equal(options.tier_rules[0].matcher_count, 2);
    assert_int_equal(options.tier_rules[0].tiers[TSDB_TIER_1H].retention_ms / 86400000, 365);
    server_config_write(&config, &text);
    assert_int_equal(load(&arena, text.data, NULL, &again, &e), 0);
    assert_null(server_config_needs_restart(&config, &again));
    ((struct tier_rule_config *)again.storage.tiers.rules.items)[1].one_hour.sketches = false;
    assert_string_equal(server_config_needs_restart(&config, &again), "rules");
    assert_int_equal(
        load(&arena, "storage:\n  tiers:\n    rules:\n      - match: 'up{'\n", NULL, &config, &e),
        ERR_INVALID);
    assert_non_null(strstr(e.message, "storage.tiers.rules: match"));
    strbuf_release(&text);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags_win),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_otlp),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_mistakes_about_alertmanagers),
        cmocka_unit_test(test_other_mistakes),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_needs_restart),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
