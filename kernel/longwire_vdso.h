/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel and the code that it maps into programs agree on. */
#ifndef LONGWIRE_VDSO_H
#define LONGWIRE_VDSO_H

#define LONGWIRE_PAGE 4096UL
/* One clock read in so many is a system call. */
#define LONGWIRE_READS 16

/* At the end of the page; all zero until there is a clock. */
struct longwire_clocks {
	unsigned long long monotonic;	/* ns, as clock_gettime gives it */
	unsigned long long real;	/* ns since 1970 */
};

#endif
