/* SPDX-License-Identifier: BSD-2-Clause */
/* The version that unit tests expect to be printed. */
/* The image's is made by the Makefile. */
#define INSULA_VERSION "0.1"
#define INSULA_GIT     "0123456789ab"
