/* Tables of services and series. */
#include "spans/span_series.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "intake/guarded_text.h"

enum { SLOTS_MIN = 256, NAME_SLOTS_MIN = 16, KEY_BYTES_MAX = 1 << 16, KEY_HEAD_BYTES = 6 };

struct span_series_table {
    struct span_series_options options;
    uint64_t seed;
    uint32_t *slots; /* number + 1 of a series, by hash; open addressing, at most half full */
    size_t slot_count;
    struct span_series **series; /* by number */
    size_t end, cap, count;
    uint32_t *free_numbers;
    size_t free_count, free_cap;
    uint32_t generation;
    struct span_service *services;
    size_t service_count, service_cap;
    uint32_t *service_slots;
    size_t service_slot_count;
    struct strbuf key, text; /* of the span at hand */
    struct span_series_statistics statistics;
};

int span_series_table_new(
    const struct span_series_options *options, struct span_series_table **table_out)
{
    struct span_series_table *t = mem_calloc(1, sizeof(*t));
    if (t == NULL) {
        return ERR_NOMEM;
    }
    t->options = *options;
    t->seed = hash_seed_random();
    strbuf_init(&t->key, KEY_BYTES_MAX);
    strbuf_init(&t->text, KEY_BYTES_MAX);
    t->slots = mem_calloc(SLOTS_MIN, sizeof(*t->slots));
    t->service_slots = mem_calloc(SLOTS_MIN, sizeof(*t->service_slots));
    if (t->slots == NULL || t->service_slots == NULL) {
        span_series_table_free(t);
        return ERR_NOMEM;
    }
    t->slot_count = t->service_slot_count = SLOTS_MIN;
    *table_out = t;
    return 0;
}

static void free_series(struct span_series *s)
{
    if (s != NULL) {
        latency_histogram_release(&s->latency);
        strbuf_release(&s->texts);
        strbuf_release(&s->labels);
        mem_free(s->buckets);
        mem_free(s);
    }
}

void span_series_table_free(struct span_series_table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < t->end; i++) {
        free_series(t->series[i]);
    }
    for (size_t i = 0; i < t->service_count; i++) {
        mem_free(t->services[i].key);
        mem_free(t->services[i].names);
    }
    mem_free(t->slots);
    mem_free(t->series);
    mem_free(t->free_numbers);
    mem_free(t->services);
    mem_free(t->service_slots);
    strbuf_release(&t->key);
    strbuf_release(&t->text);
    mem_free(t);
}

/* ---- Services ---- */

static size_t find_service_slot(const struct span_series_table *t, struct str name, uint64_t hash)
{
    size_t slot = hash & (t->service_slot_count - 1);
    while (t->service_slots[slot] != 0) {
        const struct span_service *s = &t->services[t->service_slots[slot] - 1];
        if (s->hash == hash && str_eq(str_make(s->key, s->key_size), name)) {
            break;
        }
        slot = (slot + 1) & (t->service_slot_count - 1);
    }
    return slot;
}

static int grow_service_slots(struct span_series_table *t)
{
    size_t count = t->service_slot_count * 2;
    uint32_t *slots = mem_calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    mem_free(t->service_slots);
    t->service_slots = slots;
    t->service_slot_count = count;
    for (size_t i = 0; i < t->service_count; i++) {
        size_t slot = t->services[i].hash & (count - 1);
        while (slots[slot] != 0) {
            slot = (slot + 1) & (count - 1);
        }
        slots[slot] = (uint32_t)i + 1;
    }
    return 0;
}

/* The key as it came, and behind it the name as a label. */
static char *copy_service_name(struct span_series_table *t, struct str name, struct str *label_out)
{
    strbuf_reset(&t->text);
    guarded_text_add(name, &t->text);
    char *copy = strbuf_error(&t->text) == 0 ? mem_alloc(name.len + t->text.size) : NULL;
    if (copy != NULL) {
        memcpy(copy, name.ptr, name.len);
        memcpy(copy + name.len, t->text.data, t->text.size);
        *label_out = str_make(copy + name.len, t->text.size);
    }
    return copy;
}

static int add_service(
    struct span_series_table *t, struct str name, uint64_t hash, uint32_t *service_out)
{
    int status = mem_array_grow((void **)&t->services, &t->service_cap, t->service_count + 1,
        sizeof(*t->services), SPAN_SERVICES_MAX + 1);
    if (status == 0 && t->service_count * 2 >= t->service_slot_count) {
        status = grow_service_slots(t);
    }
    struct str label = STR("");
    char *key = status == 0 ? copy_service_name(t, name, &label) : NULL;
    if (key == NULL) {
        return ERR_NOMEM;
    }
    *service_out = (uint32_t)t->service_count;
    t->services[t->service_count++] =
        (struct span_service){.name = label, .key = key, .key_size = name.len, .hash = hash};
    t->service_slots[find_service_slot(t, name, hash)] = *service_out + 1;
    return 0;
}

int span_series_service(struct span_series_table *t, struct str name, uint32_t *service_out)
{
    name.len = name.len < KEY_BYTES_MAX / 2 ? name.len : KEY_BYTES_MAX / 2;
    uint64_t hash = hash64(name.ptr, name.len, t->seed);
    size_t slot = find_service_slot(t, name, hash);
    if (t->service_slots[slot] == 0 && t->service_count >= SPAN_SERVICES_MAX) {
        name = STR(SPAN_SERIES_OVERFLOW);
        hash = hash64(name.ptr, name.len, t->seed);
        slot = find_service_slot(t, name, hash);
    }
    if (t->service_slots[slot] == 0) {
        return add_service(t, name, hash, service_out);
    }
    *service_out = t->service_slots[slot] - 1;
    return 0;
}

const struct span_service *span_series_service_at(
    const struct span_series_table *t, uint32_t service)
{
    return &t->services[service];
}

/* ---- Names of a service ---- */

static uint64_t *find_name(uint64_t *names, uint32_t slot_count, uint64_t hash)
{
    uint32_t slot = (uint32_t)hash & (slot_count - 1);
    while (names[slot] != 0 && names[slot] != hash) {
        slot = (slot + 1) & (slot_count - 1);
    }
    return &names[slot];
}

/* Slots for that many names, never more than half of them used. */
static uint32_t name_slots(uint32_t count)
{
    uint32_t slots = NAME_SLOTS_MIN;
    while (slots < count * 2) {
        slots *= 2;
    }
    return slots;
}

/* Whether the service may have this name as it is: one of its first. */
static bool keeps_name(struct span_series_table *t, struct span_service *s, struct str name)
{
    uint64_t hash = hash64(name.ptr, name.len, t->seed) | 1;
    uint32_t slots = name_slots(s->name_count);
    if (s->names != NULL && *find_name(s->names, slots, hash) == hash) {
        return true;
    }
    if (s->name_count >= t->options.names_max) {
        return false;
    }
    uint32_t wanted = name_slots(s->name_count + 1);
    if (s->names == NULL || wanted != slots) {
        uint64_t *names = mem_calloc(wanted, sizeof(*names));
        if (names == NULL) {
            return false;
        }
        for (uint32_t i = 0; s->names != NULL && i < slots; i++) {
            if (s->names[i] != 0) {
                *find_name(names, wanted, s->names[i]) = s->names[i];
            }
        }
        mem_free(s->names);
        s->names = names;
    }
    *find_name(s->names, wanted, hash) = hash;
    s->name_count++;
    return true;
}

/* ---- Keys ---- */

/* Service, kind, status; what follows are texts, each ended by a zero. */
static void begin_key(
    struct span_series_table *t, uint32_t service, enum span_kind kind, enum span_status status)
{
    uint8_t head[KEY_HEAD_BYTES];
    memcpy(head, &service, sizeof(service));
    head[4] = (uint8_t)kind;
    head[5] = (uint8_t)status;
    strbuf_reset(&t->key);
    strbuf_add(&t->key, head, sizeof(head));
}

static void add_dimension(
    struct span_series_table *t, const char *name, const struct otlp_span *span)
{
    struct str key = str_of(name);
    const struct attribute *a = attributes_get(span->span.attributes, key);
    a = a != NULL ? a : attributes_get(span->resource->attributes, key);
    if (a != NULL && a->kind == ATTRIBUTE_STRING) {
        guarded_text_add(a->bytes, &t->key);
    } else if (a != NULL) {
        strbuf_reset(&t->text);
        otlp_attribute_write_text(a, &t->text);
        guarded_text_add(strbuf_str(&t->text), &t->key);
    }
    strbuf_add_char(&t->key, '\0');
}

static void add_dimensions(struct span_series_table *t, const struct otlp_span *span)
{
    for (size_t i = 0; i < t->options.dimension_count; i++) {
        add_dimension(t, t->options.dimensions[i], span);
    }
}

/* ---- Series ---- */

static size_t find_slot(const struct span_series_table *t, struct str key, uint64_t hash)
{
    size_t slot = hash & (t->slot_count - 1);
    while (t->slots[slot] != 0) {
        const struct span_series *s = t->series[t->slots[slot] - 1];
        if (s->hash == hash && str_eq(s->key, key)) {
            break;
        }
        slot = (slot + 1) & (t->slot_count - 1);
    }
    return slot;
}

static int grow_slots(struct span_series_table *t)
{
    size_t count = t->slot_count * 2;
    uint32_t *slots = mem_calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < t->end; i++) {
        if (t->series[i] != NULL) {
            size_t slot = t->series[i]->hash & (count - 1);
            while (slots[slot] != 0) {
                slot = (slot + 1) & (count - 1);
            }
            slots[slot] = (uint32_t)i + 1;
        }
    }
    mem_free(t->slots);
    t->slots = slots;
    t->slot_count = count;
    return 0;
}

/* Room for one more series, and the number it gets. */
static int make_room(struct span_series_table *t, uint32_t *number_out)
{
    int status = (t->count + 1) * 2 > t->slot_count ? grow_slots(t) : 0;
    if (status == 0 && t->free_count == 0) {
        status = mem_array_grow(
            (void **)&t->series, &t->cap, t->end + 1, sizeof(*t->series), SPAN_SERIES_MAX * 2);
        *number_out = (uint32_t)t->end;
    } else if (status == 0) {
        *number_out = t->free_numbers[t->free_count - 1];
    }
    /* Whatever was made can be removed without memory. */
    return status != 0 ? status
                       : mem_array_grow((void **)&t->free_numbers, &t->free_cap, t->end + 1,
                             sizeof(*t->free_numbers), SPAN_SERIES_MAX * 2 + 1);
}

/* A series of the key at hand. */
static int add_series(struct span_series_table *t, uint64_t hash, struct str name,
    struct str dimensions, struct span_series **series_out)
{
    uint32_t number = 0;
    int status = make_room(t, &number);
    struct span_series *s = status == 0 ? mem_alloc(sizeof(*s) + t->key.size) : NULL;
    if (s == NULL) {
        return ERR_NOMEM;
    }
    *s = (struct span_series){.hash = hash, .number = number, .generation = ++t->generation};
    memcpy(s + 1, t->key.data, t->key.size);
    s->key = str_make((const char *)(s + 1), t->key.size);
    memcpy(&s->service, s->key.ptr, sizeof(s->service));
    s->kind = (enum span_kind)s->key.ptr[4];
    s->status = (enum span_status)s->key.ptr[5];
    latency_histogram_init(&s->latency);
    strbuf_init(&s->texts, KEY_BYTES_MAX * 2);
    strbuf_init(&s->labels, LABELS_BYTES_MAX);
    strbuf_add_str(&s->texts, name);
    strbuf_add_char(&s->texts, '\0');
    strbuf_add_str(&s->texts, dimensions);
    if (t->options.bucket_count > 0) {
        s->buckets = mem_calloc(t->options.bucket_count, sizeof(*s->buckets));
    }
    if (strbuf_error(&s->texts) != 0 || (t->options.bucket_count > 0 && s->buckets == NULL)) {
        free_series(s);
        return ERR_NOMEM;
    }
    s->name = str_make(s->texts.data, name.len);
    t->slots[find_slot(t, s->key, hash)] = number + 1;
    t->series[number] = s;
    t->free_count -= t->free_count > 0;
    t->end += number == t->end;
    t->count++;
    t->services[s->service].series++;
    *series_out = s;
    return 0;
}

/* The key at hand, found or made; a key that may not be made becomes that of the overflow. */
static int find_or_add(struct span_series_table *t, uint32_t service, const struct otlp_span *span,
    struct str name, int64_t now_ms, struct span_series **series_out)
{
    bool overflows = false;
    for (;;) {
        struct str key = strbuf_str(&t->key);
        if (strbuf_error(&t->key) != 0) {
            return strbuf_error(&t->key);
        }
        uint64_t hash = hash64(key.ptr, key.len, t->seed);
        size_t slot = find_slot(t, key, hash);
        t->statistics.overflowed_spans += overflows;
        if (t->slots[slot] != 0) {
            *series_out = t->series[t->slots[slot] - 1];
            return 0;
        }
        if (overflows || (t->count < t->options.series_max &&
                             t->services[service].series < t->options.service_series_max)) {
            size_t texts = KEY_HEAD_BYTES + name.len + 1;
            struct str dimensions =
                overflows ? STR("") : str_make(key.ptr + texts, key.len - texts);
            int status = add_series(t, hash, name, dimensions, series_out);
            if (status == 0) {
                (*series_out)->created_ms = now_ms - 1;
            }
            return status;
        }
        overflows = true;
        name = STR(SPAN_SERIES_OVERFLOW);
        begin_key(t, service, span->span.kind, span->span.status);
        strbuf_add_str(&t->key, name);
        strbuf_add_char(&t->key, '\0');
    }
}

int span_series_find(struct span_series_table *t, uint32_t service, const struct otlp_span *span,
    int64_t now_ms, struct span_series **series_out)
{
    struct str name = span->span.name;
    bool plain = name.len <= GUARDED_TEXT_BYTES_MAX;
    if (plain) {
        begin_key(t, service, span->span.kind, span->span.status);
        strbuf_add_str(&t->key, name);
        strbuf_add_char(&t->key, '\0');
        add_dimensions(t, span);
        struct str key = strbuf_str(&t->key);
        size_t slot = find_slot(t, key, hash64(key.ptr, key.len, t->seed));
        if (t->slots[slot] != 0) {
            *series_out = t->series[t->slots[slot] - 1];
            return strbuf_error(&t->key);
        }
    }
    /* A name that is new, or must not stand as it is. */
    struct strbuf label = STRBUF_INIT;
    if (keeps_name(t, &t->services[service], name)) {
        guarded_text_add(name, &label);
    } else {
        guarded_text_add_template(name, &label);
        t->statistics.templated_spans++;
    }
    begin_key(t, service, span->span.kind, span->span.status);
    strbuf_add_str(&t->key, strbuf_str(&label));
    strbuf_add_char(&t->key, '\0');
    add_dimensions(t, span);
    int status = strbuf_error(&label);
    status = status == 0 ? find_or_add(t, service, span, strbuf_str(&label), now_ms, series_out)
                         : status;
    strbuf_release(&label);
    return status;
}

struct span_series *span_series_get(
    const struct span_series_table *t, uint32_t number, uint32_t generation)
{
    struct span_series *s = number < t->end ? t->series[number] : NULL;
    return s != NULL && s->generation == generation ? s : NULL;
}

size_t span_series_end(const struct span_series_table *t)
{
    return t->end;
}

struct span_series *span_series_at(const struct span_series_table *t, size_t number)
{
    return t->series[number];
}

/* Takes the slot out, and moves up those that were pushed behind it. */
static void remove_slot(struct span_series_table *t, size_t slot)
{
    size_t mask = t->slot_count - 1;
    t->slots[slot] = 0;
    for (size_t next = (slot + 1) & mask; t->slots[next] != 0; next = (next + 1) & mask) {
        size_t home = t->series[t->slots[next] - 1]->hash & mask;
        if (((next - home) & mask) >= ((next - slot) & mask)) {
            t->slots[slot] = t->slots[next];
            t->slots[next] = 0;
            slot = next;
        }
    }
}

void span_series_remove(struct span_series_table *t, struct span_series *series)
{
    assert(t->free_count < t->free_cap);
    remove_slot(t, find_slot(t, series->key, series->hash));
    t->series[series->number] = NULL;
    t->free_numbers[t->free_count++] = series->number;
    t->count--;
    struct span_service *service = &t->services[series->service];
    service->series--;
    if (service->series == 0) { /* its names begin anew */
        mem_free(service->names);
        service->names = NULL;
        service->name_count = 0;
    }
    free_series(series);
}

struct str span_series_dimension(const struct span_series *series, size_t index)
{
    struct str rest = str_skip(strbuf_str(&series->texts), series->name.len + 1);
    struct str value = STR("");
    for (size_t i = 0; i <= index; i++) {
        value = str_split(&rest, '\0');
    }
    return value;
}

void span_series_statistics(
    const struct span_series_table *t, struct span_series_statistics *statistics_out)
{
    *statistics_out = t->statistics;
    statistics_out->series = t->count;
    statistics_out->services = t->service_count;
}
