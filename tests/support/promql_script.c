/* The script runner; see promql_script.h. Every instant query that gives a vector is also asked as the
 * middle of a range query, and must give the same there. */
#include "support/promql_script.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/regex.h"
#include "base/vfs.h"
#include "model/sample.h"
#include "promql/series_notation.h"
#include "support/memory_store.h"
#include "support/promql_classic.h"

#define SERIES_MAX 4096
#define EXPECTED_MAX 64
#define RELATIVE_ERROR 0.000001
#define SCRIPT_BYTES_MAX ((size_t)4 << 20)

/* What is expected of messages: any, an exact text, or a pattern. */
struct expected_text {
    enum { EXPECT_ANY, EXPECT_TEXT, EXPECT_PATTERN } how;
    struct str text;
};

struct evaluation {
    struct str query;
    bool is_range, range_vector, ordered, fail, has_scalar, has_string;
    int64_t at, start, end, step;
    double scalar;
    struct str string;
    struct notation_series series[SERIES_MAX];
    size_t series_count;
    struct expected_text texts[3][EXPECTED_MAX]; /* warnings, infos, failures */
    size_t text_counts[3];
    bool forbidden[2];
};

enum { TEXT_WARNING, TEXT_INFO, TEXT_FAILURE };

struct script {
    const char *name;
    struct str rest;
    size_t line;
    struct engine *engine;
    struct script_store *store;
    struct arena arena;
    struct evaluation *eval;
    struct script_report *report;
    bool start_times; /* the load needs start times, which the store has not */
    char reason[1024];
};

/* ---- Reading lines ---- */

static bool next_line(struct script *s, struct str *line_out)
{
    if (s->rest.len == 0) {
        return false;
    }
    *line_out = str_trim(str_split(&s->rest, '\n'));
    s->line++;
    return true;
}

/* The next line of a command that is not a comment; false at its end, an empty line. */
static bool body_line(struct script *s, struct str *line_out)
{
    while (next_line(s, line_out)) {
        if (line_out->len == 0) {
            return false;
        }
        if (line_out->ptr[0] != '#') {
            return true;
        }
    }
    return false;
}

static struct str take_word(struct str *text)
{
    *text = str_trim(*text);
    size_t n = 0;
    while (n < text->len && text->ptr[n] != ' ' && text->ptr[n] != '\t') {
        n++;
    }
    struct str word = str_make(text->ptr, n);
    *text = str_trim(str_skip(*text, n));
    return word;
}

static void complain(struct script *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(struct script *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (s->reason[0] == '\0') {
        (void)vsnprintf(s->reason, sizeof(s->reason), format, arguments);
    }
    va_end(arguments);
}

/* ---- load ---- */

static void store_series(struct script *s, const struct notation_series *series, int64_t step)
{
    for (size_t i = 0; i < series->count; i++) {
        const struct notation_value *v = &series->values[i];
        int64_t t = (int64_t)i * step;
        int status = 0;
        if (v->kind == NOTATION_FLOAT) {
            status = s->store->append(s->store, series->labels, t, v->number);
        } else if (v->kind == NOTATION_HISTOGRAM) {
            status = s->store->append_histogram(s->store, series->labels, t, v->histogram);
        }
        if (status != 0) {
            complain(s, "cannot store a sample");
        }
    }
}

static void run_load(struct script *s, struct str rest, bool with_custom_buckets)
{
    int64_t step;
    struct str line;
    struct notation_series *series = arena_calloc(&s->arena, SERIES_MAX, sizeof(*series));
    size_t count = 0;
    if (notation_duration_parse(rest, &step) != 0) {
        complain(s, "bad interval of a load");
    }
    while (body_line(s, &line)) {
        ptrdiff_t space = str_find(line, ' ');
        struct str metric = str_make(line.ptr, space < 0 ? line.len : (size_t)space);
        if (str_ends_with(metric, STR("@st"))) {
            s->start_times = true;
            continue;
        }
        struct err e = ERR_INIT;
        if (count == SERIES_MAX ||
            notation_series_parse(line, &s->arena, &series[count], &e) != 0) {
            printf("%s:%zu: %s\n", s->name, s->line, e.message);
            s->report->failed++;
            continue;
        }
        store_series(s, &series[count++], step);
    }
    if (with_custom_buckets) {
        struct notation_series *made;
        size_t made_count = script_from_classic(series, count, &s->arena, &made);
        for (size_t i = 0; i < made_count; i++) {
            store_series(s, &made[i], step);
        }
    }
    if (s->store->loaded(s->store) != 0) {
        printf("%s:%zu: cannot store what was loaded\n", s->name, s->line);
        s->report->failed++;
    }
}

/* ---- eval: reading ---- */

static void parse_expect(struct script *s, struct str rest)
{
    struct evaluation *v = s->eval;
    struct str kind = take_word(&rest), how = take_word(&rest);
    struct str after = str_make(how.ptr, (size_t)(rest.ptr + rest.len - how.ptr));
    struct expected_text text = {EXPECT_ANY, rest};
    if (str_starts_with(how, STR("msg:"))) {
        text = (struct expected_text){EXPECT_TEXT, str_trim(str_skip(after, 4))};
    } else if (str_starts_with(how, STR("regex:"))) {
        text = (struct expected_text){EXPECT_PATTERN, str_trim(str_skip(after, 6))};
    }
    static const char *const kinds[] = {"warn", "info", "fail"};
    for (int i = 0; i < 3; i++) {
        if (str_eq_c(kind, kinds[i])) {
            v->texts[i][v->text_counts[i]++] = text;
            v->fail = v->fail || i == TEXT_FAILURE;
            return;
        }
    }
    if (str_eq_c(kind, "ordered")) {
        v->ordered = true;
    } else if (str_eq_c(kind, "no_warn") || str_eq_c(kind, "no_info")) {
        v->forbidden[str_eq_c(kind, "no_info")] = true;
    } else if (str_eq_c(kind, "string")) {
        v->has_string = notation_string_parse(str_trim(after), &s->arena, &v->string);
    } else if (str_eq_c(kind, "range")) {
        struct str words[6];
        for (int i = 0; i < 6; i++) {
            words[i] = take_word(&rest); // from A to B step S
        }
        v->range_vector = true;
        (void)notation_duration_parse(words[1], &v->start);
        (void)notation_duration_parse(words[3], &v->end);
        (void)notation_duration_parse(words[5], &v->step);
    } else {
        complain(s, "unknown expectation %.*s", STR_ARG(kind));
    }
}

static void parse_expected_line(struct script *s, struct str line)
{
    struct evaluation *v = s->eval;
    struct str rest = line;
    struct err e = ERR_INIT;
    if (str_eq_c(take_word(&rest), "expect")) {
        parse_expect(s, rest);
    } else if (str_to_double(line, &v->scalar) == 0) {
        v->has_scalar = true;
    } else if (v->series_count == SERIES_MAX ||
               notation_series_parse(line, &s->arena, &v->series[v->series_count++], &e) != 0) {
        complain(s, "%s", e.message);
    }
}

/* "instant at 5m query" or "range from 0 to 5m step 1m query". */
static bool parse_eval(struct script *s, struct str rest)
{
    struct evaluation *v = s->eval;
    memset(v, 0, sizeof(*v));
    struct str mode = take_word(&rest);
    int status;
    if (str_eq_c(mode, "instant")) {
        (void)take_word(&rest);
        status = notation_duration_parse(take_word(&rest), &v->at);
    } else {
        v->is_range = true;
        (void)take_word(&rest);
        status = notation_duration_parse(take_word(&rest), &v->start);
        (void)take_word(&rest);
        status = status != 0 ? status : notation_duration_parse(take_word(&rest), &v->end);
        (void)take_word(&rest);
        status = status != 0 ? status : notation_duration_parse(take_word(&rest), &v->step);
    }
    v->query = rest;
    return status == 0;
}

/* ---- eval: comparing ---- */

static bool same_number(double expected, double got)
{
    if (isnan(expected) || isnan(got)) {
        return isnan(expected) && isnan(got);
    }
    if (expected == got) {
        return true;
    }
    double sum = fabs(expected) + fabs(got), difference = fabs(expected - got);
    if (expected == 0 || got == 0) {
        return difference < RELATIVE_ERROR * 1e-300;
    }
    return difference / (sum < 1.7e308 ? sum : 1.7e308) < RELATIVE_ERROR;
}

static bool next_bucket(struct histogram_walk *walk, struct histogram_bucket *bucket)
{
    while (histogram_walk_next(walk, bucket)) {
        if (bucket->count != 0) {
            return true;
        }
    }
    return false;
}

static bool same_histogram(const struct histogram *a, const struct histogram *b)
{
    struct histogram_walk walk_a, walk_b;
    histogram_walk_begin(&walk_a, a);
    histogram_walk_begin(&walk_b, b);
    if (!same_number(a->count, b->count) || !same_number(a->sum, b->sum)) {
        return false;
    }
    for (;;) {
        struct histogram_bucket x, y;
        bool more = next_bucket(&walk_a, &x);
        if (more != next_bucket(&walk_b, &y)) {
            return false;
        }
        if (!more) {
            return true;
        }
        if (!same_number(x.lower, y.lower) || !same_number(x.upper, y.upper) ||
            !same_number(x.count, y.count)) {
            return false;
        }
    }
}

/* Is the sample of a result series at `t` the expected value? */
static bool sample_is(
    const struct engine_series *got, int64_t t, const struct notation_value *expected)
{
    for (size_t i = 0; i < got->float_count; i++) {
        if (got->float_times[i] == t) {
            return expected->kind == NOTATION_FLOAT &&
                   same_number(expected->number, got->floats[i]);
        }
    }
    for (size_t i = 0; i < got->histogram_count; i++) {
        if (got->histogram_times[i] == t) {
            return expected->kind == NOTATION_HISTOGRAM &&
                   same_histogram(expected->histogram, got->histograms[i]);
        }
    }
    return expected->kind == NOTATION_OMITTED;
}

static void write_got(const struct engine_series *got, struct strbuf *out)
{
    labels_write(got->labels, out);
    for (size_t i = 0; i < got->float_count; i++) {
        strbuf_addf(out, " %.17g@%.3f", got->floats[i], (double)got->float_times[i] / 1000);
    }
    for (size_t i = 0; i < got->histogram_count; i++) {
        strbuf_add_c(out, " ");
        histogram_write(got->histograms[i], out);
        strbuf_addf(out, "@%.3f", (double)got->histogram_times[i] / 1000);
    }
}

static void complain_series(struct script *s, const struct engine_series *got, const char *what)
{
    struct strbuf text = STRBUF_INIT;
    write_got(got, &text);
    complain(s, "%s: %s", what, text.data);
    strbuf_release(&text);
}

static const struct notation_series *expected_of(
    const struct evaluation *v, const struct labels *labels, size_t *position_out)
{
    for (size_t i = 0; i < v->series_count; i++) {
        if (labels_eq(v->series[i].labels, labels)) {
            *position_out = i;
            return &v->series[i];
        }
    }
    return NULL;
}

static void compare_vector(struct script *s, const struct engine_result *r)
{
    const struct evaluation *v = s->eval;
    for (size_t i = 0; i < r->series_count; i++) {
        size_t position = 0;
        const struct notation_series *expected = expected_of(v, r->series[i].labels, &position);
        if (expected == NULL) {
            complain_series(s, &r->series[i], "unexpected series");
        } else if (v->ordered && position != i) {
            complain_series(s, &r->series[i], "not in its place");
        } else if (!sample_is(&r->series[i], v->at, &expected->values[0])) {
            complain_series(s, &r->series[i], "another value");
        }
    }
    if (r->series_count != v->series_count) {
        complain(s, "%zu series, expected %zu", r->series_count, v->series_count);
    }
}

static void compare_matrix(struct script *s, const struct engine_result *r)
{
    const struct evaluation *v = s->eval;
    for (size_t i = 0; i < r->series_count; i++) {
        const struct engine_series *got = &r->series[i];
        size_t position, points = 0;
        const struct notation_series *expected = expected_of(v, got->labels, &position);
        if (i > 0 && labels_cmp(r->series[i - 1].labels, got->labels) >= 0) {
            complain_series(s, got, "not in label order");
        }
        for (size_t k = 0; expected != NULL && k < expected->count; k++) {
            points += expected->values[k].kind != NOTATION_OMITTED;
            if (!sample_is(got, v->start + (int64_t)k * v->step, &expected->values[k])) {
                complain_series(s, got, "another value");
            }
        }
        if (expected == NULL || points != got->float_count + got->histogram_count) {
            complain_series(s, got, expected == NULL ? "unexpected series" : "more points");
        }
    }
    if (r->series_count != v->series_count) {
        complain(s, "%zu series, expected %zu", r->series_count, v->series_count);
    }
}

static bool text_is(const struct expected_text *expected, const char *got)
{
    if (expected->how == EXPECT_ANY) {
        return true;
    }
    if (expected->how == EXPECT_TEXT) {
        return str_eq_c(expected->text, got);
    }
    struct strbuf pattern = STRBUF_INIT;
    strbuf_addf(&pattern, ".*(?:%.*s).*", STR_ARG(expected->text));
    struct regex *regex = NULL;
    bool matches =
        regex_new(strbuf_str(&pattern), &regex, NULL) == 0 && regex_matches(regex, str_of(got));
    regex_free(regex);
    strbuf_release(&pattern);
    return matches;
}

static void compare_texts(struct script *s, int kind, const char *const *got, size_t count)
{
    const struct evaluation *v = s->eval;
    size_t expected = v->text_counts[kind];
    if (v->forbidden[kind] && count > 0) {
        complain(s, "unexpected annotation: %s", got[0]);
    }
    if (expected > 0 && count == 0) {
        complain(s, "no annotation, expected some");
    }
    for (size_t i = 0; i < expected; i++) {
        bool found = false;
        for (size_t k = 0; k < count && !found; k++) {
            found = text_is(&v->texts[kind][i], got[k]);
        }
        if (!found && count > 0) {
            complain(s, "no annotation \"%.*s\", but %s", STR_ARG(v->texts[kind][i].text), got[0]);
        }
    }
    for (size_t k = 0; expected > 0 && k < count; k++) {
        bool found = false;
        for (size_t i = 0; i < expected && !found; i++) {
            found = text_is(&v->texts[kind][i], got[k]);
        }
        if (!found) {
            complain(s, "unexpected annotation: %s", got[k]);
        }
    }
}

/* ---- eval: asking ---- */

static void compare_result(struct script *s, const struct engine_result *r)
{
    const struct evaluation *v = s->eval;
    if (v->has_scalar) {
        if (r->type != PROMQL_SCALAR || !same_number(v->scalar, r->scalar)) {
            complain(s, "got %.17g, expected %.17g", r->scalar, v->scalar);
        }
    } else if (v->has_string) {
        if (r->type != PROMQL_STRING || !str_eq(v->string, r->string)) {
            complain(s, "got \"%.*s\"", STR_ARG(r->string));
        }
    } else if (v->is_range || v->range_vector) {
        compare_matrix(s, r);
    } else {
        compare_vector(s, r);
    }
    compare_texts(s, TEXT_WARNING, r->warnings, r->warning_count);
    compare_texts(s, TEXT_INFO, r->infos, r->info_count);
}

static bool depends_on_range(struct str query)
{
    static const char *const words[] = {"start()", "end()", "step()", "range()"};
    for (size_t i = 0; i + 4 <= query.len; i++) {
        for (size_t k = 0; k < 4; k++) {
            if (str_starts_with(str_skip(query, i), str_of(words[k]))) {
                return true;
            }
        }
    }
    return false;
}

/* The middle of a range must be what the instant was. */
static void check_as_range(struct script *s)
{
    struct evaluation *v = s->eval;
    if (v->ordered || v->range_vector || v->has_string || v->has_scalar ||
        depends_on_range(v->query)) {
        return;
    }
    struct engine_result r;
    struct err e = ERR_INIT;
    int status = engine_range(s->engine, s->store->source(s->store), v->query, v->at - 60000,
        v->at + 60000, 60000, NULL, &r, &e);
    if (status != 0) {
        complain(s, "as a range: %s", e.message);
        return;
    }
    for (size_t i = 0; i < v->series_count; i++) {
        bool found = false;
        for (size_t k = 0; k < r.series_count; k++) {
            if (labels_eq(v->series[i].labels, r.series[k].labels)) {
                found = sample_is(&r.series[k], v->at, &v->series[i].values[0]);
            }
        }
        if (!found) {
            complain(s, "as the middle of a range another value");
        }
    }
    engine_result_release(&r);
}

static void ask(struct script *s)
{
    struct evaluation *v = s->eval;
    struct engine_result r;
    struct err e = ERR_INIT;
    struct querier_source *source = s->store->source(s->store);
    int status = v->is_range ? engine_range(s->engine, source, v->query, v->start, v->end, v->step,
                                   NULL, &r, &e)
                             : engine_instant(s->engine, source, v->query, v->at, NULL, &r, &e);
    if (v->range_vector) {
        v->at = v->end;
    }
    if (v->fail) {
        for (size_t i = 0; status != 0 && i < v->text_counts[TEXT_FAILURE]; i++) {
            if (!text_is(&v->texts[TEXT_FAILURE][i], e.message)) {
                complain(s, "failed with \"%s\"", e.message);
            }
        }
        if (status == 0) {
            complain(s, "did not fail");
        }
    } else if (status != 0) {
        complain(s, "failed: %s", e.message);
    } else {
        compare_result(s, &r);
    }
    engine_result_release(&r);
    if (!v->fail && !v->is_range && status == 0) {
        check_as_range(s);
    }
}

static void run_eval(struct script *s, struct str rest, bool fail)
{
    size_t first_line = s->line;
    struct str line;
    s->reason[0] = '\0';
    if (!parse_eval(s, rest)) {
        complain(s, "bad eval");
    }
    s->eval->fail = fail;
    while (body_line(s, &line)) {
        parse_expected_line(s, line);
    }
    if (s->start_times) {
        s->report->skipped++;
        return;
    }
    if (s->reason[0] == '\0') {
        ask(s);
    }
    s->report->passed += s->reason[0] == '\0';
    if (s->reason[0] != '\0') {
        s->report->failed++;
        printf("%s:%zu: %.*s\n  %s\n", s->name, first_line, STR_ARG(s->eval->query), s->reason);
    }
}

/* ---- Scripts ---- */

static void clear(struct script *s)
{
    if (s->store->clear(s->store) != 0) {
        printf("%s:%zu: cannot clear the store\n", s->name, s->line);
        s->report->failed++;
    }
}

static void run_command(struct script *s, struct str line)
{
    struct str rest = line, word = take_word(&rest);
    if (str_eq_c(word, "load") || str_eq_c(word, "load_with_nhcb")) {
        run_load(s, rest, word.len > 4);
    } else if (str_eq_c(word, "clear")) {
        clear(s);
        s->start_times = false;
    } else if (str_eq_c(word, "eval") || str_eq_c(word, "eval_fail")) {
        run_eval(s, rest, word.len > 4);
    } else {
        printf("%s:%zu: unknown command %.*s\n", s->name, s->line, STR_ARG(word));
        s->report->failed++;
    }
}

void promql_script_run(const char *name, struct str text, struct engine *engine,
    struct script_store *store, struct script_report *report)
{
    struct script s = {
        .name = name, .rest = text, .engine = engine, .store = store, .report = report};
    arena_init(&s.arena, 0);
    s.eval = mem_calloc(1, sizeof(*s.eval));
    clear(&s);
    struct str line;
    while (s.eval != NULL && next_line(&s, &line)) {
        if (line.len > 0 && line.ptr[0] != '#') {
            run_command(&s, line);
        }
    }
    mem_free(s.eval);
    arena_release(&s.arena);
}

bool promql_script_run_folder(const char *folder, struct engine *engine, struct script_store *store,
    struct script_report *report)
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        struct strbuf path = STRBUF_INIT;
        char *text;
        size_t size;
        strbuf_addf(&path, "%s/%s", folder, names[i]->d_name);
        if (str_ends_with(strbuf_str(&path), STR(".test")) &&
            vfs_read_file(vfs_posix(), path.data, SCRIPT_BYTES_MAX, &text, &size) == 0) {
            promql_script_run(names[i]->d_name, str_make(text, size), engine, store, report);
            mem_free(text);
        }
        strbuf_release(&path);
        mem_free_foreign(names[i]);
    }
    if (count >= 0) {
        mem_free_foreign(names);
    }
    return count >= 0;
}

/* ---- The store in memory ---- */

static struct memory_store *memory_of(struct script_store *store)
{
    return ((struct script_memory *)store)->memory;
}

static int append_to_memory(
    struct script_store *store, const struct labels *labels, int64_t t, double value)
{
    return memory_store_append(memory_of(store), labels, t, value);
}

static int append_histogram_to_memory(struct script_store *store, const struct labels *labels,
    int64_t t, const struct histogram *histogram)
{
    return memory_store_append_histogram(memory_of(store), labels, t, histogram);
}

static int memory_loaded(struct script_store *store)
{
    (void)store;
    return 0;
}

static int clear_memory(struct script_store *store)
{
    memory_store_clear(memory_of(store));
    return 0;
}

static struct querier_source *source_of_memory(struct script_store *store)
{
    return memory_store_source(memory_of(store));
}

void script_memory_init(struct script_memory *s, struct memory_store *memory)
{
    *s = (struct script_memory){
        .store = {append_to_memory, append_histogram_to_memory, memory_loaded, clear_memory,
            source_of_memory},
        .memory = memory,
    };
}
