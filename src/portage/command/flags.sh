# shellcheck shell=sh disable=SC2086
# LANGUAGE COMPILER VARIABLE FLAGS CPPFLAGS LDFLAGS, as often as there are compilers
set -f
place=$(mktemp -d) || exit 0
trap 'rm -rf "$place"' EXIT
# Flags are words: none of this is quoted.
compiles() {
	echo 'int main(void) { return 0; }' >"$place/empty"
	$compiler "$@" -x "$language" "$place/empty" -o "$place/program" >"$place/words" 2>&1
}
while [ $# -ge 6 ]; do
	language=$1 compiler=$2
	if ! compiles $5 $4 $6 && compiles; then
		culprit=$3
		compiles $5 || culprit=CPPFLAGS
		compiles $6 || culprit=LDFLAGS
		compiles $5 $4 $6
		echo "gbsup refused: $compiler $culprit"
		cat "$place/words"
	fi
	shift 6
done
