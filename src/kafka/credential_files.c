#include "kafka/credential_files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kafka/secure_options.h"

enum { CHUNK_BYTES = 4096 };

#define FNV_PRIME 1099511628211U

static void fold(uint64_t *hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ at[i]) * FNV_PRIME;
}

static void fold_file(uint64_t *hash, const char *path)
{
    char chunk[CHUNK_BYTES];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    fold(hash, path, strlen(path) + 1);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        fold(hash, &status.st_mtim, sizeof status.st_mtim);
    for (ssize_t got = read(fd, chunk, sizeof chunk); got > 0; got = read(fd, chunk, sizeof chunk))
        fold(hash, chunk, (size_t)got);
    explicit_bzero(chunk, sizeof chunk);
    fold(hash, "", 1); /* an empty file is another thing than none */
    close(fd);
}

static bool is_login(const char *property)
{
    return strcmp(property, "sasl.username") == 0 || strcmp(property, "sasl.password") == 0;
}

/* Properties whose value is a path. */
static bool names_file(const char *property)
{
    static const char *const names[] = { "ssl.ca.location", "ssl.certificate.location",
                                         "ssl.key.location", "ssl.keystore.location",
                                         "ssl.crl.location" };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(property, names[i]) == 0)
            return true;
    return false;
}

static void fold_authority(uint64_t *hash, const char *authority)
{
    if (authority != NULL && !secure_options_is_pem(authority))
        fold_file(hash, authority);
}

struct credential_files credential_files_look(const struct producer_options *options)
{
    struct credential_files files = { 0 };
    for (uint32_t i = 0; i < options->property_file_count; i++) {
        const struct producer_property *file = &options->property_files[i];
        fold_file(is_login(file->name) ? &files.login : &files.rest, file->value);
    }
    for (uint32_t i = 0; i < options->property_count; i++)
        if (names_file(options->properties[i].name))
            fold_file(&files.rest, options->properties[i].value);
    if (options->scram_password_file != NULL)
        fold_file(&files.login, options->scram_password_file);
    fold_authority(&files.rest, options->root_ca);
    fold_authority(&files.rest, options->inter_ca);
    return files;
}
