# PostgreSQL on a volume: made at the first start, all or nothing, and its passwords those of the mounted secrets at every start.
set -eu
umask 077
secrets=${VOXELHUB_SECRETS_DIR:-/srv/voxelhub/secrets}
volume=${VOXELHUB_POSTGRESQL_VOLUME:-/var/lib/postgresql/data}
data=$volume/15
new=$volume/.first-start

fail() { echo "$*" >&2; exit 1; }

# password <key>: as an SQL string.
password() {
    [ -s "$secrets/$1" ] || fail "A secret is missing: mount the key $1 at $secrets/$1."
    [ "$(wc -l <"$secrets/$1")" -le 1 ] || fail "The secret $1 has more than one line."
    printf "'%s'" "$(sed "s/'/''/g" "$secrets/$1")"
}

# alone <folder>: one statement a line, without a server, ending at the first that fails.
alone() {
    postgres --single -D "$1" -c exit_on_error=true -c log_min_messages=fatal -c log_min_error_statement=panic postgres >/dev/null
}

case ${1:-} in -* | "") set -- postgres "$@" ;; esac
[ "$1" = postgres ] || exec "$@"
shift

mkdir -p "$volume" 2>/dev/null && [ -w "$volume" ] || fail "$volume cannot be written. It needs a volume of uid 1000."
service=$(password database-password)
hub=$(password hub-database-password)
postgres=$(password postgres-password)

if [ ! -d "$data" ]; then
    rm -rf "$new"
    echo "Making the databases."
    initdb --pgdata="$new" --username=postgres --encoding=UTF8 --locale=C --auth=scram-sha-256 --data-checksums \
        --pwfile="$secrets/postgres-password" >/dev/null
    echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
    for name in voxelhub hub; do
        echo "CREATE ROLE $name LOGIN"
        echo "CREATE DATABASE $name OWNER $name TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
        echo "REVOKE ALL ON DATABASE $name FROM PUBLIC"
    done | alone "$new"
    mv "$new" "$data"
    sync "$volume"
fi
# Kubernetes opens the files of a volume to the pod's group at each start; PostgreSQL wants them for itself.
chmod 0700 "$data"
alone "$data" <<END
ALTER ROLE postgres PASSWORD $postgres
ALTER ROLE voxelhub PASSWORD $service
ALTER ROLE hub PASSWORD $hub
END

exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp -c password_encryption=scram-sha-256 -c jit=off "$@"
