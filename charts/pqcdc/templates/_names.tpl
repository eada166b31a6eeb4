{{/* The chart's name, or its other one. */}}
{{- define "pqcdc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What names begin with: short enough for what is added and for a pod's own suffix. */}}
{{- define "pqcdc.fullname" -}}
{{- $name := include "pqcdc.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "pqcdc.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* {root, component}: operator, worker or test. */}}
{{- define "pqcdc.componentName" -}}
{{- printf "%s-%s" (include "pqcdc.fullname" .root) .component }}
{{- end }}

{{/* {root, component}: what tells its pods from all others; never changed by an upgrade. */}}
{{- define "pqcdc.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pqcdc.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* {root, component} */}}
{{- define "pqcdc.labels" -}}
{{- $own := include "pqcdc.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "pqcdc" -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite (deepCopy .root.Values.commonLabels) $own | toYaml }}
{{- end }}

{{/* {root, component, name, labels, annotations}: the metadata of an object; the last three may be left
     out. namespace: false for those that have none. */}}
{{- define "pqcdc.metadata" -}}
name: {{ default (include "pqcdc.componentName" .) .name }}
{{- if ne (toString .namespace) "false" }}
namespace: {{ default (include "pqcdc.namespace" .root) .namespace }}
{{- end }}
labels:
  {{- mergeOverwrite (deepCopy (default dict .labels)) (include "pqcdc.labels" . | fromYaml) | toYaml | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* registry/repository:tag, or @digest. */}}
{{- define "pqcdc.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default $image.registry .Values.global.imageRegistry -}}
{{- $path := ternary $image.repository (printf "%s/%s" $registry $image.repository) (empty $registry) -}}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ default .Chart.AppVersion $image.tag }}
{{- end }}
{{- end }}

{{/* {root, component, values} */}}
{{- define "pqcdc.serviceAccountName" -}}
{{- $account := .values.serviceAccount -}}
{{- if $account.create }}
{{- default (include "pqcdc.componentName" .) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{/* The names of global.imagePullSecrets and imagePullSecrets. */}}
{{- define "pqcdc.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (default list .Values.global.imagePullSecrets) .Values.imagePullSecrets -}}
{{- $names = append $names (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- uniq $names | toYaml }}
{{- end }}
