/* Lines of Graphite, cut at blanks. */
#include "receive/graphite_line.h"

#include <math.h>

#include "base/err.h"

/* Times beyond the year 9999 are no times. */
#define SECONDS_MAX 253402300799.0

/* The next word behind blanks; empty at the end. */
static struct str next_word(struct str *rest)
{
    size_t begin = 0;
    while (begin < rest->len && (rest->ptr[begin] == ' ' || rest->ptr[begin] == '\t')) {
        begin++;
    }
    size_t end = begin;
    while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != '\t') {
        end++;
    }
    struct str word = {rest->ptr + begin, end - begin};
    *rest = str_skip(*rest, end);
    return word;
}

static int read_series(struct str series, struct graphite_line *out)
{
    out->path = str_split(&series, ';');
    if (out->path.len == 0) {
        return ERR_INVALID;
    }
    while (series.ptr != NULL) {
        struct str value = str_split(&series, ';');
        struct str name = str_split(&value, '=');
        if (name.len == 0 || value.len == 0) {
            return ERR_INVALID;
        }
        if (out->tag_count == GRAPHITE_TAGS_MAX) {
            return ERR_LIMIT;
        }
        out->tags[out->tag_count++] = (struct label){name, value};
    }
    return 0;
}

static int read_time(struct str text, struct graphite_line *out)
{
    double seconds;
    if (text.len == 0 || str_eq_c(text, "-1")) {
        return 0;
    }
    if (str_to_double(text, &seconds) != 0 || !(seconds >= 0 && seconds <= SECONDS_MAX)) {
        return ERR_INVALID;
    }
    out->has_time = true;
    out->t_ms = (int64_t)llround(seconds * 1000);
    return 0;
}

int graphite_line_parse(struct str line, struct graphite_line *line_out)
{
    struct graphite_line out = {.value = 0};
    struct str rest = line;
    int status = read_series(next_word(&rest), &out);
    status = status == 0 ? str_to_double(next_word(&rest), &out.value) : status;
    status = status == ERR_RANGE ? ERR_INVALID : status;
    status = status == 0 ? read_time(next_word(&rest), &out) : status;
    if (status == 0 && next_word(&rest).len > 0) {
        status = ERR_INVALID;
    }
    if (status == 0) {
        *line_out = out;
    }
    return status;
}
