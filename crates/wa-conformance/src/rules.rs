//! The rules under which checks run.

use serde::Deserialize;
use wa_interop::profile::Profile;
use wa_profile::ProfileFileError;

/// The versions of the document under which the checks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Document {
    /// The published overview.
    #[default]
    #[serde(rename = "overview")]
    Overview,
    /// The reference offer, version 1.0.3.
    #[serde(rename = "1.0.3")]
    ReferenceOffer,
}

impl Document {
    /// Both versions of the document.
    pub const ALL: [Self; 2] = [Self::Overview, Self::ReferenceOffer];

    /// Its name, as the programs know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::ReferenceOffer => "1.0.3",
        }
    }

    /// The profile of that version.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Self::Overview => Profile::overview(),
            Self::ReferenceOffer => Profile::reference_offer_1_0_3(),
        }
    }
}

/// The rules under which checks run: a document's, or a profile's from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    name: String,
    profile: Profile,
}

impl Rules {
    /// A document's by its name, or those of the TOML file at this path.
    ///
    /// # Errors
    /// [`ProfileFileError`].
    pub fn open(name_or_path: &str) -> Result<Self, ProfileFileError> {
        Ok(Self { name: name_or_path.to_owned(), profile: Profile::open(name_or_path)? })
    }

    /// The same under another profile.
    pub(crate) fn with_profile(&self, profile: Profile) -> Self {
        Self { name: self.name.clone(), profile }
    }

    /// Their profile, as it is.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What `--profile` calls them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl From<Document> for Rules {
    fn from(document: Document) -> Self {
        Self { name: document.name().to_owned(), profile: document.profile() }
    }
}
