//! Accuracy of the host's clock, from adjtimex(2), which needs no privilege for reading.
//!
//! `procfs` and `sysfs` do not tell this. The call is made by the crate `rtime-clock`, the only wrapper of it that is
//! safe to call and gives all fields.

use kernfs::ReadError;
use metric::{Batch, Count, Desc, Family, Hertz, Ratio, Seconds};
use rtime_clock::adjtime::{Timex, adjtimex};

use super::node::{counter, gauge, malformed};
use crate::spec::{Collector, Context, Scrape, Spec, Unavailable, View};

static SYNCED: Family<Count, 0> =
    gauge("node_timex_sync_status", "Whether the clock is synchronised with a time server.", &[]);
static OFFSET: Family<Seconds, 0> = gauge("node_timex_offset_seconds", "How far the clock is off its reference.", &[]);
static FREQUENCY: Family<Ratio, 0> = gauge(
    "node_timex_frequency_adjustment_ratio",
    "Seconds that the clock is made to count in a second of its oscillator.",
    &[],
);
static MOST_ERROR: Family<Seconds, 0> =
    gauge("node_timex_maxerror_seconds", "How far the clock can be off at most.", &[]);
static ERROR: Family<Seconds, 0> =
    gauge("node_timex_estimated_error_seconds", "How far the clock is off by estimate.", &[]);
static STATUS: Family<Count, 0> =
    gauge("node_timex_status", "Status bits, as a number (include/uapi/linux/timex.h).", &[]);
static CONSTANT: Family<Count, 0> =
    gauge("node_timex_loop_time_constant", "How slowly the phase-locked loop follows its reference.", &[]);
static TICK: Family<Seconds, 0> = gauge("node_timex_tick_seconds", "Time between clock ticks.", &[]);
static PPS_FREQUENCY: Family<Hertz, 0> =
    gauge("node_timex_pps_frequency_hertz", "Frequency of the pulse-per-second signal.", &[]);
static PPS_JITTER: Family<Seconds, 0> =
    gauge("node_timex_pps_jitter_seconds", "Jitter of the pulse-per-second signal.", &[]);
static PPS_SHIFT: Family<Seconds, 0> =
    gauge("node_timex_pps_shift_seconds", "Calibration interval of the pulse-per-second signal, a power of two.", &[]);
static PPS_STABILITY: Family<Hertz, 0> =
    gauge("node_timex_pps_stability_hertz", "How much the frequency of the pulse-per-second signal changes.", &[]);
static PPS_JITTERS: Family<Count, 0> =
    counter("node_timex_pps_jitter_total", "Pulses whose jitter was over the limit.", &[]);
static PPS_CALIBRATIONS: Family<Count, 0> =
    counter("node_timex_pps_calibration_total", "Calibration intervals of the pulse-per-second signal.", &[]);
static PPS_ERRORS: Family<Count, 0> = counter("node_timex_pps_error_total", "Calibration intervals that failed.", &[]);
static PPS_UNSTABLE: Family<Count, 0> =
    counter("node_timex_pps_stability_exceeded_total", "How often the signal's stability was over the limit.", &[]);
static TAI: Family<Seconds, 0> =
    gauge("node_timex_tai_offset_seconds", "How far atomic time is ahead of UTC, as far as the kernel was told.", &[]);
static ALL: &[&Desc] = &[
    SYNCED.desc(),
    OFFSET.desc(),
    FREQUENCY.desc(),
    MOST_ERROR.desc(),
    ERROR.desc(),
    STATUS.desc(),
    CONSTANT.desc(),
    TICK.desc(),
    PPS_FREQUENCY.desc(),
    PPS_JITTER.desc(),
    PPS_SHIFT.desc(),
    PPS_STABILITY.desc(),
    PPS_JITTERS.desc(),
    PPS_CALIBRATIONS.desc(),
    PPS_ERRORS.desc(),
    PPS_UNSTABLE.desc(),
    TAI.desc(),
];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_timex",
    about: "How well the machine's clock keeps time.",
    default_on: true,
    needs: &[],
    shows: &[(View::Node, ALL)],
    build,
};

/// `TIME_ERROR`: the clock is not synchronised.
const NOT_SYNCED: i32 = 5;
/// `STA_NANO`: offset and jitter are in nanoseconds, else in microseconds.
const IN_NANOSECONDS: i32 = 0x2000;
/// Frequencies are in parts per million, shifted by 16 bits.
const SCALED_PPM: f64 = 65_536e6;

#[derive(Debug)]
struct NodeTimex;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeTimex))
}

impl Collector for NodeTimex {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let mut timex = Timex::new();
        match adjtimex(&mut timex) {
            Ok(state) => emit(state, &timex, scrape.out),
            // A seccomp filter may refuse the call as a whole.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(malformed(&scrape.host.proc, "adjtimex(2)", error.to_string())),
        }
        Ok(())
    }
}

fn emit(state: i32, Timex(timex): &Timex, out: &mut Batch) {
    let fraction = if timex.status & IN_NANOSECONDS == 0 { 1e6 } else { 1e9 };
    out.put(&SYNCED, [], state != NOT_SYNCED);
    out.put(&OFFSET, [], Seconds(timex.offset as f64 / fraction));
    out.put(&FREQUENCY, [], Ratio(1.0 + timex.freq as f64 / SCALED_PPM));
    out.put(&MOST_ERROR, [], Seconds(timex.maxerror as f64 / 1e6));
    out.put(&ERROR, [], Seconds(timex.esterror as f64 / 1e6));
    out.put(&STATUS, [], timex.status);
    out.put(&CONSTANT, [], timex.constant as f64);
    out.put(&TICK, [], Seconds(timex.tick as f64 / 1e6));
    out.put(&PPS_FREQUENCY, [], Hertz(timex.ppsfreq as f64 / SCALED_PPM));
    out.put(&PPS_JITTER, [], Seconds(timex.jitter as f64 / fraction));
    out.put(&PPS_SHIFT, [], Seconds(f64::from(timex.shift)));
    out.put(&PPS_STABILITY, [], Hertz(timex.stabil as f64 / SCALED_PPM));
    out.put(&PPS_JITTERS, [], timex.jitcnt as f64);
    out.put(&PPS_CALIBRATIONS, [], timex.calcnt as f64);
    out.put(&PPS_ERRORS, [], timex.errcnt as f64);
    out.put(&PPS_UNSTABLE, [], timex.stbcnt as f64);
    out.put(&TAI, [], Seconds(f64::from(timex.tai)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(out: &Batch, family: &Desc) -> f64 {
        out.samples(family).next().unwrap().number()
    }

    #[test]
    fn the_status_says_what_unit_the_offset_has() {
        let mut timex = Timex::new();
        (timex.0.offset, timex.0.freq, timex.0.tick) = (2500, 6_553_600, 10_000);
        let mut out = Batch::default();
        emit(0, &timex, &mut out);
        assert_eq!((value(&out, SYNCED.desc()), value(&out, OFFSET.desc())), (1.0, 0.0025));
        assert_eq!((value(&out, FREQUENCY.desc()), value(&out, TICK.desc())), (1.0001, 0.01));
        timex.0.status = IN_NANOSECONDS | 0x40;
        out.clear();
        emit(NOT_SYNCED, &timex, &mut out);
        assert_eq!((value(&out, SYNCED.desc()), value(&out, OFFSET.desc())), (0.0, 2.5e-6));
        assert_eq!(out.len(), ALL.len());
    }

    #[test]
    fn the_kernel_answers_when_nothing_is_to_be_adjusted() {
        let mut timex = Timex::new();
        match adjtimex(&mut timex) {
            Ok(_) => assert!(timex.0.tick > 0),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}"),
        }
    }
}
