//! What distcc 3.4 says on the wire and in the log of its clients: bytes and text in, values out.
//!
//! Sources: `src/clirpc.c`, `src/srvrpc.c`, `src/compile.c` and `src/exec.c` of distcc.

pub mod log;
pub mod probe;
pub mod wire;
