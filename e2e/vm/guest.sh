#!/bin/bash
# The first and only program of a virtual machine: makes a pure cgroup v2 system of it, runs /mnt/script, leaves the
# script's output and status in /mnt, and switches the machine off. The host's root is below, read-only, with a tmpfs
# over it; /mnt is the one directory of the host that can be written.
#
# From the kernel's command line come TREE (the kernel's package), CACHE (the host's cache of the project) and REPO.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin HOME=/root
exec >/mnt/console 2>&1
echo "kernel $(uname -r) runs the script $(cut -d' ' -f1 /proc/uptime) s after its start"

module() { modprobe -d "$TREE" -q "$1" || echo "no module $1"; }
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for name in virtio_blk ext4 veth bridge fuse; do module "$name"; done

# A disk of its own: overlays cannot lie on the overlay that the root is, and only a disk has io statistics.
mkdir -p /var/lib/yagura
mount /dev/vda /var/lib/yagura
mkdir -p /var/lib/yagura/cache
ln -s "$CACHE"/* /var/lib/yagura/cache/
rm -f /var/lib/yagura/cache/{cluster,cluster.lock,logs,scratch}
export YAGURA_CACHE=/var/lib/yagura/cache YAGURA_PATIENCE="${PATIENCE:-1}"
ip link set lo up
ip link add uplink type veth peer name beyond && ip addr add 192.0.2.2/24 dev uplink
ip link set uplink up && ip link set beyond up && ip route add default via 192.0.2.1 dev uplink
ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev uplink

# A cgroup with processes cannot hand its controllers on, so they leave the root first.
mkdir /sys/fs/cgroup/init
while read -r pid; do echo "$pid" >/sys/fs/cgroup/init/cgroup.procs; done 2>/dev/null </sys/fs/cgroup/cgroup.procs
for name in $(cat /sys/fs/cgroup/cgroup.controllers); do echo "+$name" >/sys/fs/cgroup/cgroup.subtree_control; done
echo "controllers: $(cat /sys/fs/cgroup/cgroup.subtree_control)"

cd "$REPO" || exit
bash /mnt/script >/mnt/output 2>&1
echo $? >/mnt/status
sync
echo "the script ended $(cut -d' ' -f1 /proc/uptime) s after the kernel's start"
echo o >/proc/sysrq-trigger
sleep 10
