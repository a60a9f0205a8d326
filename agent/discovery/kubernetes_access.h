/* Where an API server is and who one is there: an address given with a profile, a kubeconfig file, or the
 * service account of the pod that the agent runs in.
 *
 * Tokens of accounts are files that are read again for each request. Certificates and keys that stand in a
 * kubeconfig file itself are put into files in memory (memfd_create), since TLS wants names of files.
 */
#ifndef SONDE_DISCOVERY_KUBERNETES_ACCESS_H
#define SONDE_DISCOVERY_KUBERNETES_ACCESS_H

#include "base/arena.h"
#include "discovery/kubernetes_config.h"

#define KUBECONFIG_BYTES_MAX ((size_t)4 << 20)
#define KUBERNETES_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

enum { KUBERNETES_MEMORY_FILES = 3 }; /* CA, certificate, key */

struct kubernetes_access {
    const char
        *server; /* http://HOST:PORT or https://…, perhaps with a path, without / at the end */
    struct http_profile profile;
    const char *own_namespace; /* "" unless it is asked for */
    int memory_files[KUBERNETES_MEMORY_FILES];
    size_t memory_file_count;
};

/* Texts live in `arena` or in the configuration. ERR_INVALID, ERR_NOT_FOUND, … with a sentence. */
int kubernetes_access_open(const struct discovery_options *world,
    const struct kubernetes_discovery_config *config, struct arena *arena,
    struct kubernetes_access *access_out, struct err *e);
void kubernetes_access_close(struct kubernetes_access *access);

#endif
