/* Parser of tables by CPU; the format is in the header. */
#include "procfs/cpu_table.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_cpu_table_begin(struct str text, struct procfs_cpu_table *table_out)
{
    struct procfs_cpu_table table = {.rest = text};
    if (field_next_line(&table.rest, &table.title) != 1) {
        return ERR_CORRUPT;
    }
    struct str title = table.title;
    struct str cpu;
    while (field_next(&title, &cpu)) {
        if (!str_starts_with(cpu, STR("CPU")) || cpu.len == 3) {
            return ERR_CORRUPT;
        }
        table.cpus++;
    }
    if (table.cpus == 0) {
        return ERR_CORRUPT;
    }
    *table_out = table;
    return 0;
}

int procfs_cpu_table_next(struct procfs_cpu_table *table, struct procfs_cpu_table_row *row_out)
{
    struct str line;
    int status = field_next_line(&table->rest, &line);
    if (status <= 0) {
        return status;
    }
    ptrdiff_t colon = str_find(line, ':');
    if (colon < 0) {
        return ERR_CORRUPT;
    }
    struct procfs_cpu_table_row row = {.name = str_trim(str_make(line.ptr, (size_t)colon))};
    struct str rest = str_skip(line, (size_t)colon + 1);
    row.counters = str_make(rest.ptr, 0);
    while (row.count < table->cpus) {
        struct str before = rest;
        struct str field;
        uint64_t value;
        if (!field_next(&rest, &field) || field_u64(field, &value) != 0) {
            rest = before;
            break;
        }
        row.count++;
        row.counters.len = (size_t)(rest.ptr - row.counters.ptr);
    }
    row.description = str_trim(rest);
    if (row.name.len == 0) {
        return ERR_CORRUPT;
    }
    *row_out = row;
    return 1;
}

int procfs_cpu_table_next_cpu(
    struct str *title, struct str *counters, struct str *cpu_out, uint64_t *value_out)
{
    struct str cpu;
    if (!field_next(title, &cpu) || field_next_u64(counters, value_out) != 0) {
        return 0;
    }
    *cpu_out = str_skip(cpu, strlen("CPU"));
    return 1;
}
