//! Amounts as people write them: `30d`, `3h`, `45m`; `2 USD`. Whole numbers inside, so that equal
//! amounts are equal; never a unit guessed from a bare number.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;

use super::forms::from_text;

/// A length of time, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", description = "A length of time, as in 30d, 3h, 45m or 90s.")]
pub struct Period {
    seconds: u64,
}

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Period {
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self { seconds }
    }

    #[must_use]
    pub const fn minutes(minutes: u64) -> Self {
        Self { seconds: minutes * 60 }
    }

    #[must_use]
    pub const fn hours(hours: u64) -> Self {
        Self { seconds: hours * 3_600 }
    }

    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.seconds
    }

    /// Days, where it is a whole number of them.
    #[must_use]
    pub const fn as_days(self) -> Option<u64> {
        if self.seconds.is_multiple_of(86_400) { Some(self.seconds / 86_400) } else { None }
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        Self::from_secs(period.seconds)
    }
}

impl FromStr for Period {
    type Err = String;

    /// Reads units from the greatest to the smallest, each once: `1h30m`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time\nwrite it with units, as in 30d, 3h, 45m or 1h30m");
        let mut units = UNITS.iter();
        let mut seconds = 0_u64;
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let count: u64 = rest[..end].parse().map_err(|_| wrong())?;
            let unit = rest[end..].chars().next().ok_or_else(wrong)?;
            let (_, size) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            seconds = count.checked_mul(*size).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
            rest = &rest[end + unit.len_utf8()..];
        }
        if seconds == 0 { Err(wrong()) } else { Ok(Self { seconds }) }
    }
}

from_text!(Period);

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.seconds;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, size) in UNITS {
            if rest >= size {
                write!(f, "{}{name}", rest / size)?;
            }
            rest %= size;
        }
        Ok(())
    }
}

/// An amount of US dollars, the currency of AWS's price lists, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", description = "An amount of US dollars, as in 2 USD or 0.35 USD.")]
pub struct Money {
    micros: u64,
}

impl Money {
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Dollars, for sums with prices; exact up to a thousand millions.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "amounts here are far below 2^53 millionths")]
    pub fn usd(self) -> f64 {
        self.micros as f64 / 1e6
    }
}

impl FromStr for Money {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an amount of money\nwrite US dollars, as in 2 USD or 0.35 USD");
        let amount = text.strip_suffix("USD").ok_or_else(wrong)?.trim_end();
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
        let micros = whole.checked_mul(1_000_000).and_then(|micros| micros.checked_add(fraction));
        Ok(Self { micros: micros.ok_or_else(wrong)? })
    }
}

from_text!(Money);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.micros / 1_000_000, self.micros % 1_000_000);
        let digits = format!("{fraction:06}");
        match digits.trim_end_matches('0') {
            "" => write!(f, "{whole} USD"),
            digits => write!(f, "{whole}.{digits} USD"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_need_units_from_great_to_small() {
        assert_eq!("1h30m".parse(), Ok(Period::minutes(90)));
        assert_eq!("30d".parse::<Period>().map(Period::as_days), Ok(Some(30)));
        for wrong in ["", "3", "h", "30m1h", "1h1h", "-3h", "1.5h", "0m", "3 h", "3ö", "99999999999999999999d"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn money_is_dollars_with_at_most_six_decimals() {
        assert_eq!("2 USD".parse(), Ok(Money::from_micros(2_000_000)));
        assert_eq!("0.0525USD".parse(), Ok(Money::from_micros(52_500)));
        for wrong in ["2", "2 EUR", "-2 USD", ".5 USD", "1. USD", "1e3 USD", "0.0000001 USD", "USD"] {
            assert!(wrong.parse::<Money>().is_err(), "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn amounts_survive_being_written(seconds in 1..u64::from(u32::MAX), micros in 0..u64::from(u32::MAX)) {
            let period = Period::seconds(seconds);
            proptest::prop_assert_eq!(period.to_string().parse(), Ok(period));
            let money = Money::from_micros(micros);
            proptest::prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }
}
