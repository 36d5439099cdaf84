/* SPDX-License-Identifier: BSD-2-Clause */
/* Constants of Virtio 1.2 that device and driver share: numbers, offsets, bits. */
/* No code and no type: bare-metal guests include it too. */
#ifndef DRIVERS_VIRTIO_VIRTIO_REGS_H
#define DRIVERS_VIRTIO_VIRTIO_REGS_H

/* 4.1.2 "PCI Device Discovery" */
#define VIRTIO_PCI_VENDOR 0x1af4u
#define VIRTIO_PCI_DEVICE 0x1040u /* plus the device type */
#define VIRTIO_PCI_NET	  0x1000u /* of one that old drivers can use, too */
#define VIRTIO_PCI_BLOCK  0x1001u /* likewise */

/* 5 "Device Types" */
#define VIRTIO_ID_NET	  1u
#define VIRTIO_ID_BLOCK	  2u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_ENTROPY 4u
#define VIRTIO_ID_BALLOON 5u

/* 2.1 "Device Status Field" */
#define VIRTIO_ACKNOWLEDGE 0x01u
#define VIRTIO_DRIVER	   0x02u
#define VIRTIO_DRIVER_OK   0x04u
#define VIRTIO_FEATURES_OK 0x08u
#define VIRTIO_NEEDS_RESET 0x40u
#define VIRTIO_FAILED	   0x80u

/* 6 "Reserved Feature Bits", as bit numbers */
#define VIRTIO_F_INDIRECT_DESC 28u
#define VIRTIO_F_EVENT_IDX     29u
#define VIRTIO_F_VERSION_1     32u

/* 4.1.4 "Virtio Structure PCI Capabilities" */
#define VIRTIO_PCI_CAP_ID	0x09u /* vendor specific */
#define VIRTIO_PCI_CAP_COMMON	1u
#define VIRTIO_PCI_CAP_NOTIFY	2u
#define VIRTIO_PCI_CAP_ISR	3u
#define VIRTIO_PCI_CAP_DEVICE	4u
#define VIRTIO_PCI_CAP_PCI	5u
#define VIRTIO_PCI_CAP_SIZE	16u
#define VIRTIO_PCI_CAP_TYPE_OFF 3u
#define VIRTIO_PCI_CAP_BAR_OFF	4u
#define VIRTIO_PCI_CAP_OFF_OFF	8u
#define VIRTIO_PCI_CAP_LEN_OFF	12u
#define VIRTIO_PCI_CAP_EXTRA	16u /* notify: multiplier; PCI: the data window */

/* 4.1.4.3 "Common configuration structure layout": offsets */
#define VIRTIO_COMMON_DEVICE_FEATURE_SELECT 0u
#define VIRTIO_COMMON_DEVICE_FEATURE	    4u
#define VIRTIO_COMMON_DRIVER_FEATURE_SELECT 8u
#define VIRTIO_COMMON_DRIVER_FEATURE	    12u
#define VIRTIO_COMMON_CONFIG_VECTOR	    16u
#define VIRTIO_COMMON_NUM_QUEUES	    18u
#define VIRTIO_COMMON_STATUS		    20u
#define VIRTIO_COMMON_GENERATION	    21u
#define VIRTIO_COMMON_QUEUE_SELECT	    22u
#define VIRTIO_COMMON_QUEUE_SIZE	    24u
#define VIRTIO_COMMON_QUEUE_VECTOR	    26u
#define VIRTIO_COMMON_QUEUE_ENABLE	    28u
#define VIRTIO_COMMON_QUEUE_NOTIFY_OFF	    30u
#define VIRTIO_COMMON_QUEUE_DESC	    32u
#define VIRTIO_COMMON_QUEUE_DRIVER	    40u
#define VIRTIO_COMMON_QUEUE_DEVICE	    48u
#define VIRTIO_COMMON_SIZE		    56u

#define VIRTIO_NO_VECTOR  0xffffu
#define VIRTIO_ISR_QUEUE  0x1u
#define VIRTIO_ISR_CONFIG 0x2u

/* 2.7 "Split Virtqueues" */
#define VIRTQ_DESC_SIZE	     16u
#define VIRTQ_DESC_NEXT	     1u
#define VIRTQ_DESC_WRITE     2u
#define VIRTQ_DESC_INDIRECT  4u
#define VIRTQ_DESC_ALIGN     16u
#define VIRTQ_AVAIL_ALIGN    2u
#define VIRTQ_USED_ALIGN     4u
#define VIRTQ_NO_INTERRUPT   1u /* flags of the available ring */
#define VIRTQ_NO_NOTIFY	     1u /* flags of the used ring */
#define VIRTQ_RING_FLAGS     0u /* offsets in both rings */
#define VIRTQ_RING_IDX	     2u
#define VIRTQ_RING_ENTRIES   4u
#define VIRTQ_AVAIL_BYTES(n) (6u + 2u * (n))
#define VIRTQ_USED_BYTES(n)  (6u + 8u * (n))
#define VIRTQ_USED_EVENT(n)  (4u + 2u * (n)) /* offset in the available ring */
#define VIRTQ_AVAIL_EVENT(n) (4u + 8u * (n)) /* offset in the used ring */

/* 5.5 "Traditional Memory Balloon Device" */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST 0u
#define VIRTIO_BALLOON_F_STATS_VQ	1u
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM 2u
#define VIRTIO_BALLOON_NUM_PAGES	0u /* of 4 KiB, as `actual` and the numbers in the queues */
#define VIRTIO_BALLOON_ACTUAL		4u
#define VIRTIO_BALLOON_CONFIG		8u
#define VIRTIO_BALLOON_STAT_SIZE	10u /* le16 tag, le64 value */
#define VIRTIO_BALLOON_S_MEMFREE	4u
#define VIRTIO_BALLOON_S_AVAIL		6u

/* 5.1 "Network Device": features, configuration, */
#define VIRTIO_NET_F_CSUM	0u
#define VIRTIO_NET_F_GUEST_CSUM 1u
#define VIRTIO_NET_F_CTRL_OFFL	2u /* ..._CTRL_GUEST_OFFLOADS */
#define VIRTIO_NET_F_MTU	3u
#define VIRTIO_NET_F_MAC	5u
#define VIRTIO_NET_F_GUEST_TSO4 7u
#define VIRTIO_NET_F_GUEST_TSO6 8u
#define VIRTIO_NET_F_GUEST_ECN	9u
#define VIRTIO_NET_F_HOST_TSO4	11u
#define VIRTIO_NET_F_HOST_TSO6	12u
#define VIRTIO_NET_F_HOST_ECN	13u
#define VIRTIO_NET_F_MRG_RXBUF	15u
#define VIRTIO_NET_F_STATUS	16u
#define VIRTIO_NET_F_CTRL_VQ	17u
#define VIRTIO_NET_F_CTRL_RX	18u
#define VIRTIO_NET_F_ANNOUNCE	21u /* ..._GUEST_ANNOUNCE */
#define VIRTIO_NET_F_MQ		22u
#define VIRTIO_NET_F_CTRL_MAC	23u /* ..._CTRL_MAC_ADDR */
#define VIRTIO_NET_MAC		0u
#define VIRTIO_NET_STATUS	6u
#define VIRTIO_NET_PAIRS	8u
#define VIRTIO_NET_MTU		10u
#define VIRTIO_NET_CONFIG	12u
#define VIRTIO_NET_LINK_UP	1u
#define VIRTIO_NET_ANNOUNCE	2u
/* and the header of each packet: 5.1.6 "Device Operation" */
#define VIRTIO_NET_HDR_FLAGS	   0u
#define VIRTIO_NET_HDR_GSO_TYPE	   1u
#define VIRTIO_NET_HDR_LEN	   2u
#define VIRTIO_NET_HDR_GSO_SIZE	   4u
#define VIRTIO_NET_HDR_CSUM_START  6u
#define VIRTIO_NET_HDR_CSUM_OFFSET 8u
#define VIRTIO_NET_HDR_BUFFERS	   10u
#define VIRTIO_NET_HDR		   12u
#define VIRTIO_NET_NEEDS_CSUM	   1u
#define VIRTIO_NET_DATA_VALID	   2u
#define VIRTIO_NET_GSO_NONE	   0u
#define VIRTIO_NET_GSO_TCP4	   1u
#define VIRTIO_NET_GSO_TCP6	   4u
#define VIRTIO_NET_GSO_ECN	   0x80u
/* 5.1.6.5 "Control Virtqueue": a class, a command, its data, and behind them one byte: was it refused? */
#define VIRTIO_NET_CTRL		 2u /* bytes before the data */
#define VIRTIO_NET_CTRL_MODE	 0u /* class, */
#define VIRTIO_NET_CTRL_PROMISC	 0u /* commands: a byte, 0 or 1 */
#define VIRTIO_NET_CTRL_ALLMULTI 1u
#define VIRTIO_NET_CTRL_MAC	 1u
#define VIRTIO_NET_CTRL_TABLE_SET                                                                  \
	0u /* twice le32 entries and so many addresses: unicast, multicast */
#define VIRTIO_NET_CTRL_ADDR_SET  1u
#define VIRTIO_NET_CTRL_ANNOUNCE  3u
#define VIRTIO_NET_CTRL_ANNOUNCED 0u
#define VIRTIO_NET_CTRL_MQ	  4u
#define VIRTIO_NET_CTRL_PAIRS_SET 0u /* le16 */
#define VIRTIO_NET_CTRL_OFFLOADS  5u
#define VIRTIO_NET_CTRL_OFFL_SET  0u /* le64 */

/* 5.3 "Console Device" */
#define VIRTIO_CONSOLE_F_SIZE	     0u
#define VIRTIO_CONSOLE_F_MULTIPORT   1u
#define VIRTIO_CONSOLE_F_EMERG_WRITE 2u
#define VIRTIO_CONSOLE_COLS	     0u
#define VIRTIO_CONSOLE_ROWS	     2u
#define VIRTIO_CONSOLE_MAX_PORTS     4u
#define VIRTIO_CONSOLE_EMERG	     8u
#define VIRTIO_CONSOLE_CONFIG	     12u
#define VIRTIO_CONSOLE_CONTROL_SIZE  8u /* le32 port, le16 event, le16 value */
#define VIRTIO_CONSOLE_RESIZE_SIZE   4u /* behind RESIZE: le16 columns, le16 rows */
#define VIRTIO_CONSOLE_DEVICE_READY  0u
#define VIRTIO_CONSOLE_DEVICE_ADD    1u
#define VIRTIO_CONSOLE_PORT_READY    3u
#define VIRTIO_CONSOLE_CONSOLE_PORT  4u
#define VIRTIO_CONSOLE_RESIZE	     5u
#define VIRTIO_CONSOLE_PORT_OPEN     6u

/* 5.2 "Block Device": features as bit numbers; offsets in the configuration */
#define VIRTIO_BLK_F_SIZE_MAX	    1u
#define VIRTIO_BLK_F_SEG_MAX	    2u
#define VIRTIO_BLK_F_RO		    5u
#define VIRTIO_BLK_F_BLK_SIZE	    6u
#define VIRTIO_BLK_F_FLUSH	    9u
#define VIRTIO_BLK_F_TOPOLOGY	    10u
#define VIRTIO_BLK_F_MQ		    12u
#define VIRTIO_BLK_F_DISCARD	    13u
#define VIRTIO_BLK_F_WRITE_ZEROES   14u
#define VIRTIO_BLK_CAPACITY	    0u
#define VIRTIO_BLK_SIZE_MAX	    8u
#define VIRTIO_BLK_SEG_MAX	    12u
#define VIRTIO_BLK_BLK_SIZE	    20u
#define VIRTIO_BLK_PHYSICAL_EXP	    24u
#define VIRTIO_BLK_MIN_IO	    26u
#define VIRTIO_BLK_OPT_IO	    28u
#define VIRTIO_BLK_NUM_QUEUES	    34u
#define VIRTIO_BLK_MAX_DISCARD	    36u
#define VIRTIO_BLK_MAX_DISCARD_SEG  40u
#define VIRTIO_BLK_DISCARD_ALIGN    44u
#define VIRTIO_BLK_MAX_ZEROES	    48u
#define VIRTIO_BLK_MAX_ZEROES_SEG   52u
#define VIRTIO_BLK_ZEROES_MAY_UNMAP 56u
#define VIRTIO_BLK_CONFIG	    60u

/* 5.2.6 "Device Operation" */
#define VIRTIO_BLK_SECTOR	  512u
#define VIRTIO_BLK_HEADER	  16u /* le32 type, le32 reserved, le64 sector */
#define VIRTIO_BLK_RANGE	  16u /* le64 sector, le32 number of sectors, le32 flags */
#define VIRTIO_BLK_RANGE_UNMAP	  1u
#define VIRTIO_BLK_ID_BYTES	  20u
#define VIRTIO_BLK_T_IN		  0u
#define VIRTIO_BLK_T_OUT	  1u
#define VIRTIO_BLK_T_FLUSH	  4u
#define VIRTIO_BLK_T_GET_ID	  8u
#define VIRTIO_BLK_T_DISCARD	  11u
#define VIRTIO_BLK_T_WRITE_ZEROES 13u
#define VIRTIO_BLK_S_OK		  0u
#define VIRTIO_BLK_S_IOERR	  1u
#define VIRTIO_BLK_S_UNSUPP	  2u

#endif
