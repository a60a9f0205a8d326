/* libcurl, loaded when it is needed first. It brings TLS, Kerberos, LDAP and SSH libraries along: five megabytes
 * of memory that a program does not pay for while all it sends is plain (http_client_plain.h).
 */
#ifndef SONDE_BASE_HTTP_CLIENT_LIBRARY_H
#define SONDE_BASE_HTTP_CLIENT_LIBRARY_H

#include <curl/curl.h>

/* What is used of it, by its names without "curl_". */
#define HTTP_CLIENT_LIBRARY_FUNCTIONS(X)                                                           \
    X(easy_cleanup)                                                                                \
    X(easy_escape)                                                                                 \
    X(easy_getinfo)                                                                                \
    X(easy_header)                                                                                 \
    X(easy_init)                                                                                   \
    X(easy_pause)                                                                                  \
    X(easy_setopt)                                                                                 \
    X(easy_strerror)                                                                               \
    X(free)                                                                                        \
    X(global_init)                                                                                 \
    X(multi_add_handle)                                                                            \
    X(multi_assign)                                                                                \
    X(multi_cleanup)                                                                               \
    X(multi_info_read)                                                                             \
    X(multi_init)                                                                                  \
    X(multi_remove_handle)                                                                         \
    X(multi_setopt)                                                                                \
    X(multi_socket_action)                                                                         \
    X(slist_append)                                                                                \
    X(slist_free_all)                                                                              \
    X(url)                                                                                         \
    X(url_cleanup)                                                                                 \
    X(url_get)                                                                                     \
    X(url_set)

struct http_client_library {
#define HTTP_CLIENT_LIBRARY_MEMBER(name) __typeof__(&curl_##name) name;
    HTTP_CLIENT_LIBRARY_FUNCTIONS(HTTP_CLIENT_LIBRARY_MEMBER)
#undef HTTP_CLIENT_LIBRARY_MEMBER
};

/* Its functions: to be called once http_client_library_load has returned 0. */
extern struct http_client_library libcurl;

/* From any thread, as often as one likes; the library stays. 0 or ERR_UNSUPPORTED: it is not there. */
int http_client_library_load(void);

#endif
