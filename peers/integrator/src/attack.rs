//! Attacks on a server's connections, bounded in number and time: peers that stall, and floods of HTTP/2 frames.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// One kind of attack.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// What it is called.
    pub name: &'static str,
    /// How many connections attack at a time.
    connections: usize,
    /// How long an attacker rests before it connects again.
    rest: Duration,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Sends this, and then a byte now and then if there is one to send.
    Stall(&'static str, Option<&'static str>),
    /// Opens HTTP/2, sends this once, and then that so often.
    Flood(fn() -> Vec<u8>, fn(u32) -> Vec<u8>),
}

/// All of them.
pub const ATTACKS: [Attack; 9] = [
    stalling("slow header", "GET / HTTP/1.1\r\nhost: a\r\nx: ", Some("y")),
    stalling(
        "slow body",
        "POST /token HTTP/1.1\r\nhost: a\r\ncontent-length: 4000\r\nauthorization: Bearer x\r\n\r\n",
        Some("y"),
    ),
    stalling("silent", "", None),
    stalling("half preface", "PRI * HTTP/2.0\r\n\r\nSM", None),
    flooding("rapid reset", Vec::new, rapid_reset),
    flooding("continuation", || frame(1, 1, 1, HEAD), |_| frame(9, 0, 1, b"\x00\x01x\x01y")),
    flooding("empty data", || frame(1, 4, 1, HEAD), |_| frame(0, 0, 1, b"")),
    flooding("ping", Vec::new, |_| frame(6, 0, 0, &[7; 8])),
    flooding("settings", Vec::new, |_| frame(4, 0, 0, &[0, 4, 0, 0, 255, 255])),
];

const fn stalling(name: &'static str, begin: &'static str, more: Option<&'static str>) -> Attack {
    Attack { name, connections: 400, rest: Duration::from_millis(10), kind: Kind::Stall(begin, more) }
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

impl Attack {
    /// Begins; it ends when the set is dropped.
    pub fn begin(self, target: SocketAddr) -> JoinSet<()> {
        let mut attackers = JoinSet::new();
        for number in 0..self.connections {
            attackers.spawn(async move {
                loop {
                    if let Ok(stream) = connect(number, target).await {
                        let _ = self.once(stream).await;
                    }
                    tokio::time::sleep(self.rest).await;
                }
            });
        }
        attackers
    }

    /// Attacks until the server has had enough.
    async fn once(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self.kind {
            Kind::Stall(begin, more) => {
                stream.write_all(begin.as_bytes()).await?;
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
            Kind::Flood(begin, each) => {
                stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
                stream.write_all(&[frame(4, 0, 0, b""), begin()].concat()).await?;
                let (mut reading, mut writing) = stream.split();
                let reader = async { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await };
                let writer = async {
                    for batch in 0..FRAMES / BATCH {
                        let frames: Vec<u8> = (batch * BATCH..(batch + 1) * BATCH).flat_map(each).collect();
                        writing.write_all(&frames).await?;
                    }
                    Ok::<_, std::io::Error>(())
                };
                tokio::try_join!(reader, writer).map(drop)
            }
        }
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
