#include "connector/symbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <string.h>

#include "base/check.h"

static uintptr_t address_of(const char *name)
{
    return (uintptr_t)dlsym(RTLD_DEFAULT, name);
}

/* Keeps functions apart that a compiler would inline or drop. */
static __attribute__((noinline, used)) int a_static_function(int number)
{
    __asm__ volatile("" : "+r"(number));
    return number + 1;
}

static void functions_are_named(void **state UNUSED)
{
    struct symbol symbols[] = {
        { .address = address_of("getpid") },
        { .address = (uintptr_t)a_static_function + 1 },
        { .address = (uintptr_t)functions_are_named },
        { .address = (uintptr_t)symbols_find },
        { .address = address_of("getpid") },
    };
    static const char *const names[] = { "a_static_function", "functions_are_named", "symbols_find",
                                         "getpid" };
    symbols_find(symbols, COUNT_OF(symbols));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t found = 0;
        for (size_t j = 0; j < COUNT_OF(symbols); j++) {
            assert_true(j == 0 || symbols[j - 1].address <= symbols[j].address);
            assert_non_null(symbols[j].name);
            found += strcmp(symbols[j].name, names[i]) == 0;
        }
        assert_int_equal(found, strcmp(names[i], "getpid") == 0 ? 2 : 1);
    }
    assert_int_equal(a_static_function(1), 2);
    symbols_done(symbols, COUNT_OF(symbols));
    assert_null(symbols[0].name);
}

static const int here = 1;

static void what_is_no_function_is_of_its_file(void **state UNUSED)
{
    int local = 0;
    struct symbol symbols[] = { { .address = 1 },
                                { .address = (uintptr_t)&here },
                                { .address = (uintptr_t)&local },
                                { .address = UINTPTR_MAX } };
    symbols_find(symbols, COUNT_OF(symbols));
    for (size_t i = 0; i < COUNT_OF(symbols); i++) {
        if (symbols[i].address == (uintptr_t)&here)
            assert_string_equal(symbols[i].name, "[exe]");
        else
            assert_null(symbols[i].name);
    }
    symbols_done(symbols, COUNT_OF(symbols));
    symbols_find(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_named),
        cmocka_unit_test(what_is_no_function_is_of_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
