/* What an entry of kubernetes_sd_configs means, once it is checked. */
#ifndef SONDE_DISCOVERY_KUBERNETES_CONFIG_H
#define SONDE_DISCOVERY_KUBERNETES_CONFIG_H

#include "discovery/discovery_config.h"

/* Each is asked for and watched by itself. */
#define KUBERNETES_NAMESPACES_MAX 50

enum kubernetes_role {
    KUBERNETES_POD,
    KUBERNETES_ENDPOINTS,
    KUBERNETES_ENDPOINTSLICE,
    KUBERNETES_SERVICE,
    KUBERNETES_NODE,
    KUBERNETES_INGRESS,
};

/* As discovery_kind's. */
int kubernetes_config_check(const void *config, struct err *e);
/* Of a configuration that is good. */
enum kubernetes_role kubernetes_config_role(const struct kubernetes_discovery_config *config);

#endif
