//! Containers that keep every counter moving: processors under a quota, direct and cached I/O on a real disk, memory
//! over its limit, forks over theirs, packets between two ends of a cable.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use testkit::{Cgroup, Child, Limits, container_id, pod_path, pod_uid, wait_for};

/// The folder of all cgroups of this test.
pub(crate) const FOLDER: &str = "yagura-differential";

/// One container and what runs in it.
pub(crate) struct Container {
    pub(crate) cgroup: Cgroup,
    /// What our own view calls it.
    pub(crate) id: String,
    /// What our own view calls its pod.
    pub(crate) pod: String,
    process: Child,
}

impl Container {
    fn start(index: usize, limits: Limits, script: &str, scratch: &Path) -> Result<Self> {
        let cgroup = Cgroup::make(&pod_path(FOLDER, index, 0), limits)?;
        // It waits until it is where it belongs.
        let mut command = Command::new("bash");
        command.args(["-c", &format!("read -r go; {script}")]).current_dir(scratch);
        let mut process = Child::start(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()))?;
        cgroup.add(process.id())?;
        let mut input = process.handle().stdin.take().context("no pipe")?;
        input.write_all(b"go\n")?;
        Ok(Self { cgroup, id: container_id(index, 0), pod: pod_uid(index), process })
    }

    /// A process in it.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

const BURN: &str = "while :; do :; done & while :; do :; done";
/// Of three tasks that it may have, one sleeps: every second process of a pipe is refused once.
const FORK: &str = "sleep 1000 & while :; do /bin/true | /bin/true; done";
const DISK: &str = "while :; do dd if=/dev/zero of=direct bs=64k count=32 oflag=direct conv=fsync; \
                    dd if=direct of=/dev/null bs=64k iflag=direct; sleep 0.05; done";
const MEMORY: &str = "head -c 64M /dev/zero > cached; while :; do cat cached > /dev/null; \
                      head -c 4M /dev/zero | tail -c 4M > /dev/null; sleep 0.05; done";
const KILLED: &str = "while :; do (head -c 64M /dev/zero | tail -c 64M > /dev/null); sleep 0.2; done";
/// Inside: two ends of a cable, packets from the one to the other.
const NETWORK: &str = "ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up && \
                       ip addr add 10.77.0.1/24 dev e0 && \
                       ip neigh add 10.77.0.2 lladdr $(cat /sys/class/net/e1/address) dev e0; \
                       while :; do echo packet > /dev/udp/10.77.0.2/9; sleep 0.02; done";

/// Starts all of them; files are made in `scratch`, which should be on a disk.
pub(crate) fn start(scratch: &Path) -> Result<Vec<Container>> {
    let mib = 1 << 20;
    let quota = Limits { cpu_quota: Some(20_000), ..Limits::default() };
    let small = Limits { memory: Some(16 * mib), cpu_quota: Some(30_000), ..Limits::default() };
    let few = Limits { pids: Some(3), cpu_quota: Some(20_000), ..Limits::default() };
    let network = format!("exec unshare --net --mount bash -c 'mount -t sysfs sysfs /sys; {NETWORK}'");
    let containers = vec![
        Container::start(0, quota, BURN, scratch)?,
        Container::start(1, few, FORK, scratch)?,
        Container::start(2, quota, DISK, scratch)?,
        Container::start(3, small, MEMORY, scratch)?,
        Container::start(4, small, KILLED, scratch)?,
        Container::start(5, quota, &network, scratch)?,
    ];
    count_io(&containers[2].cgroup);
    let devices = format!("/proc/{}/net/dev", containers[5].pid());
    let is_up = || std::fs::read_to_string(&devices).ok().filter(|text| text.contains("e0:"));
    wait_for(Duration::from_secs(20), is_up).context("no network namespace with a virtual cable in it")?;
    Ok(containers)
}

/// On version 1 the kernel counts I/O of cgroups that have a limit; this one is never reached.
fn count_io(cgroup: &Cgroup) {
    let folder = Path::new("/sys/fs/cgroup/blkio").join(cgroup.path().trim_start_matches('/'));
    for disk in std::fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let Ok(number) = std::fs::read_to_string(disk.path().join("dev")) else { continue };
        for file in ["blkio.throttle.write_bps_device", "blkio.throttle.read_bps_device"] {
            let _ = std::fs::write(folder.join(file), format!("{} 1099511627776", number.trim()));
        }
    }
}
