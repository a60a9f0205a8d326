/* Instances of services, as Consul's health API tells of them, into targets. */
#ifndef SONDE_DISCOVERY_CONSUL_TARGETS_H
#define SONDE_DISCOVERY_CONSUL_TARGETS_H

#include "discovery/discovery_config.h"
#include "discovery/target_groups.h"

/* Adds the target of one element of the answer to /v1/health/service/NAME:
 *
 *   {"Node": {Node, Address, Meta, TaggedAddresses}, "Service": {ID, Address, Port, Tags, Meta, Namespace,
 *    Partition}, "Checks": [{CheckID, Status}]}
 *
 * 0, ERR_INVALID when it is none, or the list's error. */
int consul_targets_add(const struct consul_discovery_config *config, const char *datacenter,
    const char *service, struct str element, struct target_list *list);

#endif
