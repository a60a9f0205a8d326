/* A log file that is written, renamed, cut and made anew while it is followed: every whole line comes
 * once, in order. */
#include "logs/log_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "expect.h"

struct fixture {
    char folder[32], path[64], old[64];
    struct log_file *file;
    char *buffer;
};

static void make(struct fixture *f)
{
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/sonde-log-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof(f->path), "%s/access.log", f->folder);
    (void)snprintf(f->old, sizeof(f->old), "%s/access.log.1", f->folder);
    f->buffer = mem_alloc(LOG_FILE_READ_BYTES);
    f->file = NULL;
}

static void leave(struct fixture *f)
{
    log_file_close(f->file);
    mem_free(f->buffer);
    (void)unlink(f->path); // one of them may be gone
    (void)unlink(f->old);
    assert_int_equal(rmdir(f->folder), 0);
}

static void write_at(const char *path, const char *mode, const char *text)
{
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void append(struct fixture *f, const char *text)
{
    write_at(f->path, "a", text);
}

/* Everything there is to read now. */
static void expect(struct fixture *f, const char *lines)
{
    struct strbuf all = STRBUF_INIT;
    bool more = true;
    while (more) {
        struct str piece;
        assert_int_equal(log_file_read(f->file, f->buffer, &piece, &more), 0);
        strbuf_add_str(&all, piece);
    }
    expect_text(strbuf_str(&all), lines);
    strbuf_release(&all);
}

static void follow(struct fixture *f, const struct log_bookmark *mark, bool from_beginning)
{
    assert_int_equal(log_file_open(vfs_posix(), f->path, mark, from_beginning, &f->file), 0);
}

static void test_appending(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(&f, "old\n");
    follow(&f, NULL, false);
    expect(&f, "");
    append(&f, "one\ntw");
    expect(&f, "one\n");
    append(&f, "o\n");
    expect(&f, "two\n");
    expect(&f, "");
    leave(&f);
}

static void test_from_beginning_and_late_files(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(&f, "old\n");
    follow(&f, NULL, true);
    expect(&f, "old\n");
    log_file_close(f.file);
    assert_int_equal(unlink(f.path), 0);
    follow(&f, NULL, false); // not there yet: what comes is new
    expect(&f, "");
    append(&f, "first\n");
    expect(&f, "first\n");
    leave(&f);
}

static void test_renamed(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(&f, "a\n");
    follow(&f, NULL, true);
    expect(&f, "a\n");
    append(&f, "b\n");
    assert_int_equal(rename(f.path, f.old), 0);
    write_at(f.old, "a", "c\n"); // who writes has not noticed
    expect(&f, "b\nc\n");
    write_at(f.old, "a", "d\n");
    append(&f, "e\n");
    expect(&f, "d\ne\n");
    assert_int_equal(log_file_statistics(f.file)->rotations, 1);
    append(&f, "half a line"); // is never ended: the file is left all the same
    assert_int_equal(rename(f.path, f.old), 0);
    append(&f, "f\n");
    expect(&f, "f\n");
    leave(&f);
}

/* copytruncate, shorter and longer than before. */
static void test_truncated(void **state)
{
    struct fixture f;
    (void)state;
    make(&f);
    append(&f, "aaaa\nbbbb\n");
    follow(&f, NULL, true);
    expect(&f, "aaaa\nbbbb\n");
    write_at(f.path, "w", "c\n");
    expect(&f, "c\n");
    write_at(f.path, "w", "a line that is longer than all before\nand another\n");
    expect(&f, "a line that is longer than all before\nand another\n");
    assert_int_equal(log_file_statistics(f.file)->truncations, 2);
    leave(&f);
}

static void test_bookmarks(void **state)
{
    struct fixture f;
    struct log_bookmark mark;
    (void)state;
    make(&f);
    append(&f, "a\nb\n");
    follow(&f, NULL, true);
    assert_false(log_file_bookmark(f.file, &mark));
    expect(&f, "a\nb\n");
    assert_true(log_file_bookmark(f.file, &mark));
    assert_int_equal(mark.offset, 4);
    log_file_close(f.file);
    append(&f, "c\n");
    follow(&f, &mark, false);
    expect(&f, "c\n");
    log_file_close(f.file);
    // The same inode with another content is another file.
    write_at(f.path, "w", "x\ny\nz\n");
    follow(&f, &mark, false);
    expect(&f, "x\ny\nz\n");
    log_file_close(f.file);
    // Rotated while nobody looked: what is there now is new.
    assert_int_equal(rename(f.path, f.old), 0);
    append(&f, "n\n");
    follow(&f, &mark, false);
    expect(&f, "n\n");
    leave(&f);
}

static void test_long_lines(void **state)
{
    struct fixture f;
    size_t size = LOG_FILE_READ_BYTES * 2 + 100;
    char *line = mem_alloc(size + 1);
    (void)state;
    make(&f);
    memset(line, 'x', size);
    line[size] = '\0';
    append(&f, "a\n");
    append(&f, line);
    append(&f, "\nb\n");
    follow(&f, NULL, true);
    expect(&f, "a\nb\n");
    assert_int_equal(log_file_statistics(f.file)->long_lines, 1);
    mem_free(line);
    leave(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appending),
        cmocka_unit_test(test_from_beginning_and_late_files),
        cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_bookmarks),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
