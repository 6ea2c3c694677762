use super::*;
use crate::auth::Secret;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, crypto};
use serde_json::{Value, json};

const NOW_MS: u64 = 1_700_000_000_000;
const NOW: u64 = NOW_MS / 1000;

fn secret(byte: u8) -> Secret {
    Secret::new([byte; 32])
}

fn authenticator_of(current: u8, previous: &[u8]) -> JwtAuthenticator {
    let previous: Vec<_> = previous.iter().copied().map(secret).collect();
    let keys = Keys::new(&secret(current), &previous).unwrap();
    JwtAuthenticator::new(&AuthConfig::default(), Arc::new(keys))
}

fn user() -> UserId {
    UserId::new(uuid::Uuid::from_u128(7))
}

fn issue(authenticator: &JwtAuthenticator) -> String {
    authenticator.issue_for(user(), Duration::from_secs(900), NOW_MS).unwrap().token
}

/// A token with these parts, signed with the key `[1; 32]`.
fn forge(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(&[1; 32]);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn header_of(authenticator: &JwtAuthenticator) -> Value {
    json!({ "alg": "HS256", "typ": "JWT", "kid": authenticator.keys.current().kid })
}

fn claims() -> Value {
    json!({
        "iss": "greenroom", "aud": "greenroom", "sub": user(), "typ": "access", "jti": "1",
        "iat": NOW, "exp": NOW + 900,
    })
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

fn without(mut object: Value, field: &str) -> Value {
    object.as_object_mut().unwrap().remove(field);
    object
}

#[test]
fn a_token_of_ours_names_its_user_until_it_expires() {
    let authenticator = authenticator_of(1, &[]);
    let token = issue(&authenticator);
    let expected = Principal { user: user(), expires_at_ms: NOW_MS + 900_000, sign_in: None };

    for _ in 0..2 {
        assert_eq!(authenticator.verify(&token, NOW_MS), Ok(expected));
        assert_eq!(authenticator.verify(&token, NOW_MS + 899_999), Ok(expected));
        assert_eq!(authenticator.verify(&token, NOW_MS + 900_000), Err(AuthError::Expired));
    }
    // Also where it was never seen before.
    assert_eq!(authenticator_of(1, &[]).verify(&token, NOW_MS + 900_000), Err(AuthError::Expired));
}

#[test]
fn the_forge_of_these_tests_makes_good_tokens() {
    let authenticator = authenticator_of(1, &[]);
    let token = forge(&header_of(&authenticator), &claims());
    assert!(authenticator.verify(&token, NOW_MS).is_ok());
}

#[test]
fn a_header_that_asks_for_trust_is_refused() {
    let authenticator = authenticator_of(1, &[]);
    let header = || header_of(&authenticator);
    let long = "k".repeat(1200);
    let bad = [
        with(header(), "alg", json!("none")),
        with(header(), "alg", json!("None")),
        with(header(), "alg", json!("HS384")),
        with(header(), "alg", json!("RS256")),
        with(header(), "alg", json!("EdDSA")),
        without(header(), "alg"),
        with(header(), "crit", json!(["exp"])),
        with(header(), "crit", json!([])),
        with(header(), "typ", json!("refresh")),
        without(header(), "typ"),
        without(header(), "kid"),
        with(header(), "kid", json!("")),
        with(header(), "kid", json!("../../etc/passwd")),
        with(header(), "kid", json!("' OR 1=1 --")),
        with(header(), "kid", json!("http://127.0.0.1/key")),
        with(header(), "kid", json!(long)),
        with(header(), "kid", json!(7)),
        json!([]),
        json!("HS256"),
    ];
    for header in bad {
        let token = forge(&header, &claims());
        assert_eq!(authenticator.verify(&token, NOW_MS), Err(AuthError::Invalid), "{header}");
    }
}

#[test]
fn claims_that_are_not_ours_are_refused() {
    let authenticator = authenticator_of(1, &[]);
    let bad = [
        with(claims(), "iss", json!("other")),
        with(claims(), "aud", json!("other")),
        with(claims(), "aud", json!(["greenroom", "other"])),
        with(claims(), "typ", json!("refresh")),
        with(claims(), "sub", json!("ses_00000000000000000000000000000007")),
        with(claims(), "sub", json!("admin")),
        with(claims(), "exp", json!((NOW + 900).to_string())),
        with(claims(), "exp", json!(1e300)),
        with(claims(), "exp", json!(-1)),
        with(claims(), "exp", json!(null)),
        with(claims(), "exp", json!(NOW + 40 * 24 * 3600)),
        with(claims(), "exp", json!(u64::MAX)),
        with(claims(), "iat", json!(NOW.to_string())),
        with(claims(), "iat", json!(NOW + 6)),
        with(claims(), "nbf", json!(NOW + 6)),
        with(claims(), "nbf", json!("0")),
        with(claims(), "role", json!("admin")),
        json!([]),
    ];
    let missing = ["iss", "aud", "sub", "exp", "iat", "typ", "jti"];
    for claims in bad.into_iter().chain(missing.map(|field| without(claims(), field))) {
        let token = forge(&header_of(&authenticator), &claims);
        assert_eq!(authenticator.verify(&token, NOW_MS), Err(AuthError::Invalid), "{claims}");
    }
}

#[test]
fn clocks_may_differ_by_five_seconds_and_no_more() {
    let authenticator = authenticator_of(1, &[]);
    for field in ["iat", "nbf"] {
        let token = forge(&header_of(&authenticator), &with(claims(), field, json!(NOW + 5)));
        assert!(authenticator.verify(&token, NOW_MS).is_ok(), "{field}");
    }
    let expired = with(with(claims(), "iat", json!(NOW - 900)), "exp", json!(NOW));
    let token = forge(&header_of(&authenticator), &expired);
    assert_eq!(authenticator.verify(&token, NOW_MS), Err(AuthError::Expired));
}

#[test]
fn a_signature_of_another_key_or_none_is_refused() {
    let authenticator = authenticator_of(1, &[]);
    let token = issue(&authenticator);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = issue(&authenticator_of(2, &[]));
    let (_, other_signature) = other.rsplit_once('.').unwrap();

    for bad in [
        other.clone(),
        format!("{message}."),
        message.to_owned(),
        format!("{message}.{other_signature}"),
        format!("{message}.{signature}.{signature}"),
        format!("{message}.{signature}="),
        format!(" {token}"),
        format!("{token}\n"),
        "a".repeat(TOKEN_BYTES_MAX + 1),
        String::new(),
        "..".into(),
    ] {
        assert_eq!(authenticator.verify(&bad, NOW_MS), Err(AuthError::Invalid), "{bad}");
    }
}

#[test]
fn of_a_thousand_mutations_of_a_token_none_is_accepted() {
    let authenticator = authenticator_of(1, &[]);
    let token = issue(&authenticator).into_bytes();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=";
    let mut tried = 0;
    for round in 0..6 {
        for place in 0..token.len() {
            let mut mutant = token.clone();
            let old = mutant[place];
            match round {
                0 => drop(mutant.remove(place)),
                1 => mutant.insert(place, old),
                2 => mutant[place] ^= 1 << (place % 7),
                n => mutant[place] = alphabet[(place * 7 + n * 13) % alphabet.len()],
            }
            if mutant == token {
                continue;
            }
            let Ok(mutant) = String::from_utf8(mutant) else { continue };
            tried += 1;
            assert!(authenticator.verify(&mutant, NOW_MS).is_err(), "{mutant}");
        }
    }
    assert!(tried >= 1000, "only {tried} mutations");
}

#[test]
fn the_last_character_of_a_signature_has_one_spelling() {
    let authenticator = authenticator_of(1, &[]);
    let token = issue(&authenticator);
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let mut mutant = token.clone();
        mutant.pop();
        mutant.push(last);
        assert_eq!(authenticator.verify(&mutant, NOW_MS).is_ok(), mutant == token);
    }
}

#[test]
fn two_keys_live_side_by_side_and_a_retired_one_ends_at_once() {
    let old = issue(&authenticator_of(1, &[]));
    assert!(authenticator_of(2, &[1]).verify(&old, NOW_MS).is_ok());
    assert_eq!(authenticator_of(2, &[]).verify(&old, NOW_MS), Err(AuthError::Invalid));
}

#[test]
fn a_token_lives_no_longer_than_the_longest_that_is_accepted() {
    let authenticator = authenticator_of(1, &[]);
    let access = authenticator.issue_for(user(), Duration::MAX, NOW_MS).unwrap();
    assert!(authenticator.verify(&access.token, NOW_MS).is_ok());
    assert_eq!(access.expires_at_ms, NOW_MS + 30 * 24 * 3600 * 1000);
    assert!(!format!("{access:?}").contains(&access.token));
}

#[test]
fn the_memory_of_verified_tokens_is_bounded() {
    let authenticator = authenticator_of(1, &[]);
    for n in 0..=VERIFIED_MAX as u64 {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_le_bytes());
        let principal =
            Principal { user: user(), expires_at_ms: NOW_MS + 1 + n % 2, sign_in: None };
        authenticator.remember(digest, principal, NOW_MS + 1);
    }
    assert!(authenticator.verified.lock().unwrap().len() <= VERIFIED_MAX / 2 + 1);
}

#[test]
fn the_tokens_of_a_sign_in_end_with_it_and_no_others() {
    let authenticator = authenticator_of(1, &[]);
    let token = |n| authenticator.issue(user(), SignIn(n), NOW_MS).unwrap().token;
    let (ended, other, on_demand) = (token(1), token(2), issue(&authenticator));
    let principal = authenticator.verify(&ended, NOW_MS).unwrap();
    assert_eq!(principal.sign_in, Some(SignIn(1)));

    authenticator.end(SignIn(1), NOW_MS);
    for token in [&ended, &token(1)] {
        assert_eq!(authenticator.verify(token, NOW_MS), Err(AuthError::Invalid));
    }
    for token in [&other, &on_demand] {
        assert!(authenticator.verify(token, NOW_MS).is_ok());
    }
}

#[test]
fn the_memory_of_ended_sign_ins_is_bounded_and_forgets_what_has_expired() {
    let authenticator = authenticator_of(1, &[]);
    for n in 0..=ENDED_MAX as u128 {
        authenticator.end(SignIn(n), NOW_MS);
    }
    assert_eq!(authenticator.ended.lock().unwrap().len(), ENDED_MAX);
    authenticator.end(SignIn(u128::MAX), NOW_MS + 900_000);
    assert_eq!(authenticator.ended.lock().unwrap().len(), 1);
}
