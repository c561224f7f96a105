//! MP4 and QuickTime: how long they play, and the size of the picture (ISO/IEC 14496-12 §8.2, §8.3).
//!
//! Only the boxes that say so are read; the tables of samples, which may be long, are passed over.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use re_mp4::{BoxHeader, BoxType, MvhdBox, ReadBox, TkhdBox};

use super::Metadata;

/// What is not a film after all leaves the metadata as they are.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(file: &mut (impl Read + Seek), metadata: &mut Metadata) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut boxes = Boxes { from: 0, end, left: MAX_BOXES };
    while let Some(found) = boxes.next(file)? {
        if found.name == BoxType::MoovBox {
            return movie(file, &mut boxes.within(&found), metadata);
        }
    }
    Ok(())
}

/// How many boxes are looked at, on all levels together.
const MAX_BOXES: u32 = 1024;

/// The boxes of one level.
struct Boxes {
    from: u64,
    end: u64,
    left: u32,
}

struct Found {
    name: BoxType,
    /// Where its content begins and ends.
    content: u64,
    end: u64,
    /// As the reader of a box wants it.
    size: u64,
}

impl Boxes {
    /// The next box that lies within this level as a whole; the file then stands at its content.
    fn next(&mut self, file: &mut (impl Read + Seek)) -> io::Result<Option<Found>> {
        if self.left == 0 || self.from >= self.end {
            return Ok(None);
        }
        self.left -= 1;
        file.seek(SeekFrom::Start(self.from))?;
        let Ok(BoxHeader { name, size }) = BoxHeader::read(file) else { return Ok(None) };
        let content = file.stream_position()?;
        // The size counts a header of eight bytes, whatever its form was. A size of 0 reaches to the end.
        let length =
            if size == 0 { Some(self.end.saturating_sub(content)) } else { size.checked_sub(HEADER) };
        let end = length.and_then(|length| content.checked_add(length)).filter(|&end| end <= self.end);
        let Some(end) = end else { return Ok(None) };
        self.from = end;
        Ok(Some(Found { name, content, end, size: end - content + HEADER }))
    }

    /// The boxes in a box; what is left to look at is shared.
    fn within(&mut self, found: &Found) -> Self {
        Self { from: found.content, end: found.end, left: self.left }
    }
}

const HEADER: u64 = 8;

fn movie(file: &mut (impl Read + Seek), boxes: &mut Boxes, metadata: &mut Metadata) -> io::Result<()> {
    while let Some(found) = boxes.next(file)? {
        match found.name {
            BoxType::MvhdBox => {
                if let Ok(header) = MvhdBox::read_box(file, found.size) {
                    metadata.duration = duration(header.duration, header.timescale);
                }
            }
            BoxType::TrakBox if metadata.width.is_none() => {
                let mut track = boxes.within(&found);
                picture(file, &mut track, metadata)?;
                boxes.left = track.left;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The size of a track that shows something.
fn picture(file: &mut (impl Read + Seek), boxes: &mut Boxes, metadata: &mut Metadata) -> io::Result<()> {
    while let Some(found) = boxes.next(file)? {
        if found.name != BoxType::TkhdBox {
            continue;
        }
        let Ok(header) = TkhdBox::read_box(file, found.size) else { continue };
        let (width, height) = (u32::from(header.width.value()), u32::from(header.height.value()));
        if width > 0 && height > 0 {
            // Turned by a quarter: the matrix maps across to down.
            let is_on_its_side = header.matrix.a == 0 && header.matrix.d == 0;
            let (width, height) = if is_on_its_side { (height, width) } else { (width, height) };
            (metadata.width, metadata.height) = (Some(width), Some(height));
        }
    }
    Ok(())
}

fn duration(units: u64, a_second: u32) -> Option<Duration> {
    let scale = u64::from(a_second);
    let seconds = units.checked_div(scale)?;
    // What is not known is all ones in either version of the box.
    if units == 0 || units == u64::from(u32::MAX) || units == u64::MAX {
        return None;
    }
    let nanos = u128::from(units % scale) * 1_000_000_000 / u128::from(scale);
    Some(Duration::new(seconds, u32::try_from(nanos).ok()?))
}
