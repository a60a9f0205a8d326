/* Sets: the files of one load, read and checked before anything that is in force changes. */
#include <glob.h>
#include <string.h>

#include "base/mem.h"
#include "slo_manager.h"

#define FILES_MAX 1000

struct slo_set *slo_set_ref(struct slo_set *set)
{
    atomic_fetch_add(&set->references, 1);
    return set;
}

void slo_set_unref(struct slo_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        slo_file_release(&set->files[i]);
    }
    mem_free(set->files);
    mem_free(set);
}

const struct slo_definition *slo_set_find(const struct slo_set *set, struct str name)
{
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < set->files[i].count; j++) {
            if (str_eq(set->files[i].definitions[j].name, name)) {
                return &set->files[i].definitions[j];
            }
        }
    }
    return NULL;
}

static int add_file(struct slo_manager *m, struct slo_set *set, const char *path, struct err *e)
{
    char *text = NULL;
    size_t size = 0;
    int status = vfs_read_file(m->fs, path, SLO_FILE_BYTES_MAX, &text, &size);
    if (status != 0) {
        return err_set(e, status, -1, "%s: %s", path, err_text(status));
    }
    status = mem_array_grow(
        (void **)&set->files, &set->cap, set->count + 1, sizeof(*set->files), FILES_MAX);
    if (status != 0) {
        mem_free(text);
        return err_set(e, status, -1, "at most %d files of objectives", FILES_MAX);
    }
    struct slo_file *f = &set->files[set->count];
    status = slo_file_parse(m->fs, str_of(path), str_make(text, size), f, e);
    mem_free(text);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < f->count && status == 0; i++) {
        const struct slo_definition *other = slo_set_find(set, f->definitions[i].name);
        if (other != NULL) {
            status = err_set(e, ERR_INVALID, -1, "%s:%zu: SLO \"%.*s\" is in %.*s already", path,
                f->definitions[i].line, STR_ARG(other->name), STR_ARG(other->file));
        }
    }
    set->count++;
    set->definitions += f->count;
    return status;
}

static int add_pattern(
    struct slo_manager *m, struct slo_set *set, const char *pattern, struct err *e)
{
    if (strpbrk(pattern, "*?[") == NULL) {
        return add_file(m, set, pattern, e);
    }
    glob_t found = {0};
    int result = glob(pattern, 0, NULL, &found), status = 0;
    if (result != 0 && result != GLOB_NOMATCH) {
        status = err_set(
            e, result == GLOB_NOSPACE ? ERR_NOMEM : ERR_IO, -1, "%s: cannot be searched", pattern);
    }
    for (size_t i = 0; result == 0 && i < found.gl_pathc && status == 0; i++) {
        status = add_file(m, set, found.gl_pathv[i], e);
    }
    globfree(&found);
    return status;
}

int slo_read(struct slo_manager *m, const char *const *patterns, size_t count,
    struct slo_set **set_out, struct err *e)
{
    struct slo_set *set = mem_calloc(1, sizeof(*set));
    if (set == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    atomic_init(&set->references, 1);
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        status = add_pattern(m, set, patterns[i], e);
    }
    if (status == 0 && set->definitions > SLO_DEFINITIONS_MAX) {
        status = err_set(e, ERR_LIMIT, -1, "at most %d objectives", SLO_DEFINITIONS_MAX);
    }
    if (status != 0) {
        slo_set_unref(set);
        return status;
    }
    *set_out = set;
    return 0;
}
