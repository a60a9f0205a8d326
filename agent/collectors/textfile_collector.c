/* Metrics that others leave as files: each *.prom of one directory is an exposition in text format.
 *
 * Files are read again only when one of them changed (name, size, time, inode). A file that does not
 * parse, or whose samples carry timestamps, is left out whole and shows as node_textfile_scrape_error;
 * writers replace files by renaming, so half a file is a mistake worth telling.
 *
 * A sink knows samples by the name of their family, so the parts of histograms and summaries
 * (_bucket, _sum, _count) are families of counters of their own here. Names, labels and values are
 * those of the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/mem.h"
#include "collectors/metric_files.h"
#include "collectors/rows.h"
#include "wire/exposition.h"

/* Longest file, and memory while it is parsed. */
#define TEXTFILE_BYTES_MAX ((size_t)8 << 20)
#define TEXTFILE_PARSE_BYTES_MAX ((size_t)32 << 20)
/* Families of one file whose type is remembered. */
#define TEXTFILE_FAMILIES_MAX 4096
#define TEXTFILE_NAME_MAX 256

struct textfile_state {
    char *directory; /* NULL = none */
    struct metric_files files;
    uint64_t signature; /* of the directory as it was parsed */
    bool parsed;
    bool failed; /* a file could not be read or parsed */
};

static int textfile_open(struct collect *c, void *state, struct err *e)
{
    struct textfile_state *s = state;
    const char *directory = c->settings[COLLECTOR_SETTING_TEXTFILE_DIRECTORY];
    if (directory[0] != '\0') {
        s->directory = mem_strdup(directory);
        if (s->directory == NULL) {
            return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
        }
    }
    return 0;
}

/* ---- One file ---- */

/* A family announced by TYPE or HELP. */
struct family {
    struct str name;
    struct str help;
    enum metric_type type;
};

struct file_parse {
    struct textfile_state *state;
    struct arena arena;
    struct exposition_parser parser;
    struct family *families;
    size_t count, cap;
};

static struct family *find_family(struct file_parse *f, struct str name)
{
    for (size_t i = f->count; i > 0; i--) {
        // The newest one is nearly always meant.
        if (str_eq(f->families[i - 1].name, name)) {
            return &f->families[i - 1];
        }
    }
    return NULL;
}

static int take_family(struct file_parse *f, struct str name, struct family **family_out)
{
    *family_out = find_family(f, name);
    if (*family_out != NULL) {
        return 0;
    }
    int status = mem_array_grow(
        (void **)&f->families, &f->cap, f->count + 1, sizeof(*f->families), TEXTFILE_FAMILIES_MAX);
    if (status == 0) {
        f->families[f->count] = (struct family){.name = name, .help = STR("")};
        *family_out = &f->families[f->count++];
    }
    return status;
}

/* The family a sample belongs to: its own name, or without the suffix of a histogram or summary. */
static const struct family *family_of_sample(struct file_parse *f, struct str name)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    const struct family *family = find_family(f, name);
    for (size_t i = 0; family == NULL && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (str_ends_with(name, str_of(suffixes[i]))) {
            family = find_family(f, str_make(name.ptr, name.len - strlen(suffixes[i])));
        }
    }
    return family;
}

static enum metric_type type_of_sample(const struct family *family, struct str name)
{
    if (family == NULL) {
        return METRIC_TYPE_UNKNOWN;
    }
    bool part = !str_eq(family->name, name);
    switch (family->type) {
    case METRIC_TYPE_HISTOGRAM:
        return METRIC_TYPE_COUNTER;
    case METRIC_TYPE_SUMMARY:
        return part ? METRIC_TYPE_COUNTER : METRIC_TYPE_GAUGE; // quantiles go up and down
    default:
        return family->type;
    }
}

static int compare_pairs(const void *left, const void *right)
{
    return str_cmp(((const struct label *)left)->name, ((const struct label *)right)->name);
}

/* Zero-terminated in the parse's arena. */
static const char *text_of(struct file_parse *f, struct str text)
{
    return arena_strndup(&f->arena, text.ptr != NULL ? text.ptr : "", text.len);
}

static int add_sample(struct file_parse *f, const struct exposition_entry *entry)
{
    struct label pairs[METRIC_LABELS_MAX + 1];
    size_t count;
    struct err e = ERR_INIT;
    int status = exposition_labels(
        &f->parser, entry->series_text, pairs, sizeof(pairs) / sizeof(pairs[0]), &count, &e);
    if (status != 0) {
        return status;
    }
    qsort(pairs, count, sizeof(pairs[0]), compare_pairs);
    struct metric_file metric = {.name = NULL, .constant = entry->value};
    struct str name = STR("");
    for (size_t i = 0; i < count; i++) {
        if (str_eq(pairs[i].name, STR(LABEL_METRIC_NAME))) {
            name = pairs[i].value;
            metric.name = text_of(f, name);
            continue;
        }
        struct label_pair *label = &metric.labels[metric.label_count];
        *label = (struct label_pair){text_of(f, pairs[i].name), pairs[i].value};
        if (metric.label_count++ == METRIC_LABELS_MAX - 1 || label->name == NULL) {
            return ERR_LIMIT;
        }
    }
    const struct family *family = family_of_sample(f, name);
    metric.type = type_of_sample(family, name);
    metric.help = family != NULL && family->help.len > 0 ? text_of(f, family->help)
                                                         : "From a file of the textfile directory.";
    if (metric.name == NULL || metric.help == NULL) {
        return ERR_LIMIT;
    }
    metric_files_add(&f->state->files, &metric);
    return f->state->files.error;
}

static int add_entry(struct file_parse *f, const struct exposition_entry *entry)
{
    struct family *family;
    int status;
    switch (entry->kind) {
    case EXPOSITION_SAMPLE:
        return entry->has_timestamp ? ERR_UNSUPPORTED : add_sample(f, entry);
    case EXPOSITION_TYPE:
        status = take_family(f, entry->metric, &family);
        if (status == 0) {
            family->type = entry->type;
        }
        return status;
    case EXPOSITION_HELP:
        status = take_family(f, entry->metric, &family);
        if (status == 0) {
            family->help = entry->text;
        }
        return status;
    default:
        return 0;
    }
}

/* All samples of a text, or none of them. */
static int parse_text(struct textfile_state *s, struct str text)
{
    struct file_parse f = {.state = s};
    struct exposition_entry entry;
    struct err e = ERR_INIT;
    size_t before = s->files.count;
    arena_init(&f.arena, TEXTFILE_PARSE_BYTES_MAX);
    exposition_begin(&f.parser, EXPOSITION_TEXT, text, &f.arena);
    int status;
    while ((status = exposition_next(&f.parser, &entry, &e)) > 0) {
        status = add_entry(&f, &entry);
        if (status != 0) {
            break;
        }
    }
    if (status != 0) {
        s->files.count = before; // rows hold no open files yet
    }
    mem_free(f.families);
    arena_release(&f.arena);
    return status;
}

/* ---- The directory ---- */

struct directory_walk {
    struct collect *collect;
    struct textfile_state *state;
    bool parse; /* else only the signature is made */
    uint64_t signature;
};

/* Sets what tells a version of a file from another; false when it is gone or no file. */
static bool describe(const char *path, struct stat *status)
{
    return stat(path, status) == 0 && S_ISREG(status->st_mode);
}

static uint64_t file_signature(const char *name, const struct stat *status)
{
    uint64_t parts[] = {hash64(name, strlen(name), 0), (uint64_t)status->st_size,
        (uint64_t)status->st_mtim.tv_sec, (uint64_t)status->st_mtim.tv_nsec,
        (uint64_t)status->st_ino};
    return hash64(parts, sizeof(parts), 0);
}

static void parse_file(struct directory_walk *walk, const char *path, const struct stat *status)
{
    struct textfile_state *s = walk->state;
    char *text;
    size_t size;
    if (vfs_read_file(walk->collect->vfs, path, TEXTFILE_BYTES_MAX, &text, &size) != 0) {
        s->failed = true;
        return;
    }
    if (parse_text(s, str_make(text, size)) != 0) {
        s->failed = true;
    }
    mem_free(text);
    metric_files_add(&s->files,
        &(struct metric_file){
            .name = "node_textfile_mtime_seconds",
            .type = METRIC_TYPE_GAUGE,
            .help = "When a file was last written, seconds since 1970.",
            .constant = (double)status->st_mtim.tv_sec + (double)status->st_mtim.tv_nsec * 1e-9,
            .label_count = 1,
            .labels = {{"file", str_of(path)}},
        });
}

static int see_file(void *context, const char *name, bool is_directory)
{
    struct directory_walk *walk = context;
    struct stat status;
    char path[COLLECT_PATH_MAX];
    if (is_directory || !str_ends_with(str_of(name), STR(".prom"))) {
        return 0;
    }
    int length = snprintf(path, sizeof(path), "%s/%s", walk->state->directory, name);
    if (length < 0 || (size_t)length >= sizeof(path) || !describe(path, &status)) {
        return 0;
    }
    // A sum does not depend on the order in which the directory is listed.
    walk->signature += file_signature(name, &status);
    if (walk->parse) {
        parse_file(walk, path, &status);
    }
    return 0;
}

static int walk_directory(
    struct collect *c, struct textfile_state *s, bool parse, uint64_t *signature_out)
{
    struct directory_walk walk = {.collect = c, .state = s, .parse = parse};
    int status = vfs_list(c->vfs, s->directory, see_file, &walk);
    *signature_out = walk.signature;
    return status;
}

static void refresh(struct collect *c, struct textfile_state *s)
{
    uint64_t signature;
    if (walk_directory(c, s, false, &signature) != 0) {
        s->failed = true;
        s->parsed = false;
        metric_files_begin(c, &s->files);
        return;
    }
    if (s->parsed && signature == s->signature) {
        return;
    }
    metric_files_begin(c, &s->files);
    s->failed = false;
    s->failed = walk_directory(c, s, true, &s->signature) != 0 || s->failed;
    metric_files_end(c, &s->files);
    s->parsed = true;
}

static int textfile_collect(struct collect *c, void *state)
{
    struct textfile_state *s = state;
    int status = 0;
    if (s->directory != NULL) {
        refresh(c, s);
        status = metric_files_give(c, &s->files);
    }
    metric_single(c->sink, "node_textfile_scrape_error", METRIC_TYPE_GAUGE,
        "1 when a file could not be read or is no exposition.", s->failed ? 1 : 0);
    return status;
}

static void textfile_close(struct collect *c, void *state)
{
    struct textfile_state *s = state;
    metric_files_release(c, &s->files);
    mem_free(s->directory);
}

const struct collector textfile_collector = {
    .name = "textfile",
    .help = "Metrics that others leave as *.prom files",
    .default_enabled = true,
    .state_size = sizeof(struct textfile_state),
    .open = textfile_open,
    .collect = textfile_collect,
    .close = textfile_close,
};
