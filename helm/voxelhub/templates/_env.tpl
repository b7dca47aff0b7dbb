{{/* Settings of hub and service: where everything is, and the values of `settings`. */}}
{{- define "voxelhub.env" -}}
{{- $fixed := dict
  "PLATFORM" "kubernetes"
  "LISTEN" "0.0.0.0"
  "STATE_DIR" "/srv/voxelhub"
  "ENVS_DIR" "/opt/voxelhub/.envs"
  "PUBLIC_URL" (include "voxelhub.publicUrl" .)
  "HUB_INTERNAL_URL" "http://hub:8081"
  "SERVICE_INTERNAL_URL" "http://voxelhub-service:8002"
  "PROXY_API_URL" "http://proxy-api:8001"
  "PROXY_INTERNAL_URL" (include "voxelhub.proxyInternalUrl" .)
  "KEYCLOAK_PUBLIC_URL" (include "voxelhub.keycloakPublicUrl" .)
  "KEYCLOAK_INTERNAL_URL" (include "voxelhub.keycloakInternalUrl" .)
  "KEYCLOAK_REALM" .Values.keycloak.realm
  "CULL_TIMEOUT" .Values.cull.timeout
  "CULL_EVERY" .Values.cull.every -}}
{{- if .Values.budgets }}{{ $_ := set $fixed "BUDGETS_FILE" "/etc/voxelhub/budgets.yaml" }}{{ end -}}
{{- range $name := keys $fixed | sortAlpha }}
- name: VOXELHUB_{{ $name }}
  value: {{ include "voxelhub.text" (get $fixed $name) | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: VOXELHUB_{{ upper $name }}
  value: {{ include "voxelhub.text" $value | quote }}
{{- end }}
- name: HOME
  value: /home/voxelhub
- name: PYTHONUNBUFFERED
  value: "1"
{{- if .Values.trustedCertificates.configMap }}
- name: SSL_CERT_FILE
  value: /etc/voxelhub-trusted/bundle.crt
{{- end }}
{{- end }}

{{/* A whole number stays one: Helm reads numbers of a values file as floats, and would write 5e+11. */}}
{{- define "voxelhub.text" -}}
{{- if kindIs "float64" . -}}{{ printf "%.0f" . }}{{- else -}}{{ . }}{{- end -}}
{{- end }}

{{/* hub.extraEnv and service.extraEnv: texts, or what Kubernetes has beside `value`. */}}
{{- define "voxelhub.extraEnv" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end }}
