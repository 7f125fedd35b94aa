//! A name server for the pods of the proof, on the node's end of their network: names of services are the addresses of
//! their pods now, and some names fail in a way that is known beforehand.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The address of the node in the network of pods.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// Its first label makes a name that is answered by SERVFAIL, or not at all.
const BROKEN: &str = "broken";
const SILENT: &str = "silent";

/// Addresses by name: `web.store`.
pub(super) type Addresses = BTreeMap<String, Vec<Ipv4Addr>>;

/// A server that ends when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Arc<Mutex<Addresses>>,
    over: Arc<AtomicBool>,
}

impl Drop for Names {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

impl Names {
    /// Starts to serve; the address is there when the first pod is.
    pub(super) fn start() -> Self {
        let names = Self::default();
        let (known, over) = (Arc::clone(&names.known), Arc::clone(&names.over));
        std::thread::spawn(move || {
            while !over.load(Relaxed) {
                match UdpSocket::bind((SERVER, 53)) {
                    Ok(socket) => serve(&socket, &known, &over),
                    Err(_) => std::thread::sleep(Duration::from_millis(500)),
                }
            }
        });
        names
    }

    /// What names mean from now on.
    pub(super) fn know(&self, addresses: Addresses) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

fn serve(socket: &UdpSocket, known: &Mutex<Addresses>, over: &AtomicBool) {
    if socket.set_read_timeout(Some(Duration::from_millis(500))).is_err() {
        return;
    }
    let (mut buffer, mut turn) = ([0; 512], 0);
    while !over.load(Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        turn += 1;
        let question = buffer.get(..length).unwrap_or_default();
        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answer(question, &known, turn) {
            // A client that is gone needs none.
            socket.send_to(&answer, from).ok();
        }
    }
}

/// The answer to a question, if it is to have one; by `turn` addresses take turns.
fn answer(question: &[u8], known: &Addresses, turn: usize) -> Option<Vec<u8>> {
    let (name, end) = name_in(question)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let first = name.split('.').next().unwrap_or_default();
    if first == SILENT {
        return None;
    }
    let addresses = known.get(&name).map_or(&[][..], Vec::as_slice);
    let code: u8 = match addresses {
        _ if first == BROKEN => 2,
        [] => 3,
        _ => 0,
    };
    // AAAA of a name that has addresses of the other kind: no error, and no answer.
    let one = addresses.get(turn % addresses.len().max(1)).filter(|_| kind == 1 && code == 0);
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(one.is_some()), 0, 0, 0, 0]);
    answer.extend(question.get(12..end + 4)?);
    if let Some(address) = one {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// The name that is asked for, and where it ends.
fn name_in(question: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut bytes = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.bytes());
        }
        bytes.extend([0, 0, kind, 0, 1]);
        bytes
    }

    #[test]
    fn names_have_the_answers_that_they_should() {
        let known = [("web.store".to_owned(), vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)])].into();
        let ask = |name: &str, kind: u8, turn| answer(&question(name, kind), &known, turn);
        let code = |name: &str| ask(name, 1, 0).map(|answer| answer[3] & 15);
        assert_eq!([code("web.store"), code("none.store"), code("broken.store")], [Some(0), Some(3), Some(2)]);
        assert_eq!(code("silent.store"), None);
        let first = ask("web.store", 1, 0).unwrap();
        assert!(first.starts_with(&[7, 9]) && first.ends_with(&[10, 0, 0, 1]) && first[7] == 1);
        assert!(ask("web.store", 1, 1).unwrap().ends_with(&[10, 0, 0, 2]));
        assert_eq!(ask("web.store", 28, 0).unwrap()[7], 0, "no address of that kind, and no error");
        assert_eq!(answer(&[0; 5], &known, 0), None);
    }
}
