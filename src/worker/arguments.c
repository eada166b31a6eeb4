#include "worker/arguments.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "worker/commands.h"

struct parser {
    int count, at;
    char **words;
    struct arguments *out;
    struct error *err;
};

static bool take_config(struct parser *parser, const char *value)
{
    parser->out->config_file = value;
    return true;
}

static bool take_set(struct parser *parser, const char *value)
{
    if (strchr(value, '=') == NULL)
        return error_set(parser->err, ERROR_CONFIG, "usage",
                         "--set %s: expected path=value, such as --set cdc.slot.name=s1", value);
    parser->out->sets[parser->out->set_count++] = value;
    return true;
}

static bool take_sink(struct parser *parser, const char *value)
{
    static const struct {
        const char *name;
        enum connector_sink sink;
    } sinks[] = {
        { "kafka", CONNECTOR_SINK_KAFKA },
        { "null", CONNECTOR_SINK_NULL },
        { "stdout", CONNECTOR_SINK_STDOUT },
    };
    for (size_t i = 0; i < COUNT_OF(sinks); i++) {
        if (strcmp(value, sinks[i].name) == 0) {
            parser->out->sink = sinks[i].sink;
            return true;
        }
    }
    return error_set(parser->err, ERROR_CONFIG, "usage",
                     "--sink %s: expected one of kafka, null, stdout", value);
}

static bool take_accept_gap(struct parser *parser, const char *value UNUSED)
{
    parser->out->accept_gap = true;
    return true;
}

static bool take_help(struct parser *parser, const char *value UNUSED)
{
    parser->out->help = true;
    return true;
}

static bool take_version(struct parser *parser, const char *value UNUSED)
{
    parser->out->version = true;
    return true;
}

static const struct option {
    const char *name;
    const char *value; /* NULL = takes none */
    unsigned needs;    /* of enum command_options; 0 = every command has it */
    const char *help;
    bool (*take)(struct parser *, const char *);
} options[] = {
    { "--config", "FILE", COMMAND_CONFIG, "read the configuration from this YAML file",
      take_config },
    { "--set", "PATH=VALUE", COMMAND_CONFIG, "set one option; wins over file and environment",
      take_set },
    { "--sink", "kafka|null|stdout", COMMAND_SINK,
      "where records go: Kafka, nowhere (to measure), or standard output", take_sink },
    { "--accept-gap", NULL, COMMAND_ACCEPT_GAP,
      "create the slot although earlier changes are lost to it", take_accept_gap },
    { "--help", NULL, 0, "print this help", take_help },
    { "--version", NULL, 0, "print the version", take_version },
};

static const struct option *find_option(const char *name, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return &options[i];
    }
    return NULL;
}

static bool unknown_option(struct parser *parser, const char *word)
{
    const char *names[COUNT_OF(options)];
    for (size_t i = 0; i < COUNT_OF(options); i++)
        names[i] = options[i].name;
    const char *nearest = text_nearest(word, names, COUNT_OF(options));
    return error_set(parser->err, ERROR_CONFIG, "usage", "unknown option %s%s%s%s", word,
                     nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "?" : "; see pqcdc --help");
}

static bool parse_option(struct parser *parser)
{
    char *word = parser->words[parser->at++];
    const char *equals = strchr(word, '=');
    size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *option = find_option(word, size);
    if (option == NULL)
        return unknown_option(parser, word);
    if (option->needs != 0 && (parser->out->command->options & option->needs) == 0)
        return error_set(parser->err, ERROR_CONFIG, "usage", "%s does not go with this command",
                         option->name);
    if (option->value == NULL)
        return option->take(parser, NULL);
    if (equals != NULL)
        return option->take(parser, equals + 1);
    if (parser->at == parser->count)
        return error_set(parser->err, ERROR_CONFIG, "usage", "%s needs a value: %s %s",
                         option->name, option->name, option->value);
    return option->take(parser, parser->words[parser->at++]);
}

static bool unknown_command(struct parser *parser, const char *word)
{
    uint32_t count;
    const struct command *commands = commands_all(&count);
    const char *names[16];
    CHECK(count <= COUNT_OF(names));
    for (uint32_t i = 0; i < count; i++)
        names[i] = commands[i].word;
    const char *nearest = text_nearest(word, names, count);
    return error_set(parser->err, ERROR_CONFIG, "usage", "unknown command %s%s%s%s", word,
                     nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "?" : "; see pqcdc --help");
}

/* The words before the first option: none (run), "config", "slot status". */
static bool parse_command(struct parser *parser)
{
    parser->out->command = commands_default();
    if (parser->at == parser->count || parser->words[parser->at][0] == '-')
        return true;
    const char *word = parser->words[parser->at++];
    const char *sub_word = NULL;
    if (parser->at < parser->count && parser->words[parser->at][0] != '-')
        sub_word = parser->words[parser->at++];
    uint32_t count;
    const struct command *commands = commands_all(&count);
    bool known = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct command *command = &commands[i];
        if (strcmp(command->word, word) != 0)
            continue;
        known = true;
        if ((command->sub_word == NULL) == (sub_word == NULL) &&
            (sub_word == NULL || strcmp(command->sub_word, sub_word) == 0)) {
            parser->out->command = command;
            return true;
        }
    }
    if (!known)
        return unknown_command(parser, word);
    return error_set(parser->err, ERROR_CONFIG, "usage", "%s %s is not a command; see pqcdc --help",
                     word, sub_word != NULL ? sub_word : "alone");
}

bool arguments_parse(int count, char **words, struct arguments *out_arguments, struct error *err)
{
    *out_arguments = (struct arguments){ .sink = CONNECTOR_SINK_KAFKA };
    out_arguments->sets = memory_array((size_t)count + 1, sizeof(*out_arguments->sets));
    struct parser parser = { count, 1, words, out_arguments, err };
    if (!parse_command(&parser))
        return false;
    while (parser.at < parser.count) {
        if (words[parser.at][0] != '-')
            return error_set(err, ERROR_CONFIG, "usage", "unexpected word %s; see pqcdc --help",
                             words[parser.at]);
        if (!parse_option(&parser))
            return false;
    }
    return true;
}

void arguments_done(struct arguments *arguments)
{
    memory_free(arguments->sets);
    arguments->sets = NULL;
}

static void help_command(const struct command *command, struct buf *out)
{
    buf_append_format(out, "  %s%s%s", command->word, command->sub_word != NULL ? " " : "",
                      command->sub_word != NULL ? command->sub_word : "");
    size_t width =
        strlen(command->word) + (command->sub_word != NULL ? strlen(command->sub_word) + 1 : 0);
    buf_append_format(out, "%*s%s\n", width < 14 ? (int)(14 - width) : 1, "", command->summary);
}

static void help_options(unsigned available, struct buf *out)
{
    buf_append_text(out, "\nOptions:\n");
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (options[i].needs != 0 && (options[i].needs & available) == 0)
            continue;
        buf_append_format(out, "  %s %s\n        %s\n", options[i].name,
                          options[i].value != NULL ? options[i].value : "", options[i].help);
    }
}

static void help_exit_codes(struct buf *out)
{
    buf_append_text(out, "\nExit codes:\n");
#define X(name, number, text) buf_append_format(out, "  %2d  %s\n", number, text);
    EXIT_CODES(X)
#undef X
}

void arguments_help(const struct command *command, struct buf *out)
{
    unsigned available = command != NULL ? command->options : ~0u;
    if (command != NULL) {
        buf_append_format(out, "Usage: pqcdc %s%s%s [OPTIONS]\n\n%s\n", command->word,
                          command->sub_word != NULL ? " " : "",
                          command->sub_word != NULL ? command->sub_word : "", command->summary);
    } else {
        buf_append_text(out,
                        "pqcdc " PQCDC_VERSION ": change data capture from PostgreSQL to Kafka\n\n"
                        "Usage: pqcdc [COMMAND] [OPTIONS]\n\nCommands:\n");
        uint32_t count;
        const struct command *commands = commands_all(&count);
        for (uint32_t i = 0; i < count; i++)
            help_command(&commands[i], out);
    }
    help_options(available, out);
    help_exit_codes(out);
}
