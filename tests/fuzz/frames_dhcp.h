/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages of clients and servers, from the bytes of a fuzz input. */
/* Bent by frames.c, which calls all of this. */
#ifndef TESTS_FUZZ_FRAMES_DHCP_H
#define TESTS_FUZZ_FRAMES_DHCP_H

#include "tests/unit/drivers/net/natfake.h"

void frames_dhcp_begin(void);
/* Somebody received it: if a server names an address there, clients ask for that. */
void frames_dhcp_keep(const uint8_t *frame, uint32_t len);
/* Whole frames of s's; their lengths. */
uint32_t frames_dhcp_answer(uint8_t *frame, const struct station *s);
uint32_t frames_dhcp_request(uint8_t *frame, const struct station *s);

#endif
