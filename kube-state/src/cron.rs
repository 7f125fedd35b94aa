//! Computes the next run of a `CronJob`.
//!
//! The dialect is that of kube-state-metrics, which is stricter in some things than the controller that runs the job
//! and looser in others: a step must be smaller than its range, ranges may wrap around (`22-2`), 7 is Sunday, day of
//! month and day of week must *both* match, `@every` knows Go's durations. Nothing is found beyond five years.

use jiff::{Timestamp, civil, tz::TimeZone};
use kubernetes::lax::ZERO_TIME;

const YEARS_AHEAD: i16 = 5;
/// Steps of a search. Five years have 1,826 days, and a day that matches costs at most 24 hours and 60 minutes more; in
/// a zone that moves its clocks at midnight by less than an hour, the search could otherwise turn in a circle.
const MOST_STEPS: u32 = 500_000;
const LONGEST_SPEC: usize = 1024;
const LONGEST_ZONE: usize = 64;

/// A schedule.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// A fixed number of seconds after the last run.
    Every(i64),
    /// Never by itself.
    Never,
    /// At the times that match.
    Calendar(Box<Calendar>),
}

/// Sets of minutes, hours, days, months and weekdays, in a time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    zone: TimeZone,
}

impl Schedule {
    /// Reads a schedule; `zone` is the job's own time zone if it has one, `local` that of this process. `None` when it
    /// cannot be read.
    pub fn parse(schedule: &str, zone: Option<&str>, local: &TimeZone) -> Option<Self> {
        let spec = match zone {
            Some(zone) => format!("CRON_TZ={zone} {schedule}"),
            None => schedule.to_owned(),
        };
        if spec.is_empty() || spec.len() > LONGEST_SPEC {
            return None;
        }
        let (zone, spec) = split_zone(&spec, local)?;
        if spec.starts_with('@') {
            return descriptor(spec, zone);
        }
        let fields: Vec<&str> = spec.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else { return None };
        if days.contains(['L', 'l', 'W', 'w']) {
            return None;
        }
        Some(Self::Calendar(Box::new(Calendar {
            minutes: MINUTES.set(minutes)?,
            hours: HOURS.set(hours)?,
            days: DAYS.set(days)?,
            months: MONTHS.set(months)?,
            weekdays: sunday_is_zero(WEEKDAYS.set(weekdays)?),
            zone,
        })))
    }

    /// The first time after this one, in seconds since the Unix epoch; [`ZERO_TIME`] when there is none.
    pub fn after(&self, seconds: i64) -> i64 {
        match self {
            Self::Every(delay) => seconds + delay,
            Self::Never => ZERO_TIME,
            Self::Calendar(calendar) => calendar.after(seconds).unwrap_or(ZERO_TIME),
        }
    }
}

fn split_zone<'s>(spec: &'s str, local: &TimeZone) -> Option<(TimeZone, &'s str)> {
    if !spec.starts_with("TZ=") && !spec.starts_with("CRON_TZ=") {
        return Some((local.clone(), spec));
    }
    let (prefix, rest) = spec.split_once(' ')?;
    let (_, name) = prefix.split_once('=')?;
    let unquoted = |quote| name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote));
    let zone = zone(unquoted('"').or_else(|| unquoted('\'')).unwrap_or(name), local)?;
    let rest = rest.trim();
    (!rest.is_empty()).then_some((zone, rest))
}

/// A time zone by its name, which is case-sensitive here.
fn zone(name: &str, local: &TimeZone) -> Option<TimeZone> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+' | b':');
    if name.is_empty() || name.len() > LONGEST_ZONE || !name.bytes().all(allowed) {
        return None;
    }
    match name {
        "UTC" => Some(TimeZone::UTC),
        "Local" => Some(local.clone()),
        _ => {
            let zone = jiff::tz::db().get(name).ok()?;
            (zone.iana_name() == Some(name)).then_some(zone)
        }
    }
}

fn descriptor(spec: &str, zone: TimeZone) -> Option<Schedule> {
    let expression = match spec {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        "@triggered" | "@manual" | "@none" => return Some(Schedule::Never),
        _ => {
            let seconds = duration_nanos(spec.strip_prefix("@every ")?)? / 1_000_000_000;
            return (seconds >= 1).then(|| Schedule::Every(i64::try_from(seconds).unwrap_or(i64::MAX / 4)));
        }
    };
    match Schedule::parse(expression, None, &zone)? {
        Schedule::Calendar(calendar) => Some(Schedule::Calendar(Box::new(Calendar { zone, ..*calendar }))),
        other => Some(other),
    }
}

/// Go's notation: `1h30m`, `1.5s`, `-2ms`.
pub(crate) fn duration_nanos(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos = 0_i128;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(number_end)?;
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(unit_end)?;
        nanos = nanos.checked_add(part_nanos(number, unit)?)?;
        rest = next;
    }
    (nanos <= i64::MAX.into()).then_some(sign * nanos)
}

fn part_nanos(number: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0_i128) } else { text.parse::<u64>().ok().map(i128::from) };
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let places = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    digits(whole)?.checked_mul(unit)?.checked_add(digits(fraction)?.checked_mul(unit)? / places)
}

/// What a field may hold.
struct Field {
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const MINUTES: Field = Field { min: 0, max: 59, names: &[] };
const HOURS: Field = Field { min: 0, max: 23, names: &[] };
const DAYS: Field = Field { min: 1, max: 31, names: &[] };
const MONTHS: Field = Field {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Field = Field { min: 0, max: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Field {
    fn set(&self, field: &str) -> Option<u64> {
        let mut set = 0;
        for range in field.split(',').filter(|range| !range.is_empty()) {
            set |= self.range(range)?;
        }
        Some(set)
    }

    /// `5`, `1-5`, `*`, `*/15`, `10/5` (which is `10-max/5`), `22-2`.
    fn range(&self, text: &str) -> Option<u64> {
        let mut parts = text.split('/');
        let mut bounds = parts.next()?.split('-');
        let (step, none) = (parts.next(), parts.next());
        let (first, last, more) = (bounds.next()?, bounds.next(), bounds.next());
        let (start, mut end) = match (first, last, more) {
            ("*" | "?", _, _) => (self.min, self.max),
            (_, _, Some(_)) => return None,
            (_, None, None) => (self.value(first)?, self.value(first)?),
            (_, Some(last), None) => (self.value(first)?, self.value(last)?),
        };
        if step.is_some() && last.is_none() {
            end = self.max;
        }
        let step = step.map_or(Some(1), number)?;
        let all = self.max - self.min + 1;
        if none.is_some() || start < self.min || end > self.max || step == 0 {
            return None;
        }
        let size = if start > end { all.wrapping_add(end + 1).wrapping_sub(start) } else { end - start + 1 };
        if step > 1 && step >= size {
            return None;
        }
        let end = if start > end { end + all } else { end };
        let step = usize::try_from(step).ok()?;
        Some(
            (start..=end)
                .step_by(step)
                .fold(0, |set, at| set | 1_u64 << if at > self.max { (at - self.min) % all + self.min } else { at }),
        )
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        named.map_or_else(|| number(text), |index| u32::try_from(index).ok().map(|index| index + self.min))
    }
}

/// A number as Go reads it: a sign is allowed, but not below zero.
fn number(text: &str) -> Option<u32> {
    let number = text.parse::<i64>().ok()?;
    u32::try_from(number).ok()
}

/// The same day of the next month, or as many days into the month after it as that month is too short. It matters where
/// a zone has no midnight on the first of some month: the search then stands on the last day of the month before.
fn month_later(from: civil::DateTime) -> Option<civil::DateTime> {
    let first = from.date().first_of_month().checked_add(jiff::Span::new().months(1)).ok()?;
    let days = i32::from(from.date().day()) - 1;
    Some(first.checked_add(jiff::Span::new().days(days)).ok()?.to_datetime(from.time()))
}

fn sunday_is_zero(weekdays: u64) -> u64 {
    if weekdays & 1 << 7 == 0 { weekdays } else { (weekdays | 1) & !(1 << 7) }
}

fn has(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| set >> value & 1 == 1)
}

impl Calendar {
    /// Steps through months, days, hours and minutes until all match. In a zone's missing hour the job runs at once
    /// when the hour is over; in a doubled hour at its first pass.
    fn after(&self, seconds: i64) -> Option<i64> {
        if [self.minutes, self.hours, self.days, self.months, self.weekdays].contains(&0) {
            return None;
        }
        let mut at = seconds.checked_add(1)?;
        let last_year = self.civil(at)?.year() + YEARS_AHEAD;
        let mut moved = false;
        let mut steps = 0..MOST_STEPS;
        'again: loop {
            steps.next()?;
            if self.civil(at)?.year() > last_year {
                return None;
            }
            while !has(self.months, self.civil(at)?.month()) {
                steps.next()?;
                if !moved {
                    at = self.seconds(self.civil(at)?.date().first_of_month().to_datetime(civil::Time::midnight()))?;
                    moved = true;
                }
                at = self.seconds(month_later(self.civil(at)?)?)?;
                if self.civil(at)?.month() == 1 {
                    continue 'again;
                }
            }
            while !self.matches_day(at)? {
                steps.next()?;
                if !moved {
                    at = self.seconds(self.civil(at)?.date().to_datetime(civil::Time::midnight()))?;
                    moved = true;
                }
                let tomorrow = self.civil(at)?.checked_add(jiff::Span::new().days(1)).ok()?;
                at = self.near_midnight(self.seconds(tomorrow)?)?;
                if self.civil(at)?.day() == 1 {
                    continue 'again;
                }
            }
            while !has(self.hours, self.civil(at)?.hour()) {
                if !moved {
                    let now = self.civil(at)?;
                    at = self.seconds(now.date().at(now.hour(), 0, 0, 0))?;
                    moved = true;
                }
                steps.next()?;
                let before = self.civil(at)?.hour();
                at += 3600;
                let hour = self.civil(at)?.hour();
                if hour - before == 2 && has(self.hours, hour - 1) {
                    break;
                }
                if hour == 0 {
                    continue 'again;
                }
            }
            while !has(self.minutes, self.civil(at)?.minute()) {
                if !moved {
                    at -= at.rem_euclid(60);
                    moved = true;
                }
                steps.next()?;
                at += 60;
                if self.civil(at)?.minute() == 0 {
                    continue 'again;
                }
            }
            while self.civil(at)?.second() != 0 {
                moved = true;
                at += 1;
                if self.civil(at)?.second() == 0 {
                    continue 'again;
                }
            }
            return Some(at);
        }
    }

    fn matches_day(&self, at: i64) -> Option<bool> {
        let date = self.civil(at)?.date();
        Some(has(self.days, date.day()) && has(self.weekdays, date.weekday().to_sunday_zero_offset()))
    }

    /// Where a zone has no midnight on some day, the hour beside it.
    fn near_midnight(&self, at: i64) -> Option<i64> {
        let hour = i64::from(self.civil(at)?.hour());
        Some(if hour > 12 { at + (24 - hour) * 3600 } else { at - hour * 3600 })
    }

    fn civil(&self, at: i64) -> Option<civil::DateTime> {
        Some(self.zone.to_datetime(Timestamp::from_second(at).ok()?))
    }

    /// The instant of a local time. One that a zone skips or has twice is taken as Go takes it: by the offset that
    /// holds at the instant which the first guess gives.
    fn seconds(&self, local: civil::DateTime) -> Option<i64> {
        let as_utc = TimeZone::UTC.to_timestamp(local).ok()?.as_second();
        let guess = as_utc - self.offset(as_utc)?;
        Some(as_utc - self.offset(guess)?)
    }

    fn offset(&self, at: i64) -> Option<i64> {
        Some(self.zone.to_offset(Timestamp::from_second(at).ok()?).seconds().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(spec: &str, zone: Option<&str>, from: &str) -> Option<String> {
        let from: Timestamp = from.parse().unwrap();
        let schedule = Schedule::parse(spec, zone, &TimeZone::UTC)?;
        Some(Timestamp::from_second(schedule.after(from.as_second())).unwrap().to_string())
    }

    #[track_caller]
    fn assert_next(spec: &str, from: &str, expected: &str) {
        assert_eq!(next(spec, None, from).as_deref(), Some(expected), "{spec}");
    }

    #[test]
    fn the_next_match_is_later_than_now() {
        assert_next("0 */6 * * *", "2018-03-11T06:00:00Z", "2018-03-11T12:00:00Z");
        assert_next("25 * * * *", "2018-03-11T11:04:56Z", "2018-03-11T11:25:00Z");
        assert_next("30 2 31 * *", "2018-03-31T02:30:00Z", "2018-05-31T02:30:00Z");
        assert_next("0 0 29 feb *", "2025-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
        assert_next("59 23 31 12 *", "2025-12-31T23:59:00Z", "2026-12-31T23:59:00Z");
    }

    #[test]
    fn both_days_must_match() {
        assert_next("0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-02-13T00:00:00Z");
        assert_next("0 0 * * 7", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z");
    }

    #[test]
    fn ranges_wrap_around() {
        assert_next("0 22-2 * * *", "2026-01-01T03:00:00Z", "2026-01-01T22:00:00Z");
        assert_next("0 22-2/2 * * *", "2026-01-01T22:00:00Z", "2026-01-02T00:00:00Z");
        assert_next("0 0 * * fri-mon", "2026-11-24T00:00:00Z", "2026-11-27T00:00:00Z");
    }

    #[test]
    fn descriptors_and_durations() {
        assert_next("@hourly", "2026-01-01T03:00:00Z", "2026-01-01T04:00:00Z");
        assert_next("@weekly", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z");
        assert_next("@every 1h30m", "2026-01-01T03:00:05Z", "2026-01-01T04:30:05Z");
        assert_next("@every 1.5s", "2026-01-01T03:00:05Z", "2026-01-01T03:00:06Z");
    }

    #[test]
    fn time_zones_move_the_hours() {
        assert_eq!(next("0 3 * * *", Some("Asia/Tokyo"), "2026-01-01T00:00:00Z").unwrap(), "2026-01-01T18:00:00Z");
        assert_next("CRON_TZ=Asia/Tokyo 0 3 * * *", "2026-01-01T00:00:00Z", "2026-01-01T18:00:00Z");
        assert_next("TZ=\"Asia/Tokyo\" 0 3 * * *", "2026-01-01T00:00:00Z", "2026-01-01T18:00:00Z");
    }

    #[test]
    fn an_hour_that_a_zone_skips_runs_when_it_is_over() {
        let zone = Some("America/New_York");
        assert_eq!(next("30 2 * * *", zone, "2026-03-08T05:00:00Z").unwrap(), "2026-03-08T07:30:00Z");
        assert_eq!(next("30 1 * * *", zone, "2026-11-01T04:00:00Z").unwrap(), "2026-11-01T05:30:00Z");
    }

    #[test]
    fn a_month_that_begins_without_a_midnight_is_not_skipped() {
        let havana = next("0 1/3 24,7 9,1 *", Some("America/Havana"), "2001-03-30T16:35:00Z");
        assert_eq!(havana.unwrap(), "2001-09-07T05:00:00Z");
    }

    #[test]
    fn what_never_matches_is_the_zero_time() {
        for spec in ["0 0 31 2 *", ", * * * *", "@manual"] {
            assert_next(spec, "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
        }
    }

    #[test]
    fn bad_schedules_are_refused() {
        for spec in [
            "",
            "bogus",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "*/60 * * * *",
            "0 1 */32,1-7 * 3",
            "-1 * * * *",
            "1-2-3 * * * *",
            "1/2/3 * * * *",
            "5/0 * * * *",
            "0 0 0 * *",
            "0 0 L * *",
            "0 0 15W * *",
            "H * * * *",
            "* * * * mon#2",
            "@every 0s",
            "@every 500ms",
            "@every x",
            "@often",
            "TZ=UTC",
            "TZ=Mars/X * * * * *",
            "CRON_TZ=asia/tokyo * * * * *",
            "TZ= * * * * *",
            "0 0 * * 8",
        ] {
            assert!(Schedule::parse(spec, None, &TimeZone::UTC).is_none(), "{spec:?}");
        }
        assert!(Schedule::parse("* * * * *", Some("Not A/Zone"), &TimeZone::UTC).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(spec in "[0-9*/,@a-zA-Z= -]{0,30}", from in -100_000_000_000_i64..200_000_000_000) {
            if let Some(schedule) = Schedule::parse(&spec, None, &TimeZone::UTC) {
                let at = schedule.after(from);
                proptest::prop_assert!(at == ZERO_TIME || at > from);
            }
        }
    }
}
