/* Error codes, their names, and sentences. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_vset(struct err *e, int code, int64_t position, const char *format, va_list arguments)
{
    if (e != NULL) {
        e->code = code;
        e->position = position;
        vsnprintf(e->message, sizeof(e->message), format, arguments);
    }
    return code;
}

int err_set(struct err *e, int code, int64_t position, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    err_vset(e, code, position, format, arguments);
    va_end(arguments);
    return code;
}

int err_prefix(struct err *e, const char *format, ...)
{
    if (e == NULL) {
        return ERR_INTERNAL;
    }
    char sentence[ERR_MESSAGE_MAX];
    memcpy(sentence, e->message, sizeof(sentence));
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(e->message, sizeof(e->message), format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof(e->message)) {
        size_t room = sizeof(e->message) - (size_t)length;
        snprintf(e->message + length, room, ": %.*s", (int)(room > 3 ? room - 3 : 0), sentence);
    }
    return e->code;
}

const char *err_name(int code)
{
    switch (code) {
    case ERR_OK:
        return "OK";
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return #name;
        ERR_LIST(X)
#undef X
    default:
        return "UNKNOWN";
    }
}

const char *err_text(int code)
{
    switch (code) {
    case ERR_OK:
        return "no error";
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        ERR_LIST(X)
#undef X
    default:
        return "unknown error";
    }
}

int err_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return ERR_OK;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY: /* POSIX lets a kernel say either of a directory that holds something */
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case ENOMEM:
        return ERR_NOMEM;
    case EMFILE:
    case ENFILE:
        return ERR_LIMIT;
    case EISDIR:
    case ENOTDIR:
    case EINVAL:
    case ENAMETOOLONG:
        return ERR_INVALID;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

const char *err_errno_text(int errno_value, char *buffer, unsigned size)
{
    /* The GNU strerror_r may return a static string instead of filling the buffer. */
    const char *text = strerror_r(errno_value, buffer, size);
    if (text != buffer && size > 0) {
        snprintf(buffer, size, "%s", text);
    }
    return buffer;
}
