{{/*
The parts of a Deployment that operator and worker share. Each takes
  {root, component, values: the block of values with the knobs, name: of the container, command, args, env,
   volumes, mounts, annotations}
*/}}

{{- define "pqcdc.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "pqcdc.metadata" (mergeOverwrite (omit . "name" "annotations") (dict "annotations" .values.deploymentAnnotations)) | nindent 2 }}
spec:
  replicas: {{ .values.replicaCount }}
  revisionHistoryLimit: {{ .values.revisionHistoryLimit }}
  minReadySeconds: {{ .values.minReadySeconds }}
  {{- with .strategy }}
  strategy:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "pqcdc.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- mergeOverwrite (deepCopy .root.Values.commonLabels) .values.podLabels (include "pqcdc.selectorLabels" . | fromYaml) | toYaml | nindent 8 }}
      {{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (deepCopy .values.podAnnotations) (default dict .annotations) }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "pqcdc.podSpec" . | nindent 6 }}
{{- end }}

{{- define "pqcdc.podSpec" -}}
{{- $values := .values -}}
serviceAccountName: {{ include "pqcdc.serviceAccountName" . }}
automountServiceAccountToken: {{ $values.automountServiceAccountToken }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
dnsPolicy: {{ $values.dnsPolicy }}
hostNetwork: {{ $values.hostNetwork }}
{{- range $key := list "priorityClassName" "schedulerName" "runtimeClassName" }}
{{- with index $values $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- with include "pqcdc.imagePullSecrets" .root | fromYamlArray }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "dnsConfig" "hostAliases" "initContainers" }}
{{- with index $values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "pqcdc.selectorLabels" $ | fromYaml)) }}
  {{- range . }}
  - {{ hasKey . "labelSelector" | ternary . (merge (deepCopy .) $selector) | toYaml | nindent 4 | trim }}
  {{- end }}
{{- end }}
containers:
  - {{ include "pqcdc.container" . | nindent 4 | trim }}
  {{- with $values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - name: tmp
    emptyDir: {}
  {{- with concat (default list .volumes) $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "pqcdc.container" -}}
{{- $values := .values -}}
name: {{ .name }}
image: {{ include "pqcdc.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- with .command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
args:
  {{- concat .args $values.extraArgs | toYaml | nindent 2 }}
ports:
  - name: http
    containerPort: {{ .port }}
    protocol: TCP
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $key := list "startupProbe" "livenessProbe" "readinessProbe" "lifecycle" "resources" "securityContext" }}
{{- with index $values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- with concat (default list .mounts) $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
