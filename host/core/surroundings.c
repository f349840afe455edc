#include "core/surroundings.h"

#include "core/node_impl.h"

#include <string.h>

static bool is_set(const struct node *node, enum setting setting)
{
    return node->fair.settings[setting] != 0;
}

void surroundings_look(struct node *node)
{
    struct surroundings_watch *watch = &node->surroundings;
    bool on = is_set(node, SETTING_UNMETERED_ONLY) || is_set(node, SETTING_MAINS_ONLY);

    if (watch->on == on)
        return;
    *watch = (struct surroundings_watch){.on = on};
    update_add(node->update, EFFECT_SURROUNDINGS, 0)->surroundings_on = on;
}

void surroundings_heard(struct node *node, const struct surroundings *now)
{
    struct surroundings_watch *watch = &node->surroundings;

    if (!watch->on)
        return;
    watch->told = true;
    watch->now = *now;
}

const char *surroundings_forbid(const struct node *node)
{
    const struct surroundings_watch *watch = &node->surroundings;

    if (!watch->on)
        return NULL;
    if (!watch->told)
        return "asking";
    if (is_set(node, SETTING_UNMETERED_ONLY) && watch->now.metered == SAID_YES)
        return "metered";
    if (is_set(node, SETTING_MAINS_ONLY) && watch->now.on_battery == SAID_YES)
        return "battery";
    return NULL;
}

void surroundings_put(const struct node *node, struct api_answer *answer)
{
    static const char *const network[] = {
        [SAID_NOTHING] = "unknown", [SAID_NO] = "unmetered", [SAID_YES] = "metered"};
    static const char *const power[] = {
        [SAID_NOTHING] = "unknown", [SAID_NO] = "mains", [SAID_YES] = "battery"};
    const struct surroundings *now = &node->surroundings.now;

    api_answer_open_object(answer, "surroundings");
    api_answer_text(answer, "network", network[now->metered]);
    api_answer_text(answer, "power", power[now->on_battery]);
    api_answer_close(answer);
}
