//! A future that is kept across turns of the driver's loop.

use std::pin::Pin;

/// Something under way.
pub(crate) struct Pending<T>(pub(crate) Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Pending<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

/// The outcome of what is under way; never, if nothing is.
pub(crate) async fn done<T>(pending: &mut Option<Pending<T>>) -> T {
    match pending {
        Some(pending) => pending.0.as_mut().await,
        None => std::future::pending().await,
    }
}
