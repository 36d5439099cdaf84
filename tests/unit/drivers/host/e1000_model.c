/* SPDX-License-Identifier: BSD-2-Clause */
/* The 82540EM as its manual has it, as far as a driver can tell. */
/* A misuse that would hang or harm the real one fails the test. */
#include "e1000_model.h"
#include "arch/mmio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct e1000_model model;
static const uint16_t eeprom[] = { 0x5452, 0x1200, 0x5634 };

/* What a context descriptor has set, and the packet under way. */
static struct {
	uint32_t ipcss, ipcso, ipcse, tucss, tucso, paylen, hdrlen, mss;
	uint8_t buf[70000];
	uint32_t len;
} tx;

static uint32_t *reg(enum e1000_reg r)
{
	return &model.regs[r / 4];
}

static void power_on_registers(void)
{
	memset(model.regs, 0, sizeof(model.regs));
	model.icr = model.ims = 0;
	*reg(E1000_STATUS) = E1000_STATUS_LU | 2u << 6;
	*reg(E1000_RAL) = model.no_address ? 0 : 0x12005452;
	*reg(E1000_RAH) = model.no_address ? 0 : E1000_RAH_AV | 0x5634;
}

void model_power_on(void)
{
	model_forget_sent();
	memset(&model, 0, sizeof(model));
	memset(&tx, 0, sizeof(tx));
	power_on_registers();
}

void model_forget_sent(void)
{
	for (unsigned int i = 0; i < model.sent_count; i++) {
		free(model.sent[i].data);
	}
	model.sent_count = 0;
}

bool model_interrupts(void)
{
	return (model.icr & model.ims) != 0;
}

void model_set_link(bool up)
{
	*reg(E1000_STATUS) = up ? E1000_STATUS_LU | 2u << 6 : 0;
	model.icr |= E1000_INT_LSC;
}

/* ---- transmitting ---- */

static uint16_t sum16(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint64_t)p[i] << 8;
	}
	while (sum >> 16) {
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void put_on_wire(const uint8_t *frame, uint32_t len)
{
	uint32_t padded = len < 60 ? 60 : len;

	assert_true(model.sent_count < MODEL_SENT);
	assert_true(*reg(E1000_TCTL) & E1000_TCTL_PSP);
	model.sent[model.sent_count].data = calloc(1, padded);
	assert_non_null(model.sent[model.sent_count].data);
	memcpy(model.sent[model.sent_count].data, frame, len);
	model.sent[model.sent_count++].len = padded;
}

/* "Packet and Checksum Offloading": the field's content is part of the sum. */
static void fill_tcp_udp(uint8_t *frame, uint32_t len)
{
	uint16_t sum = (uint16_t)~sum16(frame + tx.tucss, len - tx.tucss);

	put16(frame + tx.tucso, sum == 0 ? 0xffff : sum);
}

/* "TCP Segmentation": headers adapted as the section's table says. */
static void cut_one(const uint8_t *whole, uint32_t off, uint32_t len, unsigned int n, bool last)
{
	uint8_t f[2048];
	uint32_t seq;
	uint32_t total = tx.hdrlen + len;

	assert_true(total <= sizeof(f));
	memcpy(f, whole, tx.hdrlen);
	memcpy(f + tx.hdrlen, whole + off, len);
	put16(f + tx.ipcss + 2, total - tx.ipcss);
	put16(f + tx.ipcss + 4, get16(f + tx.ipcss + 4) + n);
	put16(f + tx.ipcso, 0);
	put16(f + tx.ipcso, (uint16_t)~sum16(f + tx.ipcss, tx.ipcse + 1 - tx.ipcss));
	seq = (get16(f + tx.tucss + 4) << 16 | get16(f + tx.tucss + 6)) + n * tx.mss;
	put16(f + tx.tucss + 4, seq >> 16);
	put16(f + tx.tucss + 6, seq);
	if (!last) {
		f[tx.tucss + 13] &= (uint8_t)~9u;
	}
	put16(f + tx.tucso,
	      sum16((uint8_t[]){ f[tx.tucso], f[tx.tucso + 1], (uint8_t)((total - tx.tucss) >> 8),
				 (uint8_t)(total - tx.tucss) },
		    4));
	fill_tcp_udp(f, total);
	put_on_wire(f, total);
}

static void cut(void)
{
	unsigned int n = 0;

	assert_int_equal(tx.len, tx.hdrlen + tx.paylen);
	for (uint32_t off = tx.hdrlen; off < tx.len; n++) {
		uint32_t len = tx.len - off < tx.mss ? tx.len - off : tx.mss;

		cut_one(tx.buf, off, len, n, off + len == tx.len);
		off += len;
	}
}

static void context(const struct e1000_tx_desc *d)
{
	tx.ipcss = d->addr & 0xff;
	tx.ipcso = d->addr >> 8 & 0xff;
	tx.ipcse = d->addr >> 16 & 0xffff;
	tx.tucss = d->addr >> 32 & 0xff;
	tx.tucso = d->addr >> 40 & 0xff;
	assert_int_equal(d->addr >> 48, 0); /* to the end */
	tx.paylen = d->cmd & E1000_TXD_LEN;
	tx.hdrlen = d->opts >> 8 & 0xff;
	tx.mss = d->opts >> 16;
	assert_int_equal(tx.len, 0); /* between packets only */
}

static void data(const struct e1000_tx_desc *d)
{
	uint32_t len = d->cmd & E1000_TXD_LEN;

	assert_true(len > 0 && tx.len + len <= sizeof(tx.buf));
	memcpy(tx.buf + tx.len, (const void *)d->addr, len);
	tx.len += len;
	if (!(d->cmd & E1000_TXD_EOP)) {
		return;
	}
	assert_true(d->cmd & E1000_TXD_IFCS);
	if (d->cmd & E1000_TXD_TSE) {
		cut();
	} else {
		if (d->opts & E1000_TXO_TXSM) {
			fill_tcp_udp(tx.buf, tx.len);
		}
		assert_true(tx.len <= 1514);
		put_on_wire(tx.buf, tx.len);
	}
	tx.len = 0;
}

static void transmit(void)
{
	struct e1000_tx_desc *ring =
		(void *)((uint64_t)*reg(E1000_TDBAH) << 32 | *reg(E1000_TDBAL));
	uint32_t count = *reg(E1000_TDLEN) / 16;

	assert_true(count > 0 && *reg(E1000_TDT) < count && *reg(E1000_TDLEN) % 128 == 0);
	while (!model.held && (*reg(E1000_TCTL) & E1000_TCTL_EN) &&
	       *reg(E1000_TDH) != *reg(E1000_TDT)) {
		struct e1000_tx_desc *d = &ring[*reg(E1000_TDH)];

		assert_true(d->cmd & E1000_TXD_DEXT);
		(d->cmd & E1000_TXD_DATA ? data : context)(d);
		if (d->cmd & E1000_TXD_RS) {
			d->opts |= E1000_TXO_DD;
			model.icr |= E1000_INT_TXDW;
		}
		*reg(E1000_TDH) = (*reg(E1000_TDH) + 1) % count;
	}
}

void model_release(void)
{
	model.held = false;
	transmit();
}

/* ---- receiving ---- */

bool model_receive(const uint8_t *frame, uint32_t len, uint8_t status, uint8_t errors)
{
	struct e1000_rx_desc *ring =
		(void *)((uint64_t)*reg(E1000_RDBAH) << 32 | *reg(E1000_RDBAL));
	uint32_t *head = reg(E1000_RDH);
	uint32_t count = *reg(E1000_RDLEN) / 16;

	assert_true(*reg(E1000_RCTL) & E1000_RCTL_EN);
	if (*head == *reg(E1000_RDT)) {
		(*reg(E1000_MPC))++;
		model.icr |= E1000_INT_RXO;
		return false;
	}
	memcpy((void *)ring[*head].addr, frame, len);
	ring[*head].len = (uint16_t)len;
	ring[*head].errors = errors;
	ring[*head].status = status | E1000_RXD_DD;
	*head = (*head + 1) % count;
	model.icr |= E1000_INT_RXT0;
	return true;
}

/* ---- registers ---- */

static unsigned int offset(const volatile void *at)
{
	unsigned int off = (unsigned int)((const volatile char *)at - (volatile char *)model.regs);

	assert_true(off < E1000_BAR_SIZE && off % 4 == 0);
	return off;
}

uint32_t mmio_read32(const volatile void *at)
{
	unsigned int r = offset(at);
	uint32_t val = model.regs[r / 4];

	switch (r) {
	case E1000_ICR:
		val = model.icr;
		model.icr = 0;
		break;
	case E1000_CTRL:
		if (model.reset_reads > 0 && (val & E1000_CTRL_RST)) {
			model.reset_reads--;
		} else {
			val = model.regs[r / 4] &= ~E1000_CTRL_RST;
		}
		break;
	case E1000_CRCERRS:
	case E1000_RXERRC:
	case E1000_MPC:
		model.regs[r / 4] = 0;
		break;
	default:
		break;
	}
	return val;
}

void mmio_write32(volatile void *at, uint32_t val)
{
	unsigned int r = offset(at);

	switch (r) {
	case E1000_IMS:
		model.ims |= val;
		return;
	case E1000_IMC:
		model.ims &= ~val;
		return;
	case E1000_EERD:
		assert_true(val >> 8 < 3 && (val & E1000_EERD_START));
		val = model.no_eeprom ? 0 : (uint32_t)eeprom[val >> 8] << 16 | E1000_EERD_DONE;
		break;
	case E1000_CTRL:
		if (val & E1000_CTRL_RST) {
			power_on_registers();
			model.resets++;
		}
		break;
	default:
		break;
	}
	model.regs[r / 4] = val;
	if (r == E1000_TDT) {
		transmit();
	}
}
