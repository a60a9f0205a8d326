/* Rows and the versions of their presence; see the header. */
#include "head/open_row.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static size_t row_size(uint32_t width)
{
    size_t words = ((size_t)width + 63) / 64;
    return sizeof(struct open_row) + (size_t)width * sizeof(double) + words * sizeof(uint64_t);
}

struct open_row *open_row_new(int64_t t_ms, uint64_t lsn, uint32_t width)
{
    width = (width + OPEN_ROW_WIDTH_STEP - 1) / OPEN_ROW_WIDTH_STEP * OPEN_ROW_WIDTH_STEP;
    struct open_row *row = mem_alloc(row_size(width));
    if (row == NULL) {
        return NULL;
    }
    *row = (struct open_row){.t_ms = t_ms, .lsn = lsn, .width = width};
    memset(open_row_presence(row), 0, open_row_words(row) * sizeof(uint64_t));
    return row;
}

static void free_versions(struct row_version *version)
{
    while (version != NULL) {
        struct row_version *older = version->older;
        mem_free(version);
        version = older;
    }
}

void open_row_free(struct open_row *row)
{
    if (row != NULL) {
        free_versions(row->versions);
        mem_free(row);
    }
}

static struct row_version *version_new(struct open_row *row, size_t words)
{
    struct row_version *version = mem_calloc(1, sizeof(*version) + words * sizeof(uint64_t));
    if (version != NULL) {
        memcpy(version->presence, open_row_presence(row), open_row_words(row) * sizeof(uint64_t));
    }
    return version;
}

/* Versions are as wide as the row: a reader indexes both alike. */
static int widen_versions(struct open_row *row, size_t words)
{
    struct row_version **link = &row->versions;
    while (*link != NULL) {
        struct row_version *old = *link;
        struct row_version *wide = mem_calloc(1, sizeof(*wide) + words * sizeof(uint64_t));
        if (wide == NULL) {
            return ERR_NOMEM;
        }
        wide->lsn = old->lsn;
        wide->older = old->older;
        memcpy(wide->presence, old->presence, open_row_words(row) * sizeof(uint64_t));
        *link = wide;
        mem_free(old);
        link = &wide->older;
    }
    return 0;
}

struct open_row *open_row_widen(struct open_row *row, uint32_t width)
{
    assert(width > row->width);
    struct open_row *wide = open_row_new(row->t_ms, row->lsn, width);
    if (wide == NULL || widen_versions(row, open_row_words(wide)) != 0) {
        mem_free(wide);
        return NULL;
    }
    wide->has_conflicts = row->has_conflicts;
    wide->versions = row->versions;
    memcpy(wide->values, row->values, row->width * sizeof(double));
    memcpy(open_row_presence(wide), open_row_presence(row), open_row_words(row) * sizeof(uint64_t));
    mem_free(row);
    return wide;
}

size_t open_row_memory(const struct open_row *row)
{
    return row_size(row->width);
}

int open_row_push_version(struct open_row *row, uint64_t lsn)
{
    assert(row->versions == NULL || row->versions->lsn <= lsn);
    struct row_version *version = version_new(row, open_row_words(row));
    if (version == NULL) {
        return ERR_NOMEM;
    }
    version->lsn = lsn;
    version->older = row->versions;
    row->versions = version;
    return 0;
}

void open_row_pop_version(struct open_row *row)
{
    struct row_version *version = row->versions;
    assert(version != NULL);
    memcpy(open_row_presence(row), version->presence, open_row_words(row) * sizeof(uint64_t));
    row->versions = version->older;
    mem_free(version);
}

void open_row_prune(struct open_row *row, uint64_t horizon)
{
    struct row_version **link = &row->versions;
    while (*link != NULL && (*link)->lsn > horizon) {
        link = &(*link)->older;
    }
    free_versions(*link);
    *link = NULL;
}

bool open_row_visible(struct open_row *row, uint32_t column, uint64_t lsn)
{
    if (row->lsn > lsn || column >= row->width) {
        return false;
    }
    const uint64_t *presence = open_row_presence(row);
    for (const struct row_version *v = row->versions; v != NULL && v->lsn > lsn; v = v->older) {
        presence = v->presence;
    }
    return (presence[column / 64] >> (column % 64) & 1) != 0;
}
