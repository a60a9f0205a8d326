/* Any bytes as a line of an access log in each form: slices stay inside the line or the format's own text,
 * and what is accepted has a status and no impossible numbers. The first byte chooses the form. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "logs/access_line.h"

static void read_all(struct str text)
{
    volatile char last = 0;
    for (size_t i = 0; i < text.len; i++) {
        last = text.ptr[i];
    }
    (void)last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct access_log_config forms[] = {
        {.format = "combined", .pattern = "", .duration_unit = "s"},
        {.format = "json", .pattern = "", .duration_unit = "ms"},
        {.format = "logfmt", .pattern = "", .duration_unit = "us"},
        {.format = "pattern",
            .pattern = "$host \"$request\" $status $body_bytes_sent \"$http_x\" $request_time",
            .duration_unit = "ns"},
    };
    struct access_format *f;
    struct access_line line;
    if (size == 0 || access_format_new(&forms[data[0] % 4], &f, NULL) != 0) {
        return 0;
    }
    char *copy = mem_dup(data + 1, size - 1); // alone, so that a byte read past it is seen
    if (access_format_parse(f, str_make(copy, size - 1), &line) == 0) {
        assert(line.status >= 100 && line.status <= 599);
        assert(isfinite(line.seconds) && isfinite(line.bytes));
        read_all(line.method);
        read_all(line.path);
        read_all(line.host);
    }
    mem_free(copy);
    access_format_free(f);
    return 0;
}
