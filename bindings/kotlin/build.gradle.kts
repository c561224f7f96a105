// The package for a JVM, as `cargo xtask bindings kotlin` lays it out below target/bindings/kotlin: this file, the sources
// beside it, the generated ones, and the library of this machine among the resources, where JNA finds it.
//
// For Android: the same sources in a module with `com.android.library`, JNA as `net.java.dev.jna:jna:5.17.0@aar`, and the
// library of each ABI in src/main/jniLibs.

plugins {
    kotlin("jvm") version "2.2.20"
    `java-library`
    `maven-publish`
}

group = "wa"
version = "0.1.0"

repositories { mavenCentral() }

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2")
    implementation("net.java.dev.jna:jna:5.17.0")
}

kotlin { jvmToolchain(17) }

publishing { publications { create<MavenPublication>("library") { from(components["java"]) } } }

// gradle conversation --args="$(what wa-sandbox prints in its first line)"
tasks.register<JavaExec>("conversation") {
    classpath = sourceSets["test"].runtimeClasspath
    mainClass = "ConversationKt"
}
