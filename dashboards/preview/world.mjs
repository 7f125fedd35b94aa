// A made-up cluster as OpenMetrics: every family that a board reads, with the labels that the catalogues declare.
// node world.mjs --catalog FILE --catalog FILE --dashboards DIR --from SECONDS --to SECONDS --step 30 [--workloads N] [--cluster NAME] > world.om
// The values are invented; they rise, fall and break where boards should show it. Labels and joins are real.
import { createWriteStream, readFileSync, readdirSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: o } = parseArgs({ options: {
  catalog: { type: 'string', multiple: true }, dashboards: { type: 'string' }, from: { type: 'string' }, to: { type: 'string' },
  step: { type: 'string', default: '30' }, workloads: { type: 'string', default: '0' }, cluster: { type: 'string', default: '' }, out: { type: 'string' },
} });
const [from, to, step] = [o.from, o.to, o.step].map(Number);
const boards = readdirSync(o.dashboards).filter((f) => f.endsWith('.json')).map((f) => readFileSync(join(o.dashboards, f), 'utf8')).join('\n');

const hash = (s) => [...s].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 16777619) >>> 0, 2166136261);
const part = (s) => (hash(s) % 10007) / 10007;

// Who there is: namespace, kind, name, replicas, cores, MiB, connections a second, whom it calls (name:port), bad endings a minute.
const shop = [
  ['shop', 'Deployment', 'web', 3, 0.35, 180, 24, ['cart:8080', 'catalogue:8080'], 0],
  ['shop', 'Deployment', 'cart', 2, 0.2, 260, 11, ['redis:6379', 'orders:8080'], 0],
  ['shop', 'Deployment', 'catalogue', 2, 0.15, 140, 14, ['db:5432'], 0],
  ['shop', 'Deployment', 'orders', 2, 0.12, 220, 6, ['db:5432', 'payments:443', 'mail:25'], 0],
  ['shop', 'StatefulSet', 'db', 1, 0.6, 900, 9, [], 0],
  ['shop', 'StatefulSet', 'redis', 1, 0.08, 120, 12, [], 0],
  ['payments', 'Deployment', 'payments', 2, 0.1, 150, 3, ['bank:443'], 0],
  ['payments', 'Deployment', 'ledger', 1, 0.05, 96, 1, ['db:5432'], 1.2],
  ['ci', 'CronJob', 'build', 1, 0.8, 600, 0.4, ['catalogue:8080'], 0.4],
  ['ci', 'Job', 'import', 1, 0.3, 300, 0.2, ['db:5432'], 0],
  ['monitoring', 'StatefulSet', 'prometheus', 1, 0.25, 1400, 2, ['web:8080'], 0],
  ['kube-system', 'DaemonSet', 'yagura', 3, 0.004, 20, 0.1, [], 0],
  ['kube-system', 'Deployment', 'coredns', 2, 0.02, 40, 0.5, [], 0],
];
for (let i = shop.length; i < Number(o.workloads); i++) {
  shop.push([`team-${i % 40}`, 'Deployment', `service-${i}`, 1 + (i % 3), 0.02 + part(`c${i}`) / 5, 60 + 400 * part(`m${i}`), 5 * part(`r${i}`), [`service-${13 + ((i * 7) % 900)}:8080`], 0]);
}
const nodes = ['node-a', 'node-b', 'node-c'];
const workloads = shop.map(([namespace, workload_kind, workload, replicas, cores, mib, rate, calls, bad], n) =>
  ({ namespace, workload_kind, workload, replicas, cores, mib, rate, calls, bad, node: nodes[n % 3] }));
const named = new Map(workloads.map((w) => [w.workload, w]));
const pods = workloads.flatMap((w) => [...Array(w.replicas).keys()].map((i) => ({ ...w, pod: w.workload_kind === 'StatefulSet' ? `${w.workload}-${i}` : `${w.workload}-${hash(w.workload + i).toString(36).slice(0, 5)}`, node: nodes[(nodes.indexOf(w.node) + i) % 3] })));
const containers = pods.flatMap((p) => [p.workload === 'yagura' ? 'agent' : 'app', ...(p.workload === 'web' ? ['proxy'] : [])].map((container) => ({ ...p, container })));
const peer = (call) => {
  const [name, port] = call.split(':');
  const w = named.get(name);
  return w ? { peer_kind: 'workload', peer_namespace: w.namespace, peer_workload: name, port } : { peer_kind: 'world', peer_namespace: '', peer_workload: '', port };
};
const calls = workloads.flatMap((w) => w.calls.map((c) => ({ ...w, call: c, ...peer(c) })));
const spot = (w) => `${w.workload_kind.toLowerCase()}/${w.namespace}/${w.workload}`;
const target = (c) => (named.get(c.peer_workload) ? spot(named.get(c.peer_workload)) : 'world');

// Values of labels that say more than who it is.
const OPEN = {
  device: ['vda'], mountpoint: ['/', '/var/lib/containerd'], fstype: ['ext4'], cpu: ['0', '1', '2', '3'], interface: ['eth0'], resourcequota: ['compute'],
  phase: ['Running'], port: ['8080'], family: ['container_network_peer_sent_bytes_total'], collector: ['container_memory', 'container_process', 'node_diskstats', 'node_cpu', 'container_io', 'workload_capacity'],
  feature: ['lifetime', 'oom', 'exec', 'tcp', 'udp', 'dns', 'drops'], what: ['row'], handler: ['/metrics', '/metrics/cadvisor', '/metrics/node'], page: ['/metrics', '/metrics/cadvisor', '/metrics/node'],
  by: ['kubelet'], currency: ['EUR'], alertstate: ['firing'], source: ['yagura'], unit: [''], kind: ['Pod', 'Node', 'Deployment', 'ReplicaSet', 'ConfigMap', 'Secret', 'Job', 'Service', 'EndpointSlice'],
  shard_ordinal: ['0'], controller: ['0'], code: undefined, uid: ['u'], owner_is_controller: ['true'], access_mode: ['ReadWriteOnce'], name: ['kubelet.service'], type: [''],
};
const REASONS = { workload_network_dropped_packets_total: ['netfilter_drop', 'tcp_csum', 'udp_csum'], machine_network_dropped_packets_total: ['netfilter_drop', 'unhandled_proto'], yagura_feature_enabled: ['on'], kube_pod_container_status_waiting_reason: ['CrashLoopBackOff'], kube_pod_container_status_last_terminated_reason: ['Error'], kube_deployment_status_condition: ['MinimumReplicasAvailable'] };
const PHASES = { kube_pod_status_phase: ['Pending', 'Running', 'Succeeded', 'Failed'], kube_persistentvolumeclaim_status_phase: ['Bound', 'Pending', 'Lost'], kube_persistentvolume_status_phase: ['Bound', 'Failed'], kube_namespace_status_phase: ['Active'] };
const claims = [['shop', 'data-db-0', 0.31, 'Bound'], ['shop', 'data-redis-0', 0.82, 'Bound'], ['monitoring', 'tsdb-0', 0.07, 'Bound'], ['ci', 'cache', 1, 'Pending']].map(([namespace, persistentvolumeclaim, left, state]) => ({ namespace, persistentvolumeclaim, left, state, storageclass: left > 0.5 ? 'slow' : 'fast' }));
const hpas = [['shop', 'web', 3, 3, 2], ['shop', 'cart', 2, 6, 1], ['payments', 'payments', 2, 4, 2]].map(([namespace, horizontalpodautoscaler, now, most, least]) => ({ namespace, horizontalpodautoscaler, now, most, least }));
const quotas = [['shop', 'requests.cpu', 3.2, 4], ['shop', 'requests.memory', 5e9, 8e9], ['payments', 'requests.cpu', 1.9, 2], ['ci', 'requests.storage', 2e10, 1e11]].map(([namespace, resource, used, hard]) => ({ namespace, resource, used, hard, resourcequota: 'compute' }));
const ofKind = (kind, label) => workloads.filter((w) => w.workload_kind === kind).map((w) => ({ ...w, [label]: w.workload }));

/** Whose series these are: one entry a series, before labels with several values are multiplied out. */
function subjects(name, labels) {
  const has = (...all) => all.every((l) => labels.includes(l));
  if (name === 'topology_node_info') {
    return [...workloads.map((w) => ({ ...w, id: spot(w), title: w.workload, subtitle: w.namespace, kind: 'workload' })), { id: 'world', title: 'world', subtitle: '', kind: 'world', node: nodes[0] }];
  }
  if (name.startsWith('topology_edge')) { return calls.map((c) => ({ ...c, id: `${spot(c)} → ${target(c)}`, source: spot(c), target: target(c) })); }
  if (has('peer_kind')) { return calls.flatMap((c) => [{ ...c, direction: 'outbound' }, ...(c.peer_kind === 'workload' ? [{ ...named.get(c.peer_workload), direction: 'inbound', peer_kind: 'workload', peer_namespace: c.namespace, peer_workload: c.workload, port: c.port, rate: c.rate, call: c.call }] : [])]); }
  if (name.startsWith('ALERTS')) {
    return [['WorkloadCrashLooping', 'warning', 'payments', 'Deployment', 'ledger', 'node-b'], ['QuotaNearlyUsed', 'warning', 'payments', '', '', ''], ['VolumeNearlyFull', 'warning', 'monitoring', 'StatefulSet', 'prometheus', ''], ['AlertPathAlive', 'info', '', '', '', '']]
      .map(([alertname, severity, namespace, workload_kind, workload, node]) => ({ alertname, severity, namespace, workload_kind, workload, node, alertstate: 'firing', source: 'yagura', area: 'workloads' }));
  }
  if (has('deployment')) { return ofKind('Deployment', 'deployment'); }
  if (has('statefulset')) { return ofKind('StatefulSet', 'statefulset'); }
  if (has('daemonset')) { return ofKind('DaemonSet', 'daemonset'); }
  if (has('cronjob')) { return ofKind('CronJob', 'cronjob'); }
  if (has('horizontalpodautoscaler')) { return hpas; }
  if (has('poddisruptionbudget')) { return ['web', 'db'].map((poddisruptionbudget) => ({ namespace: 'shop', poddisruptionbudget })); }
  if (has('resourcequota')) { return quotas.flatMap((q) => ['used', 'hard'].map((type) => ({ ...q, type }))); }
  if (has('persistentvolumeclaim')) { return claims; }
  if (has('persistentvolume')) { return claims.map((c) => ({ ...c, persistentvolume: `pv-${c.persistentvolumeclaim}` })); }
  if (has('volumeattachment')) { return [{ volumeattachment: 'csi-1', node: 'node-b', attacher: 'csi' }]; }
  if (has('container')) { return containers; }
  if (has('pod')) { return pods; }
  if (has('workload')) { return workloads; }
  if (has('namespace')) { return [...new Set(workloads.map((w) => w.namespace))].map((namespace) => ({ namespace, workload_kind: 'Deployment', rate: 1, cores: 0.1, mib: 100, bad: 0 })); }
  return nodes.map((node, n) => ({ node, n }));
}

const bounds = { container_lifetime_seconds: [1, 5, 10, 30, 60, 300, 1800, 3600], default: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1] };
const wave = (key, t) => 1 + 0.3 * Math.sin(t / 700 + 6 * part(key)) + 0.12 * Math.sin(t / 97 + 9 * part(key)) + 0.06 * Math.sin(t / 31 + 3 * part(key));

const GiB = 2 ** 30;
/** What a counter grows by in a second, or a gauge is, at a time: the first pattern that fits. */
const MODELS = [
  [/^up$|build_info|_info$|^container_info/, () => 1],
  [/^ALERTS_FOR_STATE$/, (s) => from + 9000 * part(s.alertname)], [/^ALERTS$/, () => 1],
  [/^workload_cpu_usage|^workload_cpu_used|container_cpu_accounted|container_cpu_time/, (s, t, k) => s.cores * wave(k, t) * ({ system: 0.25, user: 0.75 }[s.mode] ?? 1) * (s.pod && s.bad ? 0.3 : 1) / (s.pod ? s.replicas : 1)],
  [/^workload_cpu_requested/, (s) => s.cores * 1.8], [/^workload_memory_requested/, (s) => s.mib * 2 ** 20 * 1.5], [/^workload_memory_used_byte/, (s) => s.mib * 2 ** 20],
  [/^workload_cost_total/, (s) => (s.cores * 1.8 * 0.031 + (s.mib / 1024) * 1.5 * 0.004) / 3600 / (s.resource === 'cpu' ? 1 : 3)],
  [/^workload_memory_peak|exit_memory_peak/, (s) => s.mib * 2 ** 20 * 1.3],
  [/^container_memory_limit/, (s) => s.mib * 2 ** 20 * (s.workload === 'cart' ? 1.15 : 2)],
  [/^container_memory_used/, (s, t, k) => s.mib * 2 ** 20 * (s.workload === 'cart' ? 0.6 + 0.4 * Math.min(1, (t - from) / (to - from)) : 0.9 + 0.1 * wave(k, t))],
  [/^container_memory_bytes/, (s, t, k) => s.mib * 2 ** 20 * ({ anon: 0.55, file: 0.25, shm: 0.02, kernel: 0.08, socket: 0.01 }[s.kind] ?? 0.1) * (0.9 + 0.1 * wave(k, t))],
  [/^container_cpu_limit/, (s) => Math.max(0.1, s.cores * 2)],
  [/^container_pressure_waiting/, (s, t, k) => ({ cpu: 0.06, memory: 0.004, io: 0.02 }[s.resource]) * (s.workload === 'build' ? 9 : 1) * wave(k, t)],
  [/^container_pressure_stalled/, (s, t, k) => ({ cpu: 0, memory: 0.002, io: 0.012 }[s.resource]) * (s.workload === 'db' ? 9 : 1) * wave(k, t)],
  [/quota_periods/, (s, t, k) => (s.throttled === 'true' ? 0.4 : 9.6) * wave(k, t)],
  [/^workload_containers$/, (s) => s.replicas],
  [/^workload_pods$/, (s) => (s.phase === 'Running' ? s.replicas : s.phase === 'Succeeded' && s.workload_kind === 'CronJob' ? 3 : 0)],
  [/workload_pods_evicted|workload_pods_throttled|near_memory/, (s) => (s.workload === 'ledger' ? 1 : 0)], [/workload_pods_over/, (s) => (part(s.workload) > 0.7 ? 1 : 0)],
  [/containers_started/, (s, t) => (s.bad / 60) * (t % 1200 < 600 ? 1.5 : 0.5) + (s.workload_kind === 'CronJob' ? 0.05 : 0.0001)],
  [/containers_exited/, (s, t) => ({ completed: s.workload_kind === 'CronJob' ? 0.045 : 0, error: s.bad / 60, signal: s.bad / 600, oom: s.workload === 'ledger' ? 0.003 : 0, unknown: 0 }[s.reason])],
  [/container_lifetime_seconds/, (s) => (s.namespace === 'ci' || s.namespace === 'payments' ? 0.05 : 0.002)],
  [/oom_kills/, (s, t) => (s.workload === 'ledger' ? 0.003 : 0)], [/oom/, () => 0],
  [/processes_started|execs_total|threads_started/, (s) => s.rate * 0.2 + (s.workload === 'build' ? 12 : 0)], [/processes_ended/, (s) => s.rate * 0.05],
  [/connections_peer_failed|peer_connections_failed/, (s, t) => (s.call === 'mail:25' && s.direction === 'outbound' && s.reason === 'timeout' ? 0.4 : s.workload === 'ledger' && s.reason === 'refused' && s.direction === 'outbound' ? 0.3 : s.reason === 'refused' ? 0.002 : 0)],
  [/connections_failed_total/, (s) => (s.workload === 'orders' && s.reason === 'timeout' ? 0.4 : s.workload === 'ledger' && s.reason === 'refused' ? 0.3 : s.reason === 'refused' ? 0.004 : 0)],
  [/topology_edge_failures/, (s) => (s.call === 'mail:25' ? 0.4 : s.workload === 'ledger' ? 0.3 : 0.002)],
  [/connections_ended/, (s, t, k) => s.rate * ({ closed: 0.96, reset_by_peer: 0.02, reset: 0.01, timeout: s.workload === 'orders' ? 0.006 : 0, other: 0 }[s.outcome]) * wave(k, t)],
  [/connections_open$|connections_open\b/, (s, t, k) => Math.round(s.rate * 3 * wave(k, t))],
  [/(connections_opened|peer_opened|edge_connections)/, (s, t, k) => (s.direction === 'outbound' && !s.call && !s.calls?.length ? 0 : s.rate * (s.call ? 0.5 : 1) * wave(s.call ? s.workload + s.call : k, t))],
  [/retransmitted/, (s, t, k) => s.rate * (/bytes/.test(k) ? 30 : 0.02) * (s.workload === 'payments' ? 12 : 1) * wave(k, t)],
  [/rtt_seconds_total|connect_seconds_total/, (s, t, k) => s.rate * (s.peer_kind === 'world' ? 0.042 : 0.0007) * wave(s.call ?? k, t)], [/rtt_samples/, (s) => s.rate],
  [/rtt_seconds|connect_seconds|answer_seconds/, (s) => s.rate],
  [/(edge|sent|received)_bytes|peer_sent|peer_received|traffic_bytes/, (s, t, k) => s.rate * 9000 * (0.5 + part(k)) * wave(k, t)],
  [/dns_queries/, (s, t, k) => ({ a: 0.5, aaaa: 0.5 }[s.type] ?? 0) * s.rate * wave(k, t)],
  [/dns_answers/, (s, t, k) => ({ noerror: 0.35, nxdomain: 0.6, servfail: s.workload === 'payments' ? 0.09 : 0.002 }[s.code] ?? 0) * s.rate * wave(k, t)],
  [/dns_timeouts/, (s) => (s.workload === 'orders' ? 0.12 : 0.001)],
  [/turned_away/, (s, t) => (s.workload === 'catalogue' && t % 1800 < 240 ? 0.3 : 0)], [/listen_waiting_limit/, () => 128], [/listen_waiting/, () => 1],
  [/udp_dropped/, (s) => (s.workload === 'coredns' ? 0.2 : 0)], [/dropped_packets/, (s, t, k) => (s.reason === 'netfilter_drop' ? 0.3 + (s.workload === 'import' ? 7 : 0) : 0.02) * wave(k, t)],
  [/storage_read|io_bytes|disk_read_bytes/, (s, t, k) => (s.workload === 'db' ? 3e6 : 8e4) * wave(k, t)], [/storage_written|disk_written/, (s, t, k) => (s.workload === 'db' ? 6e6 : 1.5e5) * wave(k, t)],
  [/^container_(tasks|process|open_file_descriptors)$/, (s) => Math.round(12 + 40 * part(s.pod))],
  [/exit_code/, (s) => (s.workload === 'ledger' ? 1 : 0)],
  // kube-state
  [/kube_node_spec_unschedulable/, () => 0],
  [/kube_pod_status_phase/, (s) => Number(s.phase === 'Running')], [/kube_pod_status_ready/, (s, t) => Number(s.condition === 'true') * (s.workload === 'ledger' && t % 300 < 150 ? 0 : 1)],
  [/kube_node_status_condition/, (s) => Number(s.condition === 'Ready' ? s.status === 'true' : s.status === 'false')],
  [/kube_deployment_status_condition/, (s) => Number(s.status === 'true' && s.condition !== 'ReplicaFailure')],
  [/kube_.*(unavailable)/, (s) => (s.workload === 'ledger' ? 1 : 0)],
  [/kube_(deployment|statefulset|daemonset)_.*(available)/, (s, t) => s.replicas - (s.workload === 'ledger' && t % 300 < 150 ? 1 : 0)],
  [/kube_(deployment|statefulset|daemonset)_.*(replicas|scheduled)/, (s) => s.replicas],
  [/observed_generation|metadata_generation/, (s, t) => 3 + (s.workload === 'cart' ? Math.floor((t - from) / 4000) : 0)],
  [/cronjob_next_schedule/, (s, t) => t - (t % 600) + 600], [/last_successful_time/, (s, t) => t - (t % 600) + 40], [/last_schedule/, (s, t) => t - (t % 600)], [/cronjob_status_active/, (s, t) => Number(t % 600 < 60)],
  [/autoscaler_status_current/, (s) => s.now], [/autoscaler_status_desired/, (s) => s.now], [/autoscaler_spec_max/, (s) => s.most], [/autoscaler_spec_min/, (s) => s.least],
  [/autoscaler_status_condition/, (s) => Number(s.condition === 'ScalingLimited' ? (s.status === 'true') === (s.now === s.most) : s.status === 'true')],
  [/poddisruptionbudget_status_pod_disruptions/, (s) => (s.poddisruptionbudget === 'db' ? 0 : 1)], [/poddisruptionbudget/, (s) => (s.poddisruptionbudget === 'db' ? 1 : 2)],
  [/kube_resourcequota$/, (s) => s[s.type]],
  [/allocatable|status_capacity/, (s) => ({ cpu: 4, memory: 8 * GiB, pods: 110 }[s.resource] ?? 0)],
  [/resource_requests_storage|volume_stats_capacity|persistentvolume_capacity/, () => 20 * GiB],
  [/resource_(requests|limits)/, (s) => (s.resource === 'cpu' ? s.cores * 1.8 : s.resource === 'memory' ? s.mib * 2 ** 20 * 1.5 : 0) / s.replicas],
  [/persistentvolumeclaim_status_phase|persistentvolume_status_phase/, (s) => Number(s.phase === s.state)], [/persistentvolumeclaim_created/, () => from - 5000],
  [/volume_stats_available/, (s, t) => 20 * GiB * s.left * (1 - 0.15 * ((t - from) / (to - from)))], [/volume_stats_used/, (s, t) => 20 * GiB * (1 - s.left * (1 - 0.15 * ((t - from) / (to - from))))],
  [/volume_stats_inodes_used/, (s) => 1.3e6 * (1 - s.left * 0.9)], [/volume_stats_inodes/, () => 1.3e6],
  [/volumeattachment_created/, () => to - 9000], [/volumeattachment_status_attached/, () => 0], [/waiting_reason/, (s, t) => (s.workload === 'ledger' && t % 300 < 150 ? 1 : 0)], [/last_terminated_reason/, () => 1],
  [/restarts_total/, (s) => s.bad / 60], [/kube_pod_status_unschedulable/, (s) => Number(s.workload === 'import')], [/deletion_timestamp/, () => from], [/kube_namespace_status_phase/, () => 1],
  // nodes
  [/node_cpu_seconds/, (s, t, k) => ({ idle: 0.52, user: 0.3, system: 0.1, iowait: 0.04, softirq: 0.02, steal: 0.01 }[s.mode] ?? 0.001) * (s.mode === 'idle' ? 1 : wave(s.node + s.mode, t))],
  [/MemTotal/, () => 8 * GiB], [/MemAvailable/, (s, t, k) => (2.5 - s.n) * GiB * wave(k, t)], [/MemFree/, (s, t, k) => 0.3 * GiB * wave(k, t)],
  [/node_pressure_cpu_waiting/, (s, t, k) => (0.08 + 0.1 * s.n) * wave(k, t)], [/node_pressure_(memory|io)_waiting/, (s, t, k) => 0.05 * wave(k, t)], [/node_pressure/, (s, t, k) => 0.02 * wave(k, t)],
  [/filesystem_size/, () => 80 * GiB], [/filesystem_avail/, (s, t) => 80 * GiB * (s.mountpoint === '/' ? 0.4 : 0.09)], [/filesystem_files_free/, () => 3.9e6], [/filesystem_files/, () => 5e6], [/readonly|device_error/, () => 0],
  [/disk_(read|write)_time/, (s, t, k) => 0.25 * wave(k, t)], [/disk_(reads|writes)_completed/, (s, t, k) => 40 * wave(k, t)],
  [/network_(receive|transmit)_bytes/, (s, t, k) => 4e6 * wave(k, t)], [/_errs_total/, () => 0.002], [/network_.*packets_total/, (s, t, k) => 3000 * wave(k, t)],
  [/conntrack_entries_limit/, () => 262144], [/conntrack_entries/, (s, t, k) => 30000 * wave(k, t)], [/timex_offset/, (s, t, k) => 0.0004 * (wave(k, t) - 1)], [/timex_maxerror/, (s, t) => 0.004 + 0.03 * ((t % 1000) / 1000)], [/timex_sync/, () => 1],
  [/filefd_allocated/, () => 9000], [/filefd_maximum/, () => 200000], [/boot_time/, (s) => from - 400000], [/hung|edac|md_degraded|systemd/, () => 0],
  // the agent and kube-state themselves
  [/process_cpu/, (s, t, k) => 0.004 * wave(k, t)], [/process_resident/, (s, t, k) => 20.5 * 2 ** 20 * (1 + 0.01 * wave(k, t))], [/kernel_memory/, () => 4.1 * 2 ** 20],
  [/feature_enabled/, (s) => (s.feature === 'drops' && s.node === 'node-c' ? 0 : 1)], [/audit_error/, (s, t, k) => 0.012 * (wave(k, t) - 1)], [/lost_total/, (s, t) => (s.feature === 'dns' && t % 2400 < 120 ? 0.6 : 0)],
  [/series_dropped|errors_total|late_total/, () => 0], [/reload_successful|synced|served/, () => 1], [/pods_age|peers_age/, (s, t) => t % 60], [/run_seconds/, (s, t, k) => 0.0004 * wave(k, t)],
  [/request_duration/, () => 0.07], [/page_series/, (s) => ({ '/metrics': 15808, '/metrics/cadvisor': 26978, '/metrics/node': 465 }[s.page])], [/collector_duration/, (s, t, k) => 0.006 * part(k) * wave(k, t)],
  [/kube_state_age/, (s, t) => (t + hash(s.kind)) % 70], [/total_shards/, () => 1], [/shard_ordinal/, () => 0], [/objects/, (s) => 20 + Math.round(400 * part(s.kind))],
];

function families() {
  const all = [];
  for (const file of o.catalog) {
    const catalog = JSON.parse(readFileSync(file, 'utf8'));
    const attached = catalog.program === 'yagura-exporter' ? ['instance', 'job', 'node'] : ['instance', 'job'];
    for (const f of catalog.sections.flatMap((s) => s.families)) {
      all.push({ name: f.name, kind: f.kind, labels: f.labels.map((l) => l.name), fixed: Object.fromEntries(f.labels.filter((l) => l.values).map((l) => [l.name, l.values])), attached });
    }
  }
  for (const [name, labels] of [['up', []], ['ALERTS_FOR_STATE', ['alertname', 'severity', 'area', 'source', 'namespace', 'workload_kind', 'workload', 'node']], ['ALERTS', ['alertname', 'alertstate', 'severity', 'area', 'source', 'namespace', 'workload_kind', 'workload', 'node']],
    ...['capacity_bytes', 'available_bytes', 'used_bytes', 'inodes', 'inodes_used'].map((n) => [`kubelet_volume_stats_${n}`, ['namespace', 'persistentvolumeclaim']])]) {
    all.push({ name, kind: 'gauge', labels, fixed: {}, attached: ['instance', 'job'] });
  }
  for (const f of all.filter((x) => /workload_owner_info/.test(x.name))) { f.labels.push('team'); }
  const seen = new Set();
  const first = (f) => !seen.has(f.name + f.attached) && seen.add(f.name + f.attached);
  return all.filter((f) => first(f) && new RegExp(`\\b${f.name}(_bucket|_sum|_count)?\\b`).test(boards));
}

const teams = { shop: 'storefront', payments: 'payments', ci: 'platform', monitoring: 'platform', 'kube-system': 'platform' };
function* series(f) {
  for (const subject of subjects(f.name, [...f.labels])) {
    let rows = [{ ...subject }];
    for (const label of f.labels) {
      const own = label in subject ? undefined
        : label === 'team' ? [teams[subject.namespace] ?? 'apps'] : label === 'reason' && REASONS[f.name] ? REASONS[f.name]
        : label === 'phase' && PHASES[f.name] ? PHASES[f.name] : label === 'condition' ? (/node/.test(f.name) ? ['Ready', 'MemoryPressure'] : /autoscaler/.test(f.name) ? ['AbleToScale', 'ScalingActive', 'ScalingLimited'] : /pod/.test(f.name) ? ['true', 'false'] : ['Available', 'Progressing'])
        : label === 'status' ? ['true', 'false', 'unknown'] : label === 'resource' && !f.fixed[label] ? (/status/.test(f.name) ? ['cpu', 'memory', 'pods'] : ['cpu', 'memory'])
        : label === 'device' && /^node_network|^machine_network/.test(f.name) ? ['eth0'] : f.fixed[label] ?? OPEN[label] ?? [''];
      if (own) { rows = rows.flatMap((r) => own.map((v) => ({ ...r, [label]: v }))); }
    }
    yield* rows;
  }
}

const out = createWriteStream(o.out);
const escaped = (v) => String(v).replace(/\\/g, '\\\\').replace(/"/g, '\\"');
let count = 0;
const missing = new Set();
for (const f of families()) {
  const model = MODELS.find(([pattern]) => pattern.test(f.name))?.[1] ?? (missing.add(f.name), () => 1);
  if (/deletion_timestamp|kube_node_deletion/.test(f.name)) { continue; }
  const isCounter = ['counter', 'histogram'].includes(f.kind);
  const seen = new Set();
  for (const s of series(f)) {
    const node = s.node || nodes[0];
    const labels = { ...Object.fromEntries(f.labels.map((l) => [l, s[l] ?? ''])) };
    if (o.cluster) { labels.cluster = o.cluster; }
    if (f.attached.includes('node')) { labels.node = node; labels.instance = `${node}:9090`; labels.job = 'agents'; } else { labels.instance = 'state:8080'; labels.job = 'state'; }
    const buckets = f.kind === 'histogram' ? bounds[f.name] ?? bounds.default : undefined;
    const text = (extra = {}) => Object.entries({ ...labels, ...extra }).filter(([, v]) => v !== '').map(([k, v]) => `${k}="${escaped(v)}"`).join(',');
    if (seen.has(text())) { continue; }
    seen.add(text());
    const key = f.name + text();
    const write = async (name, labelText, value) => {
      let total = 0;
      let lines = '';
      for (let t = from; t <= to; t += step) {
        const now = value(t);
        total += isCounter ? now * step : 0;
        lines += `${name}{${labelText}} ${Number((isCounter ? total : now).toPrecision(9))} ${t}\n`;
      }
      count++;
      if (!out.write(lines)) { await once(out, 'drain'); }
    };
    if (buckets) {
      // Around a middle that depends on who it is.
      const middle = /lifetime/.test(f.name) ? (s.namespace === 'ci' ? 9 : s.namespace === 'payments' ? 25 : 900) : /connect/.test(f.name) ? 0.0009 : /answer/.test(f.name) ? 0.0012 : s.workload === 'payments' ? 0.05 : 0.0012 * (0.5 + part(s.workload ?? 'x'));
      for (const [i, b] of [...buckets, Infinity].entries()) {
        const share = (t) => (b === Infinity ? 1 : 1 / (1 + Math.exp(-2.2 * Math.log(b / (middle * wave(key, t))))));
        await write(`${f.name}_bucket`, text({ le: b === Infinity ? '+Inf' : String(b) }), (t) => model(s, t, key) * Math.max(share(t), 0));
      }
      continue;
    }
    await write(f.name, text(), (t) => model(s, t, key));
  }
}
out.end('# EOF\n');
await once(out, 'finish');
console.error(`${count} series, ${Math.floor((to - from) / step) + 1} samples each`);
if (missing.size) { console.error(`no model, so 1: ${[...missing].join(' ')}`); }
