/* Whether SELinux is on, and in which mode: 1 enforcing, 0 permissive, -1 disabled. */
#include "collectors/rows.h"
#include "procfs/os_release.h"

struct selinux_state {
    struct kept_file enforce;
};

/* SELINUX=enforcing of /etc/selinux/config, which has the syntax of os-release. */
static double configured_mode(struct collect *c)
{
    struct str text, mode;
    char buffer[32];
    if (collect_read_once(c, COLLECT_ROOT, "etc/selinux/config", &text) != 0 ||
        procfs_os_release_get(text, STR("SELINUX"), buffer, sizeof(buffer), &mode) != 0) {
        return -1;
    }
    return str_eq(mode, STR("enforcing")) ? 1 : str_eq(mode, STR("permissive")) ? 0 : -1;
}

static int selinux_collect(struct collect *c, void *state)
{
    struct selinux_state *s = state;
    double mode;
    int status = collect_read_number(c, &s->enforce, COLLECT_SYS, "fs/selinux/enforce", &mode);
    if (status != 0 && status != ERR_NOT_FOUND) {
        return status;
    }
    if (status == 0) {
        metric_single(c->sink, "node_selinux_config_mode", METRIC_TYPE_GAUGE,
            "Mode of the next boot: 1 enforcing, 0 permissive, -1 disabled.", configured_mode(c));
        metric_single(c->sink, "node_selinux_current_mode", METRIC_TYPE_GAUGE,
            "Mode now: 1 enforcing, 0 permissive.", mode);
    }
    metric_single(
        c->sink, "node_selinux_enabled", METRIC_TYPE_GAUGE, "1 when SELinux is on.", status == 0);
    return 0;
}

static void selinux_close(struct collect *c, void *state)
{
    struct selinux_state *s = state;
    kept_file_close(c, &s->enforce);
}

const struct collector selinux_collector = {
    .name = "selinux",
    .help = "State of SELinux (/sys/fs/selinux)",
    .default_enabled = true,
    .state_size = sizeof(struct selinux_state),
    .collect = selinux_collect,
    .close = selinux_close,
};
