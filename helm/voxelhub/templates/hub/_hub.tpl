{{/* Environment and mounts of the hub, and of what prepares the bundled Keycloak's realm before it. */}}
{{- define "voxelhub.hubEnv" -}}
{{- include "voxelhub.env" . }}
- name: VOXELHUB_CHART_FILE
  value: /etc/voxelhub/chart.yaml
{{- with include "voxelhub.hubDatabaseUrl" . }}
- name: VOXELHUB_HUB_DATABASE_URL
  value: {{ . | quote }}
{{- end }}
- name: HELM_RELEASE_NAME
  value: {{ .Release.Name }}
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
{{- include "voxelhub.extraEnv" .Values.hub.extraEnv }}
{{- end }}

{{- define "voxelhub.hubMounts" -}}
- { name: state, mountPath: /srv/voxelhub }
- { name: secrets, mountPath: /srv/voxelhub/secrets, readOnly: true }
- { name: config, mountPath: /etc/voxelhub, readOnly: true }
{{ include "voxelhub.scratchMounts" . }}
{{- with include "voxelhub.trustMount" . }}
{{ . }}
{{- end }}
{{- end }}
