/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and descriptors of the Intel 8254x: "PCI/PCI-X Family of Gigabit Ethernet Controllers Software */
/* Developer's Manual". Names are the manual's; only what the driver uses. */
#ifndef DRIVERS_HOST_E1000_REGS_H
#define DRIVERS_HOST_E1000_REGS_H

#include "hv/lib/types.h"

/* "Register Summary": offsets in BAR 0 */
enum e1000_reg {
	E1000_CTRL = 0x0000,
	E1000_STATUS = 0x0008,
	E1000_EERD = 0x0014,
	E1000_ICR = 0x00c0, /* reading clears it, and the interrupt */
	E1000_ITR = 0x00c4, /* at least so many 256 ns between interrupts */
	E1000_IMS = 0x00d0,
	E1000_IMC = 0x00d8,
	E1000_RCTL = 0x0100,
	E1000_TCTL = 0x0400,
	E1000_TIPG = 0x0410,
	E1000_RDBAL = 0x2800,
	E1000_RDBAH = 0x2804,
	E1000_RDLEN = 0x2808,
	E1000_RDH = 0x2810,
	E1000_RDT = 0x2818,
	E1000_RDTR = 0x2820,
	E1000_TDBAL = 0x3800,
	E1000_TDBAH = 0x3804,
	E1000_TDLEN = 0x3808,
	E1000_TDH = 0x3810,
	E1000_TDT = 0x3818,
	E1000_CRCERRS = 0x4000, /* statistics: reading clears them */
	E1000_RXERRC = 0x400c,
	E1000_MPC = 0x4010,
	E1000_RXCSUM = 0x5000,
	E1000_MTA = 0x5200, /* 128 of them */
	E1000_RAL = 0x5400,
	E1000_RAH = 0x5404,
};
#define E1000_BAR_SIZE 0x20000ul
#define E1000_MTAS     128u

/* "Device Control Register" */
#define E1000_CTRL_ASDE	   (1u << 5)
#define E1000_CTRL_SLU	   (1u << 6)
#define E1000_CTRL_RST	   (1u << 26)
#define E1000_CTRL_PHY_RST (1u << 31)
/* "Device Status Register" */
#define E1000_STATUS_LU	   (1u << 1)
#define E1000_STATUS_SPEED (3u << 6)
/* "EEPROM Read Register": the word's address from bit 8 on, its content from bit 16 on */
#define E1000_EERD_START (1u << 0)
#define E1000_EERD_DONE	 (1u << 4)
/* "Interrupt Cause Read Register" */
#define E1000_INT_TXDW	  (1u << 0)
#define E1000_INT_LSC	  (1u << 2)
#define E1000_INT_RXDMT0  (1u << 4)
#define E1000_INT_RXO	  (1u << 6)
#define E1000_INT_RXT0	  (1u << 7)
#define E1000_INT_RECEIVE (E1000_INT_RXDMT0 | E1000_INT_RXO | E1000_INT_RXT0)
#define E1000_INT_ALL	  0xffffffffu
/* "Receive Control Register" */
#define E1000_RCTL_EN	 (1u << 1)
#define E1000_RCTL_UPE	 (1u << 3) /* all unicast */
#define E1000_RCTL_MPE	 (1u << 4) /* all multicast */
#define E1000_RCTL_BAM	 (1u << 15)
#define E1000_RCTL_SECRC (1u << 26) /* without the FCS */
/* "Transmit Control Register", "Transmit IPG Register": as the manual recommends */
#define E1000_TCTL_EN	(1u << 1)
#define E1000_TCTL_PSP	(1u << 3) /* pads short packets */
#define E1000_TCTL_CT	(0x0fu << 4)
#define E1000_TCTL_COLD (0x40u << 12)
#define E1000_TIPG_IPGT (10u | 8u << 10 | 6u << 20)
/* "Receive Checksum Control" */
#define E1000_RXCSUM_TUOFL (1u << 9)
/* "Receive Address High" */
#define E1000_RAH_AV (1u << 31)

/* "Receive Descriptor" */
struct e1000_rx_desc {
	uint64_t addr;
	uint16_t len;
	uint16_t checksum;
	uint8_t status;
	uint8_t errors;
	uint16_t special;
};
_Static_assert(sizeof(struct e1000_rx_desc) == 16, "Receive Descriptor (RDESC) Layout");
#define E1000_RXD_DD	0x01u
#define E1000_RXD_EOP	0x02u
#define E1000_RXD_IXSM	0x04u /* the three below mean nothing */
#define E1000_RXD_TCPCS 0x20u
#define E1000_RXE_TCPE	0x20u
#define E1000_RXE_FRAME 0x97u /* CRC, symbol, sequence, carrier extension, data */

/* "TCP/IP Context Transmit Descriptor" and "TCP/IP Data Descriptor": two views of four words. */
struct e1000_tx_desc {
	uint64_t addr; /* of a context descriptor: the two words of E1000_TXC_* */
	uint32_t cmd;
	uint32_t opts;
};
_Static_assert(sizeof(struct e1000_tx_desc) == 16, "Transmit Descriptor Layout");
#define E1000_TXD_LEN  0x000fffffu /* also PAYLEN of a context descriptor */
#define E1000_TXD_DATA (1u << 20)  /* DTYP; 0: context */
#define E1000_TXD_EOP  (1u << 24)
#define E1000_TXD_IFCS (1u << 25)
#define E1000_TXD_TSE  (1u << 26)
#define E1000_TXD_RS   (1u << 27)
#define E1000_TXD_DEXT (1u << 29)
#define E1000_TXC_TCP  (1u << 24)
#define E1000_TXC_IP   (1u << 25)
#define E1000_TXO_DD   (1u << 0)
#define E1000_TXO_IXSM (1u << 8) /* puts the IPv4 header's checksum in */
#define E1000_TXO_TXSM (1u << 9) /* puts TCP's or UDP's in */
#define E1000_TXC_CSUM(start, field, end)                                                          \
	((uint32_t)(start) | (uint32_t)(field) << 8 | (uint32_t)(end) << 16)

#endif
