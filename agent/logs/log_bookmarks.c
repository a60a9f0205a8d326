/* The file of places; its form is in the header. */
#include "logs/log_bookmarks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define TITLE "sonde log bookmarks 1\n"
#define END "end "
#define SEED 0x626f6f6b6d61726bu
#define PATH_MAX_BYTES 4096

void log_bookmarks_release(struct log_bookmarks *marks)
{
    for (size_t i = 0; i < marks->count; i++) {
        mem_free(marks->items[i].path);
    }
    mem_free(marks->items);
    *marks = (struct log_bookmarks){0};
}

const struct log_bookmark *log_bookmarks_find(const struct log_bookmarks *marks, const char *path)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (strcmp(marks->items[i].path, path) == 0) {
            return &marks->items[i].mark;
        }
    }
    return NULL;
}

int log_bookmarks_add(
    struct log_bookmarks *marks, const char *path, const struct log_bookmark *mark)
{
    int status = mem_array_grow((void **)&marks->items, &marks->cap, marks->count + 1,
        sizeof(*marks->items), LOG_BOOKMARKS_MAX);
    char *copy = status == 0 ? mem_strdup(path) : NULL;
    if (copy == NULL) {
        return status != 0 ? status : ERR_NOMEM;
    }
    marks->items[marks->count].path = copy;
    marks->items[marks->count++].mark = *mark;
    return 0;
}

static int read_line(struct log_bookmarks *marks, struct str line)
{
    struct log_bookmark mark;
    char path[PATH_MAX_BYTES];
    uint64_t *const numbers[] = {&mark.device, &mark.inode, &mark.offset, &mark.head_size};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (str_to_u64(str_split(&line, ' '), numbers[i]) != 0) {
            return ERR_CORRUPT;
        }
    }
    struct str hash = str_split(&line, ' ');
    char digits[17] = {0};
    if (hash.len != 16 || line.len == 0 || line.len >= sizeof(path)) {
        return ERR_CORRUPT;
    }
    memcpy(digits, hash.ptr, hash.len);
    if (sscanf(digits, "%16" SCNx64, &mark.head_hash) != 1) {
        return ERR_CORRUPT;
    }
    memcpy(path, line.ptr, line.len);
    path[line.len] = '\0';
    return log_bookmarks_add(marks, path, &mark);
}

/* The lines between title and end, when the end is the hash of what is above it. */
static int check(struct str text, struct str *lines_out)
{
    char end[sizeof(END) + 17];
    struct str title = STR(TITLE);
    if (!str_starts_with(text, title) || text.len < title.len + sizeof(end) - 1) {
        return ERR_CORRUPT;
    }
    size_t size = text.len - (sizeof(end) - 1);
    (void)snprintf(end, sizeof(end), END "%016" PRIx64 "\n", hash64(text.ptr, size, SEED));
    if (memcmp(text.ptr + size, end, sizeof(end) - 1) != 0) {
        return ERR_CORRUPT;
    }
    *lines_out = str_make(text.ptr + title.len, size - title.len);
    return 0;
}

int log_bookmarks_read(
    struct vfs *vfs, const char *path, struct log_bookmarks *marks_out, struct err *e)
{
    char *text;
    size_t size;
    struct str lines;
    *marks_out = (struct log_bookmarks){0};
    int status = vfs_read_file(vfs, path, LOG_BOOKMARKS_BYTES_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = check(str_make(text, size), &lines);
    while (status == 0 && lines.len > 0) {
        status = read_line(marks_out, str_split(&lines, '\n'));
    }
    mem_free(text);
    if (status != 0) {
        log_bookmarks_release(marks_out);
        return err_set(e, status, -1, "%s: not a whole file of bookmarks", path);
    }
    return 0;
}

int log_bookmarks_write(struct vfs *vfs, const char *path, const struct log_bookmarks *marks)
{
    struct strbuf text;
    struct strbuf fresh = STRBUF_INIT;
    struct vfs_file *file = NULL;
    strbuf_init(&text, LOG_BOOKMARKS_BYTES_MAX);
    strbuf_add_c(&text, TITLE);
    for (size_t i = 0; i < marks->count; i++) {
        const struct log_bookmark *m = &marks->items[i].mark;
        if (strchr(marks->items[i].path, '\n') == NULL) {
            strbuf_addf(&text,
                "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64 " %s\n", m->device,
                m->inode, m->offset, m->head_size, m->head_hash, marks->items[i].path);
        }
    }
    if (strbuf_error(&text) == 0) {
        strbuf_addf(&text, END "%016" PRIx64 "\n", hash64(text.data, text.size, SEED));
    }
    strbuf_addf(&fresh, "%s.new", path);
    strbuf_add_char(&fresh, '\0');
    int status = strbuf_error(&text) != 0 ? strbuf_error(&text) : strbuf_error(&fresh);
    status = status == 0 ? vfs_open(vfs, fresh.data, VFS_READWRITE, &file) : status;
    status = status == 0 ? vfs_truncate(vfs, file, 0) : status;
    status = status == 0 ? vfs_pwrite(vfs, file, 0, text.data, text.size) : status;
    vfs_close(vfs, file);
    status = status == 0 ? vfs_rename(vfs, fresh.data, path) : status;
    strbuf_release(&fresh);
    strbuf_release(&text);
    return status;
}
