/* SPDX-License-Identifier: BSD-2-Clause */
/* The hash tables of NAT's mappings and connections, and when they end. */
/* All with the NAT's lock held. Decides nothing: nat.c does. */
#ifndef DRIVERS_NET_NAT_TABLE_H
#define DRIVERS_NET_NAT_TABLE_H

#include "drivers/net/nat.h"

#define NAT_REAP_STEP 32u /* connections that may end at one go: some 10,000 instructions */

struct nat_map *nat_table_find_in(const struct nat_realm *r, uint8_t proto, uint32_t ip,
				  uint16_t port);
struct nat_map *nat_table_find_out(const struct nat *n, uint8_t proto, uint16_t port);
struct nat_flow *nat_table_find_flow(const struct nat *n, const struct nat_map *m,
				     const struct nat_tuple *t);

/* NULL: no memory. r is NULL for a port of the host's. */
struct nat_map *nat_table_map_new(struct nat *n, struct nat_realm *r, uint8_t proto, uint32_t in_ip,
				  uint16_t in_port, uint16_t out_port);
void nat_table_map_free(struct nat *n, struct nat_map *m);
struct nat_flow *nat_table_flow_new(struct nat *n, struct nat_map *m, const struct nat_tuple *t,
				    uint64_t now);
/* A packet of f's: its state, its class, its time-out. */
void nat_table_note(struct nat_flow *f, const struct nat_tuple *t, bool out, uint64_t now);

/* Ends up to `most` connections that are too old, and mappings with them; how many. */
unsigned int nat_table_reap(struct nat_realm *r, uint64_t now, unsigned int most);
/* Ends up to `most` connections of m, and m with the last unless it is fixed; true: there are more. */
bool nat_table_end_flows(struct nat *n, struct nat_map *m, unsigned int most);
/* Is there, or can there be made, room for one more of the inside address ip? May end mappings. */
bool nat_table_has_room(struct nat_realm *r, uint32_t ip, uint64_t now);

#endif
