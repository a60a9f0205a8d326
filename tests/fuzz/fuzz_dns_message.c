/* Any bytes as the answer of a name server: refused, or records whose targets are text that may stand in
 * an address. The first byte picks the type that is wanted. */
#include <assert.h>
#include <string.h>

#include "discovery/dns_message.h"

static int check(void *context, const struct dns_record *record)
{
    size_t length = strlen(record->target);
    (void)context;
    assert(length > 0 && length < DNS_NAME_MAX);
    assert(strpbrk(record->target, "/ \n\t") == NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_MX, DNS_AAAA, DNS_SRV};
    if (size > 0) {
        enum dns_type wanted = types[data[0] % (sizeof(types) / sizeof(types[0]))];
        (void)dns_message_read(data + 1, size - 1, wanted, check, NULL); /* either will do */
    }
    return 0;
}
