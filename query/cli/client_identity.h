/* Who a command is to the server it asks: a name with a password, a token, a client's certificate; and whom it
 * trusts. From flags, and from a file in the form of Prometheus' http_client_config, which promtool takes by the
 * same flag. Secrets are in files only: what stands on a command line is seen by all.
 */
#ifndef SONDE_QUERY_CLIENT_IDENTITY_H
#define SONDE_QUERY_CLIENT_IDENTITY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/flags.h"
#include "base/http_profile.h"

/* NULL: not given. */
struct client_identity {
    const char *config_file;
    const char *user, *password_file;
    const char *token_file;
    const char *ca_file, *cert_file, *key_file;
};

/* Rows for a table of flags; `i` is a pointer. */
enum { CLIENT_IDENTITY_FLAGS_COUNT = 7 };
#define CLIENT_IDENTITY_FLAGS(i)                                                                   \
    {"http.config.file", FLAG_STRING, &(i)->config_file, "FILE",                                   \
        "How to ask: Prometheus' http_client_config, as promtool takes it.", 0, 0},                \
        {"user", FLAG_STRING, &(i)->user, "NAME", "Who asks, of a server that wants to know.", 0,  \
            0},                                                                                    \
        {"password-file", FLAG_STRING, &(i)->password_file, "FILE", "The password of --user.", 0,  \
            0},                                                                                    \
        {"token-file", FLAG_STRING, &(i)->token_file, "FILE", "A bearer token instead.", 0, 0},    \
        {"ca-file", FLAG_STRING, &(i)->ca_file, "FILE",                                            \
            "Certificates to trust (default: the system's).", 0, 0},                               \
        {"cert-file", FLAG_STRING, &(i)->cert_file, "FILE", "The client's own certificate.", 0,    \
            0},                                                                                    \
    {                                                                                              \
        "key-file", FLAG_STRING, &(i)->key_file, "FILE", "Its key.", 0, 0                          \
    }

/* What the file says, then what the flags say. Strings live in `arena`, or are the flags'. A sentence names the
 * flag or the place in the file. `identity` NULL: nobody in particular. */
int client_identity_read(const struct client_identity *identity, struct arena *arena,
    struct http_profile *profile_out, struct err *e);

#endif
