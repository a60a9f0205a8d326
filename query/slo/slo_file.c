/* Files of objectives: documents, settings common to both formats, and the checks at the end. */
#include "slo_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "model/duration.h"
#include "query/alert.h"
#include "slo_expression.h"

/* ---- Definitions ---- */

struct slo_definition *slo_reading_add(struct slo_reading *r, const struct yaml_node *node)
{
    struct slo_file *f = r->file;
    int status = mem_array_grow((void **)&f->definitions, &f->cap, f->count + 1,
        sizeof(*f->definitions), SLO_DEFINITIONS_MAX);
    if (status != 0) {
        (void)config_fail(&r->reader, node, "more than %d objectives", SLO_DEFINITIONS_MAX);
        return NULL;
    }
    struct slo_definition *d = &f->definitions[f->count++];
    *d = (struct slo_definition){.file = str_of(r->reader.file), .line = node->line};
    d->parameters.step_ms = SLO_STEP_MS_DEFAULT;
    d->parameters.min_failures = SLO_MIN_FAILURES_DEFAULT;
    d->parameters.window = (struct slo_window){.count = 30, .unit = SLO_DAY};
    d->parameters.tier_count = 4;
    memcpy(d->parameters.tiers, slo_default_tiers, sizeof(slo_default_tiers));
    return d;
}

int slo_reading_target(struct slo_reading *r, const struct yaml_node *node, const char *text,
    int64_t whole, int64_t *budget_out)
{
    double target = 0;
    int64_t scale = SLO_BILLION / whole;
    if (text == NULL || str_to_double(str_of(text), &target) != 0 || !(target > 0) ||
        !(target < (double)whole)) {
        return config_fail(&r->reader, node, "a target lies between 0 and %lld, such as %s",
            (long long)whole, whole == 1 ? "0.999" : "99.9");
    }
    double billionths = ((double)whole - target) * (double)scale;
    int64_t budget = llround(billionths);
    if (budget < 1 || fabs(billionths - (double)budget) > 1e-3) {
        return config_fail(&r->reader, node, "a target has at most nine decimals");
    }
    *budget_out = budget;
    return 0;
}

/* ---- Settings in annotations ---- */

static int fail_setting(
    struct slo_reading *r, const struct yaml_node *node, const char *key, const char *accepted)
{
    return config_fail(&r->reader, node, "%s%s: %s", SLO_EXTENSION_PREFIX, key, accepted);
}

static int read_runbook(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    (void)r, (void)node;
    d->runbook_url = value;
    return 0;
}

static int read_waived(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    if (str_trim(value).len == 0) {
        return fail_setting(r, node, "runbook-waived", "a reason is wanted");
    }
    d->waived = value;
    return 0;
}

static int read_window(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    struct err e = ERR_INIT;
    return slo_window_parse(value, &d->parameters.window, &e) == 0
               ? 0
               : fail_setting(r, node, "window", e.message);
}

static int read_step(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    int64_t step = 0;
    bool right = duration_parse(value, &step, NULL) == 0 && step >= SLO_STEP_MS_MIN &&
                 step <= SLO_STEP_MS_MAX && (24 * 3600000) % step == 0;
    d->parameters.step_ms = right ? step : d->parameters.step_ms;
    return right ? 0
                 : fail_setting(r, node, "step",
                       "a duration from 1s to 1h that divides a day is, such as 30s or 1m");
}

static const char *const no_data_names[] = {
    [SLO_FREEZE] = "freeze", [SLO_BAD] = "bad", [SLO_GOOD] = "good", [SLO_IGNORE] = "ignore"};

static int read_no_data(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    for (int i = SLO_FREEZE; i <= SLO_IGNORE; i++) {
        if (str_eq_c(value, no_data_names[i])) {
            d->parameters.no_data = (enum slo_no_data)i;
            return 0;
        }
    }
    return fail_setting(r, node, "no-data", "freeze, bad, good or ignore");
}

static int read_min_failures(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    uint64_t count = 0;
    if (str_to_u64(value, &count) != 0 || count > 1000000) {
        return fail_setting(r, node, "min-failures", "a whole number up to a million");
    }
    d->parameters.min_failures = (double)count;
    return 0;
}

static int read_low_traffic(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    d->parameters.budget_guard = str_eq_c(value, "budget");
    return d->parameters.budget_guard || str_eq_c(value, "failures")
               ? 0
               : fail_setting(r, node, "low-traffic", "failures or budget");
}

static int read_keep_firing(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    int64_t *keep_ms = &d->parameters.keep_firing_ms;
    bool right = duration_parse(value, keep_ms, NULL) == 0 && *keep_ms >= 0 &&
                 *keep_ms <= SLO_KEEP_FIRING_MS_MAX;
    return right ? 0 : fail_setting(r, node, "keep-firing-for", "a duration of at most 12h");
}

static int read_composite(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    d->parameters.composition = str_eq_c(value, "weighted")  ? SLO_WEIGHTED
                                : str_eq_c(value, "product") ? SLO_PRODUCT
                                                             : SLO_SINGLE;
    return d->parameters.composition != SLO_SINGLE
               ? 0
               : fail_setting(r, node, "composite", "weighted or product");
}

/* NAME=LONG/SHORT@SHARE%:page */
static bool parse_tier(struct str text, struct slo_tier *tier)
{
    struct str name = str_trim(str_split(&text, '='));
    struct str longer = str_trim(str_split(&text, '/'));
    struct str shorter = str_trim(str_split(&text, '@'));
    struct str share = str_trim(str_split(&text, '%'));
    struct str severity = str_trim(text);
    double percent = 0;
    bool right = name.len > 0 && name.len < SLO_TIER_NAME_MAX && severity.len > 1 &&
                 severity.ptr[0] == ':' && duration_parse(longer, &tier->long_ms, NULL) == 0 &&
                 duration_parse(shorter, &tier->short_ms, NULL) == 0 &&
                 tier->long_ms > tier->short_ms && tier->short_ms > 0 &&
                 tier->long_ms <= SLO_PERIOD_MS_MAX && str_to_double(share, &percent) == 0 &&
                 percent > 0 && percent <= 100;
    if (!right) {
        return false;
    }
    severity = str_trim(str_skip(severity, 1));
    tier->page = str_eq_c(severity, "page");
    tier->share_millionths = llround(percent * (double)(SLO_MILLION / 100));
    memcpy(tier->name, name.ptr, name.len);
    tier->name[name.len] = '\0';
    return (tier->page || str_eq_c(severity, "ticket")) && tier->share_millionths > 0;
}

static int read_tiers(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node, struct str value)
{
    size_t count = 0;
    if (str_eq_c(value, "none")) {
        d->parameters.tier_count = 0;
        return 0;
    }
    while (value.len > 0) {
        struct str one = str_trim(str_split(&value, ';'));
        struct slo_tier tier = {0};
        if (one.len == 0) {
            continue;
        }
        if (count == SLO_TIERS_MAX || !parse_tier(one, &tier)) {
            return fail_setting(r, node, "tiers",
                "up to eight of NAME=LONG/SHORT@SHARE%:page or :ticket, such as "
                "\"fast=1h/5m@2%:page; slow=6h/30m@5%:ticket\"");
        }
        for (size_t i = 0; i < count; i++) {
            if (strcmp(d->parameters.tiers[i].name, tier.name) == 0) {
                return fail_setting(r, node, "tiers", "names are unique");
            }
        }
        d->parameters.tiers[count++] = tier;
    }
    d->parameters.tier_count = count;
    return count > 0 ? 0 : fail_setting(r, node, "tiers", "at least one");
}

static const struct setting {
    const char *key;
    int (*read)(struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node,
        struct str value);
} settings[] = {
    {"runbook-url", read_runbook},
    {"runbook-waived", read_waived},
    {"window", read_window},
    {"step", read_step},
    {"no-data", read_no_data},
    {"min-failures", read_min_failures},
    {"low-traffic", read_low_traffic},
    {"keep-firing-for", read_keep_firing},
    {"tiers", read_tiers},
    {"composite", read_composite},
};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

static int read_setting(struct slo_reading *r, struct slo_definition *d,
    const struct yaml_node *node, struct str key, struct str value)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (str_eq_c(key, settings[i].key)) {
            return settings[i].read(r, d, node, value);
        }
    }
    return config_fail(&r->reader, node,
        "unknown annotation %s%.*s: runbook-url, runbook-waived, window, step, no-data, "
        "min-failures, low-traffic, keep-firing-for, tiers and composite are known",
        SLO_EXTENSION_PREFIX, STR_ARG(key));
}

/* ---- Labels and annotations ---- */

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* `old` with the pairs of `map` over them, by name; settings left out. */
static int merge(struct slo_reading *r, const struct yaml_node *node, const struct config_map *map,
    const struct label **pairs, size_t *count)
{
    struct label *merged = arena_calloc(r->reader.arena, *count + map->count + 1, sizeof(*merged));
    if (merged == NULL || *count + map->count > ALERT_ANNOTATIONS_MAX) {
        return config_fail(
            &r->reader, node, "more than %d labels or annotations", ALERT_ANNOTATIONS_MAX);
    }
    size_t n = 0;
    for (size_t i = 0; i < *count; i++) {
        merged[n++] = (*pairs)[i];
    }
    for (size_t i = 0; i < map->count; i++) {
        struct label l = {str_of(map->items[i].key), str_of(map->items[i].value)};
        if (str_starts_with(l.name, STR(SLO_EXTENSION_PREFIX))) {
            continue;
        }
        if (l.name.len == 0 || !str_is_utf8(l.name) || !str_is_utf8(l.value)) {
            return config_fail(&r->reader, node, "a name is empty, or a text is not UTF-8");
        }
        size_t at = 0;
        while (at < n && !str_eq(merged[at].name, l.name)) {
            at++;
        }
        n += at == n;
        merged[at] = l;
    }
    if (n > 1) {
        qsort(merged, n, sizeof(*merged), compare_labels);
    }
    *pairs = merged;
    *count = n;
    return 0;
}

int slo_reading_labels(struct slo_reading *r, struct slo_definition *d,
    const struct yaml_node *node, const struct config_map *map)
{
    return merge(r, node, map, &d->labels, &d->label_count);
}

int slo_reading_annotations(struct slo_reading *r, struct slo_definition *d,
    const struct yaml_node *node, const struct config_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        struct str key = str_of(map->items[i].key), value = str_of(map->items[i].value);
        if (str_starts_with(key, STR(SLO_EXTENSION_PREFIX))) {
            int status =
                read_setting(r, d, node, str_skip(key, sizeof(SLO_EXTENSION_PREFIX) - 1), value);
            if (status != 0) {
                return status;
            }
        } else if (str_eq_c(key, "runbook_url") || str_eq_c(key, "runbook")) {
            d->runbook_url = value;
        }
    }
    return merge(r, node, map, &d->annotations, &d->annotation_count);
}

/* ---- At the end ---- */

static void note(struct slo_reading *r, struct slo_definition *d, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(struct slo_reading *r, struct slo_definition *d, const char *format, ...)
{
    struct strbuf text = STRBUF_INIT;
    va_list arguments;
    va_start(arguments, format);
    strbuf_vaddf(&text, format, arguments);
    va_end(arguments);
    char *kept = text.data != NULL ? arena_strndup(r->reader.arena, text.data, text.size) : NULL;
    if (kept != NULL && d->note_count < sizeof(d->notes) / sizeof(d->notes[0])) {
        d->notes[d->note_count++] = str_make(kept, text.size);
    }
    strbuf_release(&text);
}

static void repair_tiers(struct slo_reading *r, struct slo_definition *d)
{
    struct slo_parameters *p = &d->parameters;
    int64_t period = slo_window_period_ms(&p->window);
    size_t kept = 0;
    for (size_t i = 0; i < p->tier_count; i++) {
        struct slo_tier tier = p->tiers[i];
        int repaired = slo_tier_repair(&tier, period, p->budget_billionths, p->step_ms);
        struct strbuf window = STRBUF_INIT;
        duration_write(tier.long_ms, &window);
        if ((repaired & SLO_TIER_REFUSED) != 0) {
            note(r, d,
                "tier %s is left out: with this period and target no long window within half the "
                "period "
                "can alert on its share of the budget",
                tier.name);
        } else {
            p->tiers[kept++] = tier;
        }
        if (repaired == SLO_TIER_LENGTHENED) {
            note(r, d, "tier %s: its long window is %s, or its threshold would be out of reach",
                tier.name, window.data != NULL ? window.data : "");
        } else if (repaired == SLO_TIER_SHORTENED) {
            note(r, d, "tier %s: its long window is %s, or it would alert within the budget",
                tier.name, window.data != NULL ? window.data : "");
        }
        strbuf_release(&window);
    }
    p->tier_count = kept;
}

static int compile_indicator(
    struct slo_reading *r, const struct yaml_node *node, struct slo_indicator *x, int64_t step_ms)
{
    struct err e = ERR_INIT;
    int status = 0;
    if (x->part.ptr == NULL && x->part_query.len > 0) {
        enum slo_expression kind = x->kind == SLO_RATIO ? SLO_VALUE : SLO_COUNTER;
        status = slo_expression(r->reader.arena, x->part_query, kind, step_ms, &x->part, &e);
    }
    if (status == 0 && x->total.ptr == NULL && x->total_query.len > 0) {
        enum slo_expression kind = x->kind == SLO_SLICES_VALUE ? SLO_VALUE : SLO_COUNTER;
        status = slo_expression(r->reader.arena, x->total_query, kind, step_ms, &x->total, &e);
    }
    return status == 0 ? 0 : config_fail(&r->reader, node, "%s", e.message);
}

/* The ledger of an objective at work reaches over its window, a day for questions and a day for what was
 * missed, and a tenth that goes at once (slo_run.c). */
static int check_size(
    struct slo_reading *r, const struct slo_definition *d, const struct yaml_node *node)
{
    const struct slo_parameters *p = &d->parameters;
    int64_t period = slo_window_period_ms(&p->window);
    /* Months, quarters and years of the calendar are up to three days longer than they are reckoned. */
    int64_t reach = (period + 5 * (INT64_C(86400) * 1000)) / 10 * 11;
    if (reach / p->step_ms < (int64_t)SLO_LEDGER_STEPS_MAX) {
        return 0;
    }
    return config_fail(&r->reader, node,
        "SLO \"%.*s\": its window has more steps than the %zu that are kept: take a longer "
        "%sstep, or a timeSliceWindow",
        STR_ARG(d->name), SLO_LEDGER_STEPS_MAX, SLO_EXTENSION_PREFIX);
}

static uint64_t hash_definition(const struct slo_definition *d)
{
    struct strbuf text = STRBUF_INIT;
    slo_openslo_write(d, &text);
    uint64_t hash = hash64(text.data != NULL ? text.data : "", text.size, 0);
    strbuf_release(&text);
    return hash;
}

static int check_name(struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node)
{
    bool right = d->name.len > 0 && d->name.len <= SLO_NAME_MAX;
    for (size_t i = 0; i < d->name.len; i++) {
        char c = d->name.ptr[i];
        right &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || c == '.';
    }
    if (!right) {
        return config_fail(&r->reader, node,
            "\"%.*s\" is no name: letters, digits, '-', '_' and '.' are, at most %d",
            (int)(d->name.len < 64 ? d->name.len : 64), d->name.ptr, SLO_NAME_MAX);
    }
    for (size_t i = 0; i + 1 < r->file->count; i++) {
        if (str_eq(r->file->definitions[i].name, d->name)) {
            return config_fail(
                &r->reader, node, "there is another SLO \"%.*s\" in this file", STR_ARG(d->name));
        }
    }
    return 0;
}

int slo_reading_finish(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node)
{
    struct slo_parameters *p = &d->parameters;
    int status = check_name(r, d, node);
    if (status != 0) {
        return status;
    }
    if (d->runbook_url.len == 0 && d->waived.len == 0) {
        return config_fail(&r->reader, node,
            "SLO \"%.*s\" has no runbook: set the annotation %srunbook-url, or say with "
            "%srunbook-waived "
            "why there is none",
            STR_ARG(d->name), SLO_EXTENSION_PREFIX, SLO_EXTENSION_PREFIX);
    }
    if (d->indicator_count == 0) {
        return config_fail(&r->reader, node, "SLO \"%.*s\" has no indicator", STR_ARG(d->name));
    }
    if (d->indicator_count > 1 && p->composition == SLO_SINGLE) {
        p->composition = SLO_WEIGHTED;
    }
    struct slo_component components[SLO_COMPONENTS_MAX];
    for (size_t i = 0; i < d->indicator_count && status == 0; i++) {
        components[i] =
            (struct slo_component){.budget_billionths = d->budgets[i], .weight = d->weights[i]};
        status = compile_indicator(r, node, &d->indicators[i], p->step_ms);
    }
    if (status != 0) {
        return status;
    }
    p->composition = d->indicator_count == 1 ? SLO_SINGLE : p->composition;
    p->budget_billionths = slo_composed_budget(p->composition, components, d->indicator_count);
    status = check_size(r, d, node);
    if (status != 0) {
        return status;
    }
    repair_tiers(r, d);
    d->hash = hash_definition(d);
    return 0;
}

/* ---- Documents ---- */

static int read_document(struct slo_reading *r, const struct yaml_node *root)
{
    const struct yaml_node *version = yaml_get(root, "version");
    const struct yaml_node *api_version = yaml_get(root, "apiVersion");
    if (version != NULL && str_eq_c(version->text, "prometheus/v1")) {
        return slo_read_sloth(r, root);
    }
    if (api_version != NULL && str_eq_c(api_version->text, "openslo/v1")) {
        return slo_read_openslo(r, root);
    }
    if (api_version != NULL && str_eq_c(api_version->text, "pyrra.dev/v1alpha1")) {
        return slo_read_pyrra(r, root);
    }
    return config_fail(&r->reader, root,
        "neither `apiVersion: openslo/v1` nor `version: prometheus/v1` nor `apiVersion: "
        "pyrra.dev/v1alpha1`: these formats are read");
}

/* A document's text with the lines before it emptied, so that places stay right. */
static int parse_document(struct slo_reading *r, struct str text, size_t begin, size_t end,
    const struct yaml_node **root_out)
{
    char *padded = arena_alloc(r->reader.arena, end + 1);
    if (padded == NULL) {
        return err_set(r->reader.err, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    size_t size = 0;
    for (size_t i = 0; i < begin; i++) {
        if (text.ptr[i] == '\n') {
            padded[size++] = '\n';
        }
    }
    memcpy(padded + size, text.ptr + begin, end - begin);
    size += end - begin;
    struct yaml_node *root = NULL;
    int status =
        yaml_parse(r->reader.arena, r->reader.file, str_make(padded, size), &root, r->reader.err);
    if (status == 0 && root != NULL && root->kind != YAML_MAPPING) {
        status = config_fail(&r->reader, root, "expected a mapping");
    }
    *root_out = root;
    return status;
}

/* Where the document ends that begins at `begin`: before a line "---", and where the next one begins. */
static size_t document_end(struct str text, size_t begin, size_t *next_out)
{
    size_t line = begin;
    while (line < text.len) {
        struct str rest = str_skip(text, line);
        ptrdiff_t length = str_find(rest, '\n');
        struct str this = str_make(rest.ptr, length < 0 ? rest.len : (size_t)length);
        size_t after = line + this.len + (length >= 0);
        if (str_eq_c(str_trim(this), "---")) {
            *next_out = after;
            return line;
        }
        line = after;
    }
    *next_out = text.len;
    return text.len;
}

static int read_all(struct slo_reading *r, struct str text)
{
    const struct yaml_node **roots =
        arena_calloc(r->reader.arena, SLO_FILE_DOCUMENTS_MAX, sizeof(*roots));
    r->indicators = arena_calloc(r->reader.arena, SLO_FILE_DOCUMENTS_MAX, sizeof(*r->indicators));
    if (roots == NULL || r->indicators == NULL) {
        return err_set(r->reader.err, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    size_t count = 0, next = 0;
    for (size_t begin = 0; begin < text.len; begin = next) {
        size_t end = document_end(text, begin, &next);
        const struct yaml_node *root = NULL;
        int status = parse_document(r, text, begin, end, &root);
        if (status != 0) {
            return status;
        }
        if (root == NULL) {
            continue;
        }
        if (count == SLO_FILE_DOCUMENTS_MAX) {
            return config_fail(&r->reader, root, "more than %d documents", SLO_FILE_DOCUMENTS_MAX);
        }
        const struct yaml_node *kind = yaml_get(root, "kind");
        if (kind != NULL && str_eq_c(kind->text, "SLI")) {
            r->indicators[r->indicator_count++] = root;
        }
        roots[count++] = root;
    }
    for (size_t i = 0; i < count; i++) {
        int status = read_document(r, roots[i]);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int slo_file_parse(
    struct vfs *fs, struct str name, struct str text, struct slo_file *file_out, struct err *e)
{
    struct slo_file f = {.warnings = STRBUF_INIT};
    struct err local = ERR_INIT;
    if (text.len > SLO_FILE_BYTES_MAX) {
        return err_set(
            e, ERR_LIMIT, -1, "%.*s: longer than %zu bytes", STR_ARG(name), SLO_FILE_BYTES_MAX);
    }
    arena_init(&f.arena, 0);
    char *file_name = arena_strndup(&f.arena, name.len > 0 ? name.ptr : "", name.len);
    struct slo_reading r = {.file = &f, .fs = fs};
    r.reader =
        (struct config_reader){.arena = &f.arena, .file = file_name, .err = e != NULL ? e : &local};
    int status = file_name != NULL
                     ? read_all(&r, text)
                     : err_set(r.reader.err, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    if (status != 0) {
        slo_file_release(&f);
        return status;
    }
    *file_out = f;
    return 0;
}

void slo_file_release(struct slo_file *f)
{
    for (size_t i = 0; i < f->zone_count; i++) {
        zone_free(f->zones[i]);
    }
    mem_free(f->zones);
    mem_free(f->definitions);
    strbuf_release(&f->warnings);
    arena_release(&f->arena);
    *f = (struct slo_file){0};
}
