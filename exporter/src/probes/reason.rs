//! Explains why the kernel refused a program, and what would help.

use std::error::Error;

use aya::{EbpfError, maps::MapError, programs::ProgramError};
use caps::{CapSet, Capability};
use kernfs::{Host, Reader};

use crate::spec::Unavailable;

/// Looks at what is needed before the kernel is asked: it answers all of these with the same EPERM.
pub(super) fn preconditions(host: &Host) -> Result<(), Unavailable> {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    let may = has(Capability::CAP_SYS_ADMIN) || (has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON));
    if !may {
        let missing = if has(Capability::CAP_BPF) { "CAP_PERFMON" } else { "CAP_BPF and CAP_PERFMON" };
        let gone = crate::privilege::had(Capability::CAP_BPF) && crate::privilege::had(Capability::CAP_PERFMON);
        let why = if gone { ": given up after the start, so it takes a new start" } else { "" };
        return Err(Unavailable(format!("{missing} missing (before Linux 5.8: CAP_SYS_ADMIN){why}")));
    }
    let mut reader = Reader::default();
    if !reader.exists(&host.sys, "kernel/btf/vmlinux") {
        let reason = "the kernel does not tell its types: no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)";
        return Err(Unavailable(reason.into()));
    }
    if let Ok(Some(modes)) = reader.read(&host.sys, "kernel/security/lockdown")
        && modes.windows(17).any(|part| part == b"[confidentiality]")
    {
        return Err(Unavailable("the kernel is locked down (lockdown=confidentiality)".into()));
    }
    Ok(())
}

/// A failure of the object as a whole.
pub(super) fn of_object(error: &EbpfError) -> Unavailable {
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error }) => {
            let old = matches!(io_error.raw_os_error(), Some(libc::EINVAL));
            let hint =
                if old { ": the kernel may be too old (ring buffers: Linux 5.8, storage of tasks: 5.11)" } else { "" };
            Unavailable(format!("map {name} refused ({io_error}){hint}"))
        }
        other => Unavailable(chain(other)),
    }
}

/// A refused program.
pub(super) fn of_program(program: &str, hook: &str, error: &ProgramError) -> Unavailable {
    match error {
        ProgramError::Btf(aya::BtfError::UnknownBtfTypeName { .. }) => {
            Unavailable(format!("this kernel has no hook {hook}"))
        }
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            match verdict(&log) {
                Some(line) => Unavailable(format!("program {program} refused by the verifier: {line}")),
                None => Unavailable(format!("program {program} refused ({io_error})")),
            }
        }
        other => Unavailable(format!("program {program}: {}", chain(other))),
    }
}

/// The line of the verifier's log that says what is wrong: the last one that is not its statistics.
fn verdict(log: &str) -> Option<&str> {
    let is_statistic = |line: &str| {
        ["processed ", "verification time", "stack depth", "mark_precise", "insns processed"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    log.lines().map(str::trim).rfind(|line| !line.is_empty() && !is_statistic(line))
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let source_text = source.to_string();
        if !text.contains(&source_text) {
            text.push_str(": ");
            text.push_str(&source_text);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_last_line_that_is_no_statistic() {
        let log = "0: (61) r1 = *(u32 *)(r1 +8)\ninvalid access to map value, off=0 size=4095\nR2 min value is outside\nprocessed 107 insns (limit 1000000) max_states_per_insn 0\nverification time 90 usec\n";
        assert_eq!(verdict(log), Some("R2 min value is outside"));
        assert_eq!(verdict("processed 1 insns\n"), None);
    }
}
