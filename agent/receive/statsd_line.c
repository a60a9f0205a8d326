/* Lines of StatsD, cut at '|'. */
#include "receive/statsd_line.h"

#include <math.h>

#include "base/err.h"

static int read_kind(struct str text, enum statsd_kind *kind_out)
{
    static const struct {
        const char *text;
        enum statsd_kind kind;
    } rows[] = {
        {"c", STATSD_COUNTER},
        {"g", STATSD_GAUGE},
        {"ms", STATSD_TIMER},
        {"h", STATSD_HISTOGRAM},
        {"d", STATSD_HISTOGRAM},
        {"s", STATSD_SET},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_eq_c(text, rows[i].text)) {
            *kind_out = rows[i].kind;
            return 0;
        }
    }
    return ERR_INVALID;
}

static int read_tags(struct str text, struct statsd_line *out)
{
    while (text.len > 0) {
        struct str value = str_split(&text, ',');
        struct str name = str_split(&value, ':');
        if (name.len == 0) {
            continue;
        }
        if (out->tag_count == STATSD_TAGS_MAX) {
            return ERR_LIMIT;
        }
        out->tags[out->tag_count++] = (struct label){name, value};
    }
    return 0;
}

/* One part behind the type. */
static int read_part(struct str part, struct statsd_line *out)
{
    switch (part.len > 0 ? part.ptr[0] : '\0') {
    case '@':
        return str_to_double(str_skip(part, 1), &out->rate) == 0 && out->rate > 0 && out->rate <= 1
                   ? 0
                   : ERR_INVALID;
    case '#':
        return read_tags(str_skip(part, 1), out);
    default:
        return 0; /* container, time, and what later versions add */
    }
}

int statsd_line_parse(struct str line, struct statsd_line *line_out)
{
    struct statsd_line out = {.rate = 1};
    if (str_starts_with(line, STR("_e{")) || str_starts_with(line, STR("_sc|"))) {
        return ERR_UNSUPPORTED;
    }
    struct str rest = line;
    struct str head = str_split(&rest, '|');
    out.values = head;
    out.name = str_split(&out.values, ':');
    if (out.name.len == 0 || out.values.len == 0) {
        return ERR_INVALID;
    }
    int status = read_kind(str_split(&rest, '|'), &out.kind);
    while (status == 0 && rest.len > 0) {
        status = read_part(str_split(&rest, '|'), &out);
    }
    if (status == 0 && out.kind != STATSD_SET) {
        struct str values = out.values;
        double value;
        bool relative;
        while ((status = statsd_line_next(&values, &value, &relative)) > 0) {
        }
    }
    if (status == 0) {
        *line_out = out;
    }
    return status;
}

int statsd_line_next(struct str *values, double *value_out, bool *relative_out)
{
    if (values->ptr == NULL) {
        return 0;
    }
    struct str text = str_split(values, ':');
    *relative_out = text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-');
    return str_to_double(text, value_out) == 0 && isfinite(*value_out) ? 1 : ERR_INVALID;
}
