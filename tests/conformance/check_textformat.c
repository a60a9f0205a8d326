/* Holds the exposition parser against an outside folder of inputs, one per file:
 *
 *   textformat/INDEX.tsv   file, must_parse (yes or no), note
 *   textformat/prometheus-text, prometheus-openmetrics, openmetrics-spec
 *
 * The environment variable SONDE_CONFORMANCE names the folder above, else ../shared/conformance beside
 * the checkout is taken; without it the test is skipped (77). An input parses when every entry can be
 * read to the end, and every series has labels and a name.
 *
 * usage: check_textformat EXCEPTIONS
 *
 * EXCEPTIONS names the inputs where we differ on purpose: file, a tab, and the reason. One that is
 * listed and no longer differs fails the test too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/vfs.h"
#include "wire/exposition.h"

enum { SKIP = 77, INPUT_BYTES_MAX = 16 << 20, PATH_BYTES = 4096 };

static bool parses(enum exposition_format format, struct str body, struct err *e)
{
    struct arena arena;
    struct exposition_parser parser;
    struct exposition_entry entry;
    struct label pairs[EXPOSITION_LABELS_MAX];
    int status;
    arena_init(&arena, 0);
    exposition_begin(&parser, format, body, &arena);
    while ((status = exposition_next(&parser, &entry, e)) == 1) {
        size_t count = 0;
        bool named = false;
        if (entry.kind != EXPOSITION_SAMPLE) {
            continue;
        }
        status =
            exposition_labels(&parser, entry.series_text, pairs, EXPOSITION_LABELS_MAX, &count, e);
        for (size_t i = 0; status == 0 && i < count; i++) {
            named = named || (str_eq_c(pairs[i].name, LABEL_METRIC_NAME) && pairs[i].value.len > 0);
        }
        if (status == 0 && !named) {
            status = err_set(e, ERR_INVALID, -1, "line %zu: no metric name", parser.line);
        }
        if (status == 0 && entry.has_exemplar) {
            status = exposition_labels(
                &parser, entry.exemplar_text, pairs, EXPOSITION_LABELS_MAX, &count, e);
        }
        if (status != 0) {
            break;
        }
    }
    arena_release(&arena);
    return status == 0;
}

/* The file's text, or an empty slice after a message; the caller's (mem_free of ptr). */
static bool read_text(const char *path, struct str *text_out)
{
    char *data = NULL;
    size_t size = 0;
    if (vfs_read_file(vfs_posix(), path, INPUT_BYTES_MAX, &data, &size) != 0) {
        fprintf(stderr, "%s cannot be read\n", path);
        return false;
    }
    *text_out = str_make(data, size);
    return true;
}

/* Is this input in the list of exceptions? */
static bool is_listed(struct str exceptions, struct str file)
{
    while (exceptions.len > 0) {
        struct str line = str_split(&exceptions, '\n');
        if (str_eq(str_split(&line, '\t'), file)) {
            return true;
        }
    }
    return false;
}

/* One line of the index; true when all is as it should be. */
static bool check_input(const char *folder, struct str line, struct str exceptions)
{
    char path[PATH_BYTES];
    struct str body, rest = line;
    struct str file = str_split(&rest, '\t');
    bool wanted = str_eq(str_split(&rest, '\t'), STR("yes"));
    bool text = str_starts_with(file, STR("prometheus-text/"));
    struct err e = ERR_INIT;
    snprintf(path, sizeof(path), "%s/textformat/%.*s", folder, STR_ARG(file));
    if (!read_text(path, &body)) {
        return false;
    }
    bool got = parses(text ? EXPOSITION_TEXT : EXPOSITION_OPENMETRICS, body, &e);
    mem_free((char *)(uintptr_t)body.ptr);
    bool listed = is_listed(exceptions, file);
    if ((got != wanted) == listed) {
        return true;
    }
    printf("%.*s: %s, expected %s%s%s (%.*s)\n", STR_ARG(file), got ? "parses" : "is refused",
        wanted != listed ? "to parse" : "to be refused", got ? "" : ": ", got ? "" : e.message,
        STR_ARG(rest));
    return false;
}

int main(int argc, char **argv)
{
    const char *folder = getenv("SONDE_CONFORMANCE");
    char path[PATH_BYTES];
    struct str index, exceptions;
    size_t inputs = 0, wrong = 0;
    folder = folder != NULL ? folder : "../shared/conformance";
    snprintf(path, sizeof(path), "%s/textformat/INDEX.tsv", folder);
    char *probe = NULL;
    size_t size = 0;
    if (vfs_read_file(vfs_posix(), path, INPUT_BYTES_MAX, &probe, &size) != 0) {
        printf("no inputs: set SONDE_CONFORMANCE to a folder with textformat/INDEX.tsv\n");
        return SKIP;
    }
    index = str_make(probe, size);
    if (argc != 2 || !read_text(argv[1], &exceptions)) {
        fprintf(stderr, "usage: check_textformat EXCEPTIONS\n");
        mem_free(probe);
        return 1;
    }
    (void)str_split(&index, '\n'); /* names of the columns */
    while (index.len > 0) {
        struct str line = str_split(&index, '\n');
        if (line.len > 0) {
            inputs++;
            wrong += !check_input(folder, line, exceptions);
        }
    }
    printf("%zu inputs, %zu not as expected\n", inputs, wrong);
    mem_free((char *)(uintptr_t)exceptions.ptr);
    mem_free(probe);
    return wrong > 0 || inputs == 0;
}
