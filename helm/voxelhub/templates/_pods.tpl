{{/* What the Pod Security profile *restricted* asks of a pod, and uid 1000 of our images. */}}
{{- define "voxelhub.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* …and of each container. */}}
{{- define "voxelhub.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* The beginning of the spec of every pod that is not a user's. Call with (list . .Values.hub "hub"). */}}
{{- define "voxelhub.podSpec" -}}
{{- $root := index . 0 -}}{{- $values := index . 1 -}}{{- $component := index . 2 -}}
{{- $core := $root.Values.scheduling.corePods -}}
enableServiceLinks: false
securityContext:
  {{- include "voxelhub.podSecurityContext" $root | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $core.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $core.tolerations $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "voxelhub.coreAffinity" $root }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "voxelhub.coreAffinity" -}}
{{- $match := .Values.scheduling.corePods.nodeAffinity.matchNodePurpose -}}
{{- if eq $match "require" -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      - matchExpressions: [{ key: hub.jupyter.org/node-purpose, operator: In, values: [core] }]
{{- else if eq $match "prefer" -}}
nodeAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      preference:
        matchExpressions: [{ key: hub.jupyter.org/node-purpose, operator: In, values: [core] }]
{{- end -}}
{{- end }}

{{/* A volume of secrets with only the keys of one pod. Call with (list . "key" "key" …).
     Passwords of your databases and secrets of your realm come from the Secrets that you named for them. */}}
{{- define "voxelhub.secretsVolume" -}}
{{- $root := index . 0 -}}
{{- $of := dict
  "database-password" $root.Values.database.existingSecret
  "hub-database-password" $root.Values.hub.db.existingSecret
  "oidc-client-secret" $root.Values.keycloak.existingSecret
  "directory-client-secret" $root.Values.keycloak.existingSecret
  "api-client-secret" $root.Values.keycloak.existingSecret -}}
{{- $main := include "voxelhub.secretName" $root -}}
{{- $keys := dict -}}
{{- range $key := rest . -}}
{{- $name := get $of $key | default $main -}}
{{- $_ := set $keys $name (append (get $keys $name | default list) $key) -}}
{{- end -}}
projected:
  defaultMode: 0440
  sources:
    {{- range $name := keys $keys | sortAlpha }}
    - secret:
        name: {{ $name }}
        items:
          {{- range get $keys $name }}
          - { key: {{ . }}, path: {{ . }} }
          {{- end }}
    {{- end }}
{{- end }}

{{/* Folders that a program may write to on a read-only root. */}}
{{- define "voxelhub.scratchMounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: home, mountPath: /home/voxelhub }
{{- end }}

{{- define "voxelhub.scratchVolumes" -}}
- { name: tmp, emptyDir: {} }
- { name: home, emptyDir: {} }
{{- end }}

{{- define "voxelhub.trustMount" -}}
{{- if .Values.trustedCertificates.configMap -}}
- { name: trusted, mountPath: /etc/voxelhub-trusted, readOnly: true }
{{- end -}}
{{- end }}

{{- define "voxelhub.trustVolume" -}}
{{- with .Values.trustedCertificates -}}
{{- if .configMap -}}
- name: trusted
  configMap: { name: {{ .configMap }}, items: [{ key: {{ .key }}, path: bundle.crt }] }
{{- end -}}
{{- end -}}
{{- end }}
