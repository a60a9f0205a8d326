/* The kernel's pool of random bits. */
#include "collectors/rows.h"

struct entropy_state {
    struct kept_file available;
    struct kept_file size;
};

static int entropy_collect(struct collect *c, void *state)
{
    struct entropy_state *s = state;
    double available, size;
    int status = collect_read_number(
        c, &s->available, COLLECT_PROC, "sys/kernel/random/entropy_avail", &available);
    if (status != 0) {
        return status;
    }
    metric_single(c->sink, "node_entropy_available_bits", METRIC_TYPE_GAUGE,
        "Random bits the kernel has ready.", available);
    status = collect_read_number(c, &s->size, COLLECT_PROC, "sys/kernel/random/poolsize", &size);
    if (status == 0) {
        metric_single(c->sink, "node_entropy_pool_size_bits", METRIC_TYPE_GAUGE,
            "Random bits the kernel's pool holds.", size);
    }
    return status;
}

static void entropy_close(struct collect *c, void *state)
{
    struct entropy_state *s = state;
    kept_file_close(c, &s->available);
    kept_file_close(c, &s->size);
}

const struct collector entropy_collector = {
    .name = "entropy",
    .help = "Random bits of the kernel (/proc/sys/kernel/random)",
    .default_enabled = true,
    .state_size = sizeof(struct entropy_state),
    .collect = entropy_collect,
    .close = entropy_close,
};
