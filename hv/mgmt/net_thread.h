/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that tells networks the time. */
/* What they do with it is drivers/net's. */
#ifndef HV_MGMT_NET_THREAD_H
#define HV_MGMT_NET_THREAD_H

/* Once, before the first network. -ENOMEM */
int net_thread_start(void);

#endif
