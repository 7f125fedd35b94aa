{{- define "yagura.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "yagura.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "yagura.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "yagura.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "yagura.agent.fullname" -}}
{{ include "yagura.fullname" . }}-agent
{{- end -}}

{{- define "yagura.kubeState.fullname" -}}
{{ include "yagura.fullname" . }}-kube-state
{{- end -}}

{{- define "yagura.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* Labels of an object that belongs to no component. */}}
{{- define "yagura.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "yagura.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: yagura
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "yagura.agent.selector" -}}
app.kubernetes.io/name: {{ include "yagura.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "yagura.kubeState.selector" -}}
app.kubernetes.io/name: {{ include "yagura.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: kube-state
{{- end -}}

{{- define "yagura.agent.labels" -}}
{{ include "yagura.labels" . }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "yagura.kubeState.labels" -}}
{{ include "yagura.labels" . }}
app.kubernetes.io/component: kube-state
{{- end -}}

{{/* The reference of an image: (dict "image" .Values.x.image "root" $). */}}
{{- define "yagura.image" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry .image.repository) .image.repository (ne $registry "") -}}
{{- if .image.digest -}}
{{ $name }}@{{ .image.digest }}
{{- else -}}
{{ $name }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{- define "yagura.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets -}}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "yagura.agent.serviceAccount" -}}
{{- if .Values.agent.serviceAccount.create -}}
{{- default (include "yagura.agent.fullname" .) .Values.agent.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.agent.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "yagura.kubeState.serviceAccount" -}}
{{- if .Values.kubeState.serviceAccount.create -}}
{{- default (include "yagura.kubeState.fullname" .) .Values.kubeState.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.kubeState.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "yagura.isOpenShift" -}}
{{- if or (eq .Values.platform "openshift") (.Capabilities.APIVersions.Has "security.openshift.io/v1") -}}true{{- end -}}
{{- end -}}

{{/* What the programs declare that they need: made from their code. */}}
{{- define "yagura.needs" -}}
{{ .Files.Get "files/needs.yaml" }}
{{- end -}}

{{/* Capabilities of the agent, as a list in JSON. */}}
{{- define "yagura.agent.capabilities" -}}
{{- $security := .Values.agent.security -}}
{{- $needs := include "yagura.needs" . | fromYaml -}}
{{- $all := list -}}
{{- if eq $security.profile "ebpf-least" -}}
{{- $all = $needs.agent.capabilities -}}
{{- if $security.connectionsBeforeStart -}}{{- $all = append $all "SYS_ADMIN" -}}{{- end -}}
{{- if $security.datagramsByCgroup -}}{{- $all = append $all "NET_ADMIN" -}}{{- end -}}
{{- end -}}
{{- concat $all $security.extraCapabilities | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- define "yagura.owners" -}}
{{- $pairs := list -}}
{{- range $label, $key := .Values.owners -}}
{{- $pairs = append $pairs (printf "%s=%s" $label $key) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/* Addresses at which agents ask for peers. */}}
{{- define "yagura.peers" -}}
{{- $name := include "yagura.kubeState.fullname" . -}}
{{- $namespace := include "yagura.namespace" . -}}
{{- $urls := list -}}
{{- if gt (int .Values.kubeState.shards) 1 -}}
{{- range $shard := until (int .Values.kubeState.shards) -}}
{{- $urls = append $urls (printf "http://%s-%d.%s.%s.svc:%d" $name $shard $name $namespace (int $.Values.kubeState.port)) -}}
{{- end -}}
{{- else -}}
{{- $urls = append $urls (printf "http://%s.%s.svc:%d" $name $namespace (int .Values.kubeState.port)) -}}
{{- end -}}
{{- join "," $urls -}}
{{- end -}}

{{/* The agent's views: path, and job by the names that the user's rules and dashboards expect. */}}
{{- define "yagura.agent.endpoints" -}}
{{- $jobs := get (dict
  "mixin" (dict "own" "yagura" "node" "node-exporter" "cadvisor" "cadvisor")
  "kube-prometheus" (dict "own" "yagura" "node" "node-exporter" "cadvisor" "kubelet")
  "none" (dict "own" "yagura" "node" "yagura-node" "cadvisor" "yagura-cadvisor")) .Values.prometheus.jobLabels -}}
{{- $paths := dict "own" "/metrics" "node" "/metrics/node" "cadvisor" "/metrics/cadvisor" -}}
{{- $all := list -}}
{{- range $view := list "own" "node" "cadvisor" -}}
{{- if get $.Values.agent.views $view -}}
{{- $all = append $all (dict "path" (get $paths $view) "job" (get $jobs $view)) -}}
{{- end -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}

{{- define "yagura.kubeState.job" -}}
{{- ternary "yagura-kube-state" "kube-state-metrics" (eq .Values.prometheus.jobLabels "none") -}}
{{- end -}}

{{/* Whether the Prometheus Operator's definitions are there. */}}
{{- define "yagura.hasOperator" -}}
{{- if or .Values.prometheus.assumeOperator (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") -}}true{{- end -}}
{{- end -}}

{{/* Rules of a role, of rights that are written group|resource|verbs: each right once, those of a group together. */}}
{{- define "yagura.roleRules" -}}
{{- $byGroup := dict -}}
{{- range $right := . | uniq | sortAlpha -}}
{{- $parts := splitList "|" $right -}}
{{- $key := printf "%s|%s" (index $parts 0) (index $parts 2) -}}
{{- $_ := set $byGroup $key (append (default list (get $byGroup $key)) (index $parts 1)) -}}
{{- end -}}
{{- range $key := keys $byGroup | sortAlpha }}
{{- $parts := splitList "|" $key }}
- apiGroups: [{{ index $parts 0 | quote }}]
  resources:
  {{- range get $byGroup $key }}
  - {{ . }}
  {{- end }}
  verbs: [{{ index $parts 1 | replace "," ", " }}]
{{- end }}
{{- end -}}
