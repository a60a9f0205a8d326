/* Reading for collectors: kept files, filters, label text. */
#include "collectors/collect.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "procfs/field.h"

/* First size of the text buffer: holds every file of a small host. */
#define TEXT_CAP_FIRST ((size_t)64 << 10)
/* What the kernel fills at a time; files below /proc/sys and /sys are at most this. */
#define PAGE_BYTES ((size_t)4096)

int collect_path(
    const struct collect *c, enum collect_root root, const char *path, char *buffer, size_t size)
{
    int length = snprintf(buffer, size, "%s/%s", c->roots[root], path);
    return length < 0 || (size_t)length >= size ? ERR_LIMIT : 0;
}

/* How a file's end shows. */
enum text_kind {
    TEXT_PLAIN,      /* by a read that gives nothing */
    TEXT_PAGE,       /* it is less than a page and comes in one read */
    TEXT_SHORT_ROWS, /* rows far below half a page: the kernel fills a page with as many as fit, so a
                        piece of less than half a page is the last one */
};

static enum text_kind text_kind(enum collect_root root, const char *path)
{
    static const struct {
        const char *prefix;
        enum text_kind kind;
    } proc_files[] = {
        {"sys/", TEXT_PAGE},
        {"loadavg", TEXT_PAGE},
        {"pressure/", TEXT_PAGE},
        {"net/sockstat", TEXT_PAGE},
        {"net/udp", TEXT_SHORT_ROWS},
        {"net/arp", TEXT_SHORT_ROWS},
    };
    if (root == COLLECT_SYS) {
        return TEXT_PAGE;
    }
    for (size_t i = 0; root == COLLECT_PROC && i < sizeof(proc_files) / sizeof(proc_files[0]);
         i++) {
        if (strncmp(path, proc_files[i].prefix, strlen(proc_files[i].prefix)) == 0) {
            return proc_files[i].kind;
        }
    }
    return TEXT_PLAIN;
}

static int grow_text(struct collect *c)
{
    size_t needed = c->text_cap == 0 ? TEXT_CAP_FIRST : c->text_cap + 1;
    return mem_array_grow((void **)&c->text, &c->text_cap, needed, 1, COLLECT_TEXT_MAX);
}

/* The whole text of an open file.
 *
 * The end of a text is where a read gives nothing, but asking for it costs as much as reading a small
 * text, and for /proc/net/udp, whose hash table is walked again, as much as the whole. So it is asked
 * only where the kind of the file does not tell. */
static int read_text(
    struct collect *c, struct vfs_file *file, enum text_kind kind, struct str *text_out)
{
    size_t length = 0;
    for (;;) {
        if (length == c->text_cap) {
            int status = grow_text(c);
            if (status != 0) {
                return status;
            }
        }
        size_t want = c->text_cap - length;
        want = kind == TEXT_PAGE && want > PAGE_BYTES ? PAGE_BYTES : want;
        size_t got;
        int status = vfs_pread_some(c->vfs, file, length, c->text + length, want, &got);
        if (status != 0) {
            return status;
        }
        length += got;
        if (got == 0 || (kind == TEXT_PAGE && got < want) ||
            (kind == TEXT_SHORT_ROWS && got < PAGE_BYTES / 2)) {
            *text_out = str_make(c->text, length);
            return 0;
        }
    }
}

static int open_file(
    struct collect *c, enum collect_root root, const char *path, struct vfs_file **file_out)
{
    char whole[COLLECT_PATH_MAX];
    int status = collect_path(c, root, path, whole, sizeof(whole));
    return status == 0 ? vfs_open(c->vfs, whole, VFS_READ, file_out) : status;
}

void kept_file_close(struct collect *c, struct kept_file *f)
{
    if (f->file != NULL) {
        vfs_close(c->vfs, f->file);
        c->kept_files--;
    }
    *f = (struct kept_file){0};
}

/* Opens, reads, and keeps the file if there is room for one more. A file that answers with an error
 * is kept too: it does so again in the next pass, and opening it each time would cost more. */
static int read_fresh(struct collect *c, struct kept_file *f, enum collect_root root,
    const char *path, enum text_kind kind, struct str *text_out)
{
    struct vfs_file *file;
    int status = open_file(c, root, path, &file);
    if (status != 0) {
        f->retry_at = status == ERR_NOT_FOUND ? c->pass + COLLECT_RETRY_PASSES : 0;
        return status;
    }
    status = read_text(c, file, kind, text_out);
    if (c->kept_files < COLLECT_FILES_MAX) {
        f->file = file;
        c->kept_files++;
    } else {
        vfs_close(c->vfs, file);
    }
    f->retry_at = status == 0 ? 0 : c->pass + COLLECT_RETRY_PASSES;
    return status;
}

static int read_kept(
    struct collect *c, struct kept_file *f, enum text_kind kind, struct str *text_out)
{
    if (f->file == NULL) {
        return c->pass < f->retry_at ? ERR_NOT_FOUND : ERR_CLOSED;
    }
    int status = read_text(c, f->file, kind, text_out);
    if (status == 0) {
        f->retry_at = 0;
    } else if (c->pass >= f->retry_at) {
        kept_file_close(c, f);
        return ERR_CLOSED;
    }
    return status;
}

int collect_read_again(struct collect *c, struct kept_file *f, bool small, struct str *text_out)
{
    return read_kept(c, f, small ? TEXT_PAGE : TEXT_PLAIN, text_out);
}

int collect_read(struct collect *c, struct kept_file *f, enum collect_root root, const char *path,
    struct str *text_out)
{
    enum text_kind kind = text_kind(root, path);
    int status = read_kept(c, f, kind, text_out);
    return status == ERR_CLOSED ? read_fresh(c, f, root, path, kind, text_out) : status;
}

int collect_read_once(
    struct collect *c, enum collect_root root, const char *path, struct str *text_out)
{
    struct vfs_file *file;
    int status = open_file(c, root, path, &file);
    if (status == 0) {
        status = read_text(c, file, text_kind(root, path), text_out);
        vfs_close(c->vfs, file);
    }
    return status;
}

int collect_read_number(struct collect *c, struct kept_file *f, enum collect_root root,
    const char *path, double *value_out)
{
    struct str text;
    int status = collect_read(c, f, root, path, &text);
    return status == 0 ? field_number(str_trim(text), value_out) : status;
}

/* Patterns of node_exporter find a match anywhere; ours are whole matches. */
static int compile_search(
    const char *pattern, const char *setting, struct regex **regex_out, struct err *e)
{
    struct strbuf whole = STRBUF_INIT;
    strbuf_addf(&whole, ".*(?:%s).*", pattern);
    int status = strbuf_error(&whole);
    if (status == 0) {
        status = regex_new(strbuf_str(&whole), regex_out, e);
        if (status != 0) {
            (void)err_prefix(e, "%s", setting);
        }
    }
    strbuf_release(&whole);
    return status;
}

/* NULL for an empty pattern. */
static int compile_setting(const struct collect *c, enum collector_setting setting,
    struct regex **regex_out, struct err *e)
{
    *regex_out = NULL;
    if (c->settings[setting][0] == '\0') {
        return 0;
    }
    return compile_search(c->settings[setting], collector_settings()[setting].name, regex_out, e);
}

static bool is_set(const struct collect *c, enum collector_setting setting)
{
    return strcmp(c->settings[setting], collector_settings()[setting].default_value) != 0 &&
           c->settings[setting][0] != '\0';
}

int collect_switch(
    const struct collect *c, enum collector_setting setting, bool *value_out, struct err *e)
{
    const char *text = c->settings[setting];
    *value_out = strcmp(text, "true") == 0;
    if (!*value_out && strcmp(text, "false") != 0) {
        return err_set(e, ERR_INVALID, -1, "%s must be true or false, not \"%s\"",
            collector_settings()[setting].name, text);
    }
    return 0;
}

int collect_filter_open(const struct collect *c, enum collector_setting include,
    enum collector_setting exclude, struct collect_filter *filter_out, struct err *e)
{
    const struct collector_setting_row *rows = collector_settings();
    if (is_set(c, include) && is_set(c, exclude)) {
        return err_set(e, ERR_INVALID, -1, "%s and %s exclude each other; set one of them",
            rows[include].name, rows[exclude].name);
    }
    struct collect_filter filter = {0};
    int status = compile_setting(c, include, &filter.include, e);
    if (status == 0 && filter.include == NULL) {
        status = compile_setting(c, exclude, &filter.exclude, e);
    }
    if (status == 0) {
        *filter_out = filter;
    }
    return status;
}

int collect_filter_open_include(const struct collect *c, enum collector_setting include,
    struct collect_filter *filter_out, struct err *e)
{
    *filter_out = (struct collect_filter){0};
    return compile_setting(c, include, &filter_out->include, e);
}

int collect_filter_open_exclude(const struct collect *c, enum collector_setting exclude,
    struct collect_filter *filter_out, struct err *e)
{
    *filter_out = (struct collect_filter){0};
    return compile_setting(c, exclude, &filter_out->exclude, e);
}

bool collect_filter_accepts(const struct collect_filter *filter, struct str text)
{
    if (filter->include != NULL && !regex_matches(filter->include, text)) {
        return false;
    }
    return filter->exclude == NULL || !regex_matches(filter->exclude, text);
}

void collect_filter_close(struct collect_filter *filter)
{
    regex_free(filter->include);
    regex_free(filter->exclude);
    *filter = (struct collect_filter){0};
}

/* Length of the valid character at the start of `s`, 0 when there is none. */
static size_t character_length(struct str s)
{
    for (size_t length = 1; length <= 4 && length <= s.len; length++) {
        if (str_is_utf8(str_make(s.ptr, length))) {
            return length;
        }
    }
    return 0;
}

struct str collect_label_text(struct str raw, char *buffer, size_t size)
{
    const struct str replacement = STR("\xef\xbf\xbd");
    if (str_is_utf8(raw)) {
        return raw;
    }
    size_t length = 0;
    bool after_replacement = false;
    while (raw.len > 0) {
        size_t step = character_length(raw);
        struct str piece = step > 0 ? str_make(raw.ptr, step) : replacement;
        if (step > 0 || !after_replacement) {
            if (length + piece.len > size) {
                break;
            }
            memcpy(buffer + length, piece.ptr, piece.len);
            length += piece.len;
        }
        after_replacement = step == 0;
        raw = str_skip(raw, step > 0 ? step : 1);
    }
    return str_make(buffer, length);
}

struct str collect_number_text(uint64_t value, struct number_text *text)
{
    char *end = text->digits + sizeof(text->digits);
    char *p = end;
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return str_make(p, (size_t)(end - p));
}
