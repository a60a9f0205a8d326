/* Neighbours known over each network interface. */
#include "base/mem.h"
#include "collectors/rows.h"
#include "procfs/net_arp.h"

#define ARP_DEVICES_MAX 65536
#define ARP_NAME_MAX 64

struct arp_row {
    char name[ARP_NAME_MAX];
    size_t name_length;
    uint64_t entries;
};

struct arp_state {
    struct kept_file file;
    struct collect_filter filter;
    struct arp_row *rows; /* in order of names */
    size_t count, cap;
};

static int arp_open(struct collect *c, void *state, struct err *e)
{
    struct arp_state *s = state;
    return collect_filter_open(
        c, COLLECTOR_SETTING_ARP_INCLUDE, COLLECTOR_SETTING_ARP_EXCLUDE, &s->filter, e);
}

static int count_entry(struct arp_state *s, struct str device)
{
    size_t at = 0;
    int order = 1;
    // Few interfaces have neighbours, so a walk is as good as a search.
    for (; at < s->count; at++) {
        order = str_cmp(str_make(s->rows[at].name, s->rows[at].name_length), device);
        if (order >= 0) {
            break;
        }
    }
    if (at < s->count && order == 0) {
        s->rows[at].entries++;
        return 0;
    }
    if (!collect_filter_accepts(&s->filter, device)) {
        return 0;
    }
    if (device.len > ARP_NAME_MAX) {
        return ERR_LIMIT;
    }
    int status =
        mem_array_grow((void **)&s->rows, &s->cap, s->count + 1, sizeof(*s->rows), ARP_DEVICES_MAX);
    if (status != 0) {
        return status;
    }
    memmove(&s->rows[at + 1], &s->rows[at], (s->count - at) * sizeof(*s->rows));
    s->rows[at] = (struct arp_row){.name_length = device.len, .entries = 1};
    memcpy(s->rows[at].name, device.ptr, device.len);
    s->count++;
    return 0;
}

static int arp_collect(struct collect *c, void *state)
{
    struct arp_state *s = state;
    struct str text;
    s->count = 0;
    int status = collect_read(c, &s->file, COLLECT_PROC, "net/arp", &text);
    struct procfs_arp_entry entry;
    while (status == 0 && (status = procfs_net_arp_next(&text, &entry)) > 0) {
        status = count_entry(s, entry.device);
    }
    metric_family(
        c->sink, "node_arp_entries", METRIC_TYPE_GAUGE, "Neighbours known over an interface.");
    for (size_t i = 0; i < s->count; i++) {
        struct label_pair label = {"device", str_make(s->rows[i].name, s->rows[i].name_length)};
        metric_sample(c->sink, &label, 1, (double)s->rows[i].entries);
    }
    return status;
}

static void arp_close(struct collect *c, void *state)
{
    struct arp_state *s = state;
    kept_file_close(c, &s->file);
    collect_filter_close(&s->filter);
    mem_free(s->rows);
}

const struct collector arp_collector = {
    .name = "arp",
    .help = "Neighbours known over each network interface (/proc/net/arp)",
    .default_enabled = true,
    .state_size = sizeof(struct arp_state),
    .open = arp_open,
    .collect = arp_collect,
    .close = arp_close,
};
