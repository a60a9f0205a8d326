/* sonde: one tool for people. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli_command.h"

static const struct cli_command commands[] = {
    {"query", "EXPRESSION [flags]", "Ask a server: an instant, or a range with --start", cli_query},
    {"tsdb verify", "DIRECTORY", "Check every file of a store that no server has open",
        cli_tsdb_verify},
    {"tsdb dump", "PATH [--samples]", "Show a store, a part or a segment of the log as text",
        cli_tsdb_dump},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *to)
{
    fputs("usage: sonde COMMAND …\n\n", to);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        fprintf(to, "  %-12s %s\n  %-12s   %s\n", commands[i].name, commands[i].usage, "",
            commands[i].help);
    }
    fputs("  version\n  help\n\nEach command has --help of its own.\n", to);
}

/* How many words of argv the name takes when argv begins with it, else 0. */
static int words_matched(const char *name, int argc, char **argv)
{
    int words = 0;
    while (*name != '\0') {
        size_t length = strcspn(name, " ");
        if (words >= argc || strlen(argv[words]) != length ||
            strncmp(argv[words], name, length) != 0) {
            return 0;
        }
        words++;
        name += length;
        name += *name == ' ';
    }
    return words;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2;
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        puts("sonde " SONDE_VERSION);
        return 0;
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        int words = words_matched(commands[i].name, argc - 1, argv + 1);
        if (words > 0) {
            int code = commands[i].run(argc - words, argv + words, &e);
            if (e.code != 0) {
                fprintf(stderr, "sonde %s: %s\n", commands[i].name, e.message);
            }
            return code;
        }
    }
    fprintf(stderr, "sonde: there is no command \"%s\"\n\n", argv[1]);
    print_help(stderr);
    return 1;
}
