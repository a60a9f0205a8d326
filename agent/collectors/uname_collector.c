/* Names and version of the running system, asked from the kernel each time: the host name changes. */
#include <sys/utsname.h>

#include "collectors/rows.h"

static int uname_collect(struct collect *c, void *state)
{
    (void)state;
    struct utsname names;
    if (uname(&names) != 0) {
        return ERR_IO;
    }
    char domain[sizeof(names.domainname)];
    char node[sizeof(names.nodename)];
    struct label_pair labels[] = {
        {"domainname", collect_label_text(str_of(names.domainname), domain, sizeof(domain))},
        {"machine", str_of(names.machine)},
        {"nodename", collect_label_text(str_of(names.nodename), node, sizeof(node))},
        {"release", str_of(names.release)},
        {"sysname", str_of(names.sysname)},
        {"version", str_of(names.version)},
    };
    metric_family(c->sink, "node_uname_info", METRIC_TYPE_GAUGE, "What uname(2) says, always 1.");
    metric_sample(c->sink, labels, sizeof(labels) / sizeof(labels[0]), 1);
    return 0;
}

const struct collector uname_collector = {
    .name = "uname",
    .help = "Names and version of the running system (uname)",
    .default_enabled = true,
    .state_size = 0,
    .collect = uname_collect,
};
