/* Runs a fuzz target over a corpus without a fuzzer: every regular file of the directories given.
 * Prints "replayed N files"; fails when there was none. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    /* Exactly as large as the input, so that AddressSanitizer sees a read past its end. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    bool complete = data != NULL && fread(data, 1, size, file) == size;
    fclose(file);
    if (complete)
        (void)LLVMFuzzerTestOneInput(data, size);
    else
        fprintf(stderr, "%s: cannot be read\n", path);
    free(data);
    return complete;
}

static bool replay_directory(const char *path, unsigned *count)
{
    struct dirent **names;
    int name_count = scandir(path, &names, NULL, alphasort);
    if (name_count < 0) {
        perror(path);
        return false;
    }
    bool sound = true;
    for (int i = 0; i < name_count; i++) {
        char *file = text_format("%s/%s", path, names[i]->d_name);
        struct stat status;
        if (stat(file, &status) == 0 && S_ISREG(status.st_mode)) {
            sound = replay_file(file, (size_t)status.st_size) && sound;
            (*count)++;
        }
        memory_free(file);
        free(names[i]);
    }
    free(names);
    return sound;
}

int main(int argument_count, char **arguments)
{
    unsigned count = 0;
    bool sound = true;
    for (int i = 1; i < argument_count; i++)
        sound = replay_directory(arguments[i], &count) && sound;
    printf("replayed %u files\n", count);
    return sound && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
