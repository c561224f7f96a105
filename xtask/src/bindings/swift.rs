//! The package for Swift: sources and the static library; compiled and tried out where there is a compiler.

use crate::bindings::{built_library, copied, copied_tree, generate, place, remade, written};
use crate::conformance::built;
use crate::failure::Failure;
use crate::program::{Program, root};
use crate::report;

/// The static library beside the one that bindings are written from.
const STATIC: &str = "libwa_ffi.a";

/// Lays the package out, and runs its tests if there is a `swift`.
pub(crate) fn package() -> Result<(), Failure> {
    let (bindgen, library) = built_library()?;
    let (package, generated) = (place("swift"), place("swift-generated"));
    remade(&package)?;
    copied_tree(&root().join("bindings/swift"), &package)?;
    generate(&bindgen, &library, "swift", &generated)?;
    copied(&generated.join("wa_ffi.swift"), &package.join("Sources/WaFfi/wa_ffi.swift"))?;
    copied(&generated.join("wa_ffiFFI.h"), &package.join("Sources/wa_ffiFFI/wa_ffiFFI.h"))?;
    copied(&library.with_file_name(STATIC), &package.join("lib").join(STATIC))?;
    written(&package);
    if !Program::new("swift").with_args(["--version"]).succeeds() {
        report::note("not compiled: there is no compiler of Swift here");
        return Ok(());
    }
    let [sandbox] = built(["wa-sandbox"])?;
    let test = Program::new("swift").with_directory(&package).with_env("WA_SANDBOX", sandbox);
    test.with_args(["test", "-Xlinker", "-Llib"]).run()
}
