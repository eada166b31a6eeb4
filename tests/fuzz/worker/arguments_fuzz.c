/* Any words as a command line: it is taken or refused with the word that is wrong; what is taken
 * has a help text, and its --set options load or are refused with problems.
 *
 * The input is the words, each up to its NUL. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "worker/arguments.h"
#include "worker/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 64, HELP_MAX_BYTES = 1024 * 1024 };

static void check_help(const struct arguments *arguments)
{
    AUTO(struct buf, buf_done) help = buf_init(HELP_MAX_BYTES);
    arguments_help(arguments, &help);
    CHECK(!help.failed);
    CHECK(strncmp(buf_text(&help), "pqcdc ", 6) == 0 || strncmp(buf_text(&help), "Usage:", 6) == 0);
}

static void check_sets(const struct arguments *arguments)
{
    const struct config_sources sources = { .file = "none",
                                            .sets = (const char *const *)arguments->sets,
                                            .set_count = arguments->set_count };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct config *, config_free_p) config = NULL;
    bool loaded = config_load_text(&sources, SLICE_TEXT(""), &config, &problems);
    CHECK(loaded == (problems.count == 0) && loaded == (config != NULL));
}

static void check_blotted(const struct arguments *arguments)
{
    for (uint32_t i = 0; i < arguments->set_count; i++) {
        const char *value = strchr(arguments->set_words[i], '=') + 1;
        CHECK(strspn(value, "*") == strlen(value));
    }
}

/* What was set is not in the words, but for who is given them. */
static void check_words(const struct arguments *arguments)
{
    check_blotted(arguments);
    arguments_show(arguments);
    for (uint32_t i = 0; i < arguments->set_count; i++)
        CHECK(strcmp(arguments->set_words[i], arguments->sets[i]) == 0);
    arguments_blot(arguments);
    check_blotted(arguments);
}

static void check_taken(const struct arguments *arguments)
{
    for (uint32_t i = 0; i < arguments->set_count; i++)
        CHECK(strchr(arguments->sets[i], '=') != NULL);
    CHECK(arguments->help || arguments->command != NULL);
    CHECK(arguments->command == NULL || arguments->command->run != NULL);
    CHECK(!arguments->accept_gap || arguments->command == NULL ||
          (arguments->command->options & COMMAND_ACCEPT_GAP) != 0);
    CHECK(!arguments->with_publication || arguments->command == NULL ||
          (arguments->command->options & COMMAND_WITH_PUBLICATION) != 0);
    check_help(arguments);
    check_words(arguments);
    check_sets(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char *, memory_free_p) text = memory_text_n((const char *)data, size);
    char program[] = "pqcdc";
    char *words[WORDS_MAX + 1] = { program };
    int count = 1;
    for (size_t at = 0; at < size && count < WORDS_MAX; at += strlen(text + at) + 1)
        words[count++] = text + at;
    AUTO(struct arguments, arguments_done) arguments;
    struct error err = ERROR_INIT;
    if (arguments_parse(count, words, &arguments, &err))
        check_taken(&arguments);
    else
        CHECK(err.class == ERROR_CONFIG && strcmp(err.code, "usage") == 0 && err.text[0] != '\0');
    return 0;
}
