# The proxy reads its token from its environment alone; here it comes from the mounted secret.
set -eu
token=${VOXELHUB_SECRETS_DIR:-/srv/voxelhub/secrets}/proxy-token
if [ -z "${CONFIGPROXY_AUTH_TOKEN:-}" ]; then
    [ -s "$token" ] || { echo "The proxy's token is missing: mount the key proxy-token of the secret at $token." >&2; exit 1; }
    CONFIGPROXY_AUTH_TOKEN=$(cat "$token")
    export CONFIGPROXY_AUTH_TOKEN
fi
export NODE_OPTIONS="${NODE_OPTIONS:-} --import /opt/voxelhub/proxy_away.mjs"
case ${1:-} in -* | "") set -- configurable-http-proxy "$@" ;; esac
exec "$@"
