/* Opening a set of collectors, and the pass over it. */
#include <assert.h>

#include "base/mem.h"
#include "collectors/collect.h"

struct collectors {
    struct collect collect;
    bool enabled[COLLECTORS_MAX];
    void *states[COLLECTORS_MAX];
    int statuses[COLLECTORS_MAX];
    int64_t durations_ns[COLLECTORS_MAX];
};

const struct collector_setting_row *collector_settings(void)
{
    static const struct collector_setting_row rows[COLLECTOR_SETTING_COUNT] = {
#define X(identifier, name, value, help) {name, value, help},
        COLLECTOR_SETTINGS(X)
#undef X
    };
    return rows;
}

static ptrdiff_t find_collector(struct str name)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(name, table[i]->name)) {
            return (ptrdiff_t)i;
        }
    }
    return -1;
}

static int fail_unknown(struct str name, struct err *e)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    struct strbuf accepted = STRBUF_INIT;
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(&accepted, "%s%s", i == 0 ? "" : ", ", table[i]->name);
    }
    err_set(e, ERR_INVALID, -1, "unknown collector \"%.*s\"; there are %.*s", STR_ARG(name),
        STR_ARG(strbuf_str(&accepted)));
    strbuf_release(&accepted);
    return ERR_INVALID;
}

/* One of the switches: "name", "no-name", "no-all". */
static int apply_switch(struct collectors *s, const char *text, struct err *e)
{
    struct str name = str_of(text);
    bool on = !str_starts_with(name, STR("no-"));
    name = on ? name : str_skip(name, strlen("no-"));
    if (!on && str_eq_c(name, "all")) {
        memset(s->enabled, 0, sizeof(s->enabled));
        return 0;
    }
    ptrdiff_t index = find_collector(name);
    if (index < 0) {
        return fail_unknown(name, e);
    }
    s->enabled[index] = on;
    return 0;
}

static int apply_switches(
    struct collectors *s, const struct collectors_options *options, struct err *e)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    assert(count <= COLLECTORS_MAX);
    for (size_t i = 0; i < count; i++) {
        s->enabled[i] = table[i]->default_enabled;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < options->switch_count; i++) {
        status = apply_switch(s, options->switches[i], e);
    }
    return status;
}

static void set_up_collect(struct collect *c, const struct collectors_options *o)
{
    c->vfs = o->vfs != NULL ? o->vfs : vfs_posix();
    c->clock = o->clock != NULL ? o->clock : clock_real();
    c->roots[COLLECT_PROC] = o->proc_path != NULL ? o->proc_path : "/proc";
    c->roots[COLLECT_SYS] = o->sys_path != NULL ? o->sys_path : "/sys";
    c->roots[COLLECT_ROOT] = o->root_path != NULL ? o->root_path : "/";
    c->roots[COLLECT_UDEV] = o->udev_path != NULL ? o->udev_path : "/run/udev/data";
    c->use_netlink = !o->without_netlink && strcmp(c->roots[COLLECT_PROC], "/proc") == 0;
    const struct collector_setting_row *rows = collector_settings();
    for (size_t i = 0; i < COLLECTOR_SETTING_COUNT; i++) {
        c->settings[i] = o->settings[i] != NULL ? o->settings[i] : rows[i].default_value;
    }
}

static int open_states(struct collectors *s, struct err *e)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!s->enabled[i]) {
            continue;
        }
        s->states[i] = mem_calloc(1, table[i]->state_size);
        if (s->states[i] == NULL) {
            return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
        }
        int status = table[i]->open != NULL ? table[i]->open(&s->collect, s->states[i], e) : 0;
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int collectors_open(
    const struct collectors_options *options, struct collectors **collectors_out, struct err *e)
{
    struct collectors *s = mem_calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_set(e, ERR_NOMEM, -1, "%s", err_text(ERR_NOMEM));
    }
    set_up_collect(&s->collect, options);
    int status = apply_switches(s, options, e);
    if (status == 0) {
        status = open_states(s, e);
    }
    if (status != 0) {
        collectors_close(s);
        return status;
    }
    *collectors_out = s;
    return 0;
}

void collectors_close(struct collectors *collectors)
{
    if (collectors == NULL) {
        return;
    }
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (collectors->states[i] != NULL && table[i]->close != NULL) {
            table[i]->close(&collectors->collect, collectors->states[i]);
        }
        mem_free(collectors->states[i]);
    }
    assert(collectors->collect.kept_files == 0);
    mem_free(collectors->collect.text);
    mem_free(collectors);
}

/* As Go names architectures, which is what the label of node_exporter holds. */
#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "other"
#endif

/* Alerts count exporters by this metric, whatever makes it. */
static void give_build_info(struct metric_sink *sink)
{
    struct label_pair labels[] = {
        {"branch", STR("")},
        {"goarch", STR(ARCHITECTURE)},
        {"goos", STR("linux")},
        {"goversion", STR("")},
        {"revision", STR("")},
        {"tags", STR("")},
        {"version", STR(SONDE_VERSION)},
    };
    metric_family(sink, "node_exporter_build_info", METRIC_TYPE_GAUGE,
        "Version of what collects the host's metrics, always 1.");
    metric_sample(sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
}

/* The families about the pass itself. */
static void give_scrape_metrics(struct collectors *s, struct metric_sink *sink)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    give_build_info(sink);
    metric_family(sink, "node_scrape_collector_duration_seconds", METRIC_TYPE_GAUGE,
        "Time one collector took in this pass.");
    for (size_t i = 0; i < count; i++) {
        if (s->enabled[i]) {
            struct label_pair label = {"collector", str_of(table[i]->name)};
            metric_sample(sink, &label, 1, (double)s->durations_ns[i] * 1e-9);
        }
    }
    metric_family(sink, "node_scrape_collector_success", METRIC_TYPE_GAUGE,
        "1 when the collector found and read its sources, else 0.");
    for (size_t i = 0; i < count; i++) {
        if (s->enabled[i]) {
            struct label_pair label = {"collector", str_of(table[i]->name)};
            metric_sample(sink, &label, 1, s->statuses[i] == 0 ? 1 : 0);
        }
    }
}

/* One round over the collectors that are on: those with a begin, or those without. */
static void run_round(struct collectors *s, bool with_begin)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    struct collect *c = &s->collect;
    int64_t before = clock_monotonic_ns(c->clock);
    for (size_t i = 0; i < count; i++) {
        if (!s->enabled[i] || (table[i]->begin != NULL) != with_begin) {
            continue;
        }
        s->statuses[i] = table[i]->collect(c, s->states[i]);
        int64_t after = clock_monotonic_ns(c->clock);
        s->durations_ns[i] += after - before;
        before = after;
    }
}

static void begin_all(struct collectors *s)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    for (size_t i = 0; i < count; i++) {
        s->durations_ns[i] = 0;
        if (s->enabled[i] && table[i]->begin != NULL) {
            int64_t before = clock_monotonic_ns(s->collect.clock);
            table[i]->begin(&s->collect, s->states[i]);
            s->durations_ns[i] = clock_monotonic_ns(s->collect.clock) - before;
        }
    }
}

void collectors_run(struct collectors *collectors, struct metric_sink *sink)
{
    struct collect *c = &collectors->collect;
    c->sink = sink;
    c->pass++;
    begin_all(collectors);
    run_round(collectors, false);
    run_round(collectors, true);
    give_scrape_metrics(collectors, sink);
    c->sink = NULL;
}

int collectors_status(const struct collectors *collectors, const char *name)
{
    ptrdiff_t index = find_collector(str_of(name));
    return index >= 0 && collectors->enabled[index] ? collectors->statuses[index] : ERR_NOT_FOUND;
}
