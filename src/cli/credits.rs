//! `greenroom credits`: what a user has, and giving more, by the internal port of a running server.

use super::{
    args::{CreditsArgs, CreditsCommand, Output},
    internal::Internal,
    output::{clean, line, out},
    tools::block_on,
};
use crate::{config::Config, failure::Failure, rest::NewGrant, server::DEMO_EMAIL, utc::Utc};
use greenroom_protocol::credits::{CreditsInfo, Grant, amount_text};
use std::fmt::Write as _;
use uuid::Uuid;

/// Priority of a grant by hand: spent after what lapses by the month, before the sign-up grant.
const PRIORITY: u8 = 80;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(super) fn run(config: &Config, args: CreditsArgs, now_ms: u64) -> Result<(), Failure> {
    let server = Internal::of(config)?;
    let (info, output): (CreditsInfo, _) = match args.command {
        CreditsCommand::Show { email, output } => {
            let email = email.unwrap_or_else(|| DEMO_EMAIL.to_owned());
            let query = serde_urlencoded::to_string([("email", email)]).unwrap_or_default();
            (block_on(server.get(&format!("/admin/credits?{query}")))??, output)
        }
        CreditsCommand::Grant { amount, email, name, days, note, output } => {
            let expires_at = days.map(|days| now_ms.saturating_add(days * DAY_MS));
            let grant = NewGrant {
                email: email.unwrap_or_else(|| DEMO_EMAIL.to_owned()),
                name: name.unwrap_or_else(|| Uuid::now_v7().to_string()),
                amount,
                grant: Grant { priority: PRIORITY, expires_at },
                note: note.unwrap_or_default(),
            };
            (block_on(server.post("/admin/credits/grants", &grant))??, output)
        }
    };
    match output {
        Output::Text => out(told(&info)),
        Output::Json => line(serde_json::to_string(&info).unwrap_or_default()),
    }
}

/// Credits for a person.
fn told(info: &CreditsInfo) -> String {
    let CreditsInfo { balance, grants, holds, month_spent, month_budget, .. } = info;
    let mut text = format!(
        "available  {}\nheld       {}\nthis month {}",
        amount_text(balance.available),
        amount_text(balance.held),
        amount_text(*month_spent)
    );
    if let Some(budget) = month_budget {
        let _ = write!(text, " of {}", amount_text(*budget)); // a String takes all
    }
    text.push('\n');
    for grant in grants {
        let end = grant.grant.expires_at.map(|at| format!(", until {}", Utc::of_ms(at)));
        let (left, end) = (amount_text(grant.left), end.unwrap_or_default());
        let _ = writeln!(text, "  {left} of {}{end}", clean(&grant.id));
    }
    for hold in holds {
        let _ = writeln!(text, "  {} held by {}", amount_text(hold.amount), hold.run);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::{
        credits::{Balance, GrantInfo, HoldInfo},
        id::{RunId, SessionId},
    };

    #[test]
    fn credits_are_told_with_grants_and_holds() {
        let grant = |id: &str, left, expires_at| GrantInfo {
            id: id.into(),
            grant: Grant { priority: 1, expires_at },
            left,
        };
        let info = CreditsInfo {
            balance: Balance { seq: 3, available: 7_500_000, held: 2_000_000 },
            grants: vec![
                grant("grant/month/2026-11", 2_500_000, Some(1_796_083_200_000)),
                grant("grant/sign-up", 5_000_000, None),
            ],
            holds: vec![HoldInfo {
                run: RunId::new(Uuid::from_u128(1)),
                session: SessionId::new(Uuid::from_u128(2)),
                amount: 2_000_000,
                expires_at: 0,
            }],
            month_spent: 500_000,
            month_budget: Some(100_000_000),
            session_budget: None,
        };
        assert_eq!(
            told(&info),
            "available  7.5\nheld       2\nthis month 0.5 of 100\n  \
             2.5 of grant/month/2026-11, until 2026-12-01T00:00:00.000Z\n  5 of grant/sign-up\n  \
             2 held by run_00000000000000000000000000000001\n"
        );
    }
}
