//! As many HTTP/1.1 requests as a server answers, over a few connections that stay open.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Connections to one server, each with one request under way.
#[derive(Debug)]
pub struct Load {
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Load {
    /// Opens the connections and asks once on each, to know how long an answer is.
    pub async fn open(address: SocketAddr, path: &str, connections: usize) -> std::io::Result<Self> {
        let mut opened = Vec::new();
        for _ in 0..connections {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
            stream.write_all(&request).await?;
            let answer = first_answer(&mut stream).await?;
            opened.push(Connection { stream, request, answer });
        }
        Ok(Self { connections: opened })
    }

    /// How many requests a second are answered, asked for so long.
    pub async fn rate(&mut self, time: Duration) -> std::io::Result<f64> {
        let start = Instant::now();
        let mut asking = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            asking.spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < time {
                    connection.ask().await?;
                    count += 1;
                }
                Ok::<_, std::io::Error>((connection, count))
            });
        }
        let mut answered = 0.0;
        while let Some(ended) = asking.join_next().await {
            let (connection, count) = ended.map_err(std::io::Error::other)??;
            self.connections.push(connection);
            answered += f64::from(count);
        }
        Ok(answered / start.elapsed().as_secs_f64())
    }
}

impl Load {
    /// How many requests a second are answered where each connection asks every `pace` and never sooner: one that has
    /// no answer by then asks that much less. With it, how long the slowest hundredth of answers took at least.
    pub async fn paced(&mut self, pace: Duration, time: Duration) -> std::io::Result<(f64, Duration)> {
        let start = Instant::now();
        let mut asking = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            asking.spawn(async move {
                let mut ticks = tokio::time::interval(pace);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let mut waited = Vec::new();
                while start.elapsed() < time {
                    ticks.tick().await;
                    let asked_at = Instant::now();
                    connection.ask().await?;
                    waited.push(asked_at.elapsed());
                }
                Ok::<_, std::io::Error>((connection, waited))
            });
        }
        let mut all = Vec::new();
        while let Some(ended) = asking.join_next().await {
            let (connection, waited) = ended.map_err(std::io::Error::other)??;
            self.connections.push(connection);
            all.extend(waited);
        }
        let rate = all.len() as f64 / start.elapsed().as_secs_f64();
        all.sort_unstable();
        Ok((rate, all.get(all.len() * 99 / 100).copied().unwrap_or_default()))
    }
}

impl Connection {
    async fn ask(&mut self) -> std::io::Result<()> {
        self.stream.write_all(&self.request).await?;
        self.stream.read_exact(&mut self.answer).await?;
        if self.answer.starts_with(b"HTTP/1.1 200 ") && self.answer.ends_with(b"}") {
            return Ok(());
        }
        Err(std::io::Error::other("an answer of another length"))
    }
}

/// Reads one whole answer.
async fn first_answer(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::Error::other("the server closed"));
        }
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if length == Some(body.len()) {
                return Ok(answer);
            }
        }
    }
}
