/* SPDX-License-Identifier: BSD-2-Clause */
/* The two rings between a guest's UART and whoever watches it. */
/* Interprets no byte. */
#include "hv/guest_console.h"

#include "hv/lib/string.h"
#include "hv/thread.h"

void guest_console_init(struct guest_console *c)
{
	memset(c, 0, sizeof(*c));
	spin_init(&c->lock, LOCK_CONSOLE);
}

static struct thread *wake_reader(struct guest_console *c)
{
	struct thread *wake = c->reader_asleep ? c->reader : NULL;

	c->reader_asleep = false;
	return wake;
}

void guest_console_put(struct guest_console *c, char ch)
{
	struct thread *wake;

	spin_lock(&c->lock);
	c->out[c->out_head++ % GUEST_CONSOLE_OUT] = ch;
	wake = wake_reader(c);
	spin_unlock(&c->lock);
	if (wake != NULL) {
		thread_unpark(wake);
	}
}

void guest_console_write(struct guest_console *c, const char *buf, size_t len)
{
	size_t skip = len > GUEST_CONSOLE_OUT ? len - GUEST_CONSOLE_OUT : 0;
	struct thread *wake;

	spin_lock(&c->lock);
	c->out_head += skip;
	for (size_t done = skip; done < len;) {
		size_t at = c->out_head % GUEST_CONSOLE_OUT;
		size_t n = u64_min(len - done, GUEST_CONSOLE_OUT - at);

		memcpy(c->out + at, buf + done, n);
		c->out_head += n;
		done += n;
	}
	wake = wake_reader(c);
	spin_unlock(&c->lock);
	if (wake != NULL) {
		thread_unpark(wake);
	}
}

bool guest_console_has_input(const struct guest_console *c)
{
	return __atomic_load_n(&c->in_head, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&c->in_tail, __ATOMIC_RELAXED);
}

int guest_console_get(struct guest_console *c)
{
	struct thread *wake = NULL;
	int ch = -1;

	if (c->in_head == c->in_tail) { /* the common case, for a UART that is polled */
		return -1;
	}
	spin_lock(&c->lock);
	if (c->in_head != c->in_tail) {
		ch = (unsigned char)c->in[c->in_tail++ % GUEST_CONSOLE_IN];
	}
	if (c->typist_waits && c->in_head - c->in_tail <= GUEST_CONSOLE_IN / 2) {
		c->typist_waits = false;
		wake = c->reader;
	}
	spin_unlock(&c->lock);
	if (wake != NULL) {
		thread_unpark(wake);
	}
	return ch;
}

void guest_console_set_input(struct guest_console *c, void (*ready)(void *), void *arg)
{
	spin_lock(&c->lock);
	c->input_ready = ready;
	c->arg = arg;
	spin_unlock(&c->lock);
}

uint32_t guest_console_size(const struct guest_console *c)
{
	return __atomic_load_n(&c->size, __ATOMIC_RELAXED);
}

void guest_console_set_size(struct guest_console *c, uint16_t columns, uint16_t rows)
{
	__atomic_store_n(&c->size, columns | (uint32_t)rows << 16, __ATOMIC_RELAXED);
}

void guest_console_resize(struct guest_console *c, uint16_t columns, uint16_t rows)
{
	void (*ready)(void *);
	void *arg;

	guest_console_set_size(c, columns, rows);
	spin_lock(&c->lock);
	ready = c->input_ready;
	arg = c->arg;
	spin_unlock(&c->lock);
	if (ready != NULL) {
		ready(arg);
	}
}

size_t guest_console_read(struct guest_console *c, uint64_t *cursor, char *buf, size_t size)
{
	size_t n = 0;

	spin_lock(&c->lock);
	if (c->out_head > GUEST_CONSOLE_OUT && *cursor < c->out_head - GUEST_CONSOLE_OUT) {
		*cursor = c->out_head - GUEST_CONSOLE_OUT;
	}
	while (n < size && *cursor < c->out_head) {
		buf[n++] = c->out[(*cursor)++ % GUEST_CONSOLE_OUT];
	}
	c->reader_asleep = n == 0 && c->reader != NULL;
	spin_unlock(&c->lock);
	return n;
}

size_t guest_console_type(struct guest_console *c, const char *buf, size_t len)
{
	void (*ready)(void *);
	void *arg;
	size_t n = 0;

	spin_lock(&c->lock);
	while (n < len && c->in_head - c->in_tail < GUEST_CONSOLE_IN) {
		c->in[c->in_head++ % GUEST_CONSOLE_IN] = buf[n++];
	}
	c->typist_waits = n < len;
	ready = c->input_ready;
	arg = c->arg;
	spin_unlock(&c->lock);
	if (ready != NULL && n > 0) {
		ready(arg);
	}
	return n;
}

void guest_console_attach(struct guest_console *c, struct thread *reader)
{
	spin_lock(&c->lock);
	c->reader = reader;
	c->typist_waits = false;
	c->reader_asleep = false;
	spin_unlock(&c->lock);
}
