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

{{- /* The host name that kube-apiserver connects to. */ -}}
{{- define "authenticator.hostname" -}}
{{ if eq .Values.kind "DaemonSet" }}127.0.0.1{{ else }}{{ .Release.Name }}.{{ .Release.Namespace }}.svc{{ end }}
{{- end }}

{{- define "authenticator.servingSecret" -}}
{{ .Values.certificate.secretName | default (printf "%s-serving" .Release.Name) }}
{{- end }}

{{- /* Rules across several values, which values.schema.json cannot express. */ -}}
{{- define "authenticator.check" -}}
{{- $v := .Values }}
{{- $_ := required "clusterID must be set (the ID that is signed into every token)" $v.clusterID }}
{{- if and (eq $v.kind "Deployment") (eq $v.certificate.source "host") }}
{{- fail "certificate.source is host, which only a DaemonSet supports (set secret or cert-manager)" }}
{{- end }}
{{- if and (eq $v.certificate.source "secret") (not $v.certificate.secretName) }}
{{- fail "certificate.secretName must be set, because certificate.source is secret" }}
{{- end }}
{{- if and (ne $v.certificate.source "secret") $v.certificate.secretName }}
{{- fail (printf "certificate.secretName is set, but certificate.source is %s (set secret)" $v.certificate.source) }}
{{- end }}
{{- if and $v.admission.enabled (not $v.admission.caBundle) (ne $v.certificate.source "cert-manager") }}
{{- fail (printf "admission.caBundle must be set, because admission is enabled and certificate.source is %s" $v.certificate.source) }}
{{- end }}
{{- end }}

{{- /* Not empty if Prometheus can reach /metrics. */ -}}
{{- define "authenticator.metrics" -}}
{{ if or .Values.monitoring.metrics.enabled .Values.monitoring.podMonitor.enabled }}true{{ end }}
{{- end }}
