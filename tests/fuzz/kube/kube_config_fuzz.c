/* Any bytes as kubeconfigs: they are read, or they are refused; what is read can be used.
 *
 * The input is split at NULs. A part that begins with "context=", "host=" or "port=" is that; every
 * other one is a kubeconfig of its own, in the order of a KUBECONFIG. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/memory.h"
#include "kube/kube_config.h"
#include "kube/kube_config_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 40, PATHS_MAX_BYTES = 4096 };

struct input {
    struct buf paths;
    int files[FILES_MAX];
    int file_count;
    const char *context, *host, *port;
};

static void input_done(struct input *input)
{
    for (int i = 0; i < input->file_count; i++)
        close(input->files[i]);
    buf_done(&input->paths);
}

/* A file in memory, with a path of its own. */
static void add_file(struct input *input, const char *text)
{
    if (input->file_count == FILES_MAX)
        return;
    int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
    size_t size = strlen(text);
    CHECK(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    input->files[input->file_count++] = fd;
    buf_append_format(&input->paths, "%s/proc/self/fd/%d", input->file_count > 1 ? ":" : "", fd);
}

static void add_part(struct input *input, const char *part)
{
    struct {
        const char *name;
        const char **place;
    } named[] = { { "context=", &input->context },
                  { "host=", &input->host },
                  { "port=", &input->port } };
    for (size_t i = 0; i < COUNT_OF(named); i++) {
        size_t size = strlen(named[i].name);
        if (strncmp(part, named[i].name, size) == 0) {
            *named[i].place = part + size;
            return;
        }
    }
    add_file(input, part);
}

static void set_environment(const char *name, const char *value)
{
    if (value != NULL)
        CHECK(setenv(name, value, 1) == 0);
    else
        CHECK(unsetenv(name) == 0);
}

static void check_item(const struct kube_config_item *item)
{
    CHECK(item->path == NULL || (item->path[0] != '\0' && item->data == NULL));
}

static void check_config(const struct kube_config *config)
{
    CHECK(config->server != NULL && config->namespace_name[0] != '\0');
    CHECK(config->server[strlen(config->server) - 1] != '/');
    CHECK((config->certificate.path == NULL && config->certificate.data == NULL) ==
          (config->key.path == NULL && config->key.data == NULL));
    check_item(&config->authority);
    check_item(&config->certificate);
    check_item(&config->key);
    check_item(&config->token);
    /* It is an address, and stays the same one. */
    AUTO(char *, memory_free_p) again = NULL;
    AUTO(char *, memory_free_p) url = NULL;
    AUTO(char *, memory_free_p) authority = NULL;
    CHECK(kube_config_server_check(config->server, &again, NULL));
    CHECK(strcmp(again, config->server) == 0);
    const char *name = config->tls_server_name;
    kube_config_server_rename(config->server, name != NULL ? name : "name", &url, &authority);
    CHECK(strchr(authority, ':') != NULL);
}

static void check_result(bool read, const struct kube_config *config, const struct error *err)
{
    if (read) {
        check_config(config);
        return;
    }
    CHECK(config == NULL && err->class == ERROR_CONFIG && err->text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(char *, memory_free_p) text = memory_text_n((const char *)data, size);
    AUTO(struct input, input_done) input = { .paths = buf_init(PATHS_MAX_BYTES) };
    for (size_t at = 0; at < size; at += strlen(text + at) + 1)
        add_part(&input, text + at);
    struct error err = ERROR_INIT;
    AUTO(struct kube_config *, kube_config_free_p) config = NULL;
    bool read = kube_config_load(buf_text(&input.paths), input.context, &config, &err);
    check_result(read, config, &err);

    AUTO(struct kube_config *, kube_config_free_p) in_cluster = NULL;
    set_environment("KUBERNETES_SERVICE_HOST", input.host);
    set_environment("KUBERNETES_SERVICE_PORT", input.port);
    read = kube_config_in_cluster("/proc/self", &in_cluster, &err);
    CHECK(!kube_config_is_in_cluster("/proc/self"));
    check_result(read, in_cluster, &err);
    return 0;
}
