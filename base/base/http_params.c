/* Query strings and forms. A parameter without "=" has an empty value; empty pieces ("a=1&&b=2") are
 * skipped; order and repetitions are kept. ";" separates nothing, as in Go since 1.17. */
#include "http_params.h"

#include <string.h>

#include "base/err.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_decode(
    struct arena *arena, struct str encoded, bool plus_is_space, struct str *decoded_out)
{
    char *out = arena_strndup(arena, encoded.ptr, encoded.len);
    if (out == NULL) {
        return arena_error(arena);
    }
    size_t length = 0;
    for (size_t i = 0; i < encoded.len; i++) {
        char c = encoded.ptr[i];
        int high = c == '%' && i + 2 < encoded.len ? hex_digit(encoded.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(encoded.ptr[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[length++] = c;
    }
    out[length] = '\0';
    *decoded_out = str_make(out, length);
    return 0;
}

static int add_one(struct arena *arena, struct str piece, struct http_param *param)
{
    struct str rest = piece;
    struct str name = str_split(&rest, '=');
    int status = http_decode(arena, name, true, &param->name);
    return status != 0 ? status : http_decode(arena, rest, true, &param->value);
}

static size_t count_pieces(struct str encoded)
{
    size_t count = 0;
    while (encoded.len > 0) {
        count += str_split(&encoded, '&').len > 0;
    }
    return count;
}

int http_params_add(struct arena *arena, struct str encoded, struct http_params *params)
{
    size_t more = count_pieces(encoded);
    if (more > HTTP_PARAMS_MAX - params->count) {
        return ERR_LIMIT;
    }
    struct http_param *items = arena_calloc(arena, params->count + more, sizeof(*items));
    if (items == NULL) {
        return arena_error(arena);
    }
    size_t count = params->count;
    if (count > 0) {
        memcpy(items, params->items, count * sizeof(*items));
    }
    while (encoded.len > 0) {
        struct str piece = str_split(&encoded, '&');
        if (piece.len > 0) {
            int status = add_one(arena, piece, &items[count++]);
            if (status != 0) {
                return status;
            }
        }
    }
    *params = (struct http_params){items, count};
    return 0;
}

const struct http_param *http_params_find(
    const struct http_params *params, struct str name, size_t index)
{
    for (size_t i = 0; i < params->count; i++) {
        if (str_eq(params->items[i].name, name) && index-- == 0) {
            return &params->items[i];
        }
    }
    return NULL;
}
