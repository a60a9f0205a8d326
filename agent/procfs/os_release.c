/* Parser of os-release; the format is in the header. */
#include "procfs/os_release.h"

#include <stdbool.h>

#include "base/err.h"
#include "procfs/field.h"

/* Between double quotes a backslash quotes only these four. */
static bool is_escapable(char c)
{
    return c == '"' || c == '$' || c == '`' || c == '\\';
}

static int unquote(struct str raw, char *buffer, size_t size, struct str *value_out)
{
    char quote = raw.len > 0 && (raw.ptr[0] == '"' || raw.ptr[0] == '\'') ? raw.ptr[0] : '\0';
    if (quote != '\0') {
        if (raw.len < 2 || raw.ptr[raw.len - 1] != quote) {
            return ERR_CORRUPT;
        }
        raw = str_make(raw.ptr + 1, raw.len - 2);
    }
    size_t length = 0;
    for (size_t i = 0; i < raw.len; i++) {
        bool escaped =
            quote == '"' && raw.ptr[i] == '\\' && i + 1 < raw.len && is_escapable(raw.ptr[i + 1]);
        i += escaped ? 1 : 0;
        if (length == size) {
            return ERR_CORRUPT;
        }
        buffer[length++] = raw.ptr[i];
    }
    *value_out = str_make(buffer, length);
    return 0;
}

int procfs_os_release_get(
    struct str text, struct str key, char *buffer, size_t size, struct str *value_out)
{
    int status = ERR_NOT_FOUND;
    while (text.len > 0) {
        struct str line = str_trim(str_split(&text, '\n'));
        if (field_take_prefix(&line, key) && field_take_prefix(&line, STR("="))) {
            status = unquote(line, buffer, size, value_out);
            if (status != 0) {
                return status;
            }
        }
    }
    return status;
}
