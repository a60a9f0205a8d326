/* Prints passes of the host collectors as exposition text: what the comparison with node_exporter
 * reads.
 *
 *   print_host_metrics [--passes N] [switch…]        switches as in collectors_options
 *
 * With several passes only the last is printed.
 */
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "collectors/collector.h"
#include "collectors/text_sink.h"

int main(int argc, char **argv)
{
    uint64_t passes = 1;
    int first = 1;
    if (argc >= 3 && strcmp(argv[1], "--passes") == 0) {
        if (str_to_u64(str_of(argv[2]), &passes) != 0 || passes == 0) {
            fprintf(stderr, "--passes takes a number from 1 up\n");
            return 2;
        }
        first = 3;
    }
    struct collectors_options options = {
        .switches = (const char *const *)argv + first, .switch_count = (size_t)(argc - first)};
    struct collectors *collectors;
    struct err e = ERR_INIT;
    if (collectors_open(&options, &collectors, &e) != 0) {
        fprintf(stderr, "%s\n", e.message);
        return 2;
    }
    struct strbuf out = STRBUF_INIT;
    for (uint64_t i = 0; i < passes; i++) {
        struct text_sink sink;
        strbuf_reset(&out);
        text_sink_init(&sink, &out);
        collectors_run(collectors, &sink.sink);
    }
    int status = strbuf_error(&out);
    if (status == 0) {
        fwrite(out.data, 1, out.size, stdout);
    }
    strbuf_release(&out);
    collectors_close(collectors);
    return status == 0 ? 0 : 1;
}
