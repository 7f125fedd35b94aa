//! Times as the API writes them, RFC 3339, read as Go reads them.

/// Days in front of each month of an ordinary year.
const DAYS_BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Seconds since the Unix epoch, rounded down. Go takes a little more than the standard says: an hour of one digit, a
/// comma before the fraction, offsets up to 24:60; and a little less: no lower case letters, no leap second.
pub fn rfc3339(text: &str) -> Option<i64> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    let month = after(&mut rest, b'-').and_then(|()| digits(&mut rest, 2))?;
    let day = after(&mut rest, b'-').and_then(|()| digits(&mut rest, 2))?;
    after(&mut rest, b'T')?;
    let short = rest.get(1) == Some(&b':');
    let hour = digits(&mut rest, if short { 1 } else { 2 })?;
    let minute = after(&mut rest, b':').and_then(|()| digits(&mut rest, 2))?;
    let second = after(&mut rest, b':').and_then(|()| digits(&mut rest, 2))?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if let [b'.' | b',', b'0'..=b'9', ..] = rest {
        let fraction = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        rest = rest.get(1 + fraction..)?;
    }
    let offset = offset(rest)?;
    Some(((days(year, month, day)? * 24 + hour) * 60 + minute) * 60 + second - offset)
}

/// Seconds east of Greenwich.
fn offset(mut rest: &[u8]) -> Option<i64> {
    if rest == b"Z" {
        return Some(0);
    }
    let (sign, after_sign) = rest.split_first()?;
    rest = after_sign;
    let hours = digits(&mut rest, 2)?;
    let minutes = after(&mut rest, b':').and_then(|()| digits(&mut rest, 2))?;
    let offset = hours * 3600 + minutes * 60;
    match sign {
        _ if !rest.is_empty() || hours > 24 || minutes > 60 => None,
        b'+' => Some(offset),
        b'-' => Some(-offset),
        _ => None,
    }
}

/// Days since the Unix epoch. `None` when the month has no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let before = DAYS_BEFORE.get(index)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = DAYS_BEFORE.get(index + 1).unwrap_or(&365) - before + i64::from(is_leap && month == 2);
    if !(1..=length).contains(&day) {
        return None;
    }
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_before_year = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    Some(days_before_year + before + i64::from(is_leap && month > 2) + day - 1)
}

fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(count)?;
    *rest = after;
    digits.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn after(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_since_the_epoch() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2022-06-28T00:00:00Z", 1_656_374_400),
            ("2022-06-28T02:00:00+02:00", 1_656_374_400),
            ("2022-06-27T18:30:00-05:30", 1_656_374_400),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("0000-03-01T00:00:00Z", -62_162_035_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("2022-06-28T0:00:00,123456789123Z", 1_656_374_400),
            ("2022-06-28T00:00:00.1+24:60", 1_656_374_400 - 90_000),
        ] {
            assert_eq!(rfc3339(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn go_and_we_refuse_the_same() {
        for text in [
            "",
            "2022-06-28",
            "2022-06-28 00:00:00Z",
            "2022-06-28t00:00:00Z",
            "2022-06-28T00:00:00z",
            "2022-06-28T00:00Z",
            "2022-06-28T24:00:00Z",
            "2022-06-28T23:59:60Z",
            "2022-06-28T00:00:00.Z",
            "2022-06-28T00:00:00",
            "2022-06-28T00:00:00+0200",
            "2022-06-28T00:00:00+25:00",
            "2022-02-29T00:00:00Z",
            "2022-00-10T00:00:00Z",
            "2022-13-10T00:00:00Z",
            "2022-06-31T00:00:00Z",
            "2022-06-00T00:00:00Z",
            "22-06-28T00:00:00Z",
            "-2022-06-28T00:00:00Z",
            "2022-06-28T00:00:00Z ",
            "2022-06-28T00:00:00é",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_agrees_with_another_reader(seconds in -60_000_000_000_i64..250_000_000_000) {
            let time = jiff::Timestamp::from_second(seconds).unwrap();
            proptest::prop_assert_eq!(rfc3339(&time.to_string()), Some(seconds));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[0-9TZ:.,+-]{15,30}") {
            let _ = rfc3339(&text);
        }
    }
}
