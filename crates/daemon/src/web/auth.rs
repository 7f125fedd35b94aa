//! Basic authentication with bcrypt hashes, and the rate limit.
//!
//! A bcrypt check takes 0.1 s of CPU. So correct passwords are remembered (as a MAC under a key of this process), few
//! checks run at a time, and an unknown user name costs as much as a known one.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use parking_lot::Mutex;
use ring::{hmac, rand::SystemRandom};
use tokio::sync::Semaphore;

/// Bcrypt checks at a time; a scraper waits for its turn.
const CHECKS: usize = 2;
/// Right passwords that are remembered. Each user has one; more come only from long passwords that bcrypt cuts.
const REMEMBERED: usize = 100;
/// A hash of a password nobody knows, for names that do not exist.
const NOBODY: &str = "$2b$10$C6UzMDM.H6dfI/f/IKcEeOsrbXWWqUD5J3H1w8kAKhMYyh6yLTLtO";

/// Standard base64. Clients leave out the padding, and some the zeros of the last bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// So many requests in a burst, then one each interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RateLimit {
    pub(crate) interval: Duration,
    pub(crate) burst: u32,
}

/// Users and rate limit.
pub(crate) struct Auth {
    users: BTreeMap<String, String>,
    rate_limit: Option<RateLimit>,
    state: Arc<State>,
}

struct State {
    key: hmac::Key,
    right: Mutex<Vec<Vec<u8>>>,
    checks: Arc<Semaphore>,
    bucket: Mutex<Option<(Instant, f64)>>,
}

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No users are configured.
    Open,
    /// A configured user with the right password.
    Known,
    /// No credentials, or wrong ones.
    Unknown,
    /// Over the rate limit.
    TooMany,
}

impl Default for Auth {
    fn default() -> Self {
        let mut seed = [0_u8; 32];
        let random = ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut seed);
        debug_assert!(random.is_ok(), "the kernel has random numbers");
        let state = State {
            key: hmac::Key::new(hmac::HMAC_SHA256, &seed),
            right: Mutex::default(),
            checks: Arc::new(Semaphore::new(CHECKS)),
            bucket: Mutex::default(),
        };
        Self { users: BTreeMap::new(), rate_limit: None, state: Arc::new(state) }
    }
}

impl Auth {
    /// Users with their bcrypt hashes. The error is a key and what is wrong with it.
    pub(crate) fn new(
        users: BTreeMap<String, String>,
        rate_limit: Option<RateLimit>,
    ) -> Result<Self, (String, String)> {
        for (user, hash) in &users {
            if hash.parse::<bcrypt::HashParts>().is_err() || bcrypt::verify("", hash).is_err() {
                return Err((format!("basic_auth_users.{user}"), "this is no bcrypt hash".to_owned()));
            }
        }
        Ok(Self { users, rate_limit, ..Self::default() })
    }

    /// Keeps what an older configuration remembers. What it remembers holds for the same hashes only.
    pub(crate) fn take_over(&mut self, older: &Self) {
        self.state = Arc::clone(&older.state);
    }

    /// Whether a request with this `Authorization` header may go on.
    pub(crate) async fn judge(&self, authorization: Option<&[u8]>) -> Verdict {
        if !self.within_rate() {
            return Verdict::TooMany;
        }
        if self.users.is_empty() {
            return Verdict::Open;
        }
        let Some((user, password)) = authorization.and_then(credentials) else { return Verdict::Unknown };
        if self.is_right(user, password).await { Verdict::Known } else { Verdict::Unknown }
    }

    async fn is_right(&self, user: String, password: Vec<u8>) -> bool {
        let known = self.users.get(&user);
        let hash = known.map_or(NOBODY, String::as_str).to_owned();
        let tag = self.tag(&user, &hash, &password);
        if self.state.right.lock().contains(&tag) {
            return true;
        }
        let Ok(turn) = Arc::clone(&self.state.checks).acquire_owned().await else { return false };
        let check = tokio::task::spawn_blocking(move || {
            let right = bcrypt::verify(&password, &hash).unwrap_or(false);
            drop(turn);
            right
        });
        let right = check.await.unwrap_or(false) && known.is_some();
        if right {
            let mut remembered = self.state.right.lock();
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
            remembered.push(tag);
        }
        right
    }

    fn tag(&self, user: &str, hash: &str, password: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.state.key);
        for part in [user.as_bytes(), hash.as_bytes(), password] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }

    fn within_rate(&self) -> bool {
        let Some(RateLimit { interval, burst }) = self.rate_limit else { return true };
        if interval.is_zero() {
            return true;
        }
        let now = Instant::now();
        let mut bucket = self.state.bucket.lock();
        let (at, tokens) = bucket.unwrap_or((now, f64::from(burst)));
        let tokens = (tokens + (now - at).as_secs_f64() / interval.as_secs_f64()).min(f64::from(burst));
        let enough = tokens >= 1.0;
        *bucket = Some((now, if enough { tokens - 1.0 } else { tokens }));
        enough
    }
}

/// What follows the scheme in an `Authorization` header, which may be written in capitals or not.
fn of_scheme<'h>(header: &'h [u8], wanted: &str) -> Option<&'h str> {
    let (scheme, rest) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest.trim())
}

/// The token of a `Bearer` header.
pub(crate) fn token(header: &[u8]) -> Option<&str> {
    of_scheme(header, "bearer").filter(|token| !token.is_empty())
}

/// User and password of a `Basic` header.
pub(super) fn credentials(header: &[u8]) -> Option<(String, Vec<u8>)> {
    let decoded = BASE64.decode(of_scheme(header, "basic")?).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(decoded.get(..colon)?.to_vec()).ok()?;
    Some((user, decoded.get(colon + 1..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_from_the_header() {
        let read = |header: &str| {
            credentials(header.as_bytes()).map(|(user, password)| (user, String::from_utf8(password).unwrap()))
        };
        assert_eq!(read("Basic YWxpY2U6c2VzYW1l"), Some(("alice".to_owned(), "sesame".to_owned())));
        assert_eq!(read("basic YWxpY2U6c2U6c2FtZQ=="), Some(("alice".to_owned(), "se:same".to_owned())));
        assert_eq!(read("Basic Og=="), Some((String::new(), String::new())));
        for none in ["", "Basic", "Basic YWxpY2U=", "Bearer YWxpY2U6c2VzYW1l", "Basic Y*Jj", "Basic A"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_token_is_read_from_the_header_in_any_case() {
        for header in ["Bearer t.o-k", "bearer t.o-k", "BEARER   t.o-k ", " bearer t.o-k"] {
            assert_eq!(token(header.as_bytes()), Some("t.o-k"), "{header}");
        }
        for none in ["", "Bearer", "Bearer ", "Basic t", "Bearert"] {
            assert_eq!(token(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn a_burst_passes_and_what_is_over_does_not() {
        let limit = RateLimit { interval: Duration::from_hours(1), burst: 3 };
        let auth = Auth::new(BTreeMap::new(), Some(limit)).unwrap();
        let passed = (0..5).filter(|_| auth.within_rate()).count();
        assert_eq!(passed, 3);
    }

    #[test]
    fn the_hash_of_nobody_is_one() {
        assert!(bcrypt::verify("x", NOBODY).is_ok());
    }
}
