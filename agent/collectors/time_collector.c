/* The wall clock, its time zone, and the clock sources of the kernel. */
#include <time.h>

#include "collectors/devices.h"
#include "collectors/rows.h"
#include "procfs/field.h"

enum source_file { FILE_AVAILABLE, FILE_CURRENT, FILE_COUNT };

static const char *const source_files[FILE_COUNT] = {
    [FILE_AVAILABLE] = "available_clocksource",
    [FILE_CURRENT] = "current_clocksource",
};

struct time_state {
    struct devices sources;
};

static int time_open(struct collect *c, void *state, struct err *e)
{
    struct time_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->sources, COLLECT_SYS, "devices/system/clocksource", source_files, FILE_COUNT);
    return 0;
}

#define SOURCE_PREFIX "clocksource"

static bool is_source(void *context, struct str name)
{
    (void)context;
    return str_starts_with(name, STR(SOURCE_PREFIX));
}

/* One series for each word of the file. */
static void give_sources(struct collect *c, struct time_state *s, enum source_file file)
{
    for (size_t i = 0; i < s->sources.count; i++) {
        struct str text;
        struct str source;
        if (devices_read(c, &s->sources, i, file, &text) != 0) {
            continue;
        }
        while (field_next(&text, &source)) {
            struct label_pair labels[] = {{"clocksource", source},
                {"device", str_skip(device_name(&s->sources, i), strlen(SOURCE_PREFIX))}};
            metric_sample(c->sink, labels, 2, 1);
        }
    }
}

static void give_zone(struct collect *c, int64_t now_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm local;
    if (localtime_r(&now, &local) == NULL) {
        return;
    }
    struct label_pair label = {"time_zone", str_of(local.tm_zone)};
    metric_family(c->sink, "node_time_zone_offset_seconds", METRIC_TYPE_GAUGE,
        "How far the local time zone is ahead of UTC.");
    metric_sample(c->sink, &label, 1, (double)local.tm_gmtoff);
}

static int time_collect(struct collect *c, void *state)
{
    struct time_state *s = state;
    int64_t now_ms = clock_now_ms(c->clock);
    int status = devices_refresh_seldom(c, &s->sources, is_source, NULL);
    metric_family(c->sink, "node_time_clocksource_available_info", METRIC_TYPE_GAUGE,
        "Clock sources the kernel can use, always 1.");
    give_sources(c, s, FILE_AVAILABLE);
    metric_family(c->sink, "node_time_clocksource_current_info", METRIC_TYPE_GAUGE,
        "The clock source the kernel uses, always 1.");
    give_sources(c, s, FILE_CURRENT);
    metric_single(c->sink, "node_time_seconds", METRIC_TYPE_GAUGE,
        "Wall clock, seconds since 1970.", (double)now_ms / 1000);
    give_zone(c, now_ms);
    return status;
}

static void time_close(struct collect *c, void *state)
{
    struct time_state *s = state;
    devices_close(c, &s->sources);
}

const struct collector time_collector = {
    .name = "time",
    .help = "Wall clock, time zone and clock sources",
    .default_enabled = true,
    .state_size = sizeof(struct time_state),
    .open = time_open,
    .collect = time_collect,
    .close = time_close,
};
