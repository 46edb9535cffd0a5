{{/*
What values.schema.json cannot say in words that help: forms, values that exclude each other, and all else that
the operator's configuration, the API server or the cluster would refuse later. Said here, with the name of the
value and what to write instead, before anything is rendered, so before anything is installed.
*/}}
{{- define "model-maintenance.check" -}}
{{- include "model-maintenance.check.servers" . }}
{{- include "model-maintenance.check.images" . }}
{{- include "model-maintenance.check.trainer" . }}
{{- include "model-maintenance.check.names" . }}
{{- include "model-maintenance.check.labels" . }}
{{- include "model-maintenance.check.process" . }}
{{- include "model-maintenance.check.metrics" . }}
{{- include "model-maintenance.check.cluster" . }}
{{- end }}

{{/* (list <name of the value> <what is wrong, and what to write>) */}}
{{- define "model-maintenance.refuse" -}}
{{- fail (printf "\n\nvalues: %s\n" (join ": " .)) }}
{{- end }}

{{/* The same texts as in the operator's settings.py; tests hold them equal. */}}
{{- define "model-maintenance.check.servers" -}}
{{- $name := "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" }}
{{- range $server, $entry := .Values.prometheus.servers }}
{{- $at := printf "prometheus.servers.%s" $server }}
{{- if not (regexMatch $name $server) }}
{{- include "model-maintenance.refuse" (list "prometheus.servers" (printf "%q is no name; write small letters, digits and dashes, at most 63" $server)) }}
{{- end }}
{{- include "model-maintenance.check.url" (list (printf "%s.url" $at) $entry.url) }}
{{- range $header, $value := $entry.headers }}
{{- $here := printf "%s.headers.%s" $at $header }}
{{- if eq (lower $header) "authorization" }}
{{- include "model-maintenance.refuse" (list $here "a secret belongs into a file: set bearerTokenFile or basicAuth, and name its Secret in prometheus.secrets") }}
{{- end }}
{{- if not (and (regexMatch "^[A-Za-z0-9!#$%&'*+.^_|~-]+$" $header) (regexMatch "^[ \\pL\\pM\\pN\\pP\\pS]+$" $value) (trim $value)) }}
{{- include "model-maintenance.refuse" (list $here "no header can be called or hold that; write a name like X-Scope-OrgID and a line of text") }}
{{- end }}
{{- end }}
{{- if and $entry.basicAuth $entry.bearerTokenFile }}
{{- include "model-maintenance.refuse" (list $at "set bearerTokenFile or basicAuth, not both") }}
{{- end }}
{{- with $entry.basicAuth }}
{{- if not (trim .username) }}
{{- include "model-maintenance.refuse" (list (printf "%s.basicAuth.username" $at) "is blank; write a user's name") }}
{{- end }}
{{- end }}
{{- with $entry.tls }}
{{- if ne (empty .certFile) (empty .keyFile) }}
{{- include "model-maintenance.refuse" (list (printf "%s.tls" $at) "certFile and keyFile belong together") }}
{{- end }}
{{- if and (hasKey . "serverName") (not (trim (default "" .serverName))) }}
{{- include "model-maintenance.refuse" (list (printf "%s.tls.serverName" $at) "is blank; write a host name, or leave it out") }}
{{- end }}
{{- end }}
{{- range $entry.namespaces }}
{{- if not (regexMatch $name .) }}
{{- include "model-maintenance.refuse" (list (printf "%s.namespaces" $at) (printf "%q is no name of a namespace; patterns are not read" .)) }}
{{- end }}
{{- end }}
{{- range $label, $value := $entry.enforcedMatchers }}
{{- if not (and (regexMatch "^[a-zA-Z_][a-zA-Z0-9_]*$" $label) (trim $value)) }}
{{- include "model-maintenance.refuse" (list (printf "%s.enforcedMatchers.%s" $at $label) "write the name of a label and its value, like namespace: \"{{ namespace }}\"") }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.watchNamespaces }}
{{- if not (regexMatch $name .) }}
{{- include "model-maintenance.refuse" (list "watchNamespaces" (printf "%q is no name of a namespace; patterns are not read" .)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list <name of the value> <address>): http or https, a host, perhaps a port and a path; no more. */}}
{{- define "model-maintenance.check.url" -}}
{{- $at := index . 0 }}
{{- $url := index . 1 }}
{{- $form := "^https?://([^/?#@[:space:]]*@)?(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[^?#[:space:]]*)?$" }}
{{- $port := regexFind ":[0-9]+$" (regexFind "^https?://[^/]*" $url) | trimPrefix ":" }}
{{- $reached := or (empty $port) (and (ge (atoi (default "0" $port)) 1) (le (atoi (default "0" $port)) 65535)) }}
{{- if not (and (regexMatch $form $url) $reached) }}
{{- include "model-maintenance.refuse" (list (printf "%s is %q; write http://<host>:<port> or https, without a query" $at (include "model-maintenance.withoutUser" $url))) }}
{{- end }}
{{- end }}

{{/* An address fit for a screen. */}}
{{- define "model-maintenance.withoutUser" -}}
{{- regexReplaceAll "//[^/?#]*@" . "//" }}
{{- end }}

{{- define "model-maintenance.check.images" -}}
{{- range $path, $image := dict "image" .Values.image "trainer.image" .Values.trainer.image }}
{{- if not (regexMatch "^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]([a-z0-9._/-]*[a-z0-9])?$" $image.repository) }}
{{- include "model-maintenance.refuse" (list (printf "%s.repository is %q; write registry and name, like registry.example/ml/operator; tag and digest are values of their own" $path $image.repository)) }}
{{- end }}
{{- if and $image.tag (not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" $image.tag)) }}
{{- include "model-maintenance.refuse" (list (printf "%s.tag is %q; write letters, digits, dots, dashes and underscores, at most 128" $path $image.tag)) }}
{{- end }}
{{- if and $image.digest (not (regexMatch "^sha256:[0-9a-f]{64}$" $image.digest)) }}
{{- include "model-maintenance.refuse" (list (printf "%s.digest is %q; write sha256: and 64 hexadecimal digits" $path $image.digest)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The same rules as in the operator's settings.py and quantities.py. */}}
{{- define "model-maintenance.check.trainer" -}}
{{- range (.Values.trainer.allow | default dict).env }}
{{- if regexMatch "^((HOME|PATH|USER)$|PYTHON|LD_|KUBEFLOW_|MM_|MAINTENANCE_)" . }}
{{- include "model-maintenance.refuse" (list "trainer.allow.env" (printf "%s is the trainer's own: names HOME, PATH, USER, PYTHON*, LD_*, KUBEFLOW_*, MM_* and MAINTENANCE_* are refused" .)) }}
{{- end }}
{{- end }}
{{- $size := toString (.Values.trainer.scratchSize | default "") }}
{{- if and $size (not (regexMatch "^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$" $size)) }}
{{- include "model-maintenance.refuse" (list (printf "trainer.scratchSize is %q; write a quantity like 32Gi" $size)) }}
{{- end }}
{{- end }}

{{/* Names of objects: the API server would refuse them when others are made already. */}}
{{- define "model-maintenance.check.names" -}}
{{- $names := list (list "nameOverride" .Values.nameOverride) (list "fullnameOverride" .Values.fullnameOverride) (list "metrics.dashboard.namespace" .Values.metrics.dashboard.namespace) }}
{{- range $names }}
{{- if and (index . 1) (not (regexMatch "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" (index . 1))) }}
{{- include "model-maintenance.refuse" (list (printf "%s is %q; write small letters, digits and dashes, at most 63" (index . 0) (index . 1))) }}
{{- end }}
{{- end }}
{{- $others := list (list "serviceAccount.name" .Values.serviceAccount.name) (list "priorityClassName" .Values.priorityClassName) }}
{{- range .Values.prometheus.secrets }}{{ $others = append $others (list "prometheus.secrets" .) }}{{ end }}
{{- range .Values.imagePullSecrets }}{{ $others = append $others (list "imagePullSecrets" .name) }}{{ end }}
{{- range $others }}
{{- if and (index . 1) (not (regexMatch "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$" (index . 1))) }}
{{- include "model-maintenance.refuse" (list (printf "%s is %q; write the name of an object: small letters, digits, dashes and dots" (index . 0) (index . 1))) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "model-maintenance.check.labels" -}}
{{- $metrics := .Values.metrics }}
{{- $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "nodeSelector" .Values.nodeSelector "metrics.serviceMonitor.labels" $metrics.serviceMonitor.labels "metrics.podMonitor.labels" $metrics.podMonitor.labels "metrics.prometheusRule.labels" $metrics.prometheusRule.labels "metrics.dashboard.labels" $metrics.dashboard.labels }}
{{- $own := include "model-maintenance.ownLabels" . | fromYaml }}
{{- range $path, $map := $labels }}
{{- range $label, $value := $map }}
{{- if and (not (hasKey $own $label)) (not (and (regexMatch "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$" $label) (regexMatch "^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$" $value))) }}
{{- include "model-maintenance.refuse" (list $path (printf "%q: %q is no label; name and value have letters, digits, dashes, dots and underscores, at most 63" $label $value)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the chart itself says to the operator's process is not said again by arguments or environment. */}}
{{- define "model-maintenance.check.process" -}}
{{- $instead := dict "MM_TRAINER_IMAGE" "trainer.image" "MM_LOG_LEVEL" "logging.level" "MM_LOG_FORMAT" "logging.format" "MM_HTTP_PORT" "service.port" }}
{{- range .Values.env }}
{{- if hasKey $instead .name }}
{{- include "model-maintenance.refuse" (list "env" (printf "%s is the chart's own; set %s instead" .name (get $instead .name))) }}
{{- end }}
{{- if not (regexMatch "^[A-Za-z_][A-Za-z0-9_.-]*$" .name) }}
{{- include "model-maintenance.refuse" (list "env" (printf "%q is no name of a variable" .name)) }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if not (regexMatch "^--(log-level=(debug|info|warning|error)|log-format=(json|text))$" .) }}
{{- include "model-maintenance.refuse" (list "extraArgs" (printf "%q is none of --log-level=<level> and --log-format=<format>; watchNamespaces and service.port say the rest" .)) }}
{{- end }}
{{- end }}
{{- $most := toString .Values.podDisruptionBudget.maxUnavailable }}
{{- if not (regexMatch "^[0-9]+%?$" $most) }}
{{- include "model-maintenance.refuse" (list (printf "podDisruptionBudget.maxUnavailable is %q; write a number, or a percentage like 50%%" $most)) }}
{{- end }}
{{- end }}

{{- define "model-maintenance.check.metrics" -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
{{- include "model-maintenance.refuse" (list "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled" "enable one, or every metric is counted twice") }}
{{- end }}
{{- range $kind, $monitor := dict "serviceMonitor" .Values.metrics.serviceMonitor "podMonitor" .Values.metrics.podMonitor }}
{{- range $field, $duration := dict "interval" $monitor.interval "scrapeTimeout" $monitor.scrapeTimeout }}
{{- if and $duration (not (regexMatch "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$" $duration)) }}
{{- include "model-maintenance.refuse" (list (printf "metrics.%s.%s is %q; write a duration like 30s" $kind $field $duration)) }}
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
{{- include "model-maintenance.refuse" (list "metrics.prometheusRule.disabled" (printf "there is no alert %q; there are %s" . (join ", " $alerts))) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Namespaces that objects go to must be there, or the installation ends half-way. Nothing is known of the cluster
where templates are rendered without one (helm template, Argo CD): a namespace that is found, one of these or
kube-system, tells that there is one. Who installs needs the right to get these namespaces.
*/}}
{{- define "model-maintenance.check.cluster" -}}
{{- $wanted := list }}
{{- range .Values.watchNamespaces }}{{ $wanted = append $wanted (list "watchNamespaces" .) }}{{ end }}
{{- with .Values.metrics.dashboard }}
{{- if and .enabled .namespace }}{{ $wanted = append $wanted (list "metrics.dashboard.namespace" .namespace) }}{{ end }}
{{- end }}
{{- $missing := list }}
{{- $known := false }}
{{- range $wanted }}
{{- if lookup "v1" "Namespace" "" (index . 1) }}
{{- $known = true }}
{{- else if ne (index . 1) $.Release.Namespace }}
{{- $missing = append $missing . }}
{{- end }}
{{- end }}
{{- if and $missing (or $known (lookup "v1" "Namespace" "" "kube-system")) }}
{{- range $missing }}
{{- include "model-maintenance.refuse" (list (index . 0) (printf "there is no namespace %q in this cluster; create it first, or leave it out" (index . 1))) }}
{{- end }}
{{- end }}
{{- end }}
