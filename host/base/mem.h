/* Memory. Allocation aborts when the system has none left: every size that comes from outside
 * has been capped by limits.h before it gets here, so running out is not the input's doing.
 * Layer: base. */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size);                  /* not zeroed */
void *mem_zalloc(size_t size);                 /* zeroed */
void *mem_calloc(size_t count, size_t size);   /* zeroed, count * size checked */
void *mem_realloc(void *old, size_t size);
void *mem_dup(const void *data, size_t size);  /* NULL for size 0 */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t length); /* adds the NUL */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *data);                     /* NULL is fine */
