/* SPDX-License-Identifier: GPL-2.0 */
/* What longwire adds to the kernel, for the places that call it. */
#ifndef LONGWIRE_H
#define LONGWIRE_H

struct uml_pt_regs;

/* longwire_time.c */
void longwire_work(void);
void longwire_system_call(int number);
int longwire_read_tsc(struct uml_pt_regs *regs);
void longwire_waited(void);
unsigned long long longwire_read_ns(void);

/* longwire_vma.c */
void longwire_publish_time(void);

/* longwire_stub.c */
void longwire_sync_fp(struct uml_pt_regs *regs);

#endif
