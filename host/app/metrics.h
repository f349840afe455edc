/* A super-node's numbers in Prometheus' text format, 0.0.4. Layer: app. */
#pragma once

#include "base/bytes.h"
#include "core/node.h"

/* has_folder: what it fetched came from the publisher's folder, and not from the site. */
void metrics_write(const struct node *node, bool has_folder, struct buf *out);
