{{/*
One rule file with the user's changes, as YAML: (dict "path" "files/rules/x.yaml" "root" $). Expressions and annotations hold
templates of Prometheus, which are not Helm's to fill in.
*/}}
{{- define "yagura.rules" -}}
{{- $alerts := .root.Values.alerts -}}
{{- $groups := list -}}
{{- range $group := (.root.Files.Get .path | fromYaml).groups -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- if not $rule.alert -}}
{{- $rules = append $rules $rule -}}
{{- else if not (get $alerts.disabled $rule.alert) -}}
{{- $override := default dict (get $alerts.overrides $rule.alert) -}}
{{- with $override.for -}}{{- $_ := set $rule "for" . -}}{{- end -}}
{{- with get $override "keep_firing_for" -}}{{- $_ := set $rule "keep_firing_for" . -}}{{- end -}}
{{- with $override.severity -}}{{- $_ := set $rule.labels "severity" . -}}{{- end -}}
{{- range $name, $value := $alerts.ruleLabels -}}{{- $_ := set $rule.labels $name $value -}}{{- end -}}
{{- range $name, $text := $rule.annotations -}}
{{- if $alerts.grafanaUrl -}}
{{- $text = $text | replace "{{ or $externalLabels.grafana \"\" }}" (trimSuffix "/" $alerts.grafanaUrl) -}}
{{- end -}}
{{- if $alerts.runbooksUrl -}}
{{- $text = regexReplaceAll "\\{\\{ or \\$externalLabels\\.runbooks \"[^\"]*\" \\}\\}" $text (trimSuffix "/" $alerts.runbooksUrl) -}}
{{- end -}}
{{- $_ := set $rule.annotations $name $text -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $_ := set $group "rules" $rules -}}
{{- $groups = append $groups $group -}}
{{- end -}}
{{- end -}}
{{- if $groups -}}
groups:
{{ toYaml $groups }}
{{- end -}}
{{- end -}}
