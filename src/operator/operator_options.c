#include "operator/operator_options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"

#define PREFIX "PQCDC_OPERATOR_"

enum { NAME_MAX_BYTES = 64, NAMESPACE_MAX_BYTES = 63, SHOWN_DEFAULT_BYTES = 32 };

enum kind { TEXT, NUMBER, DURATION, BOOLEAN };

static const struct option {
    enum kind kind;
    size_t offset;
    const char *flag, *value, *preset;
    int64_t least, most;
    const char *help;
} rows[] = {
#define OPERATOR_OPTION(field, kind, flag, value, default_, least, most, help)                     \
    { kind, offsetof(struct operator_options, field), flag, value, default_, least, most, help },
#include "operator/operator_options.def"
#undef OPERATOR_OPTION
};

static void environment_name(const struct option *option, char out[NAME_MAX_BYTES])
{
    size_t size = strlen(PREFIX), at = 0;
    memcpy(out, PREFIX, size);
    for (; option->flag[at] != '\0'; at++)
        out[size + at] = option->flag[at] == '-' ? '_' : (char)toupper(option->flag[at]);
    CHECK(size + at < NAME_MAX_BYTES);
    out[size + at] = '\0';
}

/* NULL = it is not set. */
static const char *find_variable(const char *const *environment, const char *name)
{
    size_t size = strlen(name);
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return *environment + size + 1;
    return NULL;
}

/* One value. */

static bool set_number(const struct option *option, const char *text, int64_t *out)
{
    int64_t number;
    bool read = option->kind == NUMBER ? text_parse_i64(text, &number)
                                       : text_parse_duration_ms(text, 1000, &number);
    if (!read || number < option->least || number > option->most)
        return false;
    *out = number;
    return true;
}

static bool set(struct operator_options *out, const struct option *option, const char *text)
{
    void *field = (char *)out + option->offset;
    switch (option->kind) {
    case TEXT:
        *(const char **)field = text;
        return true;
    case NUMBER:
    case DURATION:
        return set_number(option, text, field);
    case BOOLEAN:
        return text_parse_bool(text, field);
    }
    return false;
}

static bool refuse(const struct option *option, const char *where, const char *text,
                   struct error *err)
{
    char least[24], most[24];
    if (option->kind == BOOLEAN)
        return error_set(err, ERROR_CONFIG, "option", "%s: \"%s\" is neither true nor false", where,
                         text);
    if (option->kind == NUMBER)
        return error_set(err, ERROR_CONFIG, "option",
                         "%s: \"%s\" is no number from %" PRId64 " to %" PRId64, where, text,
                         option->least, option->most);
    text_format_duration(option->least, least, sizeof(least));
    text_format_duration(option->most, most, sizeof(most));
    return error_set(err, ERROR_CONFIG, "option", "%s: \"%s\" is no duration from %s to %s", where,
                     text, least, most);
}

static bool set_or_refuse(struct operator_options *out, const struct option *option,
                          const char *where, const char *text, struct error *err)
{
    return set(out, option, text) || refuse(option, where, text, err);
}

/* Defaults, environment, command line. */

static void set_defaults(struct operator_options *out)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].preset != NULL)
            CHECK(set(out, &rows[i], rows[i].preset));
}

static bool read_environment(const char *const *environment, struct operator_options *out,
                             struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[NAME_MAX_BYTES];
        environment_name(&rows[i], name);
        const char *text = find_variable(environment, name);
        if (text != NULL && !set_or_refuse(out, &rows[i], name, text, err))
            return false;
    }
    return true;
}

static const struct option *find_flag(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_is(name, rows[i].flag))
            return &rows[i];
    return NULL;
}

static bool unknown(const char *word, struct error *err)
{
    const char *names[COUNT_OF(rows)];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        names[i] = rows[i].flag;
    bool dashed = strncmp(word, "--", 2) == 0;
    const char *nearest = dashed ? text_nearest(word + 2, names, COUNT_OF(rows)) : NULL;
    return error_set(err, ERROR_CONFIG, "usage", "%s is not known%s%s%s", word,
                     nearest != NULL ? "; did you mean --" : "", nearest != NULL ? nearest : "",
                     nearest != NULL ? "?" : "; see pqcdc-operator --help");
}

static bool read_flag(int count, const char *const *words, int *at, struct operator_options *out,
                      struct error *err)
{
    const char *word = words[(*at)++];
    const char *equals = strchr(word, '=');
    size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *option = size > 2 && strncmp(word, "--", 2) == 0
                                      ? find_flag((struct slice){ word + 2, size - 2 })
                                      : NULL;
    AUTO(char *, memory_free_p) name = memory_text_n(word, size);
    if (option == NULL)
        return unknown(name, err);
    if (equals == NULL && *at >= count)
        return error_set(err, ERROR_CONFIG, "usage", "%s needs a value: %s %s", name, name,
                         option->value);
    return set_or_refuse(out, option, name, equals != NULL ? equals + 1 : words[(*at)++], err);
}

static bool read_words(int count, const char *const *words, struct operator_options *out,
                       struct error *err)
{
    for (int at = 1; at < count;) {
        bool help = strcmp(words[at], "--help") == 0 || strcmp(words[at], "-h") == 0;
        bool version = strcmp(words[at], "--version") == 0;
        out->help = out->help || help;
        out->version = out->version || version;
        if (help || version)
            at++;
        else if (!read_flag(count, words, &at, out, err))
            return false;
    }
    return true;
}

/* What the values mean together. */

static bool is_label(const char *name)
{
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t size = strlen(name);
    return size > 0 && size <= NAMESPACE_MAX_BYTES && strspn(name, inner) == size &&
           name[0] != '-' && name[size - 1] != '-';
}

/* The next of the names with commas between, without the spaces around it. memory_free() it. */
static char *next_name(const char **rest)
{
    const char *begin = *rest + strspn(*rest, " ");
    size_t size = strcspn(begin, ",");
    *rest = begin + size + (begin[size] == ',');
    while (size > 0 && begin[size - 1] == ' ')
        size--;
    return memory_text_n(begin, size);
}

static bool split_namespaces(struct operator_options *out, struct error *err)
{
    const char *rest = out->watch_namespaces;
    out->namespaces = memory_array(strlen(rest) + 1, sizeof(char *));
    while (*rest != '\0') {
        char *name = next_name(&rest);
        out->namespaces[out->namespace_count++] = name;
        if (!is_label(name))
            return error_set(err, ERROR_CONFIG, "option",
                             "--watch-namespaces: \"%s\" is no name of a namespace", name);
    }
    return true;
}

static bool is_one_of(const char *text, const char *const *choices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, choices[i]) == 0)
            return true;
    return false;
}

static bool check_all(struct operator_options *out, struct error *err)
{
    static const char *const policies[] = { "", "Always", "IfNotPresent", "Never" };
    static const char *const formats[] = { "json", "text" };
    if (!log_level_parse(out->log_level, &out->level))
        return error_set(err, ERROR_CONFIG, "option",
                         "--log-level: \"%s\" is none of debug, info, warn, error", out->log_level);
    if (!is_one_of(out->log_format, formats, COUNT_OF(formats)))
        return error_set(err, ERROR_CONFIG, "option",
                         "--log-format: \"%s\" is neither json nor text", out->log_format);
    out->format = strcmp(out->log_format, "text") == 0 ? LOG_TEXT : LOG_JSON;
    if (!is_one_of(out->image_pull_policy, policies, COUNT_OF(policies)))
        return error_set(err, ERROR_CONFIG, "option",
                         "--image-pull-policy: \"%s\" is none of Always, IfNotPresent, Never",
                         out->image_pull_policy);
    if (out->worker_image == NULL || out->worker_image[0] == '\0')
        return error_set(err, ERROR_CONFIG, "option",
                         "--worker-image (" PREFIX
                         "WORKER_IMAGE) is required: the image of workers "
                         "whose Connector names none");
    return split_namespaces(out, err);
}

static const char *or_variable(const char *text, const char *const *environment, const char *name)
{
    return text != NULL ? text : find_variable(environment, name);
}

bool operator_options_read(int count, const char *const *words, const char *const *environment,
                           struct operator_options *out_options, struct error *err)
{
    *out_options = (struct operator_options){ .help = false };
    set_defaults(out_options);
    if (!read_words(count, words, out_options, err))
        return false;
    if (out_options->help || out_options->version)
        return true;
    if (!read_environment(environment, out_options, err) ||
        !read_words(count, words, out_options, err))
        return false;
    out_options->kubeconfig = or_variable(out_options->kubeconfig, environment, "KUBECONFIG");
    out_options->identity = or_variable(out_options->identity, environment, "POD_NAME");
    out_options->namespace_name =
        or_variable(out_options->namespace_name, environment, "POD_NAMESPACE");
    return out_options->check != NULL || check_all(out_options, err);
}

void operator_options_done(struct operator_options *options)
{
    for (size_t i = 0; i < options->namespace_count; i++)
        memory_free(options->namespaces[i]);
    memory_free(options->namespaces);
    options->namespaces = NULL;
    options->namespace_count = 0;
}

void operator_options_help(struct buf *out)
{
    buf_append_text(out, "usage: pqcdc-operator [OPTION]...\n\n"
                         "Turns Connector resources (pqcdc.io) into workers, and says in their "
                         "status how they do.\n\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[NAME_MAX_BYTES], flag[NAME_MAX_BYTES + SHOWN_DEFAULT_BYTES];
        const char *preset = rows[i].preset;
        environment_name(&rows[i], name);
        (void)snprintf(flag, sizeof(flag), "--%s %s", rows[i].flag, rows[i].value);
        buf_append_format(out, "  %-31s %s\n  %-31s %s", flag, rows[i].help, "", name);
        if (preset != NULL && preset[0] != '\0')
            buf_append_format(out, " (%s)", preset);
        buf_append_text(out, "\n");
    }
    buf_append_format(out, "  %-31s %s\n  %-31s %s\n", "--version", "print the version", "--help",
                      "print this help");
}
