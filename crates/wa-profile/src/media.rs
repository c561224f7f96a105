//! Media: hosts, paths and who may fetch (overview §4.1; RO 1.0.3).

/// Where media lies in each direction and how it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct MediaRules {
    /// The origin that serves WhatsApp users' media to the third party.
    ///
    /// The host is from overview §4.1.1; that section prints `http`, real clients only use `https` (observed).
    pub whatsapp_origin: String,
    /// What a WhatsApp user's direct path begins with (overview §4.1.1; RO 1.0.3).
    pub whatsapp_path_prefix: String,
    /// The direct path of media the third party hosts, with the placeholders `{integrator}` and
    /// `{storage_reference}`; WhatsApp's proxy fetches it from `{base}/{storage_reference}` (RO 1.0.3).
    pub interop_direct_path: String,
    /// What WhatsApp's proxy must show when it fetches hosted media.
    pub fetch_auth: MediaFetchAuth,
    /// What the windows of a streaming sidecar cover.
    pub sidecar_coverage: SidecarCoverage,
}

/// Authentication of WhatsApp's fetch of media the third party hosts.
///
/// Assumed: no public document names any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum MediaFetchAuth {
    /// None is required; a WhatsApp token is checked when it is present.
    CheckedWhenPresent,
    /// A valid WhatsApp token is required, as on a push.
    Required,
}

/// The bytes a streaming sidecar's windows run over; the sources disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SidecarCoverage {
    /// Ciphertext and MAC (observed in one independent client).
    WithoutIv,
    /// IV, ciphertext and MAC (the other reading of older descriptions).
    WithIv,
}

impl Default for MediaRules {
    fn default() -> Self {
        Self {
            whatsapp_origin: "https://mmg.whatsapp.net".to_owned(),
            whatsapp_path_prefix: "/v/t".to_owned(),
            interop_direct_path: "/interop/whatsapp/download/{integrator}/{storage_reference}/".to_owned(),
            fetch_auth: MediaFetchAuth::CheckedWhenPresent,
            sidecar_coverage: SidecarCoverage::WithoutIv,
        }
    }
}
