//! What the library weighs on a device.

use std::fs;

use crate::bindings::LIBRARY;
use crate::failure::{Failure, io};
use crate::program::{Program, target};
use crate::report;

/// What of SQLite nobody asks for here: search, geometry, JSON, extensions.
const SQLITE: &str = "-USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS -USQLITE_ENABLE_FTS5 \
    -USQLITE_ENABLE_RTREE -USQLITE_ENABLE_DBSTAT_VTAB -USQLITE_ENABLE_STAT4 -USQLITE_ENABLE_LOAD_EXTENSION \
    -USQLITE_SOUNDEX -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_JSON -DSQLITE_OMIT_DEPRECATED";

/// Builds the library as for a device, with and without HTTP and files, and prints bytes.
pub(crate) fn size() -> Result<(), Failure> {
    for (what, features) in
        [("without HTTP", ""), ("with HTTP and files", "media"), ("with profiles as well", "media,profiles")]
    {
        let build = ["build", "--profile", "device", "--package", "wa-ffi", "--no-default-features"];
        let build = Program::cargo().with_env("LIBSQLITE3_FLAGS", SQLITE).with_args(build);
        build.with_args(["--features", features]).run()?;
        let path = target().join("device").join(LIBRARY);
        let bytes = fs::metadata(&path).map_err(|error| io(&path, &error))?.len();
        report::line(&format!("{what}: {bytes} bytes"));
    }
    Ok(())
}
