//! Reading a response's body under a limit that holds while it streams.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::HttpError;

/// The whole body, refused as soon as it is known to pass `limit`.
///
/// A declared length is believed only as a reason to refuse: memory grows with what has arrived.
pub(crate) async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, HttpError> {
    let too_large = HttpError::BodyTooLarge { limit };
    let least = usize::try_from(body.size_hint().lower()).map_err(|_| too_large)?;
    if least > limit {
        return Err(too_large);
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| HttpError::from_body(&error))?.into_data() else {
            continue;
        };
        if data.len() > limit - whole.len() {
            return Err(too_large);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
