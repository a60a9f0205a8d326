/* Lines to series, a field at a time. */
#include "receive/receive_influx.h"

#include <inttypes.h>

#include "base/json.h"
#include "receive/influx_line.h"
#include "receive/pushed_labels.h"
#include "receive/receive_private.h"

/* Milliseconds of a time, by its unit: time * multiplier / divisor. */
struct precision {
    const char *name;
    int64_t multiplier, divisor;
};

static const struct precision *find_precision(struct str name)
{
    static const struct precision rows[] = {
        {"ns", 1, 1000000},
        {"", 1, 1000000},
        {"n", 1, 1000000},
        {"us", 1, 1000},
        {"u", 1, 1000},
        {"ms", 1, 1},
        {"s", 1000, 1},
        {"m", 60000, 1},
        {"h", 3600000, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (str_eq_c(name, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Labels of one field into r->labels; `plain` is scratch. */
static int make_labels(
    struct receive *r, const struct influx_line *line, struct str field, struct strbuf *plain)
{
    struct pushed_labels labels;
    struct label tag;
    strbuf_reset(plain);
    influx_unescape(line->measurement, plain);
    strbuf_add_char(plain, '_');
    influx_unescape(field, plain);
    pushed_labels_begin(&labels, &r->text, strbuf_str(plain));
    for (struct str tags = line->tags; influx_next_pair(&tags, &tag) > 0;) {
        strbuf_reset(plain);
        influx_unescape(tag.name, plain);
        size_t middle = plain->size;
        influx_unescape(tag.value, plain);
        pushed_labels_add(&labels, str_make(plain->data, middle),
            str_make(plain->data + middle, plain->size - middle));
    }
    return pushed_labels_encode(&labels, r->options.intakes[RECEIVE_INFLUX], &r->labels);
}

static int take_line(struct receive *r, const struct influx_line *line, int64_t t_ms)
{
    struct intake *intake = r->options.intakes[RECEIVE_INFLUX];
    struct strbuf plain;
    struct label field;
    int status = 0;
    strbuf_init(&plain, LABELS_BYTES_MAX);
    for (struct str fields = line->fields; status == 0 && influx_next_pair(&fields, &field) > 0;) {
        struct sample sample = {t_ms, 0};
        if (influx_field_value(field.value, &sample.value) == 0) {
            continue;
        }
        status = make_labels(r, line, field.name, &plain);
        if (status == 0) {
            const struct remote_write_series series = {
                .labels_bytes = strbuf_str(&r->labels), .samples = &sample, .sample_count = 1};
            intake->add(intake, &series);
        }
    }
    strbuf_release(&plain);
    return status;
}

/* The time of a line in milliseconds; ERR_INVALID when there is none so large. */
static int read_time(struct receive *r, const struct influx_line *line,
    const struct precision *precision, int64_t *t_ms_out)
{
    if (!line->has_time) {
        *t_ms_out = clock_now_ms(r->options.clock);
        return 0;
    }
    return __builtin_mul_overflow(line->time / precision->divisor, precision->multiplier, t_ms_out)
               ? ERR_INVALID
               : 0;
}

int receive_influx_take(struct receive *r, struct str body, struct str name, struct err *e)
{
    const struct precision *precision = find_precision(name);
    uint64_t refused = 0, number = 0, first = 0;
    if (precision == NULL) {
        return err_set(e, ERR_INVALID, -1, "precision: expected ns, us, ms, s, m or h");
    }
    while (body.len > 0) {
        struct influx_line line;
        int64_t t_ms;
        struct str text = str_trim(str_split(&body, '\n'));
        number++;
        if (text.len == 0 || text.ptr[0] == '#') {
            continue;
        }
        int status = influx_line_parse(text, &line);
        status = status == 0 ? read_time(r, &line, precision, &t_ms) : status;
        status = status == 0 ? take_line(r, &line, t_ms) : status;
        first = status != 0 && refused == 0 ? number : first;
        refused += status != 0;
    }
    int status = receive_commit(r, RECEIVE_INFLUX, e);
    r->statistics[RECEIVE_INFLUX].rejected_samples += refused;
    return status != 0 || refused == 0
               ? status
               : err_set(e, ERR_INVALID, -1,
                     "partial write: line %" PRIu64 " cannot be taken, %" PRIu64
                     " in all; all others were taken",
                     first, refused);
}

void receive_influx(struct http_exchange *x, void *context)
{
    struct receive *r = context;
    struct err e = ERR_INIT;
    struct strbuf plain, answer = STRBUF_INIT;
    struct str body;
    strbuf_init(&plain, RECEIVE_MESSAGE_MAX);
    int status = receive_admit(r, RECEIVE_INFLUX, &e);
    status = status == 0 ? receive_plain_body(x, &plain, &body, &e) : status;
    status = status == 0 ? receive_influx_take(r, body, http_exchange_param(x, "precision"), &e)
                         : status;
    receive_count(r, RECEIVE_INFLUX, x, status);
    if (status != 0) {
        struct json_writer w;
        json_init(&w, &answer);
        json_begin_object(&w);
        json_key(&w, "error");
        json_cstring(&w, e.message[0] != '\0' ? e.message : err_text(status));
        json_end(&w);
    }
    http_exchange_reply(x, status == 0 ? 204 : receive_status(status), "application/json", &answer);
    strbuf_release(&answer);
    strbuf_release(&plain);
}

void receive_influx_ping(struct http_exchange *x, void *context)
{
    struct strbuf nothing = STRBUF_INIT;
    (void)context;
    http_exchange_set_header(x, "X-Influxdb-Version", "sonde"); /* some clients want to read one */
    http_exchange_reply(x, 204, "text/plain; charset=utf-8", &nothing);
    strbuf_release(&nothing);
}
