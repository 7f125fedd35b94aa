//! Validity of a certificate, read from its DER (RFC 5280, 4.1.2.5). All else of certificates is rustls'.

use crate::time;

/// Seconds since the Unix epoch of a certificate's first and last moment. `None` when it is malformed.
pub(super) fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    const SEQUENCE: u8 = 0x30;
    let (_, certificate) = next(&mut &*certificate)?;
    let (_, mut fields) = next(&mut &*certificate)?;
    // An explicit version may come first; then serial number, signature, issuer.
    if fields.first() == Some(&0xa0) {
        next(&mut fields)?;
    }
    for _ in 0..3 {
        next(&mut fields)?;
    }
    let (_, mut validity) = next(&mut fields).filter(|(tag, _)| *tag == SEQUENCE)?;
    Some((moment(next(&mut validity)?)?, moment(next(&mut validity)?)?))
}

/// `UTCTime`, whose years are those from 1950 on, or `GeneralizedTime`.
fn moment((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let text = match (tag, text.get(..2)?.parse::<u8>().ok()?) {
        (0x17, 50..) => format!("19{text}"),
        (0x17, _) => format!("20{text}"),
        (0x18, _) => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize| text.get(from..from + 2);
    let (year, rest) = (text.get(..4)?, text.get(14..)?);
    let [month, day, hour, minute, second] = [part(4)?, part(6)?, part(8)?, part(10)?, part(12)?];
    time::rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}{rest}"))
}

/// The next element: its tag and content.
fn next<'d>(der: &mut &'d [u8]) -> Option<(u8, &'d [u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let digits = usize::from(first & 0x7f);
        let (digits, tail) = rest.split_at_checked(digits).filter(|(digits, _)| digits.len() <= 4)?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = tail;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_certificate_says_from_when_to_when_it_is_valid() {
        let mut params = CertificateParams::new(vec!["api.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1999, 12, 31);
        params.not_after = date_time_ymd(2051, 2, 3);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let expected = [time::rfc3339("1999-12-31T00:00:00Z").unwrap(), time::rfc3339("2051-02-03T00:00:00Z").unwrap()];
        assert_eq!(validity(certificate.der()), Some(expected.into()));
        for cut in 0..certificate.der().len() {
            assert_eq!(validity(&certificate.der()[..cut]), None, "cut at {cut}");
        }
    }
}
