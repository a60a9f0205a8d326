/* What the files of the configuration share. */
#ifndef SONDE_AGENT_AGENT_CONFIG_PRIVATE_H
#define SONDE_AGENT_AGENT_CONFIG_PRIVATE_H

#include "agent_config.h"

/* A setting of Prometheus or vmagent that has no meaning here: taken as it is, and told by a check. `text`
 * begins with "Accepted". */
#define AGENT_CONFIG_IGNORED(name, text)                                                           \
    {                                                                                              \
        .key = (name), .kind = CONFIG_IGNORED, .help = (text)                                      \
    }
/* A setting that cannot be had; `text` says what to write instead. */
#define AGENT_CONFIG_REFUSED(name, text)                                                           \
    {                                                                                              \
        .key = (name), .kind = CONFIG_REFUSED, .help = (text)                                      \
    }

/* Where something stands in a file, for sentences. */
struct agent_config_place {
    const char *file;             /* or "command line" */
    const struct yaml_node *node; /* a mapping; NULL: nowhere in particular */
};

/* The index-th item of a list that is a member of `root` (NULL: of no file). */
struct agent_config_place agent_config_item(
    const char *file, const struct yaml_node *root, const char *list, size_t index);
/* "file:line:column: sentence", of the value under `key` where there is one, else of the mapping; returns
 * ERR_INVALID. */
int agent_config_fail(const struct agent_config_place *place, const char *key, struct err *e,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Compiles the rules of a list; the sentence points at the one that is wrong. */
int agent_config_relabel(const struct agent_config_place *place, const char *key,
    const struct config_list *rules, struct relabel **relabel_out, struct err *e);

/* Tables of agent_config_scrape.c. */
extern const struct config_field agent_global_fields[];
extern const struct config_field agent_host_fields[];
extern const struct config_field agent_scrape_fields[];

/* Tables of agent_config_write.c. */
extern const struct config_field agent_remote_write_fields[];
extern const struct config_field agent_otlp_fields[];
extern const struct config_field agent_queue_fields[];

/* A file as a tree, with the environment filled in. ERR_INVALID, ERR_IO … with a sentence. */
int agent_config_parse(
    const char *path, struct arena *arena, struct yaml_node **root_out, struct err *e);
/* Tells each job where it stands. */
void agent_config_place_jobs(
    struct config_list *jobs, const char *file, const struct yaml_node *root);
/* Reads scrape_config_files behind the jobs that are there. */
int agent_config_read_parts(
    struct agent_config *config, const char *main_path, struct arena *arena, struct err *e);
/* Fills in the global defaults of a job, and checks the rules over several of its settings. */
int agent_config_finish_scrape(const struct agent_config *config, struct agent_scrape *scrape,
    const struct agent_config_place *place, struct err *e);
/* Destinations of --server in place of remote_write; the default where nothing says where to. */
int agent_config_servers(struct agent_config *config, const char *const *servers, size_t count,
    struct arena *arena, struct err *e);
/* Rules over several settings of destinations: addresses, names, protocols, relabelling. */
int agent_config_destinations(struct agent_config *config, const char *file,
    const struct yaml_node *root, struct arena *arena, struct err *e);

#endif
