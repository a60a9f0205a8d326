/* The texts of gRPC over HTTP/2.
 *
 * What may be tried again carries a google.rpc.Status (google/rpc/status.proto, error_details.proto):
 *
 *   Status    { code 1 varint, message 2 text, details 3 Any }
 *   Any       { type_url 1 text, value 2 bytes }
 *   RetryInfo { retry_delay 1 Duration }
 *   Duration  { seconds 1 varint, nanos 2 varint }
 */
#include "grpc_server_protocol.h"

#include <strings.h>

#include "base/bytes.h"

#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"

bool grpc_is_content_type(struct str value)
{
    static const char word[] = "application/grpc";
    const size_t length = sizeof(word) - 1;
    if (value.len < length || strncasecmp(value.ptr, word, length) != 0) {
        return false;
    }
    return value.len == length || value.ptr[length] == '+' || value.ptr[length] == ';';
}

int grpc_timeout_parse(struct str value, int64_t *ms_out)
{
    static const struct {
        char unit;
        int64_t multiplier, divisor; /* of milliseconds */
    } units[] = {{'H', 3600000, 1}, {'M', 60000, 1}, {'S', 1000, 1}, {'m', 1, 1}, {'u', 1, 1000},
        {'n', 1, 1000000}};
    enum { DIGITS_MAX = 8 };
    uint64_t number;
    if (value.len < 2 || value.len > DIGITS_MAX + 1 ||
        str_to_u64(str_make(value.ptr, value.len - 1), &number) != 0) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].unit == value.ptr[value.len - 1]) {
            int64_t scaled = (int64_t)number * units[i].multiplier; /* at most 1e8 * 3.6e6 */
            *ms_out = (scaled + units[i].divisor - 1) / units[i].divisor;
            return 0;
        }
    }
    return ERR_INVALID;
}

void grpc_sentence_encode(struct str sentence, struct strbuf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < sentence.len; i++) {
        unsigned char c = (unsigned char)sentence.ptr[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            strbuf_add_char(out, (char)c);
        } else {
            strbuf_add_char(out, '%');
            strbuf_add_char(out, digits[c >> 4]);
            strbuf_add_char(out, digits[c & 15]);
        }
    }
}

/* ---- RetryInfo ---- */

enum wire_type { VARINT = 0, BYTES = 2 };

static void put_varint(struct strbuf *out, unsigned number, uint64_t value)
{
    strbuf_add_uvarint(out, number << 3 | VARINT);
    strbuf_add_uvarint(out, value);
}

static void put_bytes(struct strbuf *out, unsigned number, struct str bytes)
{
    strbuf_add_uvarint(out, number << 3 | BYTES);
    strbuf_add_sized(out, bytes);
}

void grpc_retry_encode(
    enum grpc_status status, struct str sentence, int64_t retry_after_ms, struct strbuf *out)
{
    struct strbuf duration = STRBUF_INIT, info = STRBUF_INIT, any = STRBUF_INIT, all = STRBUF_INIT;
    put_varint(&duration, 1, (uint64_t)retry_after_ms / 1000);
    put_varint(&duration, 2, (uint64_t)retry_after_ms % 1000 * 1000000);
    put_bytes(&info, 1, strbuf_str(&duration));
    put_bytes(&any, 1, STR(RETRY_INFO_TYPE));
    put_bytes(&any, 2, strbuf_str(&info));
    put_varint(&all, 1, (uint64_t)status);
    put_bytes(&all, 2, sentence);
    put_bytes(&all, 3, strbuf_str(&any));
    strbuf_add_base64(out, strbuf_str(&all));
    while (out->size > 0 && out->data[out->size - 1] == '=') {
        strbuf_truncate(out, out->size - 1);
    }
    strbuf_release(&duration);
    strbuf_release(&info);
    strbuf_release(&any);
    strbuf_release(&all);
}

/* ---- A message's prefix ---- */

void grpc_prefix_encode(size_t message_size, uint8_t prefix[GRPC_PREFIX_BYTES])
{
    prefix[0] = 0;
    for (int i = 0; i < 4; i++) {
        prefix[1 + i] = (uint8_t)(message_size >> (24 - 8 * i));
    }
}

bool grpc_prefix_decode(
    const uint8_t prefix[GRPC_PREFIX_BYTES], bool *compressed_out, size_t *size_out)
{
    size_t size = 0;
    for (int i = 0; i < 4; i++) {
        size = size << 8 | prefix[1 + i];
    }
    *compressed_out = prefix[0] == 1;
    *size_out = size;
    return prefix[0] <= 1;
}
