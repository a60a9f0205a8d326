/* Reading answers of name servers: untrusted bytes, so every step is checked against the end. */
#include "discovery/dns_message.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"

enum { JUMPS_MAX = 64, LABEL_MAX = 63, CODE_GOOD = 0, CODE_NO_NAME = 3 };

struct cursor {
    const uint8_t *bytes;
    size_t size, at;
    bool bad;
};

static uint16_t read_16(struct cursor *c)
{
    if (c->bad || c->size - c->at < 2) {
        c->bad = true;
        return 0;
    }
    c->at += 2;
    return (uint16_t)(c->bytes[c->at - 2] << 8 | c->bytes[c->at - 1]);
}

static void skip(struct cursor *c, size_t count)
{
    c->bad = c->bad || c->size - c->at < count;
    c->at += c->bad ? 0 : count;
}

/* A label's text; what is no printable character or would read as structure makes the name bad: it
 * becomes part of an address. */
static bool copy_label(const uint8_t *label, size_t length, char *text, size_t *used)
{
    if (*used + length + 2 > DNS_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (label[i] <= ' ' || label[i] >= 0x7f || label[i] == '.' || label[i] == '/') {
            return false;
        }
        text[(*used)++] = (char)label[i];
    }
    text[(*used)++] = '.';
    return true;
}

/* The name at the cursor, which moves behind it. `text` NULL: only moves. */
static void read_name(struct cursor *c, char *text)
{
    size_t at = c->at, behind = 0, used = 0;
    for (unsigned jumps = 0; !c->bad && at < c->size;) {
        uint8_t length = c->bytes[at];
        if (length == 0) {
            c->at = behind != 0 ? behind : at + 1;
            if (text != NULL && used == 0) {
                text[used++] = '.'; /* the root */
            }
            if (text != NULL) {
                text[used] = '\0';
            }
            return;
        }
        if ((length & 0xc0) == 0xc0) {
            if (c->size - at < 2 || ++jumps > JUMPS_MAX) {
                break;
            }
            behind = behind != 0 ? behind : at + 2;
            at = (size_t)(length & 0x3f) << 8 | c->bytes[at + 1];
            if (text == NULL) {
                c->at = behind;
                return;
            }
        } else if (length > LABEL_MAX || c->size - at - 1 < length ||
                   (text != NULL && !copy_label(c->bytes + at + 1, length, text, &used))) {
            break;
        } else {
            at += (size_t)length + 1;
        }
    }
    c->bad = true;
}

/* The data of a record of a type that is wanted. */
static void read_data(struct cursor *c, size_t length, struct dns_record *record)
{
    size_t end = c->at + length;
    switch (record->type) {
    case DNS_A:
    case DNS_AAAA: {
        bool four = record->type == DNS_A;
        c->bad = c->bad || length != (four ? 4 : 16) ||
                 inet_ntop(four ? AF_INET : AF_INET6, c->bytes + c->at, record->target,
                     sizeof(record->target)) == NULL;
        c->at = end;
        break;
    }
    case DNS_MX:
        (void)read_16(c); /* all are targets, preferred or not */
        read_name(c, record->target);
        break;
    case DNS_SRV:
        skip(c, 4); /* priority and weight: so are they here */
        record->port = read_16(c);
        read_name(c, record->target);
        break;
    case DNS_NS:
        read_name(c, record->target);
        break;
    }
    c->bad = c->bad || c->at != end;
}

static int read_record(struct cursor *c, enum dns_type wanted,
    int (*visit)(void *context, const struct dns_record *record), void *context)
{
    read_name(c, NULL);
    uint16_t type = read_16(c);
    skip(c, 6); /* class, time to live */
    size_t length = read_16(c);
    if (c->bad || c->size - c->at < length) {
        return ERR_CORRUPT;
    }
    if (type != wanted) {
        c->at += length; /* CNAMEs on the way, mostly */
        return 0;
    }
    struct dns_record record = {.type = wanted};
    read_data(c, length, &record);
    return c->bad ? ERR_CORRUPT : visit(context, &record);
}

int dns_message_read(const uint8_t *message, size_t size, enum dns_type wanted,
    int (*visit)(void *context, const struct dns_record *record), void *context)
{
    struct cursor c = {.bytes = message, .size = size};
    (void)read_16(&c); /* the id: whoever asked has compared it */
    unsigned code = read_16(&c) & 0xf;
    unsigned questions = read_16(&c), answers = read_16(&c);
    skip(&c, 4);
    for (unsigned i = 0; !c.bad && i < questions; i++) {
        read_name(&c, NULL);
        skip(&c, 4);
    }
    if (c.bad) {
        return ERR_CORRUPT;
    }
    if (code != CODE_GOOD && code != CODE_NO_NAME) {
        return ERR_IO;
    }
    int status = 0;
    for (unsigned i = 0; status == 0 && i < answers; i++) {
        status = read_record(&c, wanted, visit, context);
    }
    return status;
}
