/* SPDX-License-Identifier: BSD-2-Clause */
/* Times, shares and addresses as people read them. */
/* Pure; sizes are hv/lib/fmt's. */
#ifndef HV_MGMT_SHOW_H
#define HV_MGMT_SHOW_H

#include "hv/lib/types.h"

#define SHOW_MAX 24u /* bytes that are enough for each */

/* "1.250 s", "12:03:04" from one minute on, "3d 12:03:04" from one day on. Returns buf. */
const char *show_time(char *buf, size_t size, uint64_t ns);
/* part of whole in percent: "12.3"; "0.0" if whole is 0. Returns buf. */
const char *show_percent(char *buf, size_t size, uint64_t part, uint64_t whole);
/* "2026-11-22 09:21:43 UTC" from seconds since 1970. Returns buf. */
const char *show_date(char *buf, size_t size, uint64_t seconds);

/* "10.20.0.1", "-" for 0. Returns buf. */
const char *show_ip(char *buf, size_t size, uint32_t ip);
/* "52:54:00:00:00:01". Returns buf. */
const char *show_mac(char *buf, size_t size, const uint8_t mac[6]);

#endif
