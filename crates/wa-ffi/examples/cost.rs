//! The Rust side of `cargo xtask bindings cost`: does what a line says (`messages 100 14155551003`) and prints nanoseconds.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use wa_ffi::{Client, Content, Happened, Options, Status, Store, open_client, version};

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, key, user, chat, root, token] = <[String; 6]>::try_from(args)
        .map_err(|_| "PATH KEY USER CHAT ROOT TOKEN, which bindings/python/cost.py gives")?;
    let options = Options {
        profile: "1.0.3".to_owned(),
        chat: Some(chat),
        root: Some(bytes(&root)?),
        enlist: None,
        hold_new_identities: false,
    };
    let store = Store::open(&path, bytes(&key)?)?;
    let client = open_client(store.account(&user)?, options).await?;
    client.connect(token, None).await?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let [what, count, phone] =
            <[&str; 3]>::try_from(line.split(' ').collect::<Vec<_>>()).map_err(|_| "WORK COUNT PHONE")?;
        let (count, begun) = (count.parse()?, Instant::now());
        work(&client, what, count, phone).await?;
        writeln!(std::io::stdout(), "{}", begun.elapsed().as_nanos())?;
    }
    client.shut_down().await;
    Ok(())
}

async fn work(client: &Client, what: &str, count: u64, phone: &str) -> Result<(), Box<dyn Error>> {
    match what {
        "plain" => (0..count).for_each(|_| drop(std::hint::black_box(version()))),
        "awaited" => {
            for _ in 0..count {
                client.login().await?;
            }
        }
        _ => {
            let mut turn = 0;
            for number in 0..count {
                let text =
                    Content::Text { body: format!("text {number}"), reply: None, mentions: Vec::new() };
                let id = format!("{:x}", rand::random::<u128>());
                client.send(format!("+{phone}"), id, text).await?;
                loop {
                    let told = client.event_after(turn, None).await?;
                    turn = told.turn;
                    if let Some(number) = told.event.number {
                        client.confirm_through(number).await?;
                    }
                    if matches!(told.event.what, Happened::Receipt { status: Status::Sent, .. }) {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|it| it.to_digit(16).and_then(|it| u8::try_from(it).ok()).ok_or("hexadecimal digits"))
        .collect::<Result<_, _>>()?;
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}
