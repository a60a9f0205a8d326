/* Annotations; see annotations.h. Texts and their places follow Prometheus. */
#include "annotations.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fpconv.h"
#include "base/rfc3339.h"
#include "query/promql.h"

void annotations_init(struct annotations *a, struct arena *arena)
{
    *a = (struct annotations){.arena = arena};
    a->end = &a->first;
}

static struct annotation *find(
    const struct annotations *a, enum annotation_kind kind, const char *text)
{
    for (struct annotation *it = a->first; it != NULL; it = it->next) {
        if (it->kind == kind && strcmp(it->text, text) == 0) {
            return it;
        }
    }
    return NULL;
}

static int append(struct annotations *a, enum annotation_kind kind, uint32_t position,
    const char *text, struct annotation **annotation_out)
{
    if (a->counts[kind] >= ANNOTATIONS_KEPT_MAX) {
        a->omitted[kind]++;
        *annotation_out = NULL;
        return 0;
    }
    struct annotation *it = arena_calloc(a->arena, 1, sizeof(*it));
    char *copy = arena_strndup(a->arena, text, strlen(text));
    if (it == NULL || copy == NULL) {
        return arena_error(a->arena);
    }
    it->kind = kind;
    it->text = copy;
    it->position = position;
    *a->end = it;
    a->end = &it->next;
    a->counts[kind]++;
    *annotation_out = it;
    return 0;
}

int annotations_add(
    struct annotations *a, enum annotation_kind kind, uint32_t position, const char *text)
{
    struct annotation *it;
    return find(a, kind, text) != NULL ? 0 : append(a, kind, position, text, &it);
}

int annotations_add_foreign(struct annotations *a, const char *text)
{
    return annotations_add(a, ANNOTATION_WARNING, ANNOTATION_NOWHERE, text);
}

int annotations_add_monotonicity(struct annotations *a, uint32_t position, const char *text,
    const struct monotonicity_span *span)
{
    struct annotation *it = find(a, ANNOTATION_INFO, text);
    if (it == NULL) {
        int status = append(a, ANNOTATION_INFO, position, text, &it);
        if (status != 0 || it == NULL) {
            return status;
        }
        it->span = arena_dup(a->arena, span, sizeof(*span));
        return it->span != NULL ? 0 : arena_error(a->arena);
    }
    struct monotonicity_span *s = it->span;
    s->min_t = span->min_t < s->min_t ? span->min_t : s->min_t;
    s->max_t = span->max_t > s->max_t ? span->max_t : s->max_t;
    s->min_bucket = span->min_bucket < s->min_bucket ? span->min_bucket : s->min_bucket;
    s->max_bucket = span->max_bucket > s->max_bucket ? span->max_bucket : s->max_bucket;
    s->max_difference =
        span->max_difference > s->max_difference ? span->max_difference : s->max_difference;
    s->count += span->count;
    return 0;
}

int annotations_append(struct annotations *a, const struct annotations *more)
{
    int status = 0;
    for (const struct annotation *it = more->first; status == 0 && it != NULL; it = it->next) {
        status = it->span != NULL
                     ? annotations_add_monotonicity(a, it->position, it->text, it->span)
                     : annotations_add(a, it->kind, it->position, it->text);
    }
    a->omitted[ANNOTATION_WARNING] += more->omitted[ANNOTATION_WARNING];
    a->omitted[ANNOTATION_INFO] += more->omitted[ANNOTATION_INFO];
    return status;
}

/* To the second. */
static void write_time(int64_t ms, struct strbuf *out)
{
    char text[RFC3339_TEXT_MAX];
    int64_t beyond = ms % 1000;
    strbuf_add(out, text, rfc3339_format(ms - (beyond < 0 ? beyond + 1000 : beyond), text));
}

static void write_short(double value, struct strbuf *out)
{
    char text[FP_TEXT_MAX];
    strbuf_add(out, text, fp_format_short(value, text));
}

static void write_span(const struct monotonicity_span *s, struct strbuf *out)
{
    strbuf_add_c(out, ", from buckets ");
    write_short(s->min_bucket, out);
    strbuf_add_c(out, " to ");
    write_short(s->max_bucket, out);
    strbuf_addf(out, ", with a max diff of %.2g, over %llu samples from ", s->max_difference,
        (unsigned long long)s->count);
    write_time(s->min_t, out);
    strbuf_add_c(out, " to ");
    write_time(s->max_t, out);
}

static const char *finish_text(const struct annotation *it, struct str query, struct arena *arena)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_c(&text, it->text);
    if (it->span != NULL) {
        write_span(it->span, &text);
    }
    if (it->position != ANNOTATION_NOWHERE) {
        strbuf_add_c(&text, " (");
        promql_write_position(query, it->position, &text);
        strbuf_add_c(&text, ")");
    }
    const char *copy = strbuf_error(&text) == 0 ? arena_strndup(arena, text.data, text.size) : NULL;
    strbuf_release(&text);
    return copy;
}

int annotations_texts(const struct annotations *a, enum annotation_kind kind, struct str query,
    size_t max, struct arena *arena, const char *const **texts_out, size_t *count_out)
{
    const char **texts = arena_calloc(arena, max + 1, sizeof(*texts));
    if (texts == NULL) {
        return arena_error(arena);
    }
    size_t count = 0, omitted = a->omitted[kind];
    for (const struct annotation *it = a->first; it != NULL; it = it->next) {
        if (it->kind != kind) {
            continue;
        }
        if (count == max) {
            omitted++;
            continue;
        }
        texts[count] = finish_text(it, query, arena);
        if (texts[count++] == NULL) {
            return arena_error(arena);
        }
    }
    if (omitted > 0) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%zu more %s annotations omitted", omitted,
            kind == ANNOTATION_WARNING ? "warning" : "info");
        texts[count] = arena_strndup(arena, text, strlen(text));
        if (texts[count++] == NULL) {
            return arena_error(arena);
        }
    }
    *texts_out = texts;
    *count_out = count;
    return 0;
}
