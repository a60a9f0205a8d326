/* A sorted set of one-number files. */
#include "collectors/metric_files.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "procfs/field.h"

bool metric_files_due(const struct collect *c, const struct metric_files *files)
{
    return c->pass >= files->due;
}

static void close_rows(struct collect *c, struct metric_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        kept_file_close(c, &files->rows[i].kept);
    }
    files->count = 0;
}

void metric_files_begin(struct collect *c, struct metric_files *files)
{
    close_rows(c, files);
    arena_release(&files->arena);
    arena_init(&files->arena, METRIC_FILES_BYTES_MAX);
    files->error = 0;
}

static const char *copy_text(struct metric_files *files, const char *text)
{
    const char *copy = arena_strndup(&files->arena, text, strlen(text));
    if (copy == NULL) {
        files->error = arena_error(&files->arena);
    }
    return copy;
}

void metric_files_add(struct metric_files *files, const struct metric_file *file)
{
    assert(file->label_count <= METRIC_LABELS_MAX);
    if (files->error != 0) {
        return;
    }
    files->error = mem_array_grow((void **)&files->rows, &files->cap, files->count + 1,
        sizeof(*files->rows), METRIC_FILES_MAX);
    if (files->error != 0) {
        return;
    }
    struct metric_file_row row = {.file = *file};
    row.file.name = copy_text(files, file->name);
    row.file.help = copy_text(files, file->help);
    row.file.path = file->path != NULL ? copy_text(files, file->path) : NULL;
    for (size_t i = 0; i < file->label_count; i++) {
        struct str value = file->labels[i].value;
        const char *copy =
            arena_strndup(&files->arena, value.ptr != NULL ? value.ptr : "", value.len);
        if (copy == NULL) {
            files->error = arena_error(&files->arena);
        }
        row.file.labels[i].name = copy_text(files, file->labels[i].name);
        row.file.labels[i].value = str_make(copy, value.len);
    }
    if (files->error == 0) {
        files->rows[files->count++] = row;
    }
}

static int compare_rows(const void *left, const void *right)
{
    const struct metric_file *a = &((const struct metric_file_row *)left)->file;
    const struct metric_file *b = &((const struct metric_file_row *)right)->file;
    int order = strcmp(a->name, b->name);
    for (size_t i = 0; order == 0 && i < a->label_count && i < b->label_count; i++) {
        order = strcmp(a->labels[i].name, b->labels[i].name);
        order = order != 0 ? order : str_cmp(a->labels[i].value, b->labels[i].value);
    }
    if (order != 0) {
        return order;
    }
    return a->label_count < b->label_count ? -1 : a->label_count > b->label_count;
}

void metric_files_end(struct collect *c, struct metric_files *files)
{
    size_t kept = 0;
    if (files->count > 0) {
        qsort(files->rows, files->count, sizeof(*files->rows), compare_rows);
    }
    for (size_t i = 0; i < files->count; i++) {
        if (kept == 0 || compare_rows(&files->rows[kept - 1], &files->rows[i]) != 0) {
            files->rows[kept++] = files->rows[i];
        }
    }
    files->count = kept;
    files->due = c->pass + METRIC_FILES_PASSES;
}

static int read_value(struct collect *c, struct metric_file_row *row, double *value_out)
{
    if (row->file.path == NULL) {
        *value_out = row->file.constant;
        return 0;
    }
    struct str text;
    int status = collect_read(c, &row->kept, COLLECT_SYS, row->file.path, &text);
    if (status != 0) {
        return status;
    }
    text = str_trim(text);
    if (row->file.leading_number) {
        struct str rest = text;
        text = field_next(&rest, &text) ? str_split(&text, ':') : text;
    }
    if (row->file.hexadecimal) {
        uint64_t bits;
        status = field_hex(text, &bits);
        *value_out = (double)bits;
    } else if (field_number(text, value_out) != 0) {
        status = str_to_double(text, value_out);
    }
    if (status == 0 && row->file.factor != 0) {
        *value_out *= row->file.factor;
    }
    if (status == 0 && row->file.divisor != 0) {
        *value_out /= row->file.divisor;
    }
    return status;
}

int metric_files_give(struct collect *c, struct metric_files *files)
{
    const char *name = "";
    for (size_t i = 0; i < files->count; i++) {
        struct metric_file_row *row = &files->rows[i];
        if (strcmp(name, row->file.name) != 0) {
            name = row->file.name;
            metric_family(c->sink, name, row->file.type, row->file.help);
        }
        double value;
        int status = read_value(c, row, &value);
        if (status == 0) {
            metric_sample(c->sink, row->file.labels, row->file.label_count, value);
        } else if (status == ERR_NOT_FOUND) {
            files->due = 0; // the device has gone: walk again in the next pass
        }
    }
    return files->error;
}

void metric_files_release(struct collect *c, struct metric_files *files)
{
    close_rows(c, files);
    arena_release(&files->arena);
    mem_free(files->rows);
    files->rows = NULL;
    files->cap = 0;
}
