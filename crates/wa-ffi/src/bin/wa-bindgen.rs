//! `wa-bindgen`: writes the bindings of this library, in the version that it was built with.

fn main() {
    uniffi::uniffi_bindgen_main();
}
