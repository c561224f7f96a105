//! Clients that write when they are told to, confirm what comes, and keep account of it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wa_conformance::{Failure, INTEGRATOR, PHONE, World};
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, Content, Event, MessageId};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, AccountStore, SqliteStore};
use wa_interop::{Client, Events, NoToken, enlist};

/// Clients that are being made at the same time.
const AT_ONCE: usize = 32;

/// All of them.
pub(crate) struct Crowd {
    people: Vec<(Arc<Account>, mpsc::Sender<Order>)>,
    totals: Arc<Totals>,
    /// Ends with them.
    _tasks: JoinSet<()>,
}

/// What one of them has to say for itself.
struct Account {
    login: String,
    /// The next text, and those that were not answered yet.
    texts: Mutex<(u64, Vec<u64>)>,
}

#[derive(Clone, Copy)]
enum Order {
    Write,
    Restart,
}

#[derive(Default)]
struct Totals {
    written: AtomicU64,
    answered: AtomicU64,
    doubled: AtomicU64,
    connected: AtomicU64,
    restarted: AtomicU64,
    /// Of clients that ended, or of texts that they did not take.
    failures: Mutex<Vec<String>>,
}

/// What was written and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) written: u64,
    answered: u64,
    pub(crate) waiting: u64,
    doubled: u64,
    connected: u64,
    restarted: u64,
    failures: Vec<String>,
}

/// Everything that a client is made of, again and again.
#[derive(Clone)]
struct Making {
    world: World,
    profile: Arc<Profile>,
    store: SqliteStore,
    totals: Arc<Totals>,
}

impl Crowd {
    /// Enlists and connects so many.
    pub(crate) async fn gather(world: World, store: SqliteStore, count: u64) -> Result<Self, Failure> {
        let (totals, profile) = (Arc::<Totals>::default(), Arc::new(world.profile()));
        let making = Making { world, profile, store, totals: Arc::clone(&totals) };
        let (mut beginning, mut begun) = (JoinSet::new(), Vec::new());
        for number in 0..count {
            if beginning.len() >= AT_ONCE {
                begun.extend(beginning.join_next().await.transpose()?.transpose()?);
            }
            beginning.spawn(making.clone().begin(number));
        }
        while let Some(one) = beginning.join_next().await {
            begun.push(one??);
        }
        let (mut people, mut tasks) = (Vec::new(), JoinSet::new());
        for (user, account, opened) in begun {
            let (orders, told) = mpsc::channel(16);
            people.push((Arc::clone(&account), orders));
            let making = making.clone();
            tasks.spawn(async move {
                if let Err(failure) = making.live(&user, &account, opened, told).await {
                    making.totals.fail(format!("{user}: {failure}"));
                }
            });
        }
        Ok(Self { people, totals, _tasks: tasks })
    }

    pub(crate) fn count(&self) -> u64 {
        self.people.len() as u64
    }

    pub(crate) fn login(&self, number: u64) -> Option<String> {
        self.people.get(usize::try_from(number).ok()?).map(|(account, _)| account.login.clone())
    }

    /// So many texts, each of anybody.
    pub(crate) async fn write(&self, texts: u64) -> Result<(), Failure> {
        self.tell(texts, Order::Write).await
    }

    /// So many close and open again.
    pub(crate) async fn restart(&self, people: u64) -> Result<(), Failure> {
        self.tell(people, Order::Restart).await
    }

    async fn tell(&self, times: u64, order: Order) -> Result<(), Failure> {
        for _ in 0..times {
            let number = rand::rng().random_range(0..self.people.len());
            if let Some((_, orders)) = self.people.get(number) {
                let told = orders.send(order).await;
                told.map_err(|_| Failure::new(format!("a client has ended: {}", self.tally())))?;
            }
        }
        Ok(())
    }

    /// Who still waits for an answer.
    pub(crate) fn waiting(&self) -> Vec<String> {
        let waits = |account: &Account| !account.texts().1.is_empty();
        let waiting = self.people.iter().filter(|(account, _)| waits(account));
        waiting.map(|(account, _)| account.login.clone()).collect()
    }

    pub(crate) fn tally(&self) -> Tally {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let failures = self.totals.failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Tally {
            written: of(&self.totals.written),
            answered: of(&self.totals.answered),
            waiting: self.people.iter().map(|(account, _)| account.texts().1.len() as u64).sum(),
            doubled: of(&self.totals.doubled),
            connected: of(&self.totals.connected),
            restarted: of(&self.totals.restarted),
            failures,
        }
    }
}

impl Tally {
    /// Nothing lost, nothing twice, nobody ended.
    pub(crate) fn judge(&self) -> Result<(), Failure> {
        let is_whole = self.waiting == 0 && self.written == self.answered && self.doubled == 0;
        match self.failures.is_empty() && is_whole && self.written > 0 {
            true => Ok(()),
            false => Err(Failure::new(format!("texts were lost or doubled, or clients ended: {self}"))),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, answered, waiting, doubled, connected, restarted, failures } = self;
        write!(f, "{written} written, {answered} answered, {waiting} wait, {doubled} twice, ")?;
        write!(f, "{connected} logins, {restarted} restarts")?;
        failures.iter().take(3).try_for_each(|failure| write!(f, "; {failure}"))
    }
}

impl Totals {
    fn fail(&self, what: String) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

impl Account {
    fn texts(&self) -> std::sync::MutexGuard<'_, (u64, Vec<u64>)> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Opened = (Client, Events);

impl Making {
    async fn begin(self, number: u64) -> Result<(String, Arc<Account>, Opened), Failure> {
        let user = format!("user-{number}");
        let keys = AccountKeys::generate(&mut rand::rng());
        Client::create(&self.rows(&user)?, &keys).await?;
        let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
        let token = self.world.token(&user).await?;
        let login = enlist(&http, &self.profile, &keys.public(), INTEGRATOR, &user, &token).await?;
        let mut opened = self.open(&user).await?;
        opened.0.enlisted(login.clone()).await?;
        self.stay(&opened.0, &user);
        while opened.1.next().await? != Event::Connected {}
        self.totals.connected.fetch_add(1, Ordering::Relaxed);
        let account = Account { login: login.to_string(), texts: Mutex::default() };
        Ok((user, Arc::new(account), opened))
    }

    fn rows(&self, user: &str) -> Result<AccountStore, Failure> {
        Ok(self.store.account(&AccountId::new(user)?)?)
    }

    async fn open(&self, user: &str) -> Result<Opened, Failure> {
        let (chatd, root) = (self.world.chatd(), self.world.root());
        Ok(Client::open(self.rows(user)?, chatd, Arc::clone(&self.profile), root).await?)
    }

    /// Connects again and again, as long as the client is there.
    fn stay(&self, client: &Client, user: &str) {
        let (world, user, totals) = (self.world.clone(), user.to_owned(), Arc::clone(&self.totals));
        let (source, name) = (world, user.clone());
        let tokens = move || {
            let (world, user) = (source.clone(), name.clone());
            async move { world.token(&user).await.map_err(|_| NoToken::Later) }
        };
        let staying = client.stay_connected(tokens);
        tokio::spawn(async move {
            let why = staying.await;
            if !matches!(why, wa_interop::ClientError::Ended(_)) {
                totals.fail(format!("{user} gave up: {why}"));
            }
        });
    }

    /// One client, through its restarts.
    async fn live(
        &self,
        user: &str,
        account: &Account,
        (mut client, mut events): Opened,
        mut told: mpsc::Receiver<Order>,
    ) -> Result<(), Failure> {
        loop {
            tokio::select! {
                order = told.recv() => match order {
                    None => return Ok(()),
                    Some(Order::Write) => self.write(&client, account).await?,
                    Some(Order::Restart) => {
                        client.close().await;
                        drop(events);
                        (client, events) = self.open(user).await?;
                        self.stay(&client, user);
                        self.totals.restarted.fetch_add(1, Ordering::Relaxed);
                    }
                },
                event = events.next() => self.hear(&client, account, &event?).await?,
            }
        }
    }

    async fn write(&self, client: &Client, account: &Account) -> Result<(), Failure> {
        let number = {
            let mut texts = account.texts();
            texts.0 += 1;
            let number = texts.0;
            texts.1.push(number);
            number
        };
        client
            .send(Jid::phone(PHONE)?, MessageId(format!("soak-{number}")), Content::text(number.to_string()))
            .await?;
        self.totals.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Confirms; a text that was answered once is not answered again.
    async fn hear(&self, client: &Client, account: &Account, event: &Event) -> Result<(), Failure> {
        if *event == Event::Connected {
            self.totals.connected.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(id) = event.id() {
            client.confirm(id).await?;
        }
        let Event::Message { content, .. } = event else { return Ok(()) };
        let echo = content.as_text().and_then(|text| text.strip_prefix("echo: ")?.parse::<u64>().ok());
        let mut texts = account.texts();
        let place = texts.1.iter().position(|waiting| Some(*waiting) == echo);
        let count = match place {
            Some(place) => {
                texts.1.swap_remove(place);
                &self.totals.answered
            }
            None => &self.totals.doubled,
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
