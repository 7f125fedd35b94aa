//! The names of a client certificate: its subject alternative names (RFC 5280, 4.2.1.6), read from DER.

/// DNS names, mail addresses, URIs and IP addresses of the certificate. Empty when it has none or is malformed.
pub(super) fn names(certificate: &[u8]) -> Vec<String> {
    extension(certificate).map(general_names).unwrap_or_default()
}

/// The value of the extension 2.5.29.17.
fn extension(certificate: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
    let certificate = Der(certificate).next_of(SEQUENCE)?;
    let to_be_signed = Der(certificate).next_of(SEQUENCE)?;
    // [3] EXPLICIT Extensions is the last field.
    let (_, extensions) = Der(to_be_signed).find(|(tag, _)| *tag == 0xa3)?;
    let extensions = Der(extensions).next_of(SEQUENCE)?;
    for (_, extension) in Der(extensions) {
        let mut fields = Der(extension);
        if fields.next_of(0x06)? != SUBJECT_ALT_NAME {
            continue;
        }
        // A BOOLEAN "critical" may stand between.
        let (_, value) = fields.find(|(tag, _)| *tag == 0x04)?;
        return Der(value).next_of(SEQUENCE);
    }
    None
}

fn general_names(sequence: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for (tag, value) in Der(sequence) {
        match tag {
            0x81 | 0x82 | 0x86 => names.extend(std::str::from_utf8(value).map(str::to_owned)),
            0x87 => names.extend(ip(value)),
            _ => {}
        }
    }
    names
}

fn ip(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| std::net::Ipv6Addr::from(sixteen).to_string())
}

/// The elements of some DER, as (tag, value). Ends at the first that is malformed.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next_of(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            let (digits, tail) =
                rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            rest = tail;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_names_are_found() {
        use rcgen::{CertificateParams, KeyPair, SanType};
        let mut params = CertificateParams::new(vec!["scraper.example".to_owned(), "10.1.2.3".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress("fd00::1".parse().unwrap()));
        params.subject_alt_names.push(SanType::URI("spiffe://cluster/ns/monitoring".try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("ops@example.org".try_into().unwrap()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut found = names(certificate.der());
        found.sort();
        assert_eq!(
            found,
            ["10.1.2.3", "fd00::1", "ops@example.org", "scraper.example", "spiffe://cluster/ns/monitoring"]
        );
        for cut in 0..certificate.der().len() {
            assert!(names(&certificate.der()[..cut]).is_empty(), "cut at {cut}");
        }
    }
}
