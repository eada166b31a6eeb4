{{/* Objects that operator and worker both have. Each takes {root, component, values, ...}. */}}

{{- define "pqcdc.serviceAccount" -}}
{{- if .values.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "pqcdc.metadata" (merge (dict "name" (include "pqcdc.serviceAccountName" .) "annotations" .values.serviceAccount.annotations) .) | nindent 2 }}
automountServiceAccountToken: {{ .values.serviceAccount.automountServiceAccountToken }}
{{- end }}
{{- end }}

{{/* {..., kind: Role or ClusterRole, rules, namespace}: the role and its binding to the service account. */}}
{{- define "pqcdc.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  {{- include "pqcdc.metadata" . | nindent 2 }}
rules:
  {{- regexReplaceAll "(?m)^#.*\n" .rules "" | trim | nindent 2 }}
  {{- with .values.rbac.extraRules }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- include "pqcdc.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ default (include "pqcdc.componentName" .) .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "pqcdc.serviceAccountName" . }}
    namespace: {{ include "pqcdc.namespace" .root }}
{{- end }}

{{- define "pqcdc.podDisruptionBudget" -}}
{{- $budget := .values.podDisruptionBudget -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "pqcdc.metadata" . | nindent 2 }}
spec:
  {{- if ne (toString $budget.minAvailable) "" }}
  minAvailable: {{ $budget.minAvailable }}
  {{- else }}
  maxUnavailable: {{ $budget.maxUnavailable }}
  {{- end }}
  unhealthyPodEvictionPolicy: {{ $budget.unhealthyPodEvictionPolicy }}
  selector:
    matchLabels:
      {{- include "pqcdc.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* {..., service, port, headless} */}}
{{- define "pqcdc.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "pqcdc.metadata" (merge (dict "labels" .service.labels "annotations" .service.annotations) .) | nindent 2 }}
spec:
  {{- if .headless }}
  clusterIP: None
  {{- end }}
  ports:
    - name: http
      port: {{ .port }}
      targetPort: http
      protocol: TCP
  selector:
    {{- include "pqcdc.selectorLabels" . | nindent 4 }}
{{- end }}

{{/* {..., kind: ServiceMonitor or PodMonitor, monitor: its values, endpoints: the name of the list} */}}
{{- define "pqcdc.monitor" -}}
{{- if and .monitor.enabled (.root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ .kind }}
metadata:
  {{- include "pqcdc.metadata" (merge (dict "labels" .monitor.labels "annotations" .monitor.annotations) .) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "pqcdc.selectorLabels" . | nindent 6 }}
  namespaceSelector:
    matchNames:
      - {{ include "pqcdc.namespace" .root }}
  {{ .endpoints }}:
    - port: http
      path: /metrics
      interval: {{ .monitor.interval }}
      {{- with .monitor.scrapeTimeout }}
      scrapeTimeout: {{ . }}
      {{- end }}
      {{- range $key := list "relabelings" "metricRelabelings" }}
      {{- with index $.monitor $key }}
      {{ $key }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
{{- end }}
{{- end }}

{{/* {policy: its values, port}: who may come to the port of metrics and probes, and whoever is named. */}}
{{- define "pqcdc.ingress" -}}
- ports:
    - port: {{ .port }}
      protocol: TCP
  {{- with .policy.metricsFrom }}
  from:
    {{- toYaml . | nindent 4 }}
    - podSelector:
        matchLabels:
          app.kubernetes.io/instance: {{ $.root.Release.Name }}
          app.kubernetes.io/component: test
  {{- end }}
{{- with .policy.extraIngress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* {policy}: names and the API server. */}}
{{- define "pqcdc.egress" -}}
{{- if .policy.dns }}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end }}
{{- include "pqcdc.egressPorts" (dict "ports" .policy.apiServerPorts) }}
{{- end }}

{{/* {ports, to} */}}
{{- define "pqcdc.egressPorts" -}}
{{- if .ports }}
- ports:
    {{- range .ports }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
