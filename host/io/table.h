/* uthash with our allocator. Layer: io. */
#pragma once

#include "base/mem.h"

#define uthash_malloc(SIZE)     mem_alloc(SIZE)
#define uthash_free(DATA, SIZE) mem_free(DATA)
#include <uthash.h>
