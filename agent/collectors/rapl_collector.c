/* Energy used by packages, cores and memory, from the processor's own meters (RAPL). The files are for
 * root alone since they leak what a CPU computes; without the right the collector has no data.
 *
 * A zone is named "package-0", "dram" or "core". Zones with a number of their own keep it as index;
 * the others are counted as they come.
 */
#include <stdio.h>

#include "collectors/devices.h"
#include "collectors/metric_files.h"
#include "collectors/metric_names.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define ZONES_MAX 256
#define ZONE_NAME_MAX 64

enum { FILE_NAME, FILE_ENERGY, FILE_COUNT };
static const char *const rapl_files[FILE_COUNT] = {
    [FILE_NAME] = "name", [FILE_ENERGY] = "energy_uj"};

struct rapl_state {
    struct devices zones;
    struct metric_files files;
    int status;
};

static int rapl_open(struct collect *c, void *state, struct err *e)
{
    struct rapl_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->zones, COLLECT_SYS, "class/powercap", rapl_files, FILE_COUNT);
    return 0;
}

/* Cuts "package-0" into name and index. */
static bool take_index(struct str *name, uint64_t *index_out)
{
    const char *dash = name->len > 0 ? memrchr(name->ptr, '-', name->len) : NULL;
    size_t length = dash != NULL ? (size_t)(dash - name->ptr) : 0;
    if (length == 0 || field_u64(str_skip(*name, length + 1), index_out) != 0) {
        return false;
    }
    name->len = length;
    return true;
}

/* How many zones of this name came before. */
static uint64_t count_name(char names[][ZONE_NAME_MAX], size_t count, struct str name)
{
    uint64_t same = 0;
    for (size_t i = 0; i < count; i++) {
        same += str_eq_c(name, names[i]);
    }
    return same;
}

static void add_zone(
    struct rapl_state *s, size_t zone, struct str name, uint64_t index, const char *sys)
{
    char metric[METRIC_NAME_MAX], path[COLLECT_PATH_MAX], shown[COLLECT_PATH_MAX];
    struct number_text number;
    (void)snprintf(metric, sizeof(metric), "node_rapl_%.*s_joules_total", STR_ARG(name));
    for (char *p = metric; *p != '\0'; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        *p = plain ? *p : '_';
    }
    (void)snprintf(path, sizeof(path), "class/powercap/%s/energy_uj", s->zones.list[zone].name);
    (void)snprintf(shown, sizeof(shown), "%s/class/powercap/%s", sys, s->zones.list[zone].name);
    metric_files_add(&s->files,
        &(struct metric_file){
            .name = metric,
            .type = METRIC_TYPE_COUNTER,
            .help = "Energy used, until the meter wraps around.",
            .divisor = 1e6,
            .path = path,
            .label_count = 2,
            .labels = {{"index", collect_number_text(index, &number)}, {"path", str_of(shown)}},
        });
}

static int find_zones(struct collect *c, struct rapl_state *s)
{
    char names[ZONES_MAX][ZONE_NAME_MAX];
    int status = devices_refresh(c, &s->zones, NULL, NULL);
    for (size_t i = 0; status == 0 && i < s->zones.count && i < ZONES_MAX; i++) {
        struct str name, energy;
        names[i][0] = '\0';
        if (devices_read_once(c, &s->zones, i, FILE_NAME, &name) != 0 || name.len == 0 ||
            name.len >= ZONE_NAME_MAX) {
            continue;
        }
        uint64_t index = 0;
        bool has_index = take_index(&name, &index);
        memcpy(names[i], name.ptr, name.len);
        names[i][name.len] = '\0';
        name = str_of(names[i]);
        index = has_index ? index : count_name(names, i, name);
        int energy_status = devices_read_once(c, &s->zones, i, FILE_ENERGY, &energy);
        if (energy_status != 0) {
            status = energy_status == ERR_NOT_FOUND ? 0 : energy_status; // a zone without meter
        } else {
            add_zone(s, i, name, index, c->roots[COLLECT_SYS]);
        }
    }
    return status;
}

static int rapl_collect(struct collect *c, void *state)
{
    struct rapl_state *s = state;
    if (metric_files_due(c, &s->files)) {
        metric_files_begin(c, &s->files);
        s->status = find_zones(c, s);
        metric_files_end(c, &s->files);
    }
    int status = metric_files_give(c, &s->files);
    return s->status != 0 ? s->status : status;
}

static void rapl_close(struct collect *c, void *state)
{
    struct rapl_state *s = state;
    devices_close(c, &s->zones);
    metric_files_release(c, &s->files);
}

const struct collector rapl_collector = {
    .name = "rapl",
    .help = "Energy used by packages, cores and memory (/sys/class/powercap)",
    .default_enabled = true,
    .state_size = sizeof(struct rapl_state),
    .open = rapl_open,
    .collect = rapl_collect,
    .close = rapl_close,
};
