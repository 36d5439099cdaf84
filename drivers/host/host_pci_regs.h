/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration space: offsets and bits, "PCI Local Bus Specification" 3.0, chapter 6. */
/* Capabilities are those that the hypervisor uses. */
#ifndef DRIVERS_HOST_HOST_PCI_REGS_H
#define DRIVERS_HOST_HOST_PCI_REGS_H

#define PCI_VENDOR    0x00u
#define PCI_DEVICE    0x02u
#define PCI_COMMAND   0x04u
#define PCI_STATUS    0x06u
#define PCI_REVISION  0x08u /* and the class code above it */
#define PCI_HEADER    0x0eu
#define PCI_BAR	      0x10u /* six of four bytes; two in a bridge */
#define PCI_SECONDARY 0x19u /* bridges: the bus behind */
#define PCI_CAPS      0x34u
#define PCI_LINE      0x3cu
#define PCI_PIN	      0x3du
#define PCI_SPACE     0x100u

#define PCI_COMMAND_IO	   0x0001u
#define PCI_COMMAND_MEMORY 0x0002u
#define PCI_COMMAND_MASTER 0x0004u
#define PCI_COMMAND_NO_PIN 0x0400u
#define PCI_STATUS_CAPS	   0x0010u

#define PCI_HEADER_MANY	  0x80u
#define PCI_HEADER_PLAIN  0x00u
#define PCI_HEADER_BRIDGE 0x01u

#define PCI_BARS      6u
#define PCI_BAR_IO    0x1u
#define PCI_BAR_TYPE  0x6u
#define PCI_BAR_64BIT 0x4u

#define PCI_CAP_MSI  0x05u
#define PCI_CAP_MSIX 0x11u

/* "Message Signaled Interrupts": offsets from the capability */
#define PCI_MSI_CONTROL	 2u
#define PCI_MSI_ADDRESS	 4u
#define PCI_MSI_ENABLE	 0x0001u
#define PCI_MSI_MULTIPLE 0x0070u
#define PCI_MSI_64BIT	 0x0080u

#define PCI_MSIX_CONTROL 2u
#define PCI_MSIX_TABLE	 4u
#define PCI_MSIX_ENABLE	 0x8000u
#define PCI_MSIX_MASK	 0x4000u
#define PCI_MSIX_BIR	 0x7u
#define PCI_MSIX_ENTRY	 16u /* bytes: address, address above 4 GiB, data, control */

#endif
