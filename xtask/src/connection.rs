//! A connection that can be cut: a relay of bytes between a program and the API server.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// Relays connections of a port of its own to an address.
#[derive(Debug)]
pub(crate) struct Connection {
    port: u16,
    open: Arc<Mutex<Vec<TcpStream>>>,
    is_closed: Arc<AtomicBool>,
}

impl Connection {
    /// Starts to relay, until the recipe ends.
    pub(crate) fn to(address: &'static str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen for the relay")?;
        let port = listener.local_addr()?.port();
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let is_closed = Arc::<AtomicBool>::default();
        let (kept, closed) = (Arc::clone(&open), Arc::clone(&is_closed));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is away looks to the client as it does without a relay: the connection ends at once.
                if closed.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(address) else { continue };
                if let Ok(ends) = relay(&client, &server) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
                }
            }
        });
        Ok(Self { port, open, is_closed })
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections and lets none be made until [`Self::reopen`].
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.cut();
    }

    /// Lets connections be made again.
    pub(crate) fn reopen(&self) {
        self.is_closed.store(false, Ordering::Relaxed);
    }

    /// Cuts all connections; new ones may be made. Gives how many it cut.
    pub(crate) fn cut(&self) -> usize {
        let ends = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        ends.iter().filter(|end| end.shutdown(Shutdown::Both).is_ok()).count()
    }
}

/// Relays both ways in threads, and gives an end of each.
fn relay(client: &TcpStream, server: &TcpStream) -> io::Result<[TcpStream; 1]> {
    // A watch's small lines must not wait for the acknowledgement of the one before.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    for (from, to) in [(client, server), (server, client)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        std::thread::spawn(move || {
            let _ended = io::copy(&mut from, &mut to);
            let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
    Ok([client.try_clone()?])
}
