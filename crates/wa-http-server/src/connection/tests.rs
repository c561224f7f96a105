//! Times of one connection, to the second, by a clock that stands until everybody waits.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio::time::Instant;

mod example;

use example::Example;

use super::*;
use crate::drain::Drain;
use crate::observe::{Event, Observe};

/// The client's end of a connection that is being served.
struct Client {
    reading: ReadHalf<DuplexStream>,
    writing: WriteHalf<DuplexStream>,
    served: JoinHandle<&'static str>,
    drain: Drain,
    seen: std::sync::Arc<Seen>,
    start: Instant,
}

/// What the connection told.
#[derive(Default)]
struct Seen(Mutex<Vec<Event>>);

impl Observe for Seen {
    fn note(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Client {
    fn open() -> Self {
        Self::open_with(ConnectionLimits::default())
    }

    /// With a time for handlers that is not that for pauses, to tell which was over.
    fn http2() -> Self {
        let handler = Duration::from_secs(20);
        Self::open_with(ConnectionLimits { handler, ..ConnectionLimits::default() })
    }

    fn open_with(limits: ConnectionLimits) -> Self {
        let (client, server) = tokio::io::duplex(1024);
        let (drain, seen) = (Drain::new(), std::sync::Arc::<Seen>::default());
        let serving = Serving {
            service: Example,
            limits,
            forwarded_for: ForwardedFor::default(),
            draining: drain.draining(),
            observer: Observer::new(std::sync::Arc::clone(&seen)),
        };
        let peer = "192.0.2.1:5".parse().unwrap();
        let served = tokio::spawn(serving.connection(server, peer, Agreed::Nothing));
        let (reading, writing) = tokio::io::split(client);
        Self { reading, writing, served, drain, seen, start: Instant::now() }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.writing.write_all(bytes.as_ref()).await;
    }

    /// Reads an HTTP/1.1 answer with this body.
    async fn answer(&mut self, body: &str) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(body.as_bytes()) {
            assert_ne!(self.reading.read_buf(&mut answer).await.unwrap(), 0, "{answer:?}");
        }
        String::from_utf8(answer).unwrap()
    }

    /// Reads to the end; what came, when the end came in whole seconds, and why.
    async fn end(mut self) -> (Vec<u8>, u64, &'static str) {
        let mut read = Vec::new();
        let _ = self.reading.read_to_end(&mut read).await;
        let seconds = self.start.elapsed().as_secs();
        (read, seconds, self.served.await.unwrap())
    }

    /// Answers pings and settings until the end, doing `each` after every second; the same.
    async fn end_http2(self, mut each: impl FnMut(u64) -> Vec<u8>) -> (Vec<u8>, u64, &'static str) {
        let Self { mut reading, mut writing, served, start, drain: _drain, .. } = self;
        let (mut all, mut at, mut seconds) = (Vec::new(), 0, 0);
        loop {
            tokio::select! {
                read = reading.read_buf(&mut all) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                },
                () = tokio::time::sleep_until(start + Duration::from_secs(seconds + 1)) => {
                    seconds += 1;
                    let _ = writing.write_all(&each(seconds)).await;
                }
            }
            while let Some((kind, flags, payload)) = frame_at(&all, &mut at) {
                let answer = match (kind, flags) {
                    (4, 0) => frame(4, 1, 0, b""),
                    (6, 0) => frame(6, 1, 0, &payload),
                    _ => continue,
                };
                let _ = writing.write_all(&answer).await;
            }
        }
        (all, start.elapsed().as_secs(), served.await.unwrap())
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `GET /` and `POST /read` with an authority, without Huffman's code.
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";
const POST_READ: &[u8] = b"\x83\x86\x44\x05/read\x41\x01a";
const GET_LARGE: &[u8] = b"\x82\x86\x44\x06/large\x41\x01a";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn frame_at(all: &[u8], at: &mut usize) -> Option<(u8, u8, Vec<u8>)> {
    let rest = &all[*at..];
    let [high, middle, low, kind, flags, ..] = rest else { return None };
    let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap();
    let payload = rest.get(9..9 + length)?.to_vec();
    *at += 9 + length;
    Some((*kind, *flags, payload))
}

fn opening(settings: &[u8], frames: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE.to_vec(), frame(4, 0, 0, settings), frames.concat()].concat()
}

#[tokio::test(start_paused = true)]
async fn stalls_of_http1_end_in_their_time() {
    let post = "POST /read HTTP/1.1\r\nhost: a\r\n";
    for (sent, seconds, reason) in [
        (String::new(), 10, "silent"),
        ("P".to_owned(), 10, "silent"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n".to_owned(), 10, "silent"),
        ("GET / HT".to_owned(), 10, "slow_head"),
        ("GET / HTTP/1.1\r\nhost: a\r\n".to_owned(), 10, "slow_head"),
        // Begun with the request before it, and so not seen to begin.
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET".to_owned(), 75, "idle"),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), 75, "idle"),
        // The answer is the last: what is left of the body would be taken for a request.
        (format!("{post}content-length: 100\r\n\r\nbegun"), 15, "closed"),
        (format!("{post}transfer-encoding: chunked\r\n\r\n5\r\nbe"), 15, "closed"),
        (format!("{post}transfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n"), 15, "closed"),
    ] {
        let mut client = Client::open();
        client.send(&sent).await;
        let (_, ended, why) = client.end().await;
        assert_eq!(why, reason, "{sent:?}");
        assert!((seconds..=seconds + 1).contains(&ended), "{sent:?} ended after {ended} s");
    }
}

#[tokio::test(start_paused = true)]
async fn trickles_of_http1_end_in_their_time() {
    let head = "POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n";
    for (begin, reason, seconds) in [("GET / HTTP/1.1\r\nx: ", "slow_head", 10), (head, "closed", 15)] {
        let mut client = Client::open();
        client.send(begin).await;
        let mut writing = client.writing;
        let (unused, _) = tokio::io::duplex(1);
        client.writing = tokio::io::split(unused).1;
        let trickling = tokio::spawn(async move {
            while writing.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        });
        let (_, ended, why) = client.end().await;
        assert_eq!(why, reason);
        assert!((seconds..=seconds + 2).contains(&ended), "{reason} ended after {ended} s");
        trickling.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_fast_enough_may_take_long() {
    let mut client = Client::open();
    client.send(format!("POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 120 * 700)).await;
    for second in 1..=120 {
        tokio::time::sleep_until(client.start + Duration::from_secs(second)).await;
        client.send(vec![b'y'; 700]).await;
    }
    assert!(client.answer("yyy").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(start_paused = true)]
async fn a_handler_has_its_time_and_the_request_before_it_does_not_count() {
    let mut client = Client::open();
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let late = client.answer("\r\n\r\n").await;
    assert!(late.starts_with("HTTP/1.1 503 "), "{late}");
    assert_eq!(client.start.elapsed().as_secs(), 15);

    // A second request's head that comes early is not slow for as long as the first is answered.
    let mut client = Client::open();
    for number in 1..=4 {
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n").await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        client.send("\r\nGET").await;
        client.answer("slow").await;
        assert_eq!(client.start.elapsed().as_secs(), 13 * number);
        client.send(" / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.answer("hello").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_answered_500_and_the_connection_goes_on() {
    let mut client = Client::open();
    for path in ["/panic", "/panic-at-once"] {
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let answer = client.answer("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("content-length: 0\r\n"), "{answer}");
    }
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.answer("hello").await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_the_answer_is_left() {
    let mut client = Client::open();
    client.send("GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let start = client.start;
    assert_eq!(client.served.await.unwrap(), "slow_reader");
    assert!((45..=46).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());

    // A byte now and then is no rate either.
    let mut client = Client::open();
    client.send("GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut reading = client.reading;
    let trickling = tokio::spawn(async move {
        while reading.read_u8().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let why = client.served.await.unwrap();
    assert!(["slow_reader", "slow_answers"].contains(&why), "{why}");
    assert!((45..=60).contains(&client.start.elapsed().as_secs()), "{:?}", client.start.elapsed());
    trickling.abort();

    // And who takes it at a rate may take long.
    let mut client = Client::open();
    client.send("GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let (mut read, mut piece) = (0, vec![0; 16 * 1024]);
    while read < 4 << 20 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        read += client.reading.read(&mut piece).await.unwrap();
    }
    assert!(client.start.elapsed().as_secs() > 500);
}

#[tokio::test(start_paused = true)]
async fn stalls_of_http2_end_in_their_time_though_pings_are_answered() {
    let no_window = [0, 4, 0, 0, 0, 0];
    let get = frame(1, 5, 1, GET);
    for (name, sent, each, seconds, reason) in [
        ("idle", opening(b"", &[]), None, 300, "idle"),
        ("answered", opening(b"", std::slice::from_ref(&get)), None, 300, "idle"),
        ("pings in a head", opening(b"", &[frame(1, 1, 1, GET)]), Some(frame(6, 1, 0, &[0; 8])), 0, "error"),
        // The request ends, and the connection goes on.
        ("no body", opening(b"", &[frame(1, 4, 1, POST_READ)]), None, 315, "idle"),
        // Of an answer that is small enough hyper keeps all.
        ("no window", opening(&no_window, std::slice::from_ref(&get)), None, 45, "slow_reader"),
        ("one byte", opening(&no_window, &[get]), Some(frame(8, 0, 1, &[0, 0, 0, 1])), 300, "idle"),
        ("no window for many", opening(&no_window, &[frame(1, 5, 1, GET_LARGE)]), None, 45, "slow_reader"),
        (
            "one byte of many",
            opening(&no_window, &[frame(1, 5, 1, GET_LARGE)]),
            Some(frame(8, 0, 1, &[0, 0, 0, 1])),
            45,
            "slow_reader",
        ),
    ] {
        let mut client = Client::http2();
        client.send(&sent).await;
        let (all, ended, why) = client.end_http2(|_| each.clone().unwrap_or_default()).await;
        assert_eq!(why, reason, "{name} ended after {ended} s");
        assert!((seconds..=seconds + 6).contains(&ended), "{name} ended after {ended} s");
        if reason == "idle" {
            assert!(goaway(&all), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_head_of_http2_ends_with_the_first_ping_that_cannot_be_answered() {
    // Nothing may come between its frames, so no ping is answered either (RFC 9113 §4.3).
    let mut client = Client::open();
    client.send(opening(b"", &[frame(1, 1, 1, GET), frame(9, 0, 1, b"")])).await;
    let (_, ended, why) = client.end().await;
    assert!((39..=41).contains(&ended), "{ended} s, {why}");
}

#[tokio::test(start_paused = true)]
async fn http2_that_answers_no_ping_is_left() {
    for sent in [PREFACE.to_vec(), opening(b"", &[]), opening(b"", &[frame(1, 5, 1, GET)])] {
        let mut client = Client::open();
        client.send(&sent).await;
        let (_, ended, why) = client.end().await;
        assert!((39..=41).contains(&ended), "{ended} s, {why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_grows_old_and_ends_with_an_answer() {
    let mut client = Client::open();
    loop {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let answer = client.answer("hello").await;
        if answer.contains("connection: close\r\n") {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (rest, seconds, why) = client.end().await;
    assert_eq!((rest.len(), why), (0, "age"));
    assert!((540..=661).contains(&seconds), "{seconds} s");

    let mut client = Client::http2();
    client.send(opening(b"", &[])).await;
    let get = |second: u64| frame(1, 5, u32::try_from(2 * second + 1).unwrap(), GET);
    let (all, seconds, why) = client.end_http2(get).await;
    assert!(goaway(&all) && why == "age", "{why}");
    assert!((540..=661).contains(&seconds), "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_asks_with_the_answer_and_ends_what_is_idle_last() {
    let mut busy = Client::open();
    let mut idle = Client::open();
    for client in [&mut busy, &mut idle] {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(!client.answer("hello").await.contains("connection: close"));
        client.drain.leave();
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    busy.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(busy.answer("slow").await.contains("connection: close\r\n"));
    assert_eq!(busy.end().await.1, 35);
    assert!(!idle.served.is_finished());
    idle.drain.end();
    let (_, seconds, why) = idle.end().await;
    assert_eq!((seconds, why), (35, "drained"));
}

/// A GET of each second, on a stream of its own.
fn get_each_second(second: u64) -> Vec<u8> {
    frame(1, 5, u32::try_from(2 * second + 1).unwrap(), GET)
}

/// When each stream was answered, in the order of the frames: the stream and how its answer began.
fn answers(all: &[u8]) -> Vec<u32> {
    let mut at = 0;
    let mut answered = Vec::new();
    loop {
        let before = at;
        let Some((kind, ..)) = frame_at(all, &mut at) else { return answered };
        if kind == 1 {
            answered.push(u32::from_be_bytes(all[before + 5..before + 9].try_into().unwrap()));
        }
    }
}

/// One user in a tunnel, among others on one connection, as behind a proxy that speaks HTTP/2 to us (A2).
#[tokio::test(start_paused = true)]
async fn one_slow_uploader_or_reader_ends_nobody_elses_requests() {
    for (name, first, given_up) in [
        ("uploader", frame(1, 4, 1, POST_READ), "slow_body"),
        ("reader", frame(1, 5, 1, GET_LARGE), "slow_answer"),
    ] {
        let mut client = Client::open();
        client.send(opening(&[0, 4, 0, 0, 0, 100], &[first])).await;
        let seen = std::sync::Arc::clone(&client.seen);
        let (all, seconds, why) = client.end_http2(get_each_second).await;
        assert_eq!(why, "age", "{name}");
        assert!((540..=706).contains(&seconds), "{name} ended after {seconds} s");
        let others = answers(&all).into_iter().filter(|stream| *stream > 1).count();
        assert!(others >= 530, "{name}: {others} others were answered");
        assert!(goaway(&all), "{name}");
        let seen = seen.0.lock().unwrap().clone();
        let count = seen.iter().filter(|event| **event == Event::StreamEnded(given_up)).count();
        assert_eq!(count, 1, "{name}: {seen:?}");
    }
}

/// Many who take nothing: the connection is asked to end, and what moves on it goes on (A4).
#[tokio::test(start_paused = true)]
async fn from_32_answers_that_nobody_takes_the_connection_ends_gracefully() {
    let mut client = Client::open();
    let stalled: Vec<_> = (0..40_u32).map(|number| frame(1, 5, 2 * number + 1, GET_LARGE)).collect();
    client.send(opening(&[0, 4, 0, 0, 0, 100], &stalled)).await;
    let get = |second: u64| frame(1, 5, u32::try_from(2 * second + 101).unwrap(), GET);
    let (all, _, why) = client.end_http2(get).await;
    assert_eq!(why, "slow_answers");
    assert!(goaway(&all));
    let others = answers(&all).into_iter().filter(|stream| *stream > 101).count();
    assert!((44..=48).contains(&others), "{others} others, until it was told to go elsewhere");
}

/// Whatever else comes on the connection, a handler has its time and no more (A3).
#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_answered_503_on_a_busy_connection_too() {
    const GET_NEVER: &[u8] = b"\x82\x86\x44\x06/never\x41\x01a";
    let hang = b"\x83\x86\x44\x0e/read-and-hang\x41\x01a";
    let mut client = Client::open();
    let asked = [frame(1, 5, 1, GET_NEVER), frame(1, 4, 3, hang)];
    client.send(opening(b"", &asked)).await;
    let start = client.start;
    let seen = std::sync::Arc::clone(&client.seen);
    let mut timed_out = Vec::new();
    let each = |second: u64| {
        let count = seen.0.lock().unwrap().iter().filter(|event| matches!(event, Event::TimedOut(_))).count();
        while timed_out.len() < count {
            timed_out.push(start.elapsed().as_secs());
        }
        // The body of the second takes ten seconds.
        let body = match second {
            1..=9 => frame(0, 0, 3, b"x"),
            10 => frame(0, 1, 3, b"x"),
            _ => Vec::new(),
        };
        [body, frame(1, 5, u32::try_from(2 * second + 5).unwrap(), GET)].concat()
    };
    let (_, _, why) = client.end_http2(each).await;
    assert_eq!(why, "age");
    assert_eq!(timed_out.len(), 2, "{timed_out:?}");
    assert!((15..=16).contains(&timed_out[0]), "from the request: {timed_out:?}");
    assert!((25..=26).contains(&timed_out[1]), "from the end of the body: {timed_out:?}");
}

/// What the handler does not read yet is not the peer's fault (A13).
#[tokio::test(start_paused = true)]
async fn our_own_back_pressure_is_not_the_peers_stall() {
    const POST_SLOW_READ: &[u8] = b"\x83\x86\x44\x0a/slow-read\x41\x01a";
    let limits = ConnectionLimits { handler: Duration::from_secs(60), ..ConnectionLimits::default() };
    let mut client = Client::open_with(limits);
    client.send(opening(b"", &[frame(1, 4, 1, POST_SLOW_READ)])).await;
    let seen = std::sync::Arc::clone(&client.seen);
    let body = |second: u64| match second {
        1 => (0..15).flat_map(|_| frame(0, 0, 1, &[b'x'; 16 * 1024])).collect(),
        21 => frame(0, 1, 1, b"the end"),
        _ => Vec::new(),
    };
    let (all, _, why) = client.end_http2(body).await;
    assert_eq!((answers(&all), why), (vec![1], "idle"));
    assert!(!seen.0.lock().unwrap().iter().any(|event| matches!(event, Event::StreamEnded(_))));
}

/// Whether these frames hold GOAWAY without an error.
fn goaway(all: &[u8]) -> bool {
    let mut at = 0;
    std::iter::from_fn(|| frame_at(all, &mut at))
        .any(|(kind, _, payload)| kind == 7 && payload[4..8] == [0; 4])
}
