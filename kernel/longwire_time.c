// SPDX-License-Identifier: GPL-2.0
/*
 * longwire's part of the kernel's clock: time passes for tasks that are busy but never wait.
 *
 * With time-travel=inf-cpu work takes no time, so a loop that waits for time without reading the clock never ends, and no tick
 * comes that would let another task run. Here such loops pay for what they do. All of it is counted, nothing is measured, so two
 * runs stay equal.
 *
 * kernel/build appends this file to arch/um/kernel/time.c, whose clock it reads, and puts the calls into the kernel.
 */

#include <linux/preempt.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <asm/unistd.h>
#include <sysdep/ptrace.h>
#include <longwire.h>

/* System calls and offers to reschedule at one instant that are free. More than programs make before they wait. */
#define LONGWIRE_FREE_WORK	10000
/* What each one costs from then on, and each sched_yield, in ns. */
#define LONGWIRE_WORK_NS	1000

static unsigned long long longwire_work_at;
static unsigned int longwire_work_done;

/* Called at each system call and each cond_resched. */
void longwire_work(void)
{
	if (time_travel_time != longwire_work_at) {
		longwire_work_at = time_travel_time;
		longwire_work_done = 0;
		return;
	}
	if (longwire_work_done < LONGWIRE_FREE_WORK) {
		longwire_work_done++;
		return;
	}
	/* where timer_read() does not let time pass either */
	if (time_travel_mode != TT_MODE_INFCPU || irqs_disabled() || in_interrupt())
		return;
	time_travel_ndelay(LONGWIRE_WORK_NS);
	/* not progress: the next piece of work costs as much */
	longwire_work_at = time_travel_time;
}

/* Called after each system call of a guest's program. */
void longwire_system_call(int number)
{
	if (number == __NR_sched_yield && time_travel_mode == TT_MODE_INFCPU)
		time_travel_ndelay(LONGWIRE_WORK_NS);
	else
		longwire_work();
}

/* What reading the clock costs, in ns, at first: as long as the clock's resolution. */
#define LONGWIRE_READ_NS	TIMER_MULTIPLIER
/* The most that it costs. */
#define LONGWIRE_READ_MOST_NS	16384ULL
/* Reads that cost as little as possible, each time after all tasks have waited. */
#define LONGWIRE_CHEAP_READS	1024

static unsigned long long longwire_waited_at;
static unsigned int longwire_reads;

/* Called when all tasks have waited, and it is time for one to go on. */
void longwire_waited(void)
{
	longwire_waited_at = time_travel_time;
	longwire_reads = 0;
}

/*
 * What a read of the clock costs now. Whoever reads it very often without ever waiting polls it, and would else get nowhere: from
 * then on a read costs a growing part of the time since all tasks have waited.
 */
unsigned long long longwire_read_ns(void)
{
	unsigned long long part = (time_travel_time - longwire_waited_at) / 256;

	if (++longwire_reads <= LONGWIRE_CHEAP_READS)
		return LONGWIRE_READ_NS;
	return clamp(part, (unsigned long long)LONGWIRE_READ_NS, LONGWIRE_READ_MOST_NS);
}

/*
 * A program ran into a general protection fault. If it did so by reading the processor's time stamp counter, gives it virtual time
 * instead, as a counter of 1 GHz, and returns 1.
 */
int longwire_read_tsc(struct uml_pt_regs *regs)
{
	unsigned char code[3];
	const unsigned char __user *at = (void __user *)UPT_IP(regs);
	int length;
	u64 now;

	if (copy_from_user(code, at, 2) || code[0] != 0x0f)
		return 0;
	if (code[1] == 0x31) {			/* RDTSC */
		length = 2;
	} else if (code[1] == 0x01 && !copy_from_user(code + 2, at + 2, 1) && code[2] == 0xf9) {
		length = 3;			/* RDTSCP also tells the processor's number: 0 */
		regs->gp[HOST_CX] = 0;
	} else {
		return 0;
	}
	/* takes time, like every reading of the clock, so that loops which wait for the counter end */
	now = ktime_get_raw_ns();
	regs->gp[HOST_AX] = lower_32_bits(now);
	regs->gp[HOST_DX] = upper_32_bits(now);
	UPT_IP(regs) += length;
	return 1;
}
