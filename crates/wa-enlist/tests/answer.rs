//! The answer: the published ones, what may vary, and everything that is none.

use bytes::Bytes;
use http::{Response, StatusCode};
use proptest::prelude::*;
use wa_binary::Jid;
use wa_enlist::{AnswerError, EnlistAnswer, EnlistError, Reason};

#[test]
fn the_published_answers_are_read() {
    let login = read(200, r#"{"login":"1-10853634039893@interop", "status":"ok"}"#);
    assert_eq!(login, Ok(EnlistAnswer::Login(Jid::interop(1, 10_853_634_039_893).unwrap())));
    let refused = read(200, r#"{"reason":"bad_integrator", "status":"fail"}"#);
    assert_eq!(refused, Ok(EnlistAnswer::Refused(Reason::BadIntegrator)));
}

#[test]
fn what_may_vary_is_read() {
    let login = Ok(EnlistAnswer::Login(Jid::interop(12, 3_456_789).unwrap()));
    for body in [
        " {\n\t\"status\" : \"ok\",\r\n\"login\":\"12-3456789@interop\"}\n",
        r#"{"status":"ok","login":"12-3456789:0@interop"}"#,
        r#"{"status":"o\u006b","login":"12-3456789@interop","new":{"a":[1,null]},"retry_after":1e3}"#,
        r#"{"status":"ok","login":"12-3456789@interop","reason":null}"#,
    ] {
        assert_eq!(read(200, body), login, "{body}");
    }
    for code in ["old_version", "x", &"x".repeat(64), "A-1.b"] {
        let body = format!(r#"{{"status":"fail","reason":"{code}"}}"#);
        assert_eq!(read(200, &body), Ok(EnlistAnswer::Refused(Reason::Other(code.to_owned()))));
        assert_eq!(Reason::Other(code.to_owned()).to_string(), code);
    }
    assert_eq!(Reason::BadIntegrator.to_string(), "bad_integrator");
}

#[test]
fn the_body_decides_and_not_the_http_status() {
    for status in [200, 201, 400, 403, 500, 503] {
        let refused = read(status, r#"{"status":"fail","reason":"bad_integrator"}"#);
        assert_eq!(refused, Ok(EnlistAnswer::Refused(Reason::BadIntegrator)));
        let login = read(status, r#"{"status":"ok","login":"1-1@interop"}"#);
        assert_eq!(login, Ok(EnlistAnswer::Login(Jid::interop(1, 1).unwrap())));
    }
}

#[test]
fn everything_else_is_refused_with_the_exact_reason() {
    let long_reason = format!(r#"{{"status":"fail","reason":"{}"}}"#, "x".repeat(65));
    let deep = format!(r#"{{"status":"ok","x":{}"#, "[".repeat(10_000));
    for (body, error) in [
        ("", AnswerError::NotJson { offset: 0 }),
        ("{", AnswerError::NotJson { offset: 1 }),
        ("<html>", AnswerError::NotJson { offset: 1 }),
        ("{\"status\":\n\"ok\",}", AnswerError::NotJson { offset: 17 }),
        (r#"{"status":"ok"} x"#, AnswerError::NotJson { offset: 17 }),
        (&deep, AnswerError::NotJson { offset: 10_019 }),
        ("null", AnswerError::Shape { offset: 4 }),
        ("\"ok\"", AnswerError::Shape { offset: 4 }),
        (r#" ["ok","1-1@interop",null]"#, AnswerError::Shape { offset: 0 }),
        (r#"{"status":1}"#, AnswerError::Shape { offset: 11 }),
        (r#"{"status":"ok","login":["1-1@interop"]}"#, AnswerError::Shape { offset: 23 }),
        (r#"{"status":"ok","status":"fail"}"#, AnswerError::Shape { offset: 23 }),
        ("{}", AnswerError::Missing { member: "status" }),
        (r#"{"status":null}"#, AnswerError::Missing { member: "status" }),
        (r#"{"login":"1-1@interop"}"#, AnswerError::Missing { member: "status" }),
        (r#"{"status":"ok"}"#, AnswerError::Missing { member: "login" }),
        (r#"{"status":"ok","reason":"bad_integrator"}"#, AnswerError::Missing { member: "login" }),
        (r#"{"status":"fail","login":"1-1@interop"}"#, AnswerError::Missing { member: "reason" }),
        (r#"{"status":"OK","login":"1-1@interop"}"#, AnswerError::Status),
        (r#"{"status":"","reason":"x"}"#, AnswerError::Status),
        (r#"{"status":"fail","reason":""}"#, AnswerError::Reason),
        (r#"{"status":"fail","reason":"a b"}"#, AnswerError::Reason),
        (r#"{"status":"fail","reason":"\n"}"#, AnswerError::Reason),
        (&long_reason, AnswerError::Reason),
    ] {
        let status = StatusCode::OK;
        assert_eq!(read(200, body), Err(EnlistError::Answer { status, error }), "{body:.80}");
    }
}

#[test]
fn a_login_is_an_interop_jid() {
    for login in [
        "",
        "1",
        "interop",
        "16505551234@s.whatsapp.net",
        "0-1@interop",
        "1000-1@interop",
        "01-1@interop",
        "1-0@interop",
        "1-1:1@interop",
        "1-1000000000000000@interop",
        "1-1@interop ",
        "1-1@interop@interop",
    ] {
        let status = StatusCode::OK;
        let body = format!(r#"{{"status":"ok","login":"{login}"}}"#);
        let refused = Err(EnlistError::Answer { status, error: AnswerError::Login });
        assert_eq!(read(200, &body), refused, "{login:?}");
    }
}

#[test]
fn a_large_body_is_not_read() {
    let answer = r#"{"status":"ok","login":"1-1@interop"}"#;
    assert!(read(200, &format!("{answer:<16384}")).is_ok());
    let (status, error) = (StatusCode::OK, AnswerError::TooLarge { limit: 16_384 });
    assert_eq!(read(200, &format!("{answer:<16385}")), Err(EnlistError::Answer { status, error }));
}

#[test]
fn a_server_that_failed_may_be_asked_again_and_no_other() {
    for status in [500, 502, 503, 599] {
        let error = read(status, "<html>Bad Gateway</html>").unwrap_err();
        assert_eq!(error, EnlistError::ServerFailed { status: StatusCode::from_u16(status).unwrap() });
        assert!(error.is_retryable());
    }
    for status in [200, 302, 400, 401, 404, 429] {
        let error = read(status, "<html>").unwrap_err();
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(error, EnlistError::Answer { status, error: AnswerError::NotJson { offset: 1 } });
        assert!(!error.is_retryable());
    }
}

proptest! {
    #[test]
    fn every_login_in_range_is_read(
        integrator in 1_u16..=999,
        user in 1_u64..1_000_000_000_000_000,
        status in 100_u16..600,
    ) {
        let body = format!(r#"{{"login":"{integrator}-{user}@interop","status":"ok"}}"#);
        let login = Jid::interop(integrator, user).unwrap();
        prop_assert_eq!(read(status, &body), Ok(EnlistAnswer::Login(login)));
    }

    #[test]
    fn a_truncated_answer_is_none(
        login in "[0-9]{0,4}-[0-9]{0,17}@interop",
        reason in "[\\PC\n]{0,40}",
        cut in 1_usize..30,
    ) {
        let status = StatusCode::OK;
        for body in [
            format!(r#"{{"status":"ok","login":"{login}"}}"#),
            format!(r#"{{"status":"fail","reason":"{reason}"}}"#),
            reason,
        ] {
            let kept = body.chars().count().saturating_sub(cut);
            let truncated: String = body.chars().take(kept).collect();
            let Err(EnlistError::Answer { status: said, .. }) = read(200, &truncated) else {
                return Err(TestCaseError::fail(truncated));
            };
            prop_assert_eq!(said, status);
        }
    }
}

fn read(status: u16, body: &str) -> Result<EnlistAnswer, EnlistError> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    EnlistAnswer::from_http(&response)
}
