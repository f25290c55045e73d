// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/longwire_terminal: the terminal of `longwire sim --shell`, which is standard input of the kernel's process on the machine,
 * and its descriptor 3. It is there where `longwire_terminal` is on the kernel's command line.
 *
 * Whoever reads it stops the whole kernel until somebody has typed a line, and virtual time with it. Time passes while the program
 * that reads does something else, as a shell does that waits for a command.
 *
 * kernel/build adds this file to arch/um/kernel.
 */

#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <os.h>

#define LONGWIRE_INPUT	0
#define LONGWIRE_OUTPUT	3

static ssize_t longwire_terminal_read(struct file *file, char __user *to, size_t length, loff_t *at)
{
	const int input = LONGWIRE_INPUT;
	char line[256];
	int got;

	/* a signal on the machine is an interrupt here, such as the request to end the run: others may have to run */
	while (os_poll(1, &input) == -EINTR) {
		schedule_timeout_interruptible(1);
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
	got = os_read_file(input, line, min(length, sizeof(line)));
	if (got > 0 && copy_to_user(to, line, got))
		return -EFAULT;
	return got;
}

static ssize_t longwire_terminal_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	char part[256];
	size_t done = 0;

	while (done < length) {
		size_t size = min(length - done, sizeof(part));
		int written;

		if (copy_from_user(part, from + done, size))
			return -EFAULT;
		written = os_write_file(LONGWIRE_OUTPUT, part, size);
		if (written < 0 && written != -EINTR)
			return written;
		done += max(written, 0);
	}
	return done;
}

static const struct proc_ops longwire_terminal_ops = {
	.proc_read = longwire_terminal_read,
	.proc_write = longwire_terminal_write,
	.proc_lseek = noop_llseek,
};

static bool longwire_has_terminal __initdata;

static int __init longwire_terminal_setup(char *value)
{
	longwire_has_terminal = true;
	return 1;
}
__setup("longwire_terminal", longwire_terminal_setup);

static int __init longwire_terminal_init(void)
{
	if (!longwire_has_terminal)
		return 0;
	return proc_create("longwire_terminal", 0600, NULL, &longwire_terminal_ops) ? 0 : -ENOMEM;
}
device_initcall(longwire_terminal_init);
