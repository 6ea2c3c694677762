use super::*;
use greenroom_protocol::{credits::Grant, id::SessionId};
use uuid::Uuid;

const TERMS: CreditTerms = CreditTerms {
    hold_ttl_ms: 60_000,
    sign_up_grant: 0,
    monthly_grant: 0,
    month_budget: 0,
    session_budget: 0,
    held_share: 60,
    prior_output_tokens: 1000,
};

fn run(number: u128) -> RunId {
    RunId::new(Uuid::from_u128(number))
}

fn perform(account: &mut Account, command: &Command) -> Answer {
    account.perform(0, &TERMS, (command, &Known::new()), &mut Vec::new())
}

/// A run whose answer is expected to cost a credit a thousand tokens.
fn hold(number: u128) -> Command {
    let price = Price {
        version: "v".into(),
        model: "model".into(),
        input: 0,
        cached: 0,
        output: 1_000_000,
    };
    Command::Hold(HoldRequest {
        run: run(number),
        session: SessionId::new(Uuid::from_u128(number)),
        session_spent: 0,
        price,
        input_tokens: 0,
    })
}

fn with(amount: u64) -> Account {
    let mut account = Account::default();
    let grant = Grant { priority: 1, expires_at: None };
    let grant = Command::Grant { id: "gift".into(), amount, grant, note: String::new() };
    assert!(matches!(perform(&mut account, &grant), Answer::Info(_)));
    account
}

#[test]
fn a_run_alone_may_hold_all_that_there_is() {
    let mut account = with(1000);
    assert_eq!(perform(&mut account, &hold(1)), Answer::Held { amount: 1000 });
    assert_eq!(account.books.available, 0);
}

#[test]
fn runs_side_by_side_leave_a_rest_to_top_them_up() {
    let mut account = with(2500);
    let Answer::Held { amount } = perform(&mut account, &hold(1)) else { panic!() };
    assert!((1000..1500).contains(&amount), "{amount}");

    // There would be enough for it, and then nothing for either.
    let refused = Answer::Refused(Refusal::HeldByOthers { share: 60 });
    assert_eq!(perform(&mut account, &hold(2)), refused);
    let more = Command::TopUp { run: run(1), number: 1, amount: 900 };
    assert_eq!(perform(&mut account, &more), Answer::Held { amount: amount + 900 });

    let ended = Command::Settle { run: run(1), usage: Usage::default(), ending: Ending::NoContent };
    assert!(matches!(perform(&mut account, &ended), Answer::Settled(_)));
    assert!(matches!(perform(&mut account, &hold(2)), Answer::Held { .. }));
}
