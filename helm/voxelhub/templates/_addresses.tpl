{{/* The address that people type: publicUrl, or the first host of the Ingress or the route. No slash at its end. */}}
{{- define "voxelhub.publicUrl" -}}
{{- if .Values.publicUrl -}}
{{ .Values.publicUrl | trimSuffix "/" }}
{{- else if and .Values.ingress.enabled .Values.ingress.hosts -}}
https://{{ first .Values.ingress.hosts }}
{{- else if and .Values.httpRoute.enabled .Values.httpRoute.hostnames -}}
https://{{ first .Values.httpRoute.hostnames }}
{{- end -}}
{{- end }}

{{/* Its host, without a port. */}}
{{- define "voxelhub.publicHost" -}}
{{ (urlParse (include "voxelhub.publicUrl" .)).hostname }}
{{- end }}

{{/* Keycloak as browsers reach it, without /realms/… */}}
{{- define "voxelhub.keycloakPublicUrl" -}}
{{- $bundled := .Values.keycloak.bundled -}}
{{- if not $bundled.enabled -}}
{{ .Values.keycloak.url | trimSuffix "/" }}
{{- else if $bundled.publicUrl -}}
{{ $bundled.publicUrl | trimSuffix "/" }}
{{- else -}}
{{- $port := ternary $bundled.service.nodePort 8443 (eq $bundled.service.type "NodePort") -}}
https://{{ include "voxelhub.publicHost" . }}:{{ $port }}
{{- end -}}
{{- end }}

{{/* Keycloak as hub and service reach it, where that is another address; else empty. */}}
{{- define "voxelhub.keycloakInternalUrl" -}}
{{- if .Values.keycloak.bundled.enabled -}}http://keycloak:8080{{- else -}}{{ .Values.keycloak.internalUrl | trimSuffix "/" }}{{- end -}}
{{- end }}

{{/* Port that the proxy opens to browsers, in its pod. */}}
{{- define "voxelhub.proxyPort" -}}
{{ ternary 8443 8000 (eq .Values.proxy.https.type "secret") }}
{{- end }}

{{/* The proxy as the hub's culler reaches it. */}}
{{- define "voxelhub.proxyInternalUrl" -}}
{{ ternary "https" "http" (eq .Values.proxy.https.type "secret") }}://proxy-http:{{ include "voxelhub.proxyPort" . }}
{{- end }}

{{- define "voxelhub.databaseUrl" -}}
{{- if .Values.postgresql.bundled.enabled -}}postgresql://voxelhub@postgresql:5432/voxelhub{{- else -}}{{ .Values.database.url }}{{- end -}}
{{- end }}

{{- define "voxelhub.hubDatabaseUrl" -}}
{{- if .Values.hub.db.url -}}{{ .Values.hub.db.url }}
{{- else if .Values.postgresql.bundled.enabled -}}postgresql://hub@postgresql:5432/hub
{{- end -}}
{{- end }}

{{/* The port of an address, or its scheme's. Call with the address. */}}
{{- define "voxelhub.portOf" -}}
{{- $url := urlParse . -}}
{{- $usual := dict "https" "443" "http" "80" "postgresql" "5432" -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{ $port | default (get $usual $url.scheme) }}
{{- end }}
