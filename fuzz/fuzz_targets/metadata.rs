//! Type, size, duration and thumbnail of any bytes: read to an end, with a thumbnail that is a picture.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use wa_media::{Metadata, THUMBNAIL_EDGE};

fuzz_target!(|bytes: &[u8]| {
    let Ok(metadata) = Metadata::read(&mut Cursor::new(bytes)) else { unreachable!("bytes can be read") };
    if let Some(thumbnail) = metadata.thumbnail {
        let Ok(small) = Metadata::read(&mut Cursor::new(thumbnail)) else {
            unreachable!("bytes can be read")
        };
        assert_eq!(small.mime, "image/jpeg");
        assert!(small.width.max(small.height) <= Some(THUMBNAIL_EDGE));
    }
});
