/* os-release: quoting, comments, the last assignment. */
#include "procfs/os_release.h"

#include "cuts.h"

static void values(void **state)
{
    (void)state;
    const struct str text = STR("# comment\n"
                                "ID=debian\n"
                                "ID_LIKE='a \"b\" \\c'\n"
                                "\n"
                                "PRETTY_NAME=\"Debian \\\"12\\\" \\$x \\`y\\` \\\\ \\n\"\n"
                                "EMPTY=\n"
                                "  VERSION_ID=\"11\"  \n"
                                "VERSION_ID=\"12\"");
    static const struct {
        const char *key;
        const char *value;
    } rows[] = {
        {"ID", "debian"},
        {"ID_LIKE", "a \"b\" \\c"},
        {"PRETTY_NAME", "Debian \"12\" $x `y` \\ \\n"},
        {"EMPTY", ""},
        {"VERSION_ID", "12"},
    };
    char buffer[64];
    struct str value;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            procfs_os_release_get(text, str_of(rows[i].key), buffer, sizeof(buffer), &value), 0);
        assert_str(value, rows[i].value);
    }
    assert_int_equal(
        procfs_os_release_get(text, STR("VERSION"), buffer, sizeof(buffer), &value), ERR_NOT_FOUND);
}

static void broken_values(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ID=\"debian", "ID='", "ID=\"", "ID=\"debian'", "ID=123456789", NULL};
    char buffer[8];
    struct str value;
    for (size_t i = 0; texts[i] != NULL; i++) {
        assert_int_equal(
            procfs_os_release_get(str_of(texts[i]), STR("ID"), buffer, sizeof(buffer), &value),
            ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(broken_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
