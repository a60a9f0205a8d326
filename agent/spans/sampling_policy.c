/* Marks and decisions. */
#include "spans/sampling_policy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "model/sketch.h"

enum {
    RANDOM_BITS = 56,
    THRESHOLD_DIGITS = 14,
    SEEN_SLOTS = 1 << 16, /* of how often combinations were seen */
    SERVICE_SLOTS_MIN = 64,
    MINUTE_MS = 60000,
    /* Durations of a service in a minute, of which a quantile is believed. */
    QUANTILE_SAMPLES_MIN = 100,
};

/* Marks: one bit for all, then three for each policy. */
#define MARK_ERROR ((uint64_t)1)
#define MARK_QUANTILE(policy) ((uint64_t)2 << ((policy)*3))
#define MARK_RARE(policy) ((uint64_t)4 << ((policy)*3))
#define MARK_ATTRIBUTES(policy) ((uint64_t)8 << ((policy)*3))

struct policy {
    const struct sampling_policy_config *config;
    uint64_t threshold; /* of the randomness */
    char digits[THRESHOLD_DIGITS + 1];
    double tokens; /* of the limit of spans a second */
    int64_t filled_ms;
};

struct service {
    uint64_t hash;
    struct sketch durations;                 /* of the minute under way */
    double quantiles[SAMPLING_POLICIES_MAX]; /* of the one before, in seconds; 0: not known */
    bool settled;                            /* there are some */
};

struct sampling_policies {
    struct clock *clock;
    uint64_t seed;
    struct policy items[SAMPLING_POLICIES_MAX];
    size_t count;
    bool wants_quantiles, wants_rare;
    struct service *services;
    size_t service_count, service_cap;
    uint32_t *service_slots; /* place + 1; at most half full */
    size_t service_slot_count;
    uint16_t *seen, *seen_before; /* of this minute, and of the one before */
    int64_t minute_ms;            /* monotonic: when it began */
};

/* ---- Making ---- */

static void set_threshold(struct policy *p, double percent)
{
    static const char hex[] = "0123456789abcdef";
    double share = ldexp(1, RANDOM_BITS) * (percent / 100);
    p->threshold = ((uint64_t)1 << RANDOM_BITS) - (uint64_t)share;
    if (p->threshold == 0 || percent <= 0) {
        return; /* all of them, or none: no threshold says that */
    }
    for (int i = 0; i < THRESHOLD_DIGITS; i++) {
        p->digits[i] = hex[p->threshold >> (RANDOM_BITS - 4 * (i + 1)) & 15];
    }
    for (int i = THRESHOLD_DIGITS; i > 1 && p->digits[i - 1] == '0'; i--) {
        p->digits[i - 1] = '\0';
    }
}

static int check_policy(const struct sampling_policy_config *c, struct err *e)
{
    if (!(c->percent >= 0 && c->percent <= 100)) {
        return err_set(e, ERR_INVALID, -1,
            "traces: sampling: policy %s: percent must be from 0 to 100", c->name);
    }
    if (!(c->latency_quantile >= 0 && c->latency_quantile < 1)) {
        return err_set(e, ERR_INVALID, -1,
            "traces: sampling: policy %s: latency_quantile must be from 0 to below 1", c->name);
    }
    return 0;
}

static int make_policies(
    struct sampling_policies *p, const struct sampling_config *config, struct err *e)
{
    const struct sampling_policy_config *items = config->policies.items;
    if (config->policies.count > SAMPLING_POLICIES_MAX) {
        return err_set(e, ERR_INVALID, -1, "traces: sampling: %zu policies; at most %d",
            config->policies.count, SAMPLING_POLICIES_MAX);
    }
    for (size_t i = 0; i < config->policies.count; i++) {
        int status = check_policy(&items[i], e);
        if (status != 0) {
            return status;
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(items[k].name, items[i].name) == 0) {
                return err_set(e, ERR_INVALID, -1, "traces: sampling: two policies are named %s",
                    items[i].name);
            }
        }
        struct policy *policy = &p->items[p->count++];
        policy->config = &items[i];
        policy->filled_ms = clock_monotonic_ms(p->clock);
        policy->tokens = (double)items[i].spans_per_second_max;
        set_threshold(policy, items[i].percent);
        p->wants_quantiles = p->wants_quantiles || items[i].latency_quantile > 0;
        p->wants_rare = p->wants_rare || items[i].rare > 0;
    }
    return 0;
}

int sampling_policies_new(const struct sampling_config *config, struct clock *clock,
    struct sampling_policies **policies_out, struct err *e)
{
    struct sampling_policies *p = mem_calloc(1, sizeof(*p));
    if (p == NULL) {
        return err_set(e, ERR_NOMEM, -1, "out of memory for sampling");
    }
    p->clock = clock;
    p->seed = hash_seed_random();
    p->minute_ms = clock_monotonic_ms(clock);
    int status = make_policies(p, config, e);
    if (status == 0) {
        p->service_slots = mem_calloc(SERVICE_SLOTS_MIN, sizeof(*p->service_slots));
        p->service_slot_count = SERVICE_SLOTS_MIN;
        p->seen = mem_calloc(SEEN_SLOTS, sizeof(*p->seen));
        p->seen_before = mem_calloc(SEEN_SLOTS, sizeof(*p->seen_before));
        if (p->service_slots == NULL || p->seen == NULL || p->seen_before == NULL) {
            status = err_set(e, ERR_NOMEM, -1, "out of memory for sampling");
        }
    }
    if (status != 0) {
        sampling_policies_free(p);
        return status;
    }
    *policies_out = p;
    return 0;
}

void sampling_policies_free(struct sampling_policies *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->service_count; i++) {
        sketch_release(&p->services[i].durations);
    }
    mem_free(p->services);
    mem_free(p->service_slots);
    mem_free(p->seen);
    mem_free(p->seen_before);
    mem_free(p);
}

size_t sampling_policies_count(const struct sampling_policies *p)
{
    return p->count;
}

const char *sampling_policy_name(const struct sampling_policies *p, size_t index)
{
    return p->items[index].config->name;
}

/* ---- Services ---- */

static uint32_t *find_service(const struct sampling_policies *p, uint64_t hash)
{
    size_t slot = hash & (p->service_slot_count - 1);
    while (p->service_slots[slot] != 0 && p->services[p->service_slots[slot] - 1].hash != hash) {
        slot = (slot + 1) & (p->service_slot_count - 1);
    }
    return &p->service_slots[slot];
}

static bool grow_services(struct sampling_policies *p)
{
    size_t count = p->service_slot_count * 2;
    uint32_t *slots = mem_calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    mem_free(p->service_slots);
    p->service_slots = slots;
    p->service_slot_count = count;
    for (size_t i = 0; i < p->service_count; i++) {
        *find_service(p, p->services[i].hash) = (uint32_t)i + 1;
    }
    return true;
}

uint32_t sampling_policies_service(struct sampling_policies *p, struct str name)
{
    uint64_t hash = hash64(name.ptr, name.len, p->seed);
    uint32_t *slot = find_service(p, hash);
    if (*slot != 0) {
        return *slot - 1;
    }
    if (mem_array_grow((void **)&p->services, &p->service_cap, p->service_count + 1,
            sizeof(*p->services), SAMPLING_SERVICES_MAX) != 0 ||
        ((p->service_count + 1) * 2 > p->service_slot_count && !grow_services(p))) {
        return UINT32_MAX;
    }
    struct service *s = &p->services[p->service_count++];
    *s = (struct service){.hash = hash};
    sketch_init(&s->durations);
    *find_service(p, hash) = (uint32_t)p->service_count;
    return (uint32_t)p->service_count - 1;
}

/* The quantiles of what was seen hold from now on. */
static void settle_quantiles(struct sampling_policies *p, struct service *s)
{
    for (size_t i = 0; i < p->count; i++) {
        double q = p->items[i].config->latency_quantile;
        bool known = q > 0 && s->durations.count >= QUANTILE_SAMPLES_MIN;
        s->quantiles[i] = known ? sketch_quantile(&s->durations, q) : s->quantiles[i];
        s->settled = s->settled || known;
    }
}

void sampling_policies_step(struct sampling_policies *p)
{
    int64_t now = clock_monotonic_ms(p->clock);
    if (now - p->minute_ms < MINUTE_MS) {
        return;
    }
    p->minute_ms = now;
    for (size_t i = 0; i < p->service_count; i++) {
        settle_quantiles(p, &p->services[i]);
        sketch_reset(&p->services[i].durations);
    }
    uint16_t *before = p->seen_before;
    p->seen_before = p->seen;
    p->seen = before;
    memset(p->seen, 0, SEEN_SLOTS * sizeof(*p->seen));
}

/* ---- Marks ---- */

static uint64_t mark_slow(struct sampling_policies *p, struct service *s, const struct span *span)
{
    uint64_t marks = 0;
    double seconds = (double)span_duration_ns(span) / 1e9;
    if (span->kind != SPAN_KIND_SERVER && span->kind != SPAN_KIND_CONSUMER &&
        span->parent_id != 0) {
        return 0;
    }
    for (size_t i = 0; i < p->count; i++) {
        double quantile = s->quantiles[i];
        marks |= quantile > 0 && seconds > quantile ? MARK_QUANTILE(i) : 0;
    }
    (void)sketch_add(&s->durations, seconds); /* without memory it is not known */
    if (s->durations.count == QUANTILE_SAMPLES_MIN && !s->settled) {
        settle_quantiles(p, s); /* not a minute without any */
    }
    return marks;
}

/* Combinations share slots where their hashes meet: one of them then looks less rare than it is. */
static uint64_t mark_rare(
    struct sampling_policies *p, const struct service *s, const struct span *span)
{
    uint64_t marks = 0;
    uint64_t hash = hash64(span->name.ptr, span->name.len, p->seed ^ s->hash);
    hash = hash_mix64(hash ^ (uint64_t)span->kind << 8 ^ (uint64_t)span->status);
    uint16_t *seen = &p->seen[hash & (SEEN_SLOTS - 1)];
    int64_t times = (int64_t)*seen + p->seen_before[hash & (SEEN_SLOTS - 1)];
    for (size_t i = 0; i < p->count; i++) {
        marks |= times < p->items[i].config->rare ? MARK_RARE(i) : 0;
    }
    *seen += *seen < UINT16_MAX;
    return marks;
}

static bool has_text(const struct attribute *a, struct str text)
{
    if (a->kind == ATTRIBUTE_STRING) {
        return str_eq(a->bytes, text);
    }
    struct strbuf own = STRBUF_INIT;
    otlp_attribute_write_text(a, &own);
    bool same = str_eq(strbuf_str(&own), text);
    strbuf_release(&own);
    return same;
}

static bool has_attributes(const struct config_map *wanted, const struct otlp_span *span)
{
    for (size_t i = 0; i < wanted->count; i++) {
        struct str key = str_of(wanted->items[i].key);
        const struct attribute *a = attributes_get(span->span.attributes, key);
        a = a != NULL ? a : attributes_get(span->resource->attributes, key);
        if (a == NULL || !has_text(a, str_of(wanted->items[i].value))) {
            return false;
        }
    }
    return true;
}

uint64_t sampling_policies_mark(
    struct sampling_policies *p, uint32_t service, const struct otlp_span *span)
{
    uint64_t marks = span->span.status == SPAN_STATUS_ERROR ? MARK_ERROR : 0;
    if (service != UINT32_MAX && p->wants_quantiles) {
        marks |= mark_slow(p, &p->services[service], &span->span);
    }
    if (service != UINT32_MAX && p->wants_rare) {
        marks |= mark_rare(p, &p->services[service], &span->span);
    }
    for (size_t i = 0; i < p->count; i++) {
        const struct config_map *wanted = &p->items[i].config->attributes;
        marks |= wanted->count > 0 && has_attributes(wanted, span) ? MARK_ATTRIBUTES(i) : 0;
    }
    return marks;
}

/* ---- Decisions ---- */

/* Are there tokens for so many spans? They are taken. A trace larger than a second's is let through once
 * all tokens are there, and leaves a debt. */
static bool take_tokens(struct sampling_policies *p, struct policy *policy, uint32_t spans)
{
    double most = (double)policy->config->spans_per_second_max;
    int64_t now = clock_monotonic_ms(p->clock);
    if (most == 0) {
        return true;
    }
    policy->tokens += (double)(now - policy->filled_ms) / 1000 * most;
    policy->tokens = policy->tokens < most ? policy->tokens : most;
    policy->filled_ms = now;
    if (policy->tokens < spans && policy->tokens < most) {
        return false;
    }
    policy->tokens -= spans;
    return true;
}

static bool holds(struct sampling_policies *p, size_t index, const struct sampling_facts *facts)
{
    struct policy *policy = &p->items[index];
    const struct sampling_policy_config *c = policy->config;
    uint64_t wanted = (c->error ? MARK_ERROR : 0) |
                      (c->latency_quantile > 0 ? MARK_QUANTILE(index) : 0) |
                      (c->rare > 0 ? MARK_RARE(index) : 0) |
                      (c->attributes.count > 0 ? MARK_ATTRIBUTES(index) : 0);
    return (facts->marks & wanted) == wanted &&
           (c->latency_ms == 0 || facts->duration_ns > (uint64_t)c->latency_ms * 1000000) &&
           facts->randomness >= policy->threshold && take_tokens(p, policy, facts->spans);
}

int sampling_policies_decide(
    struct sampling_policies *p, const struct sampling_facts *facts, bool *kept_out)
{
    for (size_t i = 0; i < p->count; i++) {
        if (holds(p, i, facts)) {
            *kept_out = !p->items[i].config->drop;
            return (int)i;
        }
    }
    *kept_out = false;
    return -1;
}

/* ---- Trace states ---- */

struct str sampling_policy_threshold(const struct sampling_policies *p, size_t index)
{
    return str_of(p->items[index].digits);
}

/* The member `key` of a list such as "a=1,ot=th:c;rv:…"; ptr NULL when there is none. */
static struct str find_member(struct str list, char separator, char equals, const char *key)
{
    while (list.len > 0) {
        struct str member = str_trim(str_split(&list, separator));
        struct str name = str_split(&member, equals);
        if (str_eq_c(name, key)) {
            return member;
        }
    }
    return (struct str){NULL, 0};
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint64_t sampling_randomness(const struct span *span)
{
    uint64_t own = span->trace_id.low & (((uint64_t)1 << RANDOM_BITS) - 1), value = 0;
    if (span->trace_state.len == 0) {
        return own;
    }
    struct str ot = find_member(span->trace_state, ',', '=', "ot");
    struct str rv = find_member(ot, ';', ':', "rv");
    if (rv.len != THRESHOLD_DIGITS) {
        return own;
    }
    for (size_t i = 0; i < rv.len; i++) {
        int digit = hex_digit(rv.ptr[i]);
        if (digit < 0) {
            return own;
        }
        value = value << 4 | (uint64_t)digit;
    }
    return value;
}

void sampling_write_state(struct str state, struct str threshold, struct strbuf *out)
{
    struct strbuf made = STRBUF_INIT;
    strbuf_add_c(&made, "ot=th:");
    strbuf_add_str(&made, threshold);
    if (span_adjusted_count(state) >= span_adjusted_count(strbuf_str(&made))) {
        strbuf_add_str(out, state);
        strbuf_release(&made);
        return;
    }
    struct str ot = find_member(state, ',', '=', "ot");
    while (ot.len > 0) {
        struct str part = str_split(&ot, ';');
        if (part.len > 0 && !str_starts_with(part, STR("th:"))) {
            strbuf_add_char(&made, ';');
            strbuf_add_str(&made, part);
        }
    }
    while (state.len > 0) { /* what was changed stands first, as W3C wants it */
        struct str member = str_trim(str_split(&state, ','));
        if (member.len > 0 && !str_starts_with(member, STR("ot="))) {
            strbuf_add_char(&made, ',');
            strbuf_add_str(&made, member);
        }
    }
    strbuf_add_str(out, strbuf_str(&made));
    strbuf_release(&made);
}
