/* The temporary host; see the header. */
#include "fake_root.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "collectors/text_sink.h"

static int64_t fake_now_ms(struct clock *self)
{
    struct fake_root *f = (struct fake_root *)((char *)self - offsetof(struct fake_root, clock));
    return f->now_ms;
}

static int64_t fake_monotonic_ns(struct clock *self)
{
    return fake_now_ms(self) * 1000000;
}

void fake_root_init(struct fake_root *f, const char *collector)
{
    *f = (struct fake_root){.text = STRBUF_INIT};
    (void)snprintf(f->path, sizeof(f->path), "/tmp/sonde-collectors-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    (void)snprintf(f->proc, sizeof(f->proc), "%s/proc", f->path);
    (void)snprintf(f->sys, sizeof(f->sys), "%s/sys", f->path);
    (void)snprintf(f->root, sizeof(f->root), "%s/root", f->path);
    (void)snprintf(f->udev, sizeof(f->udev), "%s/udev", f->path);
    f->clock = (struct clock){.now_ms = fake_now_ms, .monotonic_ns = fake_monotonic_ns};
    f->now_ms = 1700000000000;
    f->switches[0] = "no-all";
    f->switches[1] = collector;
    f->options = (struct collectors_options){
        .clock = &f->clock,
        .proc_path = f->proc,
        .sys_path = f->sys,
        .root_path = f->root,
        .udev_path = f->udev,
        .switches = f->switches,
        .switch_count = 2,
    };
}

static int remove_entry(void *context, const char *name, bool is_directory)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    // A link to a directory is listed as one, but must not be followed here.
    if (is_directory && unlink(path) != 0) {
        assert_int_equal(vfs_list(vfs_posix(), path, remove_entry, path), 0);
        assert_int_equal(rmdir(path), 0);
    } else if (!is_directory) {
        assert_int_equal(unlink(path), 0);
    }
    return 0;
}

void fake_root_release(struct fake_root *f)
{
    collectors_close(f->collectors);
    strbuf_release(&f->text);
    assert_int_equal(vfs_list(vfs_posix(), f->path, remove_entry, f->path), 0);
    assert_int_equal(rmdir(f->path), 0);
}

static void make_directories_above(char *path)
{
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(vfs_mkdir_all(vfs_posix(), path), 0);
    *slash = '/';
}

void fake_root_write(struct fake_root *f, const char *path, const char *text)
{
    char whole[4096];
    (void)snprintf(whole, sizeof(whole), "%s/%s", f->path, path);
    make_directories_above(whole);
    // In place, as the kernel does: files that are open see the new text.
    struct vfs_file *file;
    assert_int_equal(vfs_open(vfs_posix(), whole, VFS_READWRITE, &file), 0);
    assert_int_equal(vfs_truncate(vfs_posix(), file, 0), 0);
    assert_int_equal(vfs_pwrite(vfs_posix(), file, 0, text, strlen(text)), 0);
    vfs_close(vfs_posix(), file);
}

void fake_root_remove(struct fake_root *f, const char *path)
{
    char whole[4096];
    (void)snprintf(whole, sizeof(whole), "%s/%s", f->path, path);
    if (unlink(whole) != 0) {
        assert_int_equal(vfs_list(vfs_posix(), whole, remove_entry, whole), 0);
        assert_int_equal(rmdir(whole), 0);
    }
}

void fake_root_link(struct fake_root *f, const char *path, const char *target)
{
    char whole[4096];
    (void)snprintf(whole, sizeof(whole), "%s/%s", f->path, path);
    make_directories_above(whole);
    assert_int_equal(symlink(target, whole), 0);
}

static bool is_sample(struct str line)
{
    return line.len > 0 && line.ptr[0] != '#' &&
           !str_starts_with(line, STR("node_scrape_collector_")) &&
           !str_starts_with(line, STR("node_exporter_build_info"));
}

int fake_root_run(struct fake_root *f)
{
    if (f->collectors == NULL) {
        struct err e = ERR_INIT;
        int status = collectors_open(&f->options, &f->collectors, &e);
        if (status != 0) {
            print_error("collectors_open: %s\n", e.message);
        }
        assert_int_equal(status, 0);
    }
    struct strbuf out = STRBUF_INIT;
    struct text_sink sink;
    text_sink_init(&sink, &out);
    collectors_run(f->collectors, &sink.sink);
    assert_int_equal(strbuf_error(&out), 0);
    strbuf_reset(&f->text);
    strbuf_add_c(&f->text, "");
    for (struct str rest = strbuf_str(&out); rest.len > 0;) {
        struct str line = str_split(&rest, '\n');
        if (is_sample(line)) {
            strbuf_add_str(&f->text, line);
            strbuf_add_char(&f->text, '\n');
        }
    }
    strbuf_release(&out);
    return collectors_status(f->collectors, f->switches[1]);
}

void fake_root_expect(struct fake_root *f, int status, const char *samples)
{
    int actual = fake_root_run(f);
    assert_int_equal(actual, status);
    if (f->text.size == 0) {
        assert_string_equal("", samples);
    } else {
        assert_string_equal(f->text.data, samples);
    }
}
