#!/bin/sh
# Writes .env, or the file that is named: each variable of .env.example, at random. What is there already stays.
set -eu
house=$(dirname "$0")/..
file=${1:-$house/.env}
umask 077
touch "$file"
sed -n 's/^\([A-Z_]*\)=$/\1/p' "$house/.env.example" | while read -r name; do
  if grep -q "^$name=" "$file"; then continue; fi
  case $name in
    *_KEY) value=$(head -c 32 /dev/urandom | base64 | tr -d '\n') ;;
    *) value=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n') ;;
  esac
  echo "$name=$value" >>"$file"
  echo "$name is new" >&2
done
