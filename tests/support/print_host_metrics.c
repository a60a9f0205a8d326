/* Prints passes of the host collectors as exposition text: what the comparison with node_exporter
 * reads.
 *
 *   print_host_metrics [--passes N] [--proc DIR] [--sys DIR] [--root DIR] [--udev DIR]
 *                      [--set SETTING=VALUE]… [switch…]
 *
 * Switches are those of collectors_options: "name", "no-name", "no-all". With several passes only the
 * last is printed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "collectors/collector.h"
#include "collectors/text_sink.h"

/* "netclass.ignored-devices=^veth". */
static bool take_setting(struct collectors_options *options, const char *text)
{
    const char *equals = strchr(text, '=');
    for (size_t i = 0; equals != NULL && i < COLLECTOR_SETTING_COUNT; i++) {
        if (str_eq_c(str_make(text, (size_t)(equals - text)), collector_settings()[i].name)) {
            options->settings[i] = equals + 1;
            return true;
        }
    }
    return false;
}

/* Takes one "--name value" pair; false when it is none. */
static bool take_option(
    struct collectors_options *options, uint64_t *passes, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **path;
    } paths[] = {
        {"--proc", &options->proc_path},
        {"--sys", &options->sys_path},
        {"--root", &options->root_path},
        {"--udev", &options->udev_path},
    };
    if (strcmp(name, "--passes") == 0) {
        return str_to_u64(str_of(value), passes) == 0 && *passes > 0;
    }
    if (strcmp(name, "--set") == 0) {
        return take_setting(options, value);
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strcmp(name, paths[i].name) == 0) {
            *paths[i].path = value;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    uint64_t passes = 1;
    struct collectors_options options = {.vfs = NULL};
    int first = 1;
    for (; first + 1 < argc && strncmp(argv[first], "--", 2) == 0; first += 2) {
        if (!take_option(&options, &passes, argv[first], argv[first + 1])) {
            fprintf(stderr, "unknown option %s %s\n", argv[first], argv[first + 1]);
            return 2;
        }
    }
    options.switches = (const char *const *)argv + first;
    options.switch_count = (size_t)(argc - first);
    struct collectors *collectors;
    struct err e = ERR_INIT;
    if (collectors_open(&options, &collectors, &e) != 0) {
        fprintf(stderr, "%s\n", e.message);
        return 2;
    }
    struct strbuf out = STRBUF_INIT;
    for (uint64_t i = 0; i < passes; i++) {
        struct text_sink sink;
        strbuf_reset(&out);
        text_sink_init(&sink, &out);
        collectors_run(collectors, &sink.sink);
    }
    int status = strbuf_error(&out);
    if (status == 0) {
        fwrite(out.data, 1, out.size, stdout);
    }
    strbuf_release(&out);
    collectors_close(collectors);
    return status == 0 ? 0 : 1;
}
