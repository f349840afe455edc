/* A blocking client of the daemon's control socket, for the commands. Layer: app. */
#pragma once

#include "base/bytes.h"
#include "wire/api.h"

#include <jansson.h>
#include <stdbool.h>

struct client;

/* Connects to socket (NULL: the default place) and says hello. NULL after a message. */
struct client *client_open(const char *socket);
/* The same, but no answer may take longer than that. */
struct client *client_open_within(const char *socket, unsigned seconds);
/* Only connects: a socket of the caller's, or -1 with errno. */
int client_connect(const char *path);
void client_free(struct client *client);
/* One request and its answer; events in between are passed over. The id is filled in. False
 * after a message: no answer, or "ok": false. *ret_answer is the caller's (json_decref). */
bool client_ask(struct client *client, struct api_request *request, json_t **ret_answer);
/* The last answer's exact text. */
struct span client_answer_text(const struct client *client);

/* Members of an answer, with a value where they are missing or of another type. */
const char *client_text(const json_t *object, const char *key, const char *otherwise);
uint64_t client_number(const json_t *object, const char *key);
