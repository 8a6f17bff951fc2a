EAPI=8

inherit test-control

DESCRIPTION="As many files in C++ as /run/test/sources says (8), each compiled by itself"
SLOT="0"

src_prepare() {
	default
	local n count
	count=$(test_number sources 8)
	for ((n = 1; n <= count; n++)); do
		echo -e "#include <map>\n#include <string>\nint f${n}(int n) { return int(std::map<int, std::string>{{n, \"${n}\"}}.size()); }" \
			>"f${n}.cpp" || die
	done
	printf 'SOURCES = $(wildcard *.cpp)\nmany.a: $(SOURCES:.cpp=.o)\n\tar rcs $@ $^\n' >Makefile || die
}

src_install() {
	insinto /usr/share/gbsup-test
	doins many.a
}
