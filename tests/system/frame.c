/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends one Ethernet frame, given in hex, on a network card of a guest: also one that its system would */
/* never send. Knows no protocol. */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct sockaddr_ll card = { .sll_family = AF_PACKET };
	uint8_t frame[ETH_FRAME_LEN];
	size_t length = 0;
	int fd;

	if (argc != 3) {
		errx(2, "NIC HEX");
	}
	while (length < sizeof(frame) &&
	       sscanf(argv[2] + 2 * length, "%2hhx", &frame[length]) == 1) {
		length++;
	}
	card.sll_ifindex = (int)if_nametoindex(argv[1]);
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (fd < 0 || sendto(fd, frame, length, 0, (struct sockaddr *)&card, sizeof(card)) !=
			      (ssize_t)length) {
		err(1, "%s", argv[1]);
	}
	return 0;
}
