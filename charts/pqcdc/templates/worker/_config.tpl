{{/* {sources, path, value: {path | secretRef | configMapRef}}: the file that it is; a reference is kept in
     sources, from which the volume is made. */}}
{{- define "pqcdc.fileOf" -}}
{{- if hasKey .value "path" -}}
{{ .value.path }}
{{- else -}}
{{- $_ := set .sources .path .value -}}
/var/run/secrets/pqcdc/{{ .path }}
{{- end }}
{{- end }}

{{/* The worker's configuration; sources: what becomes files beside it; handler: the volume of its plug-in. */}}
{{- define "pqcdc.workerConfig" -}}
{{- $worker := .Values.worker -}}
{{- $sources := dict -}}
{{- $own := dict
  "cdc" (dict "onHalt" "wait")
  "election" (dict "mode" "lease")
  "format" (dict "headers" (list "pos"))
-}}
{{- $config := mergeOverwrite $own (deepCopy $worker.config) -}}
{{- $cdc := $config.cdc -}}
{{- range $path := list "cdc.password" "kafka.scramPassword" -}}
{{- $section := index $config (splitList "." $path | first) -}}
{{- $key := splitList "." $path | last -}}
{{- with index $section $key -}}
{{- $_ := set $section (printf "%sFile" $key) (include "pqcdc.fileOf" (dict "sources" $sources "path" $path "value" .)) -}}
{{- $_ := unset $section $key -}}
{{- end -}}
{{- end -}}
{{- range $path := list "cdc.sslRootCert" "cdc.sslCert" "cdc.sslKey" "kafka.rootCA" "kafka.interCA" -}}
{{- $section := index $config (splitList "." $path | first) -}}
{{- $key := splitList "." $path | last -}}
{{- with index $section $key -}}
{{- $_ := set $section $key (include "pqcdc.fileOf" (dict "sources" $sources "path" $path "value" .)) -}}
{{- end -}}
{{- end -}}
{{- $handler := default dict $config.handler -}}
{{- range $name, $files := dict "kafka.propertyFiles" $config.kafka.propertyFiles "handler.optionFiles" $handler.optionFiles -}}
{{- range $entry, $file := $files -}}
{{- $path := printf "%s.%s" $name $entry -}}
{{- $_ := set $files $entry (include "pqcdc.fileOf" (dict "sources" $sources "path" $path "value" $file)) -}}
{{- end -}}
{{- end -}}
{{- $volume := dict -}}
{{- if $handler.volume -}}
{{- $volume = set (deepCopy $handler.volume) "name" "pqcdc-handler" -}}
{{- $_ := unset $handler "volume" -}}
{{- $_ := set $handler "path" (printf "/var/lib/pqcdc-handler/%s" $handler.path) -}}
{{- end -}}
{{- $_ := set $cdc "metric" (dict "port" (int $worker.httpPort)) -}}
{{- $_ := set $config.election "leaseName" (include "pqcdc.leaseName" .) -}}
{{- dict "config" $config "sources" $sources "handler" $volume | toYaml }}
{{- end }}

{{- define "pqcdc.leaseName" -}}
{{- default (include "pqcdc.componentName" (dict "root" . "component" "worker")) .Values.worker.leaseName }}
{{- end }}

{{/* The sources of the volume, one a file. The mode is what libpq asks of a client's key. */}}
{{- define "pqcdc.credentials" -}}
name: credentials
projected:
  defaultMode: 0440
  sources:
    {{- range $path, $source := . }}
    {{- $ref := default $source.configMapRef $source.secretRef }}
    - {{ ternary "secret" "configMap" (hasKey $source "secretRef") }}:
        name: {{ $ref.name }}
        items:
          - key: {{ $ref.key | quote }}
            path: {{ $path | quote }}
    {{- end }}
{{- end }}
