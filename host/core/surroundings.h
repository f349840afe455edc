/* A metered network, battery: the visitor may want to give nothing then. Layer: core (pure).
 *
 * While one of the two settings (unmetered_only, mains_only) is on, the adapter is asked to tell
 * (EFFECT_SURROUNDINGS -> EVENT_SURROUNDINGS). It always does, soon; until it has, nothing is
 * given. What the system does not say is as if it were not so: without NetworkManager no network is
 * metered, without UPower no computer runs on battery. What is forbidden is as when the month is
 * full (fair_use.h): pages go on, nobody is given anything. */
#pragma once

#include "core/event.h"

struct node;
struct api_answer;

struct surroundings_watch {
    bool on, told; /* told: since that last began */
    struct surroundings now;
};

/* The settings may have changed: is the adapter to tell, or no more? */
void surroundings_look(struct node *node);
void surroundings_heard(struct node *node, const struct surroundings *now);
/* Why nothing may be given: "metered", "battery", "asking" (not heard yet); NULL: nothing is in
 * the way. */
const char *surroundings_forbid(const struct node *node);
/* For `status`: the object "surroundings". */
void surroundings_put(const struct node *node, struct api_answer *answer);
