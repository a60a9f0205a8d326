/* What rules compute, group by group. */
#include "intake/stream_group.h"

#include <string.h>

#include "base/fpconv.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/duration.h"

enum { SLOTS_MIN = 64, NAME_MAX_BYTES = 4096, RESULT_LABELS_MAX = 256 };

static const struct {
    const char *name;
    enum stream_output output;
} output_names[] = {
    {"sum_samples", STREAM_SUM},
    {"count_samples", STREAM_COUNT},
    {"count_series", STREAM_COUNT_SERIES},
    {"min", STREAM_MIN},
    {"max", STREAM_MAX},
    {"avg", STREAM_AVG},
    {"last", STREAM_LAST},
    {"increase", STREAM_INCREASE},
    {"increase_prometheus", STREAM_INCREASE},
    {"total", STREAM_TOTAL},
    {"total_prometheus", STREAM_TOTAL},
    {"rate_sum", STREAM_RATE_SUM},
    {"rate_avg", STREAM_RATE_AVG},
};

/* ---- Shapes ---- */

/* quantiles(0.5, 0.99) */
static int parse_quantiles(struct str text, struct stream_shape *out, struct err *e)
{
    struct str rest = str_make(text.ptr + 10, text.len - 11);
    while (rest.len > 0) {
        double q;
        struct str part = str_trim(str_split(&rest, ','));
        if (str_to_double(part, &q) != 0 || !(q >= 0 && q <= 1) ||
            out->quantile_count == STREAM_QUANTILES_MAX) {
            return err_set(e, ERR_INVALID, -1,
                "output \"%.*s\"; accepted: quantiles(0.5, 0.99), up to %d numbers from 0 to 1",
                STR_ARG(text), STREAM_QUANTILES_MAX);
        }
        out->quantiles[out->quantile_count++] = q;
    }
    return out->quantile_count > 0
               ? 0
               : err_set(e, ERR_INVALID, -1, "output \"%.*s\" names no quantile", STR_ARG(text));
}

static int parse_output(const char *name, struct stream_shape *out, struct err *e)
{
    struct str text = str_of(name);
    if (out->output_count == STREAM_OUTPUTS_MAX) {
        return err_set(e, ERR_LIMIT, -1, "more than %d outputs", STREAM_OUTPUTS_MAX);
    }
    if (str_starts_with(text, STR("quantiles(")) && str_ends_with(text, STR(")"))) {
        out->outputs[out->output_count++] = STREAM_QUANTILES;
        return parse_quantiles(text, out, e);
    }
    for (size_t i = 0; i < sizeof(output_names) / sizeof(output_names[0]); i++) {
        if (strcmp(name, output_names[i].name) == 0) {
            out->outputs[out->output_count++] = output_names[i].output;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, -1,
        "output \"%s\"; accepted: sum_samples, count_samples, count_series, min, max, avg, last, "
        "increase, total, rate_sum, rate_avg, quantiles(…)",
        name);
}

static int copy_labels(const struct config_strings *from, struct stream_shape *out)
{
    out->labels = mem_calloc(from->count, sizeof(char *));
    if (out->labels == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < from->count; i++) {
        out->labels[i] = mem_strdup(from->items[i]);
        if (out->labels[i] == NULL) {
            return ERR_NOMEM;
        }
        out->label_count++;
    }
    return 0;
}

/* ":interval[_by_…|_without_…]_" */
static int make_suffix(const struct stream_rule *r, struct stream_shape *out)
{
    struct strbuf text;
    strbuf_init(&text, NAME_MAX_BYTES);
    strbuf_add_char(&text, ':');
    duration_write(r->interval_ms, &text);
    if (out->grouped) {
        strbuf_add_c(&text, out->without ? "_without" : "_by");
        for (size_t i = 0; i < out->label_count; i++) {
            strbuf_addf(&text, "_%s", out->labels[i]);
        }
    }
    strbuf_add_char(&text, '_');
    out->suffix = strbuf_error(&text) == 0 ? mem_strndup(text.data, text.size) : NULL;
    int status = strbuf_error(&text) != 0 ? strbuf_error(&text)
                 : out->suffix == NULL    ? ERR_NOMEM
                                          : 0;
    strbuf_release(&text);
    return status;
}

int stream_shape_make(const struct stream_rule *r, struct stream_shape *out, struct err *e)
{
    int status = 0;
    if (r->by.count > 0 && r->without.count > 0) {
        return err_set(e, ERR_INVALID, -1, "by and without exclude each other");
    }
    for (size_t i = 0; status == 0 && i < r->outputs.count; i++) {
        status = parse_output(r->outputs.items[i], out, e);
    }
    if (status != 0) {
        return status;
    }
    bool thins = r->outputs.count == 0 && r->dedup_interval_ms > 0;
    if (thins) {
        out->outputs[out->output_count++] = STREAM_SAMPLES;
    } else if (out->output_count == 0) {
        return err_set(e, ERR_INVALID, -1, "neither outputs nor dedup_interval");
    }
    if (r->keep_metric_names && (out->output_count > 1 || out->quantile_count > 1)) {
        return err_set(e, ERR_INVALID, -1, "keep_metric_names is for rules of one output");
    }
    out->without = r->without.count > 0;
    out->grouped = !thins && (r->by.count > 0 || out->without);
    out->keep_name = thins || r->keep_metric_names;
    status = copy_labels(out->without ? &r->without : &r->by, out);
    status = status == 0 ? make_suffix(r, out) : status;
    return status == 0 ? 0 : err_set(e, status, -1, "no room for its labels: %s", err_text(status));
}

void stream_shape_release(struct stream_shape *s)
{
    for (size_t i = 0; i < s->label_count; i++) {
        mem_free(s->labels[i]);
    }
    mem_free(s->labels);
    mem_free(s->suffix);
    *s = (struct stream_shape){.output_count = 0};
}

static bool keeps_label(const struct stream_shape *shape, struct str name)
{
    if (!shape->grouped || str_eq(name, STR(LABEL_METRIC_NAME))) {
        return true;
    }
    for (size_t i = 0; i < shape->label_count; i++) {
        if (str_eq_c(name, shape->labels[i])) {
            return !shape->without;
        }
    }
    return shape->without;
}

/* ---- Groups ---- */

void stream_groups_init(struct stream_groups *g)
{
    *g = (struct stream_groups){.seed = hash_seed_random()};
}

static void group_free(struct stream_group *group)
{
    if (group != NULL && group->sketch != NULL) {
        sketch_release(group->sketch);
        mem_free(group->sketch);
    }
    mem_free(group);
}

void stream_groups_release(struct stream_groups *g)
{
    for (size_t i = 0; i < g->slot_count; i++) {
        group_free(g->slots[i]);
    }
    mem_free(g->slots);
    *g = (struct stream_groups){.seed = g->seed};
}

static size_t slot_of(const struct stream_groups *g, unsigned rule, struct str key, uint64_t hash)
{
    size_t at = hash & (g->slot_count - 1);
    for (; g->slots[at] != NULL; at = (at + 1) & (g->slot_count - 1)) {
        const struct stream_group *group = g->slots[at];
        if (group->hash == hash && group->rule == rule && str_eq(group->key, key)) {
            break;
        }
    }
    return at;
}

static bool widen(struct stream_groups *g)
{
    size_t count = g->slot_count, wide = count == 0 ? SLOTS_MIN : count * 2;
    struct stream_group **before = g->slots;
    struct stream_group **slots = mem_calloc(wide, sizeof(struct stream_group *));
    if (slots == NULL) {
        return false;
    }
    g->slots = slots;
    g->slot_count = wide;
    for (size_t i = 0; i < count; i++) {
        if (before[i] != NULL) {
            g->slots[slot_of(g, before[i]->rule, before[i]->key, before[i]->hash)] = before[i];
        }
    }
    mem_free(before);
    return true;
}

static void begin_interval(struct stream_group *group)
{
    group->interval++;
    group->count = group->series = group->rate_series = 0;
    group->sum = group->increase = group->rate_sum = 0;
    group->had_samples = false;
    if (group->sketch != NULL) {
        sketch_reset(group->sketch);
    }
}

static struct stream_group *make_group(
    const struct stream_shape *shape, unsigned rule, struct str key, uint64_t hash)
{
    struct stream_group *group = mem_alloc(sizeof(*group) + key.len);
    if (group == NULL) {
        return NULL;
    }
    *group = (struct stream_group){
        .key = str_make((char *)(group + 1), key.len), .rule = rule, .hash = hash};
    memcpy(group + 1, key.ptr, key.len);
    if (shape->quantile_count > 0) {
        group->sketch = mem_calloc(1, sizeof(*group->sketch));
        if (group->sketch == NULL) {
            mem_free(group);
            return NULL;
        }
        sketch_init(group->sketch);
    }
    begin_interval(group);
    return group;
}

struct stream_group *stream_groups_get(struct stream_groups *g, const struct stream_shape *shape,
    unsigned rule, const struct labels *external, const struct label *labels, size_t count)
{
    struct labels_builder b;
    struct strbuf key = STRBUF_INIT;
    struct stream_group *group = NULL;
    labels_builder_init(&b);
    for (size_t i = 0; i < count; i++) {
        if (keeps_label(shape, labels[i].name)) {
            labels_builder_set(&b, labels[i].name, labels[i].value);
        }
    }
    bool good = b.error == 0 && intake_encode_labels(external, &b, &key) == 0;
    if (good && (2 * (g->count + 1) <= g->slot_count || widen(g))) {
        uint64_t hash = hash64(key.data, key.size, g->seed + rule);
        size_t at = slot_of(g, rule, strbuf_str(&key), hash);
        if (g->slots[at] == NULL) {
            g->slots[at] = make_group(shape, rule, strbuf_str(&key), hash);
            g->count += g->slots[at] != NULL;
        }
        group = g->slots[at];
    }
    labels_builder_release(&b);
    strbuf_release(&key);
    return group;
}

/* What a counter gained since its last sample; after a reset it began at 0. */
static void add_increase(
    struct stream_group *group, struct stream_series *series, const struct sample *sample)
{
    double before = series->last.value;
    double gained = sample->value >= before ? sample->value - before : sample->value;
    int64_t took = sample->t_ms - series->last.t_ms;
    group->increase += gained;
    group->total += gained;
    double rate =
        series->increase_ms > 0 ? series->increase * 1000 / (double)series->increase_ms : 0;
    group->rate_series += series->increase_ms == 0;
    series->increase += gained;
    series->increase_ms += took;
    group->rate_sum += series->increase * 1000 / (double)series->increase_ms - rate;
}

void stream_group_add(
    struct stream_group *group, struct stream_series *series, const struct sample *sample)
{
    double value = sample->value;
    group->min = group->count == 0 || value < group->min ? value : group->min;
    group->max = group->count == 0 || value > group->max ? value : group->max;
    group->last = group->count == 0 || sample->t_ms >= group->last.t_ms ? *sample : group->last;
    group->count++;
    group->sum += value;
    group->had_samples = true;
    if (group->sketch != NULL) {
        (void)sketch_add(
            group->sketch, value); /* without memory it lacks a value, for one interval */
    }
    if (series->interval != group->interval) {
        series->interval = group->interval;
        series->increase = 0;
        series->increase_ms = 0;
        group->series++;
    }
    if (series->has_last && sample->t_ms > series->last.t_ms) {
        add_increase(group, series, sample);
    }
    if (!series->has_last || sample->t_ms > series->last.t_ms) {
        series->last = *sample;
        series->has_last = true;
    }
}

/* ---- Results ---- */

/* One result on its way. */
struct emission {
    const struct stream_shape *shape;
    const struct stream_group *group;
    struct intake *results;
    struct label labels[RESULT_LABELS_MAX];
    size_t label_count;
    struct strbuf name, bytes;
};

static void emit(
    struct emission *m, const char *output, const double *quantile, int64_t t_ms, double value)
{
    char number[FP_TEXT_MAX];
    struct labels_builder b;
    struct str name = STR("");
    labels_builder_init(&b);
    for (size_t i = 0; i < m->label_count; i++) {
        labels_builder_set(&b, m->labels[i].name, m->labels[i].value);
        name = str_eq(m->labels[i].name, STR(LABEL_METRIC_NAME)) ? m->labels[i].value : name;
    }
    strbuf_reset(&m->name);
    strbuf_reset(&m->bytes);
    strbuf_add_str(&m->name, name);
    if (!m->shape->keep_name) {
        strbuf_add_c(&m->name, m->shape->suffix);
        strbuf_add_c(&m->name, output);
    }
    labels_builder_set(&b, STR(LABEL_METRIC_NAME), strbuf_str(&m->name));
    if (quantile != NULL) {
        labels_builder_set(
            &b, STR("quantile"), str_make(number, fp_format_short(*quantile, number)));
    }
    if (strbuf_error(&m->name) == 0 && intake_encode_labels(NULL, &b, &m->bytes) == 0) {
        const struct sample sample = {t_ms, value};
        const struct remote_write_series series = {
            .labels_bytes = strbuf_str(&m->bytes), .samples = &sample, .sample_count = 1};
        m->results->add(m->results, &series);
    }
    labels_builder_release(&b);
}

static double value_of(const struct stream_group *g, enum stream_output output)
{
    switch (output) {
    case STREAM_SUM:
        return g->sum;
    case STREAM_COUNT:
        return (double)g->count;
    case STREAM_COUNT_SERIES:
        return (double)g->series;
    case STREAM_MIN:
        return g->min;
    case STREAM_MAX:
        return g->max;
    case STREAM_AVG:
        return g->sum / (double)g->count;
    case STREAM_LAST:
    case STREAM_SAMPLES:
        return g->last.value;
    case STREAM_INCREASE:
        return g->increase;
    case STREAM_TOTAL:
        return g->total;
    case STREAM_RATE_SUM:
        return g->rate_sum;
    case STREAM_RATE_AVG:
        return g->rate_series > 0 ? g->rate_sum / (double)g->rate_series : 0;
    case STREAM_QUANTILES:
        break;
    }
    return 0;
}

static const char *name_of(enum stream_output output)
{
    for (size_t i = 0; i < sizeof(output_names) / sizeof(output_names[0]); i++) {
        if (output_names[i].output == output) {
            return output_names[i].name;
        }
    }
    return "quantiles";
}

static void emit_group(struct emission *m, int64_t at_ms)
{
    const struct stream_group *g = m->group;
    bool counter_is_known = g->rate_series > 0;
    for (size_t i = 0; i < m->shape->output_count; i++) {
        enum stream_output output = m->shape->outputs[i];
        bool of_rates = output == STREAM_RATE_SUM || output == STREAM_RATE_AVG;
        if (output == STREAM_QUANTILES) {
            for (size_t k = 0; k < m->shape->quantile_count; k++) {
                emit(m, "quantiles", &m->shape->quantiles[k], at_ms,
                    sketch_quantile(g->sketch, m->shape->quantiles[k]));
            }
        } else if (!of_rates || counter_is_known) {
            int64_t t = output == STREAM_SAMPLES ? g->last.t_ms : at_ms;
            emit(m, name_of(output), NULL, t, value_of(g, output));
        }
    }
}

void stream_groups_flush(struct stream_groups *g, const struct stream_shape *shape, unsigned rule,
    int64_t at_ms, struct intake *results)
{
    struct emission m = {.shape = shape, .results = results};
    strbuf_init(&m.name, NAME_MAX_BYTES * 2);
    strbuf_init(&m.bytes, LABELS_BYTES_MAX * 2);
    for (size_t i = 0; i < g->slot_count; i++) {
        struct stream_group *group = g->slots[i];
        if (group == NULL || group->rule != rule || !group->had_samples) {
            continue;
        }
        m.group = group;
        if (remote_write_decode_labels(group->key, m.labels, RESULT_LABELS_MAX, &m.label_count) ==
            0) {
            emit_group(&m, at_ms);
        }
        group->seen_ms = at_ms;
        begin_interval(group);
    }
    strbuf_release(&m.name);
    strbuf_release(&m.bytes);
}

void stream_groups_forget(struct stream_groups *g, unsigned rule, int64_t before_ms)
{
    for (size_t i = 0; i < g->slot_count;) {
        struct stream_group *group = g->slots[i];
        if (group == NULL || group->rule != rule || group->had_samples ||
            group->seen_ms >= before_ms) {
            i++;
            continue;
        }
        group_free(group);
        g->count--;
        size_t gap = i, mask = g->slot_count - 1;
        for (size_t k = (i + 1) & mask; g->slots[k] != NULL; k = (k + 1) & mask) {
            size_t home = g->slots[k]->hash & mask;
            if (((k - home) & mask) >= ((k - gap) & mask)) {
                g->slots[gap] = g->slots[k];
                gap = k;
            }
        }
        g->slots[gap] = NULL;
    }
}
