//! Every parser of client input that is our own, listed for the fuzz targets.

use std::time::Duration;

use crate::{page, web};

/// Results of all readers, each of which got all bytes.
#[derive(Debug)]
pub struct Said {
    /// As a query string.
    pub parameters: Vec<(String, String)>,
    /// As the timeout of a scrape.
    pub time: Duration,
    /// As the header of a user: the user.
    pub user: Option<String>,
    /// As a certificate: whom it names.
    pub names: Vec<String>,
}

/// Reads.
pub fn read(bytes: &[u8]) -> Said {
    let text = String::from_utf8_lossy(bytes);
    let (credentials, names) = web::said(bytes);
    Said {
        parameters: page::query(&text),
        time: page::time_for_scrape(Some(&text)),
        user: credentials.map(|(user, _)| user),
        names,
    }
}
