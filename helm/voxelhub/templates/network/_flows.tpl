{{/* Every flow between pods of the release, or between them and the outside: one entry, with its reason.
     `from` and `to` are components; `fromPeers` and `toPeers` are peers of a NetworkPolicy; no peers at all means everyone.
     A flow between two components is opened at both ends (network/flows.yaml). */}}
{{- define "voxelhub.flows" -}}
{{- $proxyPort := include "voxelhub.proxyPort" . | int -}}
{{- $tls := eq .Values.proxy.https.type "secret" -}}
{{- $policy := .Values.networkPolicy -}}
- name: browsers-to-proxy
  why: Browsers, or the ingress before the proxy, reach everything through it.
  fromPeers: {{ toJson $policy.ingress.from }}
  to: proxy
  ports: [{{ $proxyPort }}]
- name: proxy-to-hub
  why: The hub's pages and API.
  from: proxy
  to: hub
  ports: [8081]
- name: proxy-to-servers
  why: JupyterLab and the panels of each user's server.
  from: proxy
  to: singleuser-server
  ports: [8888]
- name: proxy-to-service
  why: The service's API for programs outside, and the dashboards of clusters.
  from: proxy
  to: service
  ports: [8002]
- name: hub-to-proxy-api
  why: The hub writes the proxy's routes.
  from: hub
  to: proxy
  ports: [8001]
- name: hub-to-proxy
  why: The culler in the hub's pod asks each server through the proxy whether it is idle.
  from: hub
  to: proxy
  ports: [{{ $proxyPort }}]
- name: hub-to-servers
  why: The hub sees that a server that it started answers.
  from: hub
  to: singleuser-server
  ports: [8888]
- name: hub-to-service
  why: Audit events, folders of projects and hours of servers.
  from: hub
  to: service
  ports: [8002]
- name: hub-to-api-server
  why: The hub starts and stops the pods of users' servers.
  from: hub
  toPeers: {{ include "voxelhub.apiServerPeers" . }}
  ports: {{ toJson $policy.apiServer.ports }}
- name: service-to-hub
  why: The service asks the hub who the bearer of a token is, and ends servers at the end of a budget.
  from: service
  to: hub
  ports: [8081]
- name: servers-to-hub
  why: A server asks the hub who its visitor is, and reports activity.
  from: singleuser-server
  to: hub
  ports: [8081]
- name: servers-to-service
  why: Panels and kernels use the service's API with the server's own token.
  from: singleuser-server
  to: service
  ports: [8002]
{{- if .Values.keycloak.bundled.enabled }}
- name: browsers-to-keycloak
  why: People sign in at Keycloak's own pages.
  fromPeers: {{ toJson $policy.ingress.from }}
  to: keycloak
  ports: [8443]
- name: hub-to-keycloak
  why: The hub exchanges codes for tokens, and sees whether a user still exists.
  from: hub
  to: keycloak
  ports: [8080]
- name: service-to-keycloak
  why: The service fetches the keys that sign tokens.
  from: service
  to: keycloak
  ports: [8080]
- name: keycloak-to-hub
  why: Keycloak tells the hub that a session has ended (back-channel logout).
  from: keycloak
  to: hub
  ports: [8081]
{{- else }}
{{- range $component := list "hub" "service" }}
- name: {{ $component }}-to-keycloak
  why: {{ ternary "The hub exchanges codes for tokens, and sees whether a user still exists." "The service fetches the keys that sign tokens." (eq $component "hub") }}
  from: {{ $component }}
  toPeers: {{ include "voxelhub.anywhereUnless" $policy.keycloak.to }}
  ports: {{ include "voxelhub.portsOr" (list $policy.keycloak.ports (list $.Values.keycloak.url $.Values.keycloak.internalUrl)) }}
{{- end }}
{{- end }}
{{- if .Values.postgresql.bundled.enabled }}
- name: service-to-postgresql
  why: The service's database.
  from: service
  to: postgresql
  ports: [5432]
{{- else }}
- name: service-to-database
  why: The service's database.
  from: service
  toPeers: {{ include "voxelhub.anywhereUnless" $policy.database.to }}
  ports: {{ include "voxelhub.portsOr" (list $policy.database.ports (list .Values.database.url)) }}
{{- end }}
{{- if .Values.hub.db.url }}
- name: hub-to-database
  why: The hub's database.
  from: hub
  toPeers: {{ include "voxelhub.anywhereUnless" $policy.database.to }}
  ports: {{ include "voxelhub.portsOr" (list $policy.database.ports (list .Values.hub.db.url)) }}
{{- else if .Values.postgresql.bundled.enabled }}
- name: hub-to-postgresql
  why: The hub's database.
  from: hub
  to: postgresql
  ports: [5432]
{{- end }}
{{- if .Values.service.egress }}
- name: service-to-internet
  why: Imports may load from addresses of the internet (service.egress).
  from: service
  toPeers: {{ include "voxelhub.internetPeers" . }}
{{- end }}
{{- end }}

{{/* The components that look up names. */}}
{{- define "voxelhub.resolving" -}}
[hub, proxy, service, singleuser-server{{ if .Values.keycloak.bundled.enabled }}, keycloak{{ end }}]
{{- end }}

{{/* The given peers, or every address but the link-local ones, where clouds answer with credentials. */}}
{{- define "voxelhub.anywhereUnless" -}}
{{- if . -}}{{ toJson . }}
{{- else -}}
[{ ipBlock: { cidr: 0.0.0.0/0, except: [169.254.0.0/16] } }, { ipBlock: { cidr: "::/0", except: ["fe80::/10"] } }]
{{- end -}}
{{- end }}

{{/* The given ports, or those of the addresses. */}}
{{- define "voxelhub.portsOr" -}}
{{- $ports := index . 0 -}}
{{- if not $ports -}}
{{- range index . 1 -}}{{- with . -}}{{- $ports = append $ports (include "voxelhub.portOf" . | int) -}}{{- end -}}{{- end -}}
{{- end -}}
{{ toJson ($ports | uniq) }}
{{- end }}

{{/* The internet: everything but networkPolicy.privateRanges. */}}
{{- define "voxelhub.internetPeers" -}}
{{- $four := list -}}{{- $six := list -}}
{{- range .Values.networkPolicy.privateRanges -}}
{{- if contains ":" . }}{{ $six = append $six . }}{{ else }}{{ $four = append $four . }}{{ end -}}
{{- end -}}
[{ ipBlock: { cidr: 0.0.0.0/0, except: {{ toJson $four }} } }, { ipBlock: { cidr: "::/0", except: {{ toJson $six }} } }]
{{- end }}

{{/* The API server: what was named; else its Service and the endpoints that the cluster knows; else the private ranges. */}}
{{- define "voxelhub.apiServerPeers" -}}
{{- $addresses := list -}}
{{- if not .Values.networkPolicy.apiServer.cidrs -}}
{{- $service := lookup "v1" "Service" "default" "kubernetes" -}}
{{- range dig "spec" "clusterIPs" (list) $service }}{{ $addresses = append $addresses . }}{{ end -}}
{{- range dig "items" (list) (lookup "discovery.k8s.io/v1" "EndpointSlice" "default" "") -}}
{{- if eq (get (.metadata.labels | default dict) "kubernetes.io/service-name") "kubernetes" -}}
{{- range .endpoints }}{{ $addresses = concat $addresses .addresses }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $cidrs := .Values.networkPolicy.apiServer.cidrs -}}
{{- range $addresses | uniq }}{{ $cidrs = append $cidrs (printf "%s/%d" . (ternary 128 32 (contains ":" .))) }}{{ end -}}
{{- $peers := list -}}
{{- range $cidrs | default (list "10.0.0.0/8" "172.16.0.0/12" "192.168.0.0/16" "100.64.0.0/10" "fc00::/7") -}}
{{- $peers = append $peers (dict "ipBlock" (dict "cidr" .)) -}}
{{- end -}}
{{ toJson $peers }}
{{- end }}
