// swift-tools-version:5.9
// `cargo xtask bindings swift` lays this package out below target/bindings/swift, with the generated sources, their header, and
// the static library in lib. Link with `-Xlinker -Llib`.

import PackageDescription

let package = Package(
    name: "WaFfi",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "WaFfi", targets: ["WaFfi"])],
    targets: [
        .systemLibrary(name: "wa_ffiFFI"),
        .target(
            name: "WaFfi",
            dependencies: ["wa_ffiFFI"],
            linkerSettings: [.linkedFramework("CoreFoundation"), .linkedFramework("Security")]
        ),
        .testTarget(name: "WaFfiTests", dependencies: ["WaFfi"]),
    ]
)
