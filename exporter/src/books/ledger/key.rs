//! The workload of what has none of its own.

use kubernetes::WorkloadRef;

use crate::identity::pods::CGROUP;

/// The workload of what is over a limit.
pub fn other() -> WorkloadRef {
    WorkloadRef { namespace: "".into(), name: "other".into(), kind: CGROUP }
}
