/* Lines are cut where a separator stands neither behind a backslash nor in a quoted text. */
#include "receive/influx_line.h"

#include <math.h>
#include <string.h>

#include "base/err.h"

/* The part before the first `stop`; leaves what is behind it, with ptr NULL when there was none. */
static struct str cut(struct str *rest, char stop)
{
    bool quoted = false;
    for (size_t i = 0; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (c == '\\') {
            i++;
        } else if (c == '"' && i > 0 && (quoted || rest->ptr[i - 1] == '=')) {
            quoted = !quoted;
        } else if (c == stop && !quoted) {
            struct str part = {rest->ptr, i};
            *rest = str_skip(*rest, i + 1);
            return part;
        }
    }
    struct str part = *rest;
    *rest = (struct str){NULL, 0};
    return part;
}

int influx_next_pair(struct str *rest, struct label *pair_out)
{
    if (rest->ptr == NULL) {
        return 0;
    }
    struct str value = cut(rest, ',');
    pair_out->name = cut(&value, '=');
    pair_out->value = value;
    return pair_out->name.len > 0 && value.len > 0 ? 1 : ERR_INVALID;
}

int influx_field_value(struct str text, double *value_out)
{
    static const char *const truths[] = {"t", "T", "true", "True", "TRUE"};
    static const char *const falsehoods[] = {"f", "F", "false", "False", "FALSE"};
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        return 0;
    }
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
        if (str_eq_c(text, truths[i]) || str_eq_c(text, falsehoods[i])) {
            *value_out = str_eq_c(text, truths[i]) ? 1 : 0;
            return 1;
        }
    }
    if (text.len > 1 && (text.ptr[text.len - 1] == 'i' || text.ptr[text.len - 1] == 'u')) {
        text.len--;
    }
    return str_to_double(text, value_out) == 0 && isfinite(*value_out) ? 1 : ERR_INVALID;
}

int influx_line_parse(struct str line, struct influx_line *line_out)
{
    struct str rest = line;
    struct label pair;
    double value;
    struct influx_line out = {.tags = cut(&rest, ' ')};
    out.measurement = cut(&out.tags, ',');
    out.fields = rest.ptr != NULL ? cut(&rest, ' ') : STR("");
    if (out.measurement.len == 0 || out.fields.len == 0) {
        return ERR_INVALID;
    }
    struct str time = str_trim(rest);
    out.has_time = time.len > 0;
    int status = out.has_time && str_to_i64(time, &out.time) != 0 ? ERR_INVALID : 1;
    for (struct str tags = out.tags; status > 0;) {
        status = influx_next_pair(&tags, &pair);
    }
    status = status == 0 ? 1 : status;
    for (struct str fields = out.fields; status > 0;) {
        status = influx_next_pair(&fields, &pair);
        if (status > 0 && influx_field_value(pair.value, &value) < 0) {
            status = ERR_INVALID;
        }
    }
    if (status == 0) {
        *line_out = out;
    }
    return status;
}

void influx_unescape(struct str text, struct strbuf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        bool escaped = text.ptr[i] == '\\' && i + 1 < text.len && strchr(",= \\", text.ptr[i + 1]);
        i += escaped;
        strbuf_add_char(out, text.ptr[i]);
    }
}
