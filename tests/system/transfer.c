/* SPDX-License-Identifier: BSD-2-Clause */
/* One TCP connection in a guest or beside the emulator: bytes that both ends can compute are sent, or */
/* received and compared. Knows no network settings; that is nicset.c. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 65536 };

static uint64_t state = 0x9e3779b97f4a7c15;

/* The next part of the sequence (xorshift64): no part of it is like another. */
static void fill(uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		words[i] = state;
	}
}

static struct sockaddr_in address_of(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		errx(2, "no address: %s", host);
	}
	return a;
}

/* As soon as somebody listens there. */
static int connected(const char *host, const char *port)
{
	struct sockaddr_in a = address_of(host, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	while (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		if (errno != ECONNREFUSED) {
			err(1, "connect");
		}
		close(fd);
		usleep(100000);
		fd = socket(AF_INET, SOCK_STREAM, 0);
	}
	return fd;
}

static int accepted(const char *port)
{
	struct sockaddr_in a = address_of("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, conn;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 1) != 0) {
		err(1, "port %s", port);
	}
	conn = accept(fd, NULL, NULL);
	if (conn < 0) {
		err(1, "accept");
	}
	close(fd); /* who comes next is refused, and tries again */
	return conn;
}

static void send_all(int fd, size_t left)
{
	static uint64_t words[CHUNK / sizeof(uint64_t)];

	while (left != 0) {
		size_t part = left < CHUNK ? left : CHUNK;

		fill(words, CHUNK / sizeof(uint64_t));
		left -= part;
		for (size_t done = 0; done < part;) {
			ssize_t n = write(fd, (uint8_t *)words + done, part - done);

			if (n <= 0) {
				err(1, "write");
			}
			done += (size_t)n;
		}
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, words, 1) != 0) { /* the other end has all */
		errx(1, "no end");
	}
}

static void receive_all(int fd, size_t total)
{
	static uint64_t words[CHUNK / sizeof(uint64_t)];
	static uint8_t got[CHUNK];
	size_t at = 0;
	ssize_t n;

	while ((n = read(fd, got, CHUNK - at % CHUNK)) > 0) {
		if (at % CHUNK == 0) {
			fill(words, CHUNK / sizeof(uint64_t));
		}
		if (memcmp(got, (uint8_t *)words + at % CHUNK, (size_t)n) != 0) {
			errx(1, "wrong bytes behind %zu", at);
		}
		at += (size_t)n;
	}
	if (n < 0) {
		err(1, "read");
	}
	if (at != total) {
		errx(1, "%zu bytes came, not %zu", at, total);
	}
}

int main(int argc, char **argv)
{
	int way = argc - 2, fd;

	if (argc != 5 && argc != 6) {
		errx(2, "listen PORT | connect ADDRESS PORT, send | receive, BYTES");
	}
	fd = strcmp(argv[1], "listen") == 0 ? accepted(argv[2]) : connected(argv[2], argv[3]);
	if (strcmp(argv[way], "send") == 0) {
		send_all(fd, strtoul(argv[way + 1], NULL, 10));
	} else {
		receive_all(fd, strtoul(argv[way + 1], NULL, 10));
	}
	close(fd);
	printf("%s of %s bytes is right\n", argv[way], argv[way + 1]);
	return 0;
}
