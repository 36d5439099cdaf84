/* SPDX-License-Identifier: BSD-2-Clause */
/* Many connections at once: one end opens them and asks, the other says which port it sees. */
/* Tells of each whether it was answered or refused. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 20000, WINDOW = 32, AGAIN_MS = 1000, CLIENTS = 1000 };

struct message {
	uint32_t number;
	uint16_t port; /* that the other end sees */
	uint16_t zero;
};

struct flow {
	int fd;
	uint16_t port; /* that the other end saw first */
	bool done, refused;
};

static struct flow flows[MOST];
static int set;

static struct sockaddr_in address_of(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

/* ---- the end that answers ---- */

static void answer_datagrams(int fd)
{
	struct message m;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	while (recvfrom(fd, &m, sizeof(m), MSG_DONTWAIT, (struct sockaddr *)&from, &len) ==
	       sizeof(m)) {
		m.port = ntohs(from.sin_port);
		sendto(fd, &m, sizeof(m), 0, (struct sockaddr *)&from, len);
	}
}

static bool answer_stream(int fd)
{
	struct message m;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	if (recv(fd, &m, sizeof(m), MSG_WAITALL) != sizeof(m) ||
	    getpeername(fd, (struct sockaddr *)&from, &len) != 0) {
		close(fd);
		return false;
	}
	m.port = ntohs(from.sin_port);
	return send(fd, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m);
}

static void serve(const char *port)
{
	static struct pollfd p[CLIENTS];
	struct sockaddr_in a = address_of("0.0.0.0", port);
	int one = 1;
	nfds_t count = 2;

	p[0] = (struct pollfd){ socket(AF_INET, SOCK_DGRAM, 0), POLLIN, 0 };
	p[1] = (struct pollfd){ socket(AF_INET, SOCK_STREAM, 0), POLLIN, 0 };
	setsockopt(p[1].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(p[0].fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    bind(p[1].fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(p[1].fd, 500) != 0) {
		err(1, "port %s", port);
	}
	puts("serving");
	fflush(stdout);
	while (poll(p, count, -1) > 0) {
		if (p[0].revents) {
			answer_datagrams(p[0].fd);
		}
		if (p[1].revents && count < CLIENTS) {
			p[count++] = (struct pollfd){ accept(p[1].fd, NULL, NULL), POLLIN, 0 };
		}
		for (nfds_t i = 2; i < count; i++) {
			if (p[i].revents && !answer_stream(p[i].fd)) {
				p[i].fd = -1;
			}
		}
	}
}

/* ---- the end that asks ---- */

static void open_flow(uint32_t i, const struct sockaddr_in *to, bool stream)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
	struct flow *f = &flows[i];

	f->fd = socket(AF_INET, stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (f->fd < 0) {
		err(1, "socket %u", i);
	}
	if (connect(f->fd, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		f->done = f->refused = true;
		return;
	}
	epoll_ctl(set, EPOLL_CTL_ADD, f->fd, &e);
}

static void ask(uint32_t i)
{
	struct message m = { .number = i };

	if (!flows[i].done && send(flows[i].fd, &m, sizeof(m), MSG_NOSIGNAL) < 0) {
		flows[i].done = flows[i].refused = true;
	}
}

/* An answer to an earlier try is as good. */
static void take(uint32_t i)
{
	struct flow *f = &flows[i];
	struct message m;
	ssize_t n = recv(f->fd, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0) {
		f->done = f->refused = errno != EAGAIN;
		return;
	}
	if (n != sizeof(m) || m.number != i || (f->port != 0 && f->port != m.port)) {
		errx(1, "flow %u: wrong answer: %zd bytes, number %u, port %u and before %u", i, n,
		     m.number, m.port, f->port);
	}
	f->port = m.port;
	f->done = true;
}

/* Answers, for so long after the last one. */
static void wait_for(uint32_t from, uint32_t end, int milliseconds)
{
	struct epoll_event e[WINDOW];
	bool left = true;

	while (left) {
		int n = epoll_wait(set, e, WINDOW, milliseconds);

		if (n <= 0) {
			return;
		}
		for (int k = 0; k < n; k++) {
			take(e[k].data.u32);
		}
		left = false;
		for (uint32_t i = from; i < end; i++) {
			left |= !flows[i].done;
		}
	}
}

/* All are asked, a few at a time, until each has been answered or refused. */
static void round_of(uint32_t count)
{
	uint32_t answered = 0, refused = 0;

	for (uint32_t i = 0; i < count; i++) {
		flows[i].done = flows[i].refused;
	}
	for (uint32_t from = 0; from < count; from += WINDOW) {
		uint32_t end = from + WINDOW < count ? from + WINDOW : count;

		for (bool left = true; left;) {
			left = false;
			for (uint32_t i = from; i < end; i++) {
				ask(i);
			}
			wait_for(from, end, AGAIN_MS);
			for (uint32_t i = from; i < end; i++) {
				left |= !flows[i].done;
			}
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		refused += flows[i].refused;
		answered += !flows[i].refused;
	}
	printf("%u answered, %u refused\n", answered, refused);
	fflush(stdout);
}

/* As soon as that file is there all are asked again. */
static void ask_all(const char *host, const char *port, uint32_t datagrams, uint32_t streams,
		    const char *file)
{
	struct sockaddr_in to = address_of(host, port);
	rlim_t files = datagrams + streams + 100;
	struct rlimit most = { files, files };

	if (datagrams + streams > MOST || setrlimit(RLIMIT_NOFILE, &most) != 0) {
		err(1, "too many");
	}
	set = epoll_create1(0);
	for (uint32_t i = 0; i < datagrams + streams; i++) {
		open_flow(i, &to, i >= datagrams);
	}
	round_of(datagrams + streams);
	while (file != NULL && access(file, F_OK) != 0) {
		usleep(100000);
	}
	if (file != NULL) {
		round_of(datagrams + streams);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		serve(argv[2]);
	} else if (argc == 5 || argc == 6) {
		ask_all(argv[1], argv[2], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
			argv[5]);
	} else {
		errx(2, "serve PORT | ADDRESS PORT DATAGRAMS STREAMS [FILE]");
	}
	return 0;
}
