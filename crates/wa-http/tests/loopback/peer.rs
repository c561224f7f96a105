//! Peers on the loopback interface, each on its own port.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Answers 418 with what it understood.
pub(crate) async fn echo() -> String {
    serve("http", serve_echo).await
}

/// The same over TLS for `localhost`, with the certificate to trust.
pub(crate) async fn tls_echo(alpn: &[&[u8]]) -> (String, Bytes) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let url = serve("https", move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve_echo(stream).await;
            }
        }
    })
    .await;
    (url.replace("127.0.0.1", "localhost"), Bytes::copy_from_slice(made.cert.der()))
}

/// Reads something, writes exactly these bytes and closes.
pub(crate) async fn raw(answer: &[u8]) -> String {
    let answer = answer.to_vec();
    serve("http", move |mut stream| {
        let answer = answer.clone();
        async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
            // Keep reading, so that unread input does not turn the close into a reset.
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
        }
    })
    .await
}

/// Answers a request with these bytes and then nothing more, without closing.
pub(crate) async fn stalling(answer: &'static [u8]) -> String {
    serve("http", move |mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(answer).await;
        std::future::pending::<()>().await;
    })
    .await
}

/// Accepts and never says anything.
pub(crate) async fn silent() -> String {
    stalling(b"").await
}

/// Answers with chunks until the other end closes.
pub(crate) async fn endless() -> String {
    serve("http", |mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"8\r\n12345678\r\n").await.is_ok() {}
    })
    .await
}

/// A port on which nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn serve<F>(scheme: &str, handle: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            handle(stream).await;
        }
    });
    url
}

async fn serve_echo(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let connection = auto::Builder::new(TokioExecutor::new());
    let _ = connection.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut understood = format!(
        "{:?} {} {} x-test={} accept-encoding={} ",
        head.version,
        head.method,
        head.uri.path_and_query().unwrap(),
        header("x-test"),
        header("accept-encoding"),
    );
    let body = body.collect().await.unwrap().to_bytes();
    understood.push_str(std::str::from_utf8(&body).unwrap());
    let mut response = Response::new(Full::new(Bytes::from(understood)));
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    Ok(response)
}
