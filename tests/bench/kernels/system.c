/* What the operating system is asked for: exceptions, page tables, processes, wake-ups. */
#define _GNU_SOURCE
#include "kernel.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t syscall_getppid(uint64_t rounds) {
    uint64_t ok = 0;
    while (rounds-- > 0) ok += syscall(SYS_getppid) >= 0;
    return ok;
}

uint64_t page_faults(uint64_t rounds) {
    const size_t size = 4 << 20;
    uint64_t sum = 0;
    while (rounds-- > 0) {
        char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return 0;
        madvise(p, size, MADV_NOHUGEPAGE);
        for (size_t i = 0; i < size; i += 4096) p[i] = 1, sum += (uint64_t)p[i];
        munmap(p, size);
    }
    return sum;
}

uint64_t protect_pages(uint64_t rounds) {
    char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return 0;
    uint64_t sum = 0;
    while (rounds-- > 0) {
        p[0] = 1;
        mprotect(p, 65536, PROT_READ);
        sum += (uint64_t)p[0];
        mprotect(p, 65536, PROT_READ | PROT_WRITE);
    }
    munmap(p, 65536);
    return sum;
}

uint64_t fork_exec(uint64_t rounds) {
    uint64_t sum = 0;
    while (rounds-- > 0) {
        const pid_t child = fork();
        if (child == 0) {
            execl("/proc/self/exe", "kernels", "--exit", (char *)NULL);
            _exit(1);
        }
        int status = 1;
        waitpid(child, &status, 0);
        sum += status == 0;
    }
    return sum;
}

static void use_cpu(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}
static void use_all_cpus(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < 64; ++i) CPU_SET(i, &set);
    sched_setaffinity(0, sizeof set, &set);
}

uint64_t pipe_switch(uint64_t rounds) {
    int there[2], back[2];
    if (pipe(there) != 0 || pipe(back) != 0) return 0;
    use_cpu(0);
    const pid_t child = fork();
    char c = 1;
    if (child == 0) {
        while (rounds-- > 0)
            if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1) _exit(1);
        _exit(0);
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; ++i) {
        if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1) break;
        sum += (uint64_t)c;
    }
    waitpid(child, NULL, 0);
    for (int i = 0; i < 2; ++i) close(there[i]), close(back[i]);
    use_all_cpus();
    return sum;
}

static uint32_t ball;
static void pass_ball(uint32_t mine, uint64_t rounds) {
    while (rounds-- > 0) {
        uint32_t now;
        while ((now = __atomic_load_n(&ball, __ATOMIC_ACQUIRE)) % 2 != mine)
            syscall(SYS_futex, &ball, FUTEX_WAIT, now, NULL, NULL, 0);
        __atomic_store_n(&ball, now + 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &ball, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}
static void *other_player(void *rounds) {
    use_cpu(1);
    pass_ball(1, *(uint64_t *)rounds);
    return NULL;
}
uint64_t futex_wake(uint64_t rounds) {
    pthread_t other;
    ball = 0;
    if (pthread_create(&other, NULL, other_player, &rounds) != 0) return 0;
    use_cpu(0);
    pass_ball(0, rounds);
    pthread_join(other, NULL);
    use_all_cpus();
    return ball;
}
