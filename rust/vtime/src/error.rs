//! What callers can get wrong.

use core::fmt;

use crate::server::RequestId;

/// A call that was refused; nothing has changed.
///
/// The text names the value and the limit it broke.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Error {
    /// A number outside its range, or not a number.
    OutOfRange {
        /// What the caller knows it by.
        name: &'static str,
        /// What was given.
        value: f64,
        /// The smallest value allowed.
        least: f64,
        /// The largest value allowed.
        most: f64,
    },
    /// An iteration could not hold one token for each running sequence.
    BudgetBelowSequences {
        /// The budget given.
        token_budget: u32,
        /// The limit of running sequences given.
        max_sequences: u32,
    },
    /// The clock does not go back.
    TimeInThePast {
        /// The time asked for, in seconds.
        limit: f64,
        /// The time now, in seconds.
        now: f64,
    },
    /// No request has had this id yet.
    UnknownRequest {
        /// The id given.
        id: RequestId,
        /// How many requests have been submitted; ids count from 0.
        submitted: u64,
    },
}

impl Error {
    /// Refuses a number outside `least..=most`, NaN included.
    pub(crate) fn unless_within(
        name: &'static str,
        value: f64,
        (least, most): (f64, f64),
    ) -> Result<(), Self> {
        if (least..=most).contains(&value) {
            Ok(())
        } else {
            Err(Self::OutOfRange { name, value, least, most })
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { name, value, least, most } => {
                write!(f, "{name} is {value}; it must be from {least} to {most}")
            }
            Self::BudgetBelowSequences { token_budget, max_sequences } => write!(
                f,
                "token_budget is {token_budget}; it must be at least \
                 max_sequences, which is {max_sequences}, so that every sequence can decode"
            ),
            Self::TimeInThePast { limit, now } => write!(
                f,
                "cannot advance until {limit} s; it must be at least the time \
                 now, which is {now} s"
            ),
            Self::UnknownRequest { id, submitted } => write!(
                f,
                "request {id} does not exist; it must be below {submitted}, the \
                 number of requests submitted"
            ),
        }
    }
}

impl core::error::Error for Error {}
