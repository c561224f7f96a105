rootProject.name = "wa-ffi"
