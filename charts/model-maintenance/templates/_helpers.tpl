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
{{- .Release.Name | replace "." "-" | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" (.Release.Name | replace "." "-") $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "model-maintenance.selectorLabels" -}}
app.kubernetes.io/name: {{ include "model-maintenance.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object; those of commonLabels that are not the chart's own. */}}
{{- define "model-maintenance.labels" -}}
{{- merge (include "model-maintenance.ownLabels" . | fromYaml) (default dict .Values.commonLabels) | toYaml }}
{{- end }}

{{- define "model-maintenance.ownLabels" -}}
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
{{- $_ := set $servers $name $server }}
{{- end }}
{{- $trainer := dict "image" (include "model-maintenance.image" (list .Values.trainer.image .)) "imagePullPolicy" .Values.trainer.image.pullPolicy }}
{{- range $name := list "scratchSize" "allow" }}
{{- with index $.Values.trainer $name }}
{{- $_ := set $trainer $name . }}
{{- end }}
{{- end }}
{{- $logging := dict "level" .Values.logging.level "format" .Values.logging.format }}
{{- dict "prometheusServers" $servers "trainer" $trainer "watchNamespaces" (default list .Values.watchNamespaces) "guard" .Values.guard "log" $logging | toYaml }}
{{- end }}

{{/* Labels of objects that belong to the release but are not the operator: a Service must not select them. */}}
{{- define "model-maintenance.testLabels" -}}
app.kubernetes.io/name: {{ include "model-maintenance.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What the operator may do, in all namespaces or in each that it watches. */}}
{{- define "model-maintenance.rules" -}}
# Reads what is declared; never writes a spec.
- apiGroups: [modelmaintenance.dev]
  resources: [modelmaintenances]
  verbs: [get, list, watch]
- apiGroups: [modelmaintenance.dev]
  resources: [modelmaintenances/status]
  verbs: [update]
# Diagnosis and training.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
# The report is the termination message of the Job's pod.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
# <name>-champion tells servers which version to serve. No delete: a server keeps its model.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, update]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list]
{{- end }}

{{/* The ports of prometheus.servers, as a JSON list: the URL's, or the scheme's. */}}
{{- define "model-maintenance.prometheusPorts" -}}
{{- $ports := list }}
{{- range $server := .Values.prometheus.servers }}
{{- $url := urlParse $server.url }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- $ports = append $ports (int (default (ternary 443 80 (eq $url.scheme "https")) $port)) }}
{{- end }}
{{- concat $ports .Values.networkPolicy.prometheus.ports | uniq | sortAlpha | toJson }}
{{- end }}

{{/* One rule of egress, from {to, ports} and protocols. */}}
{{- define "model-maintenance.egress" -}}
{{- $target := index . 0 }}
{{- $protocols := index . 1 }}
- ports:
    {{- range $port := $target.ports }}
    {{- range $protocols }}
    - port: {{ int $port }}
      protocol: {{ . }}
    {{- end }}
    {{- end }}
  {{- with $target.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* How the operator is scraped, from a ServiceMonitor's or PodMonitor's values. The operator's own
labels "namespace" and "name" say which resource is meant, so they win over those of the pod. */}}
{{- define "model-maintenance.endpoint" -}}
- port: http
  path: /metrics
  honorLabels: true
  {{- with .interval }}
  interval: {{ . | quote }}
  {{- end }}
  {{- with .scrapeTimeout }}
  scrapeTimeout: {{ . | quote }}
  {{- end }}
{{- end }}

{{/* The labels of an object, and further ones that do not replace them. */}}
{{- define "model-maintenance.labelsAnd" -}}
{{- merge (include "model-maintenance.labels" (index . 1) | fromYaml) (default dict (index . 0)) | toYaml }}
{{- end }}
