/* Files of other programs: merged, typed, refused whole, read again when they change. */
#include "fake_root.h"

#include <fcntl.h>
#include <sys/stat.h>

static void use_directory(struct fake_root *f, char directory[256])
{
    fake_root_init(f, "textfile");
    (void)snprintf(directory, 256, "%s/text", f->path);
    f->options.settings[COLLECTOR_SETTING_TEXTFILE_DIRECTORY] = directory;
    fake_root_write(f, "text/README", "not a metric");
}

/* Writes a file with a time of its own, so that every version has another one. */
static void write_at(struct fake_root *f, const char *path, const char *text, long seconds)
{
    char whole[256];
    struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    fake_root_write(f, path, text);
    (void)snprintf(whole, sizeof(whole), "%s/%s", f->path, path);
    assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
}

static void expect(struct fake_root *f, const char *samples_without_times)
{
    // Times of files stand in every answer with the path of this run; they are compared apart.
    assert_int_equal(fake_root_run(f), 0);
    struct strbuf kept = STRBUF_INIT;
    strbuf_add_c(&kept, "");
    for (struct str rest = strbuf_str(&f->text); rest.len > 0;) {
        struct str line = str_split(&rest, '\n');
        if (!str_starts_with(line, STR("node_textfile_mtime_seconds"))) {
            strbuf_add_str(&kept, line);
            strbuf_add_char(&kept, '\n');
        }
    }
    assert_string_equal(kept.data, samples_without_times);
    strbuf_release(&kept);
}

static void no_directory_is_no_error(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "textfile");
    fake_root_expect(&f, 0, "node_textfile_scrape_error 0\n");
    f.options.settings[COLLECTOR_SETTING_TEXTFILE_DIRECTORY] = "/nonexistent";
    collectors_close(f.collectors);
    f.collectors = NULL;
    fake_root_expect(&f, 0, "node_textfile_scrape_error 1\n");
    fake_root_release(&f);
}

static void files_are_merged_and_sorted(void **state)
{
    (void)state;
    struct fake_root f;
    char directory[256];
    use_directory(&f, directory);
    write_at(&f, "text/b.prom", "# TYPE job gauge\njob{z=\"1\",a=\"2\"} 1\n", 1000);
    write_at(&f, "text/a.prom", "# HELP job Jobs.\njob{a=\"1\"} 2\nuntyped_one 3\n", 1500);
    expect(&f,
        "job{a=\"1\"} 2\njob{a=\"2\",z=\"1\"} 1\nuntyped_one 3\nnode_textfile_scrape_error 0\n");
    char times[1024];
    (void)snprintf(times, sizeof(times),
        "node_textfile_mtime_seconds{file=\"%s/a.prom\"} 1500\n"
        "node_textfile_mtime_seconds{file=\"%s/b.prom\"} 1000\n",
        directory, directory);
    assert_non_null(strstr(f.text.data, times));
    fake_root_release(&f);
}

static void histograms_keep_their_parts(void **state)
{
    (void)state;
    struct fake_root f;
    char directory[256];
    use_directory(&f, directory);
    write_at(&f, "text/h.prom",
        "# TYPE t histogram\nt_bucket{le=\"1\"} 1\nt_bucket{le=\"+Inf\"} 2\nt_sum 3.5\nt_count 2\n",
        1);
    expect(&f, "t_bucket{le=\"+Inf\"} 2\nt_bucket{le=\"1\"} 1\nt_count 2\nt_sum "
               "3.5\nnode_textfile_scrape_error 0\n");
    fake_root_release(&f);
}

static void a_bad_file_is_left_out_whole(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "bad_one 1\nbad_two\n", "bad_one 1\nbad_two 2 1700000000000\n", "bad_one{a=\"1} 2\n", NULL};
    for (size_t i = 0; bad[i] != NULL; i++) {
        struct fake_root f;
        char directory[256];
        use_directory(&f, directory);
        write_at(&f, "text/bad.prom", bad[i], 1);
        write_at(&f, "text/good.prom", "good 1\n", 1);
        expect(&f, "good 1\nnode_textfile_scrape_error 1\n");
        // Repaired, it is back and the error is gone.
        write_at(&f, "text/bad.prom", "bad_one 1\n", 2);
        expect(&f, "bad_one 1\ngood 1\nnode_textfile_scrape_error 0\n");
        fake_root_release(&f);
    }
}

static void changes_are_seen(void **state)
{
    (void)state;
    struct fake_root f;
    char directory[256];
    use_directory(&f, directory);
    write_at(&f, "text/a.prom", "a 1\n", 1);
    expect(&f, "a 1\nnode_textfile_scrape_error 0\n");
    write_at(&f, "text/a.prom", "a 2\n", 2);
    expect(&f, "a 2\nnode_textfile_scrape_error 0\n");
    write_at(&f, "text/b.prom", "b 3\n", 2);
    expect(&f, "a 2\nb 3\nnode_textfile_scrape_error 0\n");
    fake_root_remove(&f, "text/a.prom");
    expect(&f, "b 3\nnode_textfile_scrape_error 0\n");
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_directory_is_no_error),
        cmocka_unit_test(files_are_merged_and_sorted),
        cmocka_unit_test(histograms_keep_their_parts),
        cmocka_unit_test(a_bad_file_is_left_out_whole),
        cmocka_unit_test(changes_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
