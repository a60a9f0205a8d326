/* What the firmware says about the machine: vendor, model, serial numbers. Only properties that can be
 * read become labels; serial numbers are for root alone. They change with the machine, so they are
 * read once in METRIC_FILES_PASSES passes. */
#include <stdio.h>

#include "collectors/metric_files.h"
#include "collectors/rows.h"

#define DMI_TEXT_MAX 256

/* In order of the labels. */
static const struct {
    const char *label;
    const char *file;
} dmi_properties[] = {
    {"bios_date", "bios_date"},
    {"bios_release", "bios_release"},
    {"bios_vendor", "bios_vendor"},
    {"bios_version", "bios_version"},
    {"board_asset_tag", "board_asset_tag"},
    {"board_name", "board_name"},
    {"board_serial", "board_serial"},
    {"board_vendor", "board_vendor"},
    {"board_version", "board_version"},
    {"chassis_asset_tag", "chassis_asset_tag"},
    {"chassis_serial", "chassis_serial"},
    {"chassis_vendor", "chassis_vendor"},
    {"chassis_version", "chassis_version"},
    {"product_family", "product_family"},
    {"product_name", "product_name"},
    {"product_serial", "product_serial"},
    {"product_sku", "product_sku"},
    {"product_uuid", "product_uuid"},
    {"product_version", "product_version"},
    {"system_vendor", "sys_vendor"},
};

#define DMI_PROPERTIES (sizeof(dmi_properties) / sizeof(dmi_properties[0]))

struct dmi_state {
    uint64_t due;
    int status;
    size_t count; /* labels that could be read */
    struct label_pair labels[DMI_PROPERTIES];
    char texts[DMI_PROPERTIES][DMI_TEXT_MAX];
};

static void read_properties(struct collect *c, struct dmi_state *s)
{
    s->count = 0;
    s->status = ERR_NOT_FOUND;
    for (size_t i = 0; i < DMI_PROPERTIES; i++) {
        char path[COLLECT_PATH_MAX];
        struct str text;
        (void)snprintf(path, sizeof(path), "class/dmi/id/%s", dmi_properties[i].file);
        int status = collect_read_once(c, COLLECT_SYS, path, &text);
        if (status != 0) {
            continue;
        }
        text = str_trim(text);
        text.len = text.len < DMI_TEXT_MAX ? text.len : DMI_TEXT_MAX;
        char *buffer = s->texts[s->count];
        struct str clean = collect_label_text(text, buffer, DMI_TEXT_MAX);
        memmove(buffer, clean.ptr, clean.len);
        s->labels[s->count++] =
            (struct label_pair){dmi_properties[i].label, str_make(buffer, clean.len)};
        s->status = 0;
    }
}

static int dmi_collect(struct collect *c, void *state)
{
    struct dmi_state *s = state;
    if (c->pass >= s->due) {
        read_properties(c, s);
        s->due = c->pass + METRIC_FILES_PASSES;
    }
    if (s->status == 0) {
        metric_family(c->sink, "node_dmi_info", METRIC_TYPE_GAUGE,
            "What the firmware says about the machine, always 1.");
        metric_sample(c->sink, s->labels, s->count, 1);
    }
    return s->status;
}

const struct collector dmi_collector = {
    .name = "dmi",
    .help = "Vendor, model and serial numbers of the machine (/sys/class/dmi)",
    .default_enabled = true,
    .state_size = sizeof(struct dmi_state),
    .collect = dmi_collect,
};
