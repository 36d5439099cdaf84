/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O exits: IN, OUT and their string forms. */
/* What answers at a port is the device models'. */
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/guest_regs.h"
#include "arch/x86/hvm/insn.h"
#include "arch/x86/hvm/walk.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/iobus.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/vm.h"

/* Elements in one exit, each of up to 3,300 instructions: root.longest is 20,000. */
#define STRING_BATCH 5u

/* False if the device calls it the guest's error: the VM crashes. */
static bool access_port(struct vcpu *v, struct io_access *a)
{
	enum io_result r;

	spin_lock(&v->vm->dev_lock);
	r = iobus_access(&v->vm->pio, a);
	spin_unlock(&v->vm->dev_lock);
	if (r == IO_FAULT) {
		vm_crash(v->vm, "fault at port %llx", (unsigned long long)a->addr);
	}
	return r != IO_FAULT;
}

/* IN writes AL, AX or EAX; the last clears the upper half. */
static void set_rax(struct vcpu *v, unsigned int size, uint64_t val)
{
	uint64_t mask = size == 4 ? UINT64_MAX : BIT(8 * size) - 1;

	v->gprs[GPR_RAX] = (v->gprs[GPR_RAX] & ~mask) | insn_truncate(val, size);
}

static enum exit_action single(struct vcpu *v, const struct exit_io *io)
{
	struct io_access a = { .addr = io->port, .size = io->size, .write = !io->in };

	if (!io->in) {
		a.val = insn_truncate(v->gprs[GPR_RAX], io->size);
	}
	if (!access_port(v, &a)) {
		return EXIT_RESUME;
	}
	if (io->in) {
		set_rax(v, io->size, a.val);
	}
	return EXIT_SKIP_INSN;
}

/* A string instruction under way. */
struct string_io {
	struct vcpu *v;
	const struct exit_io *io;
	struct insn insn;
	struct insn_regs regs;
};

static uint64_t address_mask(const struct string_io *s)
{
	return UINT64_MAX >> (64 - 8 * s->insn.addr_size);
}

/* Only the addressed part of a register changes; 32-bit results are zero-extended. */
static void set_index(struct string_io *s, unsigned int reg, uint64_t val)
{
	uint64_t *r = &s->v->gprs[reg];

	*r = s->insn.addr_size == 2 ? (*r & ~0xfffful) | (val & 0xffff) : val & address_mask(s);
}

/* 0; or -EACCES (fault raised), -EFAULT (not RAM). */
static int in_element(struct string_io *s, uint64_t linear, struct io_access *a)
{
	int err = walk_probe_write(s->v, linear,
				   a->size); /* before the port is read and changed by it */
	uint8_t buf[8];

	if (err != 0) {
		return err;
	}
	if (!access_port(s->v, a)) {
		return -EACCES;
	}
	bytes_put_le(buf, a->size, a->val);
	return walk_write(s->v, linear, buf, a->size);
}

static int out_element(struct string_io *s, uint64_t linear, struct io_access *a)
{
	uint8_t buf[8];
	int err = walk_read(s->v, linear, buf, a->size, WALK_READ);

	if (err != 0) {
		return err;
	}
	a->val = bytes_get_le(buf, a->size);
	return access_port(s->v, a) ? 0 : -EACCES;
}

static int element(struct string_io *s)
{
	struct io_access a = { .addr = s->io->port, .size = s->io->size, .write = !s->io->in };
	unsigned int reg = s->io->in ? GPR_RDI : GPR_RSI;
	uint64_t offset = s->v->gprs[reg] & address_mask(s);
	enum insn_segment seg = s->io->in ? INSN_ES : (enum insn_segment)s->insn.segment;
	uint64_t linear = insn_linear((enum insn_mode)s->insn.mode, &s->regs, seg, offset);
	uint64_t step = (s->regs.rflags & RFLAGS_DF) != 0 ? -(uint64_t)a.size : a.size;
	int err = s->io->in ? in_element(s, linear, &a) : out_element(s, linear, &a);

	if (err == 0) {
		set_index(s, reg, offset + step);
	}
	return err;
}

static enum exit_action string_failed(struct string_io *s, int err)
{
	if (err == -EFAULT) {
		vm_crash(s->v->vm, "string I/O at port %x with memory that is not RAM",
			 s->io->port);
	}
	return EXIT_RESUME;
}

static enum exit_action repeat(struct string_io *s)
{
	uint64_t count = s->v->gprs[GPR_RCX] & address_mask(s);

	for (unsigned int done = 0; count != 0; done++) {
		int err;

		if (done == STRING_BATCH) {
			return EXIT_YIELD; /* RIP still points to it */
		}
		err = element(s);
		if (err != 0) {
			return string_failed(s, err);
		}
		set_index(s, GPR_RCX, --count);
	}
	return EXIT_SKIP_INSN;
}

static enum exit_action string(struct vcpu *v, const struct exit_io *io)
{
	struct string_io s = { .v = v, .io = io };
	uint8_t bytes[INSN_MAX_LEN];
	unsigned int got = exit_fetch(v, bytes);
	int err;

	if (insn_decode(bytes, got, (enum insn_mode)(exit_code_bits(v) / 8), &s.insn) != 0 ||
	    s.insn.op != (io->in ? INSN_INS : INSN_OUTS)) {
		return EXIT_RESUME; /* the code changed under the CPU's feet: let it fetch again */
	}
	guest_regs_load(v, &s.regs);
	if (s.insn.rep != INSN_REP_NONE) {
		return repeat(&s);
	}
	err = element(&s);
	return err == 0 ? EXIT_SKIP_INSN : string_failed(&s, err);
}

enum exit_action exit_io(struct vcpu *v, const struct exit_io *io)
{
	return io->string ? string(v, io) : single(v, io);
}
