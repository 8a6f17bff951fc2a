# For packages whose behaviour a test controls through files in /run/test.
case ${EAPI} in
	8) ;;
	*) die "EAPI ${EAPI} unsupported" ;;
esac

TEST_CONTROL=/run/test
S=${WORKDIR}
HOMEPAGE="https://example.invalid/"
LICENSE="MIT"
KEYWORDS="amd64"

# test_number NAME DEFAULT: the number in /run/test/NAME, or DEFAULT.
test_number() {
	local value=
	[[ -r ${TEST_CONTROL}/$1 ]] && read -r value <"${TEST_CONTROL}/$1"
	echo "${value:-$2}"
}

# test_wait NAME: until /run/test/go-NAME is there, but at most the seconds in /run/test/limit-NAME (300). /run/test/at-NAME is there
# for as long as this waits. A line of output every 5 s, unless /run/test/quiet-NAME is there.
test_wait() {
	local name=$1 limit start=${SECONDS} said=0
	limit=$(test_number "limit-${name}" 300)
	mkdir -p "${TEST_CONTROL}" || die
	echo "${BASHPID}" >"${TEST_CONTROL}/at-${name}" || die
	while [[ ! -e ${TEST_CONTROL}/go-${name} ]] && (( SECONDS - start < limit )); do
		if (( SECONDS - start >= said )) && [[ ! -e ${TEST_CONTROL}/quiet-${name} ]]; then
			echo "waiting for ${TEST_CONTROL}/go-${name}, $(( SECONDS - start )) of at most ${limit} s"
			said=$(( SECONDS - start + 5 ))
		fi
		sleep 0.1
	done
	rm -f "${TEST_CONTROL}/at-${name}"
}

# test_file: one small file, so that the package has something to install. By no helper of Portage's: those are a shell and a Python each.
test_file() {
	local dir="${ED}/usr/share/gbsup-test"
	mkdir -p "${dir}" || die
	echo "${PF} was here" >"${dir}/${PN}" || die
}
