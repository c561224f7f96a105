//! The four classes of media, which differ in what their keys are derived with (observed).

/// What a file's keys are derived for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaClass {
    /// Pictures and stickers.
    Image,
    /// Videos, also those shown as moving pictures or as round notes.
    Video,
    /// Music and voice notes.
    Audio,
    /// Any other file.
    Document,
}

impl MediaClass {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Image, Self::Video, Self::Audio, Self::Document];

    /// The info text of HKDF (observed).
    #[must_use]
    pub const fn info(self) -> &'static str {
        match self {
            Self::Image => "WhatsApp Image Keys",
            Self::Video => "WhatsApp Video Keys",
            Self::Audio => "WhatsApp Audio Keys",
            Self::Document => "WhatsApp Document Keys",
        }
    }
}
