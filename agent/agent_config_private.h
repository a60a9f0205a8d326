/* What the files of the configuration share. */
#ifndef SONDE_AGENT_AGENT_CONFIG_PRIVATE_H
#define SONDE_AGENT_AGENT_CONFIG_PRIVATE_H

#include "agent_config.h"

/* Tables of agent_config_scrape.c. */
extern const struct config_field agent_global_fields[];
extern const struct config_field agent_host_fields[];
extern const struct config_field agent_scrape_fields[];

/* Tables of agent_config_write.c. */
extern const struct config_field agent_remote_write_fields[];
extern const struct config_field agent_otlp_fields[];
extern const struct config_field agent_queue_fields[];

/* Fills in the global defaults of a job, and checks the rules over several of its settings. */
int agent_config_finish_scrape(const struct agent_config *config, struct agent_scrape *scrape,
    const char *file, struct err *e);
/* Destinations of --server in place of remote_write; the default where nothing says where to. */
int agent_config_servers(struct agent_config *config, const char *const *servers, size_t count,
    struct arena *arena, struct err *e);
/* Rules over several settings of destinations: addresses, names, protocols, relabelling. */
int agent_config_destinations(
    struct agent_config *config, const char *file, struct arena *arena, struct err *e);

#endif
