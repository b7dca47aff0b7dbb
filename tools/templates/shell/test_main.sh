#!/bin/sh
# `voxelhub tool test .` runs this where the tool will run.
set -eu

folder=$(mktemp -d)
printf 'name,age\na,30\nb,41\n' > "$folder/table.csv"
sh main.sh "$folder" "$folder/table.csv"
[ "$(cat "$folder/summary.csv")" = "$(printf 'lines,columns\n3,2')" ]
printf 'name,age\n' > "$folder/table.csv"
if sh main.sh "$folder" "$folder/table.csv"; then exit 1; fi
echo "The tests have passed."
