/* Headers that say what a body is. Parameters are read as they are written in practice: without comments, and
 * without semicolons inside quotes. */
#include "wire/media_type.h"

#include <strings.h>

#include "wire/remote_write2.h"

static bool is_word(struct str text, const char *word)
{
    text = str_trim(text);
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

bool media_type_is(struct str content_type, const char *type)
{
    return is_word(str_split(&content_type, ';'), type);
}

struct str media_type_parameter(struct str content_type, const char *name)
{
    (void)str_split(&content_type, ';'); /* the type */
    while (content_type.len > 0) {
        struct str value = str_split(&content_type, ';');
        struct str key = str_split(&value, '=');
        if (is_word(key, name)) {
            value = str_trim(value);
            bool quoted = value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"';
            return quoted ? str_make(value.ptr + 1, value.len - 2)
                          : str_make(value.len > 0 ? value.ptr : "", value.len);
        }
    }
    return (struct str){NULL, 0};
}

bool media_encoding_is(struct str content_encoding, const char *encoding)
{
    return is_word(content_encoding, encoding);
}

bool media_encoding_is_none(struct str content_encoding)
{
    return str_trim(content_encoding).len == 0 || is_word(content_encoding, "identity");
}

enum media_write media_write_of(struct str content_type, struct str *message_out)
{
    struct str message = media_type_parameter(content_type, "proto");
    *message_out = message.ptr != NULL ? message : STR(REMOTE_WRITE_MESSAGE_NAME);
    if (content_type.len > 0 && !media_type_is(content_type, "application/x-protobuf")) {
        *message_out = STR("");
    }
    return str_eq_c(*message_out, REMOTE_WRITE_MESSAGE_NAME)    ? MEDIA_WRITE_1
           : str_eq_c(*message_out, REMOTE_WRITE2_MESSAGE_NAME) ? MEDIA_WRITE_2
                                                                : MEDIA_WRITE_OTHER;
}
