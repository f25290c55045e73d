// SPDX-License-Identifier: GPL-2.0-only
/*
 * longwire's part of what the kernel maps into programs: clock reads without a system call.
 *
 * A system call of the guest is two switches between processes of the host, and
 * programs read clocks more often than they do anything else. Virtual time stands
 * still while a program runs, so the kernel writes it into the end of the page
 * that holds this code whenever it changes.
 *
 * A loop that polls the clock must come to an end all the same: one read in
 * LONGWIRE_READS is a system call, which costs virtual time.
 *
 * kernel/build puts this file in the place of arch/x86/um/vdso/um_vdso.c.
 */

#include <linux/time.h>
#include <linux/getcpu.h>
#include <asm/unistd.h>
#include "longwire_vdso.h"

int __vdso_clock_gettime(clockid_t clock, struct __kernel_old_timespec *ts);
int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
__kernel_old_time_t __vdso_time(__kernel_old_time_t *t);
long __vdso_getcpu(unsigned int *cpu, unsigned int *node, struct getcpu_cache *unused);

static __always_inline long call(long number, const void *first, const void *second)
{
	long result;

	asm volatile("syscall"
		     : "=a" (result)
		     : "0" (number), "D" (first), "S" (second)
		     : "rcx", "r11", "memory");
	return result;
}

/* The clocks, unless it is the turn of a system call. */
static __always_inline const struct longwire_clocks *clocks(void)
{
	const struct longwire_clocks *now;
	unsigned int *reads;
	unsigned long page;

	/* no address of a symbol: nobody relocates this code */
	asm("lea 0(%%rip), %0" : "=r" (page));
	page &= ~(LONGWIRE_PAGE - 1);
	reads = (unsigned int *)(page - LONGWIRE_PAGE);
	now = (void *)(page + LONGWIRE_PAGE - sizeof(*now));
	if (!now->monotonic || ++*reads % LONGWIRE_READS == 0)
		return NULL;
	return now;
}

/* Division by a constant; libgcc is not there. */
static __always_inline void split(unsigned long long ns, long *seconds, long *rest)
{
	*seconds = ns / 1000000000;
	*rest = ns % 1000000000;
}

int __vdso_clock_gettime(clockid_t clock, struct __kernel_old_timespec *ts)
{
	const struct longwire_clocks *now = NULL;

	if (clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_REALTIME)
		now = clocks();
	if (!now)
		return call(__NR_clock_gettime, (void *)(long)clock, ts);
	split(clock == CLOCK_REALTIME ? now->real : now->monotonic, (long *)&ts->tv_sec, (long *)&ts->tv_nsec);
	return 0;
}

int __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	const struct longwire_clocks *now = tz || !tv ? NULL : clocks();
	long ns;

	if (!now)
		return call(__NR_gettimeofday, tv, tz);
	split(now->real, (long *)&tv->tv_sec, &ns);
	tv->tv_usec = ns / 1000;
	return 0;
}

__kernel_old_time_t __vdso_time(__kernel_old_time_t *t)
{
	const struct longwire_clocks *now = clocks();
	long seconds, ns;

	if (!now)
		return call(__NR_time, t, NULL);
	split(now->real, &seconds, &ns);
	if (t)
		*t = seconds;
	return seconds;
}

long __vdso_getcpu(unsigned int *cpu, unsigned int *node, struct getcpu_cache *unused)
{
	/* there is one */
	if (cpu)
		*cpu = 0;
	if (node)
		*node = 0;
	return 0;
}

int clock_gettime(clockid_t, struct __kernel_old_timespec *) __attribute__((weak, alias("__vdso_clock_gettime")));
int gettimeofday(struct __kernel_old_timeval *, struct timezone *) __attribute__((weak, alias("__vdso_gettimeofday")));
__kernel_old_time_t time(__kernel_old_time_t *) __attribute__((weak, alias("__vdso_time")));
long getcpu(unsigned int *, unsigned int *, struct getcpu_cache *) __attribute__((weak, alias("__vdso_getcpu")));
