/* Flags: every kind and form, and the sentences of mistakes. Sizes and durations too, since flags
 * are where they are typed. */
#include "support/support.h"

#include "base/config.h"
#include "base/flags.h"

struct values {
    const char *config;
    bool verbose;
    int64_t count, timeout, size;
    struct flag_strings servers;
};

#define ARGUMENTS_MAX 8

/* Parses `words` with a table over `v`. */
static int parse(struct values *v, const char *const *words, const char **positional,
    size_t *positional_count, struct err *e)
{
    const struct flag flags[] = {
        {"config", FLAG_STRING, &v->config, "FILE", "settings", 0, 0},
        {"verbose", FLAG_BOOL, &v->verbose, NULL, "say more", 0, 0},
        {"count", FLAG_INTEGER, &v->count, "N", "how many", -5, 10},
        {"timeout", FLAG_DURATION, &v->timeout, "TIME", "how long", 1000, 3600000},
        {"size", FLAG_BYTES, &v->size, "BYTES", "how large", 0, 0},
        {"server", FLAG_STRINGS, &v->servers, "URL", "where to", 0, 0},
        {.name = NULL},
    };
    char *argv[ARGUMENTS_MAX + 1] = {(char *)"program"};
    int argc = 1;
    while (argc <= ARGUMENTS_MAX && words[argc - 1] != NULL) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    return flags_parse(flags, argc, argv, positional, 2, positional_count, e);
}

static void test_forms(void **state)
{
    struct values v = {.verbose = false};
    const char *positional[2] = {NULL, NULL};
    size_t count = 99;
    struct err e = ERR_INIT;
    const char *const first[] = {
        "--config", "a.yaml", "-verbose", "word", "--count=-5", "--timeout", "1m30s", NULL};
    assert_int_equal(parse(&v, first, positional, &count, &e), 0);
    assert_string_equal(v.config, "a.yaml");
    assert_true(v.verbose);
    assert_int_equal(v.count, -5);
    assert_int_equal(v.timeout, 90000);
    assert_int_equal(count, 1);
    assert_string_equal(positional[0], "word");
    const char *const second[] = {
        "--no-verbose", "--size=1.5KiB", "-server=a=b", "--server", "-x", "-", "--", "--count"};
    const char *words[9] = {NULL};
    memcpy(words, second, sizeof(second));
    assert_int_equal(parse(&v, words, positional, &count, &e), 0);
    assert_false(v.verbose);
    assert_int_equal(v.size, 1536);
    assert_int_equal(v.servers.count, 2);
    assert_string_equal(v.servers.items[0], "a=b");
    assert_string_equal(v.servers.items[1], "-x");
    assert_int_equal(count, 2);
    assert_string_equal(positional[0], "-");
    assert_string_equal(positional[1], "--count");
    const char *const third[] = {"--verbose=true", "--config=", NULL};
    assert_int_equal(parse(&v, third, positional, &count, &e), 0);
    assert_true(v.verbose);
    assert_string_equal(v.config, "");
    assert_int_equal(count, 0);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *words[4];
        const char *sentence;
    } cases[] = {
        {{"--confg", "x"}, "unknown flag --confg; did you mean --config?"},
        {{"--cuont=1"}, "unknown flag --cuont; did you mean --count?"},
        {{"--entirely-else"}, "unknown flag --entirely-else; --help lists the flags"},
        {{"--config"}, "flag --config needs a value: --config FILE"},
        {{"--count", "11"}, "flag --count: 11 is outside -5 to 10"},
        {{"--count", "ten"}, "flag --count: \"ten\" is not a whole number"},
        {{"--timeout=10"}, "flag --timeout: \"10\" is not a duration such as 15s or 1h30m"},
        {{"--timeout=2h"}, "flag --timeout: 2h is outside 1s to 1h"},
        {{"--size=many"}, "flag --size: \"many\" is not a size such as 64MiB or 10GB"},
        {{"--size=99EiB"},
            "flag --size: \"99EiB\" is not a size such as 64MiB or 10GB that can be held"},
        {{"--verbose=yes"}, "flag --verbose: \"yes\" is not true or false"},
        {{"--no-verbose=true"}, "flag --no-verbose takes no value"},
        {{"--no-config"}, "unknown flag --no-config; did you mean --config?"},
        {{"a", "b", "c"}, "unexpected argument \"c\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct values v = {.verbose = false};
        const char *positional[2];
        struct err e = ERR_INIT;
        assert_int_equal(parse(&v, cases[i].words, positional, NULL, &e), ERR_INVALID);
        assert_string_equal(e.message, cases[i].sentence);
    }
}

static void test_strings_limit(void **state)
{
    struct values v = {.servers.count = FLAG_STRINGS_MAX - 1};
    struct err e = ERR_INIT;
    const char *const words[] = {"--server=last", "--server=beyond", NULL};
    assert_int_equal(parse(&v, words, NULL, NULL, &e), ERR_INVALID);
    assert_string_equal(e.message, "flag --server may be given 64 times at most");
    assert_int_equal(v.servers.count, FLAG_STRINGS_MAX);
}

static void test_help(void **state)
{
    const struct flag flags[] = {
        {"config", FLAG_STRING, NULL, "FILE", "settings", 0, 0},
        {"a-flag-of-quite-some-length", FLAG_STRING, NULL, "VALUE", "wraps", 0, 0},
        {.name = NULL},
    };
    struct strbuf out = STRBUF_INIT;
    flags_write_help(flags, &out);
    assert_string_equal(out.data, "  --config FILE                 settings\n"
                                  "  --a-flag-of-quite-some-length VALUE\n"
                                  "                                wraps\n");
    strbuf_release(&out);
}

static void test_bytes(void **state)
{
    static const struct {
        const char *text;
        int status;
        int64_t expected;
    } cases[] = {
        {"0", 0, 0},
        {"512", 0, 512},
        {"512B", 0, 512},
        {"1k", 0, 1000},
        {"1KB", 0, 1000},
        {"1KiB", 0, 1024},
        {"1Ki", 0, 1024},
        {"64MiB", 0, 67108864},
        {" 64 mib ", 0, 67108864},
        {"1.5G", 0, 1500000000},
        {"10TB", 0, 10000000000000},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", ERR_RANGE, 0},
        {"7EiB", 0, 7LL << 60},
        {"8EiB", ERR_RANGE, 0},
        {"", ERR_INVALID, 0},
        {"MiB", ERR_INVALID, 0},
        {"1.5", ERR_INVALID, 0},
        {"1..5k", ERR_INVALID, 0},
        {"1kk", ERR_INVALID, 0},
        {"1iB", ERR_INVALID, 0},
        {"-1k", ERR_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got = 0;
        int status = config_parse_bytes(str_of(cases[i].text), &got);
        if (status != cases[i].status || got != cases[i].expected) {
            fail_msg("\"%s\": got %d %lld, expected %d %lld", cases[i].text, status, (long long)got,
                cases[i].status, (long long)cases[i].expected);
        }
    }
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int status;
        int64_t expected;
    } cases[] = {
        {"0", 0, 0},
        {"0s", 0, 0},
        {"15s", 0, 15000},
        {"1h30m", 0, 5400000},
        {"1m500ms", 0, 60500},
        {"90d", 0, 7776000000},
        {"1y2w3d", 0, 31536000000 + 1209600000 + 259200000},
        {"", ERR_INVALID, 0},
        {"15", ERR_INVALID, 0},
        {"s", ERR_INVALID, 0},
        {"30m1h", ERR_INVALID, 0},
        {"1h1h", ERR_INVALID, 0},
        {"1H", ERR_INVALID, 0},
        {"-5s", ERR_INVALID, 0},
        {"1.5h", ERR_INVALID, 0},
        {"300000000y", ERR_RANGE, 0},
        {"99999999999999999999s", ERR_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got = 0;
        int status = config_parse_duration(str_of(cases[i].text), &got);
        if (status != cases[i].status || got != cases[i].expected) {
            fail_msg("\"%s\": got %d %lld, expected %d %lld", cases[i].text, status, (long long)got,
                cases[i].status, (long long)cases[i].expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_strings_limit),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
