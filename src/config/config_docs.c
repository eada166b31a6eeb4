#include "config/config_docs.h"

#include <string.h>

#include "base/check.h"
#include "config/config_option.h"

static const char *const kind_names[] = {
    [CONFIG_TEXT] = "text",
    [CONFIG_BOOL] = "boolean",
    [CONFIG_INT] = "integer",
    [CONFIG_DURATION] = "duration",
    [CONFIG_SIZE] = "size",
    [CONFIG_CHOICE] = "choice",
    [CONFIG_WORD] = "choice",
    [CONFIG_BITS] = "list of choices",
    [CONFIG_LIST] = "list of text",
    [CONFIG_MAP] = "mapping",
    [CONFIG_TABLES] = "list of objects",
};

static const char introduction[] =
    "<!-- Generated from src/config/options.def; do not edit. -->\n"
    "# Configuration\n"
    "\n"
    "Options come from three places; each wins over the one before:\n"
    "\n"
    "1. a YAML file (JSON is YAML too): `pqcdc --config pqcdc.yaml`\n"
    "2. the environment: `PQCDC_` and the path in upper snake case, `PQCDC_CDC_SLOT_NAME=orders`\n"
    "3. the command line: `--set cdc.slot.name=orders`\n"
    "\n"
    "```yaml\n"
    "cdc:\n"
    "  host: db.example.com\n"
    "  username: cdc_user\n"
    "  passwordFile: /run/secrets/password\n"
    "  database: shop\n"
    "  publication:\n"
    "    name: pqcdc\n"
    "    createIfNotExists: true\n"
    "    tables:\n"
    "      - name: orders\n"
    "        replicaIdentity: FULL\n"
    "  slot:\n"
    "    name: pqcdc\n"
    "    createIfNotExists: true\n"
    "kafka:\n"
    "  brokers: [\"kafka:9092\"]\n"
    "  tableTopicMapping:\n"
    "    public.orders: shop.orders\n"
    "```\n"
    "\n"
    "All mistakes are reported at once, each with its place (file and line, variable, or "
    "argument),\n"
    "what was expected, and the nearest known name; the exit code is 78. `pqcdc config` prints "
    "what\n"
    "is in effect and where each value came from, without secrets.\n"
    "\n"
    "## Values\n"
    "\n"
    "- **duration**: `200ms`, `10s`, `1m30s`, `1.5h`; a bare number counts milliseconds.\n"
    "- **size**: `512kb`, `10mb`, `1gb` in units of 1024; a bare number counts bytes.\n"
    "- **choice**: in any case. A list of choices may be one text with commas.\n"
    "- A null or an empty text is as if the option were not given: its default holds.\n"
    "- A file may be up to 1 MiB, hold one document, and repeat parts with anchors and aliases.\n"
    "\n"
    "In the environment and behind `--set`, values are YAML: `PQCDC_KAFKA_BROKERS='[a:9092, "
    "b:9092]'`,\n"
    "`--set 'kafka.tableTopicMapping={public.orders: orders}'`. Text options are taken as they "
    "stand,\n"
    "whatever characters a password has; only when the whole value is in quotes, it is read as a\n"
    "quoted YAML text. An empty value puts the default back.\n"
    "\n"
    "Variables that begin with `PQCDC_CDC_`, `PQCDC_KAFKA_`, `PQCDC_FORMAT_`, `PQCDC_ELECTION_` "
    "or\n"
    "`PQCDC_HANDLER_` must be options; other `PQCDC_` variables are ignored.\n"
    "\n"
    "`--set` also reaches into sections, mappings and lists; the index after the last element "
    "adds\n"
    "one:\n"
    "\n"
    "```text\n"
    "--set 'cdc.slot={name: orders, createIfNotExists: true}'\n"
    "--set kafka.tableTopicMapping.public.orders=orders\n"
    "--set kafka.properties.security.protocol=SSL\n"
    "--set kafka.brokers[0]=kafka:9092\n"
    "--set cdc.publication.tables[0].name=orders\n"
    "```\n";

static const char rules[] =
    "\n## Rules between options\n"
    "\n"
    "- `cdc.port` has one port, or as many as `cdc.host` has hosts.\n"
    "- `cdc.passwordFile` and the files of `kafka.propertyFiles`, when given, must be readable at "
    "start.\n"
    "- `cdc.sslCert` and `cdc.sslKey` go together.\n"
    "- A table (schema and name) is given once; `replicaIdentityIndex` goes with "
    "`replicaIdentity:\n"
    "  USING INDEX`; `keyColumns` are among `columns` when those are given.\n"
    "- `kafka.secureConnection: true` needs `kafka.scramUsername` and `kafka.scramPassword` or\n"
    "  `kafka.scramPasswordFile`, and these need it. `kafka.properties` may not say something "
    "else\n"
    "  (`security.protocol`, `sasl.*`), nor name authorities (`ssl.ca.*`) beside `kafka.rootCA` "
    "and\n"
    "  `kafka.interCA`, which need TLS: `kafka.secureConnection` or `security.protocol`.\n"
    "- `kafka.maxInFlightBytes` is not smaller than `kafka.producerBatchBytes`.\n"
    "- Names in `kafka.tableTopicMapping` are `schema.table` or `table`.\n";

static bool in_section(const struct config_option *option, const struct config_section *section)
{
    return slice_is(config_option_section(option), section->path);
}

static bool has_range(const struct config_option *option)
{
    return option->kind == CONFIG_INT || option->kind == CONFIG_DURATION ||
           option->kind == CONFIG_SIZE;
}

static void append_words(const struct config_option *option, const char *quote, struct buf *out)
{
    const char *separator = "";
    for (uint32_t i = 0; i < option->choices->count; i++) {
        if (option->choices->items[i].word == NULL)
            continue;
        buf_append_format(out, "%s%s%s%s", separator, quote, option->choices->items[i].word, quote);
        separator = ", ";
    }
}

static void append_range(const struct config_option *option, const char *quote, struct buf *out)
{
    append_words(option, quote, out);
    if (!has_range(option))
        return;
    config_option_number(option->kind, option->min, out);
    buf_append_text(out, " to ");
    config_option_number(option->kind, option->max, out);
}

static const struct config_alias *alias_of(const struct config_option *option)
{
    uint32_t count;
    const struct config_alias *aliases = config_option_aliases(&count);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(aliases[i].target, option->path) == 0)
            return &aliases[i];
    return NULL;
}

static void append_help(const struct config_option *option, bool item, struct buf *out)
{
    buf_append_format(out, "  %s  (%s", option->path, kind_names[option->kind]);
    if ((option->flags & CONFIG_REQUIRED) != 0)
        buf_append_text(out, ", required");
    if (has_range(option) || option->choices->count > 0) {
        buf_append_text(out, ": ");
        append_range(option, "", out);
    }
    buf_append_byte(out, ')');
    if (option->default_text != NULL && *option->default_text != '\0')
        buf_append_format(out, " [%s]", option->default_text);
    buf_append_format(out, "\n      %s\n", option->doc);
    if (item)
        return;
    char name[CONFIG_NAME_SIZE];
    config_option_environment(option->path, name);
    buf_append_format(out, "      %s\n", name);
}

static void append_ignored_help(struct buf *out)
{
    uint32_t count;
    const struct config_ignored_option *ignored = config_option_ignored(&count);
    buf_append_text(out, "\nAccepted without effect\n");
    for (uint32_t i = 0; i < count; i++)
        buf_append_format(out, "  %s\n      %s\n", ignored[i].path, ignored[i].why);
}

void config_docs_help(struct buf *out)
{
    uint32_t option_count;
    uint32_t item_count;
    uint32_t section_count;
    const struct config_option *options = config_option_all(&option_count);
    const struct config_option *items = config_option_items(&item_count);
    const struct config_section *sections = config_option_sections(&section_count);
    for (uint32_t i = 0; i < section_count; i++) {
        buf_append_format(out, "%s%s\n", i > 0 ? "\n" : "", sections[i].title);
        for (uint32_t at = 0; at < option_count; at++)
            if (in_section(&options[at], &sections[i]))
                append_help(&options[at], false, out);
        for (uint32_t at = 0; at < item_count; at++)
            if (in_section(&items[at], &sections[i]))
                append_help(&items[at], true, out);
    }
    append_ignored_help(out);
}

static void append_default(const struct config_option *option, struct buf *out)
{
    if ((option->flags & CONFIG_REQUIRED) != 0)
        buf_append_text(out, "*required*");
    else if (option->default_text != NULL && *option->default_text != '\0')
        buf_append_format(out, "`%s`", option->default_text);
}

static void append_row(const struct config_option *option, bool item, struct buf *out)
{
    const struct config_alias *alias = alias_of(option);
    char name[CONFIG_NAME_SIZE];
    config_option_environment(option->path, name);
    buf_append_format(out, "| `%s` | %s | ", option->path, kind_names[option->kind]);
    append_default(option, out);
    buf_append_text(out, " | ");
    append_range(option, "`", out);
    if (!item)
        buf_append_format(out, " | `%s`", name);
    buf_append_format(out, " | %s", option->doc);
    if ((option->flags & CONFIG_SECRET) != 0)
        buf_append_text(out, " Secret: never shown.");
    if ((option->flags & CONFIG_SECRET_NAMES) != 0)
        buf_append_text(out, " Values of passwords, keys, secrets and tokens are never shown.");
    if ((option->flags & CONFIG_COMMAS) != 0)
        buf_append_text(out, " One text with commas is accepted.");
    if ((option->flags & CONFIG_NUMBERS) != 0)
        buf_append_text(out, " The number of a choice, from 0, is accepted as well.");
    if (alias != NULL)
        buf_append_format(out, " Also called `%s`.", alias->path);
    buf_append_text(out, " |\n");
}

static void append_heading(const struct config_section *section, bool items, struct buf *out)
{
    buf_append_format(out, "\n## %s (`%s`)\n\n", section->title, section->path);
    if (items)
        buf_append_text(out, "| Path | Type | Default | Range | Meaning |\n"
                             "| --- | --- | --- | --- | --- |\n");
    else
        buf_append_text(out, "| Path | Type | Default | Range | Environment | Meaning |\n"
                             "| --- | --- | --- | --- | --- | --- |\n");
}

static void append_ignored(struct buf *out)
{
    uint32_t count;
    const struct config_ignored_option *ignored = config_option_ignored(&count);
    buf_append_text(out, "\n## Accepted without effect\n"
                         "\n"
                         "A file that was written for go-pq-cdc-kafka may hold these, with any "
                         "value. Those that are given are listed by `pqcdc config`, and each "
                         "is a warning at start.\n"
                         "\n"
                         "| Path | Why |\n"
                         "| --- | --- |\n");
    for (uint32_t i = 0; i < count; i++)
        buf_append_format(out, "| `%s` | %s |\n", ignored[i].path, ignored[i].why);
}

void config_docs_markdown(struct buf *out)
{
    uint32_t option_count;
    uint32_t item_count;
    uint32_t section_count;
    const struct config_option *options = config_option_all(&option_count);
    const struct config_option *items = config_option_items(&item_count);
    const struct config_section *sections = config_option_sections(&section_count);
    buf_append_text(out, introduction);
    for (uint32_t i = 0; i < section_count; i++) {
        append_heading(&sections[i], strchr(sections[i].path, '[') != NULL, out);
        for (uint32_t at = 0; at < option_count; at++)
            if (in_section(&options[at], &sections[i]))
                append_row(&options[at], false, out);
        for (uint32_t at = 0; at < item_count; at++)
            if (in_section(&items[at], &sections[i]))
                append_row(&items[at], true, out);
    }
    append_ignored(out);
    buf_append_text(out, rules);
}
