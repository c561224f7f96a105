//! Bringing an encrypted file to the integrator's server (RO 1.0.3: the server hosts what its users send; the
//! request is this project's own).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::response::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::download::refusal;
use crate::{FileFacts, TransferError};

/// One encrypted file to upload.
#[derive(Clone, Debug)]
pub struct Upload {
    uri: Uri,
    authorization: HeaderValue,
    facts: FileFacts,
}

impl Upload {
    /// The file that these facts are said of, for the integrator's server at `base_url`, shown `credential`: what
    /// the server recognises its user by.
    ///
    /// # Errors
    /// [`TransferError::Request`] for a base URL or a credential that cannot stand in a request.
    pub fn new(base_url: &str, credential: &str, facts: &FileFacts) -> Result<Self, TransferError> {
        let base_url = base_url.strip_suffix('/').unwrap_or(base_url);
        let uri: Uri = format!("{base_url}{PATH}").parse().map_err(|_| TransferError::Request)?;
        let authorization = HeaderValue::from_str(&format!("Bearer {credential}"));
        let mut authorization = authorization.map_err(|_| TransferError::Request)?;
        authorization.set_sensitive(true);
        if uri.host().is_none() || credential.is_empty() {
            return Err(TransferError::Request);
        }
        Ok(Self { uri, authorization, facts: *facts })
    }

    /// The request; its body is the encrypted file, exactly
    /// [`blob_length`](crate::FileFacts::blob_length) bytes.
    #[must_use]
    pub fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.facts.blob_length()));
        // RFC 9530.
        let digest = format!("sha-256=:{}:", STANDARD.encode(self.facts.enc_sha256));
        if let Ok(digest) = HeaderValue::from_str(&digest) {
            headers.insert("content-digest", digest);
        }
        request
    }

    /// The storage reference that the answer names: the last segment of its `Location`.
    ///
    /// # Errors
    /// [`TransferError`] for any other answer than 201 with a plain reference.
    pub fn storage_reference(head: &Parts) -> Result<String, TransferError> {
        if head.status != StatusCode::CREATED {
            return Err(refusal(head.status));
        }
        let location = head.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let reference = location.and_then(|location| location.rsplit('/').next()).unwrap_or_default();
        let is_plain = reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_plain || reference.is_empty() || reference.len() > REFERENCE_MAX {
            return Err(TransferError::Reference);
        }
        Ok(reference.to_owned())
    }
}

/// Where uploads go, below the base URL.
const PATH: &str = "/media";
const REFERENCE_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    const FACTS: FileFacts = FileFacts { sha256: [0; 32], enc_sha256: [0; 32], length: 5 };

    #[test]
    fn the_request_says_who_what_and_how_much() {
        let upload = Upload::new("https://integrator.example/whatsapp/", "credential", &FACTS).unwrap();
        let request = upload.request();
        assert_eq!(
            (request.method(), request.uri().to_string()),
            (&Method::POST, "https://integrator.example/whatsapp/media".into())
        );
        for (name, value) in [
            ("authorization", "Bearer credential"),
            ("content-length", "26"),
            ("content-type", "application/octet-stream"),
            ("content-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),
        ] {
            assert_eq!(request.headers()[name], value);
        }
        assert!(!format!("{upload:?}").contains("credential"));
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_refused() {
        for (base_url, credential) in [
            ("", "c"),
            ("/path", "c"),
            ("https://a b", "c"),
            ("https://a.example", ""),
            ("https://a.example", "a\nb"),
        ] {
            let refused = Upload::new(base_url, credential, &FACTS).map(|_| ());
            assert_eq!(refused, Err(TransferError::Request), "{base_url:?} {credential:?}");
        }
    }

    #[test]
    fn the_answer_names_a_plain_reference() {
        let read = |status: u16, location: Option<&str>| {
            let mut builder = Response::builder().status(status);
            if let Some(location) = location {
                builder = builder.header("location", location);
            }
            Upload::storage_reference(&builder.body(()).unwrap().into_parts().0)
        };
        assert_eq!(read(201, Some("/whatsapp/Zm9v_-1")), Ok("Zm9v_-1".to_owned()));
        for location in
            [None, Some(""), Some("/"), Some("/a b"), Some("/..%2f"), Some("/.."), Some(&*"x".repeat(257))]
        {
            assert_eq!(read(201, location), Err(TransferError::Reference), "{location:?}");
        }
        assert_eq!(read(413, Some("/a")), Err(TransferError::Refused { status: 413 }));
        assert_eq!(read(503, None), Err(TransferError::Unavailable { status: 503 }));
    }
}
