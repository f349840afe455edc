/* The piece layers of a torrent, a part of metainfo_parse. Layer: wire (pure). */
#pragma once

#include "wire/metainfo.h"

/* Gives each file of two or more pieces its layer, copied into meta->layers, from the exact bytes
 * of the dict. Every layer must hash up to its file's root, and none may be missing or left over:
 * ERR_MISSING, ERR_MISMATCH, ERR_BAD_HASH, or as bencode says. */
enum err metainfo_read_layers(struct span layers, struct metainfo *meta);
