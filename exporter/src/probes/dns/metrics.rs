//! Families of `dns`.

use metric::{Batch, Count, Desc, Extra, Family, Label, Of, Seconds, Subject};

use super::{
    numbers::{FIRST_ANSWER, FIRST_SLOT, NUMBERS, TIMEOUTS, TRUNCATED},
    talk::{CODES, TYPES},
};
use crate::{
    books::{sums::Account, times::Slots},
    identity::{AsContainer, AsWorkload},
};

const TYPE: Label = Label::closed("type", &TYPES);
const CODE: Label = Label::closed("code", &CODES);

struct Families<S: Subject> {
    queries: Family<Count, 1, S>,
    answers: Family<Count, 1, S>,
    truncated: Family<Count, 0, S>,
    timeouts: Family<Count, 0, S>,
    took: Family<Seconds, 0, S>,
}

macro_rules! families {
    ($prefix:literal, $whose:literal) => {
        Families {
            queries: Family::counter(
                concat!($prefix, "_dns_queries_total"),
                concat!("DNS queries ", $whose, ", by query type."),
                &[TYPE],
            ),
            answers: Family::counter(
                concat!($prefix, "_dns_answers_total"),
                concat!("DNS answers to queries ", $whose, ", by response code."),
                &[CODE],
            ),
            truncated: Family::counter(
                concat!($prefix, "_dns_truncated_answers_total"),
                concat!("Truncated DNS answers to queries ", $whose, "."),
                &[],
            ),
            timeouts: Family::counter(
                concat!($prefix, "_dns_timeouts_total"),
                concat!("DNS queries ", $whose, " without an answer within 5 s, or sent again before one."),
                &[],
            ),
            took: Family::histogram(
                concat!($prefix, "_dns_answer_seconds"),
                concat!("Time from DNS queries ", $whose, " to their answers."),
                &[],
            ),
        }
    };
}

static OF_CONTAINER: Families<AsContainer> = families!("container_network", "of the container");
static OF_WORKLOAD: Families<AsWorkload> =
    families!("workload_network", "of the workload's past and present containers");

pub(super) static FAMILIES: &[&Desc] = &[
    OF_CONTAINER.queries.desc(),
    OF_CONTAINER.answers.desc(),
    OF_CONTAINER.truncated.desc(),
    OF_CONTAINER.timeouts.desc(),
    OF_CONTAINER.took.desc(),
    OF_WORKLOAD.queries.desc(),
    OF_WORKLOAD.answers.desc(),
    OF_WORKLOAD.truncated.desc(),
    OF_WORKLOAD.timeouts.desc(),
    OF_WORKLOAD.took.desc(),
];

pub(super) fn emit_unit(account: &Account<NUMBERS>, of: Of<AsContainer>, out: &mut Batch) {
    emit(&OF_CONTAINER, account, of, out);
}

pub(super) fn emit_workload(account: &Account<NUMBERS>, of: Of<AsWorkload>, out: &mut Batch) {
    emit(&OF_WORKLOAD, account, of, out);
}

fn emit<S: Subject>(families: &'static Families<S>, account: &Account<NUMBERS>, of: Of<S>, out: &mut Batch) {
    let extra = || Extra { created: Some(account.created), exemplar: None };
    let number = |at: usize| Count(account.sums.get(at).map_or(0.0, |number| *number as f64));
    for (at, kind) in TYPES.iter().enumerate() {
        out.put_with(&families.queries, Some(of), [*kind], number(at), extra());
    }
    for (at, code) in CODES.iter().enumerate() {
        out.put_with(&families.answers, Some(of), [*code], number(FIRST_ANSWER + at), extra());
    }
    out.put_with(&families.truncated, Some(of), [], number(TRUNCATED), extra());
    out.put_with(&families.timeouts, Some(of), [], number(TIMEOUTS), extra());
    let took = Slots::of(account.sums.get(FIRST_SLOT..).unwrap_or_default());
    out.put_histogram(&families.took, Some(of), [], took.histogram(account.created));
}
