/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of configuration keys. */
/* Only config_key.c and config_write.c need this: others ask config.h. */
#ifndef HV_MGMT_CONFIG_SCHEMA_H
#define HV_MGMT_CONFIG_SCHEMA_H

#include "hv/mgmt/config.h"

const struct config_key *config_schema(unsigned int *count);

#endif
