/* libcurl, loaded late. */
#include "http_client_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"

struct http_client_library libcurl;

static bool is_loaded;

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define HTTP_CLIENT_LIBRARY_ROW(name) {"curl_" #name, offsetof(struct http_client_library, name)},
    HTTP_CLIENT_LIBRARY_FUNCTIONS(HTTP_CLIENT_LIBRARY_ROW)
#undef HTTP_CLIENT_LIBRARY_ROW
};

static void load(void)
{
    void *handle = dlopen(SONDE_CURL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool good = handle != NULL;
    for (size_t i = 0; good && i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *function = dlsym(handle, functions[i].name);
        good = function != NULL;
        memcpy((char *)&libcurl + functions[i].offset, &function, sizeof(function));
    }
    if (!good) {
        const char *reason = dlerror();
        LOG_ERROR("http: libcurl cannot be loaded; only plain HTTP to addresses in numbers and to localhost works",
            LOG_S("error", reason != NULL ? reason : ""));
        return;
    }
    is_loaded = libcurl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

int http_client_library_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, load); /* fails only for arguments that are none */
    return is_loaded ? 0 : ERR_UNSUPPORTED;
}
