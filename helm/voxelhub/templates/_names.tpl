{{/* Names are fixed, as in zero-to-jupyterhub: one release in a namespace. */}}

{{/* Labels of every object. Call with (list . "component"). */}}
{{- define "voxelhub.labels" -}}
{{- $root := index . 0 -}}
{{ include "voxelhub.selector" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: voxelhub
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ include "voxelhub.chartLabel" $root }}
{{- end }}

{{- define "voxelhub.chartLabel" -}}
{{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The labels that never change, by which a component's pods are found. Call with (list . "component"). */}}
{{- define "voxelhub.selector" -}}
app.kubernetes.io/name: voxelhub
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Full name of an image: a name without "/" is in image.registry. Call with (list . .Values.hub.image). */}}
{{- define "voxelhub.image" -}}
{{ include "voxelhub.imageName" . }}:{{ include "voxelhub.imageTag" . }}
{{- end }}

{{- define "voxelhub.imageName" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- if contains "/" $image.name -}}{{ $image.name }}{{- else -}}{{ $root.Values.image.registry }}/{{ $image.name }}{{- end -}}
{{- end }}

{{- define "voxelhub.imageTag" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{ $image.tag | default $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* Name of the Secret that holds everything, ours or yours. */}}
{{- define "voxelhub.secretName" -}}
{{ .Values.existingSecret | default "voxelhub-secrets" }}
{{- end }}

{{/* Name of the account by which the hub starts pods. */}}
{{- define "voxelhub.hubAccount" -}}
{{ .Values.hub.serviceAccount.name | default "hub" }}
{{- end }}

{{/* Name of the claim of the state volume. */}}
{{- define "voxelhub.stateClaim" -}}
{{ .Values.storage.state.existingClaim | default "voxelhub-state" }}
{{- end }}
