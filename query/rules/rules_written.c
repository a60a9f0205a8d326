/* Rule groups that people write over HTTP: files below the data directory, one a namespace, edited group by
 * group. A change is read, made and put in force inside one load, so that two writers cannot lose each
 * other's. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "rules/rules_loading.h"
#include "rules/rules_manager.h"

static const char SUFFIX[] = ".yml";
/* Namespaces there may be. */
enum { NAMESPACES_MAX = RULES_FILES_MAX };

/* ---- Names of files ---- */

static bool is_plain(struct str name, size_t i)
{
    char c = name.ptr[i];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || (c == '.' && i > 0);
}

int rules_namespace_path(const struct rules *r, struct str namespace, struct strbuf *path)
{
    strbuf_addf(path, "%s/rules/", r->data_path);
    for (size_t i = 0; i < namespace.len; i++) {
        if (is_plain(namespace, i)) {
            strbuf_add_char(path, namespace.ptr[i]);
        } else {
            strbuf_addf(path, "%%%02X", (unsigned char)namespace.ptr[i]);
        }
    }
    strbuf_add_c(path, SUFFIX);
    return strbuf_error(path);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False: not a file that was named here. */
static bool unescape(struct str file, char name[RULES_NAMESPACE_BYTES_MAX], size_t *length_out)
{
    size_t length = 0;
    if (!str_ends_with(file, str_of(SUFFIX))) {
        return false;
    }
    file.len -= sizeof(SUFFIX) - 1;
    for (size_t i = 0; i < file.len; i++) {
        if (length == RULES_NAMESPACE_BYTES_MAX) {
            return false;
        }
        if (file.ptr[i] != '%') {
            name[length++] = file.ptr[i];
            continue;
        }
        int high = i + 2 < file.len ? hex_digit(file.ptr[i + 1]) : -1;
        int low = i + 2 < file.len ? hex_digit(file.ptr[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return false;
        }
        name[length++] = (char)(high * 16 + low);
        i += 2;
    }
    *length_out = length;
    return length > 0;
}

/* ---- Listing ---- */

struct listing {
    char **files;
    size_t count, cap;
};

static int note_file(void *context, const char *name, bool is_directory)
{
    struct listing *l = context;
    if (is_directory || !str_ends_with(str_of(name), str_of(SUFFIX))) {
        return 0;
    }
    int status =
        mem_array_grow((void **)&l->files, &l->cap, l->count + 1, sizeof(char *), NAMESPACES_MAX);
    if (status == 0) {
        l->files[l->count] = mem_strdup(name);
        status = l->files[l->count] == NULL ? ERR_NOMEM : 0;
        l->count += status == 0;
    }
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int call_for(struct rules *r, const char *file,
    int (*callback)(void *context, struct str namespace, const char *path), void *context)
{
    char name[RULES_NAMESPACE_BYTES_MAX];
    size_t length;
    struct strbuf path = STRBUF_INIT;
    if (!unescape(str_of(file), name, &length)) {
        return 0;
    }
    strbuf_addf(&path, "%s/rules/%s", r->data_path, file);
    int status = strbuf_error(&path);
    if (status == 0) {
        status = callback(context, str_make(name, length), path.data);
    }
    strbuf_release(&path);
    return status;
}

int rules_each_namespace(struct rules *r,
    int (*callback)(void *context, struct str namespace, const char *path), void *context)
{
    struct listing l = {0};
    struct strbuf folder = STRBUF_INIT;
    strbuf_addf(&folder, "%s/rules", r->data_path);
    int status = strbuf_error(&folder);
    if (status == 0) {
        status = vfs_list(r->env.fs, folder.data, note_file, &l);
        status = status == ERR_NOT_FOUND ? 0 : status;
    }
    if (status == 0 && l.count > 0) {
        qsort(l.files, l.count, sizeof(char *), compare_names);
    }
    for (size_t i = 0; i < l.count; i++) {
        if (status == 0) {
            status = call_for(r, l.files[i], callback, context);
        }
        mem_free(l.files[i]);
    }
    mem_free(l.files);
    strbuf_release(&folder);
    return status;
}

/* ---- Reading one ---- */

static int read_namespace(
    struct rules *r, struct str namespace, struct rule_file **file_out, struct err *e)
{
    struct strbuf path = STRBUF_INIT;
    char *text = NULL, *name = mem_strndup(namespace.ptr, namespace.len);
    size_t size = 0;
    int status = name == NULL ? ERR_NOMEM : rules_namespace_path(r, namespace, &path);
    if (status == 0) {
        status = vfs_read_file(r->env.fs, path.data, RULE_FILE_BYTES_MAX, &text, &size);
    }
    if (status != 0) {
        err_set(e, status, -1,
            status == ERR_NOT_FOUND ? "there is no namespace \"%.*s\"" : "namespace \"%.*s\"",
            STR_ARG(namespace));
    } else {
        status = rule_file_parse(name, str_make(text, size), r->features, NULL, file_out, e);
    }
    mem_free(text);
    mem_free(name);
    strbuf_release(&path);
    return status;
}

static int check_namespace(const struct rules *r, struct str namespace, struct err *e)
{
    if (r->data_path == NULL) {
        return err_set(e, ERR_UNSUPPORTED, -1, "rules cannot be written without a data directory");
    }
    if (namespace.len == 0 || namespace.len > RULES_NAMESPACE_BYTES_MAX) {
        return err_set(
            e, ERR_INVALID, -1, "a namespace has 1 to %d bytes", RULES_NAMESPACE_BYTES_MAX);
    }
    return 0;
}

/* ---- Changing ---- */

/* The groups of `file` (may be NULL) without `name`, and with `group` (may be NULL) in its place or at the
 * end. Empty text when no group is left. */
static void edit(const struct rule_file *file, struct str name,
    const struct rule_group_definition *group, struct strbuf *text, bool *found_out)
{
    size_t count = 0;
    const struct rule_group_definition *groups =
        file != NULL ? rule_file_groups(file, &count) : NULL;
    bool any = group != NULL || count > 1 || (count == 1 && !str_eq(groups[0].name, name));
    *found_out = false;
    strbuf_add_c(text, any ? "groups:\n" : "");
    for (size_t i = 0; i < count; i++) {
        bool same = str_eq(groups[i].name, name);
        *found_out = *found_out || same;
        if (!same || group != NULL) {
            rule_group_write(same ? group : &groups[i], 2, text);
        }
    }
    if (group != NULL && !*found_out) {
        rule_group_write(group, 2, text);
    }
}

int rules_write_group(struct rules *r, struct str namespace, struct str yaml, struct err *e)
{
    struct rule_file *group_file = NULL, *file = NULL;
    struct strbuf text = STRBUF_INIT;
    struct err missing = ERR_INIT;
    size_t count;
    bool found;
    int status = check_namespace(r, namespace, e);
    if (status == 0) {
        status = rule_file_parse_group("group", yaml, r->features, &group_file, e);
    }
    if (status != 0) {
        return status;
    }
    const struct rule_group_definition *group = rule_file_groups(group_file, &count);
    rules_begin_loading(r);
    status = read_namespace(r, namespace, &file, &missing);
    if (status == ERR_NOT_FOUND) {
        struct strbuf folder = STRBUF_INIT;
        strbuf_addf(&folder, "%s/rules", r->data_path);
        status = strbuf_error(&folder) == 0 ? vfs_mkdir_all(r->env.fs, folder.data) : ERR_NOMEM;
        err_set(&missing, status, -1, "%s/rules: %s", r->data_path, err_text(status));
        strbuf_release(&folder);
    }
    if (status != 0) {
        *e = missing;
    } else {
        edit(file, group->name, group, &text, &found);
        status = strbuf_error(&text) != 0
                     ? err_set(e, strbuf_error(&text), -1, "%s", err_text(strbuf_error(&text)))
                     : rules_load_namespace(r, namespace, strbuf_str(&text), e);
    }
    rules_end_loading(r);
    strbuf_release(&text);
    rule_file_unref(file);
    rule_file_unref(group_file);
    return status;
}

int rules_delete_group(struct rules *r, struct str namespace, struct str group, struct err *e)
{
    struct rule_file *file = NULL;
    struct strbuf text = STRBUF_INIT;
    bool found = false;
    int status = check_namespace(r, namespace, e);
    if (status != 0) {
        return status;
    }
    rules_begin_loading(r);
    status = read_namespace(r, namespace, &file, e);
    if (status == 0) {
        edit(file, group, NULL, &text, &found);
        status = strbuf_error(&text);
        if (status != 0) {
            err_set(e, status, -1, "%s", err_text(status));
        } else if (!found) {
            status = err_set(e, ERR_NOT_FOUND, -1, "there is no group \"%.*s\" in \"%.*s\"",
                STR_ARG(group), STR_ARG(namespace));
        } else {
            status = rules_load_namespace(r, namespace, strbuf_str(&text), e);
        }
    }
    rules_end_loading(r);
    strbuf_release(&text);
    rule_file_unref(file);
    return status;
}

int rules_delete_namespace(struct rules *r, struct str namespace, struct err *e)
{
    struct rule_file *file = NULL;
    int status = check_namespace(r, namespace, e);
    if (status != 0) {
        return status;
    }
    rules_begin_loading(r);
    status = read_namespace(r, namespace, &file, e);
    if (status == 0) {
        status = rules_load_namespace(r, namespace, (struct str){0}, e);
    }
    rules_end_loading(r);
    rule_file_unref(file);
    return status;
}

/* ---- Showing ---- */

struct showing {
    struct rules *rules;
    struct strbuf *out;
    struct str group; /* len 0: all */
    bool found;
    struct err *e;
};

static int show_namespace(void *context, struct str namespace, const char *path)
{
    struct showing *s = context;
    struct rule_file *file = NULL;
    size_t count;
    (void)path;
    int status = read_namespace(s->rules, namespace, &file, s->e);
    if (status != 0) {
        return status;
    }
    const struct rule_group_definition *groups = rule_file_groups(file, &count);
    if (s->group.len == 0) {
        struct json_writer json;
        json_init(&json, s->out);
        json_string(&json, namespace);
        strbuf_add_c(s->out, ":\n");
    }
    for (size_t i = 0; i < count; i++) {
        if (s->group.len == 0) {
            s->found = true;
            rule_group_write(&groups[i], 4, s->out);
        } else if (str_eq(groups[i].name, s->group)) {
            s->found = true;
            rule_group_write_alone(&groups[i], s->out);
        }
    }
    rule_file_unref(file);
    return 0;
}

/* All of it under one load, or a namespace may go between its name and its text. */
static int show(struct showing *s, struct str namespace)
{
    struct rules *r = s->rules;
    if (namespace.len > 0) {
        int status = check_namespace(r, namespace, s->e);
        return status != 0 ? status : show_namespace(s, namespace, "");
    }
    return r->data_path != NULL ? rules_each_namespace(r, show_namespace, s) : 0;
}

int rules_write_yaml(
    struct rules *r, struct str namespace, struct str group, struct strbuf *out, struct err *e)
{
    struct showing s = {.rules = r, .out = out, .group = group, .e = e};
    rules_begin_loading(r);
    int status = show(&s, namespace);
    rules_end_loading(r);
    if (status == 0 && namespace.len > 0 && !s.found) {
        return err_set(e, ERR_NOT_FOUND, -1, "there is no group \"%.*s\" in \"%.*s\"",
            STR_ARG(group), STR_ARG(namespace));
    }
    if (status == 0 && !s.found) {
        strbuf_add_c(out, "{}\n");
    }
    return status;
}
