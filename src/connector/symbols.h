/* Names of functions by their addresses in this process: of the program and of the libraries that
 * it has loaded, static functions too where the file has them (ELF's .symtab, else .dynsym). The
 * files are read as they are on disk now: of a library that was replaced since the start the names
 * may be wrong. Takes milliseconds. Any thread.
 *
 * Source: elf(5), dl_iterate_phdr(3). */
#ifndef CONNECTOR_SYMBOLS_H
#define CONNECTOR_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbol {
    uintptr_t address;
    char *name; /* "[librdkafka.so.1]": in that file, more is not known; NULL = nothing is known */
};

/* Sorts them by address, and names those that can be named. symbols_done() frees the names. */
void symbols_find(struct symbol *symbols, size_t count);
void symbols_done(struct symbol *symbols, size_t count);

#endif
