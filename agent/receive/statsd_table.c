/* A hash table of series by kind and encoded labels. */
#include "receive/statsd_table.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "model/sketch.h"
#include "receive/pushed_labels.h"

enum { REGISTER_BITS = 10, REGISTERS = 1 << REGISTER_BITS };
/* Memory of the histogram that is being handed in. */
#define FLUSH_ARENA_MAX ((size_t)4 << 20)

struct statsd_series {
    uint64_t hash;
    enum statsd_kind kind;
    double value; /* counter, gauge; sum of a histogram */
    struct sketch sketch;
    uint8_t *registers; /* of a set */
    int64_t touched_ms;
    size_t labels_size;
    char labels[]; /* encoded */
};

struct statsd_table {
    struct statsd_series **slots; /* open addressing; at most half of them in use */
    size_t slot_count, count, series_max;
    uint64_t seed;
    struct strbuf text, labels; /* of the line at hand */
};

int statsd_table_new(size_t series_max, struct statsd_table **table_out)
{
    struct statsd_table *t = mem_calloc(1, sizeof(*t));
    size_t slots = 16;
    while (slots < series_max * 2) {
        slots *= 2;
    }
    if (t != NULL) {
        t->slots = mem_calloc(slots, sizeof(struct statsd_series *));
    }
    if (t == NULL || t->slots == NULL) {
        mem_free(t);
        return ERR_NOMEM;
    }
    t->slot_count = slots;
    t->series_max = series_max;
    t->seed = hash_seed_random();
    strbuf_init(&t->text, LABELS_BYTES_MAX);
    strbuf_init(&t->labels, LABELS_BYTES_MAX);
    *table_out = t;
    return 0;
}

static void free_series(struct statsd_series *s)
{
    sketch_release(&s->sketch);
    mem_free(s->registers);
    mem_free(s);
}

void statsd_table_free(struct statsd_table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i] != NULL) {
            free_series(t->slots[i]);
        }
    }
    strbuf_release(&t->text);
    strbuf_release(&t->labels);
    mem_free(t->slots);
    mem_free(t);
}

size_t statsd_table_count(const struct statsd_table *t)
{
    return t->count;
}

/* ---- Series ---- */

/* The encoded labels of a line, into t->labels. */
static int make_labels(
    struct statsd_table *t, const struct intake *intake, const struct statsd_line *line)
{
    struct pushed_labels text;
    pushed_labels_begin(&text, &t->text, line->name);
    for (size_t i = 0; i < line->tag_count; i++) {
        struct str value = line->tags[i].value;
        pushed_labels_add(&text, line->tags[i].name, value.len > 0 ? value : STR("true"));
    }
    return pushed_labels_encode(&text, intake, &t->labels);
}

static struct statsd_series **find_slot(
    const struct statsd_table *t, uint64_t hash, enum statsd_kind kind, struct str labels)
{
    size_t at = hash & (t->slot_count - 1);
    while (t->slots[at] != NULL) {
        const struct statsd_series *s = t->slots[at];
        if (s->hash == hash && s->kind == kind &&
            str_eq(str_make(s->labels, s->labels_size), labels)) {
            break;
        }
        at = (at + 1) & (t->slot_count - 1);
    }
    return &t->slots[at];
}

static int new_series(struct statsd_table *t, const struct intake *intake, uint64_t hash,
    enum statsd_kind kind, struct statsd_series **series_out)
{
    if (t->count >= t->series_max) {
        return ERR_LIMIT;
    }
    if (intake->pressure(intake) >= INTAKE_FULL) {
        return ERR_BUSY;
    }
    struct statsd_series *s = mem_calloc(1, sizeof(*s) + t->labels.size);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    *s = (struct statsd_series){.hash = hash, .kind = kind, .labels_size = t->labels.size};
    memcpy(s->labels, t->labels.data, t->labels.size);
    sketch_init(&s->sketch);
    if (kind == STATSD_SET) {
        s->registers = mem_calloc(REGISTERS, 1);
        if (s->registers == NULL) {
            free_series(s);
            return ERR_NOMEM;
        }
    }
    t->count++;
    *series_out = s;
    return 0;
}

/* ---- Values ---- */

/* HyperLogLog (Flajolet and others, 2007): the most leading zeros a register has seen. */
static void note_member(struct statsd_series *s, uint64_t hash)
{
    uint64_t rest = hash << REGISTER_BITS;
    unsigned zeros = rest != 0 ? (unsigned)__builtin_clzll(rest) : 64 - REGISTER_BITS;
    uint8_t *place = &s->registers[hash >> (64 - REGISTER_BITS)];
    *place = zeros + 1 > *place ? (uint8_t)(zeros + 1) : *place;
}

static double count_members(const struct statsd_series *s)
{
    double sum = 0;
    size_t empty = 0;
    for (size_t i = 0; i < REGISTERS; i++) {
        sum += ldexp(1, -(int)s->registers[i]);
        empty += s->registers[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS * REGISTERS / sum;
    if (estimate <= 2.5 * REGISTERS && empty > 0) {
        estimate = REGISTERS * log((double)REGISTERS / (double)empty); /* linear counting */
    }
    return round(estimate);
}

static int note_distribution(struct statsd_series *s, double value, double rate)
{
    double weight = fmin(round(1 / rate), STATSD_WEIGHT_MAX);
    int status = 0;
    for (double i = 0; status == 0 && i < weight; i++) {
        status = sketch_add(&s->sketch, value);
        s->value += status == 0 ? value : 0;
    }
    return status;
}

static int note_value(
    struct statsd_series *s, const struct statsd_line *line, double value, bool relative)
{
    switch (s->kind) {
    case STATSD_COUNTER:
        s->value += value / line->rate;
        return 0;
    case STATSD_GAUGE:
        s->value = relative ? s->value + value : value;
        return 0;
    case STATSD_TIMER:
        return note_distribution(s, value / 1000, line->rate);
    default:
        return note_distribution(s, value, line->rate);
    }
}

int statsd_table_add(struct statsd_table *t, const struct intake *intake,
    const struct statsd_line *line, int64_t now_ms)
{
    int status = make_labels(t, intake, line);
    if (status != 0) {
        return status;
    }
    struct str labels = strbuf_str(&t->labels);
    uint64_t hash = hash64(labels.ptr, labels.len, t->seed + line->kind);
    struct statsd_series **slot = find_slot(t, hash, line->kind, labels);
    if (*slot == NULL) {
        status = new_series(t, intake, hash, line->kind, slot);
    }
    struct str values = line->values;
    if (status == 0) {
        (*slot)->touched_ms = now_ms;
    }
    if (status == 0 && line->kind == STATSD_SET) {
        while (values.ptr != NULL) {
            struct str member = str_split(&values, ':');
            note_member(*slot, hash64(member.ptr, member.len, t->seed));
        }
        return 0;
    }
    double value;
    bool relative;
    while (status == 0 && statsd_line_next(&values, &value, &relative) > 0) {
        status = note_value(*slot, line, value, relative);
    }
    return status;
}

/* ---- Handing in ---- */

static int hand_in_histogram(
    struct statsd_series *s, struct intake *intake, int64_t t_ms, bool ended)
{
    struct arena arena;
    struct histogram *h;
    arena_init(&arena, FLUSH_ARENA_MAX);
    int status = sketch_histogram(&s->sketch, &arena, &h);
    if (status == 0) {
        h->sum = ended ? value_stale_marker() : s->value;
        const struct remote_write_histogram histogram = {t_ms, h};
        const struct remote_write_series series = {.labels_bytes = {s->labels, s->labels_size},
            .histograms = &histogram,
            .histogram_count = 1};
        intake->add(intake, &series);
    }
    arena_release(&arena);
    return status;
}

static int hand_in(struct statsd_series *s, struct intake *intake, int64_t t_ms, bool ended)
{
    if (s->kind == STATSD_TIMER || s->kind == STATSD_HISTOGRAM) {
        return hand_in_histogram(s, intake, t_ms, ended);
    }
    struct sample sample = {t_ms, s->value};
    if (s->kind == STATSD_SET) {
        sample.value = count_members(s);
        memset(s->registers, 0, REGISTERS);
    }
    sample.value = ended ? value_stale_marker() : sample.value;
    const struct remote_write_series series = {
        .labels_bytes = {s->labels, s->labels_size}, .samples = &sample, .sample_count = 1};
    intake->add(intake, &series);
    return 0;
}

/* Series behind a freed slot move up until there is a gap. */
static void remove_at(struct statsd_table *t, size_t at)
{
    size_t mask = t->slot_count - 1;
    free_series(t->slots[at]);
    t->slots[at] = NULL;
    t->count--;
    for (size_t i = (at + 1) & mask; t->slots[i] != NULL; i = (i + 1) & mask) {
        struct statsd_series *s = t->slots[i];
        t->slots[i] = NULL;
        *find_slot(t, s->hash, s->kind, str_make(s->labels, s->labels_size)) = s;
    }
}

int statsd_table_flush(struct statsd_table *t, struct intake *intake, int64_t now_ms, int64_t t_ms)
{
    int first = 0;
    for (size_t i = 0; i < t->slot_count; i++) {
        struct statsd_series *s = t->slots[i];
        if (s != NULL) {
            int status = hand_in(s, intake, t_ms, now_ms - s->touched_ms >= STATSD_IDLE_MS);
            first = first != 0 ? first : status;
        }
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        while (t->slots[i] != NULL && now_ms - t->slots[i]->touched_ms >= STATSD_IDLE_MS) {
            remove_at(t, i);
        }
    }
    return first;
}
