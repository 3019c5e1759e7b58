use std::fmt;

/// Why a host function refused, as the ABI numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Errno {
    /// Malformed argument.
    Invalid = 1,
    /// No such key, handle or checkpoint.
    NotFound = 2,
    /// The manifest does not grant it, or not in this phase.
    Denied = 3,
    /// Version or epoch mismatch.
    Conflict = 4,
    /// Over a declared limit; the text names the limit.
    TooLarge = 5,
    /// Quota or rate, also when the limiter is not reachable.
    Limited = 6,
    /// Backend down; a retry may help.
    Unavailable = 7,
    /// A timeout the guest asked for.
    Timeout = 8,
    /// Bounded queue full.
    Full = 10,
    /// Stored data failed its checksum.
    Corrupt = 11,
    /// Known function, no backend on this host.
    Unsupported = 12,
    /// A bug of the host. Numbers the ABI does not list become this one.
    Internal = 13,
    /// No answer yet.
    Pending = 14,
}

impl Errno {
    /// All numbers of the ABI.
    pub const ALL: [Errno; 13] = [
        Errno::Invalid,
        Errno::NotFound,
        Errno::Denied,
        Errno::Conflict,
        Errno::TooLarge,
        Errno::Limited,
        Errno::Unavailable,
        Errno::Timeout,
        Errno::Full,
        Errno::Corrupt,
        Errno::Unsupported,
        Errno::Internal,
        Errno::Pending,
    ];

    /// The number's meaning; `Internal` for a number that is not listed.
    pub fn from_number(n: i32) -> Errno {
        Errno::ALL
            .into_iter()
            .find(|e| *e as i32 == n)
            .unwrap_or(Errno::Internal)
    }

    /// The ABI's name, for example `too_large`.
    pub fn name(self) -> &'static str {
        match self {
            Errno::Invalid => "invalid",
            Errno::NotFound => "not_found",
            Errno::Denied => "denied",
            Errno::Conflict => "conflict",
            Errno::TooLarge => "too_large",
            Errno::Limited => "limited",
            Errno::Unavailable => "unavailable",
            Errno::Timeout => "timeout",
            Errno::Full => "full",
            Errno::Corrupt => "corrupt",
            Errno::Unsupported => "unsupported",
            Errno::Internal => "internal",
            Errno::Pending => "pending",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refused host call: `route_to: denied: the graph has no edge ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Function of `dash_v1`, for example `route_to`.
    pub func: &'static str,
    /// The reason.
    pub errno: Errno,
    /// The host's explanation; may be empty.
    pub text: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.func, self.errno)?;
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_those_of_the_abi() {
        let want = [
            (1, "invalid"),
            (2, "not_found"),
            (3, "denied"),
            (4, "conflict"),
            (5, "too_large"),
            (6, "limited"),
            (7, "unavailable"),
            (8, "timeout"),
            (10, "full"),
            (11, "corrupt"),
            (12, "unsupported"),
            (13, "internal"),
            (14, "pending"),
            (9, "internal"),
            (-1, "internal"),
        ];
        for (number, name) in want {
            assert_eq!(Errno::from_number(number).name(), name, "errno {number}");
        }
    }
}
