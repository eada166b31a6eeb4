#include "kafka/secure_options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/secret.h"

#define PEM_MARK "-----BEGIN CERTIFICATE"

/* What options of ours decide. */
enum decider { BY_SECURE_CONNECTION, BY_AUTHORITIES };

static const struct {
    enum decider decider;
    const char *property;
    const char *meant;   /* the only value that says the same; NULL = none */
    const char *instead; /* the option that says it */
} decided[] = {
    { BY_SECURE_CONNECTION, "security.protocol", "SASL_SSL", "kafka.secureConnection" },
    { BY_SECURE_CONNECTION, "sasl.mechanism", "SCRAM-SHA-512", "kafka.secureConnection" },
    { BY_SECURE_CONNECTION, "sasl.mechanisms", "SCRAM-SHA-512", "kafka.secureConnection" },
    { BY_SECURE_CONNECTION, "sasl.username", NULL, "kafka.scramUsername" },
    { BY_SECURE_CONNECTION, "sasl.password", NULL, "kafka.scramPassword" },
    { BY_AUTHORITIES, "ssl.ca.location", NULL, "kafka.rootCA" },
    { BY_AUTHORITIES, "ssl.ca.pem", NULL, "kafka.rootCA" },
};

struct checking {
    const struct producer_options *options;
    producer_options_report_fn *report;
    void *self;
    uint32_t count;
};

PRINTF_LIKE(3, 4)
static void complain(struct checking *checking, const char *code, const char *format, ...)
{
    struct error problem = ERROR_INIT;
    va_list values;
    va_start(values, format);
    char text[ERROR_TEXT_SIZE];
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    error_set(&problem, ERROR_CONFIG, code, "%s", text);
    checking->report(checking->self, &problem);
    checking->count++;
}

static bool has_authorities(const struct producer_options *options)
{
    return options->root_ca != NULL || options->inter_ca != NULL;
}

static bool decides(const struct producer_options *options, enum decider decider)
{
    switch (decider) {
    case BY_SECURE_CONNECTION:
        return options->secure_connection;
    case BY_AUTHORITIES:
        return has_authorities(options);
    }
    return false;
}

/* value NULL: it is in a file. */
static void check_property(struct checking *checking, const char *option, const char *name,
                           const char *value)
{
    for (size_t i = 0; i < COUNT_OF(decided); i++) {
        if (!decides(checking->options, decided[i].decider) ||
            strcmp(name, decided[i].property) != 0)
            continue;
        if (decided[i].meant == NULL)
            complain(checking, "property_decided", "%s: \"%s\" is what %s says: remove one of them",
                     option, name, decided[i].instead);
        else if (value == NULL || strcasecmp(value, decided[i].meant) != 0)
            complain(checking, "property_decided", "%s: \"%s\" contradicts %s, which means %s",
                     option, name, decided[i].instead, decided[i].meant);
    }
}

static void check_properties(struct checking *checking)
{
    const struct producer_options *options = checking->options;
    for (uint32_t i = 0; i < options->property_count; i++)
        check_property(checking, "kafka.properties", options->properties[i].name,
                       options->properties[i].value);
    for (uint32_t i = 0; i < options->property_file_count; i++)
        check_property(checking, "kafka.propertyFiles", options->property_files[i].name, NULL);
}

static void check_login(struct checking *checking)
{
    const struct producer_options *options = checking->options;
    const struct {
        const char *option, *value;
    } login[] = {
        { "kafka.scramUsername", options->scram_username },
        { "kafka.scramPassword", options->scram_password },
        { "kafka.scramPasswordFile", options->scram_password_file },
    };
    if (!options->secure_connection) {
        for (size_t i = 0; i < COUNT_OF(login); i++)
            if (login[i].value != NULL)
                complain(checking, "secure_connection_missing",
                         "%s: needs kafka.secureConnection: true", login[i].option);
        return;
    }
    if (options->scram_username == NULL)
        complain(checking, "login_missing",
                 "kafka.scramUsername: required with kafka.secureConnection");
    if (options->scram_password == NULL && options->scram_password_file == NULL)
        complain(checking, "login_missing",
                 "kafka.scramPassword: it or kafka.scramPasswordFile is required with "
                 "kafka.secureConnection");
}

/* Where the protocol comes from a file nobody knows before it is read. */
static bool may_use_tls(const struct producer_options *options)
{
    const char *protocol = "PLAINTEXT";
    for (uint32_t i = 0; i < options->property_count; i++)
        if (strcmp(options->properties[i].name, "security.protocol") == 0)
            protocol = options->properties[i].value;
    for (uint32_t i = 0; i < options->property_file_count; i++)
        if (strcmp(options->property_files[i].name, "security.protocol") == 0)
            return true;
    return options->secure_connection || strcasecmp(protocol, "SSL") == 0 ||
           strcasecmp(protocol, "SASL_SSL") == 0;
}

uint32_t secure_options_check(const struct producer_options *options,
                              producer_options_report_fn *report, void *self)
{
    struct checking checking = { options, report, self, 0 };
    check_properties(&checking);
    check_login(&checking);
    if (has_authorities(options) && !may_use_tls(options))
        complain(&checking, "secure_connection_missing",
                 "%s: needs TLS: kafka.secureConnection: true, or the property security.protocol "
                 "(SSL, SASL_SSL)",
                 options->root_ca != NULL ? "kafka.rootCA" : "kafka.interCA");
    return checking.count;
}

/* Becoming properties. */

/* A value that librdkafka refuses is not repeated: it may be a secret. */
static bool set(rd_kafka_conf_t *conf, const char *property, const char *value, const char *option,
                struct error *err)
{
    if (rd_kafka_conf_set(conf, property, value, NULL, 0) == RD_KAFKA_CONF_OK)
        return true;
    return error_set(err, ERROR_CONFIG, "option_invalid", "%s: librdkafka refuses the value",
                     option);
}

static bool apply_login(const struct producer_options *options, rd_kafka_conf_t *conf,
                        struct error *err)
{
    AUTO(char *, secret_free_p) read = NULL;
    const char *file = options->scram_password_file;
    struct error unreadable = ERROR_INIT;
    if (file != NULL && !secret_read(file, &read, &unreadable)) {
        error_set(err, unreadable.class, unreadable.code, "kafka.scramPasswordFile: %s",
                  unreadable.text);
        return error_advise(err, "%s", unreadable.advice);
    }
    if (read != NULL && *read == '\0')
        return error_set(err, ERROR_CONFIG, "secret_unreadable",
                         "kafka.scramPasswordFile: secret file \"%s\": holds no password", file);
    const char *password = read != NULL ? read : options->scram_password;
    return set(conf, "security.protocol", "SASL_SSL", "kafka.secureConnection", err) &&
           set(conf, "sasl.mechanisms", "SCRAM-SHA-512", "kafka.secureConnection", err) &&
           set(conf, "sasl.username", options->scram_username, "kafka.scramUsername", err) &&
           set(conf, "sasl.password", password, "kafka.scramPassword", err);
}

bool secure_options_is_pem(const char *authority)
{
    return authority != NULL && strstr(authority, PEM_MARK) != NULL;
}

static bool append_authority(const char *option, const char *authority, struct buf *out,
                             struct error *err)
{
    AUTO(char *, secret_free_p) read = NULL;
    struct error unreadable = ERROR_INIT;
    if (authority == NULL)
        return true;
    if (!secure_options_is_pem(authority)) {
        if (!secret_read(authority, &read, &unreadable))
            return error_set(err, ERROR_CONFIG, "authority_unreadable", "%s: %s", option,
                             unreadable.text);
        if (!secure_options_is_pem(read))
            return error_set(err, ERROR_CONFIG, "authority_unreadable",
                             "%s: \"%s\" holds no certificate in PEM", option, authority);
    }
    buf_append_format(out, "%s\n", read != NULL ? read : authority);
    return true;
}

/* librdkafka takes directories and files of any size there. */
static bool apply_location(const char *option, const char *path, rd_kafka_conf_t *conf,
                           struct error *err)
{
    if (access(path, R_OK) != 0)
        return error_set(err, ERROR_CONFIG, "authority_unreadable", "%s: cannot read \"%s\": %s",
                         option, path, strerrordesc_np(errno));
    return set(conf, "ssl.ca.location", path, option, err);
}

static bool apply_authorities(const struct producer_options *options, rd_kafka_conf_t *conf,
                              struct error *err)
{
    const char *root = options->root_ca, *inter = options->inter_ca;
    if (inter == NULL && !secure_options_is_pem(root))
        return apply_location("kafka.rootCA", root, conf, err);
    if (root == NULL && !secure_options_is_pem(inter))
        return apply_location("kafka.interCA", inter, conf, err);
    AUTO(struct buf, buf_done) chain = buf_init(4 * SECRET_MAX_BYTES);
    if (!append_authority("kafka.rootCA", root, &chain, err) ||
        !append_authority("kafka.interCA", inter, &chain, err))
        return false;
    if (chain.failed)
        return error_set(err, ERROR_CONFIG, "authority_unreadable",
                         "kafka.rootCA: larger than %d KiB with kafka.interCA",
                         4 * SECRET_MAX_BYTES / 1024);
    return set(conf, "ssl.ca.pem", buf_text(&chain), "kafka.rootCA", err);
}

bool secure_options_apply(const struct producer_options *options, rd_kafka_conf_t *conf,
                          struct error *err)
{
    if (options->secure_connection && options->scram_username != NULL &&
        !apply_login(options, conf, err))
        return false;
    return !has_authorities(options) || apply_authorities(options, conf, err);
}
