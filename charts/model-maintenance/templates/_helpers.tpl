{{/* The chart's name, or what overrides it. */}}
{{- define "model-maintenance.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of namespaced objects: the release's, with the chart's in it. Every template asks for
it first, whatever the order they are rendered in: so values are checked before they are used. */}}
{{- define "model-maintenance.fullname" -}}
{{- include "model-maintenance.check" . }}
{{- $name := include "model-maintenance.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "model-maintenance.selectorLabels" -}}
app.kubernetes.io/name: {{ include "model-maintenance.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "model-maintenance.labels" -}}
{{ include "model-maintenance.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: model-maintenance
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "model-maintenance.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "model-maintenance.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image reference from {repository, tag, digest}; the digest wins. */}}
{{- define "model-maintenance.image" -}}
{{- $image := index . 0 }}
{{- $root := index . 1 }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default $root.Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{/* The operator's configuration file. */}}
{{- define "model-maintenance.config" -}}
{{- $servers := dict }}
{{- range $name, $server := .Values.prometheus.servers }}
{{- $_ := set $servers $name (dict "url" $server.url) }}
{{- end }}
{{- $trainer := dict "image" (include "model-maintenance.image" (list .Values.trainer.image .)) "imagePullPolicy" .Values.trainer.image.pullPolicy }}
{{- $logging := dict "level" .Values.logging.level "format" .Values.logging.format }}
{{- dict "prometheusServers" $servers "trainer" $trainer "watchNamespaces" .Values.watchNamespaces "log" $logging | toYaml }}
{{- end }}
