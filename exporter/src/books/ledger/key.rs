//! The workload key of units without a workload of their own.

use kubernetes::WorkloadRef;

use crate::identity::pods::CGROUP;

/// The workload of what is over a limit.
pub fn other() -> WorkloadRef {
    WorkloadRef { namespace: "".into(), name: "other".into(), kind: CGROUP }
}
