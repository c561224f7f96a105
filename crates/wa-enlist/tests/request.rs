//! The request against the values that the published example prints (overview §1.2.1, with its two misprints
//! mended), in every spelling, and everything that is no request.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use http::{Method, header};
use wa_enlist::{EnlistError, EnlistRequest, EnlistedPrekey};
use wa_keys::{PublicKey, Signature};
use wa_profile::{EnlistmentSpelling, Profile, ProtocolVersion};

/// The example's values: the hexadecimal is what its base64url says.
const AUTH_KEY: &str = "98bb0f0dddbb934ec125ae7876db767bd633faf25f1022d74403eb169ed8797e";
const REGISTRATION_ID: u32 = 0xc7a8_3ab4;
const IDENTITY_KEY: &str = "c7a83ab46a5e93439bc7ae7ebd5c7db77c0db632545dc418da26ab47e02eb21e";
const PREKEY_ID: u32 = 0xfe_d749;
const PREKEY: &str = "fed749bc2d22d3e17d875ee268786b9f8d9dd469c8de9e8bc24171dc14bf8d7c";
const SIGNATURE: &str = "04f11c7a3948ed185a7177bd32f04c504b3f20772d95c0f2cdadb8bc3ad971ad0defb6031aa0805ebd9558300bbce7134b388d59f54c278203c4810dc2fc8008";
const TOKEN: &str = "eyJraWQiOiIt.e30.c2ln";

#[test]
fn the_overviews_example_is_reproduced() {
    let mut profile = Profile::overview();
    profile.enlistment.spelling = EnlistmentSpelling::OverviewExample;
    profile.enlistment.version_argument = None;
    let request = request().with_identity(1, "alice").unwrap().to_http(&profile).unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://v.whatsapp.net/3p/interop_reg");
    assert_eq!(request.headers()[header::CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(request.headers()[header::ACCEPT], "application/json");
    let expected = "authkey=mLsPDd27k07BJa54dtt2e9Yz-vJfECLXRAPrFp7YeX4\
        &e_keytype=BQ\
        &e_regid=x6g6tA\
        &e_ident=x6g6tGpek0Obx65-vVx9t3wNtjJUXcQY2iarR-Aush4\
        &e_key_id=_tdJ\
        &e_key_val=_tdJvC0i0-F9h17iaHhrn42d1GnI3p6LwkFx3BS_jXw\
        &e_key_sig=BPEcejlI7RhacXe9MvBMUEs_IHctlcDyza24vDrZca0N77YDGqCAXr2VWDALvOcTSziNWfVMJ4IDxIENwvyACA\
        &integrator_id=1\
        &user_identifier=alice\
        &token=eyJraWQiOiIt.e30.c2ln";
    assert_eq!(request.body(), expected);
}

#[test]
fn each_document_has_its_names() {
    let names = |profile: &Profile| -> Vec<String> {
        let request = request().with_identity(999, "alice").unwrap().to_http(profile).unwrap();
        form_urlencoded::parse(request.body()).map(|(name, _)| name.into_owned()).collect()
    };
    let before = ["authkey", "e_keytype", "e_regid", "e_ident"];
    let overview = [
        "e_skey_id",
        "e_skey_val",
        "e_key_sig",
        "integrator_id",
        "user_identifier",
        "token",
        "interop_version",
    ];
    assert_eq!(names(&Profile::overview()), [&before[..], &overview].concat());
    let offer = ["e_skey_id", "e_skey_val", "e_skey_sig", "token", "interop_version"];
    assert_eq!(names(&Profile::reference_offer_1_0_3()), [&before[..], &offer].concat());
}

#[test]
fn the_version_and_the_url_are_the_profiles() {
    let mut profile = Profile::default().with_version(ProtocolVersion::new(1, 2, 10));
    profile.enlistment.url = "http://127.0.0.1:9/reg".to_owned();
    profile.enlistment.version_argument = Some("version".to_owned());
    let request = request().to_http(&profile).unwrap();
    assert_eq!(request.uri(), "http://127.0.0.1:9/reg");
    assert!(request.body().ends_with(b"&version=1.2.10"));
}

#[test]
fn numbers_keep_their_leading_zeros() {
    let prekey = EnlistedPrekey::new(1, key(PREKEY), Signature::from_bytes([0; 64])).unwrap();
    let request = EnlistRequest::new(key(AUTH_KEY), 1, key(IDENTITY_KEY), prekey, TOKEN).unwrap();
    let request = request.to_http(&Profile::default()).unwrap();
    let form: Vec<(String, String)> = form_urlencoded::parse(request.body()).into_owned().collect();
    let value = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((value("e_regid"), value("e_skey_id")), (Some("AAAAAQ"), Some("AAAB")));
}

#[test]
fn a_user_identifier_may_be_anything_of_forty_characters() {
    let user = "é&=+ 🦊".repeat(6) + "wxyz";
    assert_eq!(user.chars().count(), 40);
    let request = request().with_identity(1, &user).unwrap().to_http(&Profile::overview()).unwrap();
    let read = form_urlencoded::parse(request.body()).find(|(name, _)| name == "user_identifier").unwrap();
    assert_eq!(read.1, user);
}

#[test]
fn what_is_no_request_is_refused_with_the_exact_reason() {
    for id in [1 << 24, u32::MAX] {
        let refused = EnlistedPrekey::new(id, key(PREKEY), Signature::from_bytes([0; 64]));
        assert_eq!(refused.unwrap_err(), EnlistError::PrekeyId { id });
    }
    assert!(EnlistedPrekey::new((1 << 24) - 1, key(PREKEY), Signature::from_bytes([0; 64])).is_ok());
    for id in [0, 1000] {
        assert_eq!(request().with_identity(id, "alice").unwrap_err(), EnlistError::IntegratorId { id });
    }
    for (token, offset) in [(" ", 0), ("a.b.c\n", 5), ("a=b", 1), ("a.b/c", 3), ("ab\u{e9}", 2)] {
        assert_eq!(with_token(token).unwrap_err(), EnlistError::TokenCharacter { offset });
    }
}

#[test]
fn what_the_profile_does_not_allow_is_refused() {
    let overview = Profile::overview();
    let refused = |request: EnlistRequest, profile: &Profile| request.to_http(profile).unwrap_err();
    assert_eq!(refused(request(), &overview), EnlistError::IdentityMissing);
    for user in ["", &"🦊".repeat(41)] {
        let request = request().with_identity(1, user).unwrap();
        assert_eq!(refused(request.clone(), &overview), EnlistError::UserIdentifierLength { max: 40 });
        assert!(request.to_http(&Profile::default()).is_ok(), "not sent, not judged");
    }
    let default = Profile::default();
    assert!(with_token(&"x".repeat(4096)).unwrap().to_http(&default).is_ok());
    for bytes in [0, 4097] {
        let request = with_token(&"x".repeat(bytes)).unwrap();
        assert_eq!(refused(request, &default), EnlistError::TokenLength { bytes, max: 4096 });
    }
    for url in ["", "/3p/interop_reg", "v.whatsapp.net", "http://exa mple/"] {
        let mut profile = Profile::default();
        profile.enlistment.url = url.to_owned();
        assert_eq!(refused(request(), &profile), EnlistError::Url, "{url:?}");
    }
}

#[test]
fn debug_shows_nothing() {
    let request = request().with_identity(1, "alice").unwrap();
    assert_eq!(format!("{request:?}"), "EnlistRequest { .. }");
}

fn request() -> EnlistRequest {
    with_token(TOKEN).unwrap()
}

fn with_token(token: &str) -> Result<EnlistRequest, EnlistError> {
    let signature = Signature::from_slice(&bytes(SIGNATURE)).unwrap();
    let prekey = EnlistedPrekey::new(PREKEY_ID, key(PREKEY), signature)?;
    EnlistRequest::new(key(AUTH_KEY), REGISTRATION_ID, key(IDENTITY_KEY), prekey, token)
}

fn key(hex: &str) -> PublicKey {
    PublicKey::from_slice(&bytes(hex)).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}
