/* Attributes whose values are text, which is all that labels can hold. */
#include "otlp_value.h"

#include "otlp_check.h"
#include "wire/otlp_traces.h"

/* Bytes of one value as text. */
#define VALUE_BYTES_MAX ((size_t)1 << 20)

struct str otlp_hex(struct str bytes, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc(arena, 2 * bytes.len);
    for (size_t i = 0; text != NULL && i < bytes.len; i++) {
        text[2 * i] = digits[(uint8_t)bytes.ptr[i] >> 4];
        text[2 * i + 1] = digits[(uint8_t)bytes.ptr[i] & 15];
    }
    return text != NULL ? str_make(text, 2 * bytes.len) : str_make(NULL, 0);
}

int otlp_attribute_text(
    const struct attribute *attribute, struct arena *arena, struct str *text_out)
{
    if (attribute->kind == ATTRIBUTE_STRING || attribute->kind == ATTRIBUTE_EMPTY) {
        *text_out = attribute->bytes;
        return 0;
    }
    struct strbuf text;
    strbuf_init(&text, VALUE_BYTES_MAX);
    strbuf_add_c(&text, "");
    otlp_attribute_write_text(attribute, &text);
    int status = strbuf_error(&text);
    if (status == 0) {
        char *copy = arena_strndup(arena, text.data, text.size);
        *text_out = str_make(copy, text.size);
        status = copy == NULL ? arena_error(arena) : 0;
    }
    strbuf_release(&text);
    return status;
}

static int decode_pair(struct str pair, struct arena *arena, struct label *label_out)
{
    struct attribute attribute;
    int status = otlp_check(OTLP_MESSAGE_KEY_VALUE, pair);
    status = status == 0 ? otlp_attribute_decode(pair, &attribute) : status;
    if (status == 0) {
        label_out->name = attribute.key;
        status = otlp_attribute_text(&attribute, arena, &label_out->value);
    }
    return status;
}

int otlp_decode_attributes(struct str message, uint32_t number, struct arena *arena,
    struct otlp_attributes *attributes_out)
{
    size_t cap = otlp_count_fields(message, number), count = 0;
    struct label *items = arena_calloc(arena, cap, sizeof(*items));
    struct decbuf in = decbuf_of(message.ptr, message.len);
    struct protobuf_field f;
    int status = items == NULL ? arena_error(arena) : 0;
    while (status == 0 && count < cap && protobuf_next(&in, &f)) {
        if (f.number == number) {
            status = f.type == PROTOBUF_BYTES ? decode_pair(f.bytes, arena, &items[count++])
                                              : ERR_CORRUPT;
        }
    }
    *attributes_out = (struct otlp_attributes){items, count};
    return status;
}
