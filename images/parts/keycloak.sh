# Keycloak with a home on a volume: its data there, its program as the image has it, so that the image can be read-only.
set -eu
secrets=${VOXELHUB_SECRETS_DIR:-/srv/voxelhub/secrets}
home=${VOXELHUB_KEYCLOAK_HOME:-/srv/voxelhub/keycloak}

# secret <variable> <key>: from the environment, or else from the mounted secret.
secret() {
    eval "value=\${$1:-}"
    if [ -z "$value" ]; then
        [ -s "$secrets/$2" ] || { echo "A secret is missing: mount the key $2 at $secrets/$2." >&2; exit 1; }
        value=$(cat "$secrets/$2")
    fi
    export "$1=$value"
}

mkdir -p "$home/data" 2>/dev/null || { echo "$home cannot be written. It needs a volume of uid 1000." >&2; exit 1; }
chmod 0700 "$home/data"
for part in bin conf lib providers themes; do ln -sfn "/opt/keycloak/$part" "$home/$part"; done

secret KC_BOOTSTRAP_ADMIN_PASSWORD keycloak-admin-password
secret KC_DB_PASSWORD keycloak-db-password
export KC_BOOTSTRAP_ADMIN_USERNAME="${KC_BOOTSTRAP_ADMIN_USERNAME:-voxelhub-bootstrap}"
# AUTO_SERVER=FALSE: H2 opens no port of its own.
file="$home/data/h2/keycloakdb;NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE;DB_CLOSE_DELAY=0;AUTO_SERVER=FALSE"
export KC_DB_URL="${KC_DB_URL:-jdbc:h2:file:$file}"
if [ -f /tls/tls.crt ]; then
    export KC_HTTPS_CERTIFICATE_FILE="${KC_HTTPS_CERTIFICATE_FILE:-/tls/tls.crt}"
    export KC_HTTPS_CERTIFICATE_KEY_FILE="${KC_HTTPS_CERTIFICATE_KEY_FILE:-/tls/tls.key}"
    export KC_HTTPS_PROTOCOLS="${KC_HTTPS_PROTOCOLS:-TLSv1.3}"
fi

opens=""
for package in util util.concurrent security lang; do opens="$opens --add-opens=java.base/java.$package=ALL-UNNAMED"; done
# Java itself, not kc.sh: the process that is started is the one to signal and to wait for.
# shellcheck disable=SC2086 # lists of words
exec "$JAVA_HOME/bin/java" ${JAVA_OPTS:--Xms64m -Xmx384m -XX:MetaspaceSize=96M -XX:MaxMetaspaceSize=256m} \
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
    -Dfile.encoding=UTF-8 -Duser.language=en -Duser.country=US $opens --enable-native-access=ALL-UNNAMED \
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager -Dpicocli.disable.closures=true \
    -Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory \
    -Dkc.home.dir="$home" -Djboss.server.config.dir="$home/conf" \
    -cp /opt/keycloak/lib/quarkus-run.jar io.quarkus.bootstrap.runner.QuarkusEntryPoint "$@"
