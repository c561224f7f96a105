//! What every store must do, whatever it is made of: give a fresh store of one account, get the contract checked.

use wa_chat::{Key, Read, Rows, Store, StoreError, Transaction, Value, Write};

pub(crate) fn key(table: u8, name: &[u8]) -> Key {
    Key::from_bytes(&[&[table], name].concat())
}

pub(crate) fn put(key: &Key, value: &str) -> Write {
    Write { key: key.clone(), value: Some(Value::new(value.into())), expires: None }
}

pub(crate) fn delete(key: &Key) -> Write {
    Write { key: key.clone(), value: None, expires: None }
}

pub(crate) fn writes(writes: Vec<Write>) -> Transaction {
    Transaction { writes, ..Transaction::default() }
}

pub(crate) fn reads(reads: Vec<Read>) -> Transaction {
    Transaction { reads, ..Transaction::default() }
}

pub(crate) fn page(from: &Key, to: &Key, limit: u16) -> Read {
    Read::Page { from: from.clone(), to: to.clone(), limit, bytes: usize::MAX }
}

pub(crate) fn texts(rows: &Rows) -> Vec<String> {
    rows.0.iter().map(|(_, value)| String::from_utf8(value.as_bytes().to_vec()).unwrap()).collect()
}

/// The whole contract on one empty store.
/// Rows as they can be compared: values are secret and compare in constant time alone.
pub(crate) fn plain(rows: Result<Rows, StoreError>) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
    let plain = |(key, value): (Key, Value)| (key, value.as_bytes().to_vec());
    rows.map(|Rows(rows)| rows.into_iter().map(plain).collect())
}

pub(crate) async fn check(store: &impl Store) {
    reads_see_the_writes_before_them(store).await;
    erase(store).await;
    pages_are_ordered_bounded_and_half_open(store).await;
    erase(store).await;
    pages_may_end_with_enough_bytes_and_have_a_row(store).await;
    erase(store).await;
    writes_are_absolute(store).await;
    erase(store).await;
    bytes_come_back_as_they_were(store).await;
    erase(store).await;
}

async fn erase(store: &impl Store) {
    let everything = page(&key(0, b""), &key(255, b""), 100);
    let transaction = Transaction { erase: true, reads: vec![everything], ..Transaction::default() };
    assert_eq!(plain(store.run(&transaction).await), Ok(vec![]));
}

async fn reads_see_the_writes_before_them(store: &impl Store) {
    let (a, b) = (key(1, b"a"), key(1, b"b"));
    let transaction = Transaction {
        writes: vec![put(&a, "one"), put(&b, "two"), delete(&b), put(&a, "three")],
        reads: vec![Read::One(a.clone()), Read::One(b.clone()), page(&a, &key(2, b""), 9)],
        ..Transaction::default()
    };
    let rows = store.run(&transaction).await.unwrap();
    assert_eq!(texts(&rows), ["three", "three"], "overlapping reads give a row twice, absent rows nothing");
    // Erasing comes before the writes of the same transaction.
    let transaction = Transaction { erase: true, writes: vec![put(&b, "four")], ..transaction };
    let found = (b, b"four".to_vec());
    assert_eq!(plain(store.run(&transaction).await), Ok(vec![found.clone(), found]));
}

async fn pages_are_ordered_bounded_and_half_open(store: &impl Store) {
    // Names whose order is that of bytes, not of text or length.
    let names: [&[u8]; 6] = [b"", b"\x00", b"\x00\xFF", b"a", b"a\x00", b"\xFF"];
    let rows = names.iter().rev().enumerate().map(|(number, name)| put(&key(7, name), &number.to_string()));
    store.run(&writes(rows.collect())).await.unwrap();
    store.run(&writes(vec![put(&key(6, b"\xFF"), "before"), put(&key(8, b""), "behind")])).await.unwrap();
    let all = page(&key(7, b""), &key(8, b""), 100);
    assert_eq!(texts(&store.run(&reads(vec![all])).await.unwrap()), ["5", "4", "3", "2", "1", "0"]);
    let first = page(&key(7, b""), &key(8, b""), 2);
    assert_eq!(texts(&store.run(&reads(vec![first])).await.unwrap()), ["5", "4"]);
    let middle = page(&key(7, b"\x00"), &key(7, b"a"), 100);
    assert_eq!(texts(&store.run(&reads(vec![middle])).await.unwrap()), ["4", "3"]);
    for nothing in [page(&key(7, b"b"), &key(7, b"c"), 9), page(&key(8, b""), &key(7, b""), 9)] {
        assert_eq!(plain(store.run(&reads(vec![nothing])).await), Ok(vec![]));
    }
}

async fn pages_may_end_with_enough_bytes_and_have_a_row(store: &impl Store) {
    let long = "x".repeat(1000);
    let rows = (0..9).map(|n| put(&key(7, &[n]), &long)).collect();
    store.run(&writes(rows)).await.unwrap();
    let (from, to) = (key(7, b""), key(8, b""));
    // Values are longer where they are sealed.
    for (bytes, most) in [(0, 1), (1, 1), (999, 1), (3000, 3), (usize::MAX, 9)] {
        let page = Read::Page { from: from.clone(), to: to.clone(), limit: 100, bytes };
        let found = store.run(&reads(vec![page])).await.unwrap().0.len();
        assert!((1..=most).contains(&found), "{found} rows for {bytes} bytes");
        assert!(found == most || bytes < usize::MAX, "all of them");
    }
}

async fn writes_are_absolute(store: &impl Store) {
    let (a, b) = (key(1, b"a"), key(1, b"b"));
    let transaction = Transaction {
        writes: vec![put(&a, "one"), delete(&b)],
        reads: vec![page(&a, &key(2, b""), 9)],
        ..Transaction::default()
    };
    let once = plain(store.run(&transaction).await);
    assert_eq!(plain(store.run(&transaction).await), once, "twice is once");
    let dated = Write { expires: Some(u64::MAX), ..put(&a, "dated") };
    store.run(&writes(vec![dated, delete(&key(9, b"never there"))])).await.unwrap();
    assert_eq!(texts(&store.run(&reads(vec![Read::One(a)])).await.unwrap()), ["dated"]);
}

async fn bytes_come_back_as_they_were(store: &impl Store) {
    let values = [vec![], vec![0], (0..=255).collect(), vec![7; 1 << 20]];
    for (number, value) in values.into_iter().enumerate() {
        let key = key(1, &[u8::try_from(number).unwrap()]);
        let write = Write { key: key.clone(), value: Some(Value::new(value.clone())), expires: None };
        let transaction =
            Transaction { writes: vec![write], reads: vec![Read::One(key)], ..Transaction::default() };
        let rows = store.run(&transaction).await.unwrap();
        assert_eq!(rows.0.first().unwrap().1.as_bytes(), value);
    }
}
