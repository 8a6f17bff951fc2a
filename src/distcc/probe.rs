//! What tells one compiler from another: a unit that is compiled here and there, and the two objects.
//!
//! The unit is preprocessed already, and says for which directory, so that what a compiler makes of it depends on nothing but the compiler, its
//! assembler, and what both were made to do by default. With `-g` the object has the compiler's version and all the options that it adds by itself.

/// Where the object has the name of what has made it, in the words of each.
const MAKERS: [&[u8]; 2] = [b"GCC: (", b"clang version "];
/// Bytes of that name that are shown.
const SHOWN: usize = 100;

const C: &str = r#"# 0 "gbsup.c"
# 1 "/gbsup//"
# 1 "gbsup.c"
typedef unsigned long size;
struct node { struct node *next; double weight[4]; unsigned char name[24]; };
extern int said(const char *, ...);
extern struct node *first;
static __thread unsigned seen;
_Thread_local int depth = 3;
static const char *const names[] = { "one", "two", "three", "four" };

size hash(const unsigned char *text, size length)
{
  size found = 14695981039346656037ul;
  for (size i = 0; i < length; i++)
    found = (found ^ text[i]) * 1099511628211ul;
  return found % 1000003;
}

double sum(const double *restrict a, float *restrict b, int count)
{
  double all = 0;
  for (int i = 0; i < count; i++) {
    b[i] = (float)(a[i] * 0.1) + b[i];
    all += a[i] / (b[i] + 3.0);
  }
  return all;
}

const char *word(int number)
{
  switch (number) {
  case 0: return "zero";
  case 1: case 2: case 3: case 4: return names[number - 1];
  case 17: return "seventeen";
  case 90: seen++; return "ninety";
  default: return number < 0 ? "less" : "more";
  }
}

int copy(struct node *to, const char *from)
{
  char held[64];
  __builtin_strncpy(held, from, sizeof held - 1);
  held[sizeof held - 1] = 0;
  struct node made = { first, { 1, 2, 3, 4.5 }, { 0 } };
  __builtin_memcpy(made.name, held, sizeof made.name);
  *to = made;
  return said("%s %d %lld", held, depth, (long long)seen * depth / 7);
}
"#;

const CXX: &str = r#"# 0 "gbsup.cc"
# 1 "/gbsup//"
# 1 "gbsup.cc"
extern "C" int said(const char *, ...);
struct shape {
  virtual ~shape();
  virtual double area() const = 0;
};
template <typename T, int N> struct square : shape {
  T side[N];
  square(T each) { for (auto &one : side) one = each; }
  double area() const override { double all = 0; for (auto one : side) all += one * one; return all; }
};
shape::~shape() {}
template struct square<float, 8>;
template struct square<long, 3>;

struct guard {
  const char *name;
  explicit guard(const char *n) : name(n) { said("in %s", name); }
  ~guard() { said("out %s", name); }
};

guard &only()
{
  static guard kept("kept");
  return kept;
}

int risky(int n)
{
  guard here("risky");
  if (n > 3)
    throw n;
  return n * 2;
}

int calm(int n)
{
  try {
    auto twice = [&](int by) noexcept(false) { return risky(n) + by; };
    return twice(1);
  } catch (int thrown) {
    return thrown % 10;
  } catch (...) {
    throw;
  }
}

double all()
{
  square<float, 8> a(1.5f);
  square<long, 3> b(4);
  const shape *both[] = { &a, &b };
  double found = 0;
  for (auto one : both)
    found += one->area();
  return found + only().name[0];
}
"#;

/// Whether a compiler of this name takes C++.
fn is_cxx(compiler: &str) -> bool {
    compiler.ends_with("++")
}

/// What a compiler of this name is given.
#[must_use]
pub fn source(compiler: &str) -> &'static str {
    if is_cxx(compiler) { CXX } else { C }
}

/// What the file with it is called here.
#[must_use]
pub fn file(compiler: &str) -> &'static str {
    if is_cxx(compiler) { "gbsup.ii" } else { "gbsup.i" }
}

/// How it is compiled; a daemon puts its own names in the place of the last one and of that behind `-c`. clang would write down where it runs.
#[must_use]
pub fn arguments<'a>(compiler: &'a str, file: &'a str, object: &'a str) -> Vec<&'a str> {
    let name = compiler.rsplit('/').next().unwrap_or(compiler);
    let directory = name.contains("clang").then_some("-fdebug-compilation-dir=/gbsup");
    [compiler, "-g", "-O2"].into_iter().chain(directory).chain(["-c", file, "-o", object]).collect()
}

/// Why what was made there does not show the compiler that is used here; nothing when it does.
#[must_use]
pub fn differs(compiler: &str, here: &[u8], there: &[u8]) -> Option<String> {
    if here == there {
        return None;
    }
    Some(match (maker(there), maker(here)) {
        (Some(there), Some(here)) if there != here => {
            format!("its {compiler} is {there}, and the one here is {here}")
        }
        _ => format!("its {compiler} makes another object than the one here"),
    })
}

/// What an object says of who has made it.
fn maker(object: &[u8]) -> Option<String> {
    let at = MAKERS.iter().find_map(|maker| object.windows(maker.len()).position(|bytes| bytes == *maker))?;
    let text = object[at..].split(|byte| !(b' '..=b'~').contains(byte)).next()?;
    let text = text.strip_prefix(b"GCC: ").map_or_else(|| text.to_vec(), |rest| [b"gcc ", rest].concat());
    Some(String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_its_language() {
        for (compiler, file) in
            [("gcc", "gbsup.i"), ("x86_64-pc-linux-gnu-g++", "gbsup.ii"), ("clang++", "gbsup.ii")]
        {
            assert_eq!(super::file(compiler), file);
            assert_eq!(source(compiler).contains("template"), file == "gbsup.ii");
        }
        assert_eq!(arguments("gcc", "a.i", "a.o").join(" "), "gcc -g -O2 -c a.i -o a.o");
        let clang = arguments("/usr/lib/llvm/20/bin/clang++", "a.ii", "a.o");
        assert_eq!(clang[3..5], ["-fdebug-compilation-dir=/gbsup", "-c"]);
    }

    #[test]
    fn another_compiler_is_named() {
        let object =
            |version: &str| format!("\u{7f}ELF\0GCC: (Debian {version}) {version}\0.text").into_bytes();
        assert_eq!(differs("gcc", &object("12"), &object("12")), None);
        assert_eq!(
            differs("gcc", &object("12"), &object("11")).unwrap(),
            "its gcc is gcc (Debian 11) 11, and the one here is gcc (Debian 12) 12"
        );
        for there in [&[][..], &[object("12"), vec![0]].concat()] {
            assert_eq!(
                differs("g++", &object("12"), there).unwrap(),
                "its g++ makes another object than the one here"
            );
        }
        let clang = |version: &str| format!("clang version {version}\0").into_bytes();
        assert!(differs("clang", &clang("17"), &clang("18")).unwrap().contains("is clang version 18, and"));
    }
}
