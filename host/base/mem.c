#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *data)
{
    if (data != NULL)
        return data;
    fputs("fringe: out of memory\n", stderr);
    abort();
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size > 0 ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return mem_calloc(1, size);
}

void *mem_calloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    return checked(calloc(count, size));
}

void *mem_realloc(void *old, size_t size)
{
    return checked(realloc(old, size > 0 ? size : 1));
}

void *mem_dup(const void *data, size_t size)
{
    if (size == 0)
        return NULL;
    return memcpy(mem_alloc(size), data, size);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t length)
{
    char *copy = mem_alloc(length + 1);
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length >= 0 ? text : NULL);
}

void mem_free(void *data)
{
    free(data);
}
