{{/* Settings that cannot work are refused here, each with one sentence that says what to change. */}}
{{- define "yagura.validate" -}}
{{- $wantsOperator := list -}}
{{- if and .Values.agent.enabled .Values.agent.podMonitor.enabled -}}{{- $wantsOperator = append $wantsOperator "agent.podMonitor.enabled" -}}{{- end -}}
{{- if and .Values.kubeState.enabled .Values.kubeState.serviceMonitor.enabled -}}{{- $wantsOperator = append $wantsOperator "kubeState.serviceMonitor.enabled" -}}{{- end -}}
{{- if .Values.alerts.enabled -}}{{- $wantsOperator = append $wantsOperator "alerts.enabled" -}}{{- end -}}
{{- if and $wantsOperator (not (include "yagura.hasOperator" .)) -}}
{{- fail (printf "%s: the cluster has no monitoring.coreos.com/v1; install the Prometheus Operator's definitions, or set prometheus.assumeOperator=true when another cluster gets this" (join ", " $wantsOperator)) -}}
{{- end -}}
{{- if and .Values.agent.enabled (eq .Values.platform "gke-autopilot") -}}
{{- fail "agent.enabled: GKE Autopilot admits no pod that sees its node; set agent.enabled=false, or get an allowlist from Google and leave platform empty" -}}
{{- end -}}
{{- if and .Values.agent.enabled (eq .Values.platform "eks-fargate") -}}
{{- fail "agent.enabled: Fargate runs no DaemonSets; set agent.enabled=false, or leave platform empty when only some nodes are Fargate's" -}}
{{- end -}}
{{- if and (not .Values.agent.enabled) (not .Values.kubeState.enabled) (not .Values.alerts.enabled) (not .Values.alerts.configMap) (not .Values.dashboards.enabled) (not .Values.extraManifests) -}}
{{- fail "nothing is switched on: set one of agent.enabled, kubeState.enabled, alerts.enabled, dashboards.enabled" -}}
{{- end -}}
{{- if and .Values.kubeState.enabled (eq (int .Values.kubeState.port) (int .Values.kubeState.telemetryPort)) -}}
{{- fail (printf "kubeState.telemetryPort: %d is kubeState.port too; each takes its own" (int .Values.kubeState.port)) -}}
{{- end -}}
{{- if and .Values.kubeState.metricAllowlist .Values.kubeState.metricDenylist -}}
{{- fail "kubeState.metricAllowlist and kubeState.metricDenylist cannot be combined; set one of them" -}}
{{- end -}}
{{- range $flag := .Values.kubeState.extraArgs -}}
{{- if regexMatch "^--(shard|total-shards|pod|pod-namespace)(=|$)" $flag -}}
{{- fail (printf "kubeState.extraArgs: %s is the chart's to set; use kubeState.shards" $flag) -}}
{{- end -}}
{{- end -}}
{{- $needs := include "yagura.needs" . | fromYaml -}}
{{- range .Values.kubeState.collectors -}}
{{- if not (hasKey $needs.kubeState.kinds .) -}}
{{- fail (printf "kubeState.collectors: there is no kind %q; there are %s" . (keys $needs.kubeState.kinds | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.kubeState.enabled .Values.kubeState.collectors (not (has "pods" .Values.kubeState.collectors)) -}}
{{- range $name := list "podWorkloads" "peers" "podLifetimes" "workloadRequests" -}}
{{- if get $.Values.kubeState $name -}}
{{- fail (printf "kubeState.%s: pods are not among kubeState.collectors; add them, or set kubeState.%s=false" $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.agent.enabled (eq .Values.agent.security.profile "restricted") -}}
{{- range $name := list "connectionsBeforeStart" "datagramsByCgroup" "extraCapabilities" -}}
{{- if get $.Values.agent.security $name -}}
{{- fail (printf "agent.security.%s: the profile restricted gives no capability; use ebpf-least" $name) -}}
{{- end -}}
{{- end -}}
{{- if .Values.agent.keepCounting -}}
{{- fail "agent.keepCounting: the profile restricted has no eBPF programs that could go on; use ebpf-least" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.agent.enabled .Values.agent.hostNetwork -}}
{{- range $set := (lookup "apps/v1" "DaemonSet" "" "").items -}}
{{- if not (and (eq $set.metadata.namespace (include "yagura.namespace" $)) (eq $set.metadata.name (include "yagura.agent.fullname" $))) -}}
{{- range $container := $set.spec.template.spec.containers -}}
{{- range $port := $container.ports -}}
{{- if eq (int (default 0 $port.hostPort)) (int $.Values.agent.port) -}}
{{- fail (printf "agent.hostNetwork: port %d of every node belongs to the DaemonSet %s/%s; set agent.port, or agent.hostNetwork=false" (int $.Values.agent.port) $set.metadata.namespace $set.metadata.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
