#include "kube/kube_file.h"

#include "unit/kube/kube_scene.h"

#include "base/secret.h"

static int setup(void **state)
{
    struct scene *scene = memory_alloc(sizeof(*scene));
    scene_init(scene);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    scene_done(*state);
    memory_free(*state);
    return 0;
}

static void write_bytes(const struct scene *scene, size_t size, char byte)
{
    AUTO(char *, memory_free_p) text = memory_alloc(size + 1);
    memset(text, byte, size);
    scene_write(scene, "file", text);
}

static void a_file_is_read_whole(void **state)
{
    static const size_t sizes[] = { 0, 1, 8191, 8192, 8193, 300000, KUBE_FILE_MAX_BYTES };
    struct scene *scene = *state;
    AUTO(char *, memory_free_p) path = scene_path(scene, "file");
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        AUTO(char *, secret_free_p) text = NULL;
        struct error err = ERROR_INIT;
        write_bytes(scene, sizes[i], 'x');
        assert_true(kube_file_read(path, &text, &err));
        assert_int_equal(strlen(text), sizes[i]);
        assert_int_equal(strspn(text, "x"), sizes[i]);
    }
}

static void refuse(const char *path, const char *reason)
{
    struct error err = ERROR_INIT;
    char *text = NULL;
    assert_false(kube_file_read(path, &text, &err));
    assert_null(text);
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_string_equal(err.code, "file_unreadable");
    AUTO(char *, memory_free_p) wanted = text_format("\"%s\": %s", path, reason);
    assert_string_equal(err.text, wanted);
}

static void what_cannot_be_read_is_told(void **state)
{
    struct scene *scene = *state;
    AUTO(char *, memory_free_p) path = scene_path(scene, "file");
    refuse(path, "No such file or directory");
    refuse(scene->directory, "Is a directory");
    write_bytes(scene, KUBE_FILE_MAX_BYTES + 1, 'x');
    refuse(path, "larger than 1 MiB");
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "a\0b", 3), 3);
    close(fd);
    refuse(path, "contains a NUL byte");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
