{{/* Hosts, and every user's own below them with hub.subdomainHost. Call with (list . hosts). */}}
{{- define "voxelhub.edgeHosts" -}}
{{- $hosts := index . 1 -}}
{{- with (index . 0).Values.hub.subdomainHost }}{{ $hosts = append $hosts (printf "*.%s" .) }}{{ end -}}
{{ toJson ($hosts | uniq) }}
{{- end }}
