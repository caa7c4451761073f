{{- define "authenticator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "authenticator.labels" -}}
{{ include "authenticator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The name by which a kube-apiserver knows the server. */ -}}
{{- define "authenticator.hostname" -}}
{{ if eq .Values.kind "DaemonSet" }}127.0.0.1{{ else }}{{ .Release.Name }}.{{ .Release.Namespace }}.svc{{ end }}
{{- end }}

{{- define "authenticator.servingSecret" -}}
{{ .Values.certificate.secretName | default (printf "%s-serving" .Release.Name) }}
{{- end }}

{{- /* What values.schema.json cannot say of values that are right one by one. */ -}}
{{- define "authenticator.check" -}}
{{- $v := .Values }}
{{- $_ := required "clusterID must be set: the ID that is signed into every token" $v.clusterID }}
{{- if and (eq $v.kind "Deployment") (eq $v.certificate.source "host") }}
{{- fail "certificate.source is host, and a Deployment is on no host of its own: secret or cert-manager" }}
{{- end }}
{{- if and (eq $v.certificate.source "secret") (not $v.certificate.secretName) }}
{{- fail "certificate.secretName must be set: certificate.source is secret" }}
{{- end }}
{{- if and (ne $v.certificate.source "secret") $v.certificate.secretName }}
{{- fail (printf "certificate.secretName is set, and certificate.source is %s: secret" $v.certificate.source) }}
{{- end }}
{{- end }}

{{- /* Not empty if /metrics is served for Prometheus. */ -}}
{{- define "authenticator.metrics" -}}
{{ if or .Values.monitoring.metrics.enabled .Values.monitoring.podMonitor.enabled }}true{{ end }}
{{- end }}
