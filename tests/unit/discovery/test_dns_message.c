/* Answers of name servers, byte by byte, and what is wrong with cut and hostile ones. The bytes are put
 * together by hand after RFC 1035 and RFC 2782. */
#include "discovery/dns_message.h"

#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "support/support.h"

/* One question for "svc.x", at offset 12. */
#define QUESTION(type)                                                                             \
    "\x03svc\x01x\0"                                                                               \
    "\0" type "\0\x01"
#define HEADER(code, answers) "\x12\x34\x81" code "\0\x01\0" answers "\0\0\0\0"
/* A record whose name points at the question's. */
#define RECORD(type, length) "\xc0\x0c\0" type "\0\x01\0\0\0\x1e\0" length
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static const struct {
    const uint8_t *message;
    size_t size;
    enum dns_type wanted;
    int status;
    const char *expected;
} rows[] = {
    {BYTES(HEADER("\x80", "\x02") QUESTION("\x01")
             RECORD("\x01", "\x04") "\x0a\0\0\x01" RECORD("\x01", "\x04") "\x0a\0\0\x02"),
        DNS_A, 0, "10.0.0.1:0 10.0.0.2:0 "},
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x1c") RECORD("\x1c", "\x10") "\xfe\x80\0\0\0\0\0\0"
                                                                          "\0\0\0\0\0\0\0\x01"),
        DNS_AAAA, 0, "fe80::1:0 "},
    /* SRV of priority 0, weight 5, port 8080, name "n" and the rest as in the question. */
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x21") RECORD("\x21", "\x0a") "\0\0\0\x05\x1f\x90"
                                                                          "\x01n\xc0\x0c"),
        DNS_SRV, 0, "n.svc.x.:8080 "},
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x0f") RECORD("\x0f", "\x04") "\0\x0a\xc0\x10"), DNS_MX,
        0, "x.:0 "},
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x02") RECORD("\x02", "\x02") "\xc0\x0c"), DNS_NS, 0,
        "svc.x.:0 "},
    /* An alias on the way is passed over. */
    {BYTES(HEADER("\x80", "\x02") QUESTION("\x01")
             RECORD("\x05", "\x02") "\xc0\x10" RECORD("\x01", "\x04") "\x0a\0\0\x01"),
        DNS_A, 0, "10.0.0.1:0 "},
    {BYTES(HEADER("\x83", "\0") QUESTION("\x01")), DNS_A, 0, ""},
    {BYTES(HEADER("\x82", "\0") QUESTION("\x01")), DNS_A, ERR_IO, ""},
    /* A name that points at itself; an address of three bytes; a record longer than the message; a name
     * that is longer than its record says; a label that would read as a path. */
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x02") RECORD("\x02", "\x02") "\xc0\x23"), DNS_NS,
        ERR_CORRUPT, ""},
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x01") RECORD("\x01", "\x03") "\x0a\0\0"), DNS_A,
        ERR_CORRUPT, ""},
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x01") RECORD("\x01", "\x05") "\x0a\0\0\x01"), DNS_A,
        ERR_CORRUPT, ""},
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x02") RECORD("\x02", "\x01") "\xc0\x0c"), DNS_NS,
        ERR_CORRUPT, ""},
    {BYTES(HEADER("\x80", "\x01") QUESTION("\x02") RECORD("\x02", "\x05") "\x03"
                                                                          "a/b\0"),
        DNS_NS, ERR_CORRUPT, ""},
};

static int note(void *context, const struct dns_record *record)
{
    strbuf_addf(context, "%s:%u ", record->target, record->port);
    return 0;
}

static void test_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct strbuf got = STRBUF_INIT;
        int status = dns_message_read(rows[i].message, rows[i].size, rows[i].wanted, note, &got);
        strbuf_add_char(&got, '\0');
        if (status != rows[i].status || strcmp(got.data, rows[i].expected) != 0) {
            fail_msg("row %zu gave %s \"%s\", expected %s \"%s\"", i, err_name(status), got.data,
                err_name(rows[i].status), rows[i].expected);
        }
        strbuf_release(&got);
    }
}

/* A good message cut anywhere is corrupt. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t size = 0; rows[i].status == 0 && size < rows[i].size; size++) {
            struct strbuf got = STRBUF_INIT;
            int status = dns_message_read(rows[i].message, size, rows[i].wanted, note, &got);
            if (status != ERR_CORRUPT) {
                fail_msg("row %zu cut to %zu bytes gave %s", i, size, err_name(status));
            }
            strbuf_release(&got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages), cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
