EAPI=8

inherit test-control

DESCRIPTION="Does not compile until /etc/gbsup-test/repaired is there"
SLOT="0"

src_compile() {
	echo "cc -c reactor.c -o reactor.o"
	if [[ ! -e /etc/gbsup-test/repaired ]]; then
		echo "reactor.c:42:7: error: 'coolant' undeclared (first use in this function)" >&2
		die "the reactor has no coolant: touch /etc/gbsup-test/repaired"
	fi
}

src_install() {
	test_file
}
