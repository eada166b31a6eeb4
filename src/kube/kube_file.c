#include "kube/kube_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { FIRST_BYTES = 8 * 1024 };

struct content {
    char *bytes; /* zero behind `size` */
    size_t size;
    size_t room; /* at most one more than what a file may have */
};

static void content_done(struct content *content)
{
    explicit_bzero(content->bytes, content->room);
    memory_free(content->bytes);
}

static struct content content_new(size_t room)
{
    return (struct content){ .bytes = memory_alloc(room), .room = room };
}

/* No copy is left behind where it was. */
static void make_room(struct content *content)
{
    size_t room = 2 * content->room;
    struct content larger =
        content_new(room < KUBE_FILE_MAX_BYTES + 1 ? room : KUBE_FILE_MAX_BYTES + 1);
    memcpy(larger.bytes, content->bytes, content->size);
    larger.size = content->size;
    content_done(content);
    *content = larger;
}

/* False = errno tells. */
static bool read_whole(int fd, struct content *content)
{
    while (content->size <= KUBE_FILE_MAX_BYTES) {
        if (content->size == content->room)
            make_room(content);
        ssize_t got = read(fd, content->bytes + content->size, content->room - content->size);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        content->size += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool unreadable(const char *path, const char *reason, struct error *err)
{
    return error_set(err, ERROR_CONFIG, "file_unreadable", "\"%s\": %s", path, reason);
}

bool kube_file_read(const char *path, char **out_text, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return unreadable(path, strerrordesc_np(errno), err);
    AUTO(struct content, content_done) content = content_new(FIRST_BYTES);
    bool complete = read_whole(fd, &content);
    int read_errno = errno;
    close(fd);
    if (!complete)
        return unreadable(path, strerrordesc_np(read_errno), err);
    if (content.size > KUBE_FILE_MAX_BYTES)
        return unreadable(path, "larger than 1 MiB", err);
    if (memchr(content.bytes, '\0', content.size) != NULL)
        return unreadable(path, "contains a NUL byte", err);
    *out_text = memory_text_n(content.bytes, content.size);
    return true;
}
