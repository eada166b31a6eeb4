#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

void secret_free(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    memory_free(secret);
}

static bool unreadable(const char *path, const char *reason, struct error *err)
{
    error_set(err, ERROR_CONFIG, "secret_unreadable", "secret file \"%s\": %s", path, reason);
    return error_advise(err, "Check that the file exists, that the user of this process may read "
                             "it, and that it holds only the secret.");
}

/* Reads up to `size` bytes; -1 = errno tells. */
static ssize_t read_whole(int fd, char *out, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = read(fd, out + have, size - have);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        have += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)have;
}

static bool keep(const char *path, const char *content, size_t size, char **out_secret,
                 struct error *err)
{
    if (size > SECRET_MAX_BYTES)
        return unreadable(path, "larger than 64 KiB", err);
    if (memchr(content, '\0', size) != NULL)
        return unreadable(path, "contains a NUL byte", err);
    while (size > 0 && (content[size - 1] == '\n' || content[size - 1] == '\r'))
        size--;
    *out_secret = memory_text_n(content, size);
    return true;
}

bool secret_read(const char *path, char **out_secret, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return unreadable(path, strerrordesc_np(errno), err);
    size_t room = SECRET_MAX_BYTES + 1;
    char *content = memory_alloc(room);
    ssize_t size = read_whole(fd, content, room);
    int read_errno = errno;
    close(fd);
    bool kept = size < 0 ? unreadable(path, strerrordesc_np(read_errno), err)
                         : keep(path, content, (size_t)size, out_secret, err);
    explicit_bzero(content, room);
    memory_free(content);
    return kept;
}
