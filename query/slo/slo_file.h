/* Files of objectives: OpenSLO v1, Sloth's prometheus/v1 and Pyrra's pyrra.dev/v1alpha1, told apart by their first
 * keys; several documents in a file.
 *
 * What these formats lack is said in annotations whose names begin with "sonde.dev/" (metadata.annotations of an
 * OpenSLO SLO, alerting.annotations of a Sloth one):
 *
 *   runbook-url     where whoever is woken reads what to do; `runbook_url` and Sloth's `runbook` count too
 *   runbook-waived  why there is none
 *   window          "30d": of Sloth files, which have no window
 *   step            how finely events are counted, "1m" by default; not below the interval of scrapes
 *   no-data         freeze (default), bad, good, ignore
 *   min-failures    in a tier's long window before it may fire; 3 by default
 *   low-traffic     failures (default): no more is asked of a tier; budget: as many failures in its long window as its
 *                   share of the budget is, of all events of the period
 *   keep-firing-for how long an alert goes on after its tier is quiet; 0s by default
 *   tiers           "page-fast=1h/5m@2%:page; slow=6h/30m@5%:ticket" in place of the default four; none
 *   composite       weighted or product: of an SLO with several objectives
 */
#ifndef SONDE_QUERY_SLO_FILE_H
#define SONDE_QUERY_SLO_FILE_H

#include "base/config.h"
#include "slo_definition.h"

#define SLO_FILE_BYTES_MAX ((size_t)4 << 20)
#define SLO_FILE_DOCUMENTS_MAX 1000
/* Of all files together. */
#define SLO_DEFINITIONS_MAX 2000
#define SLO_EXTENSION_PREFIX "sonde.dev/"

struct slo_file {
    struct arena arena;
    struct slo_definition *definitions; /* in file order */
    size_t count, cap;
    struct zone **zones; /* that windows refer to */
    size_t zone_count, zone_cap;
    /* What is legal and probably not meant, as sentences with places. */
    struct strbuf warnings;
};

/* ERR_INVALID "FILE:LINE:COLUMN: …"; ERR_LIMIT, ERR_NOMEM. On error nothing is left to release. */
int slo_file_parse(
    struct vfs *fs, struct str name, struct str text, struct slo_file *file_out, struct err *e);
void slo_file_release(struct slo_file *f);

/* An objective as OpenSLO v1, to be read back to an equal one. */
void slo_openslo_write(const struct slo_definition *d, struct strbuf *out);

/* ---- Between the readers of the two formats ---- */

struct slo_reading {
    struct config_reader reader;
    struct slo_file *file;
    struct vfs *fs;
    /* SLI documents of an OpenSLO file, by name. */
    const struct yaml_node **indicators;
    size_t indicator_count;
};

int slo_read_sloth(struct slo_reading *r, const struct yaml_node *root);
int slo_read_openslo(struct slo_reading *r, const struct yaml_node *root);
int slo_read_pyrra(struct slo_reading *r, const struct yaml_node *root);

/* The mapping below a key, or NULL; the text below a key, or an empty one. `node` may be NULL. */
const struct yaml_node *slo_yaml_mapping(const struct yaml_node *node, const char *key);
struct str slo_yaml_text(const struct yaml_node *node, const char *key);
/* A mapping of texts; lists of texts, which OpenSLO allows for labels, keep their first. `node` may be NULL. */
int slo_yaml_map(struct slo_reading *r, const struct yaml_node *node, struct config_map *map_out);

/* The next definition of the file, zeroed but for defaults; NULL when there are too many or memory is short
 * (told). */
struct slo_definition *slo_reading_add(struct slo_reading *r, const struct yaml_node *node);
/* Takes labels or annotations; those with the prefix are settings. */
int slo_reading_annotations(struct slo_reading *r, struct slo_definition *d,
    const struct yaml_node *node, const struct config_map *map);
int slo_reading_labels(struct slo_reading *r, struct slo_definition *d,
    const struct yaml_node *node, const struct config_map *map);
/* 99.9 and the like, of `whole` (1 or 100): the budget in billionths. */
int slo_reading_target(struct slo_reading *r, const struct yaml_node *node, const char *text,
    int64_t whole, int64_t *budget_out);
/* The queries of a latency objective: the share of observations of a histogram up to `limit`. */
int slo_reading_histogram(struct slo_reading *r, const struct yaml_node *node, struct str selector,
    bool native, double limit, struct slo_definition *d, struct slo_indicator *x);
/* When everything is there: checks, expressions, tiers. */
int slo_reading_finish(
    struct slo_reading *r, struct slo_definition *d, const struct yaml_node *node);

#endif
