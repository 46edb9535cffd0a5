{{/*
What values.schema.json cannot say in words that help: forms, and values that exclude each other.
Said here, with the name of the value and what to write instead, before anything is rendered.
*/}}
{{- define "model-maintenance.check" -}}
{{- range $name, $server := .Values.prometheus.servers }}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" $name) }}
{{- fail (printf "\n\nvalues: prometheus.servers: %q is no name; write small letters, digits and dashes, at most 63\n" $name) }}
{{- end }}
{{- if not (regexMatch "^https?://[^[:space:]]+$" $server.url) }}
{{- fail (printf "\n\nvalues: prometheus.servers.%s.url is %q; write http://<host>:<port> or https\n" $name $server.url) }}
{{- end }}
{{- end }}
{{- range .Values.watchNamespaces }}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" .) }}
{{- fail (printf "\n\nvalues: watchNamespaces: %q is no name of a namespace; patterns are not read\n" .) }}
{{- end }}
{{- end }}
{{- range $path, $digest := dict "image.digest" .Values.image.digest "trainer.image.digest" .Values.trainer.image.digest }}
{{- if and $digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $digest)) }}
{{- fail (printf "\n\nvalues: %s is %q; write sha256: and 64 hexadecimal digits\n" $path $digest) }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
{{- fail "\n\nvalues: metrics.serviceMonitor.enabled and metrics.podMonitor.enabled: enable one, or every metric is counted twice\n" }}
{{- end }}
{{- range $kind, $monitor := dict "serviceMonitor" .Values.metrics.serviceMonitor "podMonitor" .Values.metrics.podMonitor }}
{{- range $field, $duration := dict "interval" $monitor.interval "scrapeTimeout" $monitor.scrapeTimeout }}
{{- if and $duration (not (regexMatch "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$" $duration)) }}
{{- fail (printf "\n\nvalues: metrics.%s.%s is %q; write a duration like 30s\n" $kind $field $duration) }}
{{- end }}
{{- end }}
{{- end }}
{{- $alerts := list }}
{{- range ($.Files.Get "files/alerts.yaml" | fromYaml).groups }}
{{- range .rules }}
{{- $alerts = append $alerts .alert }}
{{- end }}
{{- end }}
{{- range .Values.metrics.prometheusRule.disabled }}
{{- if not (has . $alerts) }}
{{- fail (printf "\n\nvalues: metrics.prometheusRule.disabled: there is no alert %q; there are %s\n" . (join ", " $alerts)) }}
{{- end }}
{{- end }}
{{- end }}
