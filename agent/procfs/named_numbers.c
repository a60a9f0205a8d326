/* Parser of lines of numbers; the format is in the header. */
#include "procfs/named_numbers.h"

#include "base/err.h"
#include "procfs/field.h"

int procfs_named_numbers_next(struct str *rest, struct procfs_named_numbers *line_out)
{
    struct str line, field;
    int status = field_next_line(rest, &line);
    if (status <= 0) {
        return status;
    }
    if (!field_next(&line, &line_out->name)) {
        return ERR_CORRUPT;
    }
    int count = 0;
    while (count < PROCFS_NAMED_NUMBERS_MAX && field_next(&line, &field) &&
           field_u64(field, &line_out->numbers[count]) == 0) {
        count++;
    }
    line_out->count = count;
    return 1;
}

int procfs_named_numbers_find(
    struct str text, struct str name, struct procfs_named_numbers *line_out)
{
    for (;;) {
        struct str here = text;
        struct str line, word;
        int status = field_next_line(&text, &line);
        if (status <= 0) {
            return status;
        }
        if (field_next(&line, &word) && str_eq(word, name)) {
            return procfs_named_numbers_next(&here, line_out);
        }
    }
}
