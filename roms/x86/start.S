/* Entry of the programs for x86-64: by PVH (Xen docs/misc/pvh.pandoc), and of CPUs that are started
 * by INIT and SIPI. Both go to 64-bit mode, with the first 4 GiB mapped where they are. */
#define CR0_PE 1
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CR4_OSFXSR (1 << 9)
#define EFER 0xc0000080
#define EFER_LME (1 << 8)
#define LARGE_PAGE 0x83 /* present, writable, 2 MiB */

    .section .note.pvh, "a"
    .balign 4
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long entry32

    .section .text.start, "ax"
    .code32
    .global entry32, entry64
entry64: /* the ELF entry: of no use but to linkers */
entry32:
    cld
    movl %ebx, start_info
    /* The map of 4 GiB: one table of 4 directories. */
    movl $page_directories, %edi
    movl $LARGE_PAGE, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    movl $page_pointers, %edi
    movl $page_directories + 3, %eax
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 1b
    movl $page_pointers + 3, page_root
    xorl %ebp, %ebp /* CPU 0 */

/* In 32-bit mode with flat segments; EBP: which CPU. */
to_64_bits:
    movl %cr4, %eax
    orl $(CR4_PAE | CR4_OSFXSR), %eax
    movl %eax, %cr4
    movl $page_root, %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $(CR0_PG | CR0_PE), %eax
    movl %eax, %cr0
    lgdt descriptors_pointer
    ljmp $8, $in_64_bits

    .code64
in_64_bits:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %ebp, %eax
    incl %eax
    shll $14, %eax
    addl $stacks, %eax
    movl %eax, %esp
    movl %ebp, %edi
    testl %ebp, %ebp
    jnz 1f
    call rom_main
1:  call secondary_main
1:  hlt
    jmp 1b

/* Copied to a page below 1 MiB, where a SIPI starts a CPU in real mode: CS is the page. */
    .balign 16
    .global trampoline, trampoline_end
    .code16
trampoline:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl (trampoline_pointer - trampoline)
    movl %cr0, %eax
    orl $CR0_PE, %eax
    movl %eax, %cr0
    ljmpl $24, $secondary_32
    .balign 8
trampoline_pointer:
    .word descriptors_end - descriptors - 1
    .long descriptors
trampoline_end:

    .code32
secondary_32:
    movl $32, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $1, %ebp
    lock xaddl %ebp, next_cpu
    jmp to_64_bits

    .section .data
    .balign 8
descriptors:
    .quad 0
    .quad 0x00af9b000000ffff /* 8: code, 64 bits */
    .quad 0x00cf93000000ffff /* 16: data */
    .quad 0x00cf9b000000ffff /* 24: code, 32 bits */
    .quad 0x00cf93000000ffff /* 32: data */
descriptors_end:
descriptors_pointer:
    .word descriptors_end - descriptors - 1
    .quad descriptors
    .global start_info, next_cpu
start_info:
    .long 0
next_cpu:
    .long 1

    .section .bss
    .balign 4096
page_root:
    .skip 4096
page_pointers:
    .skip 4096
page_directories:
    .skip 4 * 4096
