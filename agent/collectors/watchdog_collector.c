/* Watchdog timers of the machine. */
#include "collectors/devices.h"
#include "collectors/rows.h"

#define WATCHDOG_TEXT_MAX 128

enum watchdog_file {
    FILE_ACCESS_CS0,
    FILE_BOOTSTATUS,
    FILE_FW_VERSION,
    FILE_NOWAYOUT,
    FILE_PRETIMEOUT,
    FILE_TIMELEFT,
    FILE_TIMEOUT,
    FILE_IDENTITY,
    FILE_OPTIONS,
    FILE_GOVERNOR,
    FILE_STATE,
    FILE_STATUS,
    FILE_COUNT,
};

static const char *const watchdog_files[FILE_COUNT] = {
    [FILE_ACCESS_CS0] = "access_cs0",
    [FILE_BOOTSTATUS] = "bootstatus",
    [FILE_FW_VERSION] = "fw_version",
    [FILE_NOWAYOUT] = "nowayout",
    [FILE_PRETIMEOUT] = "pretimeout",
    [FILE_TIMELEFT] = "timeleft",
    [FILE_TIMEOUT] = "timeout",
    [FILE_IDENTITY] = "identity",
    [FILE_OPTIONS] = "options",
    [FILE_GOVERNOR] = "pretimeout_governor",
    [FILE_STATE] = "state",
    [FILE_STATUS] = "status",
};

static const struct device_metric watchdog_metrics[] = {
    {"node_watchdog_access_cs0", METRIC_TYPE_GAUGE, FILE_ACCESS_CS0, 0, 0,
        "1 when the boot flash is the first one."},
    {"node_watchdog_bootstatus", METRIC_TYPE_GAUGE, FILE_BOOTSTATUS, 0, 0,
        "Why the machine booted, as bits."},
    {"node_watchdog_fw_version", METRIC_TYPE_GAUGE, FILE_FW_VERSION, 0, 0,
        "Version of the timer's firmware."},
    {"node_watchdog_nowayout", METRIC_TYPE_GAUGE, FILE_NOWAYOUT, 0, 0,
        "1 when the timer cannot be stopped."},
    {"node_watchdog_pretimeout_seconds", METRIC_TYPE_GAUGE, FILE_PRETIMEOUT, 0, 0,
        "Warning time before the timer strikes."},
    {"node_watchdog_timeleft_seconds", METRIC_TYPE_GAUGE, FILE_TIMELEFT, 0, 0,
        "Time until the timer strikes."},
    {"node_watchdog_timeout_seconds", METRIC_TYPE_GAUGE, FILE_TIMEOUT, 0, 0,
        "Time after which the timer strikes."},
};

struct watchdog_state {
    struct devices devices;
};

static int watchdog_open(struct collect *c, void *state, struct err *e)
{
    struct watchdog_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->devices, COLLECT_SYS, "class/watchdog", watchdog_files, FILE_COUNT);
    return 0;
}

static struct str text_of(struct collect *c, struct watchdog_state *s, size_t index,
    enum watchdog_file file, char buffer[WATCHDOG_TEXT_MAX])
{
    struct str text;
    if (devices_read(c, &s->devices, index, file, &text) != 0) {
        return STR("");
    }
    text.len = text.len < WATCHDOG_TEXT_MAX ? text.len : WATCHDOG_TEXT_MAX;
    struct str clean = collect_label_text(text, buffer, WATCHDOG_TEXT_MAX);
    memmove(buffer, clean.ptr, clean.len);
    return str_make(buffer, clean.len);
}

static void give_info(struct collect *c, struct watchdog_state *s)
{
    metric_family(
        c->sink, "node_watchdog_info", METRIC_TYPE_GAUGE, "Properties of a timer, always 1.");
    for (size_t i = 0; i < s->devices.count; i++) {
        char identity[WATCHDOG_TEXT_MAX], options[WATCHDOG_TEXT_MAX], governor[WATCHDOG_TEXT_MAX];
        char timer_state[WATCHDOG_TEXT_MAX], status[WATCHDOG_TEXT_MAX];
        struct label_pair labels[] = {
            {"identity", text_of(c, s, i, FILE_IDENTITY, identity)},
            {"name", device_name(&s->devices, i)},
            {"options", text_of(c, s, i, FILE_OPTIONS, options)},
            {"pretimeout_governor", text_of(c, s, i, FILE_GOVERNOR, governor)},
            {"state", text_of(c, s, i, FILE_STATE, timer_state)},
            {"status", text_of(c, s, i, FILE_STATUS, status)},
        };
        metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
    }
}

static int watchdog_collect(struct collect *c, void *state)
{
    struct watchdog_state *s = state;
    int status = devices_refresh_seldom(c, &s->devices, NULL, NULL);
    devices_give(c, &s->devices, "name", 0, watchdog_metrics,
        sizeof(watchdog_metrics) / sizeof(watchdog_metrics[0]));
    give_info(c, s);
    return status;
}

static void watchdog_close(struct collect *c, void *state)
{
    struct watchdog_state *s = state;
    devices_close(c, &s->devices);
}

const struct collector watchdog_collector = {
    .name = "watchdog",
    .help = "Watchdog timers (/sys/class/watchdog)",
    .default_enabled = true,
    .state_size = sizeof(struct watchdog_state),
    .open = watchdog_open,
    .collect = watchdog_collect,
    .close = watchdog_close,
};
