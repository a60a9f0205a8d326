/* The map in front of the journal: few entries, looked through one by one. */
#include "slo_journal.h"

#include "base/journal.h"
#include "base/log.h"
#include "base/mem.h"

struct entry {
    struct str key, value; /* of this memory */
};

struct slo_journal {
    struct journal *file; /* NULL: nothing is durable */
    struct entry *entries;
    size_t count, cap;
    int error; /* of a change in memory; sticks until the commit */
};

static struct entry *find(const struct slo_journal *j, struct str key)
{
    for (size_t i = 0; i < j->count; i++) {
        if (str_eq(j->entries[i].key, key)) {
            return &j->entries[i];
        }
    }
    return NULL;
}

static void free_entry(struct entry *entry)
{
    mem_free((void *)(uintptr_t)entry->key.ptr);
    mem_free((void *)(uintptr_t)entry->value.ptr);
}

static void forget(struct slo_journal *j, struct str key)
{
    struct entry *entry = find(j, key);
    if (entry != NULL) {
        free_entry(entry);
        *entry = j->entries[--j->count];
    }
}

static int remember(struct slo_journal *j, struct str key, struct str value)
{
    int status = mem_array_grow(
        (void **)&j->entries, &j->cap, j->count + 1, sizeof(*j->entries), SLO_JOURNAL_ENTRIES_MAX);
    if (status != 0) {
        return status;
    }
    char *kept_key = mem_strndup(key.ptr, key.len);
    char *kept_value = mem_strndup(value.len > 0 ? value.ptr : "", value.len);
    if (kept_key == NULL || kept_value == NULL) {
        mem_free(kept_key);
        mem_free(kept_value);
        return ERR_NOMEM;
    }
    forget(j, key);
    j->entries[j->count++] =
        (struct entry){str_make(kept_key, key.len), str_make(kept_value, value.len)};
    return 0;
}

static int replay(void *context, struct str key, struct str value, bool deleted)
{
    if (deleted) {
        forget(context, key);
        return 0;
    }
    return remember(context, key, value);
}

static void list(void *context, struct journal_rewrite *to)
{
    const struct slo_journal *j = context;
    for (size_t i = 0; i < j->count; i++) {
        journal_rewrite_put(to, j->entries[i].key, j->entries[i].value);
    }
}

int slo_journal_open(
    struct vfs *fs, const char *path, struct slo_journal **journal_out, struct err *e)
{
    struct slo_journal *j = mem_calloc(1, sizeof(*j));
    if (j == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    struct journal_options options = {.fs = fs, .replay = replay, .list = list, .context = j};
    struct journal_report report = {0};
    int status = path != NULL ? journal_open(path, &options, &j->file, &report, e) : 0;
    if (status != 0) {
        slo_journal_close(j);
        return status;
    }
    if (report.damaged_bytes > 0) {
        LOG_WARN("damage in the journal of objectives was skipped", LOG_S("path", path),
            LOG_I("bytes", report.damaged_bytes));
    }
    *journal_out = j;
    return 0;
}

void slo_journal_close(struct slo_journal *j)
{
    if (j == NULL) {
        return;
    }
    journal_close(j->file);
    for (size_t i = 0; i < j->count; i++) {
        free_entry(&j->entries[i]);
    }
    mem_free(j->entries);
    mem_free(j);
}

bool slo_journal_get(const struct slo_journal *j, struct str key, struct str *value_out)
{
    const struct entry *entry = find(j, key);
    if (entry != NULL) {
        *value_out = entry->value;
    }
    return entry != NULL;
}

void slo_journal_put(struct slo_journal *j, struct str key, struct str value)
{
    const struct entry *entry = find(j, key);
    if (entry != NULL && str_eq(entry->value, value)) {
        return;
    }
    int status = remember(j, key, value);
    j->error = j->error != 0 ? j->error : status;
    if (j->file != NULL && status == 0) {
        journal_put(j->file, key, value);
    }
}

void slo_journal_delete(struct slo_journal *j, struct str key)
{
    if (find(j, key) == NULL) {
        return;
    }
    if (j->file != NULL) {
        journal_delete(j->file, key);
    }
    forget(j, key);
}

int slo_journal_commit(struct slo_journal *j, struct err *e)
{
    int error = j->error;
    j->error = 0;
    if (error != 0) {
        return err_set(e, error, -1, "the journal of objectives: %s", err_text(error));
    }
    return j->file != NULL ? journal_commit(j->file, e) : 0;
}

void slo_journal_each(const struct slo_journal *j, struct str prefix,
    void (*visit)(void *context, struct str key, struct str value), void *context)
{
    for (size_t i = 0; i < j->count; i++) {
        if (str_starts_with(j->entries[i].key, prefix)) {
            visit(context, j->entries[i].key, j->entries[i].value);
        }
    }
}
