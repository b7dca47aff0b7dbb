{{/* What migrate, api and worker have in common. */}}
{{- define "voxelhub.serviceContainer" -}}
image: {{ include "voxelhub.image" (list . .Values.service.image) }}
imagePullPolicy: {{ .Values.imagePullPolicy }}
env:
  {{- include "voxelhub.env" . | nindent 2 }}
  - name: VOXELHUB_PROFILES_FILE
    value: /etc/voxelhub/profiles.yaml
  {{- if .Values.prices }}
  - name: VOXELHUB_PRICES_FILE
    value: /etc/voxelhub/prices.yaml
  {{- end }}
  - name: VOXELHUB_DATABASE_URL
    value: {{ include "voxelhub.databaseUrl" . | quote }}
  {{- with include "voxelhub.extraEnv" .Values.service.extraEnv }}
  {{- . | nindent 2 }}
  {{- end }}
securityContext:
  {{- include "voxelhub.containerSecurityContext" . | nindent 2 }}
volumeMounts:
  - { name: state, mountPath: /srv/voxelhub }
  - { name: secrets, mountPath: /srv/voxelhub/secrets, readOnly: true }
  - { name: config, mountPath: /etc/voxelhub, readOnly: true }
  {{- include "voxelhub.scratchMounts" . | nindent 2 }}
  {{- with include "voxelhub.trustMount" . }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* The files that the service reads: sizes and prices of servers, prices of the rest, budgets. It sees a change without a restart. */}}
{{- define "voxelhub.serviceFiles" -}}
profiles.yaml: |
  {{- toYaml .Values.profiles | nindent 2 }}
{{- with .Values.prices }}
prices.yaml: |
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.budgets }}
budgets.yaml: |
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
