/* sonde-server: store, query engine, HTTP API and web page in one program.
 *
 * Exit status: 0 after a clean stop, 1 when it cannot start or stop cleanly (one sentence on standard
 * error says why), 2 when the command line is wrong.
 */
#include <stdio.h>

#include "api/api.h"
#include "server/server.h"

enum { EXIT_CANNOT = 1, EXIT_USAGE = 2 };

static int complain(const struct err *e, int status)
{
    fprintf(stderr, "sonde-server: %s\n", e->message);
    return status;
}

/* What a builder wrote, on standard output. */
static int print(struct strbuf *text)
{
    bool written = strbuf_error(text) == 0 &&
                   fwrite(text->data, 1, text->size, stdout) == text->size && fflush(stdout) == 0;
    strbuf_release(text);
    return written ? 0 : EXIT_CANNOT;
}

static int print_help(const struct flag *table)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_add_c(&text, "usage: sonde-server [FLAG...]\n\nStores samples and answers PromQL over "
                        "HTTP. Works without any flag.\n\n");
    flags_write_help(table, &text);
    return print(&text);
}

static int print_reference(const char *what)
{
    struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;
    if (strcmp(what, "configuration") == 0) {
        config_write_reference(server_config_fields, &text);
    } else if (strcmp(what, "http-api") == 0) {
        api_write_reference(&text);
    } else {
        err_set(&e, ERR_INVALID, -1,
            "flag --print-reference: \"%s\" is not configuration or http-api", what);
        return complain(&e, EXIT_USAGE);
    }
    return print(&text);
}

static int check_config(const struct server_flags *flags)
{
    struct arena arena;
    struct server_config config;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    int status = server_config_load(&arena, flags->config, flags, &config, &e);
    arena_release(&arena);
    if (status != 0) {
        return complain(&e, EXIT_CANNOT);
    }
    printf("The settings are good.\n");
    return 0;
}

static int serve(const struct server_flags *flags)
{
    struct server_options options = {.config_path = flags->config, .flags = flags};
    struct server *server = NULL;
    struct err e = ERR_INIT;
    if (server_open(&options, &server, &e) != 0) {
        return complain(&e, EXIT_CANNOT);
    }
    server_run(server);
    if (server_close(server, &e) != 0) {
        return complain(&e, EXIT_CANNOT);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct server_flags flags;
    struct flag table[SERVER_FLAGS_MAX];
    struct err e = ERR_INIT;
    server_flags_init(&flags, table);
    if (flags_parse(table, argc, argv, NULL, 0, NULL, &e) != 0) {
        return complain(&e, EXIT_USAGE);
    }
    if (flags.help) {
        return print_help(table);
    }
    if (flags.version) {
        printf("sonde-server %s\n", SONDE_VERSION);
        return 0;
    }
    if (flags.print_reference != NULL) {
        return print_reference(flags.print_reference);
    }
    return flags.check_config ? check_config(&flags) : serve(&flags);
}
