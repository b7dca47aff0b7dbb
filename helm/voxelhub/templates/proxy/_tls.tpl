{{/* The certificate for browsers, as tls.crt and tls.key. */}}
{{- define "voxelhub.tlsVolume" -}}
{{- $secret := .Values.proxy.https.secret -}}
secret:
  secretName: {{ $secret.name }}
  defaultMode: 0440
  items:
    - { key: {{ $secret.crt }}, path: tls.crt }
    - { key: {{ $secret.key }}, path: tls.key }
{{- end }}
