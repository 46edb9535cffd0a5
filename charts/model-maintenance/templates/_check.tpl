{{/*
A value of the wrong kind would render into YAML that means something else, or nothing. Said here,
with the name of the value and what to write instead, before anything is rendered.
*/}}
{{- define "model-maintenance.check" -}}
{{- $values := .Values }}
{{- range $path, $expected := dict
    "prometheus" "map" "prometheus.servers" "map" "image" "map" "trainer" "map" "trainer.image" "map"
    "logging" "map" "crds" "map" "rbac" "map" "serviceAccount" "map" "serviceAccount.annotations" "map"
    "resources" "map" "podAnnotations" "map" "podLabels" "map" "nodeSelector" "map" "affinity" "map"
    "service" "map" "service.annotations" "map"
    "imagePullSecrets" "slice" "watchNamespaces" "slice" "tolerations" "slice" "extraArgs" "slice" "env" "slice"
    "crds.enabled" "bool" "crds.keep" "bool" "rbac.aggregateToDefaultRoles" "bool" "serviceAccount.create" "bool"
    "image.repository" "string" "image.tag" "string" "image.digest" "string" "image.pullPolicy" "string"
    "trainer.image.repository" "string" "trainer.image.tag" "string" "trainer.image.digest" "string" "trainer.image.pullPolicy" "string"
    "serviceAccount.name" "string" "priorityClassName" "string" "logging.level" "string" "logging.format" "string"
    "nameOverride" "string" "fullnameOverride" "string" }}
{{- $value := $values }}
{{- $missing := false }}
{{- range splitList "." $path }}
{{- if and (kindIs "map" $value) (hasKey $value .) }}
{{- $value = index $value . }}
{{- else }}
{{- $missing = true }}
{{- end }}
{{- end }}
{{- if and (not $missing) (not (kindIs $expected $value)) }}
{{- $words := dict "map" "a map, like {name: value}" "slice" "a list, like [value]" "bool" "true or false, unquoted" "string" "a string; quote it" }}
{{- fail (printf "\n\nvalues: %s is %s; write %s\n" $path (ternary "empty" (printf "a %s (%v)" (kindOf $value) $value) (kindIs "invalid" $value)) (index $words $expected)) }}
{{- end }}
{{- end }}
{{- range $name, $server := .Values.prometheus.servers }}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" $name) }}
{{- fail (printf "\n\nvalues: prometheus.servers: %q is no name; write small letters, digits and dashes, at most 63\n" $name) }}
{{- end }}
{{- if not (and (kindIs "map" $server) (kindIs "string" (get $server "url")) (regexMatch "^https?://[^[:space:]]+$" (get $server "url"))) }}
{{- fail (printf "\n\nvalues: prometheus.servers.%s: write {url: http://<host>:<port>} or https; not %v\n" $name $server) }}
{{- end }}
{{- end }}
{{- range .Values.watchNamespaces }}
{{- if not (kindIs "string" .) }}
{{- fail (printf "\n\nvalues: watchNamespaces: %v is no name of a namespace; quote it\n" .) }}
{{- end }}
{{- end }}
{{- range list .Values.image.digest .Values.trainer.image.digest }}
{{- if and . (not (regexMatch "^sha256:[0-9a-f]{64}$" .)) }}
{{- fail (printf "\n\nvalues: image digest %q; write sha256: and 64 hexadecimal digits\n" .) }}
{{- end }}
{{- end }}
{{- range $path, $policy := dict "image.pullPolicy" .Values.image.pullPolicy "trainer.image.pullPolicy" .Values.trainer.image.pullPolicy }}
{{- if not (has $policy (list "Always" "IfNotPresent" "Never")) }}
{{- fail (printf "\n\nvalues: %s is %q; write Always, IfNotPresent or Never\n" $path $policy) }}
{{- end }}
{{- end }}
{{- if not (has .Values.logging.level (list "debug" "info" "warning" "error")) }}
{{- fail (printf "\n\nvalues: logging.level is %q; write debug, info, warning or error\n" .Values.logging.level) }}
{{- end }}
{{- if not (has .Values.logging.format (list "json" "text")) }}
{{- fail (printf "\n\nvalues: logging.format is %q; write json or text\n" .Values.logging.format) }}
{{- end }}
{{- if not (regexMatch "^[0-9]{1,5}$" (toString .Values.service.port)) }}
{{- fail (printf "\n\nvalues: service.port is %v; write a port number\n" .Values.service.port) }}
{{- end }}
{{- end }}
