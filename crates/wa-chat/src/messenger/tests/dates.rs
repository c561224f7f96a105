//! Clocks that are wrong, and what is done when it is due.

use super::phones::Server;
use super::*;

/// Signed prekeys that logins at these dates leave.
fn signed_prekeys(dates: impl IntoIterator<Item = u64>) -> usize {
    let mut bench = Bench::connected();
    for unix in dates {
        bench.login_at(unix);
    }
    bench.store.count(Table::SignedPrekey)
}

#[test]
fn a_clock_that_was_ahead_once_stops_no_rotation() {
    let (week, ahead) = (7 * 24 * 60 * 60, 2_208_988_800);
    let weekly = |weeks: u64| (1..=weeks).map(move |n| NOW.unix + n * week);
    let all = std::iter::once(ahead).chain(weekly(3));
    // The first, that of the wrong date, and three more.
    assert_eq!(signed_prekeys(all), 5);
    // Nine stay: the current one, and eight that messages may still use.
    assert_eq!(signed_prekeys(weekly(52)), 9);
    // A clock that jumps between two dates at each login.
    assert_eq!(signed_prekeys((0..40).map(|n| if n % 2 == 0 { ahead } else { NOW.unix })), 9);
}

#[test]
fn a_clock_that_was_put_back_rotates_once_for_each_connection() {
    let mut bench = Bench::connected();
    for hour in 0..50 {
        bench.now.unix = NOW.unix - 1_000_000 - hour;
        bench.messenger.handle_timeout(bench.now, &mut bench.rng);
        bench.settle();
    }
    assert_eq!(bench.store.count(Table::SignedPrekey), 1, "not in the middle of one");
}

#[test]
fn rows_are_swept_by_a_date_of_which_two_clocks_are_witnesses() {
    let day = 24 * 60 * 60;
    let mut bench = Bench::connected();
    let login = |bench: &mut Bench, ours: u64, servers: u64| {
        bench.messenger.handle_link_down();
        bench.messenger.tell_server_time(NOW.unix + servers * day);
        bench.login_at(NOW.unix + ours * day);
    };
    login(&mut bench, 0, 0);
    let (key, value) = (Key::seen(&Jid::phone("1415").unwrap(), "1"), Some(Row::Seen.encode()));
    let write = Write { key, value, expires: Some(NOW.unix + 10 * day) };
    bench.store.apply(&Transaction { writes: vec![write], ..Transaction::default() });
    let mut stays = |ours, servers| {
        login(&mut bench, ours, servers);
        bench.store.count(Table::Seen) == 1
    };
    for _ in 0..4 {
        assert!(stays(1000, 1), "only ours is ahead");
        assert!(stays(1, 1000), "only the server's is ahead");
    }
    assert!(stays(1000, 1000), "both, but once");
    assert!(stays(0, 0), "it does not go back");
    assert!(!stays(12, 12));
}

#[test]
fn what_a_clock_that_is_behind_writes_is_not_old_once_it_is_right() {
    let day = 24 * 60 * 60;
    let mut bench = Bench::connected();
    let login = |bench: &mut Bench, unix: u64, server: u64| {
        bench.messenger.handle_link_down();
        bench.messenger.tell_server_time(server);
        bench.login_at(unix);
    };
    login(&mut bench, NOW.unix, NOW.unix);
    login(&mut bench, NOW.unix - 400 * day, NOW.unix + day);
    let (to, id) = (Jid::phone("1415").unwrap(), MessageId("1".into()));
    bench.command(0, Command::Send { to, id, content: Content::text("text") });
    bench.stanza(Phone::begun(2).writes());
    bench.settle();
    let rows =
        |bench: &Bench| [Table::Seen, Table::Sent, Table::Waiting].map(|table| bench.store.count(table));
    // The message, and that its session was begun.
    assert_eq!(rows(&bench), [2, 1, 1]);
    for days in 2..6 {
        login(&mut bench, NOW.unix + days * day, NOW.unix + days * day);
    }
    assert_eq!(rows(&bench), [2, 1, 1]);
}

#[test]
fn what_waited_because_of_a_wrong_clock_is_not_overtaken_when_it_is_right() {
    let (mut phone, mut server) = (Phone::new(0, 100), Server::listing(&[0]));
    let mut bench = Bench::connected();
    bench.write(0);
    bench.exchange(&mut server, &mut [&mut phone]);
    // The phone has not answered: by this date the session is given up, and nobody is there to make another one.
    bench.now.unix += 400 * 24 * 60 * 60;
    bench.messenger.handle_link_down();
    (1..4).for_each(|ticket| bench.write(ticket));
    bench.settle();
    assert_eq!(bench.store.count(Table::Waiting), 3);
    let mut bench = bench.reopened(crate::IdentityPolicy::Notify);
    bench.messenger.handle_link_down();
    bench.now.unix = NOW.unix;
    (4..6).for_each(|ticket| bench.write(ticket));
    bench.settle();
    bench.messenger.handle_link_up(bench.now, &mut bench.rng);
    bench.exchange(&mut server, &mut [&mut phone]);
    let ids: Vec<_> = server.messages.iter().map(|it| it.attr_str("id").unwrap()).collect();
    // The first was not acked and leaves again.
    assert_eq!(ids, ["m0", "m0", "m1", "m2", "m3", "m4", "m5"]);
}

#[test]
fn a_request_waits_from_when_it_left() {
    let mut bench = Bench::connected();
    let to = Jid::phone("14155551001").unwrap();
    bench.command(0, Command::Send { to, id: MessageId("1".into()), content: Content::text("text") });
    // The store takes its time.
    while let Some(transaction) = bench.messenger.poll_transaction() {
        bench.now.tick += Duration::from_secs(600);
        bench.commit(&transaction);
    }
    let overdue: Vec<_> = std::iter::from_fn(|| bench.messenger.requests.overdue()).collect();
    let devices = |request: &state::requests::Request| request.fetched_user().is_some();
    assert!(!overdue.iter().any(devices), "they were asked for just now: {overdue:?}");
    assert!(bench.messenger.requests.due() > Some(bench.now.tick));
}

/// The server says that it has no prekeys of ours left.
fn none_left(id: usize) -> Node {
    let notification =
        Node::new("notification").with_attr("id", format!("n-{id}")).with_attr("type", "encrypt");
    let from: Jid = "s.whatsapp.net".parse().unwrap();
    notification.with_attr("from", from).with_child(Node::new("count").with_attr("value", "0"))
}

/// What left about prekeys.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// Ids of uploads.
    uploads: Vec<String>,
    /// How often the server was asked how many it has.
    counts: usize,
}

impl Bench {
    /// One that has asked how many prekeys the server has, and been told.
    fn counting(left: u32) -> (Self, Vec<String>) {
        let mut bench = Self::connected();
        bench.messenger.handle_link_down();
        bench.messenger.handle_link_up(bench.now, &mut bench.rng);
        let asked = bench.asked(left);
        assert_eq!(asked.counts, 1);
        (bench, asked.uploads)
    }

    /// Runs transactions until there is none; the server has so many prekeys, and answers no upload.
    fn asked(&mut self, left: u32) -> Asked {
        let mut asked = Asked::default();
        loop {
            while let Some(node) = self.poll_node() {
                let Some(id) = node.attr_str("id").filter(|_| node.is("iq")) else { continue };
                if node.child("list").is_some() {
                    asked.uploads.push(id.to_owned());
                } else if node.child("count").is_some() {
                    asked.counts += 1;
                    self.stanza(answer(id, None).with_child(Node::new("count").with_attr("value", left)));
                }
            }
            let Some(transaction) = self.messenger.poll_transaction() else { return asked };
            self.commit(&transaction);
        }
    }
}

/// An answer of the server's.
fn answer(id: &str, error: Option<&str>) -> Node {
    let from: Jid = "s.whatsapp.net".parse().unwrap();
    let kind = if error.is_some() { "error" } else { "result" };
    let error = error.map(|code| Node::new("error").with_attr("code", code));
    Node::new("iq").with_attr("type", kind).with_attr("id", id).with_attr("from", from).with_children(error)
}

#[test]
fn prekeys_are_made_once_an_hour_and_not_uploaded_twice() {
    let (mut bench, uploads) = Bench::counting(0);
    assert_eq!(uploads.len(), 1);
    let made = bench.store.count(Table::Prekey);
    for n in 1..50 {
        bench.stanza(none_left(n));
        assert_eq!(bench.asked(0), Asked::default(), "one is under way");
    }
    bench.stanza(answer(&uploads[0], None));
    for n in 50..100 {
        bench.stanza(none_left(n));
        assert_eq!(bench.asked(0).uploads, [""; 0], "the server has them now");
    }
    assert_eq!(bench.store.count(Table::Prekey), made);
    bench.now.tick += Duration::from_secs(60 * 60);
    bench.stanza(none_left(100));
    assert_eq!(bench.asked(0).uploads.len(), 1);
}

#[test]
fn a_number_of_prekeys_that_waited_in_the_mailbox_is_not_believed() {
    let (bench, uploads) = Bench::counting(0);
    let (mut bench, made) = {
        let mut bench = bench;
        bench.stanza(answer(&uploads[0], None));
        bench.settle();
        let made = bench.rows(Table::Prekey);
        (bench.reopened(crate::IdentityPolicy::Notify), made)
    };
    bench.asked(100);
    bench.stanza(none_left(1));
    assert_eq!(bench.asked(100), Asked { counts: 1, uploads: Vec::new() });
    assert_eq!(bench.rows(Table::Prekey), made);
    // Nor is it asked once for each time that it is said.
    (2..1000).for_each(|n| bench.stanza(none_left(n)));
    assert!(bench.asked(100).counts <= 8, "one after the other");
}

#[test]
fn prekeys_that_the_server_does_not_like_go_and_others_are_made_in_time() {
    let (mut bench, uploads) = Bench::counting(0);
    let refused = bench.rows(Table::Prekey);
    bench.stanza(answer(&uploads[0], Some("406")));
    bench.settle();
    assert_eq!(bench.rows(Table::Prekey), []);
    bench.stanza(none_left(1));
    assert_eq!(bench.asked(0).uploads, [""; 0], "not at once");
    bench.now.tick += Duration::from_secs(60 * 60);
    bench.stanza(none_left(2));
    assert_eq!(bench.asked(0).uploads.len(), 1);
    let made = bench.rows(Table::Prekey);
    assert!(!made.is_empty() && !made.iter().any(|key| refused.contains(key)));
}

#[test]
fn a_server_in_trouble_gets_the_same_prekeys_later_on_the_same_connection() {
    let (mut bench, mut uploads) = Bench::counting(0);
    let made = bench.rows(Table::Prekey);
    for pause in [10, 20, 30] {
        bench.stanza(answer(&uploads[0], Some("503")));
        bench.settle();
        let due = bench.now.tick + Duration::from_secs(pause);
        bench.now.tick = due - Duration::from_millis(1);
        bench.messenger.handle_timeout(bench.now, &mut bench.rng);
        assert_eq!(bench.asked(0), Asked::default(), "not before its time");
        assert_eq!(bench.messenger.poll_timeout(), Some(due));
        bench.now.tick = due;
        bench.messenger.handle_timeout(bench.now, &mut bench.rng);
        let asked = bench.asked(0);
        assert_eq!(asked.counts, 1, "it may have taken them");
        uploads = asked.uploads;
        assert_eq!(uploads.len(), 1);
        assert_eq!(bench.rows(Table::Prekey), made, "none is made for nothing");
    }
    bench.stanza(answer(&uploads[0], None));
    bench.settle();
    assert_eq!(bench.messenger.refill.due(), None);
}

#[test]
fn a_server_in_trouble_is_asked_how_many_prekeys_it_has_later_on_the_same_connection() {
    for (code, counts) in [("503", 1), ("404", 0)] {
        let mut bench = Bench::connected();
        bench.messenger.handle_link_down();
        bench.messenger.handle_link_up(bench.now, &mut bench.rng);
        bench.commit_all();
        let count = std::iter::from_fn(|| bench.poll_node()).find(|node| node.child("count").is_some());
        bench.stanza(answer(count.unwrap().attr_str("id").unwrap(), Some(code)));
        bench.settle();
        bench.now.tick += Duration::from_secs(10);
        bench.messenger.handle_timeout(bench.now, &mut bench.rng);
        assert_eq!(bench.asked(100), Asked { counts, uploads: Vec::new() }, "{code}");
    }
}

#[test]
fn what_waits_and_what_is_kept_is_old_a_second_after_its_days() {
    let day = 24 * 60 * 60;
    let old = |swept| {
        let (since, swept) = (Some(NOW.unix), Some(NOW.unix + swept));
        [conversation::is_forgotten(since, swept), conversation::has_expired(since, swept)]
    };
    for (swept, expected) in [
        (14 * day, [false, false]),
        (14 * day + 1, [true, false]),
        (30 * day, [true, false]),
        (30 * day + 1, [true, true]),
    ] {
        assert_eq!(old(swept), expected, "{swept}");
    }
    assert!(!conversation::has_expired(None, Some(u64::MAX)) && !conversation::has_expired(Some(0), None));
}
