/* What the native API's files share: node_api.c (the dispatch, hello, who waits), node_api_status.c
 * (the whole host, limits, pause), node_api_site.c and node_api_asset.c. Layer: core (pure);
 * private to them. */
#pragma once

#include "core/node_impl.h"
#include "core/site.h"

/* Sends the answer and frees it; the effect is valid until the next one is added. */
struct effect *node_api_finish(struct node *node, uint64_t client, struct api_answer *answer);
void node_api_refuse(struct node *node, uint64_t client, uint64_t id, const char *code,
                     const char *text);
void node_api_put_bytes(struct api_answer *answer, const uint64_t bytes[SOURCE_COUNT_]);
void node_api_put_zone(struct api_answer *answer, const struct site *site);
void node_api_answer_origin(struct node *node, uint64_t client, uint64_t id, const char *reason);
/* False: it cannot be answered yet. */
bool node_api_try_open(struct site *site, uint64_t client, const struct api_request *request);

/* --- handlers */
void node_api_status(struct node *node, uint64_t client, const struct api_request *request);
void node_api_settings(struct node *node, uint64_t client, const struct api_request *request);
void node_api_pause(struct node *node, uint64_t client, const struct api_request *request);
void node_api_resume(struct node *node, uint64_t client, const struct api_request *request);
void node_api_site_open(struct node *node, uint64_t client, const struct api_request *request);
void node_api_site_zone(struct node *node, uint64_t client, const struct api_request *request);
void node_api_site_status(struct node *node, uint64_t client, const struct api_request *request);
void node_api_sites(struct node *node, uint64_t client, const struct api_request *request);
void node_api_asset_want(struct node *node, uint64_t client, const struct api_request *request);
