#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# install.sh - `meson install` puts every part where a distribution expects it.
# Usage: install.sh BUILD
set -eu
root=$(mktemp -d /tmp/lane53-install.XXXXXX)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$1" --no-rebuild --quiet >/dev/null
find "$root" -type f >"$root/list"
bad=0
for part in bin/lane53ctl sbin/lane53d libexec/lane53/lane53-worker lane53/lane53.bpf.o \
	man/man1/lane53ctl.1 man/man8/lane53d.8 man/man8/lane53-worker.8 \
	systemd/system/lane53d.service systemd/system/lane53d@.service; do
	grep -q "/$part\$" "$root/list" || { echo "not installed: $part"; bad=1; }
done
# What a unit starts is what was installed.
unit=$(grep '/lane53d.service$' "$root/list")
sed -n 's/^Exec[A-Za-z]*=\([^ ]*\).*/\1/p' "$unit" | while read -r program; do
	[ -x "$root$program" ] || { echo "$unit starts $program, which is not there"; exit 1; }
done
exit $bad
