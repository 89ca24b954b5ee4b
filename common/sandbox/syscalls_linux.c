/* See syscalls.h. Calls whose arguments are of no interest cost nothing: the kernel keeps a table of them
 * (Linux 5.11). */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "sandbox/syscalls.h"

static const char *const refused[] = {
    /* the machine */
    "acct",
    "adjtimex",
    "clock_adjtime",
    "clock_settime",
    "settimeofday",
    "stime",
    "ioperm",
    "iopl",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "sethostname",
    "setdomainname",
    "swapon",
    "swapoff",
    "syslog",
    "quotactl",
    "quotactl_fd",
    "vhangup",
    "nfsservctl",
    "lookup_dcookie",
    "uselib",
    "_sysctl",
    "sysfs",
    "ustat",
    /* code in the kernel */
    "bpf",
    "create_module",
    "init_module",
    "finit_module",
    "delete_module",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "fanotify_init",
    /* other processes */
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    "move_pages",
    "migrate_pages",
    /* namespaces and mounts */
    "unshare",
    "setns",
    "chroot",
    "pivot_root",
    "mount",
    "umount",
    "umount2",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "name_to_handle_at",
    "open_by_handle_at",
    /* another user, other rights */
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "setgroups",
    "capset",
    "personality",
    "keyctl",
    "add_key",
    "request_key",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "mknod",
    "mknodat",
};

#define NAMESPACES_COUNT (sizeof(namespaces) / sizeof(namespaces[0]))
static const uint32_t namespaces[] = {0x00020000 /* mounts */,
                                      0x02000000 /* cgroups */,
                                      0x04000000 /* UTS */,
                                      0x08000000 /* IPC */,
                                      0x10000000 /* users */,
                                      0x20000000 /* processes */,
                                      0x40000000 /* network */};

#define FAMILIES 64

static bool is_used(int family) {
    return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

/* What this machine's kind has not is passed over. */
static bool refuse_whole(scmp_filter_ctx filter) {
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        int number = seccomp_syscall_resolve_name(refused[i]);
        if (number == __NR_SCMP_ERROR || number < 0) continue;
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) != 0) return false;
    }
    return true;
}

static bool refuse_families(scmp_filter_ctx filter) {
    const uint32_t none = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    for (int family = 0; family < FAMILIES; family++)
        if (!is_used(family) && seccomp_rule_add(filter, none, SCMP_SYS(socket), 1,
                                                 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0)) != 0)
            return false;
    return seccomp_rule_add(filter, none, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GE, FAMILIES, 0)) == 0;
}

#define SHARED_EXEC 0100000 /* SHM_EXEC of shmat() */

/* clone3() hides its flags behind a pointer; libc goes back to clone(), where they are seen. */
static bool refuse_namespaces(scmp_filter_ctx filter) {
    for (size_t i = 0; i < NAMESPACES_COUNT; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i])) != 0)
            return false;
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

static bool refuse_code(scmp_filter_ctx filter) {
    const uint32_t both = PROT_WRITE | PROT_EXEC, refusal = SCMP_ACT_ERRNO(EPERM);
    return seccomp_rule_add(filter, refusal, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, both, both)) ==
               0 &&
           seccomp_rule_add(filter, refusal, SCMP_SYS(mprotect), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) == 0 &&
           seccomp_rule_add(filter, refusal, SCMP_SYS(pkey_mprotect), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) == 0 &&
           seccomp_rule_add(filter, refusal, SCMP_SYS(shmat), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, SHARED_EXEC, SHARED_EXEC)) == 0;
}

static bool mark(scmp_filter_ctx filter) {
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(SYSCALLS_MARK_ERRNO), SCMP_SYS(prctl), 1,
                            SCMP_A0(SCMP_CMP_EQ, SYSCALLS_MARK, 0)) == 0;
}

bool syscalls_refuse(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) return false;
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, where libseccomp has it */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB,
                           1); /* kernels before 5.16 slow all else down for it */
    bool done = refuse_whole(filter) && refuse_families(filter) && refuse_namespaces(filter) &&
                refuse_code(filter) && mark(filter) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return done;
}

const char *syscalls_library(void) {
    static char text[48];
    const struct scmp_version *version = seccomp_version();
    snprintf(text, sizeof(text), "libseccomp %u.%u.%u", version->major, version->minor, version->micro);
    return text;
}
