/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the defaults of a VM's configuration, MAC addresses included. */
/* Does not parse: that is hv/mgmt/config. */
#include "hv/vm_config.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/sched.h"

void vm_config_defaults(struct vm_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->memory = 256 * MIB;
	cfg->cpus = 1;
	cfg->weight = SCHED_WEIGHT_DEFAULT;
	cfg->boot = VM_BOOT_LINUX;
	cfg->on_crash = VM_ON_CRASH_STOP;
	cfg->stop_timeout = 60000;
	cfg->hvc = true;
	cfg->rng = true;
	cfg->balloon = true;
	cfg->paravirt = true;
}

#define FNV_OFFSET 0xcbf29ce484222325ul /* FNV-1a, 64 bits */
#define FNV_PRIME  0x100000001b3ul
#define MAC_LOCAL  0x02u /* IEEE 802, "locally administered" */

static uint64_t hash(const char *name, unsigned int i)
{
	uint64_t h = FNV_OFFSET;

	for (; *name != '\0'; name++) {
		h = (h ^ (uint8_t)*name) * FNV_PRIME;
	}
	return (h ^ i) * FNV_PRIME;
}

void vm_config_mac(const struct vm_config *cfg, unsigned int i, uint8_t mac[6])
{
	static const uint8_t none[6];
	uint64_t h = hash(cfg->name, i);

	memcpy(mac, cfg->nics[i].mac, 6);
	if (memcmp(mac, none, 6) == 0) {
		h ^= h >> 32;
		mac[0] = MAC_LOCAL;
		for (unsigned int b = 1; b < 6; b++) {
			mac[b] = (uint8_t)(h >> 8 * b);
		}
	}
}

const char *vm_config_disk_place(const struct vm_disk_config *disk, char *buf, size_t size)
{
	if (disk->disk[0] == '\0') {
		string_copy(buf, disk->file, size);
	} else if (disk->partition == 0) {
		string_copy(buf, disk->disk, size);
	} else {
		fmt_snprintf(buf, size, "%s partition %u", disk->disk, disk->partition);
	}
	return buf;
}
