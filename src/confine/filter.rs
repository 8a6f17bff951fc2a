//! What a process may not ask of the kernel that reads what strangers wrote: no programs, no network, nothing that looks into others.
//! As a program of seccomp(2), which it takes on itself once it has started all that it needs.

use nix::libc;

/// The calls that are refused. What could be done with descriptors and memory of its own is not among them.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    #[cfg(target_arch = "x86")]
    libc::SYS_socketcall,
];

/// What the kernel calls this machine (`linux/audit.h`); absent for one whose calls are not known here.
const MACHINE: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xC000_003E)
} else if cfg!(target_arch = "aarch64") {
    Some(0xC000_00B7)
} else if cfg!(target_arch = "riscv64") {
    Some(0xC000_00F3)
} else if cfg!(target_arch = "x86") {
    Some(0x4000_0003)
} else if cfg!(target_arch = "arm") {
    Some(0x4000_0028)
} else {
    None
};

/// From here on the numbers of x86-64 are those of x32, another way to the same calls.
const X32: u32 = 0x4000_0000;

// Instructions of BPF (linux/filter.h): load a word, compare and skip, answer.
const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const ANSWER: u16 = 0x06;
// Where in `struct seccomp_data` they are.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = if cfg!(target_endian = "big") { 20 } else { 16 };
// The answers (linux/seccomp.h).
const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0x8000_0000;
const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;

/// The program, as the kernel takes it (`struct sock_filter`). Nothing on a machine whose calls are not known here.
pub(crate) fn without_programs() -> Option<Vec<u8>> {
    let mut program = Vec::new();
    let mut add = |code: u16, skip_if: u8, skip_else: u8, value: u32| {
        program.extend(code.to_ne_bytes());
        program.extend([skip_if, skip_else]);
        program.extend(value.to_ne_bytes());
    };
    add(LOAD, 0, 0, ARCHITECTURE);
    add(EQUAL, 1, 0, MACHINE?);
    add(ANSWER, 0, 0, KILL);
    add(LOAD, 0, 0, NUMBER);
    if cfg!(target_arch = "x86_64") {
        add(AT_LEAST, 0, 1, X32);
        add(ANSWER, 0, 0, REFUSE);
    }
    for number in REFUSED.iter().filter_map(|number| u32::try_from(*number).ok()) {
        add(EQUAL, 0, 1, number);
        add(ANSWER, 0, 0, REFUSE);
    }
    // Sockets within the machine alone: Python makes pairs of them.
    add(EQUAL, 0, 3, u32::try_from(libc::SYS_socket).ok()?);
    add(LOAD, 0, 0, FIRST_ARGUMENT);
    add(EQUAL, 1, 0, u32::try_from(libc::AF_UNIX).ok()?);
    add(ANSWER, 0, 0, REFUSE);
    add(ANSWER, 0, 0, ALLOW);
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer to a call: the machine, its number, its first argument.
    fn answer(machine: u32, number: u32, argument: u32) -> u32 {
        let program = without_programs().unwrap();
        let (mut at, mut word) = (0, 0);
        loop {
            let [a, b, yes, no, value @ ..] = <[u8; 8]>::try_from(&program[at * 8..][..8]).unwrap();
            let (code, value) = (u16::from_ne_bytes([a, b]), u32::from_ne_bytes(value));
            let skip = |holds: bool| usize::from(if holds { yes } else { no });
            at += 1;
            match code {
                LOAD if value == NUMBER => word = number,
                LOAD if value == ARCHITECTURE => word = machine,
                LOAD => word = argument,
                EQUAL => at += skip(word == value),
                AT_LEAST => at += skip(word >= value),
                ANSWER => return value,
                _ => unreachable!("{code}"),
            }
        }
    }

    #[test]
    fn programs_and_networks_are_refused() {
        let Some(here) = MACHINE else { return };
        let call = |number: libc::c_long, argument: i32| {
            answer(here, u32::try_from(number).unwrap(), u32::try_from(argument).unwrap())
        };
        for number in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_io_uring_setup,
            libc::SYS_unshare,
        ] {
            assert_eq!(call(number, 0), REFUSE, "{number}");
        }
        for number in
            [libc::SYS_read, libc::SYS_openat, libc::SYS_mmap, libc::SYS_exit_group, libc::SYS_clone]
        {
            assert_eq!(call(number, 0), ALLOW, "{number}");
        }
        assert_eq!(call(libc::SYS_socket, libc::AF_UNIX), ALLOW);
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK] {
            assert_eq!(call(libc::SYS_socket, family), REFUSE);
        }
        // By another door.
        assert_eq!(answer(here ^ 1, 0, 0), KILL);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(answer(here, X32 + 520, 0), REFUSE);
        }
    }
}
