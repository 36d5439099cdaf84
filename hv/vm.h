/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: memory, buses, devices, vCPUs, and its life from start to stop. */
/* Does not load kernels (hv/mgmt/loader_*) nor parse configuration. */
#ifndef HV_VM_H
#define HV_VM_H

#include "hv/base/lock.h"
#include "hv/gpa_space.h"
#include "hv/guest_console.h"
#include "hv/iobus.h"
#include "hv/lib/list.h"
#include "hv/sched.h"
#include "hv/vcpu.h"
#include "hv/virq.h"
#include "hv/vm_config.h"
#include "hv/vm_disk.h"

enum vm_state { VM_STOPPED, VM_STARTING, VM_RUNNING, VM_PAUSED, VM_STOPPING, VM_CRASHED };

/* What its vCPUs asked for; the VM's manager thread acts on it. */
enum vm_event { VM_EVENT_NONE, VM_EVENT_POWEROFF, VM_EVENT_RESET, VM_EVENT_CRASH };

struct vm_dump;

struct vm {
	uint16_t id;		  /* (c) 1.. */
	struct vm_config cfg;	  /* changes only while stopped */
	enum vm_state state;	  /* written with the list locked */
	const char *doing;	  /* "being started" …: claimed by a thread; NULL. List locked */
	char busy[32];		  /* "it is being started": behind *why of those refused */
	char why[160];		  /* behind the claimer's *why */
	unsigned int crashes;	  /* in a row, each soon after a start; the manager's */
	enum vm_event event;	  /* atomic: the first one wins, the manager takes it */
	bool pause_wanted;	  /* atomic: the manager takes it */
	char crash_reason[160];	  /* written by who raised VM_EVENT_CRASH, read after the join */
	struct vcpu *crashed_on;  /* the vCPU whose thread raised it, which dumps it at its end */
	struct vm_dump *dump;	  /* of the last crash, or NULL; with the list locked */
	struct vm_dump *new_dump; /* [crashed_on's thread], then the manager's */
	struct list_node node;	  /* in the list of VMs */
	struct gpa_space mem;	  /* (c) while not stopped */
	uint64_t held_seen;	  /* bytes of host memory, when `host memory` looked; list locked */
	bool wants_chunk;	  /* a page that it gave away was touched; atomic */
	void *slat;		  /* (c) while not stopped: the backend's second-level tables */
	struct spinlock dev_lock; /* rank LOCK_DEVICES: every device model's state and the buses */
	struct iobus pio;	  /* [dev_lock] */
	struct iobus mmio;	  /* [dev_lock] */
	struct virq virq;	  /* [dev_lock] */
	struct list_node devices; /* struct vdev */
	struct list_node workers; /* struct vm_worker; changes while it is not up */
	bool workers_hold;	  /* they begin nothing new; atomic */
	struct vm_disk disk[VM_DISKS_MAX];
	bool keep_disks; /* it ends to be started again: they stay open; the claimer's */
	void *pci;	 /* the PCI bus, drivers/emul/vpci.h */
	struct guest_console console; /* of its serial port */
	struct guest_console hvc;     /* of its virtio console: `vm console N --port 1` */
	struct vcpu *vcpus[VM_CPUS_MAX];
	unsigned int vcpu_count;
	struct sched_group share; /* of the host's CPUs, for those vCPUs that want to run */
	uint64_t tsc_offset;	  /* guest TSC starts at 0 */
	uint64_t tsc_hz;	  /* of the TSC, as its guest was told */
	bool tsc_differs;	  /* the guest moved the TSC of some vCPU; atomic */
	uint64_t started;	  /* ticks */
	uint64_t entered;	  /* ticks when a vCPU first got a CPU; 0 before */
	uint64_t start_at;	  /* ticks: when the manager starts it again; 0: it does not */
	uint64_t starts;	  /* times it was started */
	uint64_t pressed;    /* in which of its starts the button was last pressed; list locked */
	uint64_t pressed_at; /* ticks; list locked */
	uint64_t cpu_time;   /* ticks, of vCPU threads that have ended */
	uint32_t log_lines;  /* it caused since log_since; atomic */
	uint64_t log_since;
	struct vcpu_exit_stat last_stats[VCPU_EXIT_REASONS]; /* of the last run, when stopped */
	const char *const *exit_names;			     /* names of its rows */
};

/*
 * The list is guarded by a sleeping lock, held for short only: threads. vm_find returns NULL if there
 * is none. A VM cannot vanish while the caller holds vm_list_lock, nor can what a VM that is up is
 * made of (vCPUs, devices, memory). Nothing is printed with it held: terminals are slow.
 */
void vm_list_init(void);
void vm_list_lock(void);
void vm_list_unlock(void);
struct vm *vm_find(const char *name);
struct vm *vm_next(const struct vm *prev); /* NULL: the first; in order of creation */

/* Running or paused: all its parts are there. List locked. */
bool vm_is_up(const struct vm *vm);
/* Stopped or crashed. List locked. */
bool vm_is_off(const struct vm *vm);

/*
 * One change at a time: who claims a VM may give up the list's lock and still be the only one to
 * change or delete it. doing ("being started") is what others are told: -EBUSY with *why. List locked.
 */
int vm_claim(struct vm *vm, const char *doing, const char **why);
void vm_release(struct vm *vm);

/*
 * Below: threads only, list locked by the caller. 0 or -Exxx, with *why on failure: text that stays
 * until the list is unlocked. -EBUSY if it is claimed.
 */

/* -EEXIST, -EINVAL (bad name), -ENOMEM. */
int vm_create(const struct vm_config *cfg, struct vm **out, const char **why);
/* -EBUSY unless it is stopped or crashed. */
int vm_delete(struct vm *vm, const char **why);

/*
 * load() fills the guest's memory and says where vCPU 0 starts; called between creating the RAM and
 * devices and running. Registered once, by hv/mgmt/loader.
 */
typedef int vm_load_fn(struct vm *vm, struct vcpu_start *start, const char **why);
void vm_set_loader(vm_load_fn *load);

/*
 * These three give up the list's lock while they work (the VM is claimed) and have it again at the
 * end. hv/vm_job.h does the same in a thread of its own.
 */
int vm_start(struct vm *vm, const char **why);
/* Force: stops at the next exit; returns when all is freed. */
int vm_stop(struct vm *vm, const char **why);
int vm_reset(struct vm *vm, const char **why);
int vm_pause(struct vm *vm, const char **why);
int vm_resume(struct vm *vm, const char **why);

/*
 * From a vCPU's thread (or under its devices' lock), returning at once; the vCPU stops before its
 * next entry.
 */
void vm_poweroff(struct vm *vm);
void vm_request_reset(struct vm *vm);
/* Also from its workers' threads. It is paused soon, if nothing else is done with it. */
void vm_request_pause(struct vm *vm);
/*
 * The guest did what we cannot or will not carry out: its vCPUs stop, the calling one's state is
 * dumped (hv/vm_dump.h), and the VM stops or restarts by policy.
 */
void vm_crash(struct vm *vm, const char *fmt, ...) PRINTF(2, 3);

/* A line about this guest, blamed on it; at most 20 a second per VM, then they are counted. */
void vm_log(struct vm *vm, const char *fmt, ...) PRINTF(2, 3);

const char *vm_state_name(enum vm_state s); /* "running" … */
/* Ticks of CPU the VM's vCPUs used since it was started. List locked. */
uint64_t vm_cpu_time(const struct vm *vm);

#endif
