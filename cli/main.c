/*
 * reeve - everything a person does. Finds the command in the table and runs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/commands.h"

static int print_help(const struct command *c)
{
    struct buf text = {0};
    commands_help(c, &text);
    fputs(buf_text(&text), stdout);
    buf_fini(&text);
    return CLI_DONE;
}

static int unknown(const char *name)
{
    struct nearest meant = nearest_to(name);
    nearest_offer(&meant, "help");
    for (size_t i = 0; i < commands_count; i++)
        nearest_offer(&meant, commands[i].name);
    if (meant.name != NULL)
        fprintf(stderr, "reeve: '%s' is not a command; did you mean '%s'?\n", name, meant.name);
    else
        fprintf(stderr, "reeve: '%s' is not a command; `reeve help` lists them\n", name);
    return CLI_USAGE;
}

static int help(struct cli *cli, int argc, char **argv)
{
    const struct command *c = argc > 1 ? commands_find(argv[1]) : NULL;
    static char wish[] = "--help";
    if (c != NULL && c->options == NULL)
        return c->run(cli, 2, (char *[]){argv[1], wish, NULL});
    return argc > 1 && c == NULL ? unknown(argv[1]) : print_help(c);
}

/* Options before the command; the index of the command, or -1. */
static int read_front(struct cli *cli, int argc, char **argv)
{
    static const struct option_set none = {.stop_at_word = true};
    struct words words = {0};
    struct err err = {0};
    if (args_parse(&none, NULL, cli, argc, argv, &words, &err) < 0) {
        fprintf(stderr, "reeve: %s; `reeve help` lists everything\n", err.text);
        return -1;
    }
    int index = argc - (int)words.count;
    free(words.v);
    return index;
}

static bool asks_for_help(const struct option_set *options, int argc, char **argv)
{
    bool stops = false;
    for (const struct option_set *set = options; set != NULL; set = set->also)
        stops |= set->stop_at_word;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
        if (argv[i][0] != '-' && stops)
            return false; /* `reeve run grep --help` asks grep */
    }
    return false;
}

static int run(struct cli *cli, int argc, char **argv)
{
    if (strcmp(argv[0], "help") == 0)
        return help(cli, argc, argv);
    const struct command *c = commands_find(argv[0]);
    if (c == NULL)
        return unknown(argv[0]);
    if (c->options != NULL && asks_for_help(c->options, argc, argv))
        return print_help(c);
    cli->command = c->name;
    return c->run(cli, argc, argv);
}

int main(int argc, char **argv)
{
    struct cli cli;
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("reeve %s\n", REEVE_VERSION);
        return CLI_DONE;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return print_help(NULL);
    cli_init(&cli);
    int at = read_front(&cli, argc, argv);
    int code = CLI_USAGE;
    if (at >= 0 && at < argc) {
        code = run(&cli, argc - at, argv + at);
    } else if (at >= 0) {
        struct buf text = {0};
        commands_help(NULL, &text);
        fputs(buf_text(&text), stderr);
        buf_fini(&text);
    }
    cli_fini(&cli);
    if (fflush(stdout) != 0 && code == CLI_DONE) {
        perror("reeve: write");
        code = CLI_REFUSED;
    }
    return code;
}
