/* What the Docker Engine API says of containers and networks, as targets: one for each TCP port of each
 * network of a container, or one with the entry's port where it has none. */
#ifndef SONDE_DISCOVERY_DOCKER_TARGETS_H
#define SONDE_DISCOVERY_DOCKER_TARGETS_H

#include "discovery/discovery_config.h"
#include "discovery/target_groups.h"

/* Of the answers to /containers/json and /networks. 0, ERR_INVALID with a sentence, ERR_NOMEM, ERR_LIMIT;
 * the list may hold a part then. */
int docker_targets_make(const struct docker_discovery_config *config, struct str containers,
    struct str networks, struct target_list *list, struct err *e);

#endif
