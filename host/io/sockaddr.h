/* struct address <-> the system's socket addresses. Layer: io. */
#pragma once

#include "wire/address.h"

#include <stdbool.h>
#include <sys/socket.h>

void sockaddr_from_address(const struct address *address, struct sockaddr_storage *ret);
/* An IPv4-mapped IPv6 address becomes plain IPv4, so that one peer has one address. False when
 * it is neither IPv4 nor IPv6. */
bool sockaddr_to_address(const struct sockaddr_storage *from, struct address *ret);
