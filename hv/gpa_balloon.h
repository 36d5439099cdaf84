/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages of a VM's RAM its guest has given away, and the host memory that came free by that. */
/* Second-level tables and who is told are hv/vm_memory's. */
#ifndef HV_GPA_BALLOON_H
#define HV_GPA_BALLOON_H

#include "hv/gpa_space.h"

/*
 * Pages are 4 KiB, host memory comes and goes in chunks of 2 MiB: one whose last page was given away
 * leaves root mode's map at once and the VM when no CPU can reach it any more. A page that comes back
 * is zeroed; where its chunk has left, the VM needs a spare one, scrubbed beforehand.
 *
 * All take s->lock, which is inside of every lock of devices; on threads of the VM, or where said.
 */

/* Once before the first page: -ENOMEM. */
int gpa_balloon_create(struct gpa_space *s);
/* With the space; no CPU runs the VM any more. */
void gpa_balloon_destroy(struct gpa_space *s);

enum gpa_taken {
	GPA_TAKEN_NOT, /* out of hypervisor memory: it stays */
	GPA_TAKEN,
	GPA_TAKEN_CHUNK, /* and its chunk leaves: gpa_balloon_reap() once the VM's CPUs have forgotten it */
};
/* The page at gpa, RAM, was taken out of the second-level tables; nothing if it was given before. */
enum gpa_taken gpa_balloon_take(struct gpa_space *s, gpa_t page);
/*
 * Makes the page at gpa, RAM, readable and writable again: *hpa is where it is (also if it was never
 * given away). -EAGAIN: that needs a spare chunk.
 */
int gpa_balloon_give(struct gpa_space *s, gpa_t page, hpa_t *hpa);
/* Root mode touched gpa, where a chunk has left: it is there again, false: there is no spare one. */
bool gpa_balloon_attach(struct gpa_space *s, gpa_t gpa);

/*
 * One more spare chunk, scrubbed in slices. Any thread without spinlocks that keeps the VM. -ENOSPC;
 * -EBUSY: the VM has as much as it may.
 */
int gpa_balloon_add_spare(struct gpa_space *s);
/* Gives one back; false: there is none. As above. */
bool gpa_balloon_drop_spare(struct gpa_space *s);
/* Gives back what has left and what no CPU can reach any more, some at a time; true: look again. */
bool gpa_balloon_reap(struct gpa_space *s);

/* Are all of [gpa, gpa + len), RAM, in place? False: *first was given away. s->balloon is there. */
bool gpa_balloon_is_whole(const struct gpa_space *s, gpa_t gpa, uint64_t len, gpa_t *first);
/* Pages given away, by bit, of the 2 MiB at gpa; NULL: none. A VM that stands still. */
const uint64_t *gpa_balloon_map(const struct gpa_space *s, gpa_t gpa);
/* Bytes given away. */
uint64_t gpa_balloon_size(const struct gpa_space *s);

#endif
