/* Patches from one version of a file to the next, made by the publisher and applied by a disk. */
#pragma once

#include "base/bitfield.h"
#include "core/update.h"
#include "publisher.h"

/* The file of bundle 0 gets other bytes from `at` on. Its patch goes to the bundle at DELTA_BASE,
 * which is made when there is none; it is returned, to be spoilt or taken away. */
struct publisher_file *patches_change(struct publisher *publisher, const char *path, uint64_t at,
                                      uint64_t length);
/* A file from the old one's content and a patch's, as host/io/rebuild does it. `hashes` of its
 * pieces; ret_have: those that came out right. */
enum err patches_apply(const struct content *old, const struct content *patch, uint64_t length,
                       uint32_t piece_length, const uint8_t *hashes, struct bitfield *ret_have);
