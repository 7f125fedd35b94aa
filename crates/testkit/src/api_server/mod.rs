//! A Kubernetes API server on the loopback device, as far as lists and watches go: pages, streaming lists, bookmarks,
//! metadata and tables, and on request everything that goes wrong with them. It has no types: an object is the JSON it was
//! given, in the collection it was put into.

mod answer;
mod state;

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch};

pub use state::Behaviour;
use state::State;

/// A running server. It ends when it goes out of scope.
#[derive(Debug)]
pub struct ApiServer {
    address: SocketAddr,
    state: Arc<State>,
    is_up: watch::Sender<Up>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Up {
    Yes,
    No,
    Over,
}

impl ApiServer {
    /// A server without objects, on a free port.
    pub fn start() -> std::io::Result<Self> {
        Self::start_on("127.0.0.1:0")
    }

    /// A server without objects.
    pub fn start_on(address: &str) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let (state, is_up) = (Arc::new(State::default()), watch::Sender::new(Up::Yes));
        let (served, up) = (Arc::clone(&state), is_up.subscribe());
        let (told, begun) = mpsc::channel();
        let thread = std::thread::Builder::new().name("api-server".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let _ = told.send(runtime.as_ref().map(drop).map_err(std::io::Error::kind));
            if let Ok(runtime) = runtime {
                runtime.block_on(serve(listener, address, served, up));
            }
        })?;
        begun.recv().map_err(std::io::Error::other)?.map_err(std::io::Error::from)?;
        Ok(Self { address, state, is_up, thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts an object into a collection such as `/api/v1/pods`, in place of the one with this uid. The text
    /// `"resourceVersion":"0"` in it becomes the version it gets.
    pub fn put(&self, collection: &str, uid: &str, json: &str) {
        self.state.put(collection, uid, json);
    }

    /// Removes an object.
    pub fn remove(&self, collection: &str, uid: &str) {
        self.state.remove(collection, uid);
    }

    /// Answers every request for a path with this text from now on.
    pub fn answer(&self, path: &str, json: &str) {
        self.state.fixed.lock().insert(path.to_owned(), json.to_owned());
    }

    /// Changes how it behaves.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state.behaviour.lock());
    }

    /// Ends all answers that are under way, in the middle of what they say.
    pub fn hang_up(&self) {
        self.state.hang_ups.send_modify(|hang_ups| *hang_ups += 1);
    }

    /// Forgets what happened: a watch from before now is told that its version is expired.
    pub fn compact(&self) {
        self.state.compact();
    }

    /// Sends a line to all watches of a collection, as it is.
    pub fn say(&self, collection: &str, line: &str) {
        self.state.say(collection, line);
    }

    /// Is gone: connections break, and new ones are refused.
    pub fn go_down(&self) {
        self.is_up.send_replace(Up::No);
        self.hang_up();
        // Refused from now on, not soon.
        while self.answers() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Is there again, with the objects it has.
    pub fn come_up(&self) {
        self.is_up.send_replace(Up::Yes);
        while !self.answers() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok()
    }

    /// Requests so far whose path and query have this text in them.
    pub fn requests(&self, part: &str) -> usize {
        self.state.requests.lock().iter().filter(|request| request.contains(part)).count()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.is_up.send_replace(Up::Over);
        self.hang_up();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(first: std::net::TcpListener, address: SocketAddr, state: Arc<State>, mut up: watch::Receiver<Up>) {
    let mut first = Some(first);
    loop {
        let now = *up.borrow_and_update();
        match now {
            Up::Over => return,
            Up::No => drop(up.changed().await),
            Up::Yes => {
                let listener = match first.take() {
                    Some(listener) => listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)),
                    None => TcpListener::bind(address).await,
                };
                match listener {
                    Ok(listener) => accept(&listener, &state, &mut up).await,
                    // The port is not free yet.
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        }
    }
}

async fn accept(listener: &TcpListener, state: &Arc<State>, up: &mut watch::Receiver<Up>) {
    loop {
        let accepted = tokio::select! {
            _ = up.changed() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        drop(socket.set_nodelay(true));
        let (state, mut up) = (Arc::clone(state), up.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| {
                std::future::ready(Ok::<_, std::convert::Infallible>(answer::answer(&state, &request)))
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            tokio::select! {
                _ = up.changed() => {}
                _ = connection => {}
            }
        });
    }
}
