/* Templates of alert annotations and notifications: the language of Go's text/template, with the
 * functions Prometheus gives to rules or those Alertmanager gives to notifications.
 *
 *   template_parse     text -> template; names, functions and variables are checked here
 *   template_execute   template + data -> text
 *   template_free
 *
 * All of the language: actions, pipelines, variables (:= and =), if, else if, with, else with, range with
 * else, break and continue, define, template, block, comments, trim markers, fields, methods,
 * parentheses, and its functions (and or not len index slice html js print printf println urlquery eq ne
 * lt le gt ge). As in both programs a missing key of a map is the zero value of the map's kind. Complex
 * numbers, channels and `call` (there are no function values) are not part of it.
 *
 * Errors read as Go's: "template: NAME:LINE: sentence" when parsing, "template: NAME:LINE:COLUMN: executing
 * "NAME" at <WHAT>: sentence" when executing.
 *
 * A template is immutable and may be executed by several threads at once. Nothing depends on the locale.
 */
#ifndef SONDE_QUERY_TEMPLATE_H
#define SONDE_QUERY_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "model/labels.h"

/* ---- Values: what a template is told ---- */

enum template_kind {
    TEMPLATE_NIL,
    TEMPLATE_BOOL,
    TEMPLATE_INT,
    TEMPLATE_FLOAT,
    TEMPLATE_STRING,
    TEMPLATE_TIME,
    TEMPLATE_DURATION,
    TEMPLATE_LIST,
    TEMPLATE_MAP,
    TEMPLATE_STRUCT,
};

struct zone;
struct template_value;

/* A moment: Go's time.Time. Seconds since 1970 and the part of a second. `zone` NULL is UTC. The zero
 * time, year 1, is TEMPLATE_TIME_ZERO. */
struct template_time {
    int64_t seconds;
    int32_t nanoseconds;
    const struct zone *zone;
};
#define TEMPLATE_TIME_ZERO ((struct template_time){.seconds = INT64_C(-62135596800)})

/* A running execution, for methods. */
struct template_run;

/* What may be called on a composite value with a dot, besides its fields: `.Alerts.Firing`. */
struct template_method {
    const char *name;
    size_t argument_min, argument_max;
    /* `self` first, then the arguments as they are: a method checks their kinds. Memory comes from
     * template_run_arena. 0, or an error with a sentence. */
    int (*call)(struct template_run *run, const struct template_value *self,
        const struct template_value *arguments, size_t count, struct template_value *value_out,
        struct err *e);
};
struct arena *template_run_arena(struct template_run *run);

/* Composites are borrowed: they live as long as the execution at least. `type` is Go's name of the type for
 * sentences ("template.Alerts"); NULL has a plain one. `methods` end with a row without a name, or are
 * NULL. */
struct template_list {
    const char *type;
    const struct template_method *methods;
    const struct template_value *items;
    size_t count;
};

struct template_field {
    struct str name;
    const struct template_value *value;
};

/* Fields of a struct in the order of its declaration; keys of a map sorted bytewise. */
struct template_fields {
    const char *type;
    const struct template_method *methods;
    const struct template_field *items;
    size_t count;
    bool string_values; /* of a map: map[string]string, whose missing keys are "" */
};

struct template_value {
    enum template_kind kind;
    bool safe; /* of a string: markup that html templates do not escape (safeHtml) */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct str string;
        struct template_time time;
        int64_t duration_ns;
        const struct template_list *list;
        const struct template_fields *fields; /* map and struct */
    };
};

static inline struct template_value template_nil(void)
{
    return (struct template_value){.kind = TEMPLATE_NIL};
}

static inline struct template_value template_bool(bool value)
{
    return (struct template_value){.kind = TEMPLATE_BOOL, .boolean = value};
}

static inline struct template_value template_int(int64_t value)
{
    return (struct template_value){.kind = TEMPLATE_INT, .integer = value};
}

static inline struct template_value template_float(double value)
{
    return (struct template_value){.kind = TEMPLATE_FLOAT, .number = value};
}

static inline struct template_value template_string(struct str value)
{
    return (struct template_value){.kind = TEMPLATE_STRING, .string = value};
}

static inline struct template_value template_time(struct template_time value)
{
    return (struct template_value){.kind = TEMPLATE_TIME, .time = value};
}

/* Milliseconds since 1970, in UTC. */
struct template_value template_time_ms(int64_t time_ms);

static inline struct template_value template_list_of(const struct template_list *list)
{
    return (struct template_value){.kind = TEMPLATE_LIST, .list = list};
}

static inline struct template_value template_struct(const struct template_fields *fields)
{
    return (struct template_value){.kind = TEMPLATE_STRUCT, .fields = fields};
}

static inline struct template_value template_map(const struct template_fields *fields)
{
    return (struct template_value){.kind = TEMPLATE_MAP, .fields = fields};
}

/* Names and values as a map[string]string, copied into `arena` (but not the text) and sorted. With
 * `methods` it is Alertmanager's KV: SortedPairs (whose lists have Names, Values and Join), Names, Values,
 * Remove. nil when memory is short. */
struct template_value template_pairs(
    struct arena *arena, const struct label *pairs, size_t count, bool methods);
/* The field of a struct or the key of a map; NULL when there is none. */
const struct template_value *template_field(const struct template_value *value, struct str name);

/* ---- Templates ---- */

#define TEMPLATE_TEXT_BYTES_MAX ((size_t)1 << 20)
/* Nesting of actions and parentheses in a text. */
#define TEMPLATE_NESTING_MAX 200
/* Definitions in one text. */
#define TEMPLATE_DEFINITIONS_MAX 4096

enum template_functions {
    /* query first label value strvalue sortByLabel humanize humanize1024 humanizeDuration
     * humanizePercentage humanizeTimestamp toTime toDuration parseDuration now title toUpper toLower
     * stripPort stripDomain match reReplaceAll graphLink tableLink urlQueryEscape args tmpl safeHtml
     * externalURL pathPrefix */
    TEMPLATE_FUNCTIONS_RULES,
    /* toUpper toLower title trimSpace join match safeHtml safeUrl urlUnescape reReplaceAll stringSlice date
     * tz now since humanizeDuration toDate mustToDate toJson base64encode base64decode list append
     * dict */
    TEMPLATE_FUNCTIONS_NOTIFICATIONS,
};

struct template;

struct template_options {
    enum template_functions functions;
    /* As html/template does it in element content and attributes: what actions write is escaped unless it
     * is marked as safe. */
    bool html;
    /* A template whose definitions this one may use, and replace for itself: files of definitions are
     * parsed one on another. It outlives this one. May be NULL. */
    const struct template *base;
};

/* `text` is copied. ERR_INVALID with Go's sentence and e->position, the byte offset; ERR_LIMIT;
 * ERR_NOMEM. */
int template_parse(struct str name, struct str text, const struct template_options *options,
    struct template **template_out, struct err *e);
/* Accepts NULL. */
void template_free(struct template *t);
/* A definition of this name exists here or in a base. */
bool template_defines(const struct template *t, struct str name);

/* One series of a query's answer. */
struct template_sample {
    const struct label *labels; /* sorted by name, __name__ included */
    size_t label_count;
    double value;
};

/* What functions need of the world. Zero is a world without queries, links and zones. */
struct template_hooks {
    /* The instant vector of `expr` at the time of the rule's evaluation; in `arena`. NULL: the function
     * `query` fails. */
    int (*query)(void *context, struct str expr, struct arena *arena,
        struct template_sample **samples_out, size_t *count_out, struct err *e);
    /* The value of a route's label, for the function `routeLabels` of notifications; good as long as the
     * execution. NULL: there are none. */
    int (*route_label)(void *context, struct str name, struct str *value_out, struct err *e);
    void *context;
    struct str external_url; /* "http://host:9095/prefix" */
    struct str path_prefix;  /* "/prefix" */
    int64_t time_ms;         /* of the rule's evaluation: what `now` is; 0: the clock's */
    struct clock *clock;     /* NULL = clock_real() */
    struct vfs *fs;          /* time zones; NULL = vfs_posix() */
};

#define TEMPLATE_DEPTH_MAX_DEFAULT ((size_t)100)
#define TEMPLATE_OUTPUT_BYTES_MAX_DEFAULT ((size_t)4 << 20)
#define TEMPLATE_STEPS_MAX_DEFAULT ((uint64_t)1000000)
#define TEMPLATE_MEMORY_BYTES_DEFAULT ((size_t)64 << 20)

/* Of one execution; zero in a field means its default. */
struct template_limits {
    size_t depth_max;        /* templates within templates */
    size_t output_bytes_max; /* written by this execution */
    uint64_t steps_max;      /* actions and commands */
    size_t memory_bytes;     /* of values made on the way */
};

/* Appends to `out`. `hooks` and `limits` may be NULL. ERR_INVALID with Go's sentence; ERR_LIMIT naming the
 * limit; ERR_NOMEM; in each case what was written before the error stays in `out`. */
int template_execute(const struct template *t, const struct template_value *root,
    const struct template_hooks *hooks, const struct template_limits *limits, struct strbuf *out,
    struct err *e);

/* ---- Rules ---- */

/* What Prometheus writes before each text of a rule, so that $labels, $value, $externalLabels and
 * $externalURL exist; columns in its sentences count it. */
#define TEMPLATE_RULE_PREFIX                                                                       \
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"                                 \
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}"

/* The data of a rule's text: .Labels .ExternalLabels .ExternalURL .Value, in `arena`; nil when memory is
 * short. */
struct template_value template_rule_data(struct arena *arena, const struct labels *labels,
    const struct labels *external_labels, struct str external_url, double value);

#endif
