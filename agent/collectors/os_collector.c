/* The operating system's own name and version, from os-release(5). The file is replaced by upgrades,
 * so it is opened anew; since that happens rarely it is read once in OS_PASSES passes. */
#include "collectors/rows.h"
#include "procfs/field.h"
#include "procfs/os_release.h"

#define OS_PASSES 6
#define OS_VALUE_MAX 256

/* In the order of the labels of node_os_info. */
static const struct {
    const char *label;
    const char *key;
} os_fields[] = {
    {"build_id", "BUILD_ID"},
    {"id", "ID"},
    {"id_like", "ID_LIKE"},
    {"image_id", "IMAGE_ID"},
    {"image_version", "IMAGE_VERSION"},
    {"name", "NAME"},
    {"pretty_name", "PRETTY_NAME"},
    {"variant", "VARIANT"},
    {"variant_id", "VARIANT_ID"},
    {"version", "VERSION"},
    {"version_codename", "VERSION_CODENAME"},
    {"version_id", "VERSION_ID"},
};

enum {
    OS_FIELDS = sizeof(os_fields) / sizeof(os_fields[0]),
    OS_ID = 1,
    OS_ID_LIKE = 2,
    OS_NAME = 5
};

#define OS_VERSION_ID (OS_FIELDS - 1)

struct os_state {
    uint64_t due; /* pass in which to read again */
    int status;
    struct str values[OS_FIELDS]; /* slices of `buffers` */
    char buffers[OS_FIELDS][OS_VALUE_MAX];
    bool has_support_end;
    double support_end_s;
};

static void keep_value(struct os_state *s, struct str text, size_t field)
{
    char raw_buffer[OS_VALUE_MAX];
    struct str raw;
    s->values[field] = STR("");
    if (procfs_os_release_get(
            text, str_of(os_fields[field].key), raw_buffer, sizeof(raw_buffer), &raw) != 0) {
        return;
    }
    struct str clean = collect_label_text(raw, s->buffers[field], OS_VALUE_MAX);
    memmove(s->buffers[field], clean.ptr, clean.len);
    s->values[field] = str_make(s->buffers[field], clean.len);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; years start in March so that the leap day
 * comes last. */
static int64_t days_since_epoch(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* SUPPORT_END=2025-05-13 */
static bool parse_date(struct str text, double *seconds_out)
{
    uint64_t year, month, day;
    if (field_u64(str_split(&text, '-'), &year) != 0 ||
        field_u64(str_split(&text, '-'), &month) != 0 || field_u64(text, &day) != 0 ||
        year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31) {
        return false;
    }
    *seconds_out = (double)days_since_epoch((int64_t)year, (int64_t)month, (int64_t)day) * 86400;
    return true;
}

static void read_os_release(struct collect *c, struct os_state *s)
{
    struct str text;
    s->status = collect_read_once(c, COLLECT_ROOT, "etc/os-release", &text);
    if (s->status == ERR_NOT_FOUND) {
        s->status = collect_read_once(c, COLLECT_ROOT, "usr/lib/os-release", &text);
    }
    if (s->status != 0) {
        return;
    }
    for (size_t field = 0; field < OS_FIELDS; field++) {
        keep_value(s, text, field);
    }
    char buffer[OS_VALUE_MAX];
    struct str date;
    s->has_support_end =
        procfs_os_release_get(text, STR("SUPPORT_END"), buffer, sizeof(buffer), &date) == 0 &&
        parse_date(date, &s->support_end_s);
}

/* "22.04.1" is 22.04: digits, and digits behind one point. */
static bool version_number(struct str version, double *number_out)
{
    size_t length = 0;
    bool point = false;
    for (; length < version.len; length++) {
        char byte = version.ptr[length];
        if (byte == '.' && !point && length > 0) {
            point = true;
        } else if (byte < '0' || byte > '9') {
            break;
        }
    }
    if (length > 0 && version.ptr[length - 1] == '.') {
        length--;
    }
    return str_to_double(str_make(version.ptr, length), number_out) == 0;
}

static int os_collect(struct collect *c, void *state)
{
    struct os_state *s = state;
    if (c->pass >= s->due) {
        read_os_release(c, s);
        s->due = c->pass + OS_PASSES;
    }
    if (s->status != 0) {
        return s->status;
    }
    struct label_pair labels[OS_FIELDS];
    for (size_t field = 0; field < OS_FIELDS; field++) {
        labels[field] = (struct label_pair){os_fields[field].label, s->values[field]};
    }
    metric_family(c->sink, "node_os_info", METRIC_TYPE_GAUGE, "What os-release says, always 1.");
    metric_sample(c->sink, labels, OS_FIELDS, 1);
    if (s->has_support_end) {
        metric_single(c->sink, "node_os_support_end_timestamp_seconds", METRIC_TYPE_GAUGE,
            "When support of the system ends, seconds since 1970.", s->support_end_s);
    }
    double version;
    if (version_number(s->values[OS_VERSION_ID], &version) && version > 0) {
        struct label_pair version_labels[] = {labels[OS_ID], labels[OS_ID_LIKE], labels[OS_NAME]};
        metric_family(
            c->sink, "node_os_version", METRIC_TYPE_GAUGE, "Version of the system as a number.");
        metric_sample(c->sink, version_labels, 3, version);
    }
    return 0;
}

const struct collector os_collector = {
    .name = "os",
    .help = "Name and version of the operating system (os-release)",
    .default_enabled = true,
    .state_size = sizeof(struct os_state),
    .collect = os_collect,
};
