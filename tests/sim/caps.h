/* Looks inside a running node and holds it to the caps of base/limits.h, and counts again whatever
 * the node keeps a count of. It fails the test with the cap's name. */
#pragma once

#include <stdbool.h>

struct host;
struct visitor;

/* After every step: as many of everything as there may be at most. */
void caps_check(struct visitor *visitor);
/* Now and then: every count is what there is, and nothing is said to be there that the disk has
 * not. */
void caps_recount(struct visitor *visitor);
/* Does it let nobody in from there any more? */
bool caps_is_banned(const struct visitor *visitor, const struct host *host);
