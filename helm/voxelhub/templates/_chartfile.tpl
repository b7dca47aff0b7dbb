{{/* chart.yaml: what the hub reads of the chart (VOXELHUB_CHART_FILE). */}}
{{- define "voxelhub.chartFile" -}}
{{- $user := .Values.singleuser -}}
{{- $selector := $user.nodeSelector -}}
{{- if eq .Values.scheduling.userPods.nodeAffinity.matchNodePurpose "require" -}}
{{- $selector = merge (dict "hub.jupyter.org/node-purpose" "user") $selector -}}
{{- end -}}
{{- $config := .Values.hub.config -}}
{{- with .Values.hub.subdomainHost -}}
{{- /* The second: a page at a user's host cannot give a browser another sign-in for the hosts beside it. */ -}}
{{- $config = merge (dict "JupyterHub" (dict "subdomain_host" (include "voxelhub.publicUrl" $) "cookie_host_prefix_enabled" true)) $config -}}
{{- end -}}
release:
  name: {{ .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  version: {{ .Chart.AppVersion | quote }}
  chart: {{ include "voxelhub.chartLabel" . | quote }}
singleuser:
  image:
    name: {{ include "voxelhub.imageName" (list . $user.image) }}
    tag: {{ include "voxelhub.imageTag" (list . $user.image) | quote }}
    pullPolicy: {{ .Values.imagePullPolicy }}
    pullSecrets: {{ toJson .Values.imagePullSecrets }}
  guarantee: {{ toJson $user.guarantee }}
  startTimeout: {{ toJson $user.startTimeout }}
  extraEnv: {{ toJson $user.extraEnv }}
  nodeSelector: {{ toJson $selector }}
  extraTolerations: {{ toJson $user.extraTolerations }}
  podPriorityClassName: {{ $user.podPriorityClassName | quote }}
  storage:
    capacity: {{ $user.storage.capacity | quote }}
    storageClass: {{ $user.storage.dynamic.storageClass | quote }}
    accessModes: {{ toJson $user.storage.dynamic.storageAccessModes }}
    state:
      claim: {{ include "voxelhub.stateClaim" . }}
      nodeAffinity: {{ not (has "ReadWriteMany" .Values.storage.state.accessModes) }}
profiles:
  {{- toYaml .Values.profiles | nindent 2 }}
projects: {{ toJson .Values.projects }}
gpus: {{ toJson .Values.gpus }}
limits: {{ toJson .Values.limits }}
hub:
  config: {{ toJson $config }}
  extraConfig: {{ toJson .Values.hub.extraConfig }}
  concurrentSpawnLimit: {{ toJson .Values.hub.concurrentSpawnLimit }}
  activeServerLimit: {{ toJson .Values.hub.activeServerLimit }}
cull: {{ toJson .Values.cull }}
{{- end }}
