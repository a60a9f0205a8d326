/* Any text as a file of objectives: refused with a sentence, or read; and what was read is written as OpenSLO
 * that reads back to the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "slo/slo_file.h"

#define FUZZ_BYTES_MAX ((size_t)64 << 10)

static void write_again(const struct slo_definition *d)
{
    struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;
    struct slo_file again;
    slo_openslo_write(d, &once);
    if (slo_file_parse(NULL, STR("f"), strbuf_str(&once), &again, NULL) != 0 || again.count != 1) {
        abort();
    }
    slo_openslo_write(&again.definitions[0], &twice);
    if (!str_eq(strbuf_str(&once), strbuf_str(&twice))) {
        abort();
    }
    slo_file_release(&again);
    strbuf_release(&once);
    strbuf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slo_file f;
    struct err e = ERR_INIT;
    if (size > FUZZ_BYTES_MAX) {
        return 0;
    }
    if (slo_file_parse(NULL, STR("f"), str_make((const char *)data, size), &f, &e) != 0) {
        if (e.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i < f.count; i++) {
        write_again(&f.definitions[i]);
    }
    slo_file_release(&f);
    return 0;
}
