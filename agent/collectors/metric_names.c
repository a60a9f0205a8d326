/* Names by position. */
#include "collectors/metric_names.h"

#include <stdio.h>

#include "base/mem.h"

static bool is_same_key(const struct metric_name *row, struct str group, struct str field)
{
    if (row->key == NULL) {
        return false;
    }
    if (group.len == 0) {
        return str_eq(str_make(row->key, row->key_length), field);
    }
    return row->key_length == group.len + 1 + field.len &&
           memcmp(row->key, group.ptr, group.len) == 0 && row->key[group.len] == '_' &&
           memcmp(row->key + group.len + 1, field.ptr, field.len) == 0;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void release_row(struct metric_name *row)
{
    mem_free(row->key);
    mem_free(row->name);
    *row = (struct metric_name){0};
}

/* Fills an empty row; on short memory it stays empty and is tried again in the next pass. */
static void fill_row(struct metric_names *names, struct metric_name *row, struct str group,
    struct str field, const char *suffix)
{
    char text[METRIC_NAME_MAX];
    int key_start = (int)strlen(names->prefix);
    int key_end = snprintf(text, sizeof(text), "%s%.*s%s%.*s", names->prefix, STR_ARG(group),
        group.len > 0 ? "_" : "", STR_ARG(field));
    if (key_end < 0 || (size_t)key_end + strlen(suffix) >= sizeof(text)) {
        return;
    }
    struct str key = str_make(text + key_start, (size_t)(key_end - key_start));
    row->key = mem_strndup(key.ptr, key.len);
    row->key_length = key.len;
    if (row->key == NULL ||
        (names->filter != NULL && !collect_filter_accepts(names->filter, key))) {
        return;
    }
    memcpy(text + key_end, suffix, strlen(suffix) + 1);
    for (char *p = text; *p != '\0'; p++) {
        *p = is_name_byte(*p) ? *p : '_';
    }
    row->name = mem_strdup(text);
    if (row->name == NULL) {
        release_row(row);
    }
}

const char *metric_names_get(
    struct metric_names *names, size_t row, struct str group, struct str field, const char *suffix)
{
    if (row > names->count) {
        return NULL; // memory was short for the row before
    }
    if (row == names->count) {
        if (mem_array_grow((void **)&names->rows, &names->cap, row + 1, sizeof(*names->rows),
                METRIC_NAMES_MAX) != 0) {
            return NULL;
        }
        names->rows[names->count++] = (struct metric_name){0};
    }
    struct metric_name *found = &names->rows[row];
    if (!is_same_key(found, group, field)) {
        release_row(found);
        fill_row(names, found, group, field, suffix);
    }
    return found->name;
}

void metric_names_release(struct metric_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        release_row(&names->rows[i]);
    }
    mem_free(names->rows);
    names->rows = NULL;
    names->count = 0;
    names->cap = 0;
}
