#!/bin/sh
# Says how many lines and columns a table has: main.sh OUTPUT TABLE
set -eu

output=$1
table=$2
lines=$(wc -l < "$table")
columns=$(head -n 1 "$table" | tr ',' '\n' | wc -l)
if [ "$lines" -lt 2 ]; then
    echo "::error The table has no rows. Choose another one."
    exit 1
fi
echo "::progress 0.5 counted"
printf 'lines,columns\n%d,%d\n' "$lines" "$columns" > "$output/summary.csv"
