//! A proxy in front of a server that breaks connections when it is told to, or at a statement that it is told of.
//!
//! It reads what the client says, message by message, so that a cut falls exactly where a test wants it: before the
//! statement reaches the server, or when the server has done it and nobody hears the answer. A prepared statement counts
//! each time it is executed.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use url::Url;

use super::Kind;

/// On which side of a statement the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server never hears it.
    Before,
    /// The server has done it, and its answer is lost.
    After,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The connection with the statement.
    One,
    /// Every connection, as when the network is gone.
    All,
}

/// A proxy of one test; its connections end with it.
pub(crate) struct Proxy {
    url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    kind: Kind,
    server: SocketAddr,
    trap: Mutex<Option<Trap>>,
    links: Mutex<Vec<Arc<Link>>>,
    cuts: AtomicUsize,
    closing: AtomicBool,
}

/// Says of each statement, in the order in which they come, whether to cut there, and how.
type Trap = Box<dyn FnMut(&str) -> Option<(Moment, Reach)> + Send>;

/// One connection, and what was said on it.
struct Link {
    client: TcpStream,
    server: TcpStream,
    said: Mutex<Vec<String>>,
    /// What the server's next answer makes break.
    armed: Mutex<Option<Reach>>,
    /// The statement whose number MySQL's next answer tells.
    preparing: Mutex<Option<String>>,
    prepared: Mutex<HashMap<String, String>>,
}

/// A test that failed elsewhere must not make the proxy's threads fail as well.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts a proxy in front of the server of `url`.
    pub(crate) fn before(kind: Kind, url: &str) -> Self {
        let mut url = Url::parse(url).expect("a server's URL");
        let host = url.host_str().expect("a server's URL has a host");
        let port = url.port().expect("the tests' servers have a port of their own");
        let server = (host, port).to_socket_addrs().expect("the server's address").next().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the proxy");
        let address = listener.local_addr().expect("it is bound");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(address.port())).expect("a port");
        let shared = Arc::new(Shared {
            kind,
            server,
            trap: Mutex::new(None),
            links: Mutex::default(),
            cuts: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                accepting.connect(client);
            }
        });
        Self { url: url.into(), address, shared }
    }

    /// The same database, by way of the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts at these passes of the statements that `is_it` knows, counted from 1 and from now on.
    pub(crate) fn cut_at(&self, is_it: fn(&str) -> bool, moment: Moment, reach: Reach, passes: &[usize]) {
        let (passes, mut seen) = (passes.to_vec(), 0);
        self.cut_where(move |statement| {
            seen += usize::from(is_it(statement));
            (is_it(statement) && passes.contains(&seen)).then_some((moment, reach))
        });
    }

    /// Cuts where `trap` says so, from now on.
    pub(crate) fn cut_where(&self, trap: impl FnMut(&str) -> Option<(Moment, Reach)> + Send + 'static) {
        *lock(&self.shared.trap) = Some(Box::new(trap));
    }

    /// Cuts every connection that `chosen` chooses by what was said on it; gives how many.
    pub(crate) fn cut_those(&self, chosen: impl Fn(&[String]) -> bool) -> usize {
        let links = lock(&self.shared.links).clone();
        let chosen: Vec<_> = links.iter().filter(|link| chosen(&lock(&link.said))).collect();
        for link in &chosen {
            link.cut();
        }
        self.shared.cuts.fetch_add(chosen.len(), Ordering::SeqCst);
        chosen.len()
    }

    /// How often it has cut.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
        self.shared.cut_all();
    }
}

impl Link {
    fn cut(&self) {
        self.client.shutdown(Shutdown::Both).ok();
        self.server.shutdown(Shutdown::Both).ok();
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        // The server may be down, which the client must see too: its connection ends here.
        let Ok(server) = TcpStream::connect(self.server) else { return };
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        let link = Arc::new(Link {
            client,
            server,
            said: Mutex::default(),
            armed: Mutex::default(),
            preparing: Mutex::default(),
            prepared: Mutex::default(),
        });
        lock(&self.links).push(Arc::clone(&link));
        let (shared, asking) = (Arc::clone(self), Arc::clone(&link));
        thread::spawn(move || {
            shared.ask(&asking);
            shared.forget(&asking);
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            shared.answer(&link);
            shared.forget(&link);
        });
    }

    fn forget(&self, link: &Arc<Link>) {
        link.cut();
        lock(&self.links).retain(|other| !Arc::ptr_eq(other, link));
    }

    fn cut(&self, link: &Link, reach: Reach) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
        link.cut();
        if reach == Reach::All {
            self.cut_all();
        }
    }

    fn cut_all(&self) {
        for link in lock(&self.links).iter() {
            link.cut();
        }
    }

    /// Passes on what the client says, until it ends or is cut.
    fn ask(&self, link: &Link) {
        let mut buffer = Vec::new();
        let mut chunk = [0; 16 * 1024];
        let mut greeted = false;
        loop {
            let Ok(count @ 1..) = (&link.client).read(&mut chunk) else { return };
            buffer.extend_from_slice(&chunk[..count]);
            let mut passed = 0;
            while let Some(length) = self.message_length(&buffer[passed..], greeted) {
                let message = &buffer[passed..passed + length];
                let statement = match self.kind {
                    Kind::Postgres if greeted => link.postgres_statement(message),
                    Kind::Postgres => {
                        greeted = is_postgres_startup(message);
                        None
                    }
                    _ => link.mysql_statement(message),
                };
                if let Some(statement) = statement {
                    match self.sprung(&statement) {
                        Some((Moment::Before, reach)) => return self.cut(link, reach),
                        Some((Moment::After, reach)) => *lock(&link.armed) = Some(reach),
                        None => {}
                    }
                    lock(&link.said).push(statement);
                }
                passed += length;
            }
            if (&link.server).write_all(&buffer[..passed]).is_err() {
                return;
            }
            buffer.drain(..passed);
        }
    }

    /// Passes on what the server answers, until it ends or is cut.
    fn answer(&self, link: &Link) {
        let mut chunk = [0; 16 * 1024];
        loop {
            let Ok(count @ 1..) = (&link.server).read(&mut chunk) else { return };
            // An answer comes when the work is done: both servers keep it back until then.
            if let Some(reach) = lock(&link.armed).take() {
                return self.cut(link, reach);
            }
            if let Some(statement) = lock(&link.preparing).take()
                && chunk[4] == 0
                && count >= 9
            {
                lock(&link.prepared).insert(number_of(&chunk[5..9]), statement);
            }
            if (&link.client).write_all(&chunk[..count]).is_err() {
                return;
            }
        }
    }

    /// Whether the trap is for this statement, and for this pass of it.
    fn sprung(&self, statement: &str) -> Option<(Moment, Reach)> {
        lock(&self.trap).as_mut()?(statement)
    }

    /// The length of the first message, once it is there as a whole.
    fn message_length(&self, bytes: &[u8], greeted: bool) -> Option<usize> {
        let length = match self.kind {
            // A startup message is its length and its body; the later ones have a letter in front.
            Kind::Postgres if greeted => 1 + big_endian(bytes.get(1..5)?),
            Kind::Postgres => big_endian(bytes.get(..4)?),
            _ => 4 + bytes.get(..3)?.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        (bytes.len() >= length).then_some(length)
    }
}

impl Link {
    /// The statement that a message makes PostgreSQL run.
    fn postgres_statement(&self, message: &[u8]) -> Option<String> {
        let mut texts = message[5..].split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        match message[0] {
            b'Q' => texts.next(),
            b'P' => {
                let (name, statement) = (texts.next()?, texts.next()?);
                lock(&self.prepared).insert(name, statement);
                None
            }
            b'B' => {
                let (_portal, name) = (texts.next()?, texts.next()?);
                lock(&self.prepared).get(&name).cloned()
            }
            _ => None,
        }
    }

    /// The statement that a packet makes MySQL run. What is no command, the login say, has another sequence number.
    fn mysql_statement(&self, packet: &[u8]) -> Option<String> {
        let (sequence, command) = (packet[3], *packet.get(4)?);
        let text = || String::from_utf8_lossy(&packet[5..]).into_owned();
        match (sequence, command) {
            (0, 0x03) => Some(text()),
            (0, 0x16) => {
                *lock(&self.preparing) = Some(text());
                None
            }
            (0, 0x17) => lock(&self.prepared).get(&number_of(packet.get(5..9)?)).cloned(),
            _ => None,
        }
    }
}

fn big_endian(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

fn number_of(bytes: &[u8]) -> String {
    format!("{bytes:02x?}")
}

/// Whether it opens a session; a client that asks for encryption, which the tests' servers refuse, starts once more.
fn is_postgres_startup(message: &[u8]) -> bool {
    message.get(4..8) == Some(&196_608_u32.to_be_bytes())
}
