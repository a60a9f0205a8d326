/* From settings of the file to options of the collectors. */
#include "agent_host.h"

/* Finds the row that a key of host.settings names. */
static int find_setting(const char *key, size_t *setting_out, struct err *e)
{
    const struct collector_setting_row *rows = collector_settings();
    for (size_t i = 0; i < COLLECTOR_SETTING_COUNT; i++) {
        if (strcmp(rows[i].name, key) == 0) {
            *setting_out = i;
            return 0;
        }
    }
    struct strbuf names = STRBUF_INIT;
    for (size_t i = 0; i < COLLECTOR_SETTING_COUNT; i++) {
        strbuf_addf(&names, "%s%s", i > 0 ? ", " : "", rows[i].name);
    }
    int status = err_set(e, ERR_INVALID, -1,
        "host.settings: unknown setting \"%s\"; accepted: %.*s", key, STR_ARG(strbuf_str(&names)));
    strbuf_release(&names);
    return status;
}

int agent_host_open(
    const struct agent_host *host, struct collectors **collectors_out, struct err *e)
{
    struct collectors_options options = {
        .proc_path = host->proc_path,
        .sys_path = host->sys_path,
        .root_path = host->root_path,
        .udev_path = host->udev_path,
        .switches = (const char *const *)host->collectors.items,
        .switch_count = host->collectors.count,
    };
    for (size_t i = 0; i < host->settings.count; i++) {
        size_t setting;
        int status = find_setting(host->settings.items[i].key, &setting, e);
        if (status != 0) {
            return status;
        }
        options.settings[setting] = host->settings.items[i].value;
    }
    return collectors_open(&options, collectors_out, e);
}

/* A pattern may hold the bar that ends a cell. */
static void add_cell(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            strbuf_add_char(out, '\\');
        }
        strbuf_add_char(out, *text);
    }
}

void agent_host_write_reference(struct strbuf *out)
{
    size_t count;
    const struct collector *const *table = collectors_table(&count);
    const struct collector_setting_row *rows = collector_settings();
    strbuf_add_c(out, "| Collector | On | What |\n|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        strbuf_addf(out, "| `%s` | %s | %s |\n", table[i]->name,
            table[i]->default_enabled ? "yes" : "no", table[i]->help);
    }
    strbuf_add_c(out, "\n| `host.settings` | Default | Meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < COLLECTOR_SETTING_COUNT; i++) {
        strbuf_addf(out, "| `%s` | `", rows[i].name);
        add_cell(out, rows[i].default_value);
        strbuf_addf(out, "` | %s |\n", rows[i].help);
    }
}
