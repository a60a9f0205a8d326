/* Interrupts of each CPU by number. A large machine has tens of thousands of these series, so it is off
 * unless asked for. Rows that count for the whole machine (ERR, MIS) are not given. */
#include "collectors/rows.h"
#include "procfs/cpu_table.h"
#include "procfs/field.h"

#define DESCRIPTION_MAX 512

struct interrupts_state {
    struct kept_file file;
};

/* Words separated by one blank each. */
static struct str single_blanks(struct str text, char *buffer, size_t size)
{
    struct str word;
    size_t length = 0;
    while (field_next(&text, &word) && length + word.len + 1 <= size) {
        if (length > 0) {
            buffer[length++] = ' ';
        }
        memcpy(buffer + length, word.ptr, word.len);
        length += word.len;
    }
    return str_make(buffer, length);
}

/* A numbered interrupt has a controller and then devices; a named one has a sentence. */
static void give_row(
    struct collect *c, const struct procfs_cpu_table *table, const struct procfs_cpu_table_row *row)
{
    char info_text[DESCRIPTION_MAX], device_text[DESCRIPTION_MAX];
    char info_clean[DESCRIPTION_MAX], device_clean[DESCRIPTION_MAX];
    struct str rest = row->description;
    struct str info = rest;
    uint64_t number;
    if (field_u64(row->name, &number) == 0) {
        (void)field_next(&rest, &info); // a row without words was skipped before
    } else {
        info = single_blanks(rest, info_text, sizeof(info_text));
        rest = STR("");
    }
    struct str devices = single_blanks(rest, device_text, sizeof(device_text));
    struct str title = table->title;
    struct str counters = row->counters;
    struct label_pair labels[] = {
        {"cpu", STR("")},
        {"devices", collect_label_text(devices, device_clean, sizeof(device_clean))},
        {"info", collect_label_text(info, info_clean, sizeof(info_clean))},
        {"type", row->name},
    };
    uint64_t value;
    while (procfs_cpu_table_next_cpu(&title, &counters, &labels[0].value, &value) > 0) {
        metric_sample(c->sink, labels, 4, (double)value);
    }
}

static int interrupts_collect(struct collect *c, void *state)
{
    struct interrupts_state *s = state;
    struct str text;
    struct procfs_cpu_table table;
    struct procfs_cpu_table_row row;
    int status = collect_read(c, &s->file, COLLECT_PROC, "interrupts", &text);
    if (status != 0 || (status = procfs_cpu_table_begin(text, &table)) != 0) {
        return status;
    }
    metric_family(
        c->sink, "node_interrupts_total", METRIC_TYPE_COUNTER, "Interrupts of a CPU by kind.");
    while ((status = procfs_cpu_table_next(&table, &row)) > 0) {
        if (row.count == table.cpus && row.description.len > 0) {
            give_row(c, &table, &row);
        }
    }
    return status;
}

static void interrupts_close(struct collect *c, void *state)
{
    struct interrupts_state *s = state;
    kept_file_close(c, &s->file);
}

const struct collector interrupts_collector = {
    .name = "interrupts",
    .help = "Interrupts of each CPU by number (/proc/interrupts)",
    .default_enabled = false,
    .state_size = sizeof(struct interrupts_state),
    .collect = interrupts_collect,
    .close = interrupts_close,
};
