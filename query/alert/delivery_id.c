/* RFC 9562, section 5.4, from the kernel's entropy. */
#include "alert/delivery_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

void delivery_id_uuid(char text_out[37])
{
    uint64_t high = (hash_seed_random() & UINT64_C(0xffffffffffff0fff)) | UINT64_C(0x4000);
    uint64_t low =
        (hash_seed_random() & UINT64_C(0x3fffffffffffffff)) | UINT64_C(0x8000000000000000);
    (void)snprintf(text_out, 37, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned)(high >> 32),
        (unsigned)(high >> 16) & 0xffff, (unsigned)high & 0xffff, (unsigned)(low >> 48),
        low & UINT64_C(0xffffffffffff));
}

void delivery_id_new(char text_out[DELIVERY_ID_SIZE])
{
    memcpy(text_out, "msg_", 4);
    delivery_id_uuid(text_out + 4);
}
