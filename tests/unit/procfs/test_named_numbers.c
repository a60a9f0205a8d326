/* Lines of a word and numbers. */
#include "procfs/named_numbers.h"

#include "cuts.h"

static int walk(struct str text)
{
    struct procfs_named_numbers line;
    int status;
    while ((status = procfs_named_numbers_next(&text, &line)) > 0) {
    }
    return status;
}

static const struct str text = STR("net 70 69 45\nth 8 0 0.000 1.5\nlonely\n");

static void lines(void **state)
{
    (void)state;
    struct str rest = text;
    struct procfs_named_numbers line;
    assert_int_equal(procfs_named_numbers_next(&rest, &line), 1);
    assert_str(line.name, "net");
    assert_int_equal(line.count, 3);
    assert_int_equal(line.numbers[2], 45);
    assert_int_equal(procfs_named_numbers_next(&rest, &line), 1);
    assert_str(line.name, "th");
    assert_int_equal(line.count, 2);
    assert_int_equal(procfs_named_numbers_next(&rest, &line), 1);
    assert_int_equal(line.count, 0);
    assert_int_equal(procfs_named_numbers_next(&rest, &line), 0);
}

static void lines_by_name(void **state)
{
    (void)state;
    struct procfs_named_numbers line;
    assert_int_equal(procfs_named_numbers_find(text, STR("th"), &line), 1);
    assert_int_equal(line.numbers[0], 8);
    assert_int_equal(procfs_named_numbers_find(text, STR("t"), &line), 0);
    assert_int_equal(procfs_named_numbers_find(STR("net 1\nth 8"), STR("th"), &line), ERR_CORRUPT);
}

static void more_columns_than_are_read(void **state)
{
    (void)state;
    char many[1024] = "many";
    for (size_t length = strlen(many); length < 1000; length += 2) {
        memcpy(many + length, " 1", 3);
    }
    many[strlen(many)] = '\n';
    struct str rest = str_of(many);
    struct procfs_named_numbers line;
    assert_int_equal(procfs_named_numbers_next(&rest, &line), 1);
    assert_int_equal(line.count, PROCFS_NAMED_NUMBERS_MAX);
    assert_int_equal(procfs_named_numbers_next(&rest, &line), 0);
}

static void broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"\n", "net 1", NULL};
    assert_all_corrupt(texts, walk);
    assert_cuts_are_corrupt(text, walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(lines_by_name),
        cmocka_unit_test(more_columns_than_are_read),
        cmocka_unit_test(broken_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
