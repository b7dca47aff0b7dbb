{{/* What the schema cannot say, each with the sentence that stops the install. */}}
{{- define "voxelhub.validate" -}}
{{- include "voxelhub.validateAddresses" . -}}
{{- include "voxelhub.validateDatabase" (dict "name" "database" "url" .Values.database.url "existing" .Values.database.existingSecret "root" .) -}}
{{- include "voxelhub.validateDatabase" (dict "name" "hub.db" "url" .Values.hub.db.url "existing" .Values.hub.db.existingSecret "root" .) -}}
{{- include "voxelhub.validateEdge" . -}}
{{- include "voxelhub.validateServers" . -}}
{{- include "voxelhub.validateHub" . -}}
{{- end }}

{{- define "voxelhub.validateAddresses" -}}
{{- $public := include "voxelhub.publicUrl" . -}}
{{- if not $public -}}
{{- fail "publicUrl is missing: write the address that people will type, such as https://vre.example.org, or set ingress.hosts." -}}
{{- end -}}
{{- if not (regexMatch "^https://[A-Za-z0-9.-]+(:[0-9]+)?$" $public) -}}
{{- fail (printf "publicUrl is %q: write https://, a host, and nothing behind it. Passwords and patients' data do not travel without TLS." $public) -}}
{{- end -}}
{{- $keycloak := .Values.keycloak -}}
{{- if and $keycloak.url $keycloak.bundled.enabled -}}
{{- fail "keycloak.url and keycloak.bundled.enabled are both set: name your Keycloak, or let the chart run one, not both." -}}
{{- end -}}
{{- if not (or $keycloak.url $keycloak.bundled.enabled) -}}
{{- fail "keycloak.url is missing: write the address of your Keycloak, such as https://login.example.org, or set keycloak.bundled.enabled to try VoxelHub with its own." -}}
{{- end -}}
{{- if contains "/realms/" (printf "%s %s" $keycloak.url $keycloak.internalUrl) -}}
{{- fail "keycloak.url and keycloak.internalUrl end before /realms/: the realm's name is keycloak.realm." -}}
{{- end -}}
{{- if and $keycloak.url (not (regexMatch "^https://[^/]+" $keycloak.url)) -}}
{{- fail (printf "keycloak.url is %q: browsers must reach Keycloak by https://." $keycloak.url) -}}
{{- end -}}
{{- if and $keycloak.internalUrl (not (regexMatch "^https?://[^/]+/?$" $keycloak.internalUrl)) -}}
{{- fail (printf "keycloak.internalUrl is %q: write http:// or https://, the host and its port, no more, or leave it empty." $keycloak.internalUrl) -}}
{{- end -}}
{{- $bundled := $keycloak.bundled -}}
{{- if $bundled.enabled -}}
{{- if ne .Values.proxy.https.type "secret" -}}
{{- fail "The bundled Keycloak shows the proxy's certificate to browsers: set proxy.https.type to secret and proxy.https.secret.name." -}}
{{- end -}}
{{- if and $bundled.publicUrl (not (regexMatch "^https://[^/]+$" $bundled.publicUrl)) -}}
{{- fail (printf "keycloak.bundled.publicUrl is %q: write https://, a host, and a port where it is not 443." $bundled.publicUrl) -}}
{{- end -}}
{{- if and (eq $bundled.service.type "NodePort") (not $bundled.service.nodePort) (not $bundled.publicUrl) -}}
{{- fail "keycloak.bundled.service is a NodePort whose port nobody knows yet: set keycloak.bundled.service.nodePort, or keycloak.bundled.publicUrl." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "voxelhub.validateDatabase" -}}
{{- if .url -}}
{{- if not (regexMatch "^postgresql://[^@/]+@[^/@]+/[^/?]+([?].*)?$" .url) -}}
{{- fail (printf "%s.url is no address of a PostgreSQL database: write postgresql://user@host:port/name." .name) -}}
{{- end -}}
{{- if regexMatch "^postgresql://[^@/]*:|[?&]password=" .url -}}
{{- fail (printf "%s.url holds a password, which everyone who may read the release would see: take it out, and put it into the Secret of %s.existingSecret." .name .name) -}}
{{- end -}}
{{- if not (or .existing .root.Values.existingSecret) -}}
{{- fail (printf "%s.url is set, and nothing says its password: name a Secret in %s.existingSecret." .name .name) -}}
{{- end -}}
{{- if and (eq .name "database") .root.Values.postgresql.bundled.enabled -}}
{{- fail "database.url and postgresql.bundled.enabled are both set: name your PostgreSQL, or let the chart run one, not both." -}}
{{- end -}}
{{- else if and (eq .name "database") (not .root.Values.postgresql.bundled.enabled) -}}
{{- fail "database.url is missing: write the address of your PostgreSQL, such as postgresql://voxelhub@db.example.org/voxelhub, or set postgresql.bundled.enabled to try VoxelHub with its own." -}}
{{- end -}}
{{- end }}

{{- define "voxelhub.validateEdge" -}}
{{- $secret := eq .Values.proxy.https.type "secret" -}}
{{- if and $secret (not .Values.proxy.https.secret.name) -}}
{{- fail "proxy.https.type is secret, and proxy.https.secret.name is missing: name a Secret of the type kubernetes.io/tls." -}}
{{- end -}}
{{- if and $secret (or .Values.ingress.enabled .Values.httpRoute.enabled) -}}
{{- fail "The ingress and the gateway speak plain HTTP to the proxy: set proxy.https.type to offload with them." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled is set, and ingress.hosts is empty: name the host that people type." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.gateway.name) -}}
{{- fail "httpRoute.enabled is set, and httpRoute.gateway.name is missing: name the Gateway." -}}
{{- end -}}
{{- end }}

{{- define "voxelhub.validateServers" -}}
{{- $names := list -}}{{- $defaults := 0 -}}
{{- range .Values.profiles.profiles -}}
{{- if has .name $names -}}
{{- fail (printf "profiles: the profile %s is there twice; names are unique." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- if .default }}{{ $defaults = add $defaults 1 }}{{ end -}}
{{- end -}}
{{- if gt (int $defaults) 1 -}}
{{- fail "profiles: more than one profile is the default; mark one." -}}
{{- end -}}
{{- range $name := keys .Values.singleuser.extraEnv -}}
{{- if regexMatch "^(VOXELHUB|JUPYTERHUB)_" $name -}}
{{- fail (printf "singleuser.extraEnv names %s, which VoxelHub sets itself; take it out." $name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "voxelhub.validateHub" -}}
{{- $host := .Values.hub.subdomainHost -}}
{{- if and $host (ne $host (include "voxelhub.publicHost" .)) -}}
{{- fail (printf "hub.subdomainHost is %s, and the host of publicUrl is %s: they must be the same, and every user gets a name below it." $host (include "voxelhub.publicHost" .)) -}}
{{- end -}}
{{- if and $host (regexMatch "^[0-9.]+$" $host) -}}
{{- fail "hub.subdomainHost is an address of numbers, below which there are no names: give VoxelHub a name, or leave hub.subdomainHost empty." -}}
{{- end -}}
{{- range $class := keys .Values.hub.config -}}
{{- if not (regexMatch "^[A-Z]" $class) -}}
{{- fail (printf "hub.config.%s is no class, since it begins with a small letter: classes are JupyterHub, Authenticator, KubeSpawner and others. Is it a value one level too deep?" $class) -}}
{{- end -}}
{{- end -}}
{{- range $env := list "hub" "service" -}}
{{- range $name := keys (get $.Values $env).extraEnv -}}
{{- if hasPrefix "VOXELHUB_" $name -}}
{{- fail (printf "%s.extraEnv names %s: settings are in `settings`, and the chart sets the others itself." $env $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
