#include "worker/commands.h"

#include <stdio.h>
#include <unistd.h>

#include "config/config_print.h"
#include "connector/settings.h"
#include "worker/check_command.h"
#include "worker/run_command.h"
#include "worker/slot_command.h"

static enum exit_code print_config(const struct arguments *arguments UNUSED,
                                   const struct config *config)
{
    AUTO(struct buf, buf_done) out = buf_init(4 * 1024 * 1024);
    config_print_effective(config, &out);
    fputs(buf_text(&out), stdout);
    return EXIT_CODE_OK;
}

static const struct command commands[] = {
    { "run", NULL, COMMAND_CONFIG | COMMAND_SINK,
      "stream committed changes until stopped (the default)", run_command },
    { "config", NULL, COMMAND_CONFIG,
      "check the configuration and print the effective one, secrets left out", print_config },
    { "check", NULL, COMMAND_CONFIG | COMMAND_OUTPUT,
      "look at PostgreSQL and Kafka: what is right, what is missing, and what mends it",
      check_command },
    { "slot", "status", COMMAND_CONFIG, "print what the replication slot is at",
      slot_command_status },
    { "slot", "drop", COMMAND_CONFIG | COMMAND_WITH_PUBLICATION,
      "drop the replication slot: its position is lost", slot_command_drop },
    { "slot", "create", COMMAND_CONFIG | COMMAND_ACCEPT_GAP,
      "create the slot, beginning now, and before it the publication if createIfNotExists is true",
      slot_command_create },
};

const struct command *commands_all(uint32_t *out_count)
{
    *out_count = COUNT_OF(commands);
    return commands;
}

const struct command *commands_default(void)
{
    return &commands[0];
}

void commands_print_error(const struct error *err)
{
    fprintf(stderr, "pqcdc: %s\n", err->text);
    if (err->advice[0] != '\0')
        fprintf(stderr, "  what to do: %s\n", err->advice);
}

static void print_problems(const struct config_problems *problems)
{
    AUTO(struct buf, buf_done) out = buf_init(1024 * 1024);
    config_problems_write(problems, &out);
    fprintf(stderr, "pqcdc: the configuration has %u problem%s:\n%s",
            problems->count + problems->left_out_count,
            problems->count + problems->left_out_count == 1 ? "" : "s", buf_text(&out));
}

enum exit_code commands_run(const struct arguments *arguments)
{
    const struct config_sources sources = {
        .file = arguments->config_file,
        .environment = (const char *const *)environ,
        .sets = (const char *const *)arguments->sets,
        .set_count = arguments->set_count,
    };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct config *, config_free_p) config = NULL;
    if (!config_load(&sources, &config, &problems) || !settings_check(config, &problems)) {
        print_problems(&problems);
        return EXIT_CODE_CONFIG;
    }
    return arguments->command->run(arguments, config);
}
