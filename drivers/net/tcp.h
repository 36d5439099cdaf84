/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP where we have no connection: the reset that RFC 9293 wants. */
/* There is no TCP here otherwise; NAT reads the header's flags itself. */
#ifndef DRIVERS_NET_TCP_H
#define DRIVERS_NET_TCP_H

#include "drivers/net/wire.h"

struct frame;

#define TCP_RESET_LEN (ETH_LEN + IPV4_LEN + TCP_LEN)

/*
 * The answer to a segment (its head, parsed) for a closed port: false if there must be none. The Ethernet
 * addresses are still to be filled in.
 */
bool tcp_build_reset(uint8_t out[TCP_RESET_LEN], const uint8_t *head, const struct frame *f);

#endif
