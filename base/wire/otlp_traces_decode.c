/* The walker over ExportTraceServiceRequest.
 *
 *   TracesData{resource_spans 1}
 *   ResourceSpans{resource 1, scope_spans 2, schema_url 3}   Resource{attributes 1, dropped 2}
 *   ScopeSpans{scope 1, spans 2, schema_url 3}   Scope{name 1, version 2, attributes 3, dropped 4}
 *   Span{trace_id 1, span_id 2, trace_state 3, parent_span_id 4, name 5, kind 6, start 7, end 8,
 *        attributes 9, dropped 10, events 11, dropped 12, links 13, dropped 14, status 15, flags 16}
 *   Event{time 1, name 2, attributes 3, dropped 4}   Status{message 2, code 3}
 *   Link{trace_id 1, span_id 2, trace_state 3, attributes 4, dropped 5, flags 6}
 *
 * Fields may come in any order, so a resource is looked for before its spans are walked. The message was
 * checked as a whole when it began; what is left to judge here is what a span means.
 */
#include <assert.h>

#include "base/arena.h"
#include "base/mem.h"
#include "otlp_attribute.h"
#include "otlp_check.h"
#include "wire/otlp_traces.h"

struct otlp_traces {
    struct decbuf request, resource_spans, scope_spans; /* what is left of each */
    struct span_resource resource;
    struct span_scope scope;
    struct str resource_raw, scope_raw;
    uint64_t resource_number, scope_number;
    struct arena outer, inner; /* attributes of resource and scope; of a span */
    struct arena_mark scope_mark, inner_mark;
    uint64_t faults[OTLP_SPAN_FAULT_COUNT];
};

const char *otlp_span_fault_text(enum otlp_span_fault fault)
{
    static const char *const texts[OTLP_SPAN_FAULT_COUNT] = {
        "the trace id is not 16 bytes, or all zero", "the span id is not 8 bytes, or all zero",
        "a text is longer than 1 MiB"};
    return texts[fault];
}

int otlp_traces_new(struct otlp_traces **walker_out)
{
    struct otlp_traces *w = mem_calloc(1, sizeof(*w));
    if (w == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&w->outer, 0);
    arena_init(&w->inner, 0);
    bool kept =
        arena_alloc(&w->inner, 1) != NULL; /* so that going back to the mark keeps a block */
    w->inner_mark = arena_mark(&w->inner);
    if (!kept) {
        otlp_traces_free(w);
        return ERR_NOMEM;
    }
    *walker_out = w;
    return 0;
}

void otlp_traces_free(struct otlp_traces *walker)
{
    if (walker != NULL) {
        arena_release(&walker->outer);
        arena_release(&walker->inner);
        mem_free(walker);
    }
}

int otlp_traces_begin(struct otlp_traces *walker, struct str message, struct err *e)
{
    if (message.len > OTLP_TRACES_MAX) {
        return err_set(e, ERR_LIMIT, -1, "the message has %zu bytes, at most %zu are read",
            message.len, OTLP_TRACES_MAX);
    }
    int status = otlp_check(OTLP_MESSAGE_TRACES, message);
    if (status == ERR_LIMIT) {
        return err_set(
            e, status, -1, "values of attributes are nested deeper than %d", OTLP_VALUE_DEPTH_MAX);
    }
    if (status != 0) {
        return err_set(e, status, -1, "not an ExportTraceServiceRequest: malformed protobuf");
    }
    arena_release(&walker->outer);
    arena_rewind(&walker->inner, walker->inner_mark);
    struct arena outer = walker->outer, inner = walker->inner;
    *walker = (struct otlp_traces){.outer = outer,
        .inner = inner,
        .inner_mark = walker->inner_mark,
        .request = decbuf_of(message.ptr, message.len)};
    return 0;
}

uint64_t otlp_traces_faults(const struct otlp_traces *walker, enum otlp_span_fault fault)
{
    return walker->faults[fault];
}

/* ---- Lists ---- */

/* The `found` KeyValues that are field `number`; those beyond the limit are counted as dropped. */
static int read_counted(struct arena *arena, struct str message, uint32_t number, size_t found,
    struct attributes *list_out, uint32_t *dropped)
{
    size_t cap = found < OTLP_ATTRIBUTES_MAX ? found : OTLP_ATTRIBUTES_MAX;
    *list_out = (struct attributes){NULL, 0};
    *dropped += (uint32_t)(found - cap);
    if (cap == 0) {
        return 0;
    }
    struct attribute *items = arena_alloc(arena, cap * sizeof(*items));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    size_t count = 0;
    while (count < cap && protobuf_next(&in, &f)) {
        if (f.number == number) {
            int status = otlp_attribute_decode(f.bytes, &items[count++]);
            assert(status == 0); /* checked with the message */
            (void)status;
        }
    }
    *list_out = (struct attributes){items, count};
    return 0;
}

static int read_attributes(struct arena *arena, struct str message, uint32_t number,
    struct attributes *list_out, uint32_t *dropped)
{
    return read_counted(
        arena, message, number, otlp_count_fields(message, number), list_out, dropped);
}

static bool id_of(struct str bytes, struct trace_id *id_out)
{
    if (bytes.len != TRACE_ID_BYTES) {
        return false;
    }
    *id_out = trace_id_from_bytes((const uint8_t *)bytes.ptr);
    return !trace_id_is_zero(*id_out);
}

/* An id that is absent or of a wrong length is none. */
static uint64_t span_id_of(struct str bytes)
{
    return bytes.len == SPAN_ID_BYTES ? span_id_from_bytes((const uint8_t *)bytes.ptr) : 0;
}

static int read_event(struct str message, struct arena *arena, struct span_event *event)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    *event = (struct span_event){.name = STR("")};
    while (protobuf_next(&in, &f)) {
        switch (f.number) {
        case 1:
            event->time_ns = f.value;
            break;
        case 2:
            event->name = f.bytes;
            break;
        case 4:
            event->dropped_attributes = (uint32_t)f.value;
            break;
        default:
            break;
        }
    }
    return read_attributes(arena, message, 3, &event->attributes, &event->dropped_attributes);
}

static int read_link(struct str message, struct arena *arena, struct span_link *link)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    *link = (struct span_link){.trace_state = STR("")};
    while (protobuf_next(&in, &f)) {
        switch (f.number) {
        case 1:
            (void)id_of(f.bytes, &link->trace_id); /* a link to nowhere stays one */
            break;
        case 2:
            link->span_id = span_id_of(f.bytes);
            break;
        case 3:
            link->trace_state = f.bytes;
            break;
        case 5:
            link->dropped_attributes = (uint32_t)f.value;
            break;
        case 6:
            link->flags = (uint32_t)f.value;
            break;
        default:
            break;
        }
    }
    return read_attributes(arena, message, 4, &link->attributes, &link->dropped_attributes);
}

/* Events (field 11) and links (13), counted before. */
static int read_lists(
    struct arena *arena, struct str message, size_t events, size_t links, struct span *span)
{
    span->dropped_events += events > OTLP_EVENTS_MAX ? (uint32_t)(events - OTLP_EVENTS_MAX) : 0;
    span->dropped_links += links > OTLP_LINKS_MAX ? (uint32_t)(links - OTLP_LINKS_MAX) : 0;
    events = events < OTLP_EVENTS_MAX ? events : OTLP_EVENTS_MAX;
    links = links < OTLP_LINKS_MAX ? links : OTLP_LINKS_MAX;
    struct span_event *event_list = arena_alloc(arena, events * sizeof(*event_list));
    struct span_link *link_list = arena_alloc(arena, links * sizeof(*link_list));
    int status = event_list == NULL || link_list == NULL ? ERR_NOMEM : 0;
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    while (status == 0 && protobuf_next(&in, &f)) {
        if (f.number == 11 && span->event_count < events) {
            status = read_event(f.bytes, arena, &event_list[span->event_count++]);
        } else if (f.number == 13 && span->link_count < links) {
            status = read_link(f.bytes, arena, &link_list[span->link_count++]);
        }
    }
    span->events = event_list;
    span->links = link_list;
    return status;
}

/* ---- A span ---- */

static void read_status(struct str message, struct span *span)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    while (protobuf_next(&in, &f)) {
        if (f.number == 2) {
            span->status_message = f.bytes;
        } else if (f.number == 3) {
            span->status =
                f.value < SPAN_STATUS_COUNT ? (enum span_status)f.value : SPAN_STATUS_UNSET;
        }
    }
}

/* How many of a span's lists there are, and where the first attributes are: those of nearly all spans. */
enum { FOUND_MAX = 32 };
struct span_lists {
    size_t attributes, events, links;
    struct str found[FOUND_MAX];
};

/* What its own fields say. */
static void read_fields(struct str message, struct span *span, struct str *trace_id,
    struct str *span_id, struct span_lists *lists)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    while (protobuf_next(&in, &f)) {
        switch (f.number) {
        case 1:
            *trace_id = f.bytes;
            break;
        case 2:
            *span_id = f.bytes;
            break;
        case 3:
            span->trace_state = f.bytes;
            break;
        case 4:
            span->parent_id = span_id_of(f.bytes);
            break;
        case 5:
            span->name = f.bytes;
            break;
        case 6:
            span->kind =
                f.value < SPAN_KIND_COUNT ? (enum span_kind)f.value : SPAN_KIND_UNSPECIFIED;
            break;
        case 7:
            span->start_ns = f.value;
            break;
        case 8:
            span->end_ns = f.value;
            break;
        case 9:
            lists->found[lists->attributes % FOUND_MAX] = f.bytes;
            lists->attributes++;
            break;
        case 10:
            span->dropped_attributes = (uint32_t)f.value;
            break;
        case 11:
            lists->events++;
            break;
        case 12:
            span->dropped_events = (uint32_t)f.value;
            break;
        case 13:
            lists->links++;
            break;
        case 14:
            span->dropped_links = (uint32_t)f.value;
            break;
        case 15:
            read_status(f.bytes, span);
            break;
        case 16:
            span->flags = (uint32_t)f.value;
            break;
        default:
            break;
        }
    }
}

static bool has_long_text(const struct span *span)
{
    return span->name.len > OTLP_TEXT_BYTES_MAX || span->status_message.len > OTLP_TEXT_BYTES_MAX ||
           span->trace_state.len > OTLP_TEXT_BYTES_MAX;
}

static bool has_long_attribute(struct attributes list)
{
    for (size_t i = 0; i < list.count; i++) {
        const struct attribute *a = &list.items[i];
        bool text =
            a->kind != ATTRIBUTE_BOOL && a->kind != ATTRIBUTE_INT && a->kind != ATTRIBUTE_DOUBLE;
        if (a->key.len > OTLP_TEXT_BYTES_MAX || (text && a->bytes.len > OTLP_TEXT_BYTES_MAX)) {
            return true;
        }
    }
    return false;
}

/* Its own fields: 1; 0 with the fault. */
static int read_head(struct str message, struct span *span, struct span_lists *lists,
    enum otlp_span_fault *fault_out)
{
    struct str trace_id = STR(""), span_id = STR("");
    lists->attributes = lists->events = lists->links = 0;
    *span = (struct span){.name = STR(""), .status_message = STR(""), .trace_state = STR("")};
    read_fields(message, span, &trace_id, &span_id, lists);
    span->span_id = span_id_of(span_id);
    if (!id_of(trace_id, &span->trace_id)) {
        *fault_out = OTLP_SPAN_TRACE_ID;
        return 0;
    }
    if (span->span_id == 0) {
        *fault_out = OTLP_SPAN_ID;
        return 0;
    }
    return 1;
}

static int skim_span(struct str message, struct span *span, enum otlp_span_fault *fault_out)
{
    struct span_lists lists;
    return read_head(message, span, &lists, fault_out);
}

/* The attributes that were found where the span's own fields were read. */
static int read_found(
    struct arena *arena, const struct str *found, size_t count, struct attributes *list_out)
{
    struct attribute *items = count > 0 ? arena_alloc(arena, count * sizeof(*items)) : NULL;
    if (count > 0 && items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int status = otlp_attribute_decode(found[i], &items[i]);
        assert(status == 0); /* checked with the message */
        (void)status;
    }
    *list_out = (struct attributes){items, count};
    return 0;
}

/* 1; 0 with the fault; ERR_NOMEM. */
static int read_span(
    struct str message, struct arena *arena, struct span *span, enum otlp_span_fault *fault_out)
{
    struct span_lists lists;
    if (read_head(message, span, &lists, fault_out) == 0) {
        return 0;
    }
    int status = lists.attributes <= FOUND_MAX
                     ? read_found(arena, lists.found, lists.attributes, &span->attributes)
                     : read_counted(arena, message, 9, lists.attributes, &span->attributes,
                           &span->dropped_attributes);
    if (status == 0 && lists.events + lists.links > 0) {
        status = read_lists(arena, message, lists.events, lists.links, span);
    }
    if (status != 0) {
        return status;
    }
    if (message.len <= OTLP_TEXT_BYTES_MAX) {
        return 1; /* no text of it can be too long */
    }
    if (has_long_text(span) || has_long_attribute(span->attributes)) {
        *fault_out = OTLP_SPAN_TOO_LONG;
        return 0;
    }
    return 1;
}

/* ---- Messages by themselves ---- */

int otlp_span_decode_checked(struct str raw, struct arena *arena, struct span *span_out)
{
    enum otlp_span_fault fault;
    int status = read_span(raw, arena, span_out, &fault);
    return status == 1 ? 0 : status == 0 ? ERR_CORRUPT : status;
}

int otlp_span_decode(struct str raw, struct arena *arena, struct span *span_out)
{
    return otlp_check(OTLP_MESSAGE_SPAN, raw) != 0 ? ERR_CORRUPT
                                                   : otlp_span_decode_checked(raw, arena, span_out);
}

int otlp_event_decode(struct str raw, struct arena *arena, struct span_event *event_out)
{
    return otlp_check(OTLP_MESSAGE_EVENT, raw) != 0 ? ERR_CORRUPT
                                                    : read_event(raw, arena, event_out);
}

int otlp_link_decode(struct str raw, struct arena *arena, struct span_link *link_out)
{
    return otlp_check(OTLP_MESSAGE_LINK, raw) != 0 ? ERR_CORRUPT : read_link(raw, arena, link_out);
}

int otlp_key_value_decode(struct str raw, struct attribute *attribute_out)
{
    return otlp_check(OTLP_MESSAGE_KEY_VALUE, raw) != 0 ? ERR_CORRUPT
                                                        : otlp_attribute_decode(raw, attribute_out);
}

static int read_resource(struct str message, struct arena *arena, struct span_resource *resource)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    while (protobuf_next(&in, &f)) {
        if (f.number == 2) {
            resource->dropped_attributes = (uint32_t)f.value;
        }
    }
    return read_attributes(arena, message, 1, &resource->attributes, &resource->dropped_attributes);
}

int otlp_resource_decode(struct str raw, struct arena *arena, struct span_resource *resource_out)
{
    *resource_out = (struct span_resource){0};
    return otlp_check(OTLP_MESSAGE_RESOURCE, raw) != 0 ? ERR_CORRUPT
                                                       : read_resource(raw, arena, resource_out);
}

static int read_scope(struct str message, struct arena *arena, struct span_scope *scope)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    while (protobuf_next(&in, &f)) {
        switch (f.number) {
        case 1:
            scope->name = f.bytes;
            break;
        case 2:
            scope->version = f.bytes;
            break;
        case 4:
            scope->dropped_attributes = (uint32_t)f.value;
            break;
        default:
            break;
        }
    }
    return read_attributes(arena, message, 3, &scope->attributes, &scope->dropped_attributes);
}

int otlp_scope_decode(struct str raw, struct arena *arena, struct span_scope *scope_out)
{
    *scope_out = (struct span_scope){.name = STR(""), .version = STR("")};
    return otlp_check(OTLP_MESSAGE_SCOPE, raw) != 0 ? ERR_CORRUPT
                                                    : read_scope(raw, arena, scope_out);
}

/* ---- Walking ---- */

/* The first field 1 of a message; empty when there is none. Field 3 is its schema URL. */
static struct str find_owner(struct str message, struct str *schema_url)
{
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    struct str owner = STR("");
    *schema_url = STR("");
    while (protobuf_next(&in, &f)) {
        if (f.number == 1) {
            owner = f.bytes;
        } else if (f.number == 3) {
            *schema_url = f.bytes;
        }
    }
    return owner;
}

static int enter_resource(struct otlp_traces *w, struct str message)
{
    arena_release(&w->outer);
    w->resource = (struct span_resource){0};
    w->resource_raw = find_owner(message, &w->resource.schema_url);
    w->resource_number++;
    w->resource_spans = decbuf_of(message.ptr, message.len);
    int status = read_resource(w->resource_raw, &w->outer, &w->resource);
    w->scope_mark = arena_mark(&w->outer);
    return status;
}

static int enter_scope(struct otlp_traces *w, struct str message)
{
    arena_rewind(&w->outer, w->scope_mark);
    w->scope = (struct span_scope){.name = STR(""), .version = STR("")};
    w->scope_raw = find_owner(message, &w->scope.schema_url);
    w->scope_number++;
    w->scope_spans = decbuf_of(message.ptr, message.len);
    return read_scope(w->scope_raw, &w->outer, &w->scope);
}

/* The next field `number` of what is left: false at its end. */
static bool next_field(struct decbuf *in, uint32_t number, struct str *bytes_out)
{
    struct protobuf_field f;
    while (protobuf_next(in, &f)) {
        if (f.number == number) {
            *bytes_out = f.bytes;
            return true;
        }
    }
    return false;
}

static int next(struct otlp_traces *w, bool skim, struct otlp_span *span_out)
{
    struct str message;
    for (;;) {
        int status = 0;
        if (next_field(&w->scope_spans, 2, &message)) {
            arena_rewind(&w->inner, w->inner_mark);
            enum otlp_span_fault fault;
            /* No text of a short span is too long: nothing but its ids and times need be looked at. */
            status = skim && message.len <= OTLP_TEXT_BYTES_MAX
                         ? skim_span(message, &span_out->span, &fault)
                         : read_span(message, &w->inner, &span_out->span, &fault);
            if (status == 0) {
                w->faults[fault]++;
            } else if (status == 1) {
                span_out->resource = &w->resource;
                span_out->scope = &w->scope;
                span_out->raw = message;
                span_out->resource_raw = w->resource_raw;
                span_out->scope_raw = w->scope_raw;
                span_out->resource_number = w->resource_number;
                span_out->scope_number = w->scope_number;
                return 1;
            }
        } else if (next_field(&w->resource_spans, 2, &message)) {
            status = enter_scope(w, message);
        } else if (next_field(&w->request, 1, &message)) {
            status = enter_resource(w, message);
        } else {
            return 0;
        }
        if (status != 0) {
            return status;
        }
    }
}

int otlp_traces_next(struct otlp_traces *walker, struct otlp_span *span_out)
{
    return next(walker, false, span_out);
}

int otlp_traces_skim(struct otlp_traces *walker, struct otlp_span *span_out)
{
    return next(walker, true, span_out);
}
