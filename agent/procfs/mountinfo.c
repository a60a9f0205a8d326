/* Parser of mountinfo; the format is in the header. */
#include "procfs/mountinfo.h"

#include "base/err.h"
#include "procfs/field.h"

/* A field up to the next space; ERR_CORRUPT at the end of the line. */
static int next_column(struct str *line, struct str *column_out)
{
    if (line->ptr == NULL) {
        return ERR_CORRUPT;
    }
    *column_out = str_split(line, ' ');
    return 0;
}

/* Skips the optional fields and the dash behind them. */
static int skip_optional(struct str *line)
{
    struct str column;
    while (next_column(line, &column) == 0) {
        if (str_eq(column, STR("-"))) {
            return 0;
        }
    }
    return ERR_CORRUPT;
}

static int parse_device_number(struct str column, struct procfs_mount *mount)
{
    struct str major = str_split(&column, ':');
    return field_u64(major, &mount->major) == 0 ? field_u64(column, &mount->minor) : ERR_CORRUPT;
}

int procfs_mountinfo_next(struct str *rest, struct procfs_mount *mount_out)
{
    struct str line;
    int status = field_next_line(rest, &line);
    if (status <= 0) {
        return status;
    }
    struct procfs_mount mount;
    struct str id, parent, number, root;
    if (next_column(&line, &id) != 0 || field_u64(id, &mount.id) != 0 ||
        next_column(&line, &parent) != 0 || next_column(&line, &number) != 0 ||
        parse_device_number(number, &mount) != 0 || next_column(&line, &root) != 0 ||
        next_column(&line, &mount.mountpoint) != 0 || mount.mountpoint.len == 0 ||
        next_column(&line, &mount.options) != 0 || skip_optional(&line) != 0 ||
        next_column(&line, &mount.type) != 0 || next_column(&line, &mount.source) != 0 ||
        next_column(&line, &mount.super_options) != 0) {
        return ERR_CORRUPT;
    }
    *mount_out = mount;
    return 1;
}

bool procfs_mount_has_option(struct str options, struct str option)
{
    while (options.len > 0) {
        if (str_eq(str_split(&options, ','), option)) {
            return true;
        }
    }
    return false;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* An escape is a backslash and three octal digits of one byte. */
static bool is_escape(struct str s)
{
    return s.len >= 4 && s.ptr[0] == '\\' && s.ptr[1] >= '0' && s.ptr[1] <= '3' &&
           is_octal(s.ptr[2]) && is_octal(s.ptr[3]);
}

struct str procfs_unescape(struct str escaped, char *buffer)
{
    size_t length = 0;
    while (escaped.len > 0) {
        if (is_escape(escaped)) {
            buffer[length++] = (char)((escaped.ptr[1] - '0') << 6 | (escaped.ptr[2] - '0') << 3 |
                                      (escaped.ptr[3] - '0'));
            escaped = str_skip(escaped, 4);
        } else {
            buffer[length++] = escaped.ptr[0];
            escaped = str_skip(escaped, 1);
        }
    }
    return str_make(buffer, length);
}
