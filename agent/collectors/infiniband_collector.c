/* InfiniBand and RDMA adapters: identity, state and counters of each port. Rows of a table say which
 * file is which metric; the drivers differ in which of them they have. */
#include <stdio.h>

#include "collectors/devices.h"
#include "collectors/metric_files.h"
#include "collectors/rows.h"
#include "procfs/field.h"

#define INFINIBAND_DIRECTORY "class/infiniband"
#define INFINIBAND_TEXT_MAX 128
/* Octets counted in words of four lanes. */
#define LANES 4
#define GIGABIT_BYTES (1e9 / 8)

enum { FILE_BOARD, FILE_FIRMWARE, FILE_TYPE, FILE_COUNT };
static const char *const adapter_files[FILE_COUNT] = {
    [FILE_BOARD] = "board_id", [FILE_FIRMWARE] = "fw_ver", [FILE_TYPE] = "hca_type"};

static const struct counter_row {
    const char *file; /* below the port */
    const char *name; /* behind node_infiniband_ */
    double factor;
} counter_rows[] = {
    {"counters/excessive_buffer_overrun_errors", "excessive_buffer_overrun_errors_total", 0},
    {"counters/link_downed", "link_downed_total", 0},
    {"counters/link_error_recovery", "link_error_recovery_total", 0},
    {"counters/local_link_integrity_errors", "local_link_integrity_errors_total", 0},
    {"counters/multicast_rcv_packets", "multicast_packets_received_total", 0},
    {"counters/multicast_xmit_packets", "multicast_packets_transmitted_total", 0},
    {"counters/port_rcv_constraint_errors", "port_constraint_errors_received_total", 0},
    {"counters/port_xmit_constraint_errors", "port_constraint_errors_transmitted_total", 0},
    {"counters/port_rcv_data", "port_data_received_bytes_total", LANES},
    {"counters/port_xmit_data", "port_data_transmitted_bytes_total", LANES},
    {"counters/port_rcv_discards", "port_discards_received_total", 0},
    {"counters/port_xmit_discards", "port_discards_transmitted_total", 0},
    {"counters/port_rcv_errors", "port_errors_received_total", 0},
    {"counters/port_rcv_packets", "port_packets_received_total", 0},
    {"counters/port_xmit_packets", "port_packets_transmitted_total", 0},
    {"counters/port_rcv_remote_physical_errors", "port_receive_remote_physical_errors_total", 0},
    {"counters/port_rcv_switch_relay_errors", "port_receive_switch_relay_errors_total", 0},
    {"counters/port_xmit_wait", "port_transmit_wait_total", 0},
    {"counters/symbol_error", "symbol_error_total", 0},
    {"counters/unicast_rcv_packets", "unicast_packets_received_total", 0},
    {"counters/unicast_xmit_packets", "unicast_packets_transmitted_total", 0},
    {"counters/VL15_dropped", "vl15_dropped_total", 0},
    {"counters_ext/port_rcv_data_64", "legacy_data_received_bytes_total", LANES},
    {"counters_ext/port_xmit_data_64", "legacy_data_transmitted_bytes_total", LANES},
    {"counters_ext/port_multicast_rcv_packets", "legacy_multicast_packets_received_total", 0},
    {"counters_ext/port_multicast_xmit_packets", "legacy_multicast_packets_transmitted_total", 0},
    {"counters_ext/port_rcv_packets_64", "legacy_packets_received_total", 0},
    {"counters_ext/port_xmit_packets_64", "legacy_packets_transmitted_total", 0},
    {"counters_ext/port_unicast_rcv_packets", "legacy_unicast_packets_received_total", 0},
    {"counters_ext/port_unicast_xmit_packets", "legacy_unicast_packets_transmitted_total", 0},
    {"hw_counters/duplicate_request", "duplicate_requests_packets_total", 0},
    {"hw_counters/implied_nak_seq_err", "implied_nak_seq_errors_total", 0},
    {"hw_counters/local_ack_timeout_err", "local_ack_timeout_errors_total", 0},
    {"hw_counters/np_cnp_sent", "np_cnp_packets_sent_total", 0},
    {"hw_counters/np_ecn_marked_roce_packets", "np_ecn_marked_roce_packets_received_total", 0},
    {"hw_counters/out_of_buffer", "out_of_buffer_drops_total", 0},
    {"hw_counters/out_of_sequence", "out_of_sequence_packets_received_total", 0},
    {"hw_counters/packet_seq_err", "packet_sequence_errors_total", 0},
    {"hw_counters/req_cqe_error", "req_cqes_errors_total", 0},
    {"hw_counters/req_cqe_flush_error", "req_cqes_flush_errors_total", 0},
    {"hw_counters/req_remote_access_errors", "req_remote_access_errors_total", 0},
    {"hw_counters/req_remote_invalid_request", "req_remote_invalid_request_errors_total", 0},
    {"hw_counters/resp_cqe_error", "resp_cqes_errors_total", 0},
    {"hw_counters/resp_cqe_flush_error", "resp_cqes_flush_errors_total", 0},
    {"hw_counters/resp_local_length_error", "resp_local_length_errors_total", 0},
    {"hw_counters/resp_remote_access_errors", "resp_remote_access_errors_total", 0},
    {"hw_counters/rnr_nak_retry_err", "rnr_nak_retry_packets_received_total", 0},
    {"hw_counters/roce_adp_retrans", "roce_adp_retransmits_total", 0},
    {"hw_counters/roce_adp_retrans_to", "roce_adp_retransmits_timeout_total", 0},
    {"hw_counters/roce_slow_restart", "roce_slow_restart_used_total", 0},
    {"hw_counters/roce_slow_restart_cnps", "roce_slow_restart_cnps_total", 0},
    {"hw_counters/roce_slow_restart_trans", "roce_slow_restart_total", 0},
    {"hw_counters/rp_cnp_handled", "rp_cnp_packets_handled_total", 0},
    {"hw_counters/rp_cnp_ignored", "rp_cnp_ignored_packets_received_total", 0},
    {"hw_counters/rx_atomic_requests", "rx_atomic_requests_total", 0},
    {"hw_counters/rx_dct_connect", "rx_dct_connect_requests_total", 0},
    {"hw_counters/rx_icrc_encapsulated", "rx_icrc_encapsulated_errors_total", 0},
    {"hw_counters/rx_read_requests", "rx_read_requests_total", 0},
    {"hw_counters/rx_write_requests", "rx_write_requests_total", 0},
};

struct infiniband_state {
    struct devices adapters;
    struct metric_files files;
    int status;
};

static int infiniband_open(struct collect *c, void *state, struct err *e)
{
    struct infiniband_state *s = state;
    (void)c;
    (void)e;
    devices_init(&s->adapters, COLLECT_SYS, INFINIBAND_DIRECTORY, adapter_files, FILE_COUNT);
    return 0;
}

static struct str adapter_text(struct collect *c, struct infiniband_state *s, size_t index,
    size_t file, char buffer[INFINIBAND_TEXT_MAX])
{
    struct str text;
    if (devices_read_once(c, &s->adapters, index, file, &text) != 0) {
        return STR("");
    }
    text.len = text.len < INFINIBAND_TEXT_MAX ? text.len : INFINIBAND_TEXT_MAX;
    struct str clean = collect_label_text(text, buffer, INFINIBAND_TEXT_MAX);
    memmove(buffer, clean.ptr, clean.len);
    return str_make(buffer, clean.len);
}

static void add_adapter(struct collect *c, struct infiniband_state *s, size_t index)
{
    char board[INFINIBAND_TEXT_MAX], firmware[INFINIBAND_TEXT_MAX], type[INFINIBAND_TEXT_MAX];
    metric_files_add(
        &s->files, &(struct metric_file){
                       .name = "node_infiniband_info",
                       .type = METRIC_TYPE_GAUGE,
                       .help = "What an adapter is, always 1.",
                       .constant = 1,
                       .label_count = 4,
                       .labels = {{"board_id", adapter_text(c, s, index, FILE_BOARD, board)},
                           {"device", device_name(&s->adapters, index)},
                           {"firmware_version", adapter_text(c, s, index, FILE_FIRMWARE, firmware)},
                           {"hca_type", adapter_text(c, s, index, FILE_TYPE, type)}},
                   });
}

struct port_walk {
    struct collect *collect;
    struct infiniband_state *state;
    struct str adapter;
};

static void add(struct port_walk *walk, const char *port, struct metric_file *metric)
{
    metric->label_count = 2;
    metric->labels[0] = (struct label_pair){"device", walk->adapter};
    metric->labels[1] = (struct label_pair){"port", str_of(port)};
    metric_files_add(&walk->state->files, metric);
}

static void add_state(struct port_walk *walk, const char *port, const char *file, const char *name,
    const char *help, double factor)
{
    char path[COLLECT_PATH_MAX];
    (void)snprintf(path, sizeof(path), INFINIBAND_DIRECTORY "/%.*s/ports/%s/%s",
        STR_ARG(walk->adapter), port, file);
    struct metric_file metric = {.name = name,
        .type = METRIC_TYPE_GAUGE,
        .help = help,
        .factor = factor,
        .path = path,
        .leading_number = true};
    add(walk, port, &metric);
}

/* Whether the driver has a counter; some files exist and say "N/A (no PMA)". */
static bool has_counter(struct port_walk *walk, const char *path)
{
    struct str text;
    uint64_t value;
    return collect_read_once(walk->collect, COLLECT_SYS, path, &text) == 0 &&
           field_u64(str_trim(text), &value) == 0;
}

static int see_port(void *context, const char *port, bool is_directory)
{
    struct port_walk *walk = context;
    (void)is_directory;
    add_state(walk, port, "phys_state", "node_infiniband_physical_state_id",
        "Physical state of a port.", 1);
    add_state(walk, port, "rate", "node_infiniband_rate_bytes_per_second", "Rate of a port.",
        GIGABIT_BYTES);
    add_state(walk, port, "state", "node_infiniband_state_id", "State of a port.", 1);
    for (size_t i = 0; i < sizeof(counter_rows) / sizeof(counter_rows[0]); i++) {
        char path[COLLECT_PATH_MAX], name[128];
        (void)snprintf(path, sizeof(path), INFINIBAND_DIRECTORY "/%.*s/ports/%s/%s",
            STR_ARG(walk->adapter), port, counter_rows[i].file);
        (void)snprintf(name, sizeof(name), "node_infiniband_%s", counter_rows[i].name);
        if (has_counter(walk, path)) {
            struct metric_file metric = {.name = name,
                .type = METRIC_TYPE_COUNTER,
                .help = "A counter of a port, see the kernel's "
                        "Documentation/ABI/stable/sysfs-class-infiniband.",
                .factor = counter_rows[i].factor,
                .path = path};
            add(walk, port, &metric);
        }
    }
    return 0;
}

static int find_ports(struct collect *c, struct infiniband_state *s)
{
    int status = devices_refresh(c, &s->adapters, NULL, NULL);
    for (size_t i = 0; status == 0 && i < s->adapters.count; i++) {
        struct port_walk walk = {c, s, device_name(&s->adapters, i)};
        char below[COLLECT_PATH_MAX], path[COLLECT_PATH_MAX];
        add_adapter(c, s, i);
        (void)snprintf(
            below, sizeof(below), INFINIBAND_DIRECTORY "/%s/ports", s->adapters.list[i].name);
        if (collect_path(c, COLLECT_SYS, below, path, sizeof(path)) == 0) {
            (void)vfs_list(c->vfs, path, see_port, &walk); // an adapter that has gone has none
        }
    }
    return status;
}

static int infiniband_collect(struct collect *c, void *state)
{
    struct infiniband_state *s = state;
    if (metric_files_due(c, &s->files)) {
        metric_files_begin(c, &s->files);
        s->status = find_ports(c, s);
        metric_files_end(c, &s->files);
    }
    int status = metric_files_give(c, &s->files);
    return s->status != 0 ? s->status : status;
}

static void infiniband_close(struct collect *c, void *state)
{
    struct infiniband_state *s = state;
    devices_close(c, &s->adapters);
    metric_files_release(c, &s->files);
}

const struct collector infiniband_collector = {
    .name = "infiniband",
    .help = "InfiniBand and RDMA adapters (/sys/class/infiniband)",
    .default_enabled = true,
    .state_size = sizeof(struct infiniband_state),
    .open = infiniband_open,
    .collect = infiniband_collect,
    .close = infiniband_close,
};
