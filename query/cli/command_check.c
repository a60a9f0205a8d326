/* sonde check config, sonde check web-config: files of the server and the agent, read as they read them. */
#include <stdio.h>

#include "agent/agent_check.h"
#include "base/http_server.h"
#include "cli/command.h"
#include "server/server_config.h"

static int check_agent_file(const char *path)
{
    struct err e = ERR_INIT;
    struct strbuf report = STRBUF_INIT;
    if (agent_check_file(path, NULL, 0, &report, &e) != 0) {
        strbuf_release(&report);
        return command_fail(&e);
    }
    return command_print(&report);
}

static int check_server_file(const char *path)
{
    struct arena arena;
    struct server_config config;
    struct err e = ERR_INIT;
    arena_init(&arena, 0);
    int status = server_config_load(&arena, path, NULL, &config, &e);
    if (status != 0) {
        arena_release(&arena);
        return command_fail(&e);
    }
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "# %s is good. With the defaults filled in:\n", path);
    server_config_write(&config, &text);
    arena_release(&arena);
    return command_print(&text);
}

int command_check_config(const struct command *self, int argc, char **argv)
{
    bool agent = false, server = false;
    const struct flag flags[] = {
        {"agent", FLAG_BOOL, &agent, NULL, "It is the agent's (default: as its settings tell)", 0,
            0},
        {"server", FLAG_BOOL, &server, NULL, "It is the server's", 0, 0},
        {.name = NULL},
    };
    const char *path;
    int exit_status;
    if (command_parse(self, flags, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    return agent || (!server && agent_check_is_agent_file(path)) ? check_agent_file(path)
                                                                 : check_server_file(path);
}

int command_check_web_config(const struct command *self, int argc, char **argv)
{
    const struct flag none[] = {{.name = NULL}};
    const char *path;
    int exit_status;
    if (command_parse(self, none, argc, argv, &path, 1, &exit_status) != 0) {
        return exit_status;
    }
    struct err e = ERR_INIT;
    if (http_server_check_web_config(path, &e) != 0) {
        return command_fail(&e);
    }
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "%s is good.\n", path);
    return command_print(&text);
}
