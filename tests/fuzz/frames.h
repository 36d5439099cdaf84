/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of every kind, from the bytes of a fuzz input: right ones, answers to what was seen, bent ones. */
/* Stations are natfake.h's; sends none. */
#ifndef TESTS_FUZZ_FRAMES_H
#define TESTS_FUZZ_FRAMES_H

#include "tests/unit/drivers/net/natfake.h"

#define FRAMES_LEN_MAX 5000u /* of what is built, but for a tag */

void frames_begin(const uint8_t *data, size_t size);
/* Is anything left of the input? */
bool frames_more(void);
/* A number from the next bytes; 0 when there are none. */
uint32_t frames_take(unsigned int bytes);
uint32_t frames_pick_ip(void);
/*
 * Forgets what stations received, but for one frame that later ones may answer or quote. False: something had
 * a wrong checksum, though nothing sent had.
 */
bool frames_look(void);
/* A frame that s sends, valid until the next; `how` says of which kind. */
uint8_t *frames_build(const struct station *s, uint32_t how, uint32_t *len);
/* The offload that the sender of that frame asks for; mostly none. */
struct netpkt frames_offload(uint32_t len);

#endif
