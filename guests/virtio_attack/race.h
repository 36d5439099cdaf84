/* SPDX-License-Identifier: BSD-2-Clause */
/* Several CPUs at one queue, without any order among them. */
/* That nobody else notices is for the test outside to see. */
#ifndef GUESTS_VIRTIO_ATTACK_RACE_H
#define GUESTS_VIRTIO_ATTACK_RACE_H

/*
 * All CPUs rewrite descriptors and indices of one queue, notify, start the device over when it is
 * broken, `rounds` times each: the entropy device's, then the console's. Returns how many of the two
 * do not work afterwards.
 */
unsigned int race(unsigned int cpus, unsigned int rounds);

#endif
