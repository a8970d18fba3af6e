#!/bin/sh
# `keep FILE ARGV COMMAND…` keeps a run of a program as a recording (mpio/recording.py says what that is): ARGV is the
# command once more, as JSON. POSIX sh, sed and coreutils, so that hosts without a recent Python can be recorded too.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT

secret='password(_in)?"?[[:blank:]]*[=:][[:blank:]]*'
mask() {
	sed -E "/$secret<empty>/I!s/($secret)[^[:blank:]].*/\\1********/I"
}

keep() {
	file=$1 argv=$2
	shift 2
	timeout --kill-after=2 60 "$@" >"$work/out" 2>"$work/err"
	code=$?
	{
		printf 'mpio recording 1\nargv: %s\ncode: %s\n' "$argv" "$code"
		if [ -n "$(tail -c 1 "$work/err" | tr '\0' x)" ]; then
			sed '$!s/^/err: /; $s/^/err+: /' "$work/err"
			echo
		else
			sed 's/^/err: /' "$work/err"
		fi
		echo
		cat "$work/out"
	} | mask >"$file"
}
