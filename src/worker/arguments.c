#include "worker/arguments.h"

#include <string.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/config_docs.h"
#include "worker/commands.h"

struct parser {
    int count, at;
    bool named; /* the command was said, not taken as the default */
    char **words;
    struct arguments *out;
    struct error *err;
};

static bool take_config(struct parser *parser, char *value)
{
    parser->out->config_file = value;
    return true;
}

static void blot(char *value)
{
    char *equals = strchr(value, '=');
    memset(equals + 1, '*', strlen(equals + 1));
}

/* A value may be a secret: it is neither repeated nor left where `ps` shows it. */
static bool take_set(struct parser *parser, char *value)
{
    static const char path_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_.[]-";
    char *equals = strchr(value, '=');
    if (equals == NULL)
        return error_set(parser->err, ERROR_CONFIG, "usage",
                         "--set %.*s: expected path=value, such as --set cdc.slot.name=s1",
                         (int)strspn(value, path_characters), value);
    parser->out->set_words[parser->out->set_count] = value;
    parser->out->sets[parser->out->set_count++] = memory_text(value);
    blot(value);
    return true;
}

static bool take_sink(struct parser *parser, char *value)
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

static bool take_accept_gap(struct parser *parser, char *value UNUSED)
{
    parser->out->accept_gap = true;
    return true;
}

static bool take_with_publication(struct parser *parser, char *value UNUSED)
{
    parser->out->with_publication = true;
    return true;
}

static bool take_output(struct parser *parser, char *value)
{
    parser->out->output_json = strcmp(value, "json") == 0;
    return parser->out->output_json || strcmp(value, "text") == 0 ||
           error_set(parser->err, ERROR_CONFIG, "usage", "--output %s: expected one of text, json",
                     value);
}

static bool take_help(struct parser *parser, char *value UNUSED)
{
    parser->out->help = true;
    return true;
}

static bool take_version(struct parser *parser, char *value UNUSED)
{
    parser->out->version = true;
    return true;
}

static const struct option {
    const char *name;
    const char *short_name; /* or NULL */
    const char *value;      /* NULL = takes none */
    unsigned needs;         /* of enum command_options; 0 = every command has it */
    const char *help;
    bool (*take)(struct parser *, char *);
} options[] = {
    { "--config", NULL, "FILE", COMMAND_CONFIG, "read the configuration from this YAML file",
      take_config },
    { "--set", NULL, "PATH=VALUE", COMMAND_CONFIG, "set one option; wins over file and environment",
      take_set },
    { "--sink", NULL, "kafka|null|stdout", COMMAND_SINK,
      "where records go: Kafka, nowhere (to measure), or standard output", take_sink },
    { "--accept-gap", NULL, NULL, COMMAND_ACCEPT_GAP,
      "create it although the publication exists: what was committed before now is not delivered",
      take_accept_gap },
    { "--with-publication", NULL, NULL, COMMAND_WITH_PUBLICATION,
      "drop the publication as well if createIfNotExists is true, and forget what the Lease "
      "remembers; what is gone already is no error",
      take_with_publication },
    { "--output", NULL, "text|json", COMMAND_OUTPUT,
      "how findings are printed: a table, or JSON for machines", take_output },
    { "--help", "-h", NULL, 0, "print this help", take_help },
    { "--version", NULL, NULL, 0, "print the version", take_version },
};

static bool is_name(const char *known, struct slice name)
{
    return known != NULL && slice_is(name, known);
}

static const struct option *find_option(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (is_name(options[i].name, name) || is_name(options[i].short_name, name))
            return &options[i];
    }
    return NULL;
}

/* Is the command one of those that the arguments mean? Without command and group: all. */
static bool is_meant(const struct arguments *arguments, const struct command *command)
{
    if (arguments->command != NULL)
        return arguments->command == command;
    return arguments->group == NULL || strcmp(arguments->group, command->word) == 0;
}

static unsigned available_options(const struct arguments *arguments)
{
    uint32_t count;
    const struct command *commands = commands_all(&count);
    unsigned available = 0;
    for (uint32_t i = 0; i < count; i++)
        available |= is_meant(arguments, &commands[i]) ? commands[i].options : 0;
    return available;
}

static bool unknown_option(struct parser *parser, struct slice word)
{
    AUTO(char *, memory_free_p) name = memory_text_n(word.data, word.size);
    const char *names[COUNT_OF(options)];
    for (size_t i = 0; i < COUNT_OF(options); i++)
        names[i] = options[i].name;
    const char *nearest = text_nearest(name, names, COUNT_OF(options));
    return error_set(parser->err, ERROR_CONFIG, "usage", "unknown option %s%s%s%s", name,
                     nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "?" : "; see pqcdc --help");
}

static bool parse_option(struct parser *parser)
{
    char *word = parser->words[parser->at++];
    char *equals = strchr(word, '=');
    const struct slice name = { word, equals != NULL ? (size_t)(equals - word) : strlen(word) };
    const struct option *option = find_option(name);
    if (option == NULL)
        return unknown_option(parser, name);
    if (option->needs != 0 && (available_options(parser->out) & option->needs) == 0)
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

/* The next word, unless it is an option; NULL = none. */
static const char *take_word(struct parser *parser)
{
    if (parser->at == parser->count || parser->words[parser->at][0] == '-')
        return NULL;
    const char *word = parser->words[parser->at++];
    if (strcmp(word, "help") != 0)
        return word;
    parser->out->help = true;
    return take_word(parser);
}

static bool is_command(const struct command *command, const char *word, const char *sub_word)
{
    if (strcmp(command->word, word) != 0 || (command->sub_word == NULL) != (sub_word == NULL))
        return false;
    return sub_word == NULL || strcmp(command->sub_word, sub_word) == 0;
}

static bool not_a_command(struct parser *parser, const char *word, const char *sub_word)
{
    return error_set(parser->err, ERROR_CONFIG, "usage", "%s %s is not a command; see pqcdc --help",
                     word, sub_word != NULL ? sub_word : "alone");
}

/* The words before the first option: none (run), "config", "slot status"; "help" among them asks
 * for help. "slot" alone is a group, which has nothing but help. */
static bool parse_command(struct parser *parser)
{
    const char *word = take_word(parser);
    parser->named = word != NULL;
    if (word == NULL) {
        parser->out->command = commands_default();
        return true;
    }
    const char *sub_word = take_word(parser);
    uint32_t count;
    const struct command *commands = commands_all(&count);
    bool known = false;
    for (uint32_t i = 0; i < count && parser->out->command == NULL; i++) {
        known = known || strcmp(commands[i].word, word) == 0;
        if (is_command(&commands[i], word, sub_word))
            parser->out->command = &commands[i];
    }
    if (parser->out->command != NULL)
        return true;
    if (!known)
        return unknown_command(parser, word);
    if (sub_word != NULL)
        return not_a_command(parser, word, sub_word);
    parser->out->group = word;
    return true;
}

static bool parse_options(struct parser *parser)
{
    while (parser->at < parser->count) {
        const char *word = parser->words[parser->at];
        if (strcmp(word, "help") == 0) {
            (void)take_word(parser);
            continue;
        }
        if (word[0] != '-')
            return error_set(parser->err, ERROR_CONFIG, "usage",
                             "unexpected word %s; see pqcdc --help", word);
        if (!parse_option(parser))
            return false;
    }
    return true;
}

bool arguments_parse(int count, char **words, struct arguments *out_arguments, struct error *err)
{
    *out_arguments = (struct arguments){ .words = words, .sink = CONNECTOR_SINK_KAFKA };
    out_arguments->set_words = memory_array((size_t)count + 1, sizeof(*out_arguments->set_words));
    out_arguments->sets = memory_array((size_t)count + 1, sizeof(*out_arguments->sets));
    struct parser parser = { count, 1, false, words, out_arguments, err };
    if (!parse_command(&parser) || !parse_options(&parser))
        return false;
    if (out_arguments->help && !parser.named)
        out_arguments->command = NULL;
    if (out_arguments->help || out_arguments->command != NULL)
        return true;
    return not_a_command(&parser, out_arguments->group, NULL);
}

void arguments_done(struct arguments *arguments)
{
    for (uint32_t i = 0; i < arguments->set_count; i++)
        secret_free(arguments->sets[i]);
    memory_free(arguments->sets);
    memory_free(arguments->set_words);
    arguments->sets = arguments->set_words = NULL;
}

void arguments_show(const struct arguments *arguments)
{
    for (uint32_t i = 0; i < arguments->set_count; i++)
        memcpy(arguments->set_words[i], arguments->sets[i], strlen(arguments->sets[i]));
}

void arguments_blot(const struct arguments *arguments)
{
    for (uint32_t i = 0; i < arguments->set_count; i++)
        blot(arguments->set_words[i]);
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
        const char *value = options[i].value, *short_name = options[i].short_name;
        buf_append_format(out, "  %s%s%s%s%s\n        %s\n", options[i].name,
                          value != NULL ? " " : "", value != NULL ? value : "",
                          short_name != NULL ? ", " : "", short_name != NULL ? short_name : "",
                          options[i].help);
    }
}

static void help_exit_codes(struct buf *out)
{
    buf_append_text(out, "\nExit codes:\n");
#define X(name, number, text) buf_append_format(out, "  %2d  %s\n", number, text);
    EXIT_CODES(X)
#undef X
}

static void help_commands(const struct arguments *arguments, struct buf *out)
{
    if (arguments->group != NULL)
        buf_append_format(out, "Usage: pqcdc %s COMMAND [OPTIONS]\n\nCommands:\n",
                          arguments->group);
    else
        buf_append_text(out,
                        "pqcdc " PQCDC_VERSION ": change data capture from PostgreSQL to Kafka\n\n"
                        "Usage: pqcdc [COMMAND] [OPTIONS]\n\nCommands:\n");
    uint32_t count;
    const struct command *commands = commands_all(&count);
    for (uint32_t i = 0; i < count; i++)
        if (is_meant(arguments, &commands[i]))
            help_command(&commands[i], out);
}

void arguments_help(const struct arguments *arguments, struct buf *out)
{
    const struct command *command = arguments->command;
    if (command != NULL)
        buf_append_format(out, "Usage: pqcdc %s%s%s [OPTIONS]\n\n%s\n", command->word,
                          command->sub_word != NULL ? " " : "",
                          command->sub_word != NULL ? command->sub_word : "", command->summary);
    else
        help_commands(arguments, out);
    help_options(available_options(arguments), out);
    help_exit_codes(out);
    if (command != NULL && strcmp(command->word, "config") == 0) {
        buf_append_text(out, "\nConfiguration:\n");
        config_docs_help(out);
    }
}
