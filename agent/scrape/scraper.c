/* All targets of the agent. */
#include "scrape/scraper.h"

#include <string.h>

#include "base/mem.h"
#include "base/metrics.h"

/* The step is called in each turn of the loop, and goes through the targets only when one is due. */
enum { STEP_MS_MAX = 10000 };

static const double late_bounds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5};
static struct metric lateness = {
    .name = "agent_scrape_lateness_seconds",
    .help = "How late scrapes began",
    .kind = METRIC_HISTOGRAM,
    .scale = 1e-3,
    .bounds = late_bounds,
    .bound_count = sizeof(late_bounds) / sizeof(late_bounds[0]),
};

/* A target and the strings its options borrow. */
struct slot {
    struct target *target;
    const struct labels *labels, *discovered, *external;
    struct relabel *metric_relabel;
    char *url;
    struct arena arena; /* of the profile, where there is one */
    bool kept;          /* while a new set is put together */
};

struct scraper {
    struct clock *clock;
    struct http_client *client;
    struct intake *intake;
    struct metric_metadata metadata;
    int64_t metadata_sent_ms, metadata_swept_ms;
    struct slot *slots;
    int64_t *due_ms; /* of each slot, monotonic: it has nothing to do before; 0: in the next turn */
    int64_t next_ms; /* the least of them; 0: not known */
    size_t count;
};

int scraper_new(struct clock *clock, struct http_client *client, struct intake *intake,
    struct scraper **scraper_out)
{
    struct scraper *s = mem_calloc(1, sizeof(*s));
    int status = s == NULL ? ERR_NOMEM : metrics_register(&lateness);
    if (status != 0) {
        mem_free(s);
        return status;
    }
    s->clock = clock;
    s->client = client;
    s->intake = intake;
    s->metadata_sent_ms = s->metadata_swept_ms = clock_monotonic_ms(clock);
    *scraper_out = s;
    return 0;
}

static void slot_release(struct slot *slot, bool gone)
{
    target_free(slot->target, gone);
    labels_unref(slot->labels);
    labels_unref(slot->discovered);
    labels_unref(slot->external);
    relabel_unref(slot->metric_relabel);
    mem_free(slot->url);
    arena_release(&slot->arena);
    *slot = (struct slot){0};
}

void scraper_free(struct scraper *s)
{
    if (s == NULL) {
        return;
    }
    /* No stale markers at shutdown: the next start goes on where this one ended. */
    for (size_t i = 0; i < s->count; i++) {
        slot_release(&s->slots[i], false);
    }
    mem_free(s->slots);
    mem_free(s->due_ms);
    metric_metadata_release(&s->metadata);
    mem_free(s);
}

/* A target has more to send than an answer should take. */
static void on_target_wakes(void *context, struct target *t)
{
    struct scraper *s = context;
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].target == t) {
            s->due_ms[i] = 0;
        }
    }
    s->next_ms = 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_labels(const struct labels *a, const struct labels *b)
{
    return a == NULL || b == NULL ? a == b : labels_eq(a, b);
}

static bool same_profile(const struct http_profile *a, const struct http_profile *b)
{
    return a == NULL || b == NULL ? a == b : http_profile_eq(a, b);
}

/* Both are effective options: defaults are filled in. What was known before relabelling does not count:
 * it changes while the target stays what it is. */
static bool same_target(const struct target_options *a, const struct target_options *b)
{
    return same_text(a->url, b->url) && labels_eq(a->labels, b->labels) && a->expose == b->expose &&
           a->expose_context == b->expose_context && a->interval_ms == b->interval_ms &&
           a->timeout_ms == b->timeout_ms && a->honor_labels == b->honor_labels &&
           a->honor_timestamps == b->honor_timestamps && a->body_max == b->body_max &&
           a->sample_limit == b->sample_limit && a->label_limit == b->label_limit &&
           a->label_name_limit == b->label_name_limit &&
           a->label_value_limit == b->label_value_limit && a->bucket_limit == b->bucket_limit &&
           a->track_timestamps == b->track_timestamps &&
           a->native_histograms == b->native_histograms &&
           a->classic_histograms == b->classic_histograms && a->fallback == b->fallback &&
           a->no_fallback == b->no_fallback && same_text(a->forced_error, b->forced_error) &&
           a->seed == b->seed && same_labels(a->external, b->external) &&
           relabel_eq(a->metric_relabel, b->metric_relabel) && same_profile(a->profile, b->profile);
}

/* The present set by the hash of its labels: chains of slots, by index + 1. */
struct slot_index {
    uint32_t *heads, *next;
    size_t head_count; /* a power of two */
};

static int slot_index_make(struct slot_index *x, const struct scraper *s)
{
    for (x->head_count = 16; x->head_count < s->count; x->head_count *= 2) {
    }
    x->heads = mem_calloc(x->head_count, sizeof(*x->heads));
    x->next = mem_calloc(s->count, sizeof(*x->next));
    if (x->heads == NULL || (x->next == NULL && s->count > 0)) {
        return ERR_NOMEM;
    }
    for (size_t i = s->count; i-- > 0;) {
        size_t at = labels_hash(s->slots[i].labels) & (x->head_count - 1);
        x->next[i] = x->heads[at];
        x->heads[at] = (uint32_t)i + 1;
    }
    return 0;
}

static void slot_index_release(struct slot_index *x)
{
    mem_free(x->heads);
    mem_free(x->next);
}

/* A slot of the present set that may go on as this target. */
static struct slot *find_kept(
    struct scraper *s, const struct slot_index *x, const struct target_options *wanted)
{
    struct target_options effective = target_options_effective(wanted);
    size_t at = labels_hash(wanted->labels) & (x->head_count - 1);
    for (uint32_t i = x->heads[at]; i != 0; i = x->next[i - 1]) {
        struct slot *slot = &s->slots[i - 1];
        if (!slot->kept && same_target(target_options(slot->target), &effective)) {
            return slot;
        }
    }
    return NULL;
}

/* Whether a slot of the present set that is not kept waits for an answer of what the target is about: the target is
 * the same with other settings, and the scrape must not be lost. */
static bool is_asked_already(
    struct scraper *s, const struct slot_index *x, const struct target_options *wanted)
{
    size_t at = labels_hash(wanted->labels) & (x->head_count - 1);
    for (uint32_t i = x->heads[at]; i != 0; i = x->next[i - 1]) {
        const struct slot *slot = &s->slots[i - 1];
        if (!slot->kept && target_is_asked(slot->target) &&
            labels_eq(slot->labels, wanted->labels) && same_text(slot->url, wanted->url)) {
            return true;
        }
    }
    return false;
}

static int make_slot(struct scraper *s, const struct target_options *wanted, struct slot *slot_out)
{
    struct slot slot = {.labels = labels_ref(wanted->labels),
        .discovered = wanted->discovered != NULL ? labels_ref(wanted->discovered) : NULL,
        .external = wanted->external != NULL ? labels_ref(wanted->external) : NULL,
        .metric_relabel = relabel_ref(wanted->metric_relabel)};
    struct target_options options = *wanted;
    int status = 0;
    if (wanted->url != NULL) {
        slot.url = mem_strdup(wanted->url);
        status = slot.url == NULL ? ERR_NOMEM : 0;
        options.url = slot.url;
    }
    arena_init(&slot.arena, 0);
    if (status == 0 && wanted->forced_error != NULL) {
        options.forced_error =
            arena_strndup(&slot.arena, wanted->forced_error, strlen(wanted->forced_error));
        status = options.forced_error == NULL ? arena_error(&slot.arena) : 0;
    }
    if (status == 0 && wanted->profile != NULL) {
        struct http_profile *profile = arena_alloc(&slot.arena, sizeof(*profile));
        status = profile != NULL ? http_profile_copy(wanted->profile, &slot.arena, profile)
                                 : arena_error(&slot.arena);
        options.profile = profile;
    }
    if (status == 0) {
        status = target_new(&options, s->clock, s->client, s->intake, &s->metadata, &slot.target);
    }
    if (status != 0) {
        slot_release(&slot, false);
        return status;
    }
    target_set_wake(slot.target, on_target_wakes, s);
    *slot_out = slot;
    return 0;
}

static void set_discovered(struct slot *slot, const struct labels *discovered)
{
    const struct labels *before = slot->discovered;
    slot->discovered = discovered != NULL ? labels_ref(discovered) : NULL;
    target_set_discovered(slot->target, slot->discovered);
    labels_unref(before);
}

int scraper_set_targets(
    struct scraper *s, const struct target_options *targets, size_t count, struct err *e)
{
    if (count > SCRAPER_TARGETS_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "%zu targets; at most %d are scraped", count, SCRAPER_TARGETS_MAX);
    }
    struct slot *slots = mem_calloc(count, sizeof(*slots));
    struct slot **kept = mem_calloc(count, sizeof(*kept));
    int64_t *due_ms = mem_calloc(count, sizeof(*due_ms)); /* all are asked with the next step */
    struct slot_index index = {0};
    int status = slots == NULL || kept == NULL || due_ms == NULL ? ERR_NOMEM : 0;
    status = status == 0 ? slot_index_make(&index, s) : status;
    for (size_t i = 0; status == 0 && i < count; i++) {
        kept[i] = find_kept(s, &index, &targets[i]);
        if (kept[i] != NULL) {
            kept[i]->kept = true;
        } else {
            status = make_slot(s, &targets[i], &slots[i]);
            if (status == 0 && is_asked_already(s, &index, &targets[i])) {
                target_begin_soon(slots[i].target);
            }
        }
    }
    slot_index_release(&index);
    if (status != 0) {
        for (size_t i = 0; slots != NULL && i < count; i++) {
            slot_release(&slots[i], false);
        }
        for (size_t i = 0; i < s->count; i++) {
            s->slots[i].kept = false;
        }
        mem_free(slots);
        mem_free(kept);
        mem_free(due_ms);
        return err_set(e, status, -1, "the targets cannot be set up: %s", err_text(status));
    }
    for (size_t i = 0; i < count; i++) {
        if (kept[i] != NULL) {
            slots[i] = *kept[i];
            slots[i].kept = false;
            set_discovered(&slots[i], targets[i].discovered);
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!s->slots[i].kept) {
            slot_release(&s->slots[i], true);
        }
    }
    mem_free(s->slots);
    mem_free(s->due_ms);
    mem_free(kept);
    s->slots = slots;
    s->due_ms = due_ms;
    s->next_ms = 0;
    s->count = count;
    return 0;
}

/* Everything once a minute, as Prometheus does; what changed at once. */
static void send_metadata(struct scraper *s)
{
    int64_t now = clock_monotonic_ms(s->clock);
    bool all = now - s->metadata_sent_ms >= SCRAPER_METADATA_MS;
    if (!all && !s->metadata.changed) {
        return;
    }
    for (size_t i = 0; i < s->metadata.count; i++) {
        struct metric_metadata_entry *m = &s->metadata.entries[i];
        if (all || m->changed) {
            s->intake->add_metadata(s->intake, m->type, m->metric, m->help, m->unit);
            m->changed = false;
        }
    }
    s->metadata.changed = false;
    s->metadata_sent_ms = all ? now : s->metadata_sent_ms;
    if (now - s->metadata_swept_ms >= METRIC_METADATA_SWEEP_MS) {
        s->metadata_swept_ms = now;
        metric_metadata_sweep(&s->metadata);
    }
}

static int64_t step_targets(struct scraper *s, int64_t now)
{
    int64_t next = now + STEP_MS_MAX;
    for (size_t i = 0; i < s->count; i++) {
        if (s->due_ms[i] <= now) {
            if (s->due_ms[i] > 0) { /* one of a new set has no time yet */
                metric_observe(&lateness, now - s->due_ms[i]);
            }
            int64_t wait = target_step(s->slots[i].target);
            s->due_ms[i] = wait > 0 ? now + wait : 0; /* it goes on: no scrape that begins */
        }
        next = s->due_ms[i] < next ? s->due_ms[i] : next;
    }
    return next;
}

int64_t scraper_step(struct scraper *s)
{
    int64_t now = clock_monotonic_ms(s->clock);
    if (s->next_ms <= now) {
        s->next_ms = step_targets(s, now);
    }
    send_metadata(s);
    return s->next_ms > now ? s->next_ms - now : 0;
}

size_t scraper_count(const struct scraper *s)
{
    return s->count;
}

const struct target_options *scraper_target(
    const struct scraper *s, size_t index, struct target_status *status_out)
{
    target_status(s->slots[index].target, status_out);
    return target_options(s->slots[index].target);
}
