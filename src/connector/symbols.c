#include "connector/symbols.h"

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

enum { OBJECTS_MAX = 256, TABLE_LIMIT_BYTES = 256 * 1024 * 1024, SECTIONS_MAX = 4096 };

struct object {
    const char *file;
    uintptr_t base, end;
};

struct objects {
    struct object items[OBJECTS_MAX];
    size_t count;
};

/* Sections of one file, and what is looked for in it. */
struct table {
    int fd;
    uintptr_t base;
    struct symbol *wanted;
    size_t wanted_count;
};

static int compare(const void *left, const void *right)
{
    uintptr_t a = ((const struct symbol *)left)->address;
    uintptr_t b = ((const struct symbol *)right)->address;
    return (a > b) - (a < b);
}

/* The first that is not before the address. */
static size_t lower_bound(const struct symbol *symbols, size_t count, uintptr_t address)
{
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (symbols[middle].address < address)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

/* Allocates nothing: the loader's lock is held, for which a profiler's signal may wait. */
static int list_object(struct dl_phdr_info *info, size_t size UNUSED, void *self)
{
    struct objects *objects = self;
    if (objects->count == OBJECTS_MAX)
        return 1;
    struct object *object = &objects->items[objects->count];
    *object = (struct object){ info->dlpi_name, info->dlpi_addr, info->dlpi_addr };
    if (info->dlpi_name[0] == '\0')
        object->file = objects->count == 0 ? "/proc/self/exe" : NULL;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
        if (header->p_type == PT_LOAD && end > object->end)
            object->end = end;
    }
    objects->count += object->file != NULL;
    return 0;
}

static bool read_at(int fd, void *out, size_t size, size_t offset)
{
    size_t got = 0;
    while (got < size) {
        ssize_t part = pread(fd, (char *)out + got, size - got, (off_t)(offset + got));
        if (part <= 0)
            return false;
        got += (size_t)part;
    }
    return true;
}

/* memory_free() the result; NULL = cannot be read. */
static void *read_section(int fd, const ElfW(Shdr) * section)
{
    if (section->sh_size == 0 || section->sh_size > TABLE_LIMIT_BYTES)
        return NULL;
    void *bytes = memory_alloc(section->sh_size + 1); /* a NUL ends the last name */
    if (read_at(fd, bytes, section->sh_size, section->sh_offset))
        return bytes;
    memory_free(bytes);
    return NULL;
}

/* Of several names of one function the shortest: "calloc", not "__libc_calloc". */
static void name_range(const struct table *table, uintptr_t begin, uintptr_t end, const char *name)
{
    size_t at = lower_bound(table->wanted, table->wanted_count, begin);
    for (; at < table->wanted_count && table->wanted[at].address < end; at++) {
        struct symbol *symbol = &table->wanted[at];
        if (symbol->name != NULL && strlen(symbol->name) <= strlen(name))
            continue;
        memory_free(symbol->name);
        symbol->name = memory_text(name);
    }
}

static void name_rest(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->wanted_count; i++)
        if (table->wanted[i].name == NULL)
            table->wanted[i].name = memory_text(name);
}

static void name_from(const struct table *table, const ElfW(Shdr) * symbols,
                      const ElfW(Shdr) * strings)
{
    AUTO(ElfW(Sym) *, memory_free_p) entries = read_section(table->fd, symbols);
    AUTO(char *, memory_free_p) names = read_section(table->fd, strings);
    if (entries == NULL || names == NULL)
        return;
    for (size_t i = 0; i < symbols->sh_size / sizeof(*entries); i++) {
        const ElfW(Sym) *entry = &entries[i];
        bool is_function = ELF64_ST_TYPE(entry->st_info) == STT_FUNC;
        if (is_function && entry->st_shndx != SHN_UNDEF && entry->st_name < strings->sh_size)
            name_range(table, table->base + entry->st_value,
                       table->base + entry->st_value + entry->st_size, names + entry->st_name);
    }
}

static const ElfW(Shdr) * find_section(const ElfW(Shdr) * sections, size_t count, uint32_t type)
{
    for (size_t i = 0; i < count; i++)
        if (sections[i].sh_type == type && sections[i].sh_link < count)
            return &sections[i];
    return NULL;
}

static void name_from_file(const struct table *table)
{
    ElfW(Ehdr) header;
    if (!read_at(table->fd, &header, sizeof(header), 0) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_shnum > SECTIONS_MAX ||
        header.e_shentsize != sizeof(ElfW(Shdr)))
        return;
    const ElfW(Shdr)
        all = { .sh_offset = header.e_shoff, .sh_size = header.e_shnum * sizeof(ElfW(Shdr)) };
    AUTO(ElfW(Shdr) *, memory_free_p) sections = read_section(table->fd, &all);
    if (sections == NULL)
        return;
    const ElfW(Shdr) *found = find_section(sections, header.e_shnum, SHT_SYMTAB);
    if (found == NULL)
        found = find_section(sections, header.e_shnum, SHT_DYNSYM);
    if (found != NULL)
        name_from(table, found, &sections[found->sh_link]);
}

static void name_from_object(const struct object *object, struct symbol *symbols, size_t count)
{
    size_t first = lower_bound(symbols, count, object->base);
    size_t after = lower_bound(symbols, count, object->end);
    if (first == after)
        return;
    struct table table = { .base = object->base,
                           .wanted = symbols + first,
                           .wanted_count = after - first };
    table.fd = open(object->file, O_RDONLY | O_CLOEXEC);
    if (table.fd >= 0) {
        name_from_file(&table);
        close(table.fd);
    }
    const char *slash = strrchr(object->file, '/');
    AUTO(char *, memory_free_p) file =
        text_format("[%s]", slash != NULL ? slash + 1 : object->file);
    name_rest(&table, file);
}

void symbols_find(struct symbol *symbols, size_t count)
{
    struct objects objects = { .count = 0 };
    if (count == 0)
        return;
    qsort(symbols, count, sizeof(*symbols), compare);
    (void)dl_iterate_phdr(list_object, &objects);
    for (size_t i = 0; i < objects.count; i++)
        name_from_object(&objects.items[i], symbols, count);
}

void symbols_done(struct symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memory_free(TAKE(symbols[i].name));
}
