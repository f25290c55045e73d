// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps the code for clock reads into programs, and keeps its clocks right.
 *
 * Two pages at the end of the address space: a counter of reads, which programs
 * write, and above it the code with the clocks at its end, which they only read.
 *
 * kernel/build puts this file in the place of arch/x86/um/vdso/vma.c.
 */

#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <asm/elf.h>
#include <asm/page.h>
#include <longwire.h>
#include "longwire_vdso.h"

unsigned long um_vdso_addr;

extern unsigned long task_size;
extern char vdso_start[], vdso_end[];

static struct page *code[2], *counter[2];
static struct longwire_clocks *clocks;

static int __init init_vdso(void)
{
	char *page;

	BUG_ON(vdso_end - vdso_start > PAGE_SIZE - sizeof(*clocks));
	um_vdso_addr = task_size - PAGE_SIZE;
	code[0] = alloc_page(GFP_KERNEL | __GFP_ZERO);
	counter[0] = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!code[0] || !counter[0])
		panic("no memory for the vDSO");
	page = page_address(code[0]);
	memcpy(page, vdso_start, vdso_end - vdso_start);
	clocks = (void *)(page + PAGE_SIZE - sizeof(*clocks));
	return 0;
}
subsys_initcall(init_vdso);

/* Called whenever virtual time has changed, at any point: it may not sleep, and reading the clock must not cost time. */
void longwire_publish_time(void)
{
	unsigned long flags;

	if (!clocks)
		return;
	local_irq_save(flags);
	clocks->monotonic = ktime_get_mono_fast_ns();
	clocks->real = ktime_get_real_fast_ns();
	local_irq_restore(flags);
}

int arch_setup_additional_pages(struct linux_binprm *bprm, int uses_interp)
{
	static struct vm_special_mapping code_mapping = { .name = "[vdso]", .pages = code };
	static struct vm_special_mapping counter_mapping = { .name = "[vvar]", .pages = counter };
	struct vm_area_struct *vma;
	struct mm_struct *mm = current->mm;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	vma = _install_special_mapping(mm, um_vdso_addr, PAGE_SIZE, VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC,
				       &code_mapping);
	if (!IS_ERR(vma))
		vma = _install_special_mapping(mm, um_vdso_addr - PAGE_SIZE, PAGE_SIZE,
					       VM_READ | VM_WRITE | VM_SHARED | VM_MAYSHARE | VM_MAYREAD | VM_MAYWRITE,
					       &counter_mapping);
	mmap_write_unlock(mm);
	return PTR_ERR_OR_ZERO(vma);
}
