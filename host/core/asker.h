/* Who waits for a small file whole, to have its bytes with the answer (PROTOCOL.md 2, `inline`): of
 * a page's many small files each then costs one message and no request. A want owns its askers.
 * Layer: core (pure). Limits: LIMIT_INLINE, LIMIT_WANTS_WAITING. */
#pragma once

#include "core/asset.h"
#include "wire/api.h"

/* True when the asker takes the file's bytes with the answer. */
bool asker_may_inline(const struct api_request *request, const struct asset *asset);
/* The file is still to come: the client is answered when it is there. False: it is to be answered
 * now. */
bool asker_waits(const struct asset *asset, uint64_t client, const struct api_request *request);

/* The file is there. */
void askers_answer(struct want *want);
/* It will not be, or not by this want: they are answered without its bytes, in the next step. */
void askers_leave(struct want *want);
/* Those who have waited long enough get the gateway's URL. */
void askers_tick(struct want *want);
