// SPDX-License-Identifier: GPL-2.0
/*
 * longwire's part of running the guest's programs: each runs in a host process, its stub, that the kernel traces.
 *
 * kernel/build includes this file in arch/um/os-Linux/skas/process.c and puts the calls there.
 */

#include <sys/prctl.h>
#include <sys/uio.h>
#include <linux/elf.h>
#include <timetravel.h>
#include <longwire.h>

/*
 * Floating-point and vector registers. They are over 2 KB, and copying them out of and into the stub at each system call is a
 * third of what a system call costs. Here they stay in the stub until somebody wants them: another task that is to run, a signal's
 * frame, or a system call that copies or replaces them.
 */

/* Whose registers are in its stub only, and not in `fp`; at most the running task's. */
static struct uml_pt_regs *longwire_in_stub;
static int longwire_in_stub_pid;

/*
 * Big enough for every processor: with AMX they are 11,008 bytes, the kernel has room for less, and the host takes back either
 * all of them or none. The tiles at the end stay empty: programs must ask for them by arch_prctl, which this kernel does not have.
 */
static unsigned long longwire_xstate[2048];

static int longwire_get_fp(int pid, unsigned long *fp)
{
	struct iovec iov = { longwire_xstate, sizeof(longwire_xstate) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
		return -errno;
	memcpy(fp, longwire_xstate, FP_SIZE * sizeof(unsigned long));
	return 0;
}

static int longwire_put_fp(int pid, unsigned long *fp)
{
	struct iovec iov = { longwire_xstate, sizeof(longwire_xstate) };

	memcpy(longwire_xstate, fp, FP_SIZE * sizeof(unsigned long));
	if (ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
		return -errno;
	return 0;
}

/* Copies the registers out of the stub if they are these. */
void longwire_sync_fp(struct uml_pt_regs *regs)
{
	int err;

	if (longwire_in_stub != regs)
		return;
	longwire_in_stub = NULL;
	err = longwire_get_fp(longwire_in_stub_pid, regs->fp);
	/* the stub of a task that dies may be gone */
	if (err && err != -ESRCH) {
		printk(UM_KERN_ERR "%s - cannot read fp registers, errno = %d\n", __func__, -err);
		fatal_sigsegv();
	}
}

/* Before a task goes on in its stub. */
static int longwire_enter_stub(int pid, struct uml_pt_regs *regs)
{
	int there = longwire_in_stub == regs && longwire_in_stub_pid == pid;

	longwire_in_stub = NULL;
	return there ? 0 : longwire_put_fp(pid, regs->fp);
}

/* After a task has stopped in its stub, at a system call or a fault; its other registers are known. */
static int longwire_leave_stub(int pid, struct uml_pt_regs *regs, int status)
{
	longwire_in_stub = regs;
	longwire_in_stub_pid = pid;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP + 0x80)
		return 0;
	switch (PT_SYSCALL_NR(regs->gp)) {
	case __NR_clone:
#ifdef __NR_clone3
	case __NR_clone3:
#endif
	case __NR_fork:
	case __NR_vfork:
	case __NR_execve:
	case __NR_execveat:
	case __NR_exit:
	case __NR_exit_group:
	case __NR_ptrace:
	case __NR_rt_sigreturn:
		longwire_sync_fp(regs);
	}
	return 0;
}

/* A stop with SIGSEGV. 1 if that was a reading of the time stamp counter, which is now done. */
static int longwire_is_tsc(struct uml_pt_regs *regs, siginfo_t *si)
{
	/* the handler that tells about a page fault runs in the stub, and would overwrite them */
	if (si->si_code != SI_KERNEL) {
		longwire_sync_fp(regs);
		return 0;
	}
	if (longwire_read_tsc(regs))
		return 1;
	longwire_sync_fp(regs);
	return 0;
}

/*
 * Before a stub is made: reading the time stamp counter, which is the host's, becomes a fault in it. Also in this process, from which
 * stubs have it: if it differed between the two, each switch between them would set a control register, which costs some
 * microseconds in a virtual machine. Nothing here reads the host's clocks while time is virtual.
 */
static void longwire_before_stub(void)
{
	static int done;

	if (done || time_travel_mode != TT_MODE_INFCPU)
		return;
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	done = 1;
}
